"""From the server's streams to one frozen state, published at most ten times a second.

All streams are read in one task group; each frame makes the next state by a pure function; the screen
hears of it only when something changed, and only of the latest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

import grpc
from bearpit.client import BearpitError
from bearpit_tui import duels as duelling
from bearpit_tui import state as states
from bearpit_tui.duels import Duel, Duels
from bearpit_tui.failures import answer_lost, error_words
from bearpit_tui.gateway import BookFrame, Gateway, OrdersFrame, Placed, PricesFrame, TicksFrame, WalletFrame
from bearpit_tui.inbox import TOASTED, Kind
from bearpit_tui.inbox import Frame as LettersFrame
from bearpit_tui.model import Fill, Link, LinkState, Order, Phase, Status, Tick, Timeframe
from bearpit_tui.notices import Notice, Tone, ended_notice, fill_notice, phase_notice, window_notices
from bearpit_tui.state import State
from bearpit_tui.windows import Windows

A = TypeVar("A")
F = TypeVar("F")

FRAME_SECONDS = 0.1
"""Between two repaints of the market."""

SETTLE_SECONDS = 0.08
"""So long an instrument stays chosen before its streams are opened: a held arrow key opens none."""

RETRY_SECONDS = 2.0
"""Before something that failed for no reason of the connection's is tried again."""

SIGNED_OUT = frozenset({"NOT_SIGNED_IN", "TOKEN_REUSED", "PLAYER_DISABLED"})
"""Reasons that no trying again cures: the player has to sign in."""

BARS = 400
RECENT_BARS = 3
SPARK_BARS = 24
SPARKED_INSTRUMENTS = 200
"""As many get a sparkline with a past; the others grow theirs."""

Publish = Callable[[State, tuple[Notice, ...]], None]


class Feed:
    """Reads everything one signed-in player sees. `state` is always the latest."""

    def __init__(
        self,
        gateway: Gateway,
        state: State,
        publish: Publish,
        *,
        clock: Callable[[], datetime],
        frame_seconds: float = FRAME_SECONDS,
        settle_seconds: float = SETTLE_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self.gateway = gateway
        self.state = state
        self._publish = publish
        self._clock = clock
        self._frame_seconds = frame_seconds
        self._settle_seconds = settle_seconds
        self._retry_seconds = retry_seconds
        self._notices: list[Notice] = []
        self._expected: set[str] = set()
        self._told: set[int] = set()
        self._ended: set[int] = set()
        self._changed = asyncio.Event()
        self._chosen = asyncio.Event()
        self._reload = asyncio.Event()
        self._renew_me = asyncio.Event()
        self._announced = asyncio.Event()
        self._marked = asyncio.Event()
        self._read_up_to = 0
        self._connected = asyncio.Event()

    # What the screen asks for -------------------------------------------------------------------------

    def select(self, symbol: str) -> None:
        """Choose an instrument: its book, trades and candles follow."""
        if symbol in self.state.instruments and symbol != self.state.selected:
            self._become(states.select(self.state, symbol))
            self._chosen.set()

    def set_timeframe(self, timeframe: Timeframe) -> None:
        """Choose the length of the candles."""
        self._become(states.with_timeframe(self.state, timeframe))
        self._chosen.set()

    def expect(self, request_id: str) -> None:
        """An order is being sent: its answer will tell of its first fills, the stream need not."""
        self._expected.add(request_id)

    def take_placed(self, request_id: str, placed: Placed | None) -> None:
        """The answer to that order; None: it was refused."""
        self._expected.discard(request_id)
        if placed is not None:
            self._told.update(fill.trade_id for fill in placed.fills)
            if not placed.order.open:
                self._ended.add(placed.order.order_id)
            self.take_orders(placed.order)

    def take_orders(self, *orders: Order) -> None:
        """Orders from the answer of a call: the stream tells of them too, but perhaps later."""
        self._become(states.with_orders(self.state, orders))

    def take_duel(self, duel: Duel) -> None:
        """A duel from the answer of a call."""
        self._on_duels(states.with_duel(self.state, duel).duels)

    def mark_read(self, up_to: int) -> None:
        """Have all notifications up to a number marked as read, as soon as the server can be reached."""
        self._read_up_to = max(up_to, self._read_up_to)
        self._marked.set()

    async def connected(self) -> None:
        """Wait until the server can be reached."""
        await self._connected.wait()

    # Reading ------------------------------------------------------------------------------------------

    async def run(self, enter: Callable[[], Awaitable[None]] | None = None) -> None:
        """Sign in by `enter`, unless that has been done, and read until cancelled.

        Raises BearpitError, in a group, when the sign-in is void.
        """
        unwatch = self.gateway.watch_link(self._on_link)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._publishing())
                if enter is not None:
                    await enter()
                    self._become(replace(self.state, player=self.gateway.player))
                group.create_task(self._introducing())
                group.create_task(self._listing())
                group.create_task(self._following())
                group.create_task(self._read(self.gateway.stream_prices, self._on_prices))
                group.create_task(self._read(self.gateway.stream_status, self._on_status))
                group.create_task(self._read(self.gateway.stream_windows, self._on_windows))
                group.create_task(self._read(self.gateway.stream_wallet, self._on_wallet))
                group.create_task(self._ordering())
                group.create_task(self._corresponding())
                group.create_task(self._read(self.gateway.duels.follow, self._on_duels))
        finally:
            unwatch()

    async def _publishing(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            notices, self._notices = tuple(self._notices), []
            self._publish(self.state, notices)
            await asyncio.sleep(self._frame_seconds)

    async def _read(self, follow: Callable[[], AsyncGenerator[F, None]], take: Callable[[F], None]) -> None:
        """Follow a stream. The client sees to absences; what else goes wrong is told, and tried again."""
        while True:
            try:
                async with aclosing(follow()) as frames:
                    async for frame in frames:
                        take(frame)
                return
            except BearpitError as error:
                if error.code is grpc.StatusCode.UNIMPLEMENTED:
                    return  # an older server; what it does not know is not shown
                await self._pause_after(error)
                self._tell(Notice(error_words(error), Tone.WARNING))

    async def _introducing(self) -> None:
        """Who is playing, again after each absence: what one may do may have changed."""
        while True:
            self._renew_me.clear()
            me = await self._asked(self.gateway.me)
            if me is not None:
                self._become(replace(self.state, me=me))
            await self._renew_me.wait()

    async def _listing(self) -> None:
        """The list of instruments, again whenever it may have changed; then the sparklines' past."""
        sparked: set[str] = set()
        while True:
            self._reload.clear()
            await self._connected.wait()
            try:
                instruments, quotes = await self.gateway.instruments()
            except BearpitError as error:
                await self._pause_after(error)
                self._reload.set()
            else:
                before = self.state.selected
                self._become(states.with_instruments(self.state, instruments, quotes))
                if self.state.selected != before:
                    self._chosen.set()
                await self._spark(sparked)
            await self._reload.wait()

    async def _spark(self, done: set[str]) -> None:
        for symbol in [one for one in self.state.instruments if one not in done][:SPARKED_INSTRUMENTS]:
            if self._reload.is_set():
                return
            try:
                bars = await self.gateway.bars(symbol, Timeframe.M1, SPARK_BARS)
            except BearpitError:
                return  # a sparkline without a past is no loss worth a word
            done.add(symbol)
            self._become(states.with_history(self.state, symbol, bars))

    async def _following(self) -> None:
        """Book, trades and candles of the chosen instrument; begun anew with each choice."""
        while True:
            await self._chosen.wait()
            self._chosen.clear()
            await asyncio.sleep(self._settle_seconds)
            if self._chosen.is_set() or not self.state.selected:
                continue
            symbol, timeframe = self.state.selected, self.state.chart.timeframe
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._read(partial(self.gateway.stream_book, symbol), self._on_book)),
                    group.create_task(self._charting(symbol, timeframe)),
                ]
                await self._chosen.wait()
                for task in tasks:
                    task.cancel()

    async def _charting(self, symbol: str, timeframe: Timeframe) -> None:
        """Candles once, then carried on by trades; once more when a candle ends or trades were missed.

        Trades that come while the list is on its way are counted on top of it: the last candle's volume
        may hold some of them twice until the list is fetched again, but its prices are never behind.
        """
        stale = asyncio.Event()
        meanwhile: list[Tick] = []
        wanted = BARS

        def on_ticks(frame: TicksFrame) -> None:
            nonlocal wanted
            self._become(states.with_tape(self.state, frame.ticks, whole=frame.whole))
            if any(tick.reversed for tick in frame.ticks):
                wanted = BARS  # what is taken back may be long ago
                stale.set()
            if frame.whole:
                stale.set()
                return
            meanwhile.extend(frame.ticks)
            last = self.state.chart.bars[-1:]
            self._become(states.with_ticks(self.state, frame.ticks))
            if last and self.state.chart.bars[-1].start != last[0].start:
                stale.set()

        stale.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(partial(self.gateway.stream_ticks, symbol), on_ticks))
            while True:
                await stale.wait()
                stale.clear()
                meanwhile.clear()
                limit, wanted = wanted if self.state.chart.loaded else BARS, RECENT_BARS
                try:
                    bars = await self.gateway.bars(symbol, timeframe, limit)
                except BearpitError as error:
                    await self._pause_after(error)
                    stale.set()
                else:
                    state = states.with_bars(self.state, symbol, timeframe, bars)
                    self._become(states.with_ticks(state, meanwhile))

    async def _corresponding(self) -> None:
        """What happened while away, once; then the inbox as it fills."""
        letters = self.gateway.letters
        away = await self._asked(letters.catch_up)
        if away is not None:
            self._become(replace(self.state, away=away))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(letters.follow, self._on_letters))
            group.create_task(self._marking())
            while True:
                self._announced.clear()
                told = await self._asked(letters.announced)
                if told is not None and tuple(told) != self.state.told_us:
                    self._become(replace(self.state, told_us=tuple(told)))
                await self._announced.wait()

    async def _marking(self) -> None:
        while True:
            await self._marked.wait()
            self._marked.clear()
            up_to = self._read_up_to
            mark = partial(self.gateway.letters.read, up_to, self.gateway.new_request_id())
            unread = await self._asked(mark)
            if unread is not None:
                self._become(replace(self.state, inbox=self.state.inbox.with_read(up_to, unread)))

    async def _asked(self, ask: Callable[[], Awaitable[A]]) -> A | None:
        """The answer of a call, however long it takes; None: the server does not know it, or refuses it."""
        while True:
            await self._connected.wait()
            try:
                return await ask()
            except BearpitError as error:
                if not (answer_lost(error) or error.retry_after_seconds or error.reason in SIGNED_OUT):
                    return None
                await self._pause_after(error)

    async def _ordering(self) -> None:
        async with asyncio.TaskGroup() as group:
            renew = asyncio.Event()
            group.create_task(self._past_orders(renew))

            def take(frame: OrdersFrame) -> None:
                if frame.whole:
                    self._become(states.with_open_orders(self.state, frame.orders))
                    renew.set()
                else:
                    fills = (frame.fill,) if frame.fill is not None else ()
                    self._become(states.with_fills(states.with_orders(self.state, frame.orders), fills))
                    for order in frame.orders:
                        self._on_order(order, frame.fill)

            await self._read(self.gateway.stream_orders, take)

    async def _past_orders(self, renew: asyncio.Event) -> None:
        """A snapshot holds open orders only; what has ended comes from the list."""
        while True:
            await renew.wait()
            renew.clear()
            try:
                orders, fills = await self.gateway.orders(), await self.gateway.fills()
            except BearpitError as error:
                await self._pause_after(error)
                renew.set()
            else:
                # Only now: what the state was before the wait is long outdated.
                self._become(states.with_fills(states.with_orders(self.state, orders), fills))

    async def _pause_after(self, error: BearpitError) -> None:
        if error.reason in SIGNED_OUT:
            raise error
        await asyncio.sleep(max(self._retry_seconds, error.retry_after_seconds))

    # What the frames bring ----------------------------------------------------------------------------

    def _on_link(self, link: Link) -> None:
        lost_before = self.state.link.state is LinkState.LOST
        self._become(states.with_link(self.state, link))
        if link.state is LinkState.LIVE:
            self._connected.set()
            if lost_before:
                self._reload.set()
                self._renew_me.set()
                self._chosen.set()
        else:
            self._connected.clear()

    def _on_prices(self, frame: PricesFrame) -> None:
        known, listed = self.state.quotes, bool(self.state.instruments)
        state = states.with_server_time(self.state, frame.server_time, self._clock())
        state = states.with_marks(state, frame.quotes)
        self._become(states.with_quotes(state, frame.quotes, frame.server_time))
        if listed and any(quote.symbol not in known for quote in frame.quotes):
            self._reload.set()

    def _on_book(self, frame: BookFrame) -> None:
        take = states.with_book if frame.whole else states.with_levels
        self._become(take(self.state, frame.book))

    def _on_status(self, status: Status) -> None:
        before = self.state.status.phase
        self._become(replace(self.state, status=status))
        if before not in (Phase.UNKNOWN, status.phase):
            self._tell(phase_notice(status.phase))

    def _on_windows(self, windows: Windows) -> None:
        before = self.state.windows
        self._become(replace(self.state, windows=windows))
        for notice in window_notices(before, windows):
            self._tell(notice)

    def _on_letters(self, frame: LettersFrame) -> None:
        inbox = self.state.inbox
        if frame.whole is not None:
            whole = frame.whole
            inbox = inbox.with_snapshot(whole.unread, whole.read_up_to, whole.latest)
            self._announced.set()
        for one in frame.new:
            inbox = inbox.with_new(one)
            if one.kind is Kind.ANNOUNCEMENT:
                self._announced.set()
            elif one.kind in TOASTED and not one.read:
                aside = one.kind in (Kind.RANK, Kind.BADGE)
                self._tell(Notice(one.title, Tone.WARNING if one.urgent else Tone.GOOD, aside))
            if one.kind is Kind.SYSTEM:
                self._renew_me.set()
        self._become(replace(self.state, inbox=inbox))

    def _on_duels(self, duels: Duels) -> None:
        before = self.state.duels
        if duels == before:
            return
        self._become(replace(self.state, duels=duels))
        tones = {"good": Tone.GOOD, "ask": Tone.WARNING, "bad": Tone.BAD}
        for words, how in duelling.news(before, duels, self.state.player):
            self._tell(Notice(words, tones[how]))

    def _on_wallet(self, frame: WalletFrame) -> None:
        take = states.with_wallet if frame.whole else states.with_wallet_change
        self._become(take(self.state, frame.wallet))

    def _on_order(self, order: Order, fill: Fill | None) -> None:
        if order.request_id in self._expected:
            return
        if fill is not None and (fill.reversed or fill.trade_id not in self._told):
            self._tell(fill_notice(fill, order))
        elif order.end_reason and not order.open and order.order_id not in self._ended:
            self._tell(ended_notice(order))

    def _tell(self, notice: Notice) -> None:
        self._notices.append(notice)
        self._changed.set()

    def _become(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self._changed.set()
