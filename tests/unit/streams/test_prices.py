"""Prices: conflated, shared, at most ten frames a second."""

import asyncio
from collections.abc import Iterable

import pytest
from bearpit_server.events.records import QuoteRecord
from bearpit_server.rules.refusals import Refused
from bearpit_server.streams.prices import LANE, LANES, PriceHub, Quotes
from bearpit_server.streams.subscription import Frame, OpenStreams
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.streams.clockwork import Clockwork, arrived, settle

QuoteFrame = Frame[Quotes]


class Market:
    """A hub, its clock, and what was encoded."""

    def __init__(self) -> None:
        self.clock = Clockwork()
        self.encoded: list[QuoteFrame] = []
        self.open_streams = OpenStreams(self.clock)
        self.hub: PriceHub[QuoteFrame] = PriceHub({}, self._encode, self.open_streams)

    def _encode(self, frame: QuoteFrame) -> QuoteFrame:
        self.encoded.append(frame)
        return frame

    def trade(self, *prices: tuple[int, int]) -> None:
        """Feed quotes: instrument ids with their last price."""
        self.hub.feed([quote(id_, cents) for id_, cents in prices])


def quote(id_: int, cents: int) -> QuoteRecord:
    return QuoteRecord(id_, f"S{id_}", last_cents=cents)


def prices(frame: QuoteFrame) -> dict[int, int]:
    assert frame.content is not None
    return {record.instrument_id: record.last_cents for record in frame.content}


def kinds(frames: Iterable[QuoteFrame]) -> list[str]:
    return [frame.kind for frame in frames]


async def test_who_comes_between_ticks_gets_a_snapshot_at_once() -> None:
    market = Market()
    market.trade((1, 100), (2, 200))
    with market.hub.subscribe() as frames:
        first = await frames.next()
    assert first.kind == "snapshot"
    assert prices(first) == {1: 100, 2: 200}


async def test_quotes_known_before_the_hub_was_are_in_the_snapshot() -> None:
    market = Market()
    hub: PriceHub[QuoteFrame] = PriceHub(
        {1: quote(1, 5), 2: quote(2, 6)}, lambda frame: frame, market.open_streams
    )
    hub.feed([quote(2, 7)])
    with hub.subscribe() as frames:
        assert prices(await frames.next()) == {1: 5, 2: 7}


async def test_a_frame_carries_all_that_changed_since_the_last_one_and_only_the_latest_of_it() -> None:
    market = Market()
    market.trade((1, 100), (2, 200), (3, 300))
    with market.hub.subscribe() as frames:
        await frames.next()
        market.trade((1, 101))
        market.clock.pass_time(0.1)
        assert [prices(frame) for frame in await arrived(frames)] == [{1: 101}]
        market.trade((1, 102), (2, 201))
        market.trade((1, 103))
        market.clock.pass_time(0.1)
        assert [prices(frame) for frame in await arrived(frames)] == [{1: 103, 2: 201}]


async def test_a_change_after_a_quiet_while_is_sent_at_once() -> None:
    market = Market()
    with market.hub.subscribe() as frames:
        await frames.next()
        market.clock.pass_time(3)
        market.trade((1, 100))
        market.clock.pass_time(0)
        assert kinds(await arrived(frames)) == ["update"]


async def test_no_client_gets_more_than_ten_frames_a_second() -> None:
    market = Market()
    with market.hub.subscribe() as frames:
        await frames.next()
        received = 0
        for millisecond in range(1, 2_001):
            market.trade((1, millisecond))
            market.clock.pass_time(0.001)
            received += len(await arrived(frames)) if millisecond % 10 == 0 else 0
    assert 19 <= received <= 21


async def test_a_slow_client_skips_to_the_present() -> None:
    market = Market()
    market.trade((1, 1), (2, 1), (3, 1))
    with market.hub.subscribe() as slow, market.hub.subscribe() as fast:
        await slow.next()
        await fast.next()
        for tick in range(2, 50):
            market.trade((1, tick))
            if tick == 10:
                market.trade((2, tick))
            market.clock.pass_time(0.1)
            assert prices(*(await arrived(fast))) == {1: tick} | ({2: 10} if tick == 10 else {})
        waiting = await arrived(slow)
    assert [prices(frame) for frame in waiting] == [{1: 49, 2: 10}]


async def test_a_frame_is_encoded_once_for_all_who_watch_the_same() -> None:
    market = Market()
    market.trade((1, 1), (2, 1))
    subscriptions = [market.hub.subscribe() for _ in range(20)]
    subscriptions += [market.hub.subscribe(frozenset({2})) for _ in range(20)]
    firsts = [await subscription.next() for subscription in subscriptions]
    assert len({id(frame) for frame in firsts}) == 2
    market.encoded.clear()
    market.trade((1, 2), (2, 2))
    market.clock.pass_time(0.1)
    seconds = [frame for subscription in subscriptions for frame in await arrived(subscription)]
    assert len(seconds) == 40
    assert len(market.encoded) == 2
    for subscription in subscriptions:
        subscription.close()


async def test_who_watches_some_hears_of_those_only() -> None:
    market = Market()
    market.trade((1, 1), (2, 1), (3, 1))
    with market.hub.subscribe(frozenset({1, 3})) as frames:
        assert prices(await frames.next()) == {1: 1, 3: 1}
        market.trade((2, 2))
        market.clock.pass_time(0.1)
        assert await arrived(frames) == []
        market.trade((2, 3), (3, 3))
        market.clock.pass_time(0.1)
        assert [prices(frame) for frame in await arrived(frames)] == [{3: 3}]


async def test_who_watches_all_hears_of_those_listed_later() -> None:
    market = Market()
    with market.hub.subscribe() as frames:
        assert prices(await frames.next()) == {}
        market.trade((9, 900))
        market.clock.pass_time(0.1)
        assert [prices(frame) for frame in await arrived(frames)] == [{9: 900}]


async def test_nothing_ticks_while_nobody_listens_or_nothing_changes() -> None:
    market = Market()
    market.trade((1, 1))
    assert market.clock.armed == 0
    with market.hub.subscribe() as frames:
        await frames.next()
        heartbeat_only = market.clock.armed
        market.trade((1, 1))  # the same again is no change
        assert market.clock.armed == heartbeat_only == 1
        market.trade((1, 2))
        assert market.clock.armed == 2
    assert market.clock.armed == 0


async def test_numbers_rise_through_snapshots_updates_and_heartbeats() -> None:
    market = Market()
    received: list[QuoteFrame] = []
    with market.hub.subscribe() as frames:
        for step in range(20):
            if step % 3:
                market.trade((1, step))
            market.clock.pass_time(6 if step % 4 == 0 else 0.1)
            received += await arrived(frames)
            if step % 5 == 0:
                market.hub.subscribe(frozenset({step})).close()
    numbers = [frame.sequence for frame in received]
    assert set(kinds(received)) == {"snapshot", "update", "heartbeat"}
    assert numbers == sorted(set(numbers))


async def test_a_quiet_stream_beats_every_five_seconds() -> None:
    market = Market()
    with market.hub.subscribe() as frames:
        await frames.next()
        market.clock.pass_time(4.9)
        assert await arrived(frames) == []
        market.clock.pass_time(0.2)
        assert kinds(await arrived(frames)) == ["heartbeat"]
        market.clock.pass_time(3)
        market.trade((1, 1))
        market.clock.pass_time(0.1)
        assert kinds(await arrived(frames)) == ["update"]
        market.clock.pass_time(4.9)
        assert await arrived(frames) == []
        market.clock.pass_time(0.2)
        assert kinds(await arrived(frames)) == ["heartbeat"]


async def test_a_heartbeat_between_a_change_and_its_tick_hides_nothing() -> None:
    market = Market()
    with market.hub.subscribe(frozenset({1})) as quiet, market.hub.subscribe() as busy:
        await quiet.next()
        await busy.next()
        market.clock.pass_time(4.95)
        market.trade((2, 1))
        market.clock.pass_time(0.01)
        market.trade((1, 7))  # waits for the next tick, and the heartbeat comes before that
        market.clock.pass_time(0.05)
        assert kinds(await arrived(quiet)) == ["heartbeat"]
        market.clock.pass_time(0.1)
        assert [prices(frame) for frame in await arrived(quiet)] == [{1: 7}]


async def test_a_crowd_is_served_at_different_moments_of_each_tenth_of_a_second() -> None:
    market = Market()
    crowd = [market.hub.subscribe() for _ in range(4 * LANE)]
    for subscription in crowd:
        await subscription.next()
    first_of_lanes = crowd[::LANE]
    served: list[int] = []
    for hundredth in range(1, 121):
        market.trade((1, hundredth))
        market.clock.pass_time(0.01)
        served.append(sum([len(await arrived(subscription)) for subscription in first_of_lanes]))
    served = served[20:]
    assert set(served) == {0, 1}, "never two lanes at once"
    assert sum(served) == 40, "each ten times a second"
    for subscription in crowd:
        subscription.close()


async def test_lanes_fill_one_after_the_other_and_then_evenly() -> None:
    market = Market()
    crowd = [market.hub.subscribe(frozenset({number % 7})) for number in range(LANE * LANES + 50)]
    lanes = market.hub._lanes
    assert [len(lane) for lane in lanes.values()] == [LANE + 5] * LANES
    for subscription in crowd[:30]:
        subscription.close()
    again = [market.hub.subscribe() for _ in range(30)]
    assert [len(lane) for lane in lanes.values()] == [LANE + 5] * LANES
    for subscription in crowd[LANE:] + again:
        subscription.close()
    assert list(lanes) == [0], "what is left of the crowd is none"
    for subscription in crowd:
        subscription.close()
    assert lanes == {}
    assert market.clock.armed == 0


async def test_in_a_crowd_nobody_is_served_late_for_long() -> None:
    market = Market()
    crowd = [market.hub.subscribe() for _ in range(LANE + 1)]
    for one in (crowd[0], crowd[LANE]):
        await one.next()
        market.trade((1, len(market.encoded)))
        market.clock.pass_time(0.1)
        assert kinds(await arrived(one)) == ["update"]
    for subscription in crowd:
        subscription.close()


async def test_a_stopping_server_ends_all_streams_and_opens_none() -> None:
    market = Market()
    with market.hub.subscribe() as frames, market.hub.subscribe() as other:
        assert len(market.open_streams) == 2
        await frames.next()
        market.open_streams.stop()
        for subscription in (frames, other):
            with pytest.raises(Refused) as refused:
                await subscription.next()
            assert refused.value.reason == "NOT_READY"
        assert len(market.open_streams) == 0
    with pytest.raises(Refused):
        market.hub.subscribe()
    assert market.clock.armed == 0


async def test_a_waiting_client_is_woken_by_the_stop() -> None:
    market = Market()
    with market.hub.subscribe() as frames:
        await frames.next()
        waiting = asyncio.ensure_future(frames.next())
        await settle()
        market.open_streams.stop()
        with pytest.raises(Refused):
            await waiting


steps = st.lists(
    st.one_of(
        st.tuples(st.just("trade"), st.integers(1, 4), st.integers(1, 9)),
        st.tuples(st.just("pass"), st.sampled_from([0.03, 0.1, 0.5, 5.0]), st.just(0)),
        st.tuples(st.just("read"), st.integers(0, 2), st.just(0)),
    ),
    max_size=60,
)


@given(steps)
@settings(max_examples=60, deadline=None)
async def test_whoever_reads_whenever_ends_up_with_the_present(done: list[tuple[str, int, int]]) -> None:
    market = Market()
    wanted = [None, frozenset({1, 2}), frozenset({4})]
    subscriptions = [market.hub.subscribe(which) for which in wanted]
    seen: list[dict[int, int]] = [{} for _ in wanted]

    async def read(reader: int) -> None:
        for frame in await arrived(subscriptions[reader]):
            if frame.kind != "heartbeat":
                seen[reader].update(prices(frame))

    present: dict[int, int] = {}
    for what, one, two in done:
        if what == "trade":
            market.trade((one, two))
            present[one] = two
        elif what == "pass":
            market.clock.pass_time(one)
        else:
            await read(one)
    market.clock.pass_time(0.2)
    for reader, which in enumerate(wanted):
        await read(reader)
        assert seen[reader] == {k: v for k, v in present.items() if which is None or k in which}
        subscriptions[reader].close()
