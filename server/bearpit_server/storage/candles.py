"""Candles in the database: written with the trades they sum up, read in any period.

Rows of a minute and of a quarter of an hour are kept; the longer periods are merged from them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from itertools import groupby
from typing import Protocol

from bearpit_server.rules.candles import DAY, HOUR, MINUTE, QUARTER, STORED_FROM, bucket, fold, merge
from bearpit_server.rules.candles import Candle as Span
from bearpit_server.storage import bulk
from bearpit_server.storage.models import Candle, database

INT64_MAX = 2**63 - 1
LONGEST_DAY = 25 * HOUR
"""When the clocks go back."""


class Traded(Protocol):
    """What a candle takes of a trade."""

    @property
    def instrument_id(self) -> int: ...

    @property
    def price_cents(self) -> int: ...

    @property
    def quantity(self) -> int: ...

    @property
    def executed_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Today:
    """What a quote says of an instrument's day; prices are 0 where there was no trade."""

    last_cents: int
    """The last price, of whichever day."""
    high_cents: int
    low_cents: int
    volume: int
    previous_close_cents: int
    """The last price before today, else the first there ever was."""


@dataclass(frozen=True, slots=True)
class Total:
    """What trading came to: shares, their worth in cents, and the number of trades."""

    quantity: int
    value_cents: int
    trades: int


# A sum of values that no int64 holds would fail the settlement it is part of: it stays at the largest.
_RECORD = """
INSERT INTO candles (instrument_id, seconds, start, open_cents, high_cents, low_cents, close_cents, volume,
    value_cents, trades)
SELECT * FROM unnest(%s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::int8[],
    %s::int8[], %s::int8[], %s::int8[])
ON CONFLICT (instrument_id, seconds, start) DO UPDATE
SET high_cents = greatest(candles.high_cents, excluded.high_cents),
    low_cents = least(candles.low_cents, excluded.low_cents),
    close_cents = excluded.close_cents,
    volume = candles.volume + excluded.volume,
    value_cents = least(candles.value_cents::numeric + excluded.value_cents, 9223372036854775807)::int8,
    trades = candles.trades + excluded.trades
"""


def record(writes: bulk.Writes, trades: Iterable[Traded], marks: Iterable[Traded] = ()) -> None:
    """Add trades, in the order they happened, to their candles; inside the transaction that makes them.

    `marks` are prices that formed before those without a trade: they have no quantity, and do not count.
    """
    minutes: dict[tuple[int, int], list[tuple[int, int]]] = {}
    counts: Counter[tuple[int, int]] = Counter()
    for each, prices in ((0, marks), (1, trades)):
        for price in prices:
            key = price.instrument_id, bucket(int(price.executed_at.timestamp()), MINUTE)
            minutes.setdefault(key, []).append((price.price_cents, price.quantity))
            counts[key] += each
    rows: list[tuple[int, ...]] = []
    for instrument_id, keys in groupby(sorted(minutes), key=lambda key: key[0]):
        folded = [replace(fold(key[1], minutes[key]), trades=counts[key]) for key in keys]
        rows += [_row(instrument_id, MINUTE, span) for span in folded]
        rows += [_row(instrument_id, QUARTER, span) for span in merge(folded, QUARTER)]
    if rows:
        writes.add(_RECORD, *map(bulk.ints, zip(*rows, strict=True)))


def _row(instrument_id: int, seconds: int, span: Span) -> tuple[int, ...]:
    return (
        instrument_id, seconds, span.start, span.open_cents, span.high_cents, span.low_cents,
        span.close_cents, span.volume, min(span.value_cents, INT64_MAX), span.trades,
    )  # fmt: skip


def read(
    instrument_id: int, period: int, limit: int, before: float | None = None, zone: tzinfo = UTC
) -> list[Span]:
    """The latest candles of a period in seconds, oldest first; those that start before a moment.

    Days begin at midnight in `zone`. Periods without a trade have no candle.
    """
    stored = STORED_FROM[period]
    rows = Candle.select(
        Candle.start, Candle.open_cents, Candle.high_cents, Candle.low_cents, Candle.close_cents,
        Candle.volume, Candle.value_cents, Candle.trades,
    ).where(Candle.instrument_id == instrument_id, Candle.seconds == stored)  # fmt: skip
    if before is not None:
        rows = rows.where(Candle.start < _end_of_spans(before, period, zone))
    # So many rows make at least so many candles, and what may be cut off is older than those.
    most = (LONGEST_DAY if period == DAY else period) // stored
    latest = rows.order_by(Candle.start.desc()).limit(limit * most).tuples()
    return merge([Span(*row) for row in reversed(list(latest))], period, zone)[-limit:]


def _end_of_spans(before: float, period: int, zone: tzinfo) -> int:
    """The end of the last span that starts before a moment."""
    last = bucket(-int(-before // 1) - 1, period, zone)
    if period != DAY:
        return last + period
    return bucket(last + LONGEST_DAY + HOUR, DAY, zone)


_TODAY = """
SELECT i.id, coalesce(l.close_cents, 0), coalesce(t.high, 0), coalesce(t.low, 0), coalesce(t.volume, 0)::int8,
    coalesce(p.close_cents, f.open_cents, 0)
FROM unnest(%(ids)s::int8[]) AS i(id)
LEFT JOIN LATERAL (
    SELECT max(high_cents) AS high, min(low_cents) AS low, sum(volume) AS volume FROM candles
    WHERE instrument_id = i.id AND seconds = 900 AND start >= %(day)s
) t ON true
LEFT JOIN LATERAL (
    SELECT close_cents FROM candles WHERE instrument_id = i.id AND seconds = 900
    ORDER BY start DESC LIMIT 1
) l ON true
LEFT JOIN LATERAL (
    SELECT close_cents FROM candles WHERE instrument_id = i.id AND seconds = 900 AND start < %(day)s
    ORDER BY start DESC LIMIT 1
) p ON true
LEFT JOIN LATERAL (
    SELECT open_cents FROM candles WHERE instrument_id = i.id AND seconds = 900 ORDER BY start LIMIT 1
) f ON true
"""


def today(instruments: Iterable[int], day: int) -> dict[int, Today]:
    """By instrument id: the day that began at this moment, in seconds since 1970; `bucket` tells it."""
    rows = database.execute_sql(_TODAY, {"ids": bulk.ints(instruments), "day": day}).fetchall()
    return {id_: Today(*figures) for id_, *figures in rows}


_TOTALS = """
SELECT instrument_id, sum(volume)::int8, least(sum(value_cents), 9223372036854775807)::int8, sum(trades)::int8
FROM candles
WHERE instrument_id = ANY(%(ids)s::int8[])
    AND ((seconds = 900 AND start >= %(inner_from)s AND start < %(inner_to)s)
        OR (seconds = 60 AND start >= %(from)s AND start < %(to)s
            AND (start < %(inner_from)s OR start >= %(inner_to)s)))
GROUP BY instrument_id
"""


def totals(instruments: Sequence[int], start: int, end: int) -> dict[int, Total]:
    """By instrument id: trading from one moment to another, in whole minutes; those without have none.

    Whole quarters are read as such, and only the ends in minutes.
    """
    first, last = start - start % MINUTE, end + -end % MINUTE
    inner_from, inner_to = first + -first % QUARTER, last - last % QUARTER
    if inner_from >= inner_to:
        inner_from = inner_to = last
    bounds = {"from": first, "to": last, "inner_from": inner_from, "inner_to": inner_to}
    rows = database.execute_sql(_TOTALS, {"ids": bulk.ints(instruments), **bounds}).fetchall()
    return {id_: Total(*figures) for id_, *figures in rows}
