"""The algorithms that look at demand: linear, logarithmic, elastic."""

from abc import abstractmethod
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import TypeVar

from bearpit_server.rules.parameters import parameters, whole
from bearpit_server.rules.settling.arithmetic import counted, divide, percent
from bearpit_server.rules.settling.base import MAX_MOVE_BPS, Algorithm, Bounds, Factor, Trading
from bearpit_server.rules.units import BPS, MAX_QUANTITY, points

_LOGARITHM = Context(prec=34, rounding=ROUND_HALF_EVEN)
_LN_2 = Decimal(2).ln(_LOGARITHM)


@parameters
class Crowd(Bounds):
    """What can be set of all that look at demand."""

    depth_shares: int = whole(1_000, "how many shares net are a demand of one measure", 1, MAX_QUANTITY)
    concentration_bps: int = whole(
        5_000, "how much of the demand is ignored if it is all one player's, in basis points", 0, BPS
    )
    min_players: int = whole(1, "demand of fewer distinct players than this moves nothing", 1, 1_000_000)


@parameters
class Demand(Crowd):
    """What can be set of linear and logarithmic demand."""

    sensitivity_bps: int = whole(
        500, "the move for a demand of one measure, in basis points", 0, MAX_MOVE_BPS
    )


@parameters
class Elasticity(Crowd):
    """What can be set of elastic demand."""

    depth_shares: int = whole(
        1_000, "the fewest shares that demand is compared with, while players have less", 1, MAX_QUANTITY
    )
    elasticity_bps: int = whole(
        20_000, "by how much demand grows for each 1 % of price, in basis points of 1 %", 100, 100 * BPS
    )
    reversion_bps: int = whole(
        1_000, "how much of the way to the long-term price is gone at each settlement, in basis points", 0,
        BPS,
    )  # fmt: skip


C = TypeVar("C", bound=Crowd)


class CrowdAlgorithm(Algorithm[C]):
    """One that looks at demand: damped where it is one player's, and nothing where there are too few."""

    @abstractmethod
    def demand_bps(self, p: C, trading: Trading) -> int:
        """The move that demand alone would make; it has the sign of `trading.net`, and grows with it."""

    def factors(self, p: C, trading: Trading) -> list[Factor]:
        """Demand, and what is taken off it."""
        demand = self.demand_bps(p, trading)
        found = [Factor("demand", demand, "demand")]
        if trading.players < p.min_players:
            words = f"only {counted(trading.players, 'player')} of the {p.min_players:,} that it takes"
            return [*found, Factor("players", -demand, words)]
        damped = divide(demand * p.concentration_bps * trading.top_bps, BPS * BPS)
        return [*found, Factor("concentration", -damped, f"one player had {percent(trading.top_bps)} of it")]


class LinearDemand(CrowdAlgorithm[Demand]):
    """Twice the demand, twice the move."""

    name = "linear"
    title = "linear demand"
    description = "The price moves in proportion to the shares that were bought more than sold."
    parameters = Demand

    def demand_bps(self, p: Demand, trading: Trading) -> int:
        """Sensitivity × net / depth."""
        return divide(p.sensitivity_bps * trading.net, p.depth_shares)


class LogarithmicDemand(CrowdAlgorithm[Demand]):
    """The first shares count most; nobody moves a price far by sheer mass."""

    name = "logarithmic"
    title = "logarithmic demand"
    description = "The price moves with the shares that were bought more than sold, ever less for each more."
    parameters = Demand

    def demand_bps(self, p: Demand, trading: Trading) -> int:
        """Sensitivity × log2(1 + |net| / depth), with the sign of net: one measure of demand moves by one."""
        with localcontext(_LOGARITHM):
            measures = (1 + Decimal(abs(trading.net)) / p.depth_shares).ln() / _LN_2
            size = int((p.sensitivity_bps * measures).to_integral_value())
        return size if trading.net > 0 else -size


class ElasticDemand(CrowdAlgorithm[Elasticity]):
    """The price at which that demand would not have been: its change in per cent over the elasticity."""

    name = "elastic"
    title = "elastic demand with mean reversion"
    description = "The price answers demand relative to all shares held, and drifts to its long-term value."
    parameters = Elasticity

    def demand_bps(self, p: Elasticity, trading: Trading) -> int:
        """Net in proportion to the shares that players had before, divided by the elasticity."""
        held_before = max(p.depth_shares, trading.outstanding - trading.net)
        return divide(trading.net * BPS * BPS, held_before * p.elasticity_bps)

    def factors(self, p: Elasticity, trading: Trading) -> list[Factor]:
        """Demand as everywhere, and the way back."""
        found = super().factors(p, trading)
        if not trading.anchor_cents:
            return found
        gap = trading.anchor_cents - trading.previous_cents
        reversion = divide(gap * p.reversion_bps, trading.previous_cents)
        words = f"back towards {points(trading.anchor_cents)} points"
        return [*found, Factor("reversion", reversion, words)]
