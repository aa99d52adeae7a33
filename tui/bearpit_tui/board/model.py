"""What the board shows: kept as the streams bring it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from bearpit_tui.model import Announcement, Link, Priority, Quote, Status
from bearpit_tui.windows import Windows

TAPE = 60
"""Trades that are remembered."""


class Board(Enum):
    """What players are ranked by, and how the wall calls it; in the order in which it goes round."""

    NET_WORTH = "Net worth"
    RETURN = "Return since joining"
    DAY = "Gain of the day"
    WINDOW = "Gain in this window"
    TEAM = "Teams, on average"
    REALISED = "Realised gain"
    DRAWDOWN = "Smallest drawdown"


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a board. `risen`: places since the last time, negative where it fell."""

    rank: int
    name: str
    team: str = ""
    cents: int | None = None
    bps: int | None = None
    risen: int = 0


@dataclass(frozen=True, slots=True)
class Sheet:
    """The top of a board, and how many are on it."""

    board: Board
    places: tuple[Place, ...] = ()
    total: int = 0


@dataclass(frozen=True, slots=True)
class Print:
    """A trade on the tape, and which way it moved the price."""

    symbol: str
    cents: int
    quantity: int
    direction: int


@dataclass(slots=True)
class Wall:
    """All that is known."""

    link: Link = field(default_factory=Link)
    quotes: dict[str, Quote] = field(default_factory=dict)
    tape: deque[Print] = field(default_factory=lambda: deque(maxlen=TAPE))
    status: Status = field(default_factory=Status)
    windows: Windows = field(default_factory=Windows)
    sheet: Sheet = field(default_factory=lambda: Sheet(Board.NET_WORTH))

    def price(self, quotes: Iterable[Quote], whole: bool) -> None:
        """Take quotes. What has been traded since the last one of an instrument goes onto the tape."""
        found = {quote.symbol: quote for quote in quotes}
        if whole:
            # What was missed while the server was away is not told as one huge trade.
            self.quotes = found
            return
        for quote in found.values():
            before = self.quotes.get(quote.symbol)
            if before is not None and quote.volume > before.volume and quote.last_cents:
                step = quote.last_cents - before.last_cents
                self.tape.appendleft(
                    Print(
                        quote.symbol, quote.last_cents, quote.volume - before.volume, (step > 0) - (step < 0)
                    )
                )
        self.quotes |= found

    @property
    def movers(self) -> list[Quote]:
        """Instruments that have moved since yesterday's close, the best first."""
        moved = [quote for quote in self.quotes.values() if quote.change_bps]
        return sorted(moved, key=lambda quote: (-quote.change_bps, quote.symbol))

    @property
    def urgent(self) -> Announcement | None:
        """What takes the whole wall; the newest."""
        found = (one for one in self.status.announcements if one.priority is Priority.URGENT)
        return next(found, None)
