"""Windows, their plans and what they did to prices, between our records and the contract's messages."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

import peewee as pw
from bearpit.v1 import pricing_pb2, windows_pb2
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from bearpit_server.rules import settling
from bearpit_server.rules.parameters import as_text, schema
from bearpit_server.rules.refusals import invalid
from bearpit_server.rules.settling import Factor, Settled
from bearpit_server.rules.windows import Times, WindowState, next_chance, next_due, takes_orders
from bearpit_server.services.translate import timestamp
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Instrument, SettledPrice, Window, WindowInstrument
from bearpit_server.windows import settlement
from bearpit_server.windows.lifecycle import OVER, times_of
from bearpit_server.windows.plans import Plan, Rule, Variant
from bearpit_server.windows.settlement import Found, Result

SETTLING = "finding new prices"
LATEST = 5
"""Windows that are over which the stream shows besides those that are not."""

# --- what comes in ---------------------------------------------------------------------------------


def times(given: windows_pb2.WindowTimes) -> Times:
    """When a window changes. Raises Refused INVALID_FIELD."""
    return Times(
        _moment(given, "opens_at"), _moment(given, "trades_at"), _moment(given, "trading_ends_at"),
        _moment(given, "settles_at"), _moment(given, "closes_at"),
    )  # fmt: skip


def _moment(given: windows_pb2.WindowTimes, name: str) -> datetime | None:
    if not given.HasField(name):
        return None
    at: Timestamp = getattr(given, name)
    return at.ToDatetime(UTC)


def state(given: windows_pb2.WindowState) -> WindowState:
    """A state that a window can be brought into. Raises Refused INVALID_FIELD."""
    if not given:
        raise invalid("state", "say which state")
    return WindowState(given)


def plan(given: windows_pb2.SettlementPlan) -> Plan:
    """What settles a window."""
    return Plan(
        _rule(given.rule),
        {symbol: _rule(rule) for symbol, rule in given.by_symbol.items()},
        tuple(Variant(each.name, each.weight, _rule(each.rule)) for each in given.variants),
        given.experiment,
    )


def _rule(given: windows_pb2.Rule) -> Rule:
    if not given.algorithm and not given.parameters:
        return Rule()
    return Rule(given.algorithm or Rule().algorithm, dict(given.parameters))


# --- windows ---------------------------------------------------------------------------------------


def windows(rows: Sequence[Window], for_operators: bool) -> list[windows_pb2.Window]:
    """Windows as the transaction has them; their plans are the operators' business."""
    at = now()
    symbols = symbols_of([row.id for row in rows])
    current = _current()
    counts = _settled([row.id for row in rows])
    return [
        _window(row, symbols.get(row.id, []), counts.get(row.id, 0), current, at, for_operators)
        for row in rows
    ]


_Coming = Mapping[str, Sequence[tuple[WindowState, Times]]]


def _window(
    row: Window, symbols: Sequence[str], settled: int, current: _Coming, at: datetime, for_operators: bool
) -> windows_pb2.Window:
    state, when = WindowState(row.state), times_of(row)
    made = windows_pb2.Window(
        window_id=row.id,
        title=row.title,
        kind=cast(windows_pb2.WindowKind, row.kind),
        number=row.number,
        state=cast(windows_pb2.WindowState, row.state),
        symbols=symbols,
        recurrence=row.recurrence,
        time_zone=row.time_zone,
        changed_at=timestamp(row.changed_at),
        settled=settled,
        reversed=row.reversed_by is not None,
    )
    made.times.SetInParent()
    for name in ("opens_at", "trades_at", "trading_ends_at", "settles_at", "closes_at"):
        moment: datetime | None = getattr(when, name)
        if moment is not None:
            cast(Message, getattr(made.times, name)).CopyFrom(timestamp(moment))
    if for_operators:
        made.plan.CopyFrom(_plan_message(Plan.of_json(row.plan)))
    if due := next_due(state, when):
        made.next_change_at.CopyFrom(timestamp(due[0]))
        made.next_state = cast(windows_pb2.WindowState, int(due[1]))
    if state not in OVER and not takes_orders(state, when, at):
        chances = (next_chance(current.get(symbol, ()), at) for symbol in symbols)
        if known := min((chance for chance in chances if chance is not None), default=None):
            made.next_chance_at.CopyFrom(timestamp(known))
    return made


def symbols_of(window_ids: Sequence[int]) -> dict[int, list[str]]:
    """The symbols of windows, in order."""
    found: dict[int, list[str]] = {}
    rows = (
        WindowInstrument.select(WindowInstrument.window, Instrument.symbol)
        .join(Instrument, on=(Instrument.id == WindowInstrument.instrument))
        .where(WindowInstrument.window << list(window_ids))
        .order_by(Instrument.symbol)
        .tuples()
    )
    for window_id, symbol in rows:
        found.setdefault(window_id, []).append(symbol)
    return found


def _current() -> _Coming:
    """By symbol: the windows that are announced and have not settled."""
    coming = range(WindowState.SCHEDULED, WindowState.SETTLED)
    rows = list(Window.select().where(Window.state << list(map(int, coming))))
    symbols = symbols_of([row.id for row in rows])
    found: dict[str, list[tuple[WindowState, Times]]] = {}
    for row in rows:
        for symbol in symbols.get(row.id, ()):
            found.setdefault(symbol, []).append((WindowState(row.state), times_of(row)))
    return found


def _settled(window_ids: Sequence[int]) -> dict[int, int]:
    rows = (
        SettledPrice.select(SettledPrice.window_id, pw.fn.count(SettledPrice.id))
        .where(SettledPrice.window_id << list(window_ids), SettledPrice.corrected_by.is_null())
        .group_by(SettledPrice.window_id)
        .tuples()
    )
    return dict(rows)


def step(row: Window) -> str:
    """Where a settlement is, for people."""
    if row.stopped:
        return f"stopped: {row.stopped}"
    return SETTLING if row.state == WindowState.SETTLING else f"the window is {WindowState(row.state).name}"


def overview() -> windows_pb2.Windows:
    """What the stream shows: what is announced and not over, the latest that is, and its prices."""
    over = [int(each) for each in OVER]
    shown = Window.select().where(Window.state > int(WindowState.CREATED), Window.state.not_in(over))
    latest = Window.select().where(Window.state << over).order_by(Window.id.desc()).limit(LATEST)
    rows = sorted([*shown, *latest], key=lambda row: -row.id)
    last = (
        SettledPrice.select(SettledPrice.window_id)
        .join(Window, on=(Window.id == SettledPrice.window_id))
        .where(Window.state << [int(WindowState.SETTLED), int(WindowState.CLOSED)])
        .order_by(SettledPrice.id.desc())
        .limit(1)
        .tuples()
        .first()
    )
    found = prices_of(last[0], holding_only=True) if last else []
    return windows_pb2.Windows(windows=windows(rows, False), prices=found)


def _plan_message(kept: Plan) -> windows_pb2.SettlementPlan:
    return windows_pb2.SettlementPlan(
        rule=_rule_message(kept.rule),
        by_symbol={symbol: _rule_message(rule) for symbol, rule in kept.by_symbol.items()},
        variants=[
            windows_pb2.Variant(name=each.name, weight=each.weight, rule=_rule_message(each.rule))
            for each in kept.variants
        ],
        experiment=kept.experiment,
    )


def _rule_message(rule: Rule) -> windows_pb2.Rule:
    return windows_pb2.Rule(algorithm=rule.algorithm, parameters=rule.parameters)


# --- prices ----------------------------------------------------------------------------------------


def prices_of(window_id: int, holding_only: bool = False) -> list[windows_pb2.SettledPrice]:
    """What a window did to prices, by symbol; corrected ones before those in their place."""
    made = prices(settlement.prices(window_id, holding_only=holding_only))
    return sorted(made, key=lambda each: each.symbol)


def prices(rows: Iterable[SettledPrice]) -> list[windows_pb2.SettledPrice]:
    """What a window did to some prices, in that order."""
    found = list(rows)
    ids = {row.instrument_id for row in found}
    named = dict(Instrument.select(Instrument.id, Instrument.symbol).where(Instrument.id << ids).tuples())
    return [price(row, named[row.instrument_id]) for row in found]


def price(row: SettledPrice, symbol: str) -> windows_pb2.SettledPrice:
    """What a window did to a price."""
    made = _price(
        symbol, row.previous_cents, settlement.settled_of(row), row.algorithm, row.parameters, row.variant
    )
    _add_trading(made, row.trading)
    made.settled_at.CopyFrom(timestamp(row.settled_at))
    made.corrected_by = row.corrected_by or 0
    return made


def found_price(found: Found) -> windows_pb2.SettledPrice:
    """What a window would do to a price."""
    trading, chosen = found.traded.trading, found.chosen
    made = _price(
        found.traded.symbol, trading.previous_cents, found.settled, chosen.algorithm.name, chosen.texts,
        chosen.variant,
    )  # fmt: skip
    _add_trading(
        made,
        {
            "buys": trading.buys, "sells": trading.sells, "players": trading.players,
            "top_bps": trading.top_bps,
        },
    )  # fmt: skip
    return made


def _price(
    symbol: str,
    previous_cents: int,
    settled: Settled,
    algorithm: str,
    parameters: Mapping[str, str],
    variant: str,
) -> windows_pb2.SettledPrice:
    return windows_pb2.SettledPrice(
        symbol=symbol,
        previous_cents=previous_cents,
        price_cents=settled.price_cents,
        move_bps=settled.move_bps,
        explanation=settled.explanation,
        algorithm=algorithm,
        parameters=parameters,
        variant=variant,
        factors=[_factor(factor) for factor in settled.factors],
    )


def _factor(factor: Factor) -> windows_pb2.Factor:
    return windows_pb2.Factor(name=factor.name, bps=factor.bps)


def _add_trading(made: windows_pb2.SettledPrice, trading: Mapping[str, int]) -> None:
    made.bought, made.sold = trading["buys"], trading["sells"]
    made.players, made.concentration_bps = trading["players"], trading["top_bps"]


def variant(result: Result) -> windows_pb2.VariantResult:
    """What one variant came to."""
    summary = result.summary
    return windows_pb2.VariantResult(
        name=summary.variant,
        algorithm=result.algorithm,
        instruments=summary.count,
        mean_move_bps=summary.mean_move_bps,
        up=summary.up,
        down=summary.down,
        unchanged=summary.unchanged,
        bounded=summary.bounded,
        volume=result.volume,
    )


def algorithms() -> list[windows_pb2.Algorithm]:
    """All there are, by name."""
    return [
        windows_pb2.Algorithm(
            name=name,
            title=algorithm.title,
            description=algorithm.description,
            parameters=[
                pricing_pb2.Parameter(
                    key=each.key,
                    description=each.description,
                    default_value=as_text(each.default),
                    bounds=each.bounds,
                )
                for each in schema(algorithm.parameters)
            ],
        )
        for name, algorithm in sorted(settling.ALGORITHMS.items())
    ]
