"""MarketService's unary RPCs: instruments, books, trades, candles, volume, the market's phase."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from bearpit.v1 import market_pb2 as pb
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.events.records import QuoteRecord, TradeRecord
from bearpit_server.game.notices import announcements
from bearpit_server.game.notices.announcements import Draft
from bearpit_server.game.trading import market
from bearpit_server.rules.candles import DAY, MINUTE, PERIODS, QUARTER, Candle, bucket, fold
from bearpit_server.rules.sessions import Override, Schedule
from bearpit_server.storage import bulk, candles, clock
from bearpit_server.storage.candles import Today, Total
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Candle as CandleRow
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.stage import Listed, Stage, commit_trades, token
from tests.postgres import Postgres
from tests.venue import refused

ME = token(1)
VIENNA = ZoneInfo("Europe/Vienna")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def seconds(text: str) -> int:
    return int(at(text).timestamp())


def trades_of(listed: Listed, *traded: tuple[str, int, int]) -> list[TradeRecord]:
    """Trades at moments, with price and quantity."""
    return [
        TradeRecord(number, listed.id, listed.symbol, cents, quantity, 1, at(moment))
        for number, (moment, cents, quantity) in enumerate(traded, start=listed.id * 1_000)
    ]


# --- instruments and quotes ------------------------------------------------------------------------


async def test_instruments_come_by_symbol_with_their_quotes_page_by_page(stage: Stage) -> None:
    for symbol in ("CCC", "AAA", "BBB", "A.1"):
        listed = await stage.list_instrument(symbol)
        stage.exchange.quotes[listed.id] = QuoteRecord(listed.id, symbol, bid_cents=listed.id, phase=4)
    stub = await stage.market()
    symbols: list[str] = []
    page_token = ""
    while True:
        request = pb.ListInstrumentsRequest(page_size=3, page_token=page_token)
        page = await stub.ListInstruments(request, metadata=ME)
        symbols += [instrument.symbol for instrument in page.instruments]
        for instrument, quote in zip(page.instruments, page.quotes, strict=True):
            assert (quote.symbol, quote.bid_cents) == (instrument.symbol, instrument.instrument_id)
            assert instrument.phase == quote.phase == pb.PHASE_HALTED
        page_token = page.next_page_token
        if not page_token:
            break
    assert symbols == ["A.1", "AAA", "BBB", "CCC"]


async def test_one_instrument_comes_with_its_quote_and_an_unknown_one_not_at_all(stage: Stage) -> None:
    listed = await stage.list_instrument("AAA")
    stub = await stage.market()
    found = await stub.GetInstrument(pb.GetInstrumentRequest(symbol="AAA"), metadata=ME)
    assert (found.instrument.instrument_id, found.instrument.max_quantity) == (listed.id, 1_000)
    assert found.quote.phase == found.instrument.phase == pb.PHASE_OPEN
    error = await refused(stub.GetInstrument(pb.GetInstrumentRequest(symbol="NONE"), metadata=ME))
    assert (error.reason, error.metadata["name"]) == ("NOT_FOUND", "NONE")


async def test_an_instrument_that_the_exchange_has_not_met_yet_is_shown_without_prices(stage: Stage) -> None:
    listed = await stage.list_instrument("NEW")
    del stage.exchange.quotes[listed.id]
    stub = await stage.market()
    found = await stub.GetInstrument(pb.GetInstrumentRequest(symbol="NEW"), metadata=ME)
    assert found.quote == pb.Quote(instrument_id=listed.id, symbol="NEW", phase=pb.PHASE_OPEN)


async def test_a_book_has_as_many_levels_as_asked_for(stage: Stage) -> None:
    await stage.list_instrument("AAA")
    stage.exchange.bids = tuple((100 - n, 1, 1) for n in range(50))
    stage.exchange.last_cents = 100
    stub = await stage.market()
    book = (await stub.GetBook(pb.GetBookRequest(symbol="AAA"), metadata=ME)).book
    assert (len(book.bids), len(book.asks), book.last_cents) == (10, 0, 100)
    book = (await stub.GetBook(pb.GetBookRequest(symbol="AAA", levels=1_000), metadata=ME)).book
    assert len(book.bids) == 50
    for levels in (-1, 1_001):
        error = await refused(stub.GetBook(pb.GetBookRequest(symbol="AAA", levels=levels), metadata=ME))
        assert error.field == "levels"


# --- trades and volume -----------------------------------------------------------------------------


async def test_trades_come_newest_first_of_one_instrument_or_of_all(stage: Stage) -> None:
    one, two = [await stage.list_instrument(symbol) for symbol in ("AAA", "BBB")]
    for number in range(7):
        await stage.trade(one if number % 2 else two, 100 + number)
    stub = await stage.market()

    async def ids(symbol: str) -> list[int]:
        found: list[int] = []
        page_token = ""
        while True:
            request = pb.ListTradesRequest(symbol=symbol, page_size=3, page_token=page_token)
            page = await stub.ListTrades(request, metadata=ME)
            found += [trade.trade_id for trade in page.trades]
            page_token = page.next_page_token
            if not page_token:
                return found

    assert await ids("") == [7, 6, 5, 4, 3, 2, 1]
    assert await ids("AAA") == [6, 4, 2]
    foreign = await stub.ListTrades(pb.ListTradesRequest(page_size=3), metadata=ME)
    request = pb.ListTradesRequest(symbol="AAA", page_token=foreign.next_page_token)
    assert (await refused(stub.ListTrades(request, metadata=ME))).reason == "BAD_PAGE_TOKEN"
    assert (
        await refused(stub.ListTrades(pb.ListTradesRequest(symbol="X"), metadata=ME))
    ).reason == "NOT_FOUND"


async def test_volume_is_summed_over_whole_minutes(stage: Stage) -> None:
    one, two = [await stage.list_instrument(symbol) for symbol in ("BBB", "AAA")]
    traded = trades_of(
        one,
        ("2030-01-01T10:07:10", 100, 1),
        ("2030-01-01T10:14:59", 100, 10),
        ("2030-01-01T10:15:00", 200, 100),
        ("2030-01-01T10:30:00", 100, 1_000),
        ("2030-01-01T10:31:30", 100, 10_000),
    )
    await stage.database.run(commit_trades, traded)
    stub = await stage.market()

    async def volumes(start: str = "", end: str = "", symbol: str = "") -> Sequence[pb.Volume]:
        request = pb.GetVolumeRequest(symbol=symbol)
        if start:
            request.start.FromDatetime(at(start))
        if end:
            request.end.FromDatetime(at(end))
        return (await stub.GetVolume(request, metadata=ME)).volumes

    quiet, busy = await volumes(end="2031-01-01T00:00:00")
    assert quiet == pb.Volume(symbol="AAA")
    assert busy == pb.Volume(symbol="BBB", quantity=11_111, value_cents=1_121_100, trades=5)
    for start, end, quantity in (
        ("2030-01-01T10:07:59", "2030-01-01T10:31:00", 1_111),
        ("2030-01-01T10:07:59", "2030-01-01T10:31:00.5", 11_111),
        ("2030-01-01T10:08:00", "2030-01-01T10:15:00", 10),
        ("2030-01-01T10:00:00", "2030-01-01T10:15:00", 11),
        ("2030-01-01T10:15:00", "2030-01-01T10:15:00", 0),
    ):
        (found,) = await volumes(start, end, "BBB")
        assert found.quantity == quantity
    backwards = pb.GetVolumeRequest(start=Timestamp(seconds=100), end=Timestamp(seconds=10))
    assert (await refused(stub.GetVolume(backwards, metadata=ME))).field == "end"
    assert two.id


# --- candles ---------------------------------------------------------------------------------------


async def test_candles_are_the_latest_and_oldest_first(stage: Stage) -> None:
    listed = await stage.list_instrument("AAA")
    traded = trades_of(
        listed,
        ("2030-01-01T09:59:59", 90, 1),
        ("2030-01-01T10:00:00", 100, 2),
        ("2030-01-01T10:00:30", 110, 1),
        ("2030-01-01T10:00:59", 95, 1),
        ("2030-01-01T10:04:00", 97, 5),
        ("2030-01-01T11:00:00", 80, 1),
    )
    await stage.database.run(commit_trades, traded)
    stub = await stage.market()

    async def read(period: pb.Period, limit: int = 0, before: str = "") -> Sequence[pb.Candle]:
        request = pb.ListCandlesRequest(symbol="AAA", period=period, limit=limit)
        if before:
            request.before.FromDatetime(at(before))
        return (await stub.ListCandles(request, metadata=ME)).candles

    minutes = await read(pb.PERIOD_1M)
    assert [candle.start.seconds for candle in minutes] == [
        seconds("2030-01-01T09:59:00"),
        seconds("2030-01-01T10:00:00"),
        seconds("2030-01-01T10:04:00"),
        seconds("2030-01-01T11:00:00"),
    ]
    assert minutes[1] == pb.Candle(
        start=Timestamp(seconds=seconds("2030-01-01T10:00:00")), open_cents=100, high_cents=110, low_cents=95,
        close_cents=95, volume=4, value_cents=405, trades=3,
    )  # fmt: skip
    (five,) = await read(pb.PERIOD_5M, 1, before="2030-01-01T11:00:00")
    assert (five.open_cents, five.close_cents, five.volume, five.trades) == (100, 97, 9, 4)
    assert [candle.trades for candle in await read(pb.PERIOD_1H, 2)] == [4, 1]
    (day,) = await read(pb.PERIOD_1D)
    assert (day.open_cents, day.high_cents, day.low_cents, day.close_cents) == (90, 110, 80, 80)


async def test_days_begin_at_midnight_in_the_markets_zone(stage: Stage) -> None:
    listed = await stage.list_instrument("AAA")
    hours = Schedule(days=(1,), opens="09:00", closes="17:00", time_zone="Europe/Vienna")
    await stage.database.run(market.set_schedule, hours, HOUSE_ORIGIN)
    traded = trades_of(listed, ("2030-01-01T22:59:59", 1, 1), ("2030-01-01T23:00:00", 2, 1))
    await stage.database.run(commit_trades, traded)
    stub = await stage.market()
    found = await stub.ListCandles(pb.ListCandlesRequest(symbol="AAA", period=pb.PERIOD_1D), metadata=ME)
    assert [candle.start.seconds for candle in found.candles] == [
        seconds("2029-12-31T23:00:00"),
        seconds("2030-01-01T23:00:00"),
    ]


async def test_candles_that_cannot_be_are_refused(stage: Stage) -> None:
    await stage.list_instrument("AAA")
    stub = await stage.market()
    for field, request in (
        ("period", pb.ListCandlesRequest(symbol="AAA")),
        ("limit", pb.ListCandlesRequest(symbol="AAA", period=pb.PERIOD_1M, limit=1_001)),
        ("limit", pb.ListCandlesRequest(symbol="AAA", period=pb.PERIOD_1M, limit=-1)),
    ):
        assert (await refused(stub.ListCandles(request, metadata=ME))).field == field
    nowhere = pb.ListCandlesRequest(symbol="NONE", period=pb.PERIOD_1M)
    assert (await refused(stub.ListCandles(nowhere, metadata=ME))).reason == "NOT_FOUND"


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    with postgres.database() as made:
        yield made


# A few days around the end of summer time in Vienna, 2029-10-28.
days = st.integers(seconds("2029-10-26T20:00:00"), seconds("2029-10-30T03:00:00"))
busy = st.integers(seconds("2029-10-27T21:50:00"), seconds("2029-10-27T22:10:00"))
moments = days | busy | busy
traded_at = st.lists(
    st.tuples(moments, st.integers(1, 2), st.integers(1, 500), st.integers(1, 50)), min_size=1, max_size=60
).map(sorted)


@given(traded_at, st.lists(st.integers(1, 60), max_size=5), st.integers(1, 6), moments)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_candles_of_every_period_are_the_trades_folded_directly(
    database: Database, traded: list[tuple[int, int, int, int]], cuts: list[int], limit: int, before: int
) -> None:
    trades = [
        TradeRecord(number, instrument, "X", cents, quantity, 1, datetime.fromtimestamp(moment, UTC))
        for number, (moment, instrument, cents, quantity) in enumerate(traded)
    ]
    with database.transaction():
        CandleRow.delete().execute()
        edges = [0, *sorted({cut for cut in cuts if cut < len(trades)}), len(trades)]
        for first, last in pairwise(edges):  # as the settlement's batches come
            with bulk.written() as writes:
                candles.record(writes, trades[first:last])
        for period in PERIODS.values():
            for zone in (VIENNA, UTC):
                spans: dict[int, list[tuple[int, int]]] = {}
                for moment, instrument, cents, quantity in traded:
                    if instrument == 1:
                        spans.setdefault(bucket(moment, period, zone), []).append((cents, quantity))
                every = [fold(start, inside) for start, inside in spans.items()]
                assert candles.read(1, period, 1_000, None, zone) == every
                earlier = [candle for candle in every if candle.start < before]
                assert candles.read(1, period, limit, before, zone) == earlier[-limit:]
        start, end = sorted((before, traded[len(traded) // 2][0]))
        within = [t for t in traded if start - start % 60 <= t[0] < end + -end % 60]
        assert candles.totals([1, 2], start, end) == {
            instrument: Total(sum(t[3] for t in inside), sum(t[2] * t[3] for t in inside), len(inside))
            for instrument in (1, 2)
            if (inside := [t for t in within if t[1] == instrument])
        }
        midnight = bucket(before, DAY, VIENNA)
        for instrument, today in candles.today([1, 2], midnight).items():
            mine = [t for t in traded if t[1] == instrument]
            now_, past = [t for t in mine if t[0] >= midnight], [t for t in mine if t[0] < midnight]
            assert today == Today(
                last_cents=mine[-1][2] if mine else 0,
                high_cents=max((t[2] for t in now_), default=0),
                low_cents=min((t[2] for t in now_), default=0),
                volume=sum(t[3] for t in now_),
                previous_close_cents=past[-1][2] if past else mine[0][2] if mine else 0,
            )


def test_a_value_that_no_int64_holds_stays_at_the_largest(database: Database) -> None:
    most = 10**9
    trade = TradeRecord(1, 7, "X", most, most, 1, at("2030-01-01T00:00:00"))
    with database.transaction():
        for _ in range(2):
            with bulk.written() as writes:
                candles.record(writes, [trade] * 10)
        (candle,) = candles.read(7, MINUTE, 10)
        assert candle == Candle(candle.start, most, most, most, most, 20 * most, 2**63 - 1, 20)
        (total,) = candles.totals([7], candle.start - QUARTER, candle.start + DAY).values()
        assert total.value_cents == 2**63 - 1


def test_recording_nothing_is_nothing(database: Database) -> None:
    with database.transaction(), bulk.written() as writes:
        candles.record(writes, [])


# --- status ----------------------------------------------------------------------------------------


async def test_the_status_tells_phase_schedule_and_announcements(stage: Stage) -> None:
    monday = at("2030-01-07T07:00:00")
    clock.use(lambda: monday)
    try:
        hours = Schedule(days=(1,), opens="09:00", closes="17:00", time_zone="Europe/Vienna")
        await stage.database.run(market.set_schedule, hours, HOUSE_ORIGIN)
        await stage.database.run(market.set_override, Override.NONE, HOUSE_ORIGIN)
        await stage.database.run(announcements.announce, Draft("Hello", lifetime_seconds=60), HOUSE_ORIGIN)
        stub = await stage.market()
        status = (await stub.GetMarketStatus(pb.GetMarketStatusRequest(), metadata=ME)).status
    finally:
        clock.use(None)
    assert (status.phase, status.next_phase) == (pb.PHASE_CLOSED, pb.PHASE_OPEN)
    assert status.next_change_at.ToDatetime(UTC) == monday + timedelta(hours=1)
    assert status.time_zone == "Europe/Vienna"
    assert status.server_time.ToDatetime(UTC) == monday
    assert [said.title for said in status.announcements] == ["Hello"]
