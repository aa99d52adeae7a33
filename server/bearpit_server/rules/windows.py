"""Trading windows: the states one goes through, its times, and the rule by which windows follow one another.

A window that recurs begins when its rule (RFC 5545) says so on the wall clock of its zone, and lasts as
long as the one before. Of two equal times, where the clocks go back, the first counts; a time that is
skipped is read with the offset of before the jump (RFC 5545, 3.3.5). Rules by the hour or less go by the
time that passes, so that a change of the clocks neither skips a window nor doubles one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrule, rrulestr

from bearpit_server.rules.refusals import Refused, invalid


class WindowState(IntEnum):
    """Where a window is in its life. The numbers are those of the protos."""

    CREATED = 1  # a draft, not announced
    SCHEDULED = 2
    OPEN = 3  # shown, takes no orders yet
    TRADING = 4  # the one state that takes orders
    PAUSED = 5
    TRADE_CLOSE = 6
    SETTLING = 7
    SETTLED = 8  # new prices are out
    CLOSED = 9
    CANCELLED = 10


class WindowKind(IntEnum):
    """What a window stands for. The numbers are those of the protos."""

    CHAPTER = 1
    BONUS = 2
    WEEK = 3
    SPECIAL = 4


def _to(*after: WindowState) -> frozenset[WindowState]:
    return frozenset(after)


TRANSITIONS: Mapping[WindowState, frozenset[WindowState]] = {
    WindowState.CREATED: _to(WindowState.SCHEDULED, WindowState.CANCELLED),
    WindowState.SCHEDULED: _to(WindowState.OPEN, WindowState.CANCELLED),
    WindowState.OPEN: _to(WindowState.TRADING, WindowState.CANCELLED),
    WindowState.TRADING: _to(WindowState.PAUSED, WindowState.TRADE_CLOSE, WindowState.CANCELLED),
    # Not to TRADE_CLOSE: a window that is paused resumes first, be it for the blink in which it ends.
    WindowState.PAUSED: _to(WindowState.TRADING, WindowState.CANCELLED),
    WindowState.TRADE_CLOSE: _to(WindowState.SETTLING, WindowState.CANCELLED),
    WindowState.SETTLING: _to(WindowState.SETTLED, WindowState.CANCELLED),
    WindowState.SETTLED: _to(WindowState.CLOSED, WindowState.CANCELLED),
    WindowState.CLOSED: _to(),
    WindowState.CANCELLED: _to(),
}
"""Every change of state that there is."""


def check_transition(before: WindowState, after: WindowState) -> None:
    """Raises Refused NOT_POSSIBLE_NOW, with the states that are possible, unless `after` is one of them."""
    if after in TRANSITIONS[before]:
        return
    allowed = ", ".join(state.name for state in sorted(TRANSITIONS[before]))
    raise Refused(
        "NOT_POSSIBLE_NOW",
        f"a window that is {before.name} cannot become {after.name}, but {allowed or 'nothing else'}",
        state=before.name, allowed=allowed,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Times:
    """When a window's transitions are due, in UTC and in this order; None: by hand.

    Raises Refused INVALID_FIELD with the name of the time that is wrong.
    """

    opens_at: datetime | None = None
    trades_at: datetime | None = None
    trading_ends_at: datetime | None = None
    """After `trades_at`; the others may be at one and the same moment."""
    settles_at: datetime | None = None
    closes_at: datetime | None = None

    def __post_init__(self) -> None:
        earlier, before = "", datetime.min.replace(tzinfo=UTC)
        for name, moment in self._given():
            _check_utc(name, moment)
            if moment < before:
                raise invalid(name, f"must not be before {earlier}, which is {before.isoformat()}")
            if name == "trading_ends_at" and moment == self.trades_at:
                raise invalid(name, "must be after trades_at")
            earlier, before = name, moment

    def shifted(self, by: timedelta) -> "Times":
        """The same times, that much later."""
        return Times(**{name: moment + by for name, moment in self._given()})

    def _given(self) -> Iterator[tuple[str, datetime]]:
        """The times that are set, in their order."""
        for each in fields(self):
            moment: datetime | None = getattr(self, each.name)
            if moment is not None:
                yield each.name, moment


def next_due(state: WindowState, times: Times) -> tuple[datetime, WindowState] | None:
    """The next transition that is by time, and when; None: the next is by hand or by the settlement's end.

    A window that is paused when its trading ends would hang there. It resumes at that moment, and
    TRADE_CLOSE is due at once; `takes_orders` lets none in between.
    """
    moment, after = {
        WindowState.SCHEDULED: (times.opens_at, WindowState.OPEN),
        WindowState.OPEN: (times.trades_at, WindowState.TRADING),
        WindowState.TRADING: (times.trading_ends_at, WindowState.TRADE_CLOSE),
        WindowState.PAUSED: (times.trading_ends_at, WindowState.TRADING),
        WindowState.TRADE_CLOSE: (times.settles_at, WindowState.SETTLING),
        WindowState.SETTLED: (times.closes_at, WindowState.CLOSED),
    }.get(state, (None, state))
    return (moment, after) if moment is not None else None


def due(state: WindowState, times: Times, at: datetime) -> WindowState | None:
    """The transition that is due now, one at a time: who was away calls again after each, until None."""
    coming = next_due(state, times)
    return coming[1] if coming and coming[0] <= at else None


def takes_orders(state: WindowState, times: Times, at: datetime) -> bool:
    """Whether a window takes orders: while TRADING, and not past its end though nobody has closed it yet."""
    return state is WindowState.TRADING and not _passed(times.trading_ends_at, at)


def next_chance(windows: Iterable[tuple[WindowState, Times]], at: datetime) -> datetime | None:
    """When one of an instrument's windows next takes orders; `at` if one does now; None if nobody knows.

    Drafts are not announced, and when a paused window will resume is not known.
    """
    return min((chance for window in windows if (chance := _chance(*window, at)) is not None), default=None)


def check_orders(symbol: str, windows: Iterable[tuple[WindowState, Times]], at: datetime) -> None:
    """Raises Refused WINDOW_NOT_TRADING with `next_open`, unless a window of the instrument takes orders."""
    known = list(windows)
    if any(takes_orders(state, times, at) for state, times in known):
        return
    chance = next_chance(known, at)
    when = chance.isoformat() if chance else ""
    then = f"the next chance is at {when}" if when else "when there is a next chance is not known yet"
    raise Refused("WINDOW_NOT_TRADING", f"no window of {symbol} is trading now; {then}", next_open=when)


def _chance(state: WindowState, times: Times, at: datetime) -> datetime | None:
    if takes_orders(state, times, at):
        return at
    if state not in (WindowState.SCHEDULED, WindowState.OPEN) or times.trades_at is None:
        return None
    begins = max(times.trades_at, at)
    overdue_by_hand = state is WindowState.SCHEDULED and times.opens_at is None and times.trades_at <= at
    return None if overdue_by_hand or _passed(times.trading_ends_at, begins) else begins


def _passed(moment: datetime | None, at: datetime) -> bool:
    return moment is not None and moment <= at


# Windows that recur


class _Frequency(NamedTuple):
    """What a rule of one frequency may say: its INTERVAL's bounds, and the parts that restrict it."""

    lowest: int
    highest: int
    parts: frozenset[str]
    step: timedelta | None = None
    """Of those that go by the time that passes."""


_DAYS, _CLOCK = frozenset({"BYDAY"}), frozenset({"BYHOUR", "BYMINUTE"})

# An interval of less than a day meets every day, and what is left can be asked together: whatever passes
# this table comes again, or is found never to in some milliseconds. (FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30
# would be looked for until the year 9999.)
_FREQUENCIES = {
    "SECONDLY": _Frequency(10, 86_399, _DAYS | {"BYHOUR"}, timedelta(seconds=1)),
    "MINUTELY": _Frequency(1, 1_439, _DAYS | {"BYHOUR"}, timedelta(minutes=1)),
    "HOURLY": _Frequency(1, 23, _DAYS | _CLOCK, timedelta(hours=1)),
    "DAILY": _Frequency(1, 366, _CLOCK),
    "WEEKLY": _Frequency(1, 53, _CLOCK | _DAYS | {"WKST"}),
    "MONTHLY": _Frequency(1, 12, _CLOCK | _DAYS | {"BYMONTHDAY"}),
}

_DAY, _HOUR, _MINUTE, _MONTHDAY = (
    "(MO|TU|WE|TH|FR|SA|SU)",
    r"(1?\d|2[0-3])",
    r"[1-5]?\d",
    r"-?([12]?[1-9]|[123]0|31)",
)
_VALUES = {
    "INTERVAL": r"[1-9]\d{0,4}",
    "BYDAY": rf"{_DAY}(,{_DAY})*",
    "BYHOUR": rf"{_HOUR}(,{_HOUR})*",
    "BYMINUTE": rf"{_MINUTE}(,{_MINUTE})*",
    "BYMONTHDAY": rf"{_MONTHDAY}(,{_MONTHDAY})*",
    "WKST": _DAY,
}
# Not every month has a fifth Sunday; and dateutil takes `MO,1SU` for a day that is both.
_NTH_DAYS = rf"{_VALUES['BYDAY']}|-?[1-4]{_DAY}(,-?[1-4]{_DAY})*"
_LONGEST_RULE = 200
_CHANGE_OF_CLOCKS = 2_000  # occurrences in an hour or two, at one in ten seconds


@dataclass(frozen=True, slots=True)
class Recurrence:
    """When the windows of a series begin. Raises Refused INVALID_FIELD with the field that is wrong."""

    rule: str
    """As RFC 5545 writes it, without end: `FREQ=WEEKLY;BYDAY=SU`, `FREQ=MINUTELY;INTERVAL=6`."""
    begins_at: datetime
    """When the first of the series begins, in UTC: RFC 5545's DTSTART. It gives the wall clock's time, and
    whole seconds. The last window's begin would not do: one that was moved would move all that follow."""
    time_zone: str = "UTC"
    """An IANA name."""

    def __post_init__(self) -> None:
        _check_rule(_parts(self.rule))
        _check_utc("begins_at", self.begins_at)
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: "Europe" is a folder
            raise invalid("time_zone", "give an IANA time zone such as Europe/Vienna") from None

    def next_after(self, after: datetime) -> datetime:
        """The first occurrence after `after`, in UTC.

        Raises Refused INVALID_FIELD `recurrence` if there is none.
        """
        step = _FREQUENCIES[_parts(self.rule)["FREQ"]].step
        try:
            found = self._by_time(after, step) if step else self._by_clock(after)
        except (ValueError, OverflowError):  # beyond the year 9999
            found = None
        if found is None:
            raise invalid("recurrence", f"{self.rule} never comes again after {after.isoformat()}")
        return found

    def _by_clock(self, after: datetime) -> datetime | None:
        zone = ZoneInfo(self.time_zone)
        rule = self._from(_naive(self.begins_at.astimezone(zone)))
        # From a day before: what is earlier on the wall clock is not always earlier.
        for local in rule.xafter(_naive(after.astimezone(zone)) - timedelta(days=1)):
            moment = local.replace(tzinfo=zone).astimezone(UTC)
            if moment > after:
                return moment
        return None

    def _by_time(self, after: datetime, unit: timedelta) -> datetime | None:
        """With clocks that stand as at `after`, or, if they change before the occurrence, as after that."""
        step = unit * int(_parts(self.rule).get("INTERVAL", "1"))
        # From the last step before, so that a rule of long ago is not counted through.
        begin = self.begins_at + max(0, (after - self.begins_at) // step) * step
        offset = self._offset(after)
        found = next(self._at_offset(begin, after, offset), None)
        if found is None or self._offset(found) == offset:
            return found
        changed = self._offset(found)
        later = islice(self._at_offset(begin, after, changed), _CHANGE_OF_CLOCKS)
        return next((moment for moment in later if self._offset(moment) == changed), found)

    def _at_offset(self, begin: datetime, after: datetime, offset: timedelta) -> Iterator[datetime]:
        for local in self._from(_naive(begin + offset)).xafter(_naive(after + offset)):
            yield local.replace(tzinfo=UTC) - offset

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(ZoneInfo(self.time_zone)).utcoffset() or timedelta(0)

    def _from(self, begin: datetime) -> rrule:
        made = rrulestr(self.rule, dtstart=begin)
        assert isinstance(made, rrule), "one rule makes one rule, not a set"
        return made


def following(times: Times, recurrence: Recurrence, after: datetime) -> Times:
    """The times of the next window of a series, whose reference number is one more.

    Trading begins at the rule's next occurrence after `after`, and not before this window's prices are
    settled: windows of a series do not overlap. All other times keep their distance from that, in time
    that passes. Raises Refused INVALID_FIELD for a window without `trades_at`, which is by hand.
    """
    if times.trades_at is None:
        raise invalid("trades_at", "windows that recur need a time at which trading begins")
    ends = times.settles_at or times.trading_ends_at or times.trades_at
    earliest = max(after, times.trades_at, ends - timedelta(microseconds=1))  # at the very end it may begin
    return times.shifted(recurrence.next_after(earliest) - times.trades_at)


def _check_utc(field: str, moment: datetime) -> None:
    if moment.utcoffset() != timedelta(0):
        raise invalid(field, "give a time in UTC")


def _naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


def _parts(rule: str) -> dict[str, str]:
    """A rule's parts by name. Raises Refused INVALID_FIELD `recurrence`."""
    pairs = [part.partition("=") for part in rule.split(";")] if len(rule) <= _LONGEST_RULE else []
    parts = {name: value for name, _, value in pairs}
    if not pairs or len(parts) < len(pairs):
        raise invalid("recurrence", f"each part once, in {_LONGEST_RULE} letters, as in FREQ=WEEKLY;BYDAY=SU")
    return parts


def _check_rule(parts: Mapping[str, str]) -> None:
    """Raises Refused INVALID_FIELD `recurrence`."""
    name = parts.get("FREQ", "")
    if name not in _FREQUENCIES:
        raise invalid("recurrence", f"FREQ must be one of {', '.join(_FREQUENCIES)}")
    frequency = _FREQUENCIES[name]
    known = frequency.parts | {"INTERVAL"}
    for part, value in parts.items():
        if part != "FREQ":
            if part not in known:
                raise invalid("recurrence", f"with FREQ={name} there can be {', '.join(sorted(known))}")
            _check_part(name, part, value)
    interval = int(parts.get("INTERVAL", "1"))
    if not frequency.lowest <= interval <= frequency.highest:
        bounds = f"{frequency.lowest} to {frequency.highest}"
        raise invalid("recurrence", f"with FREQ={name} the INTERVAL must be {bounds}")
    # Else it may meet those hours on some days only, or on none, and on others after a change of the clocks.
    if frequency.step and "BYHOUR" in parts and timedelta(hours=1) % (frequency.step * interval):
        raise invalid("recurrence", f"with FREQ={name} and BYHOUR the INTERVAL must divide an hour")
    if "BYDAY" in parts and "BYMONTHDAY" in parts:
        raise invalid("recurrence", "give BYDAY or BYMONTHDAY, not both")


def _check_part(frequency: str, part: str, value: str) -> None:
    pattern = _NTH_DAYS if (frequency, part) == ("MONTHLY", "BYDAY") else _VALUES[part]
    if not re.fullmatch(pattern, value, re.ASCII):
        raise invalid("recurrence", f"{part}={value[:40]} is not what RFC 5545 writes, or too rare")
