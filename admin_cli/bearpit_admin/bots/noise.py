"""What a noise trader does next: buys and sells for no reason, at random, so that there is a market."""

from dataclasses import dataclass
from random import Random

TAKES = 0.6
"""How often it trades at once; else it leaves an order in the book."""
SPREAD_OF_WISHES = 0.004
"""The standard deviation of a resting order's price around the middle."""
TYPICAL_QUANTITY = 15


@dataclass(frozen=True, slots=True)
class Sight:
    """What a trader sees of an instrument, and has of it. Prices in cents; 0: none."""

    symbol: str
    tick_cents: int
    bid_cents: int
    ask_cents: int
    last_cents: int
    free_shares: int


@dataclass(frozen=True, slots=True)
class Wish:
    """An order to send. Takers give the price they would at worst accept, and let the rest go."""

    symbol: str
    buys: bool
    quantity: int
    price_cents: int
    takes: bool


def wish(random: Random, sight: Sight) -> Wish | None:
    """A trader's next order in an instrument; None: it lets this one pass."""
    buys = random.random() < 0.5
    quantity = max(1, round(random.expovariate(1 / TYPICAL_QUANTITY)))
    if not buys:
        quantity = min(quantity, sight.free_shares)
        if not quantity:
            return None
    if random.random() < TAKES:
        best = sight.ask_cents if buys else sight.bid_cents
        return Wish(sight.symbol, buys, quantity, best, takes=True) if best else None
    middle = middle_of(sight)
    if not middle:
        return None
    # Away from the middle on one's own side: what rests does not mean to trade now.
    away = abs(random.gauss(0, SPREAD_OF_WISHES))
    price = middle * (1 - away if buys else 1 + away)
    return Wish(sight.symbol, buys, quantity, _on_tick(price, sight.tick_cents, buys), takes=False)


def middle_of(sight: Sight) -> int:
    """Halfway between the best prices; with one side only, the nearest there is to a price."""
    if sight.bid_cents and sight.ask_cents:
        return (sight.bid_cents + sight.ask_cents) // 2
    return sight.last_cents or sight.ask_cents or sight.bid_cents


def _on_tick(price: float, tick: int, buys: bool) -> int:
    ticks = int(price // tick) if buys else -int(-price // tick)
    return max(1, ticks) * tick
