"""A subscriber's side of a stream: it waits for frames, hears a heartbeat when it is quiet, and ends."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, Never, Protocol, Self, TypeVar

from bearpit_server.rules.refusals import Refused
from bearpit_server.storage.clock import now

T_co = TypeVar("T_co", covariant=True)
C = TypeVar("C")
F = TypeVar("F")
F_co = TypeVar("F_co", covariant=True)

HEARTBEAT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Frame(Generic[T_co]):
    """One frame, before it is encoded for the wire. A heartbeat has no content."""

    kind: Literal["snapshot", "update", "heartbeat"]
    sequence: int
    at: datetime
    content: T_co | None = None


Encode = Callable[[Frame[C]], F]
"""How a frame becomes what is sent. It is called once a frame, however many subscribers share it."""


def snapshot(sequence: int, content: C) -> Frame[C]:
    """A frame that brings all there is."""
    return Frame("snapshot", sequence, now(), content)


def update(sequence: int, content: C) -> Frame[C]:
    """A frame that brings what changed."""
    return Frame("update", sequence, now(), content)


def heartbeat(sequence: int) -> Frame[Never]:
    """A frame that only tells that the stream is alive."""
    return Frame("heartbeat", sequence, now())


class Cancellable(Protocol):
    """What a timer returns."""

    def cancel(self) -> None: ...


class Timers(Protocol):
    """The part of the event loop that streams wait by; tests turn its hands themselves."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Cancellable: ...

    def call_soon(self, callback: Callable[[], object], /) -> Cancellable: ...


class Subscription(ABC, Generic[F_co]):
    """What one stream reads from. Use it as a context manager: leaving it ends the subscription."""

    def __init__(self, open_streams: "OpenStreams") -> None:
        self._open_streams = open_streams
        self._timers = open_streams.timers
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._quiet_since = self._timers.time()
        open_streams.add(self)
        self._beat = self._timers.call_at(self._quiet_since + HEARTBEAT_SECONDS, self._on_beat)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def next(self) -> F_co:
        """The next frame, as soon as there is one; a heartbeat after five seconds without.

        Raises what the stream was ended with, such as Refused SLOW_CONSUMER or NOT_READY.
        """
        while True:
            if self._failure is not None:
                raise self._failure
            frame = self._take()
            if frame is None and await self._fetch():
                continue
            if frame is None and self._timers.time() >= self._quiet_since + HEARTBEAT_SECONDS:
                frame = self._heartbeat()
            if frame is not None:
                self._quiet_since = self._timers.time()
                return frame
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def wake(self) -> None:
        """Let `next` look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def fail(self, error: Exception) -> None:
        """End the stream with this, at its next frame; what waits for it is dropped."""
        if self._failure is None:
            self._failure = error
            self.close()
            self.wake()

    def close(self) -> None:
        """Take nothing in any more; more than once is no harm."""
        self._beat.cancel()
        self._open_streams.discard(self)
        self._leave()

    def _on_beat(self) -> None:
        due = self._quiet_since + HEARTBEAT_SECONDS
        if self._timers.time() >= due:
            self.wake()
            due = self._timers.time() + HEARTBEAT_SECONDS
        self._beat = self._timers.call_at(due, self._on_beat)

    @abstractmethod
    def _take(self) -> F_co | None:
        """What waits to be sent, if anything does."""

    async def _fetch(self) -> bool:
        """Get more from where it is kept; False: all there is has been taken."""
        return False

    @abstractmethod
    def _heartbeat(self) -> F_co:
        """A sign of life."""

    @abstractmethod
    def _leave(self) -> None:
        """Be told nothing any more."""


class OpenStreams:
    """The streams that this process serves: counted, and ended together when it stops."""

    def __init__(self, timers: Timers) -> None:
        self.timers = timers
        self._open: set[Subscription[object]] = set()
        self._stopped = False

    def __len__(self) -> int:
        return len(self._open)

    def add(self, subscription: Subscription[object]) -> None:
        """Count a stream. Raises Refused NOT_READY once stopped."""
        if self._stopped:
            raise _stopping()
        self._open.add(subscription)

    def discard(self, subscription: Subscription[object]) -> None:
        """Count it no more."""
        self._open.discard(subscription)

    def stop(self) -> None:
        """End all streams with NOT_READY, so that their clients connect again, and take no more."""
        self._stopped = True
        for subscription in tuple(self._open):
            subscription.fail(_stopping())


def _stopping() -> Refused:
    return Refused("NOT_READY", "the server is stopping; connect again in a moment")
