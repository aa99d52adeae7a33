"""What every algorithm of settlement has in common: what it is told, what it answers, and the bounds.

An algorithm names factors in whole basis points of the last price; what they add up to is bounded, and
rounded to the tick. All of it is integers, and for the logarithm Decimal of a fixed precision, which is
correctly rounded: the same trading gives the same price on every machine. Rounding is half to even.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Generic, TypeVar

from bearpit_server.rules.parameters import parameters, whole
from bearpit_server.rules.record import record
from bearpit_server.rules.settling.arithmetic import counted, divide, percent, signed_percent
from bearpit_server.rules.units import BPS, MAX_PRICE_CENTS

MAX_MOVE_BPS = 10 * BPS
"""Eleven times the price: more in one window is a slip of the hand."""


@record
class Trading:
    """What happened to an instrument in a window, or would have."""

    symbol: str
    previous_cents: int
    """The price that was traded at, 1 to MAX_PRICE_CENTS."""
    anchor_cents: int
    """The long-term price that reversion pulls to; 0: none."""
    tick_cents: int
    buys: int
    """Shares that players bought from the house."""
    sells: int
    """Shares that players sold to the house."""
    buyers: int
    """Distinct players who bought; `sellers` likewise."""
    sellers: int
    players: int
    """Distinct players who did either."""
    top_bps: int
    """Concentration: the largest single player's buys and sells of all, 0 to 10,000."""
    outstanding: int
    """Shares that players have after it."""

    def __post_init__(self) -> None:
        assert 1 <= self.previous_cents <= MAX_PRICE_CENTS, f"{self}: there is no price to settle from"
        assert 1 <= self.tick_cents <= MAX_PRICE_CENTS, f"{self}: there is no such tick"
        assert 0 <= self.top_bps <= BPS, f"{self}: one player has no such share of all"
        assert min(self.anchor_cents, self.buys, self.sells, self.players) >= 0, f"{self}: less than nothing"

    @property
    def net(self) -> int:
        """Shares that players have more than before."""
        return self.buys - self.sells


@record
class Factor:
    """One reason for a move, in basis points of the previous price."""

    name: str
    bps: int
    words: str


@record
class Settled:
    """A new price, and why. The factors add up to `move_bps` exactly; the last is what bound and tick did."""

    price_cents: int
    move_bps: int
    """From the previous price to this one, rounded to a whole basis point."""
    factors: tuple[Factor, ...]
    explanation: str
    was_bounded: bool
    """Whether the factors wanted more than `max_move_bps`, or a price that cannot be."""


@parameters
class Bounds:
    """What every algorithm has."""

    max_move_bps: int = whole(
        2_000, "the most that one settlement moves a price, up or down, in basis points of it", 0,
        MAX_MOVE_BPS,
    )  # fmt: skip


P = TypeVar("P", bound=Bounds)


class Algorithm(ABC, Generic[P]):
    """One way to find the next price. It has no state of its own, so that any past window can be tried."""

    name: ClassVar[str]
    """As it is stored and typed."""
    title: ClassVar[str]
    """As it is shown."""
    description: ClassVar[str]
    """A sentence for players."""
    parameters: type[P]

    def settle(self, p: P, trading: Trading) -> Settled:
        """The next price: whole ticks, one at least, and never further from the last than `max_move_bps`.

        A last price that is off the tick, because that was changed, is put on it first. Raises Refused
        NOT_POSSIBLE_NOW if the algorithm has yet to be told something.
        """
        factors = [factor for factor in self.factors(p, trading) if factor.bps]
        wanted = on_tick(trading) * (BPS + sum(factor.bps for factor in factors))
        return settled(trading, factors, wanted, p.max_move_bps)

    @abstractmethod
    def factors(self, p: P, trading: Trading) -> list[Factor]:
        """What moves the price, before the bounds."""


def settled(trading: Trading, factors: list[Factor], wanted: int, max_move_bps: int) -> Settled:
    """`wanted`: the price before bounds and tick, in ten-thousandths of a cent."""
    tick, start = trading.tick_cents, on_tick(trading)
    lowest = max(tick * BPS, start * (BPS - max_move_bps))
    highest = min(MAX_PRICE_CENTS * BPS, start * (BPS + max_move_bps))
    # The bounds are rounded inwards, so that they hold for the price in whole ticks.
    ticks = min(max(divide(wanted, tick * BPS), -(-lowest // (tick * BPS))), highest // (tick * BPS))
    price, was_bounded = ticks * tick, not lowest <= wanted <= highest
    move = move_to(trading, price)
    rest = move - sum(factor.bps for factor in factors)
    if rest:
        at_bound = "never below one tick" if ticks == 1 else f"bound of {percent(max_move_bps)}"
        last = ("bound", rest, at_bound) if was_bounded else ("tick", rest, "rounded to the tick")
        factors = [*factors, Factor(*last)]
    return Settled(price, move, tuple(factors), explanation(trading, move, factors), was_bounded)


def on_tick(trading: Trading) -> int:
    """The previous price in cents, or the tick's nearest to it."""
    most = MAX_PRICE_CENTS // trading.tick_cents
    return min(max(divide(trading.previous_cents, trading.tick_cents), 1), most) * trading.tick_cents


def move_to(trading: Trading, price_cents: int) -> int:
    """From the previous price to that, in whole basis points."""
    return divide((price_cents - trading.previous_cents) * BPS, trading.previous_cents)


def explanation(trading: Trading, move_bps: int, factors: Iterable[Factor]) -> str:
    """One line: the move, what was traded, and each factor with its part of the move."""
    reasons = ", ".join(f"{factor.words} {signed_percent(factor.bps)}" for factor in factors)
    traded = "nothing was traded"
    if trading.buys or trading.sells:
        by = counted(trading.players, "player")
        traded = f"{trading.buys:,} bought and {trading.sells:,} sold by {by}"
    return f"{signed_percent(move_bps)}: {traded}: {reasons or 'the price stays'}"
