"""Candles: the trades of a span of time in one line.

Storage keeps candles of one minute and of fifteen; the others are merged from them: five minutes
from one, an hour and a day from fifteen (every zone's midnight falls on a quarter of an hour).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from itertools import groupby

MINUTE = 60
QUARTER = 15 * MINUTE
HOUR = 60 * MINUTE
DAY = 24 * HOUR

PERIODS = {"1m": MINUTE, "5m": 5 * MINUTE, "15m": QUARTER, "1h": HOUR, "1d": DAY}
"""The lengths a candle may have, in seconds; a day is as long as the clocks make it."""

STORED_FROM = {MINUTE: MINUTE, 5 * MINUTE: MINUTE, QUARTER: QUARTER, HOUR: QUARTER, DAY: QUARTER}
"""Which stored period each is made of."""


@dataclass(frozen=True, slots=True)
class Candle:
    """One span of time with at least one trade; prices and value in cents, volume in shares."""

    start: int
    """The beginning of the span, in seconds since 1970."""
    open_cents: int
    high_cents: int
    low_cents: int
    close_cents: int
    volume: int
    value_cents: int
    """What was paid in all: divided by the volume, the average price."""
    trades: int


def bucket(at: int, period: int, zone: tzinfo = UTC) -> int:
    """The start of the span that `at` falls into, both in seconds since 1970.

    Days begin at midnight in `zone`, or at the first moment of the day where midnight is skipped.
    """
    if period != DAY:
        return at - at % period
    day = datetime.fromtimestamp(at, zone).date()
    return int(datetime.combine(day, time(), zone).timestamp())


def fold(start: int, trades: Iterable[tuple[int, int]]) -> Candle:
    """The candle of trades, (price in cents, shares) in their order. ValueError if there are none."""
    folded = list(trades)
    if not folded:
        raise ValueError("a candle needs a trade")
    prices = [price for price, _ in folded]
    return Candle(
        start=start,
        open_cents=prices[0],
        high_cents=max(prices),
        low_cents=min(prices),
        close_cents=prices[-1],
        volume=sum(quantity for _, quantity in folded),
        value_cents=sum(price * quantity for price, quantity in folded),
        trades=len(folded),
    )


def merge(candles: Iterable[Candle], period: int, zone: tzinfo = UTC) -> list[Candle]:
    """Candles of a longer period from those of a shorter one, which come in the order of time."""
    return [
        _join(start, list(group))
        for start, group in groupby(candles, key=lambda candle: bucket(candle.start, period, zone))
    ]


def _join(start: int, candles: list[Candle]) -> Candle:
    return Candle(
        start=start,
        open_cents=candles[0].open_cents,
        high_cents=max(candle.high_cents for candle in candles),
        low_cents=min(candle.low_cents for candle in candles),
        close_cents=candles[-1].close_cents,
        volume=sum(candle.volume for candle in candles),
        value_cents=sum(candle.value_cents for candle in candles),
        trades=sum(candle.trades for candle in candles),
    )
