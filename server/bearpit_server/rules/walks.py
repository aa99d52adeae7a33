"""How prices move at random: pure functions of the shocks they are given, in logarithms of a price.

Time is in days, rates are per day and plain fractions (0.01 is one per cent). A step may be of any length:
every process here is advanced by its exact solution, not by small steps, so the length of a step changes
how often a price is seen and nothing about where it goes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_MANY = 50.0
"""From so many jumps a step on, their number is taken to be what is expected of it."""
_RANGE = math.sqrt(8 / math.pi)
"""What is between a Brownian motion's highest and lowest, in its standard deviations: Feller 1951."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What a price does of itself."""

    drift: float = 0.0
    """Growth of the expected price; of no effect with a reversion."""
    volatility: float = 0.0
    """Of its own shocks."""
    common_volatility: float = 0.0
    """Of the shocks it shares with others; below zero, it moves against them."""
    reversion: float = 0.0
    """How fast it is pulled to its level; 0: not at all."""
    level: float = 0.0
    """Logarithm of the level."""
    jumps: float = 0.0
    """How many there are on average."""
    jump: float = 0.0
    """Standard deviation of one jump."""


@dataclass(frozen=True, slots=True)
class Shocks:
    """What chance adds to one step: standard normal, but for `chance`, which is even from 0 up to 1."""

    own: float = 0.0
    common: float = 0.0
    chance: float = 0.5
    """How many jumps there are."""
    jump: float = 0.0
    """How far they lead."""


def advance(price: float, walk: Walk, days: float, shocks: Shocks, stirred: float = 1.0) -> float:
    """Where the logarithm of a price is some days later.

    Without a reversion: geometric Brownian motion (Black and Scholes 1973) with jumps (Merton 1976), both
    compensated, so that the price is expected to grow by `drift` whatever the volatility. With one: an
    Ornstein-Uhlenbeck process of the logarithm (Schwartz 1997, model 1), whose median tends to the level.
    `stirred` multiplies the volatilities.
    """
    if days <= 0:
        return price
    shock = stirred * (walk.volatility * shocks.own + walk.common_volatility * shocks.common)
    leap = _leap(walk, days, shocks)
    if walk.reversion > 0:
        kept = math.exp(-walk.reversion * days)
        spread = math.sqrt(-math.expm1(-2 * walk.reversion * days) / (2 * walk.reversion))
        return walk.level + (price - walk.level) * kept + spread * shock + leap
    variance = stirred * stirred * (walk.volatility**2 + walk.common_volatility**2)
    compensation = walk.jumps * math.expm1(walk.jump**2 / 2) if walk.jumps else 0.0
    return price + (walk.drift - variance / 2 - compensation) * days + math.sqrt(days) * shock + leap


def _leap(walk: Walk, days: float, shocks: Shocks) -> float:
    """The sum of a step's jumps: that of n normal ones is normal, with n times the variance."""
    return math.sqrt(poisson(walk.jumps * days, shocks.chance)) * walk.jump * shocks.jump


def poisson(mean: float, chance: float) -> float:
    """How often something happens that happens `mean` times on average, by inversion of the distribution.

    `chance` is even from 0 up to 1. Of many the number is not drawn: it would hardly differ from the mean.
    """
    if mean >= _MANY:
        return mean
    number, probability = 0, math.exp(-mean)
    below = probability
    while chance >= below and number < 4 * _MANY:
        number += 1
        probability *= mean / number
        below += probability
    return float(number)


def turns(open_: float, high: float, low: float, close: float, steps: int) -> list[tuple[int, float]]:
    """The steps of a bar, from 1, at which its path has a known price; the last one is its close.

    A bar that closes up has been low before it was high, one that closes down the other way round. With
    less than four steps there is no room for the open, with less than three only for the extreme that is
    further from where the bar opened, with one for the close alone.
    """
    extremes = [low, high] if close >= open_ else [high, low]
    if steps <= 1:
        return [(1, close)]
    if steps == 2:
        return [(1, max(extremes, key=lambda extreme: abs(extreme - open_))), (2, close)]
    if steps == 3:
        return [(1, extremes[0]), (2, extremes[1]), (3, close)]
    third = (steps - 1) // 3
    return [(1, open_), (1 + third, extremes[0]), (1 + 2 * third, extremes[1]), (steps, close)]


def follow(price: float, path: Sequence[tuple[int, float]], step: int, shock: float) -> float:
    """The next price on a path with known prices, from the last one: a Brownian bridge between them.

    `path` is as `turns` makes it; `step` is the one to go to; `shock` is standard normal. The volatility is
    that of a motion that would have the path's range (Parkinson 1980), and no price leaves the range.
    """
    turn, aim = next((at, known) for at, known in path if at >= step)
    left = turn - step + 1
    if left <= 1:
        return aim
    lowest, highest = min(known for _, known in path), max(known for _, known in path)
    start = min(max(price, lowest), highest)
    volatility = (highest - lowest) / _RANGE / math.sqrt(path[-1][0])
    moved = start + (aim - start) / left + volatility * math.sqrt((left - 1) / left) * shock
    return min(max(moved, lowest), highest)
