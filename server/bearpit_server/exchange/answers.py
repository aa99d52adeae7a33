"""Answers from the writers' threads to coroutines: one wake-up of the event loop for a whole batch."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Answer(Generic[T]):
    """What a coroutine awaits and a writer gives, once."""

    __slots__ = ("_future", "result")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._future: asyncio.Future[T] = loop.create_future()
        self.result: T | Exception | None = None

    def deliver(self) -> None:
        """Wake the coroutine; on the event loop."""
        if self._future.done():  # the caller went away
            return
        if isinstance(self.result, Exception):
            self._future.set_exception(self.result)
            self._future.exception()  # nobody may be left to fetch it
        else:
            self._future.set_result(self.result)  # type: ignore[arg-type]

    async def wait(self) -> T:
        """The result, or the exception that was given instead."""
        return await self._future


class Answers:
    """Collects a batch's answers and delivers them together, after its commit."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ready: list[Answer[object]] = []

    def give(self, answer: Answer[T], result: T | Exception) -> None:
        """Answer when the batch is delivered."""
        answer.result = result
        self._ready.append(answer)  # type: ignore[arg-type]

    def deliver(self) -> None:
        """Wake everyone who was answered."""
        ready, self._ready = self._ready, []
        if ready and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_deliver, ready)


def _deliver(ready: list[Answer[object]]) -> None:
    for answer in ready:
        answer.deliver()
