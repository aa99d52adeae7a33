"""Trying algorithms against each other: instruments are assigned to variants, and reported by them."""

from collections.abc import Iterable, Mapping
from hashlib import sha256

from bearpit_server.rules.record import record
from bearpit_server.rules.refusals import invalid
from bearpit_server.rules.settling.arithmetic import divide
from bearpit_server.rules.settling.base import Settled


@record
class Summary:
    """How one variant's instruments were settled."""

    variant: str
    count: int
    mean_move_bps: int
    up: int
    down: int
    unchanged: int
    bounded: int


def variant_of(experiment: str, symbol: str, weights: Mapping[str, int]) -> str:
    """The variant that an instrument is assigned to: for ever the same while the weights' proportions are.

    Its place is a hash of both names, so that another experiment mixes the instruments anew. Raises Refused
    INVALID_FIELD `weights` unless they are whole numbers from 0 up, not all 0.
    """
    total = sum(weights.values())
    if total <= 0 or min(weights.values()) < 0:
        raise invalid("weights", "give each variant a weight from 0 up, one of them more than 0")
    digest = sha256(f"{len(experiment)}:{experiment}:{symbol}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") * total >> 64
    for variant, weight in sorted(weights.items()):
        if place < weight:
            return variant
        place -= weight
    raise AssertionError("a place is below the sum of all weights")


def by_variant(results: Iterable[tuple[str, Settled]]) -> list[Summary]:
    """Settled instruments with their variants, summed up by variant, in the order of their names."""
    grouped: dict[str, list[Settled]] = {}
    for variant, settled in results:
        grouped.setdefault(variant, []).append(settled)
    return [_summary(variant, grouped[variant]) for variant in sorted(grouped)]


def _summary(variant: str, results: list[Settled]) -> Summary:
    moves = [settled.move_bps for settled in results]
    return Summary(
        variant=variant,
        count=len(moves),
        mean_move_bps=divide(sum(moves), len(moves)),
        up=sum(move > 0 for move in moves),
        down=sum(move < 0 for move in moves),
        unchanged=moves.count(0),
        bounded=sum(settled.was_bounded for settled in results),
    )
