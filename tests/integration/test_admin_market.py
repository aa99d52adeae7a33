"""Instruments and the market in the hands of operators."""

import asyncio

import pytest
import pytest_asyncio
from bearpit.client import BearpitError, Client
from bearpit.v1 import admin_pb2 as pb
from bearpit.v1 import market_pb2
from bearpit.v1.announcements_pb2 import AnnounceRequest
from bearpit_server.events import log
from bearpit_server.storage.models import (
    Account,
    Instrument,
)

from tests.integration.floor import SHARED
from tests.orders import CLOSED, buy
from tests.venue import OPERATOR, Venue, refused

INT64 = 2**63 - 1
pytestmark = SHARED


@pytest_asyncio.fixture(loop_scope="module", name="operator")
async def make_operator(floor: Venue) -> Client:
    """The floor's operator."""
    return await floor.operator()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def taken(shared_floor: Venue) -> None:
    """An instrument TAKEN, listed once."""
    await shared_floor.list_instrument("TAKEN")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stepped(shared_floor: Venue) -> str:
    """An instrument of ticks of 5 and lots of 10, that has no IPO."""
    return await shared_floor.instrument(tick_cents=5, lot=10)


# --- instruments -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("ordinary")
async def test_a_new_instrument_has_the_contracts_defaults(operator: Client, floor: Venue) -> None:
    await floor.set_market(CLOSED)
    request = pb.CreateInstrumentRequest(symbol="NEWEST", name="Acme Ltd")
    made = (await operator.admin.CreateInstrument(request)).instrument
    assert (made.tick_cents, made.lot, made.min_quantity, made.max_quantity) == (1, 1, 1, 1_000_000)
    assert (made.fee_bps, made.band_bps, made.shares_issued) == (10, 0, 0)
    assert (made.mechanism, made.phase) == ("order_book", market_pb2.PHASE_CLOSED)
    assert not made.HasField("ipo")
    assert "NEWEST" in floor.running.exchange.instruments


async def test_its_lot_sets_the_sizes(floor: Venue) -> None:
    made = await floor.list_instrument("LOTS", lot=100)
    assert (made.min_quantity, made.max_quantity) == (100, 100_000_000)
    huge = await floor.list_instrument("HUGE", lot=7_000)
    assert (huge.min_quantity, huge.max_quantity) == (7_000, 999_999_000)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"symbol": "acme"}, "INVALID_FIELD"),
        ({"symbol": ""}, "INVALID_FIELD"),
        ({"symbol": "X" * 13}, "INVALID_FIELD"),
        ({"symbol": "AC ME"}, "INVALID_FIELD"),
        ({"symbol": "ACME\n"}, "INVALID_FIELD"),
        ({"symbol": "TAKEN"}, "ALREADY_EXISTS"),
        ({"name": ""}, "INVALID_FIELD"),
        ({"name": "x" * 81}, "INVALID_FIELD"),
        ({"name": "a\x1b[31m"}, "INVALID_FIELD"),
        ({"tick_cents": -1}, "INVALID_FIELD"),
        ({"tick_cents": INT64}, "INVALID_FIELD"),
        ({"lot": -1}, "INVALID_FIELD"),
        ({"lot": INT64}, "INVALID_FIELD"),
        ({"lot": 10, "min_quantity": 15}, "OFF_LOT"),
        ({"lot": 10, "max_quantity": 15}, "OFF_LOT"),
        ({"lot": 10, "min_quantity": 5}, "INVALID_FIELD"),
        ({"min_quantity": 10, "max_quantity": 5}, "INVALID_FIELD"),
        ({"max_quantity": 10**9 + 1}, "INVALID_FIELD"),
        ({"max_quantity": -1}, "INVALID_FIELD"),
        ({"fee_bps": 1_001}, "INVALID_FIELD"),
        ({"fee_bps": -1}, "INVALID_FIELD"),
        ({"band_bps": 10_001}, "INVALID_FIELD"),
        ({"reference_price_cents": -1}, "INVALID_FIELD"),
        ({"reference_price_cents": 10**9 + 1}, "INVALID_FIELD"),
    ],
)
async def test_instruments_that_cannot_be(
    more: dict[str, object], reason: str, operator: Client, taken: None
) -> None:
    wanted: dict[str, object] = {"symbol": "NOBODYS", "name": "Acme Ltd", **more}
    request = pb.CreateInstrumentRequest(**wanted)  # type: ignore[arg-type]
    assert (await refused(operator.admin.CreateInstrument(request))).reason == reason


async def test_an_update_changes_what_is_given_and_nothing_else(operator: Client, floor: Venue) -> None:
    before = await floor.list_instrument("DEAR", fee_bps=10, reference_price_cents=1_240)
    request = pb.UpdateInstrumentRequest(symbol="DEAR", fee_bps=0, band_bps=500)
    after = (await operator.admin.UpdateInstrument(request)).instrument
    before.fee_bps, before.band_bps = 0, 500
    assert after == before
    [event] = await floor.database.run(log.newest, 1, "instrument.updated")
    assert event.payload == {"fee_bps": 0, "band_bps": 500}


async def test_an_update_is_checked_as_a_whole(operator: Client, floor: Venue) -> None:
    symbol = await floor.instrument(lot=10)
    for bad in (
        pb.UpdateInstrumentRequest(symbol=symbol, max_quantity=5),
        pb.UpdateInstrumentRequest(symbol=symbol, min_quantity=0),
        pb.UpdateInstrumentRequest(symbol=symbol, fee_bps=INT64),
        pb.UpdateInstrumentRequest(symbol=symbol, name=""),
    ):
        assert (await refused(operator.admin.UpdateInstrument(bad))).reason == "INVALID_FIELD"
    missing = pb.UpdateInstrumentRequest(symbol="NOPE", fee_bps=1)
    assert (await refused(operator.admin.UpdateInstrument(missing))).reason == "NOT_FOUND"


async def test_an_ipo_issues_shares_to_the_treasury(operator: Client, floor: Venue) -> None:
    symbol = await floor.instrument(tick_cents=5, lot=10)
    request = pb.OpenIpoRequest(symbol=symbol, price_cents=1_240, quantity=10_000, request_id="ipo")
    offered = (await operator.admin.OpenIpo(request)).instrument
    assert offered.shares_issued == 10_000
    assert offered.ipo == market_pb2.Ipo(price_cents=1_240, quantity=10_000, remaining=10_000)
    assert offered.reference_price_cents == 1_240
    assert (await operator.admin.OpenIpo(request)).instrument == offered
    again = pb.OpenIpoRequest(symbol=symbol, price_cents=1_240, quantity=10_000)
    assert (await refused(operator.admin.OpenIpo(again))).reason == "ALREADY_EXISTS"
    held = await floor.database.run(
        lambda: dict(
            Account.select(Account.kind, Account.balance)
            .join(Instrument, on=(Account.asset == Instrument.id))
            .where(Instrument.symbol == symbol)
            .tuples()
        )
    )
    assert held == {"issuer": -10_000, "treasury": 10_000}


@pytest.mark.parametrize(
    ("price", "quantity", "reason"),
    [
        (0, 10, "INVALID_FIELD"),
        (-5, 10, "INVALID_FIELD"),
        (10**9 + 5, 10, "INVALID_FIELD"),
        (INT64, INT64, "INVALID_FIELD"),
        (1_241, 10, "OFF_TICK"),
        (1_240, 0, "INVALID_FIELD"),
        (1_240, 10**9 + 10, "INVALID_FIELD"),
        (1_240, 15, "OFF_LOT"),
    ],
)
async def test_ipos_that_cannot_be(
    price: int, quantity: int, reason: str, operator: Client, stepped: str
) -> None:
    request = pb.OpenIpoRequest(symbol=stepped, price_cents=price, quantity=quantity)
    assert (await refused(operator.admin.OpenIpo(request))).reason == reason


async def test_ten_ipos_at_once_are_one(operator: Client, floor: Venue) -> None:
    symbol = await floor.instrument()
    requests = [pb.OpenIpoRequest(symbol=symbol, price_cents=10, quantity=100) for _ in range(10)]
    answers = await asyncio.gather(*map(operator.admin.OpenIpo, requests), return_exceptions=True)
    assert sum(isinstance(answer, BearpitError) for answer in answers) == 9
    row = await floor.database.run(lambda: Instrument.get(Instrument.symbol == symbol))
    assert row.ipo_quantity == 100


# --- the market ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("ordinary")
async def test_the_market_is_opened_and_closed_by_hand(operator: Client, floor: Venue) -> None:
    symbol = await floor.instrument()
    for override, phase in (
        (pb.MARKET_OVERRIDE_OPEN, market_pb2.PHASE_OPEN),
        (pb.MARKET_OVERRIDE_PRE_OPEN, market_pb2.PHASE_PRE_OPEN),
        (pb.MARKET_OVERRIDE_CLOSED, market_pb2.PHASE_CLOSED),
        (pb.MARKET_OVERRIDE_NONE, market_pb2.PHASE_CLOSED),
    ):
        answer = await operator.admin.SetMarketOverride(pb.SetMarketOverrideRequest(override=override))
        assert answer.status.phase == phase
        assert (await operator.admin.GetSchedule(pb.GetScheduleRequest())).override == override
        await floor.settled()
        assert (await floor.quote(symbol)).phase == phase


@pytest.mark.usefixtures("ordinary")
async def test_a_rehearsed_opening_tells_the_phase_and_opens_nothing(operator: Client, floor: Venue) -> None:
    await floor.set_market(pb.MARKET_OVERRIDE_NONE)
    symbol = await floor.instrument()
    request = pb.SetMarketOverrideRequest(override=pb.MARKET_OVERRIDE_OPEN, validate_only=True)
    assert (await operator.admin.SetMarketOverride(request)).status.phase == market_pb2.PHASE_OPEN
    held = await operator.admin.GetSchedule(pb.GetScheduleRequest())
    assert held.override == pb.MARKET_OVERRIDE_NONE
    await floor.settled()
    assert (await floor.quote(symbol)).phase == market_pb2.PHASE_CLOSED


@pytest.mark.usefixtures("ordinary")
async def test_hours_are_set_shown_and_removed(operator: Client, floor: Venue) -> None:
    await floor.set_market(pb.MARKET_OVERRIDE_NONE)
    hours = pb.Schedule(
        days=[1, 2, 3, 4, 5, 6, 7],
        opens="00:00",
        closes="00:00",
        pre_open_minutes=5,
        time_zone="Europe/Vienna",
    )
    answer = await operator.admin.SetSchedule(pb.SetScheduleRequest(schedule=hours))
    assert answer.status.phase == market_pb2.PHASE_OPEN
    assert answer.status.time_zone == "Europe/Vienna"
    assert (await operator.admin.GetSchedule(pb.GetScheduleRequest())).schedule == hours
    answer = await operator.admin.SetSchedule(pb.SetScheduleRequest())
    assert answer.status.phase == market_pb2.PHASE_CLOSED
    assert not (await operator.admin.GetSchedule(pb.GetScheduleRequest())).HasField("schedule")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"days": []}, "schedule.days"),
        ({"days": [0]}, "schedule.days"),
        ({"days": [1, 1]}, "schedule.days"),
        ({"opens": "9:00"}, "schedule.opens"),
        ({"opens": "24:00"}, "schedule.opens"),
        ({"closes": "17:60"}, "schedule.closes"),
        ({"closes": ""}, "schedule.closes"),
        ({"pre_open_minutes": 721}, "schedule.pre_open_minutes"),
        ({"pre_open_minutes": -1}, "schedule.pre_open_minutes"),
        ({"time_zone": "Mars/Olympus"}, "schedule.time_zone"),
        ({"time_zone": "../../etc/passwd"}, "schedule.time_zone"),
        ({"time_zone": ""}, "schedule.time_zone"),
    ],
)
async def test_hours_that_cannot_be(change: dict[str, object], field: str, operator: Client) -> None:
    wanted: dict[str, object] = {
        "days": [1],
        "opens": "09:00",
        "closes": "17:00",
        "time_zone": "UTC",
        **change,
    }
    request = pb.SetScheduleRequest(schedule=pb.Schedule(**wanted))  # type: ignore[arg-type]
    assert (await refused(operator.admin.SetSchedule(request))).field == field


@pytest.mark.usefixtures("ordinary")
async def test_one_is_halted_by_itself_and_all_together(operator: Client, floor: Venue) -> None:
    acme, bolt = await floor.instrument(), await floor.instrument()

    async def halt(symbol: str, halted: bool) -> dict[str, int]:
        answer = await operator.admin.SetHalt(pb.SetHaltRequest(symbol=symbol, halted=halted))
        return {one.symbol: one.phase for one in answer.instruments if symbol or one.symbol in (acme, bolt)}

    assert await halt(acme, True) == {acme: market_pb2.PHASE_HALTED}
    both = {acme: market_pb2.PHASE_HALTED, bolt: market_pb2.PHASE_HALTED}
    assert await halt("", True) == both
    assert await halt("", False) == {acme: market_pb2.PHASE_HALTED, bolt: market_pb2.PHASE_OPEN}
    assert await halt(acme, False) == {acme: market_pb2.PHASE_OPEN}
    assert (await refused(operator.admin.SetHalt(pb.SetHaltRequest(symbol="NOPE")))).reason == "NOT_FOUND"


async def test_an_announcement_stands_until_the_next_or_its_end(operator: Client) -> None:
    async def standing() -> list[str]:
        request = pb.SetMarketOverrideRequest(override=pb.MARKET_OVERRIDE_OPEN, validate_only=True)
        return [made.title for made in (await operator.admin.SetMarketOverride(request)).status.announcements]

    first = (await operator.announcements.Announce(AnnounceRequest(title="first"))).announcement
    assert (first.author, first.HasField("expires_at")) == (OPERATOR, False)
    assert await standing() == ["first"]
    await operator.announcements.Announce(AnnounceRequest(title="second", lifetime_seconds=60))
    assert await standing() == ["second"]
    await operator.announcements.Announce(AnnounceRequest(title="third"))
    assert await standing() == ["third", "second"]
    for bad in (
        AnnounceRequest(title=""),
        AnnounceRequest(title="x" * 281),
        AnnounceRequest(title="a\nb"),
        AnnounceRequest(title="x", lifetime_seconds=-1),
        AnnounceRequest(title="x", lifetime_seconds=INT64),
    ):
        assert (await refused(operator.announcements.Announce(bad))).reason == "INVALID_FIELD"


# --- orders and trades -----------------------------------------------------------------------------


async def test_orders_of_anyone_are_listed_and_cancelled(operator: Client, floor: Venue) -> None:
    ids = []
    acme, bolt = await floor.instrument(), await floor.instrument()
    for name, symbol in (("ada", acme), ("bob", acme), ("bobby", bolt)):
        player = await floor.player(name, 100_000)
        ids.append((await floor.place(player, buy(symbol, 5, 1_000))).order.order_id)

    async def listed(**query: object) -> list[tuple[int, str]]:
        request = pb.ListPlayerOrdersRequest(**query)  # type: ignore[arg-type]
        answer = await operator.admin.ListPlayerOrders(request)
        return [(one.order_id, one.player_name) for one in answer.orders if one.order_id in ids]

    assert await listed() == [(ids[2], "bobby"), (ids[1], "bob"), (ids[0], "ada")]
    assert await listed(name="bob") == [(ids[1], "bob")]
    assert await listed(symbol=bolt) == [(ids[2], "bobby")]
    rehearsal = pb.CancelPlayerOrderRequest(order_id=ids[0], request_id="x", validate_only=True)
    await operator.admin.CancelPlayerOrder(rehearsal)
    assert len(await listed(open_only=True)) == 3
    done = await operator.admin.CancelPlayerOrder(pb.CancelPlayerOrderRequest(order_id=ids[0]))
    assert (done.order.player_name, done.order.held) == ("ada", 0)
    assert await listed(open_only=True) == [(ids[2], "bobby"), (ids[1], "bob")]
    for bad, reason in (
        (pb.CancelPlayerOrderRequest(order_id=ids[0]), "ORDER_NOT_OPEN"),
        (pb.CancelPlayerOrderRequest(order_id=ids[0], validate_only=True), "ORDER_NOT_OPEN"),
        (pb.CancelPlayerOrderRequest(order_id=0), "NOT_FOUND"),
        (pb.CancelPlayerOrderRequest(order_id=-INT64 - 1), "NOT_FOUND"),
    ):
        assert (await refused(operator.admin.CancelPlayerOrder(bad))).reason == reason
    for bad_list in (pb.ListPlayerOrdersRequest(name="nobody"), pb.ListPlayerOrdersRequest(symbol="NOPE")):
        assert (await refused(operator.admin.ListPlayerOrders(bad_list))).reason == "NOT_FOUND"
    for bad_trades in (pb.ListPlayerTradesRequest(name="nobody"), pb.ListPlayerTradesRequest(symbol="NOPE")):
        assert (await refused(operator.admin.ListPlayerTrades(bad_trades))).reason == "NOT_FOUND"
