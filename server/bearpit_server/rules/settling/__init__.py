"""Settlement: an instrument's next price from what was traded in a window, and why it is that."""

from collections.abc import Mapping
from typing import Any

from bearpit_server.rules.refusals import not_found
from bearpit_server.rules.settling.base import Algorithm, Factor, Settled, Trading
from bearpit_server.rules.settling.crowd import ElasticDemand, LinearDemand, LogarithmicDemand
from bearpit_server.rules.settling.fixed import FixedMove, ManualPrice
from bearpit_server.rules.settling.variants import Summary, by_variant, variant_of

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "Factor",
    "Settled",
    "Summary",
    "Trading",
    "by_variant",
    "find",
    "variant_of",
]

ALGORITHMS: Mapping[str, Algorithm[Any]] = {
    algorithm.name: algorithm
    for algorithm in (LinearDemand(), LogarithmicDemand(), ElasticDemand(), FixedMove(), ManualPrice())
}
"""All there are. Another one is a class above and its place in this table."""


def find(name: str) -> Algorithm[Any]:
    """The algorithm of that name. Raises Refused NOT_FOUND."""
    if name not in ALGORITHMS:
        raise not_found("algorithm", name[:40])
    return ALGORITHMS[name]
