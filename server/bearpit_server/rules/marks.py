"""What a share counts as in net worth, so that nobody makes himself rich by a trade with a friend.

Where the house deals (feeds, windows) the mark is the dealing price, and a pool's is its price; but a
holding of a pool counts at no more than what the pool could pay for all of it at once, since the price
falls as it is sold (see rules.mechanisms.attention).

In an order book the last trade says little: two accounts that trade one share make any price. The mark is
the median, by quantity, of the latest trades, in which all trades of one pair of counterparties together
have at most a fifth of the weight; of fewer than five pairs all have the same. A median by weight is not
moved out of the range of the others' prices by anybody who has less than half of the weight, however
absurd his own prices are: its breakdown point is a half (F. R. Hampel, "A General Qualitative Definition of
Robustness", 1971), where that of an average, such as the volume-weighted one, is nothing. The cap is that
of capped indices (such as STOXX's), where what is above it is shared out over the rest. It is what keeps
large quantities, traded to and fro by few, from being half of the weight.

A book counts as traded when there are `pairs` different pairs among its `trades` latest trades of the last
`seconds`; else as many different pairs among its latest trades however long ago, ten times as many of them;
else the reference price counts, which trades of a few cannot move while the market is open. Trades that
were reversed do not count.

What it does not stop: one person with many accounts, who makes as many pairs as honest players do. The
figures that ListMarks tells, and the event log, are for finding those.
"""

from collections import defaultdict
from collections.abc import Sequence
from enum import IntEnum

from bearpit_server.rules.record import record
from bearpit_server.rules.units import MAX_QUANTITY

LONGER = 10
"""How many times as many trades the longer history has."""
PARTS = 5
"""A pair has at most the fifth part of the weight."""
_FINE = MAX_QUANTITY
"""Weights are whole numbers; this many of them to a share, so that rounding does not count."""


class Source(IntEnum):
    """Why a mark is what it is. The numbers are those of the protos."""

    DEALING = 1
    POOL = 2
    LATEST_TRADES = 3
    LONGER_HISTORY = 4
    REFERENCE = 5
    NONE = 6


@record
class Traded:
    """A trade that was not reversed. `age_seconds` is how long ago it was."""

    price_cents: int
    quantity: int
    buyer_id: int
    seller_id: int
    age_seconds: int


@record
class Thickness:
    """From when on an instrument counts as traded."""

    trades: int
    """How many of the latest are looked at."""
    pairs: int
    """How many different pairs must have made them."""
    seconds: int
    """How old they may be."""


@record
class Mark:
    """What a share counts as, in cents, and why."""

    cents: int
    source: Source
    trades: int = 0
    """Those that were counted."""
    pairs: int = 0
    """Different pairs that made them."""

    @property
    def explanation(self) -> str:
        """Why, in words."""
        return _WORDS[self.source].format(trades=self.trades, pairs=self.pairs)


_WORDS = {
    Source.DEALING: "the price at which the house deals",
    Source.POOL: "the pool's price; a holding counts at no more than what the pool could pay for it",
    Source.LATEST_TRADES: "the median of the {trades} latest trades by {pairs} pairs of players",
    Source.LONGER_HISTORY: "hardly traded lately: the median of {trades} trades by {pairs} pairs of players",
    Source.REFERENCE: "the reference price: too few different players have traded it",
    Source.NONE: "there is no price yet",
}


def dealing(price_cents: int, reference_cents: int) -> Mark:
    """Of what the house deals in; before there is a price the reference price counts."""
    return Mark(price_cents, Source.DEALING) if price_cents else _reference(reference_cents)


def pool(price_cents: int) -> Mark:
    """Of a pool's share."""
    return Mark(price_cents, Source.POOL) if price_cents else Mark(0, Source.NONE)


def holding_cents(
    quantity: int,
    cents: int,
    tick_cents: int = 1,
    pool_cents: int | None = None,
    pool_shares: int | None = None,
) -> int:
    """What so many shares count as in all; of a pool no more than what it could pay for them."""
    if pool_cents is None or pool_shares is None:
        return quantity * cents
    payable = pool_cents // (pool_shares + quantity) // tick_cents * tick_cents
    return quantity * min(cents, payable)


def book(trades: Sequence[Traded], reference_cents: int, thick: Thickness) -> Mark:
    """Of what is traded in an order book. `trades`: newest first, ten times `thick.trades` at most."""
    latest = [trade for trade in trades[: thick.trades] if trade.age_seconds <= thick.seconds]
    for source, counted in ((Source.LATEST_TRADES, latest), (Source.LONGER_HISTORY, trades)):
        pairs = len({_pair(trade) for trade in counted})
        if pairs >= thick.pairs:
            weights = capped(counted)
            prices = [trade.price_cents for trade in counted]
            return Mark(weighted_median(prices, weights), source, len(counted), pairs)
    return _reference(reference_cents)


def capped(trades: Sequence[Traded]) -> list[int]:
    """The weight of each trade: its quantity, with no pair of players above its part of the whole."""
    by_pair: dict[tuple[int, int], int] = defaultdict(int)
    for trade in trades:
        by_pair[_pair(trade)] += trade.quantity * _FINE
    cap = highest_part(list(by_pair.values()), PARTS)
    weights = []
    for trade in trades:
        whole = by_pair[_pair(trade)]
        weights.append(trade.quantity * _FINE * min(whole, cap) // whole)
    return weights


def highest_part(amounts: Sequence[int], parts: int) -> int:
    """The cap under which none of these is more than a `parts`-th of all of them, once all are capped.

    Of fewer than `parts` amounts it is the smallest: then they are equal. Amounts are above 0. With the m
    largest capped at c, and r the sum of the rest, c = r / (parts - m), rounded down.
    """
    assert amounts and min(amounts) > 0, "there is something to be capped"
    largest_first = sorted(amounts, reverse=True)
    if len(largest_first) < parts:
        return largest_first[-1]
    rest = sum(largest_first)
    for capped_ones in range(parts):
        if largest_first[capped_ones] * (parts - capped_ones) <= rest:
            break
        rest -= largest_first[capped_ones]
    return rest // (parts - capped_ones) if capped_ones else largest_first[0]


def weighted_median(prices: Sequence[int], weights: Sequence[int]) -> int:
    """The lowest price up to which there is half of the weight or more; it is one of the prices."""
    assert any(weights) and len(prices) == len(weights), "something weighs something"
    half, below = sum(weights), 0
    for price, weight in sorted(zip(prices, weights, strict=True)):
        below += 2 * weight
        if below >= half:
            return price
    raise AssertionError("all of the weight is more than half of it")


def _pair(trade: Traded) -> tuple[int, int]:
    """Who made it, whichever of the two bought."""
    return min(trade.buyer_id, trade.seller_id), max(trade.buyer_id, trade.seller_id)


def _reference(reference_cents: int) -> Mark:
    return Mark(reference_cents, Source.REFERENCE) if reference_cents else Mark(0, Source.NONE)
