"""What the client must know about each RPC, read from the contract itself."""

import json
from collections.abc import Callable, Iterable
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, TypeVar, cast

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

import bearpit.v1
from bearpit.v1 import trading_pb2

DEFAULT_PORT = 7117

SERVICES: dict[str, ServiceDescriptor] = {
    found.name.removesuffix("_pb2"): service
    for found in iter_modules(bearpit.v1.__path__)
    if found.name.endswith("_pb2")
    for service in import_module(f"bearpit.v1.{found.name}").DESCRIPTOR.services_by_name.values()
}
"""Every service by the name of its file: a file has one at most."""
METHODS: dict[str, MethodDescriptor] = {
    f"/{service.full_name}/{method.name}": method
    for service in SERVICES.values()
    for method in service.methods
}
"""Every RPC by its path on the wire."""

_AUTH = "/bearpit.v1.AuthService/"
WITHOUT_SIGN_IN = frozenset(_AUTH + name for name in ("Register", "SignIn", "RefreshToken", "SignOut"))
"""RPCs that bring what they need in the message."""
ONCE = frozenset(_AUTH + name for name in ("RefreshToken", "ChangePassword"))
"""RPCs whose second run is refused though the first one succeeded: never repeated unasked."""


def _is_mutation(path: str, method: MethodDescriptor) -> bool:
    if path.rpartition("/")[2] in ("PlaceOrders", "EnterOrders"):
        return True
    # GetOrder has a request_id too, but there it is what to look for.
    return "request_id" in method.input_type.fields_by_name and not method.name.startswith("Get")


MUTATIONS = frozenset(path for path, method in METHODS.items() if _is_mutation(path, method))
"""RPCs whose request, or each of its parts, carries a request_id."""

REPEATABLE = frozenset(
    path
    for path, method in METHODS.items()
    if not (method.client_streaming or method.server_streaming or path in ONCE)
)
"""RPCs that are safe to send again: reads, and mutations because their request_id makes them one."""


class _Mutation(Protocol):
    request_id: str


_M = TypeVar("_M")


def _mutations_in(message: object) -> Iterable[_Mutation]:
    if isinstance(message, trading_pb2.PlaceOrdersRequest):
        return message.orders
    if isinstance(message, trading_pb2.EnterOrdersRequest):
        entry = message.WhichOneof("entry")
        return [getattr(message, entry)] if entry else []
    return [cast(_Mutation, message)]


def with_request_ids(message: _M, new_id: Callable[[], str]) -> _M:
    """The message with its empty request ids filled in.

    The caller's own message stays as it is: sent again, it is a new wish, not a repetition.
    """
    if all(part.request_id for part in _mutations_in(message)):
        return message
    assert isinstance(message, Message)
    filled = type(message)()
    filled.CopyFrom(message)
    for part in _mutations_in(filled):
        part.request_id = part.request_id or new_id()
    return cast(_M, filled)


def request_id_of(message: object) -> str:
    """The request id of a message; empty if it has none or many."""
    return str(getattr(message, "request_id", ""))


def service_config() -> str:
    """Retries, as gRPC's service config: UNAVAILABLE only, and only what may be repeated.

    It holds no `timeout`: grpc.aio fires that early. Deadlines come from the interceptors.
    """
    names = [
        {"service": service, "method": method}
        for service, _, method in (path[1:].rpartition("/") for path in sorted(REPEATABLE))
    ]
    retry = {
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    config = {
        "methodConfig": [{"name": names, "retryPolicy": retry}],
        # A server in trouble is not helped by everybody asking four times.
        "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.5},
    }
    return json.dumps(config)
