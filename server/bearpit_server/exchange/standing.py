"""Where the players look in a group, for everybody to see."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from bearpit_server.exchange.dealers import Dealer
from bearpit_server.exchange.listings import Listing
from bearpit_server.exchange.pricing import Group
from bearpit_server.rules.record import record
from bearpit_server.rules.refusals import not_found
from bearpit_server.rules.units import BPS

MECHANISM = "attention"


@record
class Attention:
    """What one instrument has of the players' attention: points, its share, and amounts in cents."""

    symbol: str
    score: int
    share_bps: int
    price_cents: int
    next_cents: int
    """What the next redistribution would make of its price, if it came now."""
    pool_cents: int


@record
class Standing:
    """A group as the players look at it. `next_at`: when the next redistribution is due."""

    group: str
    instruments: tuple[Attention, ...]
    next_at: datetime | None


def find(groups: Iterable[Group], name: str) -> Group:
    """The group of that name whose prices follow attention; "": the first of them. Raises Refused."""
    fitting = [made for made in groups if made.mechanism.name == MECHANISM and name in ("", made.name)]
    if not fitting:
        raise not_found("group of the mechanism attention", name[:24] or "yet")
    return min(fitting, key=lambda made: made.name)


def foresee(
    group: Group, desks: Sequence[Dealer], listings: Mapping[int, Listing], scores: Mapping[int, int]
) -> list[Dealer]:
    """Let desks know where the players look, and what that would make of prices.

    Returns those of which it is news; on the matcher's thread.
    """
    foreseen = _estimate(group, desks, listings, scores) if scores else {}
    share = _shares(scores)
    return [desk for desk in desks if desk.foresee(share(desk.id), foreseen.get(desk.id, 0))]


def stand(
    group: Group, desks: Sequence[Dealer], listings: Mapping[int, Listing], scores: Mapping[int, int]
) -> list[Attention]:
    """Every instrument of a group, by symbol; on the matcher's thread."""
    foreseen, share = _estimate(group, desks, listings, scores), _shares(scores)
    return sorted(
        (
            Attention(
                symbol=desk.symbol,
                score=scores.get(desk.id, 0),
                share_bps=share(desk.id),
                price_cents=desk.state.price_cents,
                next_cents=foreseen[desk.id],
                pool_cents=desk.state.till_cents,
            )
            for desk in desks
        ),
        key=lambda made: made.symbol,
    )


def _estimate(
    group: Group, desks: Sequence[Dealer], listings: Mapping[int, Listing], scores: Mapping[int, int]
) -> Mapping[int, int]:
    """What the next step would make of prices, in cents by instrument."""
    members = {desk.id: listings[desk.id].parameters for desk in desks}
    return group.mechanism.estimate(group.parameters, members, {d.id: d.state for d in desks}, scores)


def _shares(scores: Mapping[int, int]) -> Callable[[int], int]:
    """What tells an instrument's part of all attention, in basis points."""
    total = sum(scores.values()) or 1
    return lambda instrument_id: scores.get(instrument_id, 0) * BPS // total
