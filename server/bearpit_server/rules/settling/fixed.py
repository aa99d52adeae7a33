"""The algorithms that ask nobody: a fixed move, and a price that is set by hand."""

from bearpit_server.rules.parameters import parameters, whole
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.settling.base import (
    MAX_MOVE_BPS,
    Algorithm,
    Bounds,
    Factor,
    Settled,
    Trading,
    move_to,
    settled,
)
from bearpit_server.rules.units import BPS, MAX_PRICE_CENTS


@parameters
class Fixed(Bounds):
    """What can be set of the fixed move."""

    move_bps: int = whole(0, "the move at each settlement, in basis points", -BPS, MAX_MOVE_BPS)


@parameters
class Manual(Bounds):
    """What can be set of the manual price."""

    max_move_bps: int = whole(
        MAX_MOVE_BPS, "the most that one settlement moves a price, up or down, in basis points of it", 0,
        MAX_MOVE_BPS,
    )  # fmt: skip
    price_cents: int = whole(0, "the new price, in cents; 0: it is not known yet", 0, MAX_PRICE_CENTS)


class FixedMove(Algorithm[Fixed]):
    """Whatever is traded, the price moves as was said, or not at all."""

    name = "fixed"
    title = "fixed"
    description = "The price stays, or moves by the same at each settlement, whatever is traded."
    parameters = Fixed

    def factors(self, p: Fixed, trading: Trading) -> list[Factor]:
        """The one that was set."""
        return [Factor("fixed", p.move_bps, "fixed move")]


class ManualPrice(Algorithm[Manual]):
    """An operator sets the price."""

    name = "manual"
    title = "manual"
    description = "The operators set the next price."
    parameters = Manual

    def settle(self, p: Manual, trading: Trading) -> Settled:
        """To the cent, where basis points would not name it. Raises Refused NOT_POSSIBLE_NOW without one."""
        factors = [factor for factor in self.factors(p, trading) if factor.bps]
        return settled(trading, factors, p.price_cents * BPS, p.max_move_bps)

    def factors(self, p: Manual, trading: Trading) -> list[Factor]:
        """The operators' word. Raises Refused NOT_POSSIBLE_NOW without one."""
        if not p.price_cents:
            raise Refused(
                "NOT_POSSIBLE_NOW",
                f"the price of {trading.symbol} is set by hand: give it as price_cents, then settle",
                state="SETTLING",
            )
        return [Factor("manual", move_to(trading, p.price_cents), "set by hand")]
