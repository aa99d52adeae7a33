"""Settling a window: each instrument's new price, found from what was traded, some in a transaction.

What is done is done: an instrument has one row that holds, and a settlement that is begun again goes on
with those that have none. What it is told does not change (see `trading`), so it ends in the same prices
wherever it was cut short.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from bearpit_server.events import log
from bearpit_server.events.log import HOUSE_ORIGIN, Event, Origin
from bearpit_server.events.records import TradeRecord
from bearpit_server.rules import settling
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.settling import Factor, Settled
from bearpit_server.rules.windows import WindowState
from bearpit_server.storage import bulk, candles, clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import SettledPrice, Window
from bearpit_server.windows import lifecycle
from bearpit_server.windows.plans import Chosen, Plan
from bearpit_server.windows.trading import Traded, gather

BATCH = 20
"""Instruments a transaction: their tills are locked for so long, which is milliseconds."""
STOPPED = "window.settlement_stopped"
MAX_STOPPED = 1_000


@dataclass(frozen=True, slots=True)
class Found:
    """An instrument's new price, and by what it was found."""

    traded: Traded
    chosen: Chosen
    settled: Settled


def find(plan: Plan, traded: Traded) -> Found:
    """An instrument's new price by a plan. Raises Refused NOT_POSSIBLE_NOW where that lacks a price."""
    chosen = plan.choose(traded.symbol)
    return Found(traded, chosen, chosen.algorithm.settle(chosen.parameters, traded.trading))


def simulate(window_id: int, plan: Plan | None = None) -> list[tuple[SettledPrice | None, Found]]:
    """What a plan, or the window's own, would make of prices, each beside what holds; changes nothing.

    Raises Refused NOT_FOUND, INVALID_FIELD, and NOT_POSSIBLE_NOW for a window that has not traded.
    """
    row = lifecycle.get(window_id)
    traded = gather(window_id)
    if not traded or row.state < WindowState.TRADING:
        raise Refused("NOT_POSSIBLE_NOW", "the window has not traded yet", state=WindowState(row.state).name)
    if plan is not None:
        plan.check(each.symbol for each in traded)
    wanted = plan or Plan.of_json(row.plan)
    holding = {price.instrument_id: price for price in prices(window_id, holding_only=True)}
    return [(holding.get(each.instrument_id), find(wanted, each)) for each in traded]


def settle(
    database: Database,
    window_id: int,
    told: Callable[[], object] = lambda: None,
    pause: Callable[[float], object] = lambda seconds: None,
) -> bool:
    """Settle a window, or go on where it was cut short; says whether it is done.

    It blocks, in transactions of its own. `told` is called after each; `pause` with the seconds that it
    took, so that orders get their turn. Where a price cannot be found the others are, and the window tells
    why it has stopped, until its plan is changed. Raises Refused DATABASE_UNAVAILABLE.
    """
    with database.transaction():
        traded = {each.instrument_id: each for each in gather(window_id)}
    done: set[int] = set()
    while batch := _next(database, window_id, traded, done):
        done |= batch
        told()
        pause(len(batch) / BATCH)
    with database.transaction():
        finished = _finish(window_id, traded)
    told()
    return finished


def _next(database: Database, window_id: int, traded: Mapping[int, Traded], done: set[int]) -> set[int]:
    """Settle the next few; those that were looked at, none when all have been."""
    rest = [each for each in traded.values() if each.instrument_id not in done][:BATCH]
    if not rest:
        return set()
    with database.transaction():
        row = lifecycle.lock(window_id)
        if row.state != WindowState.SETTLING:
            return set()
        plan, waiting = Plan.of_json(row.plan), lifecycle.unsettled(window_id)
        found = []
        for each in rest:
            if each.instrument_id in waiting:
                # What cannot be found does not keep the others; `_finish` tells of it.
                with suppress(Refused):
                    found.append(find(plan, each))
        write(window_id, found, HOUSE_ORIGIN)
    return {each.instrument_id for each in rest}


def _finish(window_id: int, traded: Mapping[int, Traded]) -> bool:
    """End a settlement, or let it stand still with the reason; says whether it has ended."""
    row = lifecycle.lock(window_id)
    if row.state != WindowState.SETTLING:
        return True
    waiting = lifecycle.unsettled(window_id)
    if not waiting:
        lifecycle.finish(row, HOUSE_ORIGIN)
        return True
    plan, reasons = Plan.of_json(row.plan), {}
    for id_ in waiting:
        try:
            find(plan, traded[id_])
        except Refused as refused:
            reasons[traded[id_].symbol] = refused.message
    if len(reasons) == len(waiting):  # else the plan was changed meanwhile, and there is more to be done
        row.stopped = "; ".join(reasons[symbol] for symbol in sorted(reasons))[:MAX_STOPPED]
        row.save(only=[Window.stopped])
        log.append([Event(STOPPED, f"window:{row.id}", HOUSE_ORIGIN, {"reasons": reasons})])
    return False


def write(window_id: int, found: Sequence[Found], origin: Origin) -> dict[int, int]:
    """Let new prices hold, with all that led to them; the ids of their rows by instrument.

    The window's row is locked by the caller. No instrument may have a row that holds.
    """
    if not found:
        return {}
    at = clock.now()
    set_prices({each.traded.instrument_id: each.settled.price_cents for each in found}, at)
    rows = [_row(window_id, each, at) for each in found]
    made = SettledPrice.insert_many(rows).returning(SettledPrice.instrument_id, SettledPrice.id).tuples()
    with bulk.written() as writes:
        marks = [
            TradeRecord(0, each.traded.instrument_id, each.traded.symbol, each.settled.price_cents, 0, 0, at)
            for each in found
        ]
        candles.record(writes, [], marks)
        moved = {each.traded.symbol: each.settled.price_cents for each in found}
        log.add(writes, [Event("window.prices", f"window:{window_id}", origin, {"prices": moved})], at)
    return dict(made.execute())


def set_prices(changed: Mapping[int, int], at: datetime) -> None:
    """Let the house deal at other prices, in cents by instrument: no round deals at the old ones any more."""
    bulk.bump_tills(changed)
    bulk.set_prices(changed, at)


def prices(window_id: int, after: int = 0, holding_only: bool = False) -> list[SettledPrice]:
    """What a window did to prices, in the order in which they were found, after a row's id."""
    query = SettledPrice.select().where(SettledPrice.window_id == window_id, SettledPrice.id > after)
    if holding_only:
        query = query.where(SettledPrice.corrected_by.is_null())
    return list(query.order_by(SettledPrice.id))


@dataclass(frozen=True, slots=True)
class Result:
    """How one variant's instruments were settled."""

    summary: settling.Summary
    algorithm: str
    volume: int
    """Shares bought and sold."""


def compare(window_id: int) -> list[Result]:
    """What the variants of a window's experiment came to, by name. Raises Refused NOT_FOUND."""
    lifecycle.get(window_id)
    rows = [row for row in prices(window_id, holding_only=True) if row.variant]
    summaries = settling.by_variant((row.variant, settled_of(row)) for row in rows)
    return [
        _result(summary, [row for row in rows if row.variant == summary.variant]) for summary in summaries
    ]


def _result(summary: settling.Summary, rows: Iterable[SettledPrice]) -> Result:
    mine = list(rows)
    volume = sum(row.trading["buys"] + row.trading["sells"] for row in mine)
    return Result(summary, mine[0].algorithm, volume)


def settled_of(row: SettledPrice) -> Settled:
    """What a row says was found."""
    factors = tuple(Factor(**factor) for factor in row.factors)
    return Settled(row.price_cents, row.move_bps, factors, row.explanation, row.bounded)


def _row(window_id: int, found: Found, at: datetime) -> dict[str, Any]:
    settled, trading = found.settled, found.traded.trading
    return {
        "window_id": window_id,
        "instrument_id": found.traded.instrument_id,
        "previous_cents": trading.previous_cents,
        "price_cents": settled.price_cents,
        "move_bps": settled.move_bps,
        "explanation": settled.explanation,
        "factors": [asdict(factor) for factor in settled.factors],
        "bounded": settled.was_bounded,
        "algorithm": found.chosen.algorithm.name,
        "parameters": found.chosen.texts,
        "variant": found.chosen.variant,
        "trading": asdict(trading),
        "settled_at": at,
    }
