"""How the connection does: is it up, and how far away is the server."""

import asyncio
import time
from collections.abc import Callable
from typing import Literal

import grpc

from bearpit.client.errors import BearpitError
from bearpit.client.timing import Timing

State = Literal["connecting", "live", "lost"]
_HEALTH = "/grpc.health.v1.Health/Check"


class Connection:
    """The state of a client's connection, watched in the background; it reconnects by itself.

    `state` is "connecting" until the first success, then "live" or "lost". `latency_ms` is the last
    round trip, measured while somebody subscribes; None before the first, and while lost.
    """

    def __init__(self, channel: grpc.aio.Channel, timing: Timing) -> None:
        self.state: State = "connecting"
        self.latency_ms: float | None = None
        self._channel = channel
        self._timing = timing
        self._ping: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_HEALTH)
        self._subscribers: dict[object, Callable[[Connection], None]] = {}
        loop = asyncio.get_running_loop()
        self._watch = loop.create_task(self._watch_channel())
        self._pinging: asyncio.Task[None] | None = None

    def subscribe(self, callback: Callable[["Connection"], None]) -> Callable[[], None]:
        """Call back at each change of state or latency; the returned function ends that."""
        key = object()
        self._subscribers[key] = callback
        if self._pinging is None:
            self._pinging = asyncio.get_running_loop().create_task(self._measure())

        def unsubscribe() -> None:
            self._subscribers.pop(key, None)
            if not self._subscribers and self._pinging is not None:
                self._pinging.cancel()
                self._pinging = None

        return unsubscribe

    async def close(self) -> None:
        """Stop watching."""
        self._subscribers.clear()
        tasks = [task for task in (self._watch, self._pinging) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _watch_channel(self) -> None:
        while True:
            # Asking wakes a channel that has gone idle, and one whose server went away.
            seen = self._channel.get_state(try_to_connect=True)
            if seen is grpc.ChannelConnectivity.READY:
                self._become("live")
            elif seen is grpc.ChannelConnectivity.TRANSIENT_FAILURE or (
                self.state == "live" and seen is grpc.ChannelConnectivity.CONNECTING
            ):
                self._become("lost")
            await self._channel.wait_for_state_change(seen)

    async def _measure(self) -> None:
        while True:
            began = time.perf_counter()
            try:
                await self._ping(b"", timeout=self._timing.deadline)
            except BearpitError as error:
                # A server that refuses the ping is there all the same.
                if error.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    self._become("lost")
            else:
                self._become("live", (time.perf_counter() - began) * 1000)
            await asyncio.sleep(self._timing.ping)

    def _become(self, state: State, latency_ms: float | None = None) -> None:
        if state == self.state and latency_ms is None:
            return
        self.state = state
        self.latency_ms = latency_ms
        for callback in list(self._subscribers.values()):
            callback(self)
