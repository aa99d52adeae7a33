"""The market's calendar: which phase it is in at a moment, and when that changes.

A session is named by the wall clock of its zone. Where the clocks go back, the first of two equal
times counts; a time that is skipped where they go forward is the moment of the jump.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MAX_PRE_OPEN_MINUTES = 720

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_MINUTE = timedelta(minutes=1)
_HORIZON_DAYS = 15  # a week and some: a weekly session may be lost once to a change of the clocks


class Phase(IntEnum):
    """Where a market or an instrument is in its day. The numbers are those of the protos."""

    CLOSED = 1  # no orders, but cancels
    PRE_OPEN = 2  # orders are collected for the opening auction
    OPEN = 3  # continuous trading
    HALTED = 4  # orders are collected for the auction that ends the halt


class Override(IntEnum):
    """What the operators say about the phase. The numbers are those of the protos."""

    NONE = 1  # the schedule decides
    OPEN = 2
    CLOSED = 3
    PRE_OPEN = 4


_OVERRIDDEN = {
    Override.OPEN: Phase.OPEN,
    Override.CLOSED: Phase.CLOSED,
    Override.PRE_OPEN: Phase.PRE_OPEN,
}


class InvalidSchedule(ValueError):
    """A schedule's `field` that cannot be, and why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Schedule:
    """The market's hours. InvalidSchedule, a ValueError, names the field that is wrong."""

    days: tuple[int, ...]
    """ISO weekdays a session opens on, Monday 1 to Sunday 7."""
    opens: str
    """HH:MM on the wall clock of the zone."""
    closes: str
    """HH:MM; at or before `opens` it is the next day's."""
    pre_open_minutes: int = 0
    """How long orders are collected before the opening, 0 to MAX_PRE_OPEN_MINUTES."""
    time_zone: str = "UTC"
    """An IANA name."""

    def __post_init__(self) -> None:
        if not self.days or not set(self.days) <= set(range(1, 8)):
            raise InvalidSchedule("days", "one or more of 1 (Monday) to 7 (Sunday)")
        if len(set(self.days)) < len(self.days):
            raise InvalidSchedule("days", "each day once")
        for field, clock in (("opens", self.opens), ("closes", self.closes)):
            if not _CLOCK.fullmatch(clock):
                raise InvalidSchedule(field, "a time as HH:MM, 00:00 to 23:59")
        if not 0 <= self.pre_open_minutes <= MAX_PRE_OPEN_MINUTES:
            raise InvalidSchedule("pre_open_minutes", f"0 to {MAX_PRE_OPEN_MINUTES}")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: "Europe" is a folder
            raise InvalidSchedule("time_zone", "an IANA time zone such as Europe/Vienna") from None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def phase_at(now: datetime, override: Override, schedule: Schedule | None, halted: bool = False) -> Phase:
    """The phase: the operators' word, else the schedule's, else closed; a halt stops an open market."""
    if override in _OVERRIDDEN:
        phase = _OVERRIDDEN[override]
    else:
        phase = _scheduled(now, schedule) if schedule else Phase.CLOSED
    return Phase.HALTED if halted and phase is Phase.OPEN else phase


def next_change(now: datetime, schedule: Schedule | None) -> datetime | None:
    """When the schedule's phase next becomes another one; None if it never does."""
    if schedule is None:
        return None
    phase = _scheduled(now, schedule)
    moments = sorted(moment for session in _sessions(now, schedule) for moment in session if moment > now)
    return next((moment for moment in moments if _scheduled(moment, schedule) is not phase), None)


def session_end(now: datetime, schedule: Schedule | None) -> datetime | None:
    """When the session that is on ends, or else the next: then DAY orders end. None without a schedule."""
    if schedule is None:
        return None
    return next((session.closes for session in _sessions(now, schedule) if session.closes > now), None)


def next_open(now: datetime, schedule: Schedule | None) -> datetime | None:
    """When the next session after `now` opens. None without a schedule."""
    if schedule is None:
        return None
    return next((session.opens for session in _sessions(now, schedule) if session.opens > now), None)


class _Session(NamedTuple):
    pre_open: datetime
    opens: datetime
    closes: datetime


def _scheduled(at: datetime, schedule: Schedule) -> Phase:
    """A session beats the pre-opening of the next; each moment belongs to what begins at it."""
    phase = Phase.CLOSED
    for session in _sessions(at, schedule, days=3):
        if session.opens <= at < session.closes:
            return Phase.OPEN
        if session.pre_open <= at < session.opens:
            phase = Phase.PRE_OPEN
    return phase


def _sessions(now: datetime, schedule: Schedule, days: int = _HORIZON_DAYS) -> Iterator[_Session]:
    """Sessions in the order of time, in UTC, from one that may still be on to some days ahead."""
    zone = schedule.zone
    opens, closes = time.fromisoformat(schedule.opens), time.fromisoformat(schedule.closes)
    overnight = timedelta(days=closes <= opens)
    pre_open = timedelta(minutes=schedule.pre_open_minutes)
    first = now.astimezone(zone).date() - timedelta(days=2)
    for day in (first + timedelta(days=n) for n in range(days + 2)):
        if day.isoweekday() in schedule.days:
            start, end = _instant(day, opens, zone), _instant(day + overnight, closes, zone)
            if start < end:
                yield _Session(start - pre_open, start, end)


def _instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, when the zone's clocks first show this time or have jumped over it."""
    local = datetime.combine(day, clock, zone)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return moment
    # Skipped: read with the offset of after the jump it is before the jump. Find the jump from there.
    moment = local.replace(fold=1).astimezone(UTC)
    offset = moment.astimezone(zone).utcoffset()
    while moment.astimezone(zone).utcoffset() == offset:
        moment += _MINUTE
    return moment
