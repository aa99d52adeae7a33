"""The time zone that all screens show times in: one, which can be another from one moment to the next."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class ShownZone(tzinfo):
    """A zone that stands for the chosen one; whoever holds it need not hear of another choice."""

    def __init__(self, here: tzinfo) -> None:
        self._here = here
        self._zone = here

    @property
    def name(self) -> str:
        """The chosen zone's IANA name; empty: this machine's zone."""
        return self._zone.key if isinstance(self._zone, ZoneInfo) else ""

    def choose(self, name: str) -> None:
        """Show times in a zone; this machine's, for an empty name. Raises ValueError: there is none such."""
        self._zone = zone_of(name) if name else self._here

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return self._zone.utcoffset(_in(self._zone, moment))

    def dst(self, moment: datetime | None) -> timedelta | None:
        return self._zone.dst(_in(self._zone, moment))

    def tzname(self, moment: datetime | None) -> str | None:
        return self._zone.tzname(_in(self._zone, moment))

    def fromutc(self, moment: datetime) -> datetime:
        return self._zone.fromutc(moment.replace(tzinfo=self._zone)).replace(tzinfo=self)


def _in(zone: tzinfo, moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=zone) if moment is not None else None


def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises ValueError, whose text tells what to write."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'there is no time zone "{name}"; write one such as "Europe/Prague"') from None
