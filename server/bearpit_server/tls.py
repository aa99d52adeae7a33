"""What a server proves itself with: a certificate chain and its key, checked before gRPC sees them."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import grpc


class UnusablePem(ValueError):
    """A file that TLS cannot be served with."""

    def __init__(self, field: Literal["certificate", "key"], path: Path, fault: str) -> None:
        super().__init__(f"{path} {fault}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate chain and its key, as PEM files."""

    certificate: Path
    key: Path

    def check(self) -> None:
        """Raises UnusablePem where gRPC would only say that the port cannot be had, and OSError."""
        for path in (self.certificate, self.key):
            path.read_bytes()  # tells a file that cannot be read from one that is no PEM
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_verify_locations(self.certificate)
        except ssl.SSLError as error:
            raise UnusablePem("certificate", self.certificate, "holds no certificate in PEM") from error
        try:
            # Without this word it would ask the terminal for that of an encrypted key.
            context.load_cert_chain(self.certificate, self.key, password="")
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise UnusablePem("key", self.key, f"is not the key of {self.certificate}") from error
            raise UnusablePem("key", self.key, "holds no private key in PEM, or an encrypted one") from error

    def credentials(self) -> grpc.ServerCredentials:
        """What gRPC wants of them. Raises as `check` does."""
        self.check()
        pair = (self.key.read_bytes(), self.certificate.read_bytes())
        return grpc.ssl_server_credentials([pair])
