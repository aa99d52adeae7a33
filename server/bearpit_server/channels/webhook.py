"""Webhooks: a POST of JSON, signed by the Standard Webhooks specification (standardwebhooks.com, 1.0)."""

import hmac
import secrets
import ssl
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256

from bearpit_server.channels.addresses import Addresses
from bearpit_server.channels.base import Failure, Letter, Target, dump
from bearpit_server.channels.posting import Answer, Post, parse
from bearpit_server.rules.channels import check_url
from bearpit_server.storage import clock

SECRET_PREFIX = "whsec_"  # noqa: S105 - the specification's
SECRET_BYTES = 32
AGENT = "bearpit-webhook/1"
GONE = 410
_MAX_WAIT_SECONDS = 3_600


def new_secret() -> str:
    """What a new webhook's deliveries are signed with."""
    return SECRET_PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The signature of a message, with its version. The secret is "whsec_" and base64."""
    key = b64decode(secret.removeprefix(SECRET_PREFIX))
    content = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + b64encode(hmac.digest(key, content, sha256)).decode()


def body_of(letter: Letter) -> bytes:
    """What is posted: the same bytes with every attempt."""
    return dump(
        {
            "type": f"notification.{letter.kind.lower()}",
            "timestamp": _instant(letter.created_at),
            "data": {
                "sequence": letter.sequence,
                "title": letter.title,
                "body": letter.body,
                "reference": letter.reference,
                "priority": letter.priority,
                "data": letter.data,
            },
        }
    )


class Webhook:
    """Posts letters to URLs that players give; see `addresses` for where it does not go."""

    def __init__(
        self,
        addresses: Addresses,
        private_allowed: Callable[[], bool],
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._addresses = addresses
        self._private_allowed = private_allowed
        self._post = Post(trust)

    def check(self, address: str) -> str:
        """A URL. Raises Refused INVALID_FIELD or ADDRESS_NOT_ALLOWED."""
        return check_url(address, self._private_allowed())

    async def deliver(self, letter: Letter, target: Target) -> None:
        """Post it; arrived is what is answered by 2xx. Raises Failure."""
        url = parse(target.address)
        private_allowed = self._private_allowed()
        if url.scheme != "https" and not private_allowed:
            raise Failure("only https is allowed", retry=False)
        port = url.port or (443 if url.scheme == "https" else 80)
        host = url.raw_host.decode("ascii")
        number = await self._addresses.find(host, port, private_allowed)
        body, message_id, timestamp = (
            body_of(letter),
            f"msg_{letter.message_id}",
            int(clock.now().timestamp()),
        )
        headers = {
            "host": url.netloc.decode("ascii"),
            "user-agent": AGENT,
            "connection": "close",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(target.secret, message_id, timestamp, body),
        }
        answer = await self._post.post(url.copy_with(host=number), body, headers, host)
        if not 200 <= answer.status < 300:
            raise _failure(answer)

    async def close(self) -> None:
        """End all connections."""
        await self._post.close()
        self._addresses.close()


def _failure(answer: Answer) -> Failure:
    if answer.status == GONE:
        return Failure("it answered 410: it wants no more", gone=True)
    wait = answer.headers.get("retry-after", "")
    seconds = (
        min(int(wait), _MAX_WAIT_SECONDS) if wait.isascii() and wait.isdigit() and len(wait) < 9 else None
    )
    return Failure(f"it answered {answer.status}", after_seconds=seconds)


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
