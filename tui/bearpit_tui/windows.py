"""Trading windows: prices stand still while one is open, and are settled after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class WindowState(Enum):
    """Where a window is in its life, in the words the screen uses."""

    UNKNOWN = ""
    CREATED = "planned"
    SCHEDULED = "scheduled"
    OPEN = "announced"
    TRADING = "trading"
    PAUSED = "paused"
    TRADE_CLOSE = "trading is over"
    SETTLING = "settling"
    SETTLED = "settled"
    CLOSED = "over"
    CANCELLED = "called off"


UNDER_WAY = frozenset(
    {
        WindowState.OPEN,
        WindowState.TRADING,
        WindowState.PAUSED,
        WindowState.TRADE_CLOSE,
        WindowState.SETTLING,
    }
)
TO_COME = frozenset({WindowState.CREATED, WindowState.SCHEDULED})
HAVE_RESULTS = frozenset({WindowState.SETTLED, WindowState.CLOSED})


@dataclass(frozen=True, slots=True)
class Window:
    """One window. A time that is None is not known: it changes by hand."""

    window_id: int
    title: str = ""
    kind: str = ""
    number: int = 0
    state: WindowState = WindowState.UNKNOWN
    symbols: frozenset[str] = frozenset()
    next_state: WindowState = WindowState.UNKNOWN
    next_change_at: datetime | None = None
    changed_at: datetime | None = None
    next_chance_at: datetime | None = None
    """When orders will be taken again."""
    settled: int = 0
    """Instruments whose prices have been found."""
    reversed: bool = False
    """Whether a rollback has taken its trading back."""

    @property
    def name(self) -> str:
        """What people call it: `Chapter 12 · The long night`."""
        numbered = f"{self.kind.capitalize()} {self.number}" if self.kind and self.number else ""
        parts = [numbered] if numbered.lower() not in self.title.lower() else []
        return " · ".join([*filter(None, parts), *filter(None, [self.title])]) or f"Window {self.window_id}"

    def covers(self, symbol: str) -> bool:
        """Whether it settles an instrument's price."""
        return not self.symbols or symbol in self.symbols


@dataclass(frozen=True, slots=True)
class Settled:
    """What a window did to one price, and why."""

    symbol: str
    previous_cents: int = 0
    price_cents: int = 0
    move_bps: int = 0
    explanation: str = ""
    corrected: bool = False
    """Whether a rollback has put another one in its place."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Those that are not over and the latest that are, newest first; what the latest settled one did."""

    windows: tuple[Window, ...] = ()
    prices: tuple[Settled, ...] = ()

    def of(self, symbol: str) -> Window | None:
        """The window that matters to an instrument now: one under way, else the next, else the last."""
        own = [one for one in self.windows if one.covers(symbol)]
        coming = sorted((one for one in own if one.state in TO_COME), key=_begins)
        under_way = (one for one in own if one.state in UNDER_WAY)
        return next(under_way, None) or next(iter((*coming, *own)), None)

    @property
    def latest_settled(self) -> Window | None:
        """The window whose results `prices` are."""
        if not self.prices:
            return None
        return next((one for one in self.windows if one.state in HAVE_RESULTS and one.settled), None) or next(
            (one for one in self.windows if one.state in HAVE_RESULTS), None
        )

    def result(self, symbol: str) -> Settled | None:
        """What the latest settled window did to one price."""
        return next((one for one in self.prices if one.symbol == symbol and not one.corrected), None)

    def movers(self) -> Sequence[Settled]:
        """What it did to all prices, from the best to the worst; corrected ones beside what corrects them."""
        order = {one.symbol: one.move_bps for one in self.prices if not one.corrected}
        return sorted(
            self.prices,
            key=lambda one: (-order.get(one.symbol, one.move_bps), one.symbol, one.corrected),
        )


def _begins(window: Window) -> tuple[bool, float, int]:
    at = window.next_change_at
    return (at is None, at.timestamp() if at is not None else 0.0, window.window_id)
