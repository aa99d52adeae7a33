"""Conflation: subscribers who only want the present, however fast it changes and however slowly they read."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from bearpit_server.streams.subscription import (
    Cancellable,
    F,
    F_co,
    OpenStreams,
    Subscription,
    Timers,
)

S = TypeVar("S")

TICK_SECONDS = 0.1
"""Ten frames a second to a subscriber, no more."""


class Topic(ABC, Generic[S, F]):
    """Something that is shown in its latest state, and in nothing between.

    `state` is what an update is measured from; it is kept for each subscriber, so it is small or shared.
    Frames take their numbers from one rising series, so that one frame can be sent to many subscribers.
    """

    def __init__(self, numbers: Iterator[int], state: S, timers: Timers) -> None:
        self.subscribers: set[Latest[S, F]] = set()
        self.state = state
        self.shown = next(numbers)
        self._numbers = numbers
        self._timers = timers
        self._snapshot: F | None = None
        self._snapshot_until = 0.0
        self._updates: dict[int, F] = {}

    def show(self, state: S, number: int | None = None) -> None:
        """Replace what is shown; wakes nobody."""
        self.state = state
        self.shown = next(self._numbers) if number is None else number
        self._snapshot = None
        self._updates.clear()

    def wake(self) -> None:
        """Let all subscribers look."""
        for subscription in self.subscribers:
            subscription.wake()

    def fail(self, error: Exception) -> None:
        """End all subscriptions with this."""
        for subscription in tuple(self.subscribers):
            subscription.fail(error)

    @property
    def is_known(self) -> bool:
        """Whether there is something to show yet."""
        return True

    def current(self) -> F:
        """A frame of all there is; made once for all who come at the same time."""
        time = self._timers.time()
        if self._snapshot is None or time >= self._snapshot_until:
            self._snapshot = self._encode_snapshot(next(self._numbers))
            self._snapshot_until = time + TICK_SECONDS
        return self._snapshot

    def since(self, seen: int, state: S) -> F:
        """A frame of what changed since a subscriber looked; made once for all who looked then."""
        frame = self._updates.get(seen)
        if frame is None:
            frame = self._updates[seen] = self._encode_update(self.shown, seen, state)
        return frame

    def heartbeat(self) -> F:
        """A frame that tells of no change."""
        return self._encode_heartbeat(next(self._numbers))

    @abstractmethod
    def left(self) -> None:
        """The last subscriber went."""

    @abstractmethod
    def _encode_snapshot(self, number: int) -> F: ...

    @abstractmethod
    def _encode_update(self, number: int, seen: int, state: S) -> F: ...

    @abstractmethod
    def _encode_heartbeat(self, number: int) -> F: ...


class Latest(Subscription[F_co], Generic[S, F_co]):
    """A subscriber to a topic. It queues nothing: a slow one skips to the present."""

    def __init__(self, topic: Topic[S, F_co], open_streams: OpenStreams) -> None:
        super().__init__(open_streams)
        self._topic = topic
        self._seen: tuple[int, S] | None = None
        topic.subscribers.add(self)

    def _take(self) -> F_co | None:
        topic = self._topic
        if self._seen is None:
            frame = topic.current() if topic.is_known else None
        elif self._seen[0] != topic.shown:
            frame = topic.since(*self._seen)
        else:
            return None
        if frame is not None:
            self._seen = (topic.shown, topic.state)
        return frame

    def _heartbeat(self) -> F_co:
        return self._topic.heartbeat()

    def _leave(self) -> None:
        if self in self._topic.subscribers:
            self._topic.subscribers.discard(self)
            if not self._topic.subscribers:
                self._topic.left()


class Refresh:
    """Reads something again after it was touched: one reading at a time, and at most one an interval."""

    def __init__(
        self,
        read: Callable[[], Awaitable[None]],
        failed: Callable[[Exception], None],
        timers: Timers,
        interval: float = TICK_SECONDS,
    ) -> None:
        self._read = read
        self._failed = failed
        self._timers = timers
        self._interval = interval
        self._touched = False
        self._due = 0.0
        self._timer: Cancellable | None = None
        self._reading: asyncio.Task[None] | None = None

    def touch(self) -> None:
        """Read it when its time comes."""
        self._touched = True
        if self._timer is None and self._reading is None:
            self._due = max(self._due + self._interval, self._timers.time())
            self._timer = self._timers.call_at(self._due, self._begin)

    def cancel(self) -> None:
        """Read it no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._reading is not None:
            self._reading.cancel()

    def _begin(self) -> None:
        self._timer = None
        self._touched = False
        self._reading = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        failure: Exception | None = None
        try:
            await self._read()
        except Exception as error:
            failure = error
        finally:
            self._reading = None
        if failure is not None:
            self._failed(failure)
        elif self._touched:
            self.touch()
