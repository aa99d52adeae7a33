"""The house deals at prices that come from a feed: how orders are executed, and what may be set."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import pytest
import pytest_asyncio
from bearpit.v1 import admin_pb2, pricing_pb2
from bearpit.v1 import trading_pb2 as pb
from bearpit_server.storage import clock

from tests.integration.floor import SHARED
from tests.integration.prices import (
    Time,
    begin,
    change,
    change_group,
    group,
    groups,
    instrument,
    marks,
    push,
    step,
    stopped,
    till,
)
from tests.orders import CLOSED, FILLED, FOK, IOC, WAITING, buy, sell, traded
from tests.postgres import Postgres
from tests.venue import ON_DEMAND, Venue, prepare, refused, serving, venue

_numbers = count(1)


def fresh(name: str) -> str:
    """A name that nothing on the floor has."""
    return f"{name}{next(_numbers)}"


@pytest.fixture(scope="module", name="shared_time")
def make_shared_time() -> Iterator[Time]:
    """The floor's clock, which never goes back."""
    yield Time()
    clock.use(None)


@pytest.fixture(name="time")
def make_time(shared_time: Time) -> Time:
    """The same, at a full second."""
    shared_time.now = shared_time.now.replace(microsecond=0) + timedelta(seconds=1)
    clock.use(lambda: shared_time.now)
    return shared_time


@pytest_asyncio.fixture(loop_scope="module", name="gold")
async def make_gold(floor: Venue, time: Time) -> str:
    """An instrument whose price is pushed, in a group of its own; the market is open."""
    await floor.open_market()
    symbol = fresh("GOLD")
    await group(floor, wire(symbol), source="pushed", band_bps=0)
    await instrument(floor, symbol, group=wire(symbol), price_cents=10_000)
    await said(floor, time, symbol, 10_000)
    return symbol


def wire(gold: str) -> str:
    """The group of an instrument whose price is pushed."""
    return gold.lower().replace("gold", "wire")


async def said(floor: Venue, time: Time, symbol: str, cents: int) -> None:
    """A pushed price, a second later than the last."""
    time.pass_by(1)
    answer = await push(await floor.operator(), (symbol, cents, time.now))
    assert answer.accepted == 1, answer


@SHARED
async def test_an_order_is_executed_at_the_price_of_its_execution(
    floor: Venue, time: Time, gold: str
) -> None:
    ada = await floor.trader()
    assert traded((await floor.place(ada, buy(gold, 10))).fills) == [(10_000, 10)]
    await said(floor, time, gold, 10_500)
    assert traded((await floor.place(ada, buy(gold, 1, 11_000))).fills) == [(10_500, 1)]
    assert traded((await floor.place(ada, sell(gold, 11))).fills) == [(10_500, 11)]
    wallet = await floor.wallet(ada)
    assert (wallet.cash_cents, wallet.held_cents) == (1_000_000 + 10 * 500, 0)
    assert till(floor, gold) == (-10 * 500, 0), "what players win the house pays"


@SHARED
async def test_a_price_that_moves_while_an_order_is_on_its_way_never_takes_more_than_is_held(
    floor: Venue, time: Time, gold: str
) -> None:
    operator = await floor.operator()
    ada = await floor.trader(100_000_000)
    for _ in range(20):
        time.pass_by(1)
        up, down = 10_200, 9_800
        _, placed, _ = await asyncio.gather(
            push(operator, (gold, up, time.now)),
            floor.place(ada, buy(gold, 10, 10_100)),
            push(operator, (gold, down, time.now + timedelta(milliseconds=1))),
        )
        assert all(price <= 10_100 for price, _ in traded(placed.fills))
        if not placed.fills:
            assert placed.order.held == 10 * 10_100
    await said(floor, time, gold, 9_900)
    await floor.settled()
    wallet = await floor.wallet(ada)
    assert wallet.held_cents == 0
    assert sum(position.quantity for position in wallet.positions) == 200


@SHARED
async def test_half_the_spread_is_on_either_side(floor: Venue, gold: str) -> None:
    await change(floor, gold, spread_bps=100)
    quote = await floor.quote(gold)
    assert (quote.bid_cents, quote.ask_cents) == (0, 10_050), "nobody has shares to sell"
    ada = await floor.trader()
    assert traded((await floor.place(ada, buy(gold, 2))).fills) == [(10_050, 2)]
    quote = await floor.quote(gold)
    assert (quote.bid_cents, quote.ask_cents, quote.last_cents) == (9_950, 10_050, 10_000)
    assert traded((await floor.place(ada, sell(gold, 2))).fills) == [(9_950, 2)]


@SHARED
async def test_the_house_sells_no_more_than_its_inventory(floor: Venue, gold: str) -> None:
    await change(floor, gold, inventory=10)
    ada, bob = await floor.trader(), await floor.trader()
    await floor.place(ada, buy(gold, 7))
    error = await floor.refused(bob, buy(gold, 4), "INVENTORY_LIMIT")
    assert error.metadata["allowed"] == "3"
    await floor.place(bob, buy(gold, 3))
    await floor.refused(bob, buy(gold, 1), "INVENTORY_LIMIT")
    await floor.place(ada, sell(gold, 7))
    await floor.place(bob, buy(gold, 7))
    assert (await floor.quote(gold)).ask_quantity == 0


@SHARED
async def test_a_limit_order_waits_for_its_price(floor: Venue, time: Time, gold: str) -> None:
    ada = await floor.trader()
    bid = (await floor.place(ada, buy(gold, 10, 9_500))).order
    assert (bid.status, bid.held) == (pb.ORDER_STATUS_WORKING, 95_000)
    await said(floor, time, gold, 9_501)
    assert (await floor.order(ada, bid.order_id)).filled_quantity == 0
    await said(floor, time, gold, 9_400)
    await floor.settled()
    done = await floor.order(ada, bid.order_id)
    assert (done.status, done.filled_value_cents, done.held) == (FILLED, 94_000, 0)


@SHARED
async def test_a_stop_is_triggered_by_the_price(floor: Venue, time: Time, gold: str) -> None:
    ada = await floor.trader()
    await floor.place(ada, buy(gold, 10))
    stop = sell(gold, 10, type=pb.ORDER_TYPE_STOP, stop_price_cents=9_000)
    placed = (await floor.place(ada, stop)).order
    assert placed.status == WAITING
    await said(floor, time, gold, 9_001)
    assert (await floor.order(ada, placed.order_id)).status == WAITING
    await said(floor, time, gold, 8_900)
    await floor.settled()
    done = await floor.order(ada, placed.order_id)
    assert (done.status, done.filled_value_cents) == (FILLED, 89_000)


@SHARED
async def test_orders_that_may_not_wait_do_not(floor: Venue, gold: str) -> None:
    ada = await floor.trader()
    for spec in (buy(gold, 1, 9_000, time_in_force=IOC), buy(gold, 1, 9_000, time_in_force=FOK)):
        ended = (await floor.place(ada, spec)).order
        assert (ended.status, ended.held) == (pb.ORDER_STATUS_CANCELLED, 0)


@SHARED
async def test_waiting_orders_that_a_changed_spread_reaches_are_executed(floor: Venue, gold: str) -> None:
    await change(floor, gold, spread_bps=200)
    ada = await floor.trader()
    bid = (await floor.place(ada, buy(gold, 1, 10_000))).order
    assert bid.filled_quantity == 0
    await change(floor, gold, spread_bps=0)
    await floor.settled()
    assert (await floor.order(ada, bid.order_id)).status == FILLED


@SHARED
async def test_a_price_that_is_too_old_is_not_dealt_at(floor: Venue, time: Time, gold: str) -> None:
    ada = await floor.trader()
    time.pass_by(61)
    await floor.refused(ada, buy(gold, 1), "NO_PRICE")
    await change_group(floor, wire(gold), max_age_ms=120_000)
    assert (await floor.place(ada, buy(gold, 1))).order.status == FILLED


@SHARED
async def test_a_group_shows_its_steps_and_members(floor: Venue, time: Time, gold: str) -> None:
    await said(floor, time, gold, 10_100)
    shown = (await groups(floor))[wire(gold)]
    assert (list(shown.symbols), shown.steps, shown.mechanism) == ([gold], 2, "feed")
    assert shown.stepped_at.ToSeconds() == int(time.now.timestamp())
    assert shown.parameters["source"] == "pushed"
    assert marks(floor, gold) == [10_000, 10_100]


@SHARED
async def test_a_step_is_late_only_if_somebody_waited_for_it(floor: Venue, time: Time) -> None:
    sim = fresh("SIM")
    await instrument(floor, sim, volatility_bps=0)
    await step(floor, time)
    await floor.set_market(CLOSED)
    await step(floor, time, 60)
    await begin(floor, time)
    assert (await groups(floor))[sim].late_steps == 0
    await step(floor, time, 1.5)
    assert (await groups(floor))[sim].late_steps == 1


# What steps make


async def test_the_same_seed_makes_the_same_prices(postgres: Postgres) -> None:
    runs = []
    for _ in range(2):
        with stopped() as time:
            async with venue(postgres) as made:
                await group(made, "sim", seed="bear", common_volatility_bps=50)
                await instrument(made, "UP", group="sim", volatility_bps=500)
                await instrument(made, "DOWN", group="sim", volatility_bps=500, common_bps=-10_000)
                await begin(made, time)
                for _ in range(15):
                    await step(made, time)
                runs.append((marks(made, "UP"), marks(made, "DOWN")))
    assert runs[0] == runs[1]
    assert len(set(runs[0][0])) > 5


@SHARED
async def test_two_groups_without_a_seed_do_not_move_alike(floor: Venue, time: Time, gold: str) -> None:
    first, second = fresh("A"), fresh("A")
    for name in (first, second):
        await instrument(floor, name, volatility_bps=2_000)
    for _ in range(5):
        await step(floor, time)
    assert marks(floor, first) != marks(floor, second)
    found = await groups(floor)
    seeds = {found[name].parameters["seed"] for name in (first, second, wire(gold))}
    assert "" not in seeds
    assert len(seeds) == 3


async def test_a_restart_continues_prices_and_steps(postgres: Postgres) -> None:
    """A run that is interrupted makes the prices of one that is not."""
    runs = []
    for interrupted in (False, True):
        with stopped() as time, postgres.database() as database:
            prepare(database, **ON_DEMAND)
            async with serving(database) as made:
                await group(made, "sim", seed="bear")
                await instrument(made, "UP", group="sim", volatility_bps=2_000)
                await begin(made, time)
                for _ in range(4 if interrupted else 8):
                    await step(made, time)
                if not interrupted:
                    runs.append((marks(made, "UP"), (await groups(made))["sim"].steps))
            if interrupted:
                async with serving(database) as made:
                    await made.settled()
                    assert (await made.quote("UP")).last_cents == marks(made, "UP")[-1]
                    for _ in range(4):
                        await step(made, time)
                    runs.append((marks(made, "UP"), (await groups(made))["sim"].steps))
    assert runs[0] == runs[1]


CSV = """date,open,high,low,close,volume
2020-01-01,10.00,12.00,9.00,11.00,5
2020-01-02,11.00,11.50,10.50,11.25,7
2020-01-03,11.25,20.00,11.00,19.50,9
"""


@SHARED
async def test_a_recorded_feed_plays_its_recording(floor: Venue, time: Time) -> None:
    tape, past, old = fresh("tape"), fresh("past"), fresh("OLD")
    operator = await floor.operator()
    await operator.pricing.ImportRecording(pricing_pb2.ImportRecordingRequest(name=tape, csv=CSV))
    await floor.set_market(CLOSED)
    await group(floor, past, source="recorded", interval_ms=1_000, day_ms=4_000, seed="x")
    await instrument(floor, old, group=past, recording=tape)
    ada = await floor.trader()
    assert (await floor.quote(old)).last_cents == 0, "it has none before it plays"
    await begin(floor, time)
    seen = [(await floor.quote(old)).last_cents]
    for _ in range(12):
        await step(floor, time)
        seen.append((await floor.quote(old)).last_cents)
    assert (seen[3], seen[7], seen[11]) == (1_100, 1_125, 1_950), "a day's last step is its close"
    assert seen[12] == 1_950, "it stops at the end"
    assert (min(seen[:4]), max(seen[:4])) == (900, 1_200)
    assert max(seen) == 2_000
    assert traded((await floor.place(ada, buy(old, 3))).fills) == [(1_950, 3)]


@SHARED
async def test_before_a_recording_has_begun_there_is_no_price_for_any_order(floor: Venue, time: Time) -> None:
    tape, past, old = fresh("tape"), fresh("past"), fresh("OLD")
    operator = await floor.operator()
    request = pricing_pb2.ImportRecordingRequest(name=tape, csv=f"date,close\n{time.now:%Y-%m-%d},10.00\n")
    await operator.pricing.ImportRecording(request)
    await group(floor, past, source="recorded", starts_on="2001-01-01")
    await instrument(floor, old, group=past, recording=tape)
    ada = await floor.trader()
    for spec in (buy(old, 1), buy(old, 1, 1_000)):
        await floor.refused(ada, spec, "NO_PRICE")


@SHARED
async def test_a_replaced_recording_is_read_again(floor: Venue, time: Time) -> None:
    tape, past, old = fresh("tape"), fresh("past"), fresh("OLD")
    operator = await floor.operator()
    await operator.pricing.ImportRecording(pricing_pb2.ImportRecordingRequest(name=tape, csv=CSV))
    await floor.set_market(CLOSED)
    await group(floor, past, source="recorded", interval_ms=1_000, day_ms=2_000)
    await instrument(floor, old, group=past, recording=tape)
    await begin(floor, time)
    await step(floor, time)
    assert (await floor.quote(old)).last_cents == 1_100
    dearer = CSV.replace("11.25,7", "77.00,7").replace("11.50", "99.00")
    request = pricing_pb2.ImportRecordingRequest(name=tape, csv=dearer, replace=True)
    await operator.pricing.ImportRecording(request)
    for _ in range(2):
        await step(floor, time)
    assert (await floor.quote(old)).last_cents == 7_700


# What is changed while it runs


@SHARED
async def test_parameters_change_while_prices_move(floor: Venue, time: Time) -> None:
    sim, calm = fresh("sim"), fresh("CALM")
    await group(floor, sim, seed="bear")
    await instrument(floor, calm, group=sim, volatility_bps=0)
    for _ in range(3):
        await step(floor, time)
    assert marks(floor, calm) == [], "nothing moved"
    await change(floor, calm, volatility_bps=5_000)
    await step(floor, time)
    assert len(marks(floor, calm)) == 1
    await change_group(floor, sim, interval_ms=10_000)
    steps = (await groups(floor))[sim].steps
    await step(floor, time, 0.5)
    assert (await groups(floor))[sim].steps == steps


@SHARED
async def test_what_does_not_go_together_is_refused(floor: Venue, gold: str) -> None:
    past = fresh("past")
    operator = await floor.operator()
    error = await refused(change(floor, gold, price_cents=5))
    assert (error.reason, "begun" in error.message) == ("INVALID_FIELD", True)
    error = await refused(change_group(floor, wire(gold), source="recorded"))
    assert (error.reason, gold in error.message) == ("INVALID_FIELD", True)
    assert (await refused(change(floor, gold, colour="red"))).reason == "INVALID_FIELD"
    assert (await refused(group(floor, wire(gold).upper()))).reason == "ALREADY_EXISTS"
    assert (await refused(group(floor, "books", "order_book"))).reason == "INVALID_FIELD"
    assert (await refused(group(floor, "x", "dice"))).reason == "NOT_FOUND"
    assert (await refused(instrument(floor, "A", group="none"))).reason == "NOT_FOUND"
    assert (await refused(instrument(floor, "A", "attention", group=wire(gold)))).reason == "INVALID_FIELD"
    assert (await refused(instrument(floor, "A", "order_book", group=wire(gold)))).reason == "INVALID_FIELD"
    assert (await refused(instrument(floor, wire(gold).upper()))).reason == "ALREADY_EXISTS"
    assert (await refused(instrument(floor, "A", tick=7, price_cents=100))).reason == "OFF_TICK"
    ipo = admin_pb2.OpenIpoRequest(symbol=gold, price_cents=100, quantity=10)
    assert (await refused(operator.admin.OpenIpo(ipo))).reason == "NOT_POSSIBLE_NOW"
    await group(floor, past, source="recorded")
    assert (await refused(instrument(floor, "A", group=past, recording="none"))).reason == "NOT_FOUND"


@SHARED
async def test_a_rehearsal_changes_nothing(floor: Venue, gold: str) -> None:
    operator = await floor.operator()

    async def set_up() -> dict[str, dict[str, str]]:
        return {name: dict(one.parameters) for name, one in (await groups(floor)).items()}

    before = await set_up()
    wanted = pricing_pb2.CreateGroupRequest(name="new", mechanism="feed", validate_only=True)
    assert (await operator.pricing.CreateGroup(wanted)).group.name == "new"
    changed = pricing_pb2.UpdateGroupRequest(
        name=wire(gold), parameters={"band_bps": "5"}, validate_only=True
    )
    assert (await operator.pricing.UpdateGroup(changed)).group.parameters["band_bps"] == "5"
    assert await set_up() == before
