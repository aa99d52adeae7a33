"""Prices that follow the players' eyes: every instrument has a pool of cash, and looks move the cash.

A pool's price is its cash over `shares`, N, the fixed number of shares that there are, not over those that
are left in it. An order trades at the one price that holds after it: with C cents in the pool, q shares
are bought at C / (N - q) each and sold at C / (N + q), rounded to whole ticks against the order.

No round trip earns a cent, however it is split and whoever has a part in it. Let s be the shares that
players have of the pool. A purchase leaves at least C / (1 - q/N) >= C * e^(q/N) in it, a sale at least
C / (1 + q/N) >= C * e^(-q/N); so C * e^(-s/N) never falls by a trade, and when s is what it was before,
C is no less than it was. Only the redistribution takes cash out of a pool that players did not sell to.

Nor does a trade bring a pool below a tick a share. A sale needs a price of a tick t or more, so there are
t * (N + q) or more, and N / (N + q) of them stay.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from bearpit_server.rules.mechanisms.base import (
    NOTHING,
    Counterparty,
    Inputs,
    Mechanism,
    Memory,
    Offer,
    State,
    Step,
)
from bearpit_server.rules.orders import Side
from bearpit_server.rules.parameters import parameters, whole
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.units import BPS, MAX_AMOUNT_CENTS, MAX_PRICE_CENTS, MAX_QUANTITY

DAY_MS = 86_400_000


@parameters
class AttentionGroup:
    """What can be set of pools that share the players' attention."""

    interval_ms: int = whole(500, "from one redistribution to the next, in milliseconds", 100, 3_600_000)
    share_bps: int = whole(
        2_500, "the part of every pool's cash that is redistributed, in basis points", 0, BPS
    )
    half_life_ms: int = whole(5_000, "the time in which a glance loses half of its strength, in milliseconds",
        1, DAY_MS,
    )  # fmt: skip
    player_cap: int = whole(
        1_000, "points that a player's attention gives in all to one redistribution", 100, 1_000_000
    )
    floor_cents: int = whole(
        1_000_000, "what redistribution leaves in a pool at least, in cents; never less than a tick a share",
    )  # fmt: skip


@parameters
class AttentionMember:
    """What can be set of one pool."""

    shares: int = whole(10_000, "shares that there are, in shares; the price is cash over these", 2,
        MAX_QUANTITY,
    )  # fmt: skip
    cash_cents: int = whole(100_000_000, "what the pool begins with, in cents", 1, MAX_AMOUNT_CENTS)


class Attention(Mechanism[AttentionGroup, AttentionMember]):
    """Pools that players trade with; a part of all their cash flows to where the players look."""

    name = "attention"
    title = "attention"
    description = (
        "Every instrument has a pool of cash; again and again a part of it flows to where players look."
    )
    counterparty = Counterparty.POOL
    fixed: ClassVar[Mapping[str, str]] = {
        "shares": "the shares of a pool were all issued when it was made",
        "cash_cents": "a pool's cash was paid in when it was made, and now moves by trading and attention",
    }
    group_parameters = AttentionGroup
    member_parameters = AttentionMember

    def check(self, group: AttentionGroup, member: AttentionMember) -> None:
        """A pool begins with a price of a cent or more, and of no more than the highest that there is."""
        if not member.shares <= member.cash_cents <= member.shares * MAX_PRICE_CENTS:
            raise invalid(
                "cash_cents",
                f"for {member.shares} shares give {member.shares} cents or more, "
                f"and at most {MAX_PRICE_CENTS} a share",
            )

    def opening(self, member: AttentionMember) -> tuple[int, int, int]:
        """All the shares are in the pool, with its first cash."""
        return price_of(member.cash_cents, member.shares, 1), member.cash_cents, member.shares

    def price(self, member: AttentionMember, state: State) -> int:
        """What is in the pool, over all shares that there are."""
        return price_of(state.till_cents, member.shares, state.tick_cents)

    def interval_ms(self, group: AttentionGroup) -> int:
        """As it was set."""
        return group.interval_ms

    def offer(
        self,
        group: AttentionGroup,
        member: AttentionMember,
        state: State,
        side: Side,
        quantity: int,
        limit_cents: int,
        at: datetime,
    ) -> Offer:
        """The most shares whose price, the one that holds after them, is within the limit.

        A market order may move the price up to MAX_PRICE_CENTS and down to a tick. Nothing is offered
        when the limit would not hold after a single share. All the shares of an offer have its one
        price, so that many small orders, each at its own, come a little nearer to C / N than a large one.
        """
        if side is Side.BUY:
            return _sold_to(member.shares, state, quantity, limit_cents)
        return _bought_from(member.shares, state, quantity, limit_cents)

    def quote(
        self, group: AttentionGroup, member: AttentionMember, state: State, smallest: int, at: datetime
    ) -> tuple[Offer, Offer]:
        """For the smallest order only: the price moves with every share."""
        bid = _bought_from(member.shares, state, smallest, 0)
        ask = _sold_to(member.shares, state, smallest, 0)
        return (bid if bid.quantity == smallest else NOTHING), (ask if ask.quantity == smallest else NOTHING)

    def check_order(
        self,
        group: AttentionGroup,
        member: AttentionMember,
        state: State,
        side: Side,
        quantity: int,
        at: datetime,
    ) -> None:
        """Raises Refused INVENTORY_LIMIT for more shares than there are; they could never be had."""
        if side is Side.BUY and quantity > member.shares:
            raise Refused(
                "INVENTORY_LIMIT", f"there are {member.shares} shares of {state.symbol} in all; order less",
                "order.quantity", allowed=member.shares,
            )  # fmt: skip

    def step(
        self,
        group: AttentionGroup,
        members: Mapping[int, AttentionMember],
        states: Mapping[int, State],
        memory: Memory,
        inputs: Inputs,
    ) -> Step:
        """Move cash between the pools by the scores of the interval that has ended.

        `prices` has those that are not what they were, `flows` the net movements that are not nothing.
        The memory is for everyone to see: `number` of the step, the `scores` it went by (by instrument
        id, as texts) and `moved_cents`, what has changed pools.
        """
        scores = {made: inputs.attention.get(made, 0) for made in states}
        cash = _after(group, members, states, scores)
        flows = {made: cash[made] - state.till_cents for made, state in states.items()}
        assert sum(flows.values()) == 0, "a redistribution does not make or lose cash"
        prices = _prices(members, states, cash)
        return Step(
            prices={made: price for made, price in prices.items() if price != states[made].price_cents},
            flows={made: flow for made, flow in flows.items() if flow},
            memory={
                "number": inputs.number,
                "scores": {str(made): score for made, score in scores.items() if score},
                "moved_cents": sum(flow for flow in flows.values() if flow > 0),
            },
        )

    def estimate(
        self,
        group: AttentionGroup,
        members: Mapping[int, AttentionMember],
        states: Mapping[int, State],
        scores: Mapping[int, int],
    ) -> dict[int, int]:
        """Every instrument's price in cents, by its id, if the next step came now with these scores."""
        return _prices(members, states, _after(group, members, states, scores))


def price_of(cash_cents: int, shares: int, tick_cents: int) -> int:
    """A pool's price in cents: rounded down to the tick, at least a tick, and none (0) without cash.

    A redistribution may carry more than MAX_PRICE_CENTS a share into one pool; the price stays there.
    """
    if not cash_cents:
        return 0
    return max(tick_cents, _down(min(cash_cents // shares, MAX_PRICE_CENTS), tick_cents))


def redistribute(
    cash_cents: Sequence[int], weights: Sequence[int], share_bps: int, floor_cents: Sequence[int]
) -> list[int]:
    """What pools have after `share_bps` of each one's cash was given out by weight.

    From each the part is taken, rounded down to a cent, as long as it leaves the pool's floor. All that
    was taken is given out by the method of largest remainders (Hamilton's; of equal ones the first comes
    first): each gets its exact part, rounded up or down, and a greater weight never gets less. When all
    weights are 0 nothing moves. Amounts in cents and weights are 0 or more. O(n log n).
    """
    assert len(cash_cents) == len(weights) == len(floor_cents), "a weight and a floor for each pool"
    assert min(cash_cents, default=0) >= 0 <= min(weights, default=0), "nobody has less than nothing"
    assert 0 <= share_bps <= BPS, "no more can be taken than there is"
    if not any(weights):
        return list(cash_cents)
    taken = [
        min(cash * share_bps // BPS, max(0, cash - floor))
        for cash, floor in zip(cash_cents, floor_cents, strict=True)
    ]
    given = _largest_remainder(sum(taken), weights)
    after = [
        cash - take + give for cash, take, give in zip(cash_cents, taken, given, strict=True)
    ]  # fmt: skip
    assert sum(after) == sum(cash_cents), "a redistribution does not make or lose cash"
    return after


def _largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in whole parts, as near to the weights as whole parts can be."""
    whole_weight = sum(weights)
    parts = [divmod(total * weight, whole_weight) for weight in weights]
    given = [part for part, _ in parts]
    by_remainder = sorted(range(len(parts)), key=lambda index: -parts[index][1])
    for index in by_remainder[: total - sum(given)]:
        given[index] += 1
    return given


def _after(
    group: AttentionGroup,
    members: Mapping[int, AttentionMember],
    states: Mapping[int, State],
    scores: Mapping[int, int],
) -> dict[int, int]:
    """What each pool has in cents after a redistribution by these scores."""
    after = redistribute(
        [state.till_cents for state in states.values()],
        [scores.get(made, 0) for made in states],
        group.share_bps,
        [max(group.floor_cents, members[made].shares * state.tick_cents) for made, state in states.items()],
    )
    return dict(zip(states, after, strict=True))


def _prices(
    members: Mapping[int, AttentionMember], states: Mapping[int, State], cash: Mapping[int, int]
) -> dict[int, int]:
    return {
        made: price_of(cash[made], members[made].shares, state.tick_cents) for made, state in states.items()
    }


def _sold_to(shares: int, state: State, quantity: int, limit_cents: int) -> Offer:
    """What a buyer gets of the pool: q with C / (N - q) <= limit, which is N - q >= C / limit."""
    cash, tick = state.till_cents, state.tick_cents
    limit = _down(min(limit_cents or MAX_PRICE_CENTS, MAX_PRICE_CENTS), tick)
    if cash <= 0 or limit <= 0:
        return NOTHING
    found = min(quantity, state.till_shares, shares - 1, shares - _over(cash, limit))
    if found <= 0:
        return NOTHING
    price = _up(_over(cash, shares - found), tick)
    assert price <= limit, "an offer is within the limit"
    return Offer(found, price)


def _bought_from(shares: int, state: State, quantity: int, limit_cents: int) -> Offer:
    """What the pool takes from a seller: q with C / (N + q) >= limit, which is N + q <= C / limit."""
    cash, tick = state.till_cents, state.tick_cents
    highest, limit = _down(MAX_PRICE_CENTS, tick), _up(max(limit_cents, 1), tick)
    found = min(quantity, cash // limit - shares)
    if found <= 0 or limit > highest:
        return NOTHING
    price = min(highest, _down(cash // (shares + found), tick))
    assert limit <= price and found * price < cash, "an offer is within the limit, and the pool can pay it"
    return Offer(found, price)


def _over(amount: int, divisor: int) -> int:
    """Divided, and rounded up."""
    return -(-amount // divisor)


def _down(price_cents: int, tick_cents: int) -> int:
    return price_cents // tick_cents * tick_cents


def _up(price_cents: int, tick_cents: int) -> int:
    return _over(price_cents, tick_cents) * tick_cents
