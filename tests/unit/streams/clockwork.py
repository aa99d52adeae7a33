"""An event loop's timers with hands that a test turns, and eyes for what a subscription does."""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import TypeVar

from bearpit_server.streams.subscription import Subscription

F = TypeVar("F")


class _Timer:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clockwork:
    """Time stands still until `pass_time` lets some of it pass."""

    def __init__(self) -> None:
        self._time = 86_307.318_41
        self._numbers = count()
        self._waiting: list[tuple[float, int, _Timer, Callable[[], object]]] = []

    @property
    def armed(self) -> int:
        """Timers that will fire."""
        return sum(not timer.cancelled for _, _, timer, _ in self._waiting)

    def time(self) -> float:
        return self._time

    def call_at(self, when: float, callback: Callable[[], object], /) -> _Timer:
        timer = _Timer()
        heappush(self._waiting, (when, next(self._numbers), timer, callback))
        return timer

    def call_soon(self, callback: Callable[[], object], /) -> _Timer:
        return self.call_at(self._time, callback)

    def pass_time(self, seconds: float) -> None:
        """Fire what falls due, in order."""
        until = self._time + seconds
        while self._waiting and self._waiting[0][0] <= until:
            when, _, timer, callback = heappop(self._waiting)
            self._time = max(self._time, when)
            if not timer.cancelled:
                callback()
        self._time = until


async def settle() -> None:
    """Let every task go on until it waits for something that does not come by itself."""
    for _ in range(20):
        await asyncio.sleep(0)


async def arrived(subscription: Subscription[F]) -> list[F]:
    """All frames that can be had now."""
    frames: list[F] = []
    while True:
        task = asyncio.ensure_future(subscription.next())
        await settle()
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
            return frames
        frames.append(task.result())
