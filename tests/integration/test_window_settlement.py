"""Settlement: what it is told, what it keeps, that it ends in the same prices wherever it is cut short."""

import asyncio
import random
from itertools import count

import pytest
import pytest_asyncio
from bearpit.client import Client
from bearpit.v1 import windows_pb2 as pb
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.rules.windows import Times, WindowKind, WindowState
from bearpit_server.storage import bulk
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Event, Instrument, SettledPrice, Window
from bearpit_server.windows import lifecycle, settlement, trading
from bearpit_server.windows.plans import Plan, Rule

from tests.integration.floor import SHARED
from tests.orders import buy, sell
from tests.venue import Venue, refused
from tests.windows import (
    OPEN,
    SETTLED,
    SETTLING,
    TRADE_CLOSE,
    TRADING,
    create,
    get,
    insert_instruments,
    list_by_window,
    move,
    prices,
    settle,
)

_numbers = count(1)
SYMBOLS = tuple(f"W{number:02}" for number in range(50))


def fixed(bps: int) -> pb.Rule:
    """A rule that moves the price by so much."""
    return pb.Rule(algorithm="fixed", parameters={"move_bps": str(bps)})


@pytest_asyncio.fixture(loop_scope="module", name="operator")
async def make_operator(floor: Venue) -> Client:
    """The floor's operator."""
    return await floor.operator()


def pair() -> tuple[str, str]:
    """Two new symbols, in their order."""
    number = next(_numbers)
    return f"A{number:03}", f"B{number:03}"


async def traded(venue: Venue, operator: Client, aaa: str, bbb: str, **more: object) -> pb.Window:
    """A window of two new instruments that has traded: ada 300 AAA, bob 100 AAA less 50; BBB nothing."""
    await list_by_window(venue, aaa, bbb)
    ada, bob = await venue.trader(), await venue.trader()
    window = await move(operator, await create(operator, aaa, bbb, **more), OPEN, TRADING)
    await venue.place(ada, buy(aaa, 300, 1_000))
    await venue.place(bob, buy(aaa, 100, 1_000))
    await venue.place(bob, sell(aaa, 50, 1_000))
    return await move(operator, window, TRADE_CLOSE)


@SHARED
async def test_a_new_price_follows_from_the_trading_and_says_why(floor: Venue, operator: Client) -> None:
    aaa, bbb = pair()
    window = await traded(floor, operator, aaa, bbb)
    frames = await settle(operator, window)
    assert (frames[-1].done, frames[-1].total, frames[-1].step) == (2, 2, "the window is SETTLED")
    found = await get(operator, window)
    assert found.window.state == SETTLED
    first, second = found.prices
    assert (first.bought, first.sold, first.players, first.concentration_bps) == (400, 50, 2, 6_667)
    # 500 bps × 350 / 1,000 = 175, less half of two thirds of it.
    assert [(factor.name, factor.bps) for factor in first.factors][:2] == [
        ("demand", 175), ("concentration", -58),
    ]  # fmt: skip
    assert (first.previous_cents, first.price_cents, first.move_bps) == (1_000, 1_012, 120)
    assert first.explanation.startswith("+1.2 %: 400 bought and 50 sold by 2 players: demand +1.75 %")
    assert (first.algorithm, first.parameters["depth_shares"]) == ("linear", "1000")
    assert (second.symbol, second.price_cents, second.players) == (bbb, 1_000, 0)
    [row] = SettledPrice.select().where(
        SettledPrice.window_id == window.window_id, SettledPrice.price_cents == 1_012
    )
    assert (row.trading["buyers"], row.trading["sellers"], row.trading["outstanding"]) == (2, 1, 350)
    assert row.trading["anchor_cents"] == 1_000


async def test_the_long_term_price_is_the_mean_of_the_last_windows(database: Database) -> None:
    insert_instruments(database, "AAA", price_cents=1_000)
    for bps in (1_000, 1_000, 0):
        window = _window(database, Plan(Rule("fixed", {"move_bps": str(bps)})))
        with database.transaction():
            [each] = trading.gather(window.id)
        settlement.settle(database, window.id)
    assert (each.trading.previous_cents, each.trading.anchor_cents) == (1_210, (1_000 + 1_100 + 1_210) // 3)


async def test_reversed_trades_do_not_count(venue: Venue) -> None:
    operator = await venue.operator()
    window = await traded(venue, operator, "AAA", "BBB")
    [(trade_id,)] = venue.rows("SELECT id FROM trades WHERE quantity = 300")
    with venue.database.transaction():
        bulk.execute(
            "INSERT INTO rollbacks (level, state, policy, reason, requested_by, requested_at) "
            "VALUES (1, 3, 1, 'test', 1, now())"
        )
        bulk.execute("INSERT INTO reversals VALUES (%s, 1, now())", trade_id)
        found = trading.gather(window.window_id)[0].trading
        bulk.execute("DELETE FROM reversals")  # its postings were not made, which the proof would find
    assert (found.buys, found.sells, found.players, found.outstanding) == (100, 50, 1, 50)


# --- cut short -------------------------------------------------------------------------------------


def _window(database: Database, plan: Plan) -> Window:
    """A window of all instruments that is to be settled."""
    with database.transaction():
        wanted = lifecycle.Wanted("x", WindowKind.WEEK, 0, [], Times(), "", "", plan, True)
        window = lifecycle.create(wanted, HOUSE_ORIGIN)
        for state in ("OPEN", "TRADING", "TRADE_CLOSE", "SETTLING"):
            lifecycle.move(window.id, WindowState[state], HOUSE_ORIGIN)
    return lifecycle.get(window.id)


@pytest.fixture
def window(database: Database) -> Window:
    """One of fifty instruments that has traded, and is to be settled."""
    insert_instruments(database, *SYMBOLS)
    made = _window(database, Plan())
    chance = random.Random(7)
    with database.transaction():
        for number, row in enumerate(Instrument.select().order_by(Instrument.id), 1):
            bulk.execute(
                "INSERT INTO trades SELECT %s * 100 + n, %s, 1000, %s + n, 1, n, 0, 1 + n %% 5, 0, 0, 0, "
                "now(), %s FROM generate_series(1, %s) n",
                number, row.id, chance.randint(1, 500), made.id, chance.randint(1, 8),
            )  # fmt: skip
    return made


def outcome(database: Database) -> list[tuple[object, ...]]:
    """What a settlement has done, but when."""
    rows = database.execute(
        "SELECT s.instrument_id, s.price_cents, i.price_cents, i.reference_price_cents, s.explanation, "
        "s.trading FROM settlements s JOIN instruments i ON i.id = s.instrument_id ORDER BY s.instrument_id"
    )
    return [tuple(row) for row in rows.fetchall()]


class Killed(BaseException):
    """Nothing in the server catches it."""


async def test_killed_after_any_batch_and_begun_again_it_ends_in_the_same_prices(
    database: Database, window: Window
) -> None:
    with database.transaction():
        undisturbed = {
            found.traded.instrument_id: found.settled.price_cents
            for _, found in settlement.simulate(window.id)
        }
    assert len(set(undisturbed.values())) > 10
    chance = random.Random(1)
    attempts = 0

    def told() -> None:
        if chance.random() < 0.6:
            raise Killed

    while True:
        attempts += 1
        try:
            if settlement.settle(database, window.id, told):
                break
        except Killed:
            continue
    assert attempts > 2
    assert {row[0]: row[1] for row in outcome(database)} == undisturbed
    assert all(row[1] == row[2] == row[3] for row in outcome(database))
    assert lifecycle.get(window.id).state == WindowState.SETTLED
    assert Event.select().where(Event.type == "window.settled").count() == 1


@pytest.mark.parametrize("statement", range(1, 30, 4))
async def test_killed_within_a_batch_it_leaves_nothing_half_done(
    database: Database, window: Window, statement: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = statement
    execute = type(database.peewee).execute_sql

    def failing(self: object, *args: object, **kwargs: object) -> object:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed
        return execute(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(type(database.peewee), "execute_sql", failing)
        with pytest.raises(Killed):
            settlement.settle(database, window.id)
    rows = outcome(database)
    assert len(rows) % settlement.BATCH == 0
    assert all(row[1] == row[2] for row in rows)
    assert settlement.settle(database, window.id)
    assert len(outcome(database)) == len(SYMBOLS)
    assert outcome(database)[: len(rows)] == rows


async def test_two_at_once_settle_each_instrument_once(database: Database, window: Window) -> None:
    def work() -> bool:
        try:
            return settlement.settle(database, window.id)
        finally:
            database.disconnect()

    assert all(await asyncio.gather(*(asyncio.to_thread(work) for _ in range(3))))
    assert len(outcome(database)) == len(SYMBOLS)
    assert Event.select().where(Event.type == "window.settled").count() == 1


async def test_settling_what_is_settled_changes_nothing(database: Database, window: Window) -> None:
    assert settlement.settle(database, window.id)
    before = outcome(database), Event.select().count()
    assert settlement.settle(database, window.id)
    assert (outcome(database), Event.select().count()) == before


async def test_each_new_price_begins_an_epoch_of_dealing(database: Database, window: Window) -> None:
    tills = "SELECT instrument_id, version FROM accounts WHERE kind = 'dealer'"
    before = dict(database.execute(tills).fetchall())
    settlement.settle(database, window.id)
    assert dict(database.execute(tills).fetchall()) == {id_: version + 1 for id_, version in before.items()}


# --- stopped ---------------------------------------------------------------------------------------


@SHARED
async def test_a_price_that_is_not_known_stops_the_settlement_until_the_plan_has_it(
    floor: Venue, operator: Client
) -> None:
    aaa, bbb = pair()
    plan = pb.SettlementPlan(by_symbol={bbb: pb.Rule(algorithm="manual")})
    window = await traded(floor, operator, aaa, bbb, plan=plan)
    error = await refused(settle(operator, window))
    assert error.reason == "NOT_POSSIBLE_NOW"
    assert f"the price of {bbb} is set by hand" in error.message
    found = await get(operator, window)
    assert (found.window.state, found.window.settled) == (SETTLING, 1)
    assert [price.symbol for price in found.prices] == [aaa]
    [stopped] = Event.select().where(
        Event.type == settlement.STOPPED, Event.subject == f"window:{window.window_id}"
    )
    assert list(stopped.payload["reasons"]) == [bbb]
    plan.by_symbol[bbb].parameters["price_cents"] = "1500"
    await operator.windows.UpdateWindow(pb.UpdateWindowRequest(window_id=window.window_id, plan=plan))
    async with asyncio.timeout(10):
        while found.window.state != SETTLED:
            await asyncio.sleep(0.01)
            found = await get(operator, window)
    assert {price.symbol: price.price_cents for price in found.prices} == {aaa: 1_012, bbb: 1_500}


@SHARED
async def test_a_window_is_settled_once(floor: Venue, operator: Client) -> None:
    window = await traded(floor, operator, *pair())
    await settle(operator, window)
    assert (await refused(settle(operator, window))).reason == "NOT_POSSIBLE_NOW"


# --- trying ----------------------------------------------------------------------------------------


async def test_trying_shows_both_outcomes_and_touches_nothing(venue: Venue) -> None:
    operator = await venue.operator()
    window = await traded(venue, operator, "AAA", "BBB")
    # Ranks and badges of the trading before may be counted meanwhile.
    events = "(SELECT * FROM events WHERE type !~ '^(rank|badge)[.]')"
    tables = ("settlements", events, "postings", "windows", "candles", "snapshots")
    sums = [f"(SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t)" for table in tables]
    everything = (
        f"SELECT {', '.join(sums)}, (SELECT sum(version) FROM accounts), "
        "(SELECT sum(price_cents) FROM instruments)"
    )
    before = venue.rows(everything)
    tried = [
        frame
        async for frame in operator.windows.SettleWindow(
            pb.SettleWindowRequest(window_id=window.window_id, validate_only=True)
        )
    ]
    assert prices(tried) == {"AAA": 1_012, "BBB": 1_000}
    plan = pb.SettlementPlan(rule=fixed(500))
    request = pb.SimulateSettlementRequest(window_id=window.window_id, plan=plan)
    answer = await operator.windows.SimulateSettlement(request)
    assert venue.rows(everything) == before
    assert not answer.prices[0].HasField("settled")
    await settle(operator, window)
    before = venue.rows(everything)
    answer = await operator.windows.SimulateSettlement(request)
    assert [(each.settled.price_cents, each.simulated.price_cents) for each in answer.prices] == [
        (1_012, 1_050), (1_000, 1_050),
    ]  # fmt: skip
    assert venue.rows(everything) == before


@SHARED
async def test_a_window_that_has_not_traded_cannot_be_tried(floor: Venue, operator: Client) -> None:
    symbol, _ = pair()
    await list_by_window(floor, symbol)
    window = await create(operator, symbol)
    request = pb.SimulateSettlementRequest(window_id=window.window_id)
    assert (await refused(operator.windows.SimulateSettlement(request))).reason == "NOT_POSSIBLE_NOW"


async def test_variants_are_assigned_for_ever_and_reported_each(venue: Venue) -> None:
    operator = await venue.operator()
    await list_by_window(venue, *SYMBOLS)
    plan = pb.SettlementPlan(
        by_symbol={"W00": fixed(0)},
        experiment="steeper",
        variants=[
            pb.Variant(name="control", weight=3, rule=fixed(100)),
            pb.Variant(name="steep", weight=1, rule=fixed(-300)),
        ],
    )
    assigned = []
    for _ in range(2):
        window = await move(operator, await create(operator, plan=plan), OPEN, TRADING, TRADE_CLOSE)
        await settle(operator, window)
        found = (await get(operator, window)).prices
        assigned.append({price.symbol: price.variant for price in found})
        request = pb.CompareVariantsRequest(window_id=window.window_id)
        control, steep = (await operator.windows.CompareVariants(request)).variants
        assert (control.name, control.algorithm, control.up, control.down) == (
            "control", "fixed", control.instruments, 0,
        )  # fmt: skip
        assert (steep.name, steep.up, steep.down) == ("steep", 0, steep.instruments)
        assert control.instruments + steep.instruments == 49
        assert control.instruments > steep.instruments > 3
    assert assigned[0] == assigned[1]
    assert assigned[0]["W00"] == ""


@SHARED
async def test_all_algorithms_are_listed_with_what_can_be_set(operator: Client) -> None:
    found = (await operator.windows.ListAlgorithms(pb.ListAlgorithmsRequest())).algorithms
    assert [each.name for each in found] == ["elastic", "fixed", "linear", "logarithmic", "manual"]
    assert "sensitivity_bps" in {parameter.key for parameter in found[2].parameters}
