"""Windows as operators and the clock make and move them; inside the caller's transaction.

`move` is the one way to another state, by `rules.windows.TRANSITIONS`. What a window did stays when it is
cancelled, its trades and the prices that were found: they are undone by a rollback and by nothing else.
Cancelling a window of a series before its trading has ended ends the series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.rules.refusals import Refused, invalid, not_found
from bearpit_server.rules.windows import (
    Recurrence,
    Times,
    WindowKind,
    WindowState,
    check_transition,
    following,
)
from bearpit_server.storage import bulk, clock
from bearpit_server.storage.models import Instrument, SettledPrice, Window, WindowInstrument
from bearpit_server.windows.plans import Plan

MECHANISM = "window"
MAX_NUMBER = 1_000_000_000
RUNNING = tuple(state for state in WindowState if WindowState.OPEN <= state <= WindowState.SETTLING)
"""The states in which an instrument belongs to a window, and can belong to no other."""
OVER = (WindowState.CLOSED, WindowState.CANCELLED)

_OPENING, _NUMBERS = 7_117_002, 7_117_005
"""Advisory locks: of those who open windows, and of those who give them numbers, one after the other."""
_HAPPENED = {
    "opens_at": WindowState.OPEN,
    "trades_at": WindowState.TRADING,
    "trading_ends_at": WindowState.TRADE_CLOSE,
    "settles_at": WindowState.SETTLING,
    "closes_at": WindowState.CLOSED,
}
"""By time: the state from which on it is past."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new window shall be."""

    title: str
    kind: WindowKind
    number: int
    """0: one more than the last of its kind."""
    symbols: Sequence[str]
    """None: all that trade by windows."""
    times: Times
    recurrence: str
    """As rules.windows.Recurrence has it; empty: none follows."""
    time_zone: str
    plan: Plan
    scheduled: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What of a window shall change; None: it stays."""

    title: str | None = None
    times: Times | None = None
    recurrence: str | None = None
    plan: Plan | None = None


def get(window_id: int) -> Window:
    """The window. Raises Refused NOT_FOUND."""
    row: Window | None = Window.get_or_none(Window.id == window_id)
    if row is None:
        raise not_found("window", window_id)
    return row


def lock(window_id: int) -> Window:
    """The same, and nobody else changes it until the transaction ends."""
    get(window_id)
    row: Window = Window.select().where(Window.id == window_id).for_update().get()
    return row


def times_of(row: Window) -> Times:
    """A window's times."""
    return Times(row.opens_at, row.trades_at, row.trading_ends_at, row.settles_at, row.closes_at)


def instruments_of(window_id: int) -> list[Instrument]:
    """The instruments that a window covers, by symbol."""
    return list(
        Instrument.select()
        .join(WindowInstrument, on=(WindowInstrument.instrument == Instrument.id))
        .where(WindowInstrument.window == window_id)
        .order_by(Instrument.symbol)
    )


def create(wanted: Wanted, origin: Origin) -> Window:
    """Make a window. Raises Refused INVALID_FIELD, NOT_FOUND, or ALREADY_EXISTS for a taken number."""
    instruments = _instruments(wanted.symbols)
    wanted.plan.check(instrument.symbol for instrument in instruments)
    times, begins_at = wanted.times, None
    if wanted.recurrence:
        begins_at = _begin_of_series(wanted.recurrence, times, wanted.time_zone)
    elif wanted.time_zone:
        Recurrence("FREQ=DAILY", clock.now(), wanted.time_zone)  # only to know that there is such a zone
    row = _insert(
        wanted.title, wanted.kind, _number(wanted.kind, wanted.number), times, wanted.recurrence,
        wanted.time_zone or "UTC", wanted.plan.as_json(), begins_at, None,
        [instrument.id for instrument in instruments],
    )  # fmt: skip
    symbols = [instrument.symbol for instrument in instruments]
    _tell("created", row, origin, symbols=symbols, times=_times_json(times), recurrence=row.recurrence)
    if wanted.scheduled:
        _enter(row, WindowState.SCHEDULED, origin, "")
    return row


def update(window_id: int, change: Change, origin: Origin) -> Window:
    """Change a window that has not settled, and let a settlement go on that had stopped.

    Times that are past stay. Raises Refused NOT_FOUND, NOT_POSSIBLE_NOW, INVALID_FIELD.
    """
    row = lock(window_id)
    state = WindowState(row.state)
    if state >= WindowState.SETTLED:
        raise Refused(
            "NOT_POSSIBLE_NOW", f"the window is {state.name}; it can be changed no more", state=state.name
        )
    changed: dict[str, object] = {}
    if change.title is not None and change.title != row.title:
        changed["title"] = change.title
    if change.times is not None:
        times = _kept(state, times_of(row), change.times)
        changed |= {name: getattr(times, name) for name in _HAPPENED}
    if change.recurrence is not None and change.recurrence != row.recurrence:
        changed["recurrence"] = change.recurrence
    if change.plan is not None:
        change.plan.check(instrument.symbol for instrument in instruments_of(window_id))
        changed |= {"plan": change.plan.as_json(), "stopped": ""}
    for name, value in changed.items():
        setattr(row, name, value)
    if row.recurrence:
        begins_at = _begin_of_series(row.recurrence, times_of(row), row.time_zone)
        is_first = row.follows_id is None and state < WindowState.TRADING
        if "recurrence" in changed or is_first:
            row.begins_at = begins_at
    row.save()
    told = {key: value for key, value in changed.items() if key not in _HAPPENED and key != "stopped"}
    if change.times is not None:
        told["times"] = _times_json(times_of(row))
    if told:
        _tell("updated", row, origin, **told)
    return row


def move(window_id: int, to: WindowState, origin: Origin, reason: str = "") -> Window:
    """Bring a window into another state.

    SETTLING begins the settlement; SETTLED is reached by its end alone. Raises Refused NOT_FOUND, and
    NOT_POSSIBLE_NOW if there is no such transition, or while another window has one of its instruments.
    """
    row = lock(window_id)
    check_transition(WindowState(row.state), to)
    if to is WindowState.SETTLED:
        raise Refused(
            "NOT_POSSIBLE_NOW", "a window is SETTLED when all its prices are found", state=_name(row)
        )
    _enter(row, to, origin, reason)
    return row


def resume(window_id: int) -> Window:
    """Let a settlement that has stopped be tried again. Raises Refused NOT_FOUND."""
    row = lock(window_id)
    if row.stopped:
        row.stopped = ""
        row.save(only=[Window.stopped])
    return row


def finish(row: Window, origin: Origin) -> None:
    """SETTLING to SETTLED, when each instrument of a locked window has its new price."""
    check_transition(WindowState(row.state), WindowState.SETTLED)
    _enter(row, WindowState.SETTLED, origin, "")


def _enter(row: Window, to: WindowState, origin: Origin, reason: str) -> None:
    """Carry out a transition that is possible, with all that belongs to it."""
    before = WindowState(row.state)
    if to is WindowState.OPEN:
        _open(row)
    if WindowState.TRADING in (before, to):
        bulk.bump_tills(instrument.id for instrument in instruments_of(row.id))
    row.state, row.changed_at, row.stopped = int(to), clock.now(), ""
    row.save(only=[Window.state, Window.changed_at, Window.stopped])
    _tell(to.name.lower(), row, origin, **{"from": before.name}, reason=reason)
    if to in (WindowState.TRADE_CLOSE, WindowState.SETTLED, WindowState.CLOSED):
        _let_follow(row, origin)


def _open(row: Window) -> None:
    """What belongs to OPEN: the instruments are this window's, and what everybody has is kept for proof."""
    bulk.execute("SELECT pg_advisory_xact_lock(%s)", _OPENING)
    instruments = instruments_of(row.id)
    ids = [instrument.id for instrument in instruments]
    other = (
        Window.select(Window.id, Window.title, Window.state)
        .join(WindowInstrument, on=(WindowInstrument.window == Window.id))
        .where(WindowInstrument.instrument << ids, Window.state << [int(state) for state in RUNNING])
        .first()
    )
    if other is not None:
        raise Refused(
            "NOT_POSSIBLE_NOW",
            f"window {other.id}, {other.title}, has instruments of this one and is {_name(other)}; "
            "wait until it is SETTLED, or cancel it",
            state=_name(row), window_id=other.id,
        )  # fmt: skip
    unpriced = [instrument.symbol for instrument in instruments if not instrument.price_cents]
    if unpriced:
        raise Refused("NOT_POSSIBLE_NOW", f"{unpriced[0]} has no price to trade at yet", state=_name(row))
    WindowInstrument.update(price_cents=Instrument.price_cents).from_(Instrument).where(
        WindowInstrument.window == row.id, WindowInstrument.instrument == Instrument.id
    ).execute()
    bulk.snapshot_accounts(row.id, ids)


def _let_follow(row: Window, origin: Origin) -> None:
    """Schedule the next window of a series, once.

    Trading has just ended then, so that who orders too late is told of the next chance.
    """
    if not row.recurrence or Window.select().where(Window.follows_id == row.id).exists():
        return
    recurrence = Recurrence(row.recurrence, row.begins_at, row.time_zone)
    times = following(times_of(row), recurrence, clock.now())
    kind, number = WindowKind(row.kind), row.number + 1
    if number > MAX_NUMBER or _is_taken(kind, number):
        number = _number(kind, 0)
    covered = [instrument.id for instrument in instruments_of(row.id)]
    made = _insert(
        row.title, kind, number, times, row.recurrence, row.time_zone, row.plan, row.begins_at, row.id,
        covered,
    )  # fmt: skip
    _tell("created", made, origin, follows=row.id, times=_times_json(times), recurrence=row.recurrence)
    _enter(made, WindowState.SCHEDULED, origin, "")


def _insert(
    title: str,
    kind: WindowKind,
    number: int,
    times: Times,
    recurrence: str,
    time_zone: str,
    plan: object,
    begins_at: datetime | None,
    follows_id: int | None,
    instruments: Sequence[int],
) -> Window:
    at = clock.now()
    row: Window = Window.create(
        title=title, kind=int(kind), number=number, state=int(WindowState.CREATED),
        recurrence=recurrence, time_zone=time_zone, plan=plan, begins_at=begins_at, follows_id=follows_id,
        changed_at=at, created_at=at, **{name: getattr(times, name) for name in _HAPPENED},
    )  # fmt: skip
    WindowInstrument.insert_many([{"window": row.id, "instrument": id_} for id_ in instruments]).execute()
    return row


def _instruments(symbols: Sequence[str]) -> list[Instrument]:
    """Those that a new window covers. Raises Refused INVALID_FIELD, NOT_FOUND."""
    query = Instrument.select().order_by(Instrument.symbol)
    if not symbols:
        found = list(query.where(Instrument.mechanism == MECHANISM))
        if not found:
            raise invalid("symbols", "there is no instrument yet that trades by windows")
        return found
    if len(set(symbols)) < len(symbols):
        raise invalid("symbols", "give each once")
    by_symbol = {row.symbol: row for row in query.where(Instrument.symbol << list(symbols))}
    for symbol in symbols:
        if symbol not in by_symbol:
            raise not_found("instrument", symbol[:24])
        if by_symbol[symbol].mechanism != MECHANISM:
            raise invalid("symbols", f"{symbol} does not trade by windows: its price forms another way")
    return list(by_symbol.values())


def _number(kind: WindowKind, wanted: int) -> int:
    """A window's number in its kind. Raises Refused INVALID_FIELD, ALREADY_EXISTS."""
    if not 0 <= wanted <= MAX_NUMBER:
        raise invalid("number", f"give a number from 1 to {MAX_NUMBER}, or 0 for the next one")
    if not wanted:
        _lock_numbers()
        last = Window.select(pw.fn.coalesce(pw.fn.max(Window.number), 0)).where(Window.kind == int(kind))
        return int(last.scalar()) + 1
    if _is_taken(kind, wanted):
        raise Refused(
            "ALREADY_EXISTS", f"there is a {kind.name} {wanted} already; give 0 for the next number",
            "number", name=wanted,
        )  # fmt: skip
    return wanted


def _is_taken(kind: WindowKind, number: int) -> bool:
    _lock_numbers()
    return bool(Window.select().where(Window.kind == int(kind), Window.number == number).exists())


def _lock_numbers() -> None:
    bulk.execute("SELECT pg_advisory_xact_lock(%s)", _NUMBERS)


def _begin_of_series(rule: str, times: Times, time_zone: str) -> datetime:
    """When the first window of a series begins to trade. Raises Refused INVALID_FIELD."""
    if times.trades_at is None:
        raise invalid("times.trades_at", "windows that recur need a time at which trading begins")
    begins_at = times.trades_at.replace(microsecond=0)
    following(times, Recurrence(rule, begins_at, time_zone or "UTC"), clock.now())
    return begins_at


def _kept(state: WindowState, before: Times, wanted: Times) -> Times:
    """The new times, with those that are past. Raises Refused INVALID_FIELD."""
    merged: dict[str, datetime | None] = {}
    for name, from_on in _HAPPENED.items():
        old, new = getattr(before, name), getattr(wanted, name)
        if state >= from_on and new not in (None, old):
            raise invalid(f"times.{name}", f"the window is {state.name}: that has happened already")
        merged[name] = old if state >= from_on else new
    return Times(**merged)


def _name(row: Window) -> str:
    return WindowState(row.state).name


def _times_json(times: Times) -> dict[str, str]:
    given = ((name, getattr(times, name)) for name in _HAPPENED)
    return {name: moment.isoformat() for name, moment in given if moment is not None}


def _tell(what: str, row: Window, origin: Origin, **more: object) -> None:
    payload = {"title": row.title, "kind": WindowKind(row.kind).name, "number": row.number, **more}
    log.append([Event(f"window.{what}", f"window:{row.id}", origin, payload)])


def unsettled(window_id: int) -> set[int]:
    """The instruments of a window that have no new price by it."""
    done = SettledPrice.select(SettledPrice.instrument_id).where(
        SettledPrice.window_id == window_id, SettledPrice.corrected_by.is_null()
    )
    rows = (
        WindowInstrument.select(WindowInstrument.instrument)
        .where(WindowInstrument.window == window_id, WindowInstrument.instrument.not_in(done))
        .tuples()
    )
    return {int(id_) for (id_,) in rows}
