"""What the demo's stocks are worth: real weekly prices, run through faster than they happened.

The prices are split- and dividend-adjusted weekly bars of Quandl's WIKI set, in the public domain. They lie
beside this module, and not in the server, because only the house bots read them.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources

POINTS_A_WEEK = 3
"""A week's path has so many straight pieces: open, the two extremes, close."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One week of one stock, in cents."""

    open: int
    high: int
    low: int
    close: int

    def path(self) -> tuple[int, int, int, int]:
        """A way through the week: a week that rose saw its low first, one that fell its high."""
        if self.close >= self.open:
            return self.open, self.low, self.high, self.close
        return self.open, self.high, self.low, self.close


@dataclass(frozen=True, slots=True)
class History:
    """The weeks that all stocks have, oldest first."""

    bars: Mapping[str, tuple[Bar, ...]]

    def value(self, symbol: str, weeks: float) -> int:
        """What a share is worth after so many weeks, in cents; 0 or more weeks.

        Where the history ends it runs backwards, and so on for ever: a value never jumps from the last
        week to the first.
        """
        bars = self.bars[symbol]
        week, part = divmod(_reflected(weeks, len(bars)), 1)
        piece, along = divmod(part * POINTS_A_WEEK, 1)
        path = bars[int(week)].path()
        before, after = path[int(piece)], path[int(piece) + 1]
        return max(1, round(before + (after - before) * along))


def _reflected(weeks: float, length: int) -> float:
    turn = weeks % (2 * length)
    return turn if turn < length else max(0.0, min(2 * length - turn, length - 1e-9))


def load() -> History:
    """The history that is shipped with the game."""
    return parse(text().splitlines())


def text() -> str:
    """The same as it lies in its file."""
    return resources.files(__package__).joinpath("weekly.csv").read_text(encoding="utf-8")


def parse(lines: Iterable[str]) -> History:
    """Read the columns symbol, week, open, high, low, close; from the first week that every symbol has."""
    by_symbol: dict[str, dict[str, Bar]] = {}
    for row in csv.DictReader(lines):
        bar = Bar(_cents(row["open"]), _cents(row["high"]), _cents(row["low"]), _cents(row["close"]))
        by_symbol.setdefault(row["symbol"], {})[row["week"]] = bar
    shared = sorted(set.intersection(*(set(bars) for bars in by_symbol.values())))
    return History({symbol: tuple(bars[week] for week in shared) for symbol, bars in by_symbol.items()})


def _cents(points: str) -> int:
    """Without a float on the way: "4.1" is 410."""
    whole, _, part = points.partition(".")
    return int(whole) * 100 + int((part + "00")[:2])
