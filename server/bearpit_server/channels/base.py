"""What every kind of channel is: one way to deliver one letter."""

import asyncio
import json
import logging
import ssl
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Protocol
from uuid import UUID

import httpx

logger = logging.getLogger(__name__)

TEST = "TEST"
"""The kind of a letter that no notification is behind."""
MAX_RESPONSE = 16 * 1024
"""Bytes of an answer that are read; none of it is ever shown."""

for _chatty in ("httpx", "httpcore"):
    # They log every URL. Telegram's has the bot's token in it, and webhooks' may hold secrets of players.
    logging.getLogger(_chatty).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Letter:
    """A notification as it is sent. `kind` is a name such as "FILL"; `message_id` is the same each time."""

    message_id: UUID
    kind: str
    title: str
    body: str
    reference: str
    priority: str
    sequence: int
    created_at: datetime
    data: dict[str, object]


@dataclass(frozen=True, slots=True)
class Target:
    """Where it goes. `secret` is empty where nothing is signed."""

    address: str
    secret: str = ""


class Failure(Exception):
    """It did not arrive. `reason` is for the channel's owner: it holds nothing of the answer but its status.

    `retry`: whether trying again may help, `after_seconds` at the earliest. `gone`: the other side wants
    nothing more.
    """

    def __init__(
        self, reason: str, retry: bool = True, after_seconds: int | None = None, gone: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry = retry and not gone
        self.after_seconds = after_seconds
        self.gone = gone


class Channel(Protocol):
    """A kind of channel."""

    def check(self, address: str) -> str:
        """The address as it is kept. Raises Refused for one that cannot be."""
        ...

    async def deliver(self, letter: Letter, target: Target) -> None:
        """Send a letter, and return when the other side has it. Raises Failure."""
        ...

    async def close(self) -> None:
        """End all connections."""


async def deliver(channel: Channel, letter: Letter, target: Target, timeout_seconds: float) -> None:
    """Deliver within a time. Raises Failure, whatever goes wrong."""
    try:
        async with asyncio.timeout(timeout_seconds):
            await channel.deliver(letter, target)
    except TimeoutError:
        raise Failure(f"no answer within {timeout_seconds:g} seconds") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        # Not its text: it may name what only the server should know.
        logger.debug("a delivery failed: %s", type(error).__name__)
        raise Failure(_WORDS.get(type(error), "the connection failed")) from None


_WORDS: dict[type[BaseException], str] = {
    httpx.ConnectError: "no connection could be made",
    httpx.InvalidURL: "the URL cannot be used",
    httpx.RemoteProtocolError: "the answer was not HTTP, or was cut off",
}


@cache
def usual_authorities() -> ssl.SSLContext:
    """Whom everybody trusts. Reading them takes as long as starting all the rest of a server."""
    return httpx.create_ssl_context(trust_env=False)


def client(trust: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """Connections to the outside: nothing of the environment, no redirects, no cookies, none of them kept.

    A kept one could serve another name at the same number, to which its certificate does not belong. There
    is no timeout: `deliver` has one for all of it.
    """
    return httpx.AsyncClient(
        verify=trust or usual_authorities(),
        trust_env=False,
        follow_redirects=False,
        timeout=None,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        limits=httpx.Limits(max_keepalive_connections=0),
    )


async def read(response: httpx.Response) -> bytes:
    """The beginning of an answer, as it came."""
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= MAX_RESPONSE:
            break
    return body[:MAX_RESPONSE]


def dump(content: dict[str, object]) -> bytes:
    """JSON as it is sent."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
