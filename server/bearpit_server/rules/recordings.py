"""Recorded histories: bars with open, high, low, close and volume, read from the text of a CSV file."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from bearpit_server.rules.mechanisms.base import Bar
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.units import BPS, MAX_PRICE_CENTS

MAX_ROWS = 200_000
MAX_SYMBOL = 40
MAX_VOLUME = 10**15
FIRST_YEAR, LAST_YEAR = 1000, 4000
"""So that adding the distance of any two bars to a third stays inside what a datetime can say."""

TIME_COLUMNS = ("datetime", "timestamp", "date", "time", "day", "week", "month")
"""What the column may be called that says when a bar begins; the first there is counts."""
SYMBOL_COLUMNS = ("symbol", "ticker", "name")

_FIELD = "csv"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{0,20})?(e[+-]?[0-9]{1,2})?", re.IGNORECASE)
_SINCE_EPOCH = re.compile(r"-?[0-9]{9,17}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the file and what its columns are called."""

    line: int
    cells: Mapping[str, str]

    def wrong(self, column: str, message: str) -> Refused:
        return _wrong(self.line, f"column {column}: {message}")


def parse(text: str, scale_bps: int = BPS) -> dict[str, list[Bar]]:
    """The bars of every symbol in a CSV text, oldest first; without a column for it the one symbol is "".

    The first line names the columns, in any case and order; there must be one of TIME_COLUMNS and `close`,
    there may be one of SYMBOL_COLUMNS, `open`, `high`, `low` and `volume`; others are not looked at. `date`
    and `time` may be two. Times are ISO dates or moments, in UTC unless they say otherwise, or seconds,
    milliseconds or microseconds since 1970. Prices are in points; they are multiplied by `scale_bps` and
    then rounded to whole cents, half to even. Raises Refused INVALID_FIELD, which names line and column.
    """
    series: dict[str, dict[datetime, Bar]] = {}
    for row in _rows(text):
        bars = series.setdefault(_symbol(row), {})
        bar = _bar(row, scale_bps)
        if bar.at in bars:
            raise _wrong(row.line, f"there is a bar at {bar.at.isoformat()} before")
        bars[bar.at] = bar
    if not series:
        raise invalid(_FIELD, "there are no bars in it; give a line of column names and a line a bar")
    return {symbol: [bars[at] for at in sorted(bars)] for symbol, bars in series.items()}


def _wrong(line: int, message: str) -> Refused:
    return invalid(_FIELD, f"line {line}: {message}")


def _rows(text: str) -> Iterator[_Row]:
    text = text.removeprefix("\ufeff")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        names = _names(next(reader, []))
        for number, cells in enumerate((cells for cells in reader if any(map(str.strip, cells))), 1):
            if number > MAX_ROWS:
                raise _wrong(reader.line_num, f"give at most {MAX_ROWS} bars")
            if len(cells) != len(names):
                raise _wrong(reader.line_num, f"has {len(cells)} columns in place of {len(names)}")
            yield _Row(reader.line_num, dict(zip(names, map(str.strip, cells), strict=True)))
    except csv.Error as error:
        raise _wrong(reader.line_num, str(error)) from None


def _delimiter(text: str) -> str:
    """A comma, unless the first line has more semicolons or tabs."""
    return max(",;\t", key=text.partition("\n")[0].count)


def _names(header: Sequence[str]) -> list[str]:
    names = [name.strip().lower() for name in header]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise _wrong(1, f"column {twice[:MAX_SYMBOL]}: there is another of that name")
    if "close" not in names:
        raise _wrong(1, "column close: there is none; the first line names the columns")
    if not set(TIME_COLUMNS) & set(names):
        raise _wrong(1, f"column date: there is none; call it one of {', '.join(TIME_COLUMNS)}")
    return names


def _symbol(row: _Row) -> str:
    column = next((name for name in SYMBOL_COLUMNS if name in row.cells), None)
    if column is None:
        return ""
    symbol = row.cells[column]
    if not 0 < len(symbol) <= MAX_SYMBOL or not symbol.isprintable():
        raise row.wrong(column, f"give 1 to {MAX_SYMBOL} printable characters")
    return symbol


def _bar(row: _Row, scale_bps: int) -> Bar:
    """What is not given is no further away than open and close are."""
    close = _cents(row, "close", scale_bps)
    open_ = _cents(row, "open", scale_bps) if "open" in row.cells else close
    high = _cents(row, "high", scale_bps) if "high" in row.cells else max(open_, close)
    low = _cents(row, "low", scale_bps) if "low" in row.cells else min(open_, close)
    if high < max(open_, close, low):
        raise row.wrong("high", "is below the open, the low or the close")
    if low > min(open_, close):
        raise row.wrong("low", "is above the open or the close")
    return Bar(
        at=_at(row), open_cents=open_, high_cents=high, low_cents=low, close_cents=close, volume=_volume(row)
    )


def _cents(row: _Row, column: str, scale_bps: int) -> int:
    points = _number(row, column)
    if points > MAX_PRICE_CENTS:
        raise row.wrong(column, f"give at most {MAX_PRICE_CENTS // 100} points")
    cents = int((points * 100 * scale_bps / BPS).to_integral_value(ROUND_HALF_EVEN))
    if not 1 <= cents <= MAX_PRICE_CENTS:
        raise row.wrong(column, f"{points} points are not 1 to {MAX_PRICE_CENTS} cents; change the scale")
    return cents


def _volume(row: _Row) -> int:
    if not row.cells.get("volume"):
        return 0
    volume = _number(row, "volume")
    if volume > MAX_VOLUME:
        raise row.wrong("volume", f"give at most {MAX_VOLUME} shares")
    return int(volume)


def _number(row: _Row, column: str) -> Decimal:
    """By a pattern of our own: Decimal itself reads "nan", "1_000" and "१" too."""
    text = row.cells[column]
    if not _NUMBER.fullmatch(text):
        raise row.wrong(column, f"{text[:MAX_SYMBOL]!r} is not a number such as 12.34")
    return Decimal(text)


def _at(row: _Row) -> datetime:
    column = next(name for name in TIME_COLUMNS if name in row.cells)
    text = row.cells[column]
    if column == "date" and row.cells.get("time"):
        text = f"{text}T{row.cells['time']}"
    try:
        moment = _moment(text)
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise ValueError(text)
        return moment
    except (ValueError, OverflowError):
        raise row.wrong(
            column, f"{text[:MAX_SYMBOL]!r} is not a date such as 2026-07-01 or a moment"
        ) from None


def _moment(text: str) -> datetime:
    """ValueError or OverflowError if it is none. What counts since 1970 is told by its size: seconds
    stay below 10^11 until the year 5138, milliseconds are above it since 1973.
    """
    if _SINCE_EPOCH.fullmatch(text):
        number = Decimal(text)
        unit = 1_000_000 if abs(number) < 10**11 else 1_000 if abs(number) < 10**14 else 1
        return _EPOCH + timedelta(microseconds=int(number * unit))
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
