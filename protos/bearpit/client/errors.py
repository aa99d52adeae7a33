"""What a client sees when the server refuses: one exception, whatever the transport made of it."""

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from bearpit.v1 import errors_pb2, trading_pb2

DETAILS_KEY = "grpc-status-details-bin"
"""The trailing metadata that carries a google.rpc.Status."""
DOMAIN = "bearpit"

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class BearpitError(Exception):
    """A call that failed.

    `reason` is the name in errors.proto without `REASON_`, or empty when the failure was not the
    server's answer: the server could not be reached, or did not answer in time. `metadata` holds the
    numbers behind the reason, `field` the field at fault. `request_id` is that of the call, if it was
    a mutation: calling again with it cannot do the thing twice.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        metadata: dict[str, str] | None = None,
        field: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata = metadata or {}
        self.field = field
        self.request_id = request_id

    def __repr__(self) -> str:
        return f"BearpitError({self.code.name}, {self.reason or '-'}, {self.message!r})"

    @property
    def retry_after_seconds(self) -> float:
        """How long the server asks to wait; 0 when it does not say."""
        text = self.metadata.get("retry_after_ms", "")
        return int(text) / 1000 if text.isdecimal() else 0.0

    @classmethod
    def from_rpc(cls, error: grpc.aio.AioRpcError, request_id: str = "") -> "BearpitError":
        """Read the status details of a failed call; without any, say what happened in plain words."""
        info, violation = _details_of(error)
        if info is None:
            details = error.details() or ""
            if details == SEND_FAILED:
                return cls(
                    grpc.StatusCode.UNAVAILABLE,
                    "",
                    _PLAIN[grpc.StatusCode.UNAVAILABLE],
                    request_id=request_id,
                )
            message = _fault(details) or _PLAIN.get(error.code(), "") or details or error.code().name
            return cls(error.code(), "", message, request_id=request_id)
        return cls(
            error.code(),
            info.reason,
            error.details() or info.reason,
            dict(info.metadata),
            violation,
            request_id,
        )

    @classmethod
    def from_refusal(cls, refusal: trading_pb2.Refusal, request_id: str = "") -> "BearpitError":
        """The refusal of one of many, as the exception that a single call would have raised."""
        name = errors_pb2.Reason.Name(refusal.reason).removeprefix("REASON_")
        code = _CODES.get(refusal.code, grpc.StatusCode.UNKNOWN)
        return cls(code, name, refusal.message, dict(refusal.metadata), refusal.field, request_id)


CONNECTION_FAULTS = {
    "CERTIFICATE_VERIFY_FAILED": "The server's certificate is not trusted here; name its authority.",
    "Hostname Verification Check failed": "The server's certificate is for another name; use that one.",
    "WRONG_VERSION_NUMBER": "The server does not encrypt; connect without TLS.",
    "Failed to create security handshaker": "The authority's file holds no certificate in PEM.",
    "all addresses; last error: UNAVAILABLE": "The server hangs up at once; it may want TLS.",
}
"""What gRPC says when the two do not encrypt alike, in part, and what that means for the client."""

SEND_FAILED = "Internal error from Core"
"""What grpc.aio says, as INTERNAL, when the connection broke while it was sending on a stream."""

_PLAIN = {
    grpc.StatusCode.UNAVAILABLE: "The server cannot be reached. Trying again may help.",
    grpc.StatusCode.DEADLINE_EXCEEDED: "The server did not answer in time. Trying again may help.",
}


def _fault(details: str) -> str:
    """What is wrong with the connection itself, where waiting will not help; else empty."""
    if "hostname lookup error" in details:
        return "There is no host of that name."
    return next((words for part, words in CONNECTION_FAULTS.items() if part in details), "")


def _details_of(error: grpc.aio.AioRpcError) -> tuple[error_details_pb2.ErrorInfo | None, str]:
    """The ErrorInfo of our domain, and the field of the first violation; nothing if there are none."""
    info: error_details_pb2.ErrorInfo | None = None
    field = ""
    for key, value in error.trailing_metadata() or ():
        if key != DETAILS_KEY or not isinstance(value, bytes):
            continue
        try:
            details = status_pb2.Status.FromString(value).details
            for detail in details:
                if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                    found = error_details_pb2.ErrorInfo.FromString(detail.value)
                    info = found if found.domain == DOMAIN else info
                elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                    violations = error_details_pb2.BadRequest.FromString(detail.value).field_violations
                    field = violations[0].field if violations else ""
        except DecodeError:  # somebody else's details; the code says enough
            return None, ""
    return info, field
