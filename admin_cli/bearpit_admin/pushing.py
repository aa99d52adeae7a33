"""Prices from lines of text to the server, as they come."""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING, TextIO

import typer

from bearpit_admin import wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.money import parse_price
from bearpit_admin.times import parse_moment, timestamp

if TYPE_CHECKING:
    from bearpit.client import Client

AHEAD = 100
"""Lines that are read before they can be sent."""
UNREADABLE = "UNREADABLE"
"""Our own reason, for a line that is no price."""
MOST_MESSAGES = 20


class Push:
    """One stream of prices, from a file or from standard input (`-`)."""

    def __init__(self, file: str) -> None:
        self._source = _opened(file)
        self._lines: asyncio.Queue[str | None] = asyncio.Queue(AHEAD)
        self._ended = False
        self._unreadable = 0
        self._messages: list[str] = []
        self._stamp_ns = 0

    async def stream(self, client: "Client") -> "wire.pricing.PushPricesResponse":
        """Send all there is; ctrl+c ends the input, not the call. Raises BearpitError."""
        # A sign-in that has ended shows here, before any line is read: what is read cannot be read again.
        await client.auth.GetMe(wire.auth.GetMeRequest())
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(SIGINT, self._end, loop)
        threading.Thread(target=self._read, args=(loop,), daemon=True).start()
        try:
            outcome = await client.push_prices(self._prices())
        finally:
            self._end(loop)
        if self._unreadable:
            outcome.refused[UNREADABLE] += self._unreadable
            outcome.messages.extend(self._messages)
        return outcome

    async def _prices(self) -> "AsyncIterator[wire.pricing.PushPricesRequest]":
        number = 0
        while not self._ended and (line := await self._lines.get()) is not None:
            number += 1
            if not line.strip():
                continue
            try:
                price = self._price(line)
            except typer.BadParameter as error:
                self._unreadable += 1
                if len(self._messages) < MOST_MESSAGES:
                    self._messages.append(f"line {number}: {error.message}")
                continue
            yield price

    def _price(self, line: str) -> "wire.pricing.PushPricesRequest":
        words = line.split(None, 2)
        if len(words) < 2:
            raise typer.BadParameter(f"{line.strip()!r} is no price; write it like ACME 12.40")
        made = wire.pricing.PushPricesRequest(symbol=words[0].upper(), price_cents=parse_price(words[1]))
        if len(words) > 2:
            made.at.CopyFrom(timestamp(parse_moment(words[2].strip())))
        else:
            made.at.FromNanoseconds(self._now_ns())
        return made

    def _now_ns(self) -> int:
        """The time, later by a microsecond than the last: two prices cannot be of the same moment."""
        self._stamp_ns = max(time.time_ns(), self._stamp_ns + 1_000)
        return self._stamp_ns

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand the lines over, from a thread of its own: reading waits as long as it likes."""
        with suppress(RuntimeError, CancelledError), self._source as lines:  # nobody listens any more
            for line in lines:
                if self._ended:
                    return
                asyncio.run_coroutine_threadsafe(self._lines.put(line), loop).result()
            asyncio.run_coroutine_threadsafe(self._lines.put(None), loop).result()

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        """End the input; the next ctrl+c is an ordinary one."""
        self._ended = True
        loop.remove_signal_handler(SIGINT)
        while not self._lines.empty():  # whoever waits for room need not any longer
            self._lines.get_nowait()
        self._lines.put_nowait(None)


def _opened(file: str) -> AbstractContextManager[TextIO]:
    """The lines. Raises Failure USAGE when there are none to be had."""
    if file != "-":
        try:
            return Path(file).open(encoding="utf-8-sig")
        except OSError as error:
            raise Failure(f"{file} cannot be read: {error.strerror}.", Exit.USAGE) from None
    try:
        # One of our own: the interpreter's may be in use by our thread when it ends.
        return open(sys.stdin.fileno(), encoding="utf-8", errors="replace", closefd=False)
    except OSError:
        return nullcontext(sys.stdin)
