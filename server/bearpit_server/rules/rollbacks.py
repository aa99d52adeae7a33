"""What reversing trades moves, who is short of what they would give back, and who makes up for it.

Nothing is undone: every reversed trade gets postings of its own, against those it made. Whether somebody
is short is asked once, of all the trades together: what one of them takes, another may give back. On the
way an account may still be out of what it has in the end. Three that each sold the same share to the next
and spent it would all have to begin; no order of the trades helps. So the issuer bridges: it gives, before
the first reversal, exactly what would be lacking at the lowest point, and gets it back after the last.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise

from bearpit_server.rules.record import record
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.units import points

HOUSE = 0
"""The owner that is no player: its side of a trade is the instrument's till, which is never short."""
CASH = 0
"""The asset that is no instrument."""

Funds = Mapping[tuple[int, int], int]
"""What is free, not held, by owner and asset: cents or shares, 0 or more. What is missing is 0."""


class Policy(StrEnum):
    """What is done about a player who no longer has what he would have to give back."""

    REFUSE = "refuse"
    """Nothing is reversed."""
    DEBT = "debt"
    """He gives what he has and owes the rest to the house, which pays it for him now."""
    HOUSE = "house"
    """The house pays the rest, for good."""


class Reason(StrEnum):
    """What a movement is for; the reason of its posting."""

    REVERSAL = "rollback"
    FEE = "rollback_fee"
    LOAN = "loan"
    COVER = "rollback_cover"
    ISSUE = "rollback_issue"
    CHARGE = "rollback_charge"
    """A player pays for shares that were issued in his place."""
    BRIDGE = "rollback_bridge"
    """Lent for as long as the reversals take; see this module."""


class Kind(StrEnum):
    """Whose account a party stands for; all but PLAYER are the house's."""

    PLAYER = "player"
    TILL = "till"
    FEES = "fees"
    LOANS = "loans"
    ISSUER = "issuer"


@dataclass(frozen=True, slots=True)
class Party:
    """One side of a movement. `id` is the player, the till's instrument, the issuer's asset; else 0."""

    kind: Kind
    id: int = 0


FEES = Party(Kind.FEES)
LOANS = Party(Kind.LOANS)


@record
class Reversible:
    """A trade as it was made. Fees are what each side paid in cents.

    `seller_cost_cents` is what the sale took out of the seller's cost basis; 0 for the house.
    """

    trade_id: int
    instrument_id: int
    buyer_id: int
    seller_id: int
    price_cents: int
    quantity: int
    buyer_fee_cents: int
    seller_fee_cents: int
    seller_cost_cents: int

    @property
    def value_cents(self) -> int:
        """What was paid for the shares, without fees."""
        return self.price_cents * self.quantity


@record
class Movement:
    """A posting to be made: cents or shares, above 0. `trade_id` 0: of no single trade."""

    reason: Reason
    giver: Party
    taker: Party
    asset: int
    amount: int
    trade_id: int = 0


@record
class Shortage:
    """A player would have to give back `needed` in all, and has less free; cents or shares.

    `value_cents` is what is missing in money: shares at the price of the youngest trade reversed.
    """

    owner_id: int
    asset: int
    needed: int
    free: int
    value_cents: int

    @property
    def missing(self) -> int:
        """What is short, above 0."""
        return self.needed - self.free


@record
class CostChange:
    """What all the reversals together add to a player's cost basis and realised gain of an instrument."""

    owner_id: int
    instrument_id: int
    cost_cents: int
    realised_cents: int

    def cost_after(self, cost_cents: int, shares: int) -> int:
        """The new cost basis, 0 or more, when `shares` are left; no shares have cost nothing."""
        return max(cost_cents + self.cost_cents, 0) if shares else 0


@dataclass(slots=True)
class Plan:
    """What a rollback would do; as long as nobody's free amounts change. See `plan`."""

    policy: Policy
    trades: list[Reversible]
    """Newest first."""
    shortages: list[Shortage]
    """By owner and asset, whatever the policy."""
    costs: list[CostChange]
    """By owner and instrument, of players only. To be applied after the movements."""
    debts: dict[int, int] = field(default_factory=dict)
    """By player, the cents that he owes more than before: exactly what he is lent."""
    charges: dict[int, int] = field(default_factory=dict)
    """By player, the cents he pays for shares issued in his place; what he could not pay is in `debts`."""
    house_pays_cents: int = 0
    """What the house gives away: cents, and shares at the price of the youngest trade reversed."""
    before: list[Movement] = field(default_factory=list)
    after: list[Movement] = field(default_factory=list)

    def check(self) -> None:
        """Raises Refused SHORTAGE if somebody is short and the policy is to refuse."""
        if self.policy is Policy.REFUSE and self.shortages:
            raise _refusal(self.shortages)

    def movements(self) -> Iterator[Movement]:
        """All postings, in the order to be made; no player's free amount falls below 0 on the way.

        Made as they are asked for: a window may hold a million trades. Raises as `check`.
        """
        self.check()
        yield from self.before
        for trade in self.trades:
            yield from reversal(trade)
        yield from self.after

    @property
    def fees_cents(self) -> int:
        """What the account of the fees gives back."""
        return sum(trade.buyer_fee_cents + trade.seller_fee_cents for trade in self.trades)


@dataclass(slots=True)
class Outline:
    """What reversing some trades moves, before anybody is asked what he has."""

    trades: list[Reversible]
    """Newest first."""
    flows: "_Flows"
    costs: list[CostChange]

    @property
    def keys(self) -> list[tuple[int, int]]:
        """Every player and asset that is moved."""
        return [*self.flows]

    def earmarks(self, made: "Plan") -> dict[tuple[int, int], int]:
        """By player and asset, what must be kept from the first of a plan's reversals to its last movement.

        It is there once `before` is made. What is kept rises and falls with what the reversals bring and
        take; all else of a player's is free meanwhile.
        """
        gives: dict[tuple[int, int], int] = defaultdict(int)
        for move in made.after:
            if move.giver.kind is Kind.PLAYER:
                gives[move.giver.id, move.asset] += move.amount
        kept = {key: max(-flow.lowest, gives.pop(key, 0) - flow.net) for key, flow in self.flows.items()}
        return kept | gives

    def plan(self, free: Funds, policy: Policy) -> "Plan":
        """How to do it. `free` tells at least of all `keys`. Takes time in proportion to these."""
        made = Plan(policy, self.trades, _shortages(self.flows, free, self.trades), self.costs)
        if policy is not Policy.REFUSE:
            _cover(made, self.flows, free)
        if policy is not Policy.REFUSE or not made.shortages:
            _bridge(made, self.flows, free)
        return made


def outline(trades: Iterable[Reversible]) -> Outline:
    """What reversing these trades moves, in whatever order they come. Takes time in proportion to them."""
    newest_first = sorted(trades, key=lambda trade: trade.trade_id, reverse=True)
    assert all(a.trade_id != b.trade_id for a, b in pairwise(newest_first)), "a trade is reversed once"
    return Outline(newest_first, _flows(newest_first), _costs(newest_first))


def plan(trades: Iterable[Reversible], free: Funds, policy: Policy) -> Plan:
    """How to reverse these trades: their outline, and what comes of it with what is free."""
    return outline(trades).plan(free, policy)


def reversal(trade: Reversible) -> list[Movement]:
    """The movements against those of a trade, fees first: so the seller needs no more than he got."""
    number, asset = trade.trade_id, trade.instrument_id
    buyer, seller = _side(trade.buyer_id, asset), _side(trade.seller_id, asset)
    made = []
    if trade.seller_fee_cents:
        made.append(Movement(Reason.FEE, FEES, seller, CASH, trade.seller_fee_cents, number))
    if trade.buyer_fee_cents:
        made.append(Movement(Reason.FEE, FEES, buyer, CASH, trade.buyer_fee_cents, number))
    if trade.buyer_id != trade.seller_id:
        made.append(Movement(Reason.REVERSAL, seller, buyer, CASH, trade.value_cents, number))
        made.append(Movement(Reason.REVERSAL, buyer, seller, asset, trade.quantity, number))
    return made


def spent(plan: Plan, players: Mapping[int, str], symbols: Mapping[int, str]) -> dict[int, str]:
    """By player, in one line, what he has no longer and would have to give back, and what comes of it.

    `players` and `symbols` are the names of those that are short and of what they are short of.
    """
    lines: dict[int, list[str]] = defaultdict(list)
    for short in plan.shortages:
        if short.asset == CASH:
            needed, free, missing = points(short.needed), points(short.free), points(short.missing)
            line = f"{needed} points but has {free} free ({missing} missing)"
        else:
            what, worth = f"shares of {symbols[short.asset]}", f"worth {points(short.value_cents)} points"
            line = f"{short.needed} {what} but has {short.free} free ({short.missing} missing, {worth})"
        lines[short.owner_id].append(line)
    return {
        owner: f"{players[owner]} would have to give back {' and '.join(parts)}{_consequence(plan, owner)}"
        for owner, parts in lines.items()
    }


@record
class Difference:
    """An account that is not back at its snapshot; cents or shares."""

    account: int
    expected: int
    actual: int


def differences(
    snapshot: Mapping[int, int], now: Mapping[int, int], other_movements: Mapping[int, int]
) -> list[Difference]:
    """The accounts whose balance is not the snapshot's plus what else has moved since, by account.

    All three by account; an account that one does not name has 0 there. `other_movements` are those that
    neither the window nor its rollback made. What was lent or granted in a rollback shows as a difference.
    """
    found = []
    for account in sorted(snapshot.keys() | now.keys() | other_movements.keys()):
        expected = snapshot.get(account, 0) + other_movements.get(account, 0)
        actual = now.get(account, 0)
        if actual != expected:
            found.append(Difference(account, expected, actual))
    return found


@dataclass(slots=True)
class _Flow:
    """What a player gets of an asset in all, and how far below his start he is on the way; 0 or less."""

    net: int = 0
    lowest: int = 0


_Flows = dict[tuple[int, int], _Flow]


def _flows(trades: Sequence[Reversible]) -> _Flows:
    flows: _Flows = defaultdict(_Flow)
    for trade in trades:
        for move in reversal(trade):
            if move.giver.kind is Kind.PLAYER:
                flow = flows[move.giver.id, move.asset]
                flow.net -= move.amount
                if flow.net < flow.lowest:
                    flow.lowest = flow.net
            if move.taker.kind is Kind.PLAYER:
                flows[move.taker.id, move.asset].net += move.amount
    return dict(sorted(flows.items()))


def _shortages(flows: _Flows, free: Funds, newest_first: Sequence[Reversible]) -> list[Shortage]:
    prices = {trade.instrument_id: trade.price_cents for trade in reversed(newest_first)}
    prices[CASH] = 1
    found = []
    for (owner, asset), flow in flows.items():
        available = free.get((owner, asset), 0)
        assert available >= 0, "what is held is not more than there is"
        missing = -flow.net - available
        if missing > 0:
            found.append(Shortage(owner, asset, -flow.net, available, missing * prices[asset]))
    return found


def _costs(trades: Iterable[Reversible]) -> list[CostChange]:
    costs: dict[tuple[int, int], int] = defaultdict(int)
    gains: dict[tuple[int, int], int] = defaultdict(int)
    for trade in trades:
        value, cost = trade.value_cents, trade.seller_cost_cents
        costs[trade.buyer_id, trade.instrument_id] -= value + trade.buyer_fee_cents
        costs[trade.seller_id, trade.instrument_id] += cost
        gains[trade.seller_id, trade.instrument_id] -= value - trade.seller_fee_cents - cost
    return [CostChange(*key, costs[key], gains.get(key, 0)) for key in sorted(costs) if key[0] != HOUSE]


def _cover(made: Plan, flows: _Flows, free: Funds) -> None:
    """Let the house make up for what is missing, and with DEBT let the players owe it.

    Shares cannot be owed. They are issued and charged for, as far as there is cash free after all; the
    rest is lent with the cash that was missing anyway.
    """
    in_debt = made.policy is Policy.DEBT
    owed: dict[int, int] = defaultdict(int)
    for short in made.shortages:
        issuer, player = _issuer(short.asset), _player(short.owner_id)
        if not in_debt:
            reason = Reason.COVER if short.asset == CASH else Reason.ISSUE
            made.before.append(Movement(reason, issuer, player, short.asset, short.missing))
            made.house_pays_cents += short.value_cents
        elif short.asset != CASH:
            made.before.append(Movement(Reason.ISSUE, issuer, player, short.asset, short.missing))
            made.after.append(Movement(Reason.CHARGE, player, _till(short.asset), CASH, short.value_cents))
            owed[short.owner_id] += short.value_cents
        else:
            owed[short.owner_id] += 0
    for owner, charge in owed.items():
        flow = flows.get((owner, CASH))
        lent = charge - free.get((owner, CASH), 0) - (flow.net if flow else 0)
        if lent > 0:
            made.before.append(Movement(Reason.LOAN, LOANS, _player(owner), CASH, lent))
            made.debts[owner] = lent
        if charge:
            made.charges[owner] = charge


def _bridge(made: Plan, flows: _Flows, free: Funds) -> None:
    """Lend to whom would be below zero on the way, and take it back before anything is charged."""
    covered: dict[tuple[int, int], int] = defaultdict(int)
    for move in made.before:
        covered[move.taker.id, move.asset] += move.amount
    back = []
    for (owner, asset), flow in flows.items():
        lacking = -(free.get((owner, asset), 0) + covered.get((owner, asset), 0) + flow.lowest)
        if lacking > 0:
            issuer, player = _issuer(asset), _player(owner)
            made.before.append(Movement(Reason.BRIDGE, issuer, player, asset, lacking))
            back.append(Movement(Reason.BRIDGE, player, issuer, asset, lacking))
    made.after = back + made.after


def _refusal(shortages: Sequence[Shortage]) -> Refused:
    players = len({short.owner_id for short in shortages})
    cents = sum(short.missing for short in shortages if short.asset == CASH)
    shares = sum(short.missing for short in shortages if short.asset != CASH)
    worth = sum(short.value_cents for short in shortages if short.asset != CASH)
    return Refused(
        "SHORTAGE",
        f"{players} players no longer have what they would give back: {points(cents)} points and {shares} "
        f"shares worth {points(worth)} points are missing; choose debt or house, or reverse less",
        players=players,
        missing_cents=cents,
        missing_shares=shares,
        missing_shares_value_cents=worth,
    )


def _consequence(plan: Plan, owner: int) -> str:
    if plan.policy is Policy.REFUSE:
        return ": refused"
    if plan.policy is Policy.HOUSE:
        return ": the house pays"
    debt, charge = plan.debts.get(owner, 0), plan.charges.get(owner, 0)
    charged = f"is charged {points(charge)} points and " if charge else ""
    return f": {charged}owes {points(debt)} points"


def _side(owner_id: int, instrument_id: int) -> Party:
    return _till(instrument_id) if owner_id == HOUSE else _player(owner_id)


# Few parties take part in many trades, and making one costs as much as all else that a movement needs.
@lru_cache(1 << 16)
def _player(owner_id: int) -> Party:
    return Party(Kind.PLAYER, owner_id)


@lru_cache(1 << 12)
def _till(instrument_id: int) -> Party:
    return Party(Kind.TILL, instrument_id)


def _issuer(asset: int) -> Party:
    return Party(Kind.ISSUER, asset)
