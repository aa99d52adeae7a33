"""Undoing a whole window, by two operators, and correcting its prices: back to the snapshot, and proven."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bearpit.client import Client
from bearpit.v1 import admin_pb2, auth_pb2, windows_pb2
from bearpit.v1 import rollbacks_pb2 as pb
from bearpit_server.rollback import work
from bearpit_server.rules.windows import WindowState
from bearpit_server.storage import clock
from bearpit_server.storage.models import Instrument, SettledPrice, Window

from tests.integration.dealt import end_window, list_dealt, open_window
from tests.integration.floor import SHARED
from tests.integration.test_rollbacks import DEBT, DONE, PLAYER, TRADE, ask, done, everything, get, named
from tests.orders import IOC, buy, sell
from tests.venue import PASSWORD, Venue, refused
from tests.windows import OPEN, TRADE_CLOSE, TRADING, create, list_by_window, move, settle
from tests.windows import get as window_of

WINDOW, PRICES = pb.ROLLBACK_LEVEL_WINDOW, pb.ROLLBACK_LEVEL_PRICES
REQUESTED, EXPIRED = pb.ROLLBACK_STATE_REQUESTED, pb.ROLLBACK_STATE_EXPIRED


async def second(floor: Venue) -> Client:
    """Another operator."""
    operator = await floor.operator()
    if not floor.rows("SELECT 1 FROM players WHERE name = 'second'"):
        request = admin_pb2.CreatePlayerRequest(name="second", password=PASSWORD, roles=[auth_pb2.ROLE_ADMIN])
        await operator.admin.CreatePlayer(request)
    return await floor.sign_in("second")


async def approve(
    client: Client, rollback_id: int, request_id: str = "", validate_only: bool = False
) -> pb.ApproveRollbackResponse:
    request = pb.ApproveRollbackRequest(
        rollback_id=rollback_id, request_id=request_id, validate_only=validate_only
    )
    return await client.rollbacks.ApproveRollback(request)


def price_of(symbol: str) -> int:
    """What the house deals at."""
    return int(Instrument.get(Instrument.symbol == symbol).price_cents)


async def take(floor: Venue, client: Client, *orders: Any) -> list[int]:
    """Trade with the house; the trades."""
    made = []
    for spec in orders:
        spec.time_in_force = IOC
        placed = await floor.place(client, spec)
        assert placed.order.filled_quantity == spec.quantity, placed
        made += [fill.trade_id for fill in placed.fills]
    return made


@SHARED
async def test_a_window_goes_back_to_its_snapshot_prices_included_and_that_is_proven(floor: Venue) -> None:
    one, two = await list_dealt(floor, 100, fee_bps=20), await list_dealt(floor, 250)
    ada, bob = await floor.trader(100_000), await floor.trader(100_000)
    earlier = await open_window(floor, one)
    await take(floor, ada, buy(one, 33, 103))
    await end_window(floor, earlier, {one: 110})
    before = [await floor.wallet(client) for client in (ada, bob)]
    window = await open_window(floor, one, two)
    await take(floor, ada, sell(one, 7, 100), buy(two, 11, 251))
    await take(floor, bob, buy(one, 5, 110), buy(two, 3, 250), sell(two, 1, 250))
    await end_window(floor, window, {one: 150, two: 200})
    made = await ask(floor, level=WINDOW, window_id=window, reason="the wrong plan")
    assert made.rollback.state == REQUESTED
    assert not made.effects.trade_count
    assert price_of(one) == 150
    rollback_id = made.rollback.rollback_id
    would = await get(floor, rollback_id)
    assert would.effects.trade_count == 5
    assert {(one.symbol, one.before_cents, one.after_cents) for one in would.effects.prices} == {
        (one, 150, 110),
        (two, 200, 250),
    }
    approved = await approve(await second(floor), rollback_id)
    assert approved.rollback.state == DONE
    assert (approved.rollback.requested_by, approved.rollback.decided_by) == ("operator", "second")
    assert [await floor.wallet(client) for client in (ada, bob)] == before
    assert price_of(one) == 110
    assert price_of(two) == 250
    assert "NOT EQUAL" not in approved.rollback.proof
    assert "all prices are back" in approved.rollback.proof
    assert f"when window {window} opened" in approved.rollback.proof
    assert Window.get_by_id(window).reversed_by == rollback_id
    rows = SettledPrice.select().where(SettledPrice.window_id == window)
    assert {row.corrected_by for row in rows} == {rollback_id}
    events = floor.rows(f"SELECT type FROM events WHERE subject = 'rollback:{rollback_id}' ORDER BY id")
    assert [type_ for (type_,) in events] == ["rollback.requested", "rollback.approved", "rollback.done"]


@SHARED
async def test_the_next_window_trades_at_the_prices_that_came_back(floor: Venue) -> None:
    symbol = await list_dealt(floor, 100)
    ada = await floor.trader(100_000)
    window = await open_window(floor, symbol)
    await take(floor, ada, buy(symbol, 10, 100))
    await end_window(floor, window, {symbol: 160})
    made = await ask(floor, level=WINDOW, window_id=window)
    await approve(await second(floor), made.rollback.rollback_id)
    await open_window(floor, symbol)
    placed = await floor.place(ada, buy(symbol, 1, 500, time_in_force=IOC))
    assert [fill.price_cents for fill in placed.fills] == [100]


@SHARED
async def test_who_asked_cannot_approve_and_a_dry_run_of_either_changes_nothing(floor: Venue) -> None:
    symbol = await list_dealt(floor)
    window = await open_window(floor, symbol)
    ada = await floor.trader(100_000)
    await take(floor, ada, buy(symbol, 10, 100))
    await end_window(floor, window, {symbol: 160})
    other = await second(floor)
    before = everything(floor)
    told = await ask(floor, level=WINDOW, window_id=window, validate_only=True)
    assert told.effects.trade_count == 1
    assert everything(floor) == before
    made = await ask(floor, level=WINDOW, window_id=window)
    before = everything(floor)
    operator = await floor.operator()
    for validate_only in (True, False):
        error = await refused(approve(operator, made.rollback.rollback_id, validate_only=validate_only))
        assert error.reason == "SECOND_OPERATOR_NEEDED"
    would = await approve(other, made.rollback.rollback_id, validate_only=True)
    assert would.effects == told.effects
    assert everything(floor) == before
    waiting = await operator.rollbacks.ListRollbacks(pb.ListRollbacksRequest(waiting_only=True))
    assert made.rollback.rollback_id in [one.rollback_id for one in waiting.rollbacks]


@SHARED
async def test_an_approval_counts_once_however_often_it_comes(floor: Venue) -> None:
    symbol = await list_dealt(floor)
    window = await open_window(floor, symbol)
    ada = await floor.trader(100_000)
    before = await floor.wallet(ada)
    await take(floor, ada, buy(symbol, 10, 100))
    await end_window(floor, window, {symbol: 160})
    made = await ask(floor, level=WINDOW, window_id=window)
    again = await ask(floor, level=WINDOW, window_id=window)
    other = await second(floor)
    request_id = f"approve-{made.rollback.rollback_id}"
    answers = await asyncio.gather(*(approve(other, made.rollback.rollback_id, request_id) for _ in range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert (await refused(approve(other, made.rollback.rollback_id))).reason == "NOT_POSSIBLE_NOW"
    error = await refused(approve(other, again.rollback.rollback_id))
    assert (error.reason, error.metadata["rollback_id"]) == (
        "ALREADY_REVERSED",
        str(made.rollback.rollback_id),
    )
    assert (await refused(ask(floor, level=WINDOW, window_id=window))).reason == "ALREADY_REVERSED"
    assert await floor.wallet(ada) == before


@pytest.fixture
def later() -> Iterator[Callable[[timedelta], None]]:
    """Let time pass."""
    yield lambda by: clock.use(lambda: datetime.now(UTC) + by)
    clock.use(None)


@SHARED
async def test_a_request_that_nobody_approves_in_time_expires(
    floor: Venue, ordinary: None, later: Callable[[timedelta], None]
) -> None:
    symbol = await list_dealt(floor)
    window = await open_window(floor, symbol)
    await end_window(floor, window, {symbol: 160})
    other = await second(floor)
    made = await ask(floor, level=WINDOW, window_id=window, lifetime_seconds=60)
    later(timedelta(seconds=61))
    assert (await refused(approve(other, made.rollback.rollback_id))).reason == "NOT_POSSIBLE_NOW"
    found = (await get(floor, made.rollback.rollback_id)).rollback
    assert found.state == EXPIRED
    assert price_of(symbol) == 160


@SHARED
async def test_a_request_that_is_turned_down_is_over(floor: Venue) -> None:
    symbol = await list_dealt(floor)
    window = await open_window(floor, symbol)
    await end_window(floor, window, {symbol: 160})
    other = await second(floor)
    made = await ask(floor, level=WINDOW, window_id=window)
    request = pb.RejectRollbackRequest(rollback_id=made.rollback.rollback_id)
    rejected = (await other.rollbacks.RejectRollback(request)).rollback
    assert rejected.state == pb.ROLLBACK_STATE_REJECTED
    assert rejected.decided_by == "second"
    assert (await refused(approve(other, made.rollback.rollback_id))).reason == "NOT_POSSIBLE_NOW"


@SHARED
async def test_a_window_that_trades_or_that_another_has_followed_cannot_be_reversed(floor: Venue) -> None:
    symbol = await list_dealt(floor)
    first = await open_window(floor, symbol)
    error = await refused(ask(floor, level=WINDOW, window_id=first))
    assert (error.reason, error.metadata["state"]) == ("NOT_POSSIBLE_NOW", "TRADING")
    await end_window(floor, first, {symbol: 120})
    following = await open_window(floor, symbol)
    error = await refused(ask(floor, level=WINDOW, window_id=first))
    assert (error.reason, error.metadata["window_id"]) == ("NOT_POSSIBLE_NOW", str(following))
    await end_window(floor, following, {symbol: 130})
    made = await ask(floor, level=WINDOW, window_id=following)
    other = await second(floor)
    await approve(other, made.rollback.rollback_id)
    made = await ask(floor, level=WINDOW, window_id=first)
    await approve(other, made.rollback.rollback_id)
    assert price_of(symbol) == 100


@SHARED
async def test_a_window_that_is_not_settled_yet_is_cancelled_with_it(floor: Venue) -> None:
    symbol = await list_dealt(floor)
    window = await open_window(floor, symbol)
    await end_window(floor, window)
    made = await ask(floor, level=WINDOW, window_id=window)
    await approve(await second(floor), made.rollback.rollback_id)
    assert Window.get_by_id(window).state == WindowState.CANCELLED
    told = floor.rows(
        "SELECT e.type, p.name, e.payload->>'from' FROM events e JOIN players p ON p.id = e.actor_id "
        f"WHERE e.subject = 'window:{window}' ORDER BY e.id DESC LIMIT 2"
    )
    assert told == [("window.reversed", "second", None), ("window.cancelled", "second", "TRADE_CLOSE")]


@SHARED
async def test_what_others_moved_since_stays_and_a_debt_is_told_in_the_proof(floor: Venue) -> None:
    symbol = await list_dealt(floor, 100)
    ada, bob, cyd = await floor.trader(10_000), await floor.trader(10_000), await floor.trader(0)
    window = await open_window(floor, symbol)
    await take(floor, bob, buy(symbol, 10, 100))
    await take(floor, ada, buy(symbol, 50, 100))
    await end_window(floor, window, {symbol: 300})
    following = await open_window(floor, symbol)
    await take(floor, ada, sell(symbol, 50, 300))
    await end_window(floor, following, {symbol: 100})
    await floor.transfer(ada, await named(floor, cyd), 20_000)
    other = await second(floor)
    made = await ask(floor, level=WINDOW, window_id=following, policy=DEBT)
    approved = await approve(other, made.rollback.rollback_id)
    wallet = await floor.wallet(ada)
    # She sold for 15,000 and has given away all she had, so that she owes what she has to give back.
    assert (wallet.cash_cents, wallet.debt_cents) == (0, 15_000)
    assert "lent or granted" in approved.rollback.proof
    assert "NOT EQUAL" not in approved.rollback.proof
    assert "what others have moved since" in approved.rollback.proof
    assert (await floor.wallet(cyd)).cash_cents == 20_000


@SHARED
async def test_a_trade_that_was_reversed_before_is_left_alone(floor: Venue) -> None:
    symbol = await list_dealt(floor, 100, fee_bps=30)
    ada = await floor.trader(100_000)
    before = await floor.wallet(ada)
    window = await open_window(floor, symbol)
    _, gone, _ = await take(floor, ada, buy(symbol, 10, 100), buy(symbol, 7, 100), buy(symbol, 3, 100))
    await ask(floor, level=TRADE, trade_id=gone)
    await end_window(floor, window, {symbol: 120})
    one = await ask(floor, level=PLAYER, player=await named(floor, ada), window_id=window, validate_only=True)
    assert one.effects.trade_count == 2
    made = await ask(floor, level=WINDOW, window_id=window)
    approved = await approve(await second(floor), made.rollback.rollback_id)
    assert approved.effects.trade_count == 2
    assert "NOT EQUAL" not in approved.rollback.proof
    assert await floor.wallet(ada) == before


@SHARED
async def test_a_large_window_is_reversed_in_steps_while_its_players_go_on(
    floor: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    symbol = await list_dealt(floor, 100, fee_bps=15)
    ada, bob = await floor.trader(100_000), await floor.trader(100_000)
    before = [await floor.wallet(client) for client in (ada, bob)]
    window = await open_window(floor, symbol)
    for quantity in range(1, 8):
        await take(floor, ada, buy(symbol, quantity, 100), sell(symbol, 1, 100))
        await take(floor, bob, buy(symbol, 2 * quantity, 100))
    await end_window(floor, window, {symbol: 120})
    monkeypatch.setattr(work, "AT_ONCE", 5)
    monkeypatch.setattr(work, "BATCH", 4)
    made = await ask(floor, level=WINDOW, window_id=window)
    approved = await approve(await second(floor), made.rollback.rollback_id)
    assert approved.rollback.state == pb.ROLLBACK_STATE_RUNNING
    over = await done(floor, made.rollback.rollback_id)
    assert (over.state, over.total, over.done) == (DONE, 21, 21)
    assert "NOT EQUAL" not in over.proof
    assert [await floor.wallet(client) for client in (ada, bob)] == before


# Prices


@SHARED
async def test_a_wrong_price_is_corrected_by_a_new_record_and_no_trade_is_reversed(floor: Venue) -> None:
    one, two = await list_dealt(floor, 100), await list_dealt(floor, 200)
    ada = await floor.trader(100_000)
    window = await open_window(floor, one, two)
    trades = await take(floor, ada, buy(one, 10, 100))
    await end_window(floor, window, {one: 150, two: 210})
    wallet = await floor.wallet(ada)
    told = await ask(floor, level=PRICES, window_id=window, prices={one: 105}, validate_only=True)
    assert price_of(one) == 150
    made = await ask(floor, level=PRICES, window_id=window, prices={one: 105})
    assert made.rollback.state == DONE
    assert made.effects == told.effects
    (change,) = made.effects.prices
    assert (change.symbol, change.before_cents, change.after_cents) == (one, 150, 105)
    assert price_of(one) == 105
    assert price_of(two) == 210
    rows = [
        (row.price_cents, row.corrected_by, row.move_bps)
        for row in SettledPrice.select().where(SettledPrice.window_id == window).order_by(SettledPrice.id)
        if row.instrument_id == Instrument.get(Instrument.symbol == one).id
    ]
    assert rows == [(150, made.rollback.rollback_id, 0), (105, None, 500)]
    assert await floor.wallet(ada) == wallet
    assert not any(fill.reversed for fill in await floor.fills(ada) if fill.trade_id in trades)
    await open_window(floor, one)
    placed = await floor.place(ada, buy(one, 1, 500, time_in_force=IOC))
    assert [fill.price_cents for fill in placed.fills] == [105]


@SHARED
async def test_a_correction_of_an_older_window_leaves_the_price_that_a_later_one_made(floor: Venue) -> None:
    symbol = await list_dealt(floor, 100)
    first = await open_window(floor, symbol)
    await end_window(floor, first, {symbol: 150})
    following = await open_window(floor, symbol)
    await end_window(floor, following, {symbol: 170})
    made = await ask(floor, level=PRICES, window_id=first, prices={symbol: 140})
    assert "later window" in made.effects.prices[0].explanation
    assert price_of(symbol) == 170
    await ask(floor, level=PRICES, window_id=following, prices={symbol: 160})
    assert price_of(symbol) == 160


@SHARED
@pytest.mark.parametrize("cents", [0, -5, 10**16, 150])
async def test_prices_that_cannot_be_or_are_there_already_are_refused(floor: Venue, cents: int) -> None:
    symbol = await list_dealt(floor, 100)
    window = await open_window(floor, symbol)
    error = await refused(ask(floor, level=PRICES, window_id=window, prices={symbol: 120}))
    assert (error.reason, error.metadata["state"]) == ("NOT_POSSIBLE_NOW", "TRADING")
    await end_window(floor, window, {symbol: 150})
    for prices in ({symbol: cents}, {"NONE": 100}):
        before = everything(floor)
        error = await refused(ask(floor, level=PRICES, window_id=window, prices=prices))
        assert error.reason == ("NOT_POSSIBLE_NOW" if prices == {symbol: 150} else "INVALID_FIELD")
        assert everything(floor) == before


# With the windows' own service


@SHARED
async def test_a_price_is_found_anew_by_another_plan_and_then_all_of_it_is_taken_back(floor: Venue) -> None:
    operator = await floor.operator()
    await list_by_window(floor, "REALA", "REALB", price_cents=1_000)
    window = await create(operator, "REALA", "REALB")
    window = await move(operator, window, OPEN, TRADING)
    await floor.settled()
    ada = await floor.trader(1_000_000)
    before = await floor.wallet(ada)
    await take(floor, ada, buy("REALA", 100, 1_000))
    window = await move(operator, window, TRADE_CLOSE)
    await settle(operator, window)
    wrong = price_of("REALA"), price_of("REALB")
    error = await refused(ask(floor, level=PRICES, window_id=window.window_id))
    assert error.reason == "NOT_POSSIBLE_NOW"  # the window's own plan finds what holds
    plan = windows_pb2.SettlementPlan(
        rule=windows_pb2.Rule(algorithm="fixed", parameters={"move_bps": "700"})
    )
    told = await ask(floor, level=PRICES, window_id=window.window_id, plan=plan, validate_only=True)
    assert (price_of("REALA"), price_of("REALB")) == wrong
    made = await ask(floor, level=PRICES, window_id=window.window_id, plan=plan)
    assert made.effects == told.effects
    assert (price_of("REALA"), price_of("REALB")) == (1_070, 1_070)
    holding = (await window_of(operator, window)).prices
    assert {price.symbol: price.price_cents for price in holding if not price.corrected_by} == {
        "REALA": 1_070,
        "REALB": 1_070,
    }
    await floor.settled()
    assert (await floor.quote("REALA")).last_cents == 1_070
    asked = await ask(floor, level=WINDOW, window_id=window.window_id)
    approved = await approve(await second(floor), asked.rollback.rollback_id)
    assert "NOT EQUAL" not in approved.rollback.proof
    assert (price_of("REALA"), price_of("REALB")) == (1_000, 1_000)
    assert await floor.wallet(ada) == before
    assert (await window_of(operator, window)).window.reversed
    await floor.settled()
    assert (await floor.quote("REALA")).last_cents == 1_000
