"""Trades: every public trade of an instrument, once and in order, from any number not too far back."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Generic

import peewee as pw

from bearpit_server.events.records import TradeRecord
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Instrument, Reversal, Trade
from bearpit_server.streams.feed import FARTHEST, PAGE, Feed, Follower, Numbered, too_old
from bearpit_server.streams.subscription import Encode, F, OpenStreams, heartbeat, snapshot, update

MEMORY = 1_000
"""Trades that are remembered for each instrument that somebody follows."""
FIRST = 100
"""Trades in a snapshot."""


class TradeHub(Generic[F]):
    """Feeds those who follow an instrument's trades.

    Numbers are the trades' ids. They rise, with holes: one writer at a time commits an instrument's
    trades, in the order of their ids, and the bus keeps that order.
    """

    def __init__(
        self, database: Database, encode: Encode[Sequence[TradeRecord], F], open_streams: OpenStreams
    ) -> None:
        self.database = database
        self.encode = encode
        self._open_streams = open_streams
        self._feeds: dict[int, _TradeFeed[F]] = {}

    def feed(self, records: Sequence[TradeRecord]) -> None:
        """Take trades in: from the bus, or from another process."""
        if not self._feeds:
            return
        by_instrument: dict[int, list[TradeRecord]] = {}
        for record in records:
            by_instrument.setdefault(record.instrument_id, []).append(record)
        for instrument_id, trades in by_instrument.items():
            feed = self._feeds.get(instrument_id)
            if feed is not None:
                feed.hear(trades)

    def subscribe(self, instrument_id: int, after: int) -> Follower[F]:
        """Follow an instrument's trades after an id; 0: from a snapshot of the latest.

        Raises Refused NOT_READY when the server is stopping; `next` raises RESUME_TOO_OLD.
        """
        feed = self._feeds.get(instrument_id) or _TradeFeed(self, instrument_id)
        follower = Follower(feed, after, self._open_streams)
        self._feeds[instrument_id] = feed
        return follower

    def drop(self, instrument_id: int) -> None:
        """Nobody follows that instrument any more."""
        del self._feeds[instrument_id]


class _TradeFeed(Feed[F]):
    """One instrument's trades while somebody follows them."""

    def __init__(self, hub: TradeHub[F], instrument_id: int) -> None:
        super().__init__()
        self._hub = hub
        self._id = instrument_id
        self._memory: deque[TradeRecord] = deque(maxlen=MEMORY)
        self._floor: int | None = None
        """All trades above this id are in memory; None until the database has been asked."""
        self._early: list[TradeRecord] = []

    @property
    def last(self) -> int:
        """The id of the latest trade; 0: there is none."""
        return self._memory[-1].trade_id if self._memory else 0

    def hear(self, trades: Sequence[TradeRecord]) -> None:
        """Take trades in, in order; some may be known already, and some told again as they are reversed."""
        if self._floor is None:
            self._early.extend(trades)
            return
        self._mark({trade.trade_id for trade in trades if trade.reversed})
        trades = [trade for trade in trades if trade.trade_id > self.last and not trade.reversed]
        if not trades:
            return
        self._remember(trades)
        first, last = trades[0].trade_id, trades[-1].trade_id
        frame = self._update(trades)
        for follower in tuple(self.followers):
            if follower.position < first:
                follower.put(last, frame)
            elif follower.position < last:
                follower.put(last, self._update([t for t in trades if t.trade_id > follower.position]))

    async def open(self, after: int) -> tuple[int, Sequence[Numbered[F]]]:
        await self._begin()
        if not after:
            first = list(self._memory)[-FIRST:]
            return self.last, [(self.last, self._hub.encode(snapshot(self.last, first)))]
        if after > self.last or self.since(after) is None:
            reaches = await self._hub.database.run(_reaches, self._id, after)
            if not reaches:
                raise too_old(after)
        return after, []

    def since(self, after: int) -> Sequence[Numbered[F]] | None:
        if self._floor is None or after < self._floor:
            return None
        trades = [trade for trade in self._memory if trade.trade_id > after]
        return [(self.last, self._update(trades))] if trades else []

    async def read(self, after: int) -> tuple[Sequence[Numbered[F]], bool]:
        trades = await self._hub.database.run(_after, self._id, after)
        frames = [(trades[-1].trade_id, self._update(trades))] if trades else []
        return frames, len(trades) < PAGE

    def heartbeat(self, number: int) -> F:
        return self._hub.encode(heartbeat(number))

    def left(self) -> None:
        self._hub.drop(self._id)

    async def _begin(self) -> None:
        if self._floor is not None:
            return
        latest = await self._hub.database.run(newest, MEMORY, None, self._id)
        if self._floor is None:
            self._floor = latest[-1].trade_id - 1 if len(latest) == MEMORY else 0
            self._remember(latest[::-1])
            early, self._early = self._early, []
            self.hear(early)

    def _mark(self, reversed_ids: set[int]) -> None:
        """Let those who come from now on see what is reversed."""
        if reversed_ids:
            marked = (replace(t, reversed=t.reversed or t.trade_id in reversed_ids) for t in self._memory)
            self._memory = deque(marked, maxlen=MEMORY)

    def _remember(self, trades: Sequence[TradeRecord]) -> None:
        for trade in trades:
            if len(self._memory) == MEMORY:
                self._floor = self._memory[0].trade_id
            self._memory.append(trade)

    def _update(self, trades: Sequence[TradeRecord]) -> F:
        return self._hub.encode(update(trades[-1].trade_id, trades))


_COLUMNS = (
    Trade.id, Trade.instrument_id, Instrument.symbol, Trade.price_cents, Trade.quantity, Trade.aggressor,
    Trade.executed_at, Reversal.reversed_at.is_null(False),
)  # fmt: skip


def newest(limit: int, before: int | None = None, instrument_id: int | None = None) -> list[TradeRecord]:
    """The latest trades, newest first, of one instrument or of all, those before an id; in a transaction."""
    query = (
        Trade.select(*_COLUMNS)
        .join(Instrument, on=(Instrument.id == Trade.instrument_id))
        .switch(Trade)
        .join(Reversal, pw.JOIN.LEFT_OUTER, on=(Reversal.trade_id == Trade.id))
        .order_by(Trade.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(Trade.id < before)
    if instrument_id is not None:
        query = query.where(Trade.instrument_id == instrument_id)
    return [TradeRecord(*row) for row in query.tuples()]


def _after(instrument_id: int, after: int) -> list[TradeRecord]:
    """The next trades of an instrument after an id, oldest first."""
    query = (
        Trade.select(*_COLUMNS)
        .join(Instrument, on=(Instrument.id == Trade.instrument_id))
        .switch(Trade)
        .join(Reversal, pw.JOIN.LEFT_OUTER, on=(Reversal.trade_id == Trade.id))
        .where(Trade.instrument_id == instrument_id, Trade.id > after)
        .order_by(Trade.id)
        .limit(PAGE)
    )
    return [TradeRecord(*row) for row in query.tuples()]


def _reaches(instrument_id: int, after: int) -> bool:
    """Whether there is a trade at or above this id, and not too many above it."""
    above = (
        Trade.select(Trade.id)
        .where(Trade.instrument_id == instrument_id, Trade.id >= after)
        .limit(FARTHEST + 2)
    )
    return bool(0 < above.count() <= FARTHEST + 1)
