"""When the market is open, as its one row says."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import cast

from bearpit_server.rules.sessions import Override, Phase, Schedule, next_change, phase_at
from bearpit_server.storage.models import Market as MarketRow

ONLY = 1
"""The id of the market's one row."""


@dataclass(frozen=True, slots=True)
class Market:
    """What the operators have said."""

    override: Override
    all_halted: bool
    schedule: Schedule | None

    @property
    def time_zone(self) -> str:
        """The zone of the schedule and of daily candles."""
        return self.schedule.time_zone if self.schedule else "UTC"

    @property
    def zone(self) -> tzinfo:
        """The same, to reckon with."""
        return self.schedule.zone if self.schedule else UTC

    def phase(self, at: datetime, halted: bool = False) -> Phase:
        """The phase of the market, or of an instrument that may be halted itself."""
        return phase_at(at, self.override, self.schedule, halted or self.all_halted)

    def next_change(self, at: datetime) -> tuple[datetime, Phase] | None:
        """When the schedule changes the phase next, and to what; None while it has no say."""
        if self.override is not Override.NONE:
            return None
        moment = next_change(at, self.schedule)
        return None if moment is None else (moment, self.phase(moment))


def read() -> Market:
    """As it is now; inside a transaction."""
    return of(MarketRow.get_by_id(ONLY))


def of(row: MarketRow) -> Market:
    """What the row says."""
    return Market(Override(row.override), bool(row.all_halted), _schedule(row.schedule))


def _schedule(stored: Mapping[str, object] | None) -> Schedule | None:
    if stored is None:
        return None
    return Schedule(
        days=tuple(cast("list[int]", stored["days"])),
        opens=str(stored["opens"]),
        closes=str(stored["closes"]),
        pre_open_minutes=cast(int, stored["pre_open_minutes"]),
        time_zone=str(stored["time_zone"]),
    )
