"""Books: the best levels of an instrument, then those that changed; one reading a tick for all who watch."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Generic

from bearpit_server.events.records import QuoteRecord
from bearpit_server.streams.latest import Latest, Refresh, Topic
from bearpit_server.streams.subscription import Encode, F, OpenStreams, heartbeat, snapshot, update

Level = tuple[int, int, int]
"""A price in cents, the shares there, and how many orders they are. In an update 0 shares: gone."""
Levels = tuple[Level, ...]
ReadDepth = Callable[[int, int], Awaitable[tuple[Sequence[Level], Sequence[Level], int]]]
"""Bids, asks and the last price of an instrument, so many levels a side; the exchange's `depth`."""


@dataclass(frozen=True, slots=True)
class Depth:
    """The best levels of a book, best first; in an update those that changed, in no order."""

    symbol: str
    bids: Levels
    asks: Levels
    last_cents: int

    def top(self, levels: int) -> "Depth":
        """The best so many."""
        return Depth(self.symbol, self.bids[:levels], self.asks[:levels], self.last_cents)

    def since(self, old: "Depth") -> "Depth":
        """What must be told to whom `old` was shown."""
        bids, asks = _changed(old.bids, self.bids), _changed(old.asks, self.asks)
        return Depth(self.symbol, bids, asks, self.last_cents)


def _changed(old: Levels, new: Levels) -> Levels:
    prices = {price for price, _, _ in new}
    known = set(old)
    gone = tuple((price, 0, 0) for price, _, _ in old if price not in prices)
    return gone + tuple(level for level in new if level not in known)


class BookHub(Generic[F]):
    """Feeds subscribers of books. A book is read only while somebody watches it, and when it changed."""

    def __init__(self, read: ReadDepth, encode: Encode[Depth, F], open_streams: OpenStreams) -> None:
        self.read = read
        self.encode = encode
        self.open_streams = open_streams
        self._books: dict[int, _Book[F]] = {}

    def feed(self, records: Sequence[QuoteRecord]) -> None:
        """Hear of changes: a quote tells that its book is another one now, at whichever level."""
        for record in records:
            book = self._books.get(record.instrument_id)
            if book is not None:
                book.refresh.touch()

    def subscribe(self, instrument_id: int, symbol: str, levels: int) -> Latest[Depth | None, F]:
        """Subscribe to the best levels of a book. Raises Refused NOT_READY when the server is stopping."""
        book = self._books.get(instrument_id) or _Book(self, instrument_id, symbol)
        topic = book.topics.get(levels) or _Levels(book, levels)
        subscription = Latest(topic, self.open_streams)
        self._books[instrument_id] = book
        if levels not in book.topics:
            book.topics[levels] = topic
            book.refresh.touch()
        return subscription

    def drop(self, instrument_id: int) -> None:
        """Nobody watches that book any more."""
        del self._books[instrument_id]


class _Book(Generic[F]):
    """One instrument's book while somebody watches it."""

    def __init__(self, hub: BookHub[F], instrument_id: int, symbol: str) -> None:
        self.hub = hub
        self.numbers = count(1)
        self.topics: dict[int, _Levels[F]] = {}
        self.refresh = Refresh(self._read, self._fail, hub.open_streams.timers)
        self._id = instrument_id
        self._symbol = symbol

    def drop(self, levels: int) -> None:
        """Nobody wants so many levels any more."""
        del self.topics[levels]
        if not self.topics:
            self.refresh.cancel()
            self.hub.drop(self._id)

    async def _read(self) -> None:
        wanted = max(self.topics)
        bids, asks, last_cents = await self.hub.read(self._id, wanted)
        depth = Depth(self._symbol, tuple(bids), tuple(asks), last_cents)
        for levels, topic in self.topics.items():
            # One that came meanwhile may want more levels than were read; it has touched the book.
            if levels <= wanted and topic.state != (top := depth.top(levels)):
                topic.show(top)
                topic.wake()

    def _fail(self, error: Exception) -> None:
        for topic in tuple(self.topics.values()):
            topic.fail(error)


class _Levels(Topic[Depth | None, F]):
    """So many levels of a book. Its state is None until the book has been read."""

    def __init__(self, book: _Book[F], levels: int) -> None:
        super().__init__(book.numbers, None, book.hub.open_streams.timers)
        self._book = book
        self._levels = levels

    @property
    def is_known(self) -> bool:
        return self.state is not None

    def left(self) -> None:
        self._book.drop(self._levels)

    def _encode_snapshot(self, number: int) -> F:
        assert self.state is not None, "what is shown is known"
        return self._book.hub.encode(snapshot(number, self.state))

    def _encode_update(self, number: int, seen: int, state: Depth | None) -> F:
        assert self.state is not None and state is not None, "what was shown is known"
        return self._book.hub.encode(update(number, self.state.since(state)))

    def _encode_heartbeat(self, number: int) -> F:
        return self._book.hub.encode(heartbeat(number))
