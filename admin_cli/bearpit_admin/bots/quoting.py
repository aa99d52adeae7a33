"""How a market maker quotes: pure functions from a value, a tick and an inventory to orders.

Levels lie on a grid of round prices, so that a small move of the value replaces the outermost quotes
and leaves the others in their place in the queue. The skew by inventory is Avellaneda and Stoikov's
reservation price, made linear: who holds too many shares quotes lower on both sides.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STEP_BPS = 20
"""Between two levels, at most; in basis points of the value."""
SKEW_STEPS = 3
"""How many steps the quotes move when the inventory is as far from its target as it may be."""
_ROUND = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Quote:
    """An order a maker wants in the book."""

    buys: bool
    price_cents: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Resting:
    """An order a maker has in the book."""

    order_id: int
    buys: bool
    price_cents: int
    remaining: int


@dataclass(frozen=True, slots=True)
class Style:
    """One maker's way: how many levels a side, how large, how far from the value, how much stock it bears."""

    levels: int = 5
    quantity: int = 100
    offset_steps: int = 0
    inventory_limit: int = 5_000


def step_of(value_cents: int, tick_cents: int) -> int:
    """The distance between levels: 1, 2 or 5 times a power of ten, in ticks; at least a tick."""
    most = value_cents * STEP_BPS // (10_000 * tick_cents)
    best, power = 1, 1
    while power <= most:
        best = max(best, *(digit * power for digit in _ROUND if digit * power <= most))
        power *= 10
    return best * tick_cents


def quotes(value_cents: int, tick_cents: int, excess: int, style: Style) -> list[Quote]:
    """The orders to have around a value; best first, bids then asks.

    `excess` is how many shares too many the maker holds, negative: too few. The best bid lies below
    the best ask, always; no price is below a tick. A maker at its limit leaves out the side that
    would take it further.
    """
    step = step_of(value_cents, tick_cents)
    limit = style.inventory_limit
    bounded = max(-limit, min(limit, excess))
    # Twice the reservation price: all stays whole.
    middle = 2 * value_cents - 2 * SKEW_STEPS * step * bounded // limit
    bid = (middle - step) // (2 * step) * step - style.offset_steps * step
    ask = -((-middle - step) // (2 * step)) * step + style.offset_steps * step
    ask = max(ask, step)
    bids = [
        Quote(True, bid - level * step, _size(style, level))
        for level in range(style.levels)
        if bid - level * step >= tick_cents and excess < limit
    ]
    asks = [
        Quote(False, ask + level * step, _size(style, level))
        for level in range(style.levels)
        if excess > -limit
    ]
    return bids + asks


def _size(style: Style, level: int) -> int:
    """More shares further out, where it is less likely to be hit."""
    return style.quantity * (level + 2) // 2


def changes(
    resting: Iterable[Resting], wanted: Sequence[Quote], worn_below_percent: int = 50
) -> tuple[list[int], list[Quote]]:
    """The orders to cancel and the quotes to place, so that the book holds what is wanted.

    An order at a wanted price stays, and keeps its place, while at least `worn_below_percent` of the
    wanted size is left of it.
    """
    missing = {(quote.buys, quote.price_cents): quote for quote in wanted}
    cancel: list[int] = []
    for order in resting:
        quote = missing.get((order.buys, order.price_cents))
        if quote and order.remaining * 100 >= quote.quantity * worn_below_percent:
            del missing[order.buys, order.price_cents]
        else:
            cancel.append(order.order_id)
    return cancel, list(missing.values())
