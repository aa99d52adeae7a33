"""What every kind of channel is: one way to deliver one letter."""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

TEST = "TEST"
"""The kind of a letter that no notification is behind."""


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


def dump(content: dict[str, object]) -> bytes:
    """JSON as it is sent."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
