"""StreamPrices, StreamBook and StreamStatus over gRPC: conflated, shared, ended in good order."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from bearpit.v1 import market_pb2 as pb
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.events.records import QuoteRecord, StatusChange
from bearpit_server.game.notices import announcements
from bearpit_server.game.notices.announcements import Draft
from bearpit_server.game.trading import market
from bearpit_server.rules.sessions import Override
from bearpit_server.services import streaming
from bearpit_server.services.streaming import SerializeOnce

from tests.integration.stage import Stage, read, token, until
from tests.venue import refused

AnyCall = grpc.aio.UnaryStreamCall[Any, Any]
ME = token(1)
SMALL_WINDOW = {"http2__lookahead_bytes": 16_384, "http2__bdp_probe": 0}


async def test_prices_begin_with_every_quote_and_go_on_with_those_that_change(stage: Stage) -> None:
    one, two = [await stage.list_instrument(symbol) for symbol in ("AAA", "BBB")]
    stub = await stage.market()
    call = stub.StreamPrices(pb.StreamPricesRequest(), metadata=ME)
    first = await read(call)
    assert [quote.symbol for quote in first.snapshot.quotes] == ["AAA", "BBB"]
    changed = QuoteRecord(two.id, "BBB", 99, 5, 101, 6, 100, 1_000, 90, 3, 120, 80, 95, 44)
    stage.bus.publish([changed])
    second = await read(call)
    assert second.sequence > first.sequence
    assert list(second.update.quotes) == [
        pb.Quote(
            instrument_id=two.id, symbol="BBB", bid_cents=99, bid_quantity=5, ask_cents=101, ask_quantity=6,
            last_cents=100, volume=1_000, previous_close_cents=90, phase=pb.PHASE_OPEN, high_cents=120,
            low_cents=80, indicative_cents=95, indicative_quantity=44,
        )
    ]  # fmt: skip
    age = datetime.now(UTC) - second.server_time.ToDatetime(UTC)
    assert timedelta(0) <= age < timedelta(seconds=5)
    assert one.id != two.id


async def test_prices_of_some_symbols_only(stage: Stage) -> None:
    one, two = [await stage.list_instrument(symbol) for symbol in ("AAA", "BBB")]
    stub = await stage.market()
    call = stub.StreamPrices(pb.StreamPricesRequest(symbols=["BBB", "BBB"]), metadata=ME)
    assert [quote.symbol for quote in (await read(call)).snapshot.quotes] == ["BBB"]
    stage.bus.publish([QuoteRecord(one.id, "AAA", 1)])
    stage.bus.publish([QuoteRecord(two.id, "BBB", 1)])
    assert [quote.symbol for quote in (await read(call)).update.quotes] == ["BBB"]


async def test_unknown_symbols_and_bad_numbers_are_refused(stage: Stage) -> None:
    await stage.list_instrument("AAA")
    stub = await stage.market()
    unknown = stub.StreamPrices(pb.StreamPricesRequest(symbols=["AAA", "NONE"]), metadata=ME)
    assert (await refused(unknown.read())).reason == "NOT_FOUND"
    many = stub.StreamPrices(pb.StreamPricesRequest(symbols=["AAA"] * 1_001), metadata=ME)
    assert (await refused(many.read())).reason == "INVALID_FIELD"
    for levels in (-1, 101):
        book = stub.StreamBook(pb.StreamBookRequest(symbol="AAA", levels=levels), metadata=ME)
        assert (await refused(book.read())).field == "levels"
    nowhere = stub.StreamBook(pb.StreamBookRequest(symbol="NONE"), metadata=ME)
    assert (await refused(nowhere.read())).reason == "NOT_FOUND"


async def test_a_slow_client_skips_to_the_present(stage: Stage) -> None:
    slow_stub, fast_stub = await stage.market(**SMALL_WINDOW), await stage.market()
    slow = slow_stub.StreamPrices(pb.StreamPricesRequest(), metadata=ME)
    fast = fast_stub.StreamPrices(pb.StreamPricesRequest(), metadata=ME)
    await read(slow)
    await read(fast)
    rounds, ids = 20, range(1, 1_001)
    for cents in range(1, rounds + 1):
        stage.bus.publish([QuoteRecord(id_, f"S{id_}", last_cents=cents) for id_ in ids])
        frame = await read(fast)
        while frame.update.quotes[-1].last_cents < cents:
            frame = await read(fast)
    count, latest = 0, dict.fromkeys(ids, 0)
    while set(latest.values()) != {rounds}:
        frame = await read(slow)
        count += 1
        latest.update({quote.instrument_id: quote.last_cents for quote in frame.update.quotes})
    assert count < rounds / 2, "what it did not read in time was never sent"


async def test_a_frame_is_serialised_once_for_all(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = await stage.list_instrument("AAA")
    made: list[pb.StreamPricesResponse] = []
    serialise = SerializeOnce()
    monkeypatch.setattr(streaming, "quote", _counting(made))
    stub = await stage.market()
    calls = [stub.StreamPrices(pb.StreamPricesRequest(), metadata=ME) for _ in range(10)]
    for call in calls:
        await read(call)
    made.clear()
    stage.bus.publish([QuoteRecord(listed.id, "AAA", 5)])
    frames = [await read(call) for call in calls]
    assert len(made) == 1
    assert len({frame.sequence for frame in frames}) == 1
    shared = frames[0]
    assert serialise(shared) is serialise(shared)
    assert serialise(shared) == shared.SerializeToString()
    for number in range(3 * SerializeOnce.KEPT):
        other = pb.StreamPricesResponse(sequence=number)
        assert pb.StreamPricesResponse.FromString(serialise(other)) == other


def _counting(made: list[pb.StreamPricesResponse]):  # type: ignore[no-untyped-def]
    from bearpit_server.services.market import quote

    def counting(record: QuoteRecord) -> pb.Quote:
        made.append(pb.StreamPricesResponse())
        return quote(record)

    return counting


async def test_a_book_begins_with_its_levels_and_goes_on_with_those_that_change(stage: Stage) -> None:
    listed = await stage.list_instrument("AAA")
    stage.exchange.bids = tuple((100 - n, 10 + n, 1 + n) for n in range(30))
    stage.exchange.asks = ((101, 5, 1),)
    stage.exchange.last_cents = 100
    stub = await stage.market()
    call = stub.StreamBook(pb.StreamBookRequest(symbol="AAA"), metadata=ME)
    first = await read(call)
    assert [level.price_cents for level in first.snapshot.bids] == list(range(100, 80, -1))
    assert first.snapshot.bids[0] == pb.Level(price_cents=100, quantity=10, orders=1)
    assert (first.snapshot.symbol, first.snapshot.last_cents) == ("AAA", 100)
    stage.exchange.bids = stage.exchange.bids[1:]
    stage.exchange.asks = ()
    stage.bus.publish([QuoteRecord(listed.id, "AAA")])
    second = await read(call)
    assert {level.price_cents: level.quantity for level in second.update.bids} == {100: 0, 80: 30}
    assert {level.price_cents: level.quantity for level in second.update.asks} == {101: 0}
    assert second.sequence > first.sequence


async def test_the_status_comes_again_after_each_change(stage: Stage) -> None:
    stub = await stage.market()
    call = stub.StreamStatus(pb.StreamStatusRequest(), metadata=ME)
    first = await read(call)
    assert (first.snapshot.phase, first.snapshot.time_zone) == (pb.PHASE_CLOSED, "UTC")

    def open_market() -> None:
        market.set_override(Override.OPEN, HOUSE_ORIGIN)
        announcements.announce(Draft("Good morning", lifetime_seconds=60), HOUSE_ORIGIN)

    await stage.database.run(open_market)
    stage.bus.publish([StatusChange()])
    second = await read(call)
    assert second.update.phase == pb.PHASE_OPEN
    assert [said.title for said in second.update.announcements] == ["Good morning"]


async def test_every_stream_beats_when_it_is_quiet(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bearpit_server.streams.subscription.HEARTBEAT_SECONDS", 0.1)
    await stage.list_instrument("AAA")
    stub = await stage.market()
    calls: list[AnyCall] = [
        stub.StreamPrices(pb.StreamPricesRequest(), metadata=ME),
        stub.StreamBook(pb.StreamBookRequest(symbol="AAA"), metadata=ME),
        stub.StreamStatus(pb.StreamStatusRequest(), metadata=ME),
    ]
    for call in calls:
        frames = [await read(call) for _ in range(3)]
        assert [frame.WhichOneof("frame") for frame in frames] == ["snapshot", "heartbeat", "heartbeat"]
        assert frames[0].sequence < frames[1].sequence < frames[2].sequence


async def test_clients_that_go_leave_nothing_behind(stage: Stage) -> None:
    await stage.list_instrument("AAA")
    stub = await stage.market(**SMALL_WINDOW)
    tasks = len(asyncio.all_tasks())
    calls: list[AnyCall] = [
        stub.StreamPrices(pb.StreamPricesRequest(), metadata=ME),
        stub.StreamPrices(pb.StreamPricesRequest(symbols=["AAA"]), metadata=ME),
        stub.StreamBook(pb.StreamBookRequest(symbol="AAA"), metadata=ME),
        stub.StreamStatus(pb.StreamStatusRequest(), metadata=ME),
        stub.StreamTrades(pb.StreamTradesRequest(symbol="AAA"), metadata=ME),
    ]
    for call in calls:
        await read(call)
    assert len(stage.streams.open) == 5
    for call in calls:
        call.cancel()
    await until(lambda: not len(stage.streams.open))
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    assert stage.streams.prices._lanes == {}
    assert stage.streams.books._books == {}


async def test_a_client_that_goes_while_it_does_not_read_leaves_nothing_behind(stage: Stage) -> None:
    stub = await stage.market(**SMALL_WINDOW)
    call = stub.StreamPrices(pb.StreamPricesRequest(), metadata=ME)
    await read(call)
    shown = 0
    while shown < 10:  # ticks; the first few fill the window
        stage.bus.publish([QuoteRecord(id_, f"S{id_}", last_cents=shown) for id_ in range(1_000)])
        (topic,) = stage.streams.prices._lanes[0]._topics.values()
        before = topic.shown
        await until(lambda: topic.shown > before)  # noqa: B023 - called before the loop goes on
        shown += 1
    call.cancel()
    await until(lambda: not len(stage.streams.open))


async def test_a_stopping_server_ends_every_stream_as_unavailable(stage: Stage) -> None:
    await stage.list_instrument("AAA")
    stub = await stage.market()
    calls: list[AnyCall] = [
        stub.StreamPrices(pb.StreamPricesRequest(), metadata=ME),
        stub.StreamBook(pb.StreamBookRequest(symbol="AAA"), metadata=ME),
        stub.StreamStatus(pb.StreamStatusRequest(), metadata=ME),
        stub.StreamTrades(pb.StreamTradesRequest(symbol="AAA"), metadata=ME),
    ]
    for call in calls:
        await read(call)
    stage.streams.stop()
    for call in calls:
        error = await refused(call.read())
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_READY")
    late = stub.StreamPrices(pb.StreamPricesRequest(), metadata=ME)
    assert (await refused(late.read())).reason == "NOT_READY"
    assert len(stage.streams.open) == 0
