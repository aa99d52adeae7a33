"""When the market is open, and what is halted, as operators say; inside the caller's transaction."""

from dataclasses import asdict

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.game.trading import instruments
from bearpit_server.rules.refusals import invalid
from bearpit_server.rules.sessions import InvalidSchedule, Override, Schedule
from bearpit_server.storage.hours import ONLY, Market, of, read
from bearpit_server.storage.models import Instrument
from bearpit_server.storage.models import Market as MarketRow

__all__ = ["Market", "halt", "make_schedule", "read", "set_override", "set_schedule"]


def set_override(override: int, origin: Origin) -> Market:
    """Open or close by hand, or leave it to the schedule. Raises Refused INVALID_FIELD."""
    try:
        wanted = Override(override)
    except ValueError:
        raise invalid("override", "give NONE, OPEN, CLOSED or PRE_OPEN") from None
    row = _lock()
    if row.override != wanted:
        row.override = int(wanted)
        row.save(only=[MarketRow.override])
        log.append([Event("market.override_set", "market", origin, {"override": wanted.name.lower()})])
    return of(row)


def set_schedule(schedule: Schedule | None, origin: Origin) -> Market:
    """Set the market's hours, or remove them."""
    row = _lock()
    if of(row).schedule != schedule:
        row.schedule = None if schedule is None else asdict(schedule)
        row.save(only=[MarketRow.schedule])
        log.append([Event("market.schedule_set", "market", origin, {"schedule": row.schedule})])
    return of(row)


def halt(symbol: str, halted: bool, origin: Origin) -> list[Instrument]:
    """Halt or resume one instrument, or with no symbol all; returns those it concerns.

    An instrument that was halted by itself stays so when all are resumed. Raises Refused NOT_FOUND.
    """
    done = "halted" if halted else "resumed"
    if not symbol:
        row = _lock()
        if row.all_halted != halted:
            row.all_halted = halted
            row.save(only=[MarketRow.all_halted])
            log.append([Event(f"market.{done}", "market", origin)])
        return list(Instrument.select().order_by(Instrument.symbol))
    instrument = instruments.lock(symbol)
    if instrument.halted != halted:
        instrument.halted = halted
        instrument.save(only=[Instrument.halted])
        log.append([Event(f"instrument.{done}", f"instrument:{symbol}", origin)])
    return [instrument]


def make_schedule(
    days: tuple[int, ...], opens: str, closes: str, pre_open_minutes: int, zone: str
) -> Schedule:
    """The schedule, if it can be one. Raises Refused INVALID_FIELD."""
    try:
        return Schedule(tuple(sorted(days)), opens, closes, pre_open_minutes, zone)
    except InvalidSchedule as error:
        field = f"schedule.{error.field}"
        raise invalid(field, str(error).removeprefix(f"{error.field}: ")) from None


def _lock() -> MarketRow:
    row: MarketRow = MarketRow.select().where(MarketRow.id == ONLY).for_update().get()
    return row
