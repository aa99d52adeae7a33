"""Rollbacks: what reversing trades moves, and what happens to those who have spent it."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.rollbacks import (
    CASH,
    FEES,
    HOUSE,
    LOANS,
    Difference,
    Kind,
    Movement,
    Party,
    Plan,
    Policy,
    Reason,
    Reversible,
    Shortage,
    differences,
    outline,
    plan,
    reversal,
    spent,
)
from hypothesis import given, settings
from hypothesis import strategies as st

ADA, BOB, CYD = 1, 2, 3
ACME, ZINC = 1, 2
OUTSIDE = Party(Kind.ISSUER, 99)
paying = st.sampled_from([Policy.DEBT, Policy.HOUSE])


@dataclass(frozen=True)
class Deal:
    buyer: int
    seller: int
    instrument: int
    price: int
    quantity: int
    fee: int
    chosen: bool  # whether it is among those that are reversed


@dataclass(frozen=True)
class Spend:
    owner: int
    asset: int
    part: int  # percent of what he has
    held: bool  # held by an order instead of gone


Step = Deal | Spend
deals = st.builds(
    Deal,
    st.integers(HOUSE, CYD),
    st.integers(HOUSE, CYD),
    st.integers(ACME, ZINC),
    st.integers(1, 30),
    st.integers(1, 10),
    st.integers(0, 3),
    st.booleans(),
)
spends = st.builds(Spend, st.integers(ADA, CYD), st.integers(CASH, ZINC), st.integers(0, 100), st.booleans())
histories = st.lists(st.one_of(deals, deals, spends), max_size=25)
starts = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 12), st.integers(0, 12)), min_size=3, max_size=3
)


def party(owner: int, instrument: int) -> Party:
    return Party(Kind.PLAYER, owner) if owner else Party(Kind.TILL, instrument)


@dataclass
class Ledger:
    """Balances as the exchange keeps them, in dictionaries."""

    balances: Counter[tuple[Party, int]] = field(default_factory=Counter)
    held: Counter[tuple[int, int]] = field(default_factory=Counter)
    cost: defaultdict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    realised: defaultdict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    trades: list[Reversible] = field(default_factory=list)
    chosen: list[Reversible] = field(default_factory=list)

    def of(self, owner: int, asset: int) -> int:
        return self.balances[Party(Kind.PLAYER, owner), asset]

    def free(self) -> dict[tuple[int, int], int]:
        return {(o, a): self.of(o, a) - self.held[o, a] for o in (ADA, BOB, CYD) for a in (CASH, ACME, ZINC)}

    def move(self, giver: Party, taker: Party, asset: int, amount: int) -> None:
        assert amount > 0
        assert giver != taker
        self.balances[giver, asset] -= amount
        self.balances[taker, asset] += amount
        if giver.kind is Kind.PLAYER:
            assert self.balances[giver, asset] >= self.held[giver.id, asset], "what is held does not leave"

    def execute(self, step: Step) -> None:
        if isinstance(step, Deal):
            self.trade(step)
            return
        free = self.free()[step.owner, step.asset]
        amount = free * step.part // 100
        if step.held:
            self.held[step.owner, step.asset] += amount
        elif amount:
            self.move(Party(Kind.PLAYER, step.owner), OUTSIDE, step.asset, amount)
            if step.asset != CASH:
                self.sold(step.owner, step.asset, amount, 0)

    def trade(self, deal: Deal) -> None:
        free, asset, value = self.free(), deal.instrument, deal.price * deal.quantity
        buyer_fee, seller_fee = (deal.fee if deal.buyer else 0), (deal.fee if deal.seller else 0)
        if deal.buyer == deal.seller or seller_fee > value:
            return
        if deal.buyer and free[deal.buyer, CASH] < value + buyer_fee:
            return
        if deal.seller and free[deal.seller, asset] < deal.quantity:
            return
        buyer, seller = party(deal.buyer, asset), party(deal.seller, asset)
        self.move(buyer, seller, CASH, value)
        self.move(seller, buyer, asset, deal.quantity)
        for side, fee in ((buyer, buyer_fee), (seller, seller_fee)):
            if fee:
                self.move(side, FEES, CASH, fee)
        if deal.buyer:
            self.cost[deal.buyer, asset] += value + buyer_fee
        part = self.sold(deal.seller, asset, deal.quantity, value - seller_fee) if deal.seller else 0
        number = len(self.trades) + 1
        made = Reversible(
            number, asset, deal.buyer, deal.seller, deal.price, deal.quantity, buyer_fee, seller_fee, part
        )
        self.trades.append(made)
        if deal.chosen:
            self.chosen.append(made)

    def sold(self, owner: int, asset: int, quantity: int, proceeds: int) -> int:
        part = self.cost[owner, asset] * quantity // (self.of(owner, asset) + quantity)
        self.cost[owner, asset] -= part
        self.realised[owner, asset] += proceeds - part
        return part

    def roll_back(self, made: Plan) -> None:
        for move in made.movements():
            self.move(move.giver, move.taker, move.asset, move.amount)
        for change in made.costs:
            key = change.owner_id, change.instrument_id
            self.cost[key] = change.cost_after(self.cost[key], self.of(*key))
            self.realised[key] += change.realised_cents

    def state(self) -> tuple[dict[object, int], ...]:
        return tuple(
            {key: value for key, value in kept.items() if value}
            for kept in (self.balances, self.cost, self.realised)
        )


def begin(start: list[tuple[int, int, int]]) -> Ledger:
    ledger = Ledger()
    for owner, amounts in enumerate(start, ADA):
        for asset, amount in enumerate(amounts):
            if amount:
                ledger.move(OUTSIDE, Party(Kind.PLAYER, owner), asset, amount)
                if asset != CASH:
                    ledger.cost[owner, asset] += 7 * amount
    return ledger


def lived(start: list[tuple[int, int, int]], history: list[Step]) -> Ledger:
    ledger = begin(start)
    for step in history:
        ledger.execute(step)
    return ledger


def nets(trades: list[Reversible]) -> Counter[tuple[int, int]]:
    """What each player gets in all, told from the trades alone."""
    net: Counter[tuple[int, int]] = Counter()
    for trade in trades:
        value = trade.price_cents * trade.quantity
        net[trade.buyer_id, CASH] += value + trade.buyer_fee_cents
        net[trade.seller_id, CASH] -= value - trade.seller_fee_cents
        net[trade.buyer_id, trade.instrument_id] -= trade.quantity
        net[trade.seller_id, trade.instrument_id] += trade.quantity
    return net


def sale(number: int, buyer: int, seller: int, quantity: int = 10, price: int = 5) -> Reversible:
    return Reversible(number, ACME, buyer, seller, price, quantity, 0, 0, 0)


@settings(deadline=None, derandomize=True)
@given(starts, st.lists(deals, max_size=25), st.integers(0, 25), st.sampled_from(Policy))
def test_when_nothing_is_spent_the_youngest_trades_are_undone_to_the_cent(
    start: list[tuple[int, int, int]], history: list[Deal], kept: int, policy: Policy
) -> None:
    ledger, past = lived(start, [*history]), lived(start, [*history[:kept]])
    made = plan(ledger.trades[len(past.trades) :], ledger.free(), policy)
    assert (made.shortages, made.before, made.after) == ([], [], [])
    ledger.roll_back(made)
    assert ledger.state() == past.state()


@settings(deadline=None, derandomize=True, max_examples=300)
@given(starts, histories, paying)
def test_nobody_is_below_what_he_holds_and_nothing_is_lost(
    start: list[tuple[int, int, int]], history: list[Step], policy: Policy
) -> None:
    ledger = lived(start, history)
    made = plan(ledger.chosen, ledger.free(), policy)
    ledger.roll_back(made)
    for asset in (CASH, ACME, ZINC):
        assert sum(amount for (_, of), amount in ledger.balances.items() if of == asset) == 0
    for owner in (ADA, BOB, CYD):
        for asset in (ACME, ZINC):
            assert ledger.cost[owner, asset] >= 0
            assert ledger.of(owner, asset) or not ledger.cost[owner, asset]


@settings(deadline=None, derandomize=True, max_examples=300)
@given(starts, histories, paying)
def test_everybody_gets_what_is_his_and_the_short_give_all_they_have(
    start: list[tuple[int, int, int]], history: list[Step], policy: Policy
) -> None:
    ledger = lived(start, history)
    free, net = ledger.free(), nets(ledger.chosen)
    made = plan(ledger.chosen, free, policy)
    ledger.roll_back(made)
    owed = Counter[int]()
    for short in made.shortages:
        if short.asset != CASH and policy is Policy.DEBT:
            owed[short.owner_id] += short.value_cents
    for (owner, asset), before in free.items():
        after = before + net[owner, asset] - (owed[owner] if asset == CASH else 0)
        assert ledger.free()[owner, asset] == max(0, after)
        if asset == CASH and policy is Policy.DEBT:
            assert made.debts.get(owner, 0) == max(0, -after)
    assert ledger.balances[LOANS, CASH] == -sum(made.debts.values())
    assert made.charges == owed
    house = sum(short.value_cents for short in made.shortages) if policy is Policy.HOUSE else 0
    assert made.house_pays_cents == house


@settings(deadline=None, derandomize=True, max_examples=300)
@given(starts, histories, paying, st.integers(1, 4), st.booleans())
def test_with_what_it_needs_set_aside_a_rollback_can_be_made_in_parts_whatever_is_spent_between(
    start: list[tuple[int, int, int]], history: list[Step], policy: Policy, size: int, spends_all: bool
) -> None:
    ledger = lived(start, history)
    drawn = outline(ledger.chosen)
    made = drawn.plan(ledger.free(), policy)
    for move in made.before:
        ledger.move(move.giver, move.taker, move.asset, move.amount)
    kept = Counter(drawn.earmarks(made))
    assert min(kept.values(), default=0) >= 0
    ledger.held.update(kept)
    for at in range(0, len(made.trades), size):
        free = ledger.free()
        assert min(free.values()) >= 0
        if spends_all:
            for (owner, asset), amount in free.items():
                if amount:
                    ledger.move(Party(Kind.PLAYER, owner), OUTSIDE, asset, amount)
        ledger.held.subtract(kept)
        before = Counter(ledger.balances)
        for trade in made.trades[at : at + size]:
            for move in reversal(trade):
                ledger.move(move.giver, move.taker, move.asset, move.amount)
        for owner, asset in kept:
            key = Party(Kind.PLAYER, owner), asset
            kept[owner, asset] += ledger.balances[key] - before[key]
        ledger.held.update(kept)
        assert ledger.free() == (dict.fromkeys(free, 0) if spends_all else free)
    ledger.held.subtract(kept)
    for move in made.after:
        ledger.move(move.giver, move.taker, move.asset, move.amount)


@settings(deadline=None, derandomize=True)
@given(starts, histories)
def test_what_is_missing_is_counted_over_all_trades_and_is_the_same_for_every_policy(
    start: list[tuple[int, int, int]], history: list[Step]
) -> None:
    ledger = lived(start, history)
    free, net = ledger.free(), nets(ledger.chosen)
    missing = {key: -net[key] - free[key] for key in free if net[key] + free[key] < 0}
    for policy in Policy:
        shortages = plan(ledger.chosen, free, policy).shortages
        assert {(s.owner_id, s.asset): s.missing for s in shortages} == missing


@settings(deadline=None, derandomize=True)
@given(starts, histories)
def test_a_rollback_is_refused_exactly_when_somebody_is_short(
    start: list[tuple[int, int, int]], history: list[Step]
) -> None:
    ledger = lived(start, history)
    made = plan(ledger.chosen, ledger.free(), Policy.REFUSE)
    if made.shortages:
        with pytest.raises(Refused, match="choose debt or house"):
            made.check()
        with pytest.raises(Refused):
            next(made.movements())
    else:
        ledger.roll_back(made)
        assert not made.debts
        assert not made.house_pays_cents


@settings(deadline=None, derandomize=True)
@given(starts, histories, paying)
def test_the_order_in_which_the_trades_come_does_not_matter(
    start: list[tuple[int, int, int]], history: list[Step], policy: Policy
) -> None:
    ledger = lived(start, history)
    shuffled = sorted(ledger.chosen, key=lambda trade: trade.trade_id * 5 % 7)
    made, again = (plan(trades, ledger.free(), policy) for trades in (ledger.chosen, shuffled))
    assert made == again
    numbers = [move.trade_id for move in again.movements() if move.trade_id]
    assert numbers == sorted(numbers, reverse=True)


@settings(deadline=None, derandomize=True)
@given(starts, st.lists(deals, max_size=15), histories, paying)
def test_a_window_rolled_back_differs_from_its_snapshot_by_what_the_house_paid_or_lent(
    start: list[tuple[int, int, int]], window: list[Deal], since: list[Step], policy: Policy
) -> None:
    snapshot, ledger = begin(start), lived(start, [*window])
    trades, before = ledger.trades[:], Counter(ledger.balances)
    for step in since:
        ledger.execute(step)
    other = Counter(ledger.balances)
    other.subtract(before)
    made = plan(trades, ledger.free(), policy)
    ledger.roll_back(made)
    numbers = {key: number for number, key in enumerate({**ledger.balances, **snapshot.balances})}
    found = differences(
        *({numbers[key]: amount for key, amount in kept.items()} for kept in
          (snapshot.balances, ledger.balances, other))
    )  # fmt: skip
    expected: Counter[int] = Counter()
    for move in (*made.before, *made.after):
        expected[numbers[move.giver, move.asset]] -= move.amount
        expected[numbers[move.taker, move.asset]] += move.amount
    assert {d.account: d.actual - d.expected for d in found} == {k: v for k, v in expected.items() if v}


def test_a_reversed_trade_moves_back_what_it_moved() -> None:
    trade = Reversible(7, ACME, ADA, BOB, 5, 10, 2, 1, 30)
    ada, bob = Party(Kind.PLAYER, ADA), Party(Kind.PLAYER, BOB)
    assert reversal(trade) == [
        Movement(Reason.FEE, FEES, bob, CASH, 1, 7),
        Movement(Reason.FEE, FEES, ada, CASH, 2, 7),
        Movement(Reason.REVERSAL, bob, ada, CASH, 50, 7),
        Movement(Reason.REVERSAL, ada, bob, ACME, 10, 7),
    ]
    made = plan([trade], {(ADA, ACME): 10, (BOB, CASH): 49}, Policy.REFUSE)
    assert [(c.owner_id, c.cost_cents, c.realised_cents) for c in made.costs] == [
        (ADA, -52, 0),
        (BOB, 30, -19),
    ]
    assert made.fees_cents == 3


def test_the_house_is_never_short() -> None:
    bought, sold_back = sale(1, ADA, HOUSE), sale(2, HOUSE, ADA, 4)
    made = plan([bought, sold_back], {(ADA, ACME): 6, (ADA, CASH): 20}, Policy.REFUSE)
    assert made.shortages == []
    assert {p.kind for move in made.movements() for p in (move.giver, move.taker)} == {Kind.PLAYER, Kind.TILL}
    assert [change.owner_id for change in made.costs] == [ADA]


def test_shares_that_went_around_are_bridged_when_nobody_has_them_any_more() -> None:
    around = [sale(1, BOB, ADA), sale(2, CYD, BOB), sale(3, ADA, CYD)]
    made = plan(around, {(owner, CASH): 50 for owner in (ADA, BOB, CYD)}, Policy.REFUSE)
    assert made.shortages == []
    issuer, ada = Party(Kind.ISSUER, ACME), Party(Kind.PLAYER, ADA)
    assert made.before == [Movement(Reason.BRIDGE, issuer, ada, ACME, 10)]
    assert made.after == [Movement(Reason.BRIDGE, ada, issuer, ACME, 10)]


def test_a_trade_of_a_player_with_himself_moves_only_fees() -> None:
    made = plan([Reversible(1, ACME, ADA, ADA, 5, 10, 1, 1, 40)], {}, Policy.REFUSE)
    assert {move.reason for move in made.movements()} == {Reason.FEE}
    assert made.costs[0].cost_cents == 40 - 51


def test_missing_cash_is_lent() -> None:
    made = plan([sale(1, ADA, BOB)], {(ADA, ACME): 10, (BOB, CASH): 20}, Policy.DEBT)
    assert made.shortages == [Shortage(BOB, CASH, 50, 20, 30)]
    assert made.before == [Movement(Reason.LOAN, LOANS, Party(Kind.PLAYER, BOB), CASH, 30)]
    assert (made.debts, made.charges, made.house_pays_cents) == ({BOB: 30}, {}, 0)


def test_missing_shares_are_charged_at_the_youngest_price_and_the_rest_is_lent() -> None:
    trades = [sale(1, ADA, BOB, price=5), sale(2, ADA, BOB, price=20)]
    made = plan(trades, {(ADA, ACME): 2, (BOB, CASH): 250}, Policy.DEBT)
    assert made.shortages == [Shortage(ADA, ACME, 20, 2, 360)]
    assert made.charges == {ADA: 360}
    assert made.debts == {ADA: 110}  # for he gets 250 back
    assert made.after[-1] == Movement(
        Reason.CHARGE, Party(Kind.PLAYER, ADA), Party(Kind.TILL, ACME), CASH, 360
    )


def test_the_house_issues_shares_and_grants_cash_for_nothing() -> None:
    made = plan([sale(1, ADA, BOB)], {(ADA, ACME): 4, (BOB, CASH): 20}, Policy.HOUSE)
    assert [(move.reason, move.asset, move.amount) for move in made.before] == [
        (Reason.ISSUE, ACME, 6),
        (Reason.COVER, CASH, 30),
    ]
    assert (made.debts, made.house_pays_cents, made.after) == ({}, 60, [])


def test_a_refusal_tells_how_many_are_short_and_by_how_much() -> None:
    made = plan([sale(1, ADA, BOB)], {(ADA, ACME): 4, (BOB, CASH): 20}, Policy.REFUSE)
    with pytest.raises(Refused) as refused:
        made.check()
    assert refused.value.reason == "SHORTAGE"
    assert refused.value.metadata == {
        "players": "2",
        "missing_cents": "30",
        "missing_shares": "6",
        "missing_shares_value_cents": "30",
    }


@pytest.mark.parametrize(
    ("policy", "ada", "bob"),
    [
        (Policy.REFUSE, "refused", "refused"),
        (Policy.HOUSE, "the house pays", "the house pays"),
        (Policy.DEBT, "is charged 0.30 points and owes 0.00 points", "owes 0.30 points"),
    ],
)
def test_a_line_tells_what_a_player_has_spent(policy: Policy, ada: str, bob: str) -> None:
    made = plan([sale(1, ADA, BOB)], {(ADA, ACME): 4, (BOB, CASH): 20}, policy)
    assert spent(made, {ADA: "ada", BOB: "bob"}, {ACME: "ACME"}) == {
        ADA: "ada would have to give back 10 shares of ACME but has 4 free "
        f"(6 missing, worth 0.30 points): {ada}",
        BOB: f"bob would have to give back 0.50 points but has 0.20 free (0.30 missing): {bob}",
    }


def test_shares_that_are_gone_have_cost_nothing() -> None:
    change = plan([sale(1, ADA, HOUSE)], {(ADA, ACME): 10}, Policy.REFUSE).costs[0]
    assert change.cost_after(80, 5) == 30
    assert change.cost_after(40, 5) == 0
    assert change.cost_after(80, 0) == 0


def test_an_account_back_at_its_snapshot_is_no_difference() -> None:
    assert differences({1: 5, 2: 5}, {1: 8, 2: 6, 3: 1}, {1: 3}) == [Difference(2, 5, 6), Difference(3, 0, 1)]


def test_nothing_to_reverse_is_an_empty_plan() -> None:
    assert list(plan([], {}, Policy.DEBT).movements()) == []
