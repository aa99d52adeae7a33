"""Windows over the wire: their states, when orders are taken, what is kept when they open."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from itertools import count, product

import pytest
import pytest_asyncio
from bearpit.client import BearpitError, Client
from bearpit.v1 import windows_pb2 as pb
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.windows import TRANSITIONS, Times, WindowKind, WindowState
from bearpit_server.storage import clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Event, Trade, Window
from bearpit_server.windows import lifecycle
from bearpit_server.windows.lifecycle import Wanted
from bearpit_server.windows.plans import Plan

from tests.integration.floor import SHARED
from tests.orders import buy, sell
from tests.venue import ON_DEMAND, Venue, prepare, prove, refused, serving
from tests.windows import (
    CANCELLED,
    CLOSED,
    OPEN,
    PAUSED,
    SCHEDULED,
    SETTLED,
    SETTLING,
    TRADE_CLOSE,
    TRADING,
    create,
    get,
    insert_instruments,
    list_by_window,
    moment,
    moments,
    move,
    prices,
    settle,
    times,
)

MINUTE = timedelta(minutes=1)
START = datetime(2030, 1, 6, 12, tzinfo=UTC)
_numbers = count(1)


@pytest_asyncio.fixture(loop_scope="module", name="operator")
async def make_operator(floor: Venue) -> Client:
    """The floor's operator."""
    return await floor.operator()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def week_7000(shared_floor: Venue) -> None:
    """A window of that number, and instruments AAA and BOOK, of which only one trades by windows."""
    await list_by_window(shared_floor, "AAA")
    await shared_floor.list_instrument("BOOK")
    await create(await shared_floor.operator(), "AAA", number=7_000)


async def listed(floor: Venue, symbols: int = 1) -> list[str]:
    """New instruments that trade by windows."""
    made = [f"W{next(_numbers)}" for _ in range(symbols)]
    await list_by_window(floor, *made)
    return made


@pytest.fixture
def at() -> Iterator[Callable[[datetime], None]]:
    """Set the clock."""
    yield lambda moment: clock.use(lambda: moment)
    clock.use(None)


def events_of(window: pb.Window, prefix: str = "window.") -> list[tuple[str, int]]:
    """Types and actors of a window's events, oldest first."""
    query = (
        Event.select(Event.type, Event.actor_id)
        .where(Event.subject == f"window:{window.window_id}", Event.type.startswith(prefix))
        .order_by(Event.xid, Event.id)
    )
    return list(query.tuples())


# --- states ----------------------------------------------------------------------------------------


async def test_a_window_goes_through_its_life_and_each_step_is_an_event_with_its_actor(venue: Venue) -> None:
    operator = await venue.operator()
    await list_by_window(venue, "AAA", "BBB")
    window = await create(operator)
    assert list(window.symbols) == ["AAA", "BBB"]
    assert (window.kind, window.number) == (pb.WINDOW_KIND_WEEK, 1)
    window = await move(operator, window, OPEN, TRADING, PAUSED, TRADING, TRADE_CLOSE, reason="by hand")
    await settle(operator, window)
    window = await move(operator, window, CLOSED)
    assert window.state == CLOSED
    assert window.settled == 2
    names = [type_ for type_, _ in events_of(window) if type_ != "window.prices"]
    assert [name.removeprefix("window.") for name in names] == [
        "created", "scheduled", "open", "trading", "paused", "trading", "trade_close", "settling", "settled",
        "closed",
    ]  # fmt: skip
    me = venue.rows("SELECT id FROM players WHERE name = 'operator'")[0][0]
    assert {actor for type_, actor in events_of(window) if type_ in ("window.open", "window.closed")} == {me}
    [(payload,)] = venue.rows("SELECT payload FROM events WHERE type = 'window.paused'")
    assert (payload["from"], payload["reason"]) == ("TRADING", "by hand")


@pytest.mark.parametrize("before", list(WindowState))
async def test_no_other_transition_than_those_of_the_table(before: WindowState, database: Database) -> None:
    insert_instruments(database, "AAA")
    for after in WindowState:
        with database.transaction():
            Window.update(state=int(WindowState.CLOSED)).execute()  # the instrument is free
            window = lifecycle.create(_wanted(), HOUSE_ORIGIN)
            Window.update(state=int(before)).where(Window.id == window.id).execute()
        possible = after in TRANSITIONS[before] and after is not WindowState.SETTLED
        expected = nullcontext() if possible else pytest.raises(Refused, match="a window")
        with expected, database.transaction():
            lifecycle.move(window.id, after, HOUSE_ORIGIN)
        found = lifecycle.get(window.id).state
        assert found == (after if possible else before)


def _wanted() -> Wanted:
    return Wanted("A window", WindowKind.CHAPTER, 0, [], Times(), "", "", Plan(), False)


@SHARED
async def test_an_instrument_is_in_one_open_window_at_a_time(floor: Venue, operator: Client) -> None:
    aaa, bbb, ccc = await listed(floor, 3)
    first = await create(operator, aaa, bbb)
    second = await create(operator, bbb, ccc)
    other = await create(operator, ccc)
    await move(operator, first, OPEN)
    error = await refused(move(operator, second, OPEN))
    assert error.reason == "NOT_POSSIBLE_NOW"
    await move(operator, other, OPEN)
    await move(operator, first, CANCELLED)
    assert (await refused(move(operator, second, OPEN))).reason == "NOT_POSSIBLE_NOW"
    await move(operator, other, CANCELLED)
    await move(operator, second, OPEN)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"title": ""}, "INVALID_FIELD"),
        ({"number": -1}, "INVALID_FIELD"),
        ({"number": 7_000}, "ALREADY_EXISTS"),
        ({"symbols": ["BOOK"]}, "INVALID_FIELD"),
        ({"symbols": ["NONE"]}, "NOT_FOUND"),
        ({"symbols": ["AAA", "AAA"]}, "INVALID_FIELD"),
        ({"time_zone": "Mars/Base"}, "INVALID_FIELD"),
        ({"recurrence": "FREQ=DAILY"}, "INVALID_FIELD"),
        ({"recurrence": "FREQ=NEVER", "times": times(trades_at=START)}, "INVALID_FIELD"),
        ({"times": times(opens_at=START, trades_at=START - MINUTE)}, "INVALID_FIELD"),
        ({"plan": pb.SettlementPlan(rule=pb.Rule(algorithm="magic"))}, "NOT_FOUND"),
        ({"plan": pb.SettlementPlan(rule=pb.Rule(parameters={"depth_shares": "0"}))}, "INVALID_FIELD"),
        ({"plan": pb.SettlementPlan(by_symbol={"ZZZ": pb.Rule()})}, "INVALID_FIELD"),
        ({"plan": pb.SettlementPlan(variants=[pb.Variant(name="a", weight=0)])}, "INVALID_FIELD"),
        ({"plan": pb.SettlementPlan(variants=[pb.Variant(name="a b", weight=1)])}, "INVALID_FIELD"),
        ({"plan": pb.SettlementPlan(variants=[pb.Variant(name="a", weight=1)] * 2)}, "INVALID_FIELD"),
    ],
)
@SHARED
async def test_windows_that_cannot_be(
    more: dict[str, object], reason: str, floor: Venue, operator: Client, week_7000: None
) -> None:
    before = floor.rows("SELECT id FROM windows ORDER BY id")
    wanted: dict[str, object] = {"title": "x", "kind": pb.WINDOW_KIND_WEEK, **more}
    request = pb.CreateWindowRequest(**wanted)  # type: ignore[arg-type]
    assert (await refused(operator.windows.CreateWindow(request))).reason == reason
    assert floor.rows("SELECT id FROM windows ORDER BY id") == before


@SHARED
async def test_trying_changes_nothing(floor: Venue, operator: Client) -> None:
    [symbol] = await listed(floor)
    counts = "SELECT (SELECT count(*) FROM windows), (SELECT count(*) FROM snapshots)"
    window = await create(operator, symbol)
    before = floor.rows(counts)
    tried = await create(operator, symbol, validate_only=True)
    assert tried.number == window.number + 1
    request = pb.MoveWindowRequest(window_id=window.window_id, state=OPEN, validate_only=True)
    assert (await operator.windows.MoveWindow(request)).window.state == OPEN
    assert (await get(operator, window)).window.state == SCHEDULED
    assert floor.rows(counts) == before


@SHARED
async def test_what_has_happened_can_be_changed_no_more(floor: Venue, operator: Client) -> None:
    [symbol] = await listed(floor)
    far = datetime.now(UTC) + timedelta(days=1)
    window = await create(operator, symbol, times=times(**moments(far, MINUTE)))
    window = await move(operator, window, OPEN)
    wanted = moments(far, 2 * MINUTE) | {"opens_at": far + MINUTE}
    request = pb.UpdateWindowRequest(window_id=window.window_id, times=times(**wanted))
    error = await refused(operator.windows.UpdateWindow(request))
    assert (error.reason, error.field) == ("INVALID_FIELD", "times.opens_at")
    wanted.pop("opens_at")
    request = pb.UpdateWindowRequest(window_id=window.window_id, times=times(**wanted), title="Longer")
    window = (await operator.windows.UpdateWindow(request)).window
    assert window.title == "Longer"
    assert moment(window.times.opens_at) == far
    assert moment(window.next_change_at) == moment(window.times.trades_at) == far + 2 * MINUTE
    await move(operator, window, CANCELLED)
    request = pb.UpdateWindowRequest(window_id=window.window_id, title="Too late")
    assert (await refused(operator.windows.UpdateWindow(request))).reason == "NOT_POSSIBLE_NOW"


@SHARED
async def test_players_see_neither_plans_nor_drafts(floor: Venue, operator: Client) -> None:
    [symbol] = await listed(floor)
    draft = await create(operator, symbol, scheduled=False)
    shown = await create(operator, symbol)
    ada = await floor.trader()
    seen = await _of(ada, symbol)
    assert [window.window_id for window in seen] == [shown.window_id]
    assert not seen[0].HasField("plan")
    assert (await refused(get(ada, draft))).reason == "NOT_FOUND"
    both = await _of(operator, symbol)
    assert [window.window_id for window in both] == [shown.window_id, draft.window_id]
    assert both[0].plan.rule.algorithm == "linear"
    assert (await refused(move(ada, shown, OPEN))).reason == "NOT_ALLOWED"


async def _of(client: Client, symbol: str) -> list[pb.Window]:
    """The windows of an instrument that somebody is shown."""
    answer = await client.windows.ListWindows(pb.ListWindowsRequest())
    return [window for window in answer.windows if symbol in window.symbols]


# --- trading ---------------------------------------------------------------------------------------


@SHARED
async def test_orders_are_taken_in_trading_and_else_refused_with_the_next_chance(
    floor: Venue, operator: Client
) -> None:
    [symbol] = await listed(floor)
    ada = await floor.trader()
    assert (await floor.refused(ada, buy(symbol, 5, 1_000), "WINDOW_NOT_TRADING")).metadata["next_open"] == ""
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    window = await create(operator, symbol, times=times(**moments(soon, MINUTE)))
    trades_at = soon + MINUTE
    for states, chance in (
        ((), trades_at.isoformat()), ((OPEN,), trades_at.isoformat()), ((TRADING,), None), ((PAUSED,), ""),
        ((TRADING,), None), ((TRADE_CLOSE,), ""),
    ):  # fmt: skip
        window = await move(operator, window, *states)
        if chance is None:
            assert (await floor.place(ada, buy(symbol, 5, 1_000))).order.filled_quantity == 5
            assert not window.HasField("next_chance_at")
        else:
            error = await floor.refused(ada, buy(symbol, 5, 1_000), "WINDOW_NOT_TRADING")
            assert error.metadata["next_open"] == chance
            assert window.HasField("next_chance_at") == bool(chance)
    id_ = floor.running.exchange.instruments[symbol].id
    assert {row.window_id for row in Trade.select().where(Trade.instrument_id == id_)} == {window.window_id}
    assert (await floor.wallet(ada)).positions[0].quantity == 10


async def test_no_order_is_filled_past_the_end_though_nobody_has_closed_the_window(
    database: Database, at: Callable[[datetime], None]
) -> None:
    prepare(database, **ON_DEMAND)
    insert_instruments(database, "AAA")
    async with serving(database) as venue:
        operator = await venue.operator()
        ada = await venue.player("ada")
        now = datetime.now(UTC)
        ends = {"trading_ends_at": now + MINUTE}
        window = await move(operator, await create(operator, times=times(**ends)), OPEN, TRADING)
        await venue.place(ada, buy("AAA", 1, 1_000))
        at(now + MINUTE)
        await venue.refused(ada, buy("AAA", 1, 1_000), "WINDOW_NOT_TRADING")
        assert window.state == TRADING
    prove(database)


@SHARED
async def test_orders_that_race_the_close_trade_before_it_or_not_at_all(
    floor: Venue, operator: Client
) -> None:
    symbols = await listed(floor, 2)
    window = await move(operator, await create(operator, *symbols), OPEN, TRADING)
    traders = [await floor.trader(10_000_000) for _ in range(4)]
    placed, reasons = 0, set()

    async def trade(client: Client, symbol: str) -> None:
        nonlocal placed
        while True:
            try:
                answer = await floor.place(client, buy(symbol, 1, 1_000))
            except BearpitError as error:
                reasons.add(error.reason)
                return
            placed += answer.order.filled_quantity

    async with asyncio.TaskGroup() as tasks:
        for client, symbol in product(traders, symbols):
            tasks.create_task(trade(client, symbol))
        while placed < 30:  # noqa: ASYNC110 - the traders count
            await asyncio.sleep(0)
        tasks.create_task(_close(operator, window))
    assert reasons == {"WINDOW_NOT_TRADING"}
    ids = ", ".join(str(floor.running.exchange.instruments[symbol].id) for symbol in symbols)
    assert floor.rows(
        f"SELECT count(*), min(window_id), max(window_id) FROM trades WHERE instrument_id IN ({ids})"
    ) == [(placed, window.window_id, window.window_id)]
    # Each fill's event was written by a transaction that locked the till before the close did.
    late = floor.rows(
        "SELECT count(*) FROM events f JOIN events c ON c.type = 'window.trade_close' "
        f"AND c.subject = 'window:{window.window_id}' "
        "WHERE f.type = 'order.filled' AND f.id > c.id"
    )
    assert late == [(0,)]


async def _close(operator: Client, window: pb.Window) -> None:
    await move(operator, window, TRADE_CLOSE)


async def test_another_server_closes_and_none_trades_on(database: Database) -> None:
    prepare(database, **ON_DEMAND)
    insert_instruments(database, "AAA")
    async with serving(database) as venue:
        operator = await venue.operator()
        ada = await venue.player("ada")
        window = await move(operator, await create(operator), OPEN, TRADING)
        await venue.place(ada, buy("AAA", 1, 1_000))
        with database.transaction():  # as another process would: nobody here is told
            lifecycle.move(window.window_id, WindowState.TRADE_CLOSE, HOUSE_ORIGIN)
        await venue.refused(ada, buy("AAA", 1, 1_000), "WINDOW_NOT_TRADING")
        assert venue.rows("SELECT count(*) FROM trades") == [(1,)]
    prove(database)


@SHARED
async def test_the_new_price_is_shown_and_dealt_at(floor: Venue, operator: Client) -> None:
    [symbol] = await listed(floor)
    ada = await floor.trader()
    rule = pb.Rule(algorithm="fixed", parameters={"move_bps": "1000"})
    window = await create(operator, symbol, plan=pb.SettlementPlan(rule=rule))
    await move(operator, window, OPEN, TRADING)
    await floor.place(ada, buy(symbol, 5))
    await move(operator, window, TRADE_CLOSE)
    assert prices(await settle(operator, window)) == {symbol: 1_100}
    async with asyncio.timeout(10):  # the exchange hears of it after the settlement's last step
        while (await floor.quote(symbol)).last_cents != 1_100:
            pass
    await move(operator, await create(operator, symbol), OPEN, TRADING)
    answer = await floor.place(ada, sell(symbol, 5))
    assert [(fill.price_cents, fill.quantity) for fill in answer.fills] == [(1_100, 5)]
    assert (await floor.wallet(ada)).cash_cents == 1_000_000 + 500


# --- the snapshot ----------------------------------------------------------------------------------


@SHARED
async def test_what_everybody_had_is_kept_when_a_window_opens(floor: Venue, operator: Client) -> None:
    symbol, _ = await listed(floor, 2)
    book = await floor.instrument()
    ada = await floor.trader(500_000, **{symbol: 10, book: 7})
    first = await create(operator, symbol)
    await move(operator, first, OPEN, TRADING)
    await floor.place(ada, buy(symbol, 5, 1_000))
    await move(operator, first, CANCELLED)
    id_ = floor.running.exchange.instruments[symbol].id
    held = dict(
        floor.rows(
            "SELECT a.id, (a.balance, a.cost_cents, a.realised_cents, "
            "greatest((SELECT max(p.id) FROM postings p WHERE p.debit = a.id), "
            "(SELECT max(p.id) FROM postings p WHERE p.credit = a.id)))::text "
            "FROM accounts a WHERE (a.asset = 0 AND (a.kind = 'player' OR a.kind = 'dealer' AND "
            f"a.instrument_id = {id_})) "
            f"OR a.asset = {id_}"
        )
    )
    second = await create(operator, symbol)
    await move(operator, second, OPEN)
    kept = dict(
        floor.rows(
            "SELECT account_id, (balance, cost_cents, realised_cents, posting_id)::text FROM snapshots "
            f"WHERE window_id = {second.window_id}"
        )
    )
    assert kept.items() <= held.items()
    empty = {id_ for (id_,) in floor.rows("SELECT id FROM accounts WHERE balance = 0")}
    assert held.keys() - kept.keys() <= empty
    assert len(kept) >= 4, "ada's cash and shares, the till, the issuer"
    assert floor.rows(f"SELECT price_cents FROM window_instruments WHERE window_id = {second.window_id}") == [
        (1_000,)
    ]


# --- by the clock ----------------------------------------------------------------------------------


async def test_the_clock_opens_trades_closes_settles_and_ends_a_window(
    database: Database, at: Callable[[datetime], None]
) -> None:
    at(START)
    prepare(database, **ON_DEMAND)
    insert_instruments(database, "AAA")
    async with serving(database) as venue:
        operator = await venue.operator()
        window = await create(operator, times=times(**moments(START + MINUTE, MINUTE)))
        assert (window.next_state, moment(window.next_change_at)) == (OPEN, START + MINUTE)
        scheduler = venue.running.scheduler
        for number, state in enumerate((SCHEDULED, OPEN, TRADING, TRADE_CLOSE), 0):
            at(START + number * MINUTE)
            await scheduler.look()  # or the server's own look, which may have the turn now
            await _until(lambda now=state: lifecycle.get(window.window_id).state == now, database)  # type: ignore[misc]
        at(START + 4 * MINUTE)
        await scheduler.look()
        await scheduler.settle()
        await _until(lambda: lifecycle.get(window.window_id).state == WindowState.SETTLED, database)
        at(START + 5 * MINUTE)
        await scheduler.look()
        await _until(lambda: lifecycle.get(window.window_id).state == WindowState.CLOSED, database)
        assert {actor for _, actor in events_of(window)[2:]} == {0}


async def _until(holds: Callable[[], bool], database: Database) -> None:
    async with asyncio.timeout(10):
        while True:
            with database.transaction():
                if holds():
                    return
            await asyncio.sleep(0.01)


async def test_after_hours_of_downtime_it_catches_up(
    database: Database, at: Callable[[datetime], None]
) -> None:
    at(START)
    prepare(database, **ON_DEMAND)
    insert_instruments(database, "AAA")
    async with serving(database) as venue:
        window = await create(
            await venue.operator(), times=times(**moments(START + MINUTE, MINUTE)),
            recurrence="FREQ=MINUTELY;INTERVAL=10",
        )  # fmt: skip
    late = START + timedelta(hours=5)
    at(late)
    async with serving(database) as venue:
        await _until(lambda: lifecycle.get(window.window_id).state == WindowState.CLOSED, database)
        names = [type_ for type_, _ in events_of(window) if type_ != "window.prices"]
        assert names[2:] == [
            "window.open", "window.trading", "window.trade_close", "window.settling", "window.settled",
            "window.closed",
        ]  # fmt: skip
        [following] = Window.select().where(Window.follows_id == window.window_id)
        assert following.state == WindowState.SCHEDULED
        assert following.trades_at == START + 2 * MINUTE + timedelta(hours=5)
        assert Window.select().count() == 2
    prove(database)


async def test_of_two_servers_each_transition_is_carried_out_once(
    database: Database, at: Callable[[datetime], None]
) -> None:
    at(START)
    prepare(database, **ON_DEMAND)
    insert_instruments(database, "AAA", "BBB")
    async with serving(database) as one, serving(database) as two:
        operator = await one.operator()
        windows = [
            await create(operator, symbol, times=times(**moments(START + MINUTE, MINUTE)))
            for symbol in ("AAA", "BBB")
        ]
        for number in range(1, 6):
            at(START + number * MINUTE)
            await asyncio.gather(*(venue.running.scheduler.look() for venue in (one, two) for _ in range(3)))
            await asyncio.gather(*(venue.running.scheduler.settle() for venue in (one, two)))
            if number == 4:
                for window in windows:
                    await _until(
                        lambda id_=window.window_id: lifecycle.get(id_).state == WindowState.SETTLED,  # type: ignore[misc]
                        database,
                    )
        for window in windows:
            await _until(
                lambda id_=window.window_id: lifecycle.get(id_).state == WindowState.CLOSED,  # type: ignore[misc]
                database,
            )
            names = [type_ for type_, _ in events_of(window)]
            assert len(names) == len(set(names)) == 9, names


async def test_the_next_of_a_series_is_scheduled_when_trading_ends(venue: Venue) -> None:
    operator = await venue.operator()
    await list_by_window(venue, "AAA")
    ada = await venue.player("ada")
    begin = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    window = await create(operator, times=times(**moments(begin, MINUTE)), recurrence="FREQ=WEEKLY", number=3)
    window = await move(operator, window, OPEN, TRADING, TRADE_CLOSE)
    error = await venue.refused(ada, buy("AAA", 1), "WINDOW_NOT_TRADING")
    assert error.metadata["next_open"] == (begin + MINUTE + timedelta(days=7)).isoformat()
    await settle(operator, window)
    await move(operator, window, CLOSED)
    listed = (await operator.windows.ListWindows(pb.ListWindowsRequest(current_only=True))).windows
    assert [(each.number, each.state, each.recurrence) for each in listed] == [(4, SCHEDULED, "FREQ=WEEKLY")]
    assert moment(listed[0].times.closes_at) == begin + 4 * MINUTE + timedelta(days=7)


@SHARED
async def test_cancelling_ends_a_series(floor: Venue, operator: Client) -> None:
    [symbol] = await listed(floor)
    begin = datetime.now(UTC) + timedelta(days=1)
    [(before,)] = floor.rows("SELECT count(*) FROM windows")
    window = await create(operator, symbol, times=times(**moments(begin, MINUTE)), recurrence="FREQ=DAILY")
    await move(operator, window, OPEN, TRADING, CANCELLED)
    assert floor.rows("SELECT count(*) FROM windows") == [(before + 1,)]


# --- the stream ------------------------------------------------------------------------------------


async def test_windows_are_streamed_as_they_change(venue: Venue) -> None:
    operator = await venue.operator()
    await list_by_window(venue, "AAA")
    await create(operator, scheduled=False)
    window = await create(operator)
    ada = await venue.player("ada")
    stream = ada.windows.StreamWindows(pb.StreamWindowsRequest())
    frames = aiter(stream)
    first = await anext(frames)
    assert [(each.window_id, each.state) for each in first.snapshot.windows] == [
        (window.window_id, SCHEDULED)
    ]
    await move(operator, window, OPEN, TRADING, TRADE_CLOSE)
    await settle(operator, window)
    async with asyncio.timeout(10):
        while True:
            frame = await anext(frames)
            if frame.update.windows and frame.update.windows[0].state == SETTLED:
                break
    assert [price.symbol for price in frame.update.prices] == ["AAA"]
    assert not frame.update.windows[0].HasField("plan")


async def test_a_window_that_is_settling_cannot_be_settled_by_hand(venue: Venue) -> None:
    operator = await venue.operator()
    await list_by_window(venue, "AAA")
    plan = pb.SettlementPlan(rule=pb.Rule(algorithm="manual"))
    window = await move(operator, await create(operator, plan=plan), OPEN, TRADING, TRADE_CLOSE, SETTLING)
    assert (await refused(move(operator, window, SETTLED))).reason == "NOT_POSSIBLE_NOW"
