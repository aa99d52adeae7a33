"""Books: a snapshot, then what changed; read no more often than needed."""

import asyncio
from collections.abc import Sequence

import pytest
from bearpit_server.events.records import QuoteRecord
from bearpit_server.rules.refusals import Refused
from bearpit_server.streams.books import BookHub, Depth, Level, Levels
from bearpit_server.streams.subscription import Frame, OpenStreams
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.streams.clockwork import Clockwork, arrived, settle

BookFrame = Frame[Depth]


class Exchange:
    """One book, a hub, its clock, and how often the book was read."""

    def __init__(self) -> None:
        self.bids: Levels = ((99, 10, 1), (98, 20, 2))
        self.asks: Levels = ((101, 5, 1),)
        self.last_cents = 100
        self.asked: list[tuple[int, int]] = []
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.clock = Clockwork()
        self.open_streams = OpenStreams(self.clock)
        self.hub: BookHub[BookFrame] = BookHub(self.depth, lambda frame: frame, self.open_streams)

    async def depth(self, instrument_id: int, levels: int) -> tuple[Sequence[Level], Sequence[Level], int]:
        self.asked.append((instrument_id, levels))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.bids[:levels], self.asks[:levels], self.last_cents

    async def change(self) -> None:
        """Tell that the book has changed, and wait for its tick."""
        self.hub.feed([QuoteRecord(1, "ABC")])
        self.clock.pass_time(0.1)
        await settle()


class Reader:
    """A client's copy of a book."""

    def __init__(self) -> None:
        self.bids: dict[int, tuple[int, int]] = {}
        self.asks: dict[int, tuple[int, int]] = {}
        self.last_cents = 0
        self.sequence = 0

    def apply(self, frame: BookFrame) -> None:
        assert frame.sequence > self.sequence
        self.sequence = frame.sequence
        if frame.content is None:
            return
        if frame.kind == "snapshot":
            self.bids, self.asks = {}, {}
        for side, levels in ((self.bids, frame.content.bids), (self.asks, frame.content.asks)):
            for price, quantity, orders in levels:
                if quantity:
                    side[price] = (quantity, orders)
                else:
                    assert side.pop(price, None) is not None, "only what was shown goes away"
        self.last_cents = frame.content.last_cents

    def depth(self) -> tuple[Levels, Levels, int]:
        bids = tuple((price, *rest) for price, rest in sorted(self.bids.items(), reverse=True))
        asks = tuple((price, *rest) for price, rest in sorted(self.asks.items()))
        return bids, asks, self.last_cents


async def test_the_first_frame_is_the_book() -> None:
    exchange = Exchange()
    with exchange.hub.subscribe(1, "ABC", 20) as frames:
        exchange.clock.pass_time(0)
        (first,) = await arrived(frames)
    assert first.kind == "snapshot"
    assert first.content == Depth("ABC", exchange.bids, exchange.asks, 100)
    assert exchange.asked == [(1, 20)]


async def test_an_update_carries_only_the_levels_that_changed() -> None:
    exchange = Exchange()
    with exchange.hub.subscribe(1, "ABC", 20) as frames:
        exchange.clock.pass_time(0)
        await arrived(frames)
        exchange.bids, exchange.last_cents = ((99, 10, 1), (97, 1, 1)), 99
        await exchange.change()
        (second,) = await arrived(frames)
    assert second.kind == "update"
    assert second.content == Depth("ABC", ((98, 0, 0), (97, 1, 1)), (), 99)


async def test_a_change_out_of_sight_is_no_frame() -> None:
    exchange = Exchange()
    with exchange.hub.subscribe(1, "ABC", 1) as frames:
        exchange.clock.pass_time(0)
        await arrived(frames)
        exchange.bids = ((99, 10, 1), (98, 21, 3))
        await exchange.change()
        assert await arrived(frames) == []


async def test_a_book_is_read_once_a_tick_for_all_who_watch_however_many_levels() -> None:
    exchange = Exchange()
    subscriptions = [exchange.hub.subscribe(1, "ABC", levels) for levels in (1, 2, 2, 10)]
    exchange.clock.pass_time(0)
    for subscription in subscriptions:
        await arrived(subscription)
    assert exchange.asked == [(1, 10)]
    for size in range(55):
        exchange.bids = ((99, 11 + size, 1),)
        exchange.hub.feed([QuoteRecord(1, "ABC")])
        exchange.clock.pass_time(0.01)
        await settle()
    assert len(exchange.asked) == 6
    frames = [await arrived(subscription) for subscription in subscriptions]
    assert [len(waiting) for waiting in frames] == [1, 1, 1, 1]
    assert frames[1][0] is frames[2][0]
    for subscription in subscriptions:
        subscription.close()


async def test_a_book_that_nobody_watches_is_not_read() -> None:
    exchange = Exchange()
    await exchange.change()
    exchange.hub.subscribe(1, "ABC", 5).close()
    await exchange.change()
    assert exchange.asked == []
    assert exchange.clock.armed == 0


async def test_a_change_while_the_book_is_being_read_is_read_as_well() -> None:
    exchange = Exchange()
    with exchange.hub.subscribe(1, "ABC", 5) as frames:
        exchange.gate.clear()
        exchange.clock.pass_time(0)
        await settle()
        exchange.hub.feed([QuoteRecord(1, "ABC")])
        exchange.gate.set()
        await settle()
        assert len(exchange.asked) == 1
        exchange.clock.pass_time(0.1)
        await settle()
        assert len(exchange.asked) == 2
        assert [frame.kind for frame in await arrived(frames)] == ["snapshot"]


async def test_who_wants_more_levels_than_were_read_waits_for_them() -> None:
    exchange = Exchange()
    with exchange.hub.subscribe(1, "ABC", 1) as shallow:
        exchange.clock.pass_time(0)
        await arrived(shallow)
        with exchange.hub.subscribe(1, "ABC", 2) as deep:
            assert await arrived(deep) == []
            exchange.clock.pass_time(0.1)
            (first,) = await arrived(deep)
            assert first.content == Depth("ABC", exchange.bids, exchange.asks, 100)
        assert await arrived(shallow) == []


async def test_a_book_that_cannot_be_read_ends_its_streams_with_the_reason() -> None:
    exchange = Exchange()
    exchange.error = Refused("SHARD_ELSEWHERE", "elsewhere")
    with exchange.hub.subscribe(1, "ABC", 5) as frames:
        exchange.clock.pass_time(0)
        await settle()
        with pytest.raises(Refused, match="elsewhere"):
            await frames.next()
    exchange.error = None
    with exchange.hub.subscribe(1, "ABC", 5) as frames:
        exchange.clock.pass_time(0.2)
        assert len(await arrived(frames)) == 1


async def test_leaving_while_the_book_is_being_read_leaves_nothing_behind() -> None:
    exchange = Exchange()
    exchange.gate.clear()
    tasks = len(asyncio.all_tasks())
    with exchange.hub.subscribe(1, "ABC", 5):
        exchange.clock.pass_time(0)
        await settle()
        assert len(asyncio.all_tasks()) == tasks + 1
    await settle()
    assert len(asyncio.all_tasks()) == tasks
    assert exchange.clock.armed == 0


async def test_a_quiet_book_beats() -> None:
    exchange = Exchange()
    with exchange.hub.subscribe(1, "ABC", 5) as frames:
        exchange.clock.pass_time(0)
        (first,) = await arrived(frames)
        exchange.clock.pass_time(5)
        (beat,) = await arrived(frames)
    assert beat.kind == "heartbeat"
    assert beat.sequence > first.sequence


def sides(prices: st.SearchStrategy[int], downwards: bool) -> st.SearchStrategy[Levels]:
    sizes = st.dictionaries(prices, st.tuples(st.integers(1, 3), st.integers(1, 2)), max_size=5)
    return sizes.map(lambda side: tuple((price, *side[price]) for price in sorted(side, reverse=downwards)))


books = st.tuples(sides(st.integers(90, 99), True), sides(st.integers(100, 109), False), st.integers(95, 105))


@given(st.lists(st.tuples(books, st.sets(st.integers(0, 2))), max_size=25))
@settings(max_examples=60, deadline=None)
async def test_the_updates_applied_to_the_snapshot_give_the_current_book(
    done: list[tuple[tuple[Levels, Levels, int], set[int]]],
) -> None:
    exchange = Exchange()
    levels = [1, 3, 3]
    subscriptions = [exchange.hub.subscribe(1, "ABC", count) for count in levels]
    readers = [Reader() for _ in levels]

    async def read(index: int) -> None:
        for frame in await arrived(subscriptions[index]):
            readers[index].apply(frame)

    for (bids, asks, last_cents), reading in done:
        exchange.bids, exchange.asks, exchange.last_cents = bids, asks, last_cents
        await exchange.change()
        for index in reading:
            await read(index)
    exchange.clock.pass_time(0.1)
    await settle()
    for index, count in enumerate(levels):
        await read(index)
        assert readers[index].depth() == (exchange.bids[:count], exchange.asks[:count], exchange.last_cents)
        subscriptions[index].close()
