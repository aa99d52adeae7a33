"""The ledger's proofs hold of a healthy house, and each finds what it is there to find."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from bearpit.client import Client
from bearpit.v1 import admin_pb2 as pb
from bearpit_server.events import log
from bearpit_server.events.log import HOUSE_ORIGIN, Event, Origin
from bearpit_server.events.records import TradeRecord
from bearpit_server.exchange.order_events import AMENDED, FILLED
from bearpit_server.game.points import transfers
from bearpit_server.game.points.transfers import Terms
from bearpit_server.game.proofs import doctor, doctor_camp, doctor_recent
from bearpit_server.game.proofs.doctor import Proof
from bearpit_server.game.proofs.doctor_recent import BEGINNING
from bearpit_server.game.trading import instruments, ipo
from bearpit_server.game.trading.instruments import Listing
from bearpit_server.identity import players
from bearpit_server.ledger import accounts
from bearpit_server.ledger.journal import Journal
from bearpit_server.rollback import records, work
from bearpit_server.rollback.records import Asked
from bearpit_server.rollback.scope import Level, Scope
from bearpit_server.rules.orders import Order as RuleOrder
from bearpit_server.rules.orders import OrderType, Side, TimeInForce
from bearpit_server.rules.roles import PLAYER
from bearpit_server.rules.units import fee_on
from bearpit_server.storage import bulk, candles
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Order, Player, Posting, Trade
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peewee import InternalError

from tests.postgres import Postgres
from tests.venue import Venue

AT = datetime(2026, 3, 2, 10, 0, 30, tzinfo=UTC)
FEE_BPS = 25
ADA, BOB = 1, 2
CAMP = {rule.sentence for rule in doctor_camp.RULES}
"""Rules of what there is nothing of here; the tests of each part find their sicknesses."""


@pytest.fixture(scope="module", name="traded")
def make_traded(postgres: Postgres) -> Iterator[Database]:
    """A small house in which everything has happened that the rules speak of."""
    with postgres.database() as database:
        with database.transaction():
            populate()
        yield database


def populate() -> None:
    """Two players; an IPO; ada buys of bob in four trades, of which one is reversed; a transfer."""
    for name in ("ada", "bob"):
        players.create_player(name, "", [PLAYER], 1_000_000, HOUSE_ORIGIN)
    acme = instruments.create(Listing("ACME", "Acme", 1, 1, 1, 0, FEE_BPS, 0, 0), HOUSE_ORIGIN)
    ipo.open_ipo("ACME", 1_240, 1_000, HOUSE_ORIGIN)
    shares = {owner: accounts.open_account(owner, acme.id) for owner in (ADA, BOB)}
    treasury = accounts.open_account(0, acme.id, "treasury")
    journal = Journal(AT)
    journal.lock([treasury, shares[BOB], accounts.open_account(BOB, 0)])
    journal.post(treasury, shares[BOB], 100, "adjustment", "", HOUSE_ORIGIN)
    journal.write()
    buy = place(1, ADA, acme.id, Side.BUY, 50, 1_250)
    sell = place(2, BOB, acme.id, Side.SELL, 60, 1_200)
    for number, (price, quantity) in enumerate(((1_240, 10), (1_199 + 1, 7), (1_250, 3))):
        trade(number + 1, buy, sell, price, quantity, AT + timedelta(minutes=20 * number))
    trade(4, buy, sell, 1_230, 2, AT + timedelta(minutes=60))
    house = Order.create(
        force_insert=True, id=3, player_id=0, instrument_id=acme.id, side=2, type=2, time_in_force=1,
        quantity=900, price_cents=1_240, stop_price_cents=0, post_only=False, self_trade=1, fee_bps=0,
        priority=3, held=900,
        status=1, request_id="ipo:ACME", request_hash=b"", accepted_at=AT, updated_at=AT,
    )  # fmt: skip
    journal = Journal(AT)
    journal.lock([treasury])
    journal.hold(treasury, house.held)
    journal.write()
    ended = place(4, ADA, acme.id, Side.BUY, 5, 1_000)
    release(ended)
    transfers.send(ADA, Player.get_by_id(BOB), 5_000, "", Terms(33, 1, 0), Origin(ADA))
    asked = Asked(Scope(Level.TRADE, trade_id=4), 1, "a slip of the hand")
    work.whole(records.request(asked, Origin(ADA)), Origin(ADA), 0)


def place(order_id: int, owner: int, instrument_id: int, side: Side, quantity: int, price: int) -> Order:
    """An order as accepting one leaves it."""
    order = RuleOrder(
        order_id,
        owner,
        instrument_id,
        side,
        OrderType.LIMIT,
        TimeInForce.GTC,
        quantity,
        price,
        fee_bps=FEE_BPS,
    )
    journal = Journal(AT)
    cash, held_on = accounts.open_account(owner, 0), holding_account(owner, instrument_id, side)
    journal.lock({cash, held_on})
    journal.hold(held_on, order.hold)
    number = journal.next_order_sequence(owner)
    journal.write()
    log.append([Event("order.accepted", f"order:{order_id}", Origin(owner), {}, owner, number)])
    row: Order = Order.create(
        force_insert=True, id=order_id, player_id=owner, instrument_id=instrument_id, side=side, type=2,
        time_in_force=1, quantity=quantity, price_cents=price, stop_price_cents=0, post_only=False,
        self_trade=1, fee_bps=FEE_BPS, priority=order_id, held=order.hold, status=1,
        request_id=f"o{order_id}",
        request_hash=b"", accepted_at=AT, updated_at=AT,
    )  # fmt: skip
    return row


def holding_account(owner: int, instrument_id: int, side: Side) -> int:
    return accounts.open_account(owner, 0 if side is Side.BUY else instrument_id)


def release(order: Order) -> None:
    """End an order."""
    journal = Journal(AT)
    cash = accounts.open_account(order.player_id, 0)
    journal.lock([cash])
    journal.hold(cash, -order.held)
    number = journal.next_order_sequence(order.player_id)
    journal.write()
    log.append([Event("order.ended", f"order:{order.id}", HOUSE_ORIGIN, {}, order.player_id, number)])
    order.status, order.held = 5, 0
    order.save()


def trade(trade_id: int, buy: Order, sell: Order, price: int, quantity: int, at: datetime) -> None:
    """A trade, as the settlement writes one."""
    asset = buy.instrument_id
    cash = {owner: accounts.open_account(owner, 0) for owner in (ADA, BOB)}
    shares = {owner: accounts.open_account(owner, asset) for owner in (ADA, BOB)}
    fees = accounts.open_account(0, 0, "fees")
    journal = Journal(at)
    journal.lock({*cash.values(), *shares.values(), fees})
    charged = {order.id: advance(journal, order, price, quantity) for order in (buy, sell)}
    reference = f"trade:{trade_id}"
    journal.post(cash[ADA], cash[BOB], price * quantity, "trade", reference, HOUSE_ORIGIN)
    journal.post(shares[BOB], shares[ADA], quantity, "trade", reference, HOUSE_ORIGIN)
    for order, owner in ((buy, ADA), (sell, BOB)):
        if charged[order.id]:
            journal.post(cash[owner], fees, charged[order.id], "fee", reference, HOUSE_ORIGIN)
        number = journal.next_order_sequence(owner)
        told = {"trade_id": trade_id, "price_cents": order.price_cents}
        log.append([Event(FILLED, f"order:{order.id}", HOUSE_ORIGIN, told, owner, number)])
    journal.write()
    Trade.create(
        force_insert=True, id=trade_id, instrument_id=asset, price_cents=price, quantity=quantity,
        aggressor=2, buy_order_id=buy.id, sell_order_id=sell.id, buyer_id=ADA, seller_id=BOB,
        buyer_fee_cents=charged[buy.id], seller_fee_cents=charged[sell.id], executed_at=at,
    )  # fmt: skip
    with bulk.written() as writes:
        candles.record(writes, [TradeRecord(trade_id, asset, "ACME", price, quantity, 2, at)])


def advance(journal: Journal, order: Order, price: int, quantity: int) -> int:
    """Count a fill in an order's row, and return its fee."""
    order.filled += quantity
    order.value_cents += price * quantity
    fee: int = fee_on(order.value_cents, order.fee_bps) - order.fee_cents
    order.fee_cents += fee
    held = rule_of(order).hold
    journal.hold(holding_account(order.player_id, order.instrument_id, Side(order.side)), held - order.held)
    order.held = held
    order.save()
    return fee


def rule_of(order: Order) -> RuleOrder:
    return RuleOrder(
        order.id, order.player_id, order.instrument_id, Side(order.side), OrderType.LIMIT, TimeInForce.GTC,
        order.quantity, order.price_cents, fee_bps=order.fee_bps, filled=order.filled,
        value_cents=order.value_cents, fee_cents=order.fee_cents,
    )  # fmt: skip


def prove_all() -> list[Proof]:
    return [doctor.prove(rule) for rule in doctor.RULES]


class Undo(Exception):
    """Ends a transaction that shall leave nothing."""


@contextmanager
def undone(database: Database) -> Iterator[None]:
    """A transaction that is rolled back."""
    with suppress(Undo), database.transaction():
        yield
        raise Undo


def broken() -> set[str]:
    return {proof.rule for proof in prove_all() if not proof.holds}


# --- health ----------------------------------------------------------------------------------------------


def test_every_rule_holds_of_a_healthy_house_and_has_looked_at_something(traded: Database) -> None:
    with traded.transaction():
        proofs = doctor.check()
    assert {proof.rule for proof in proofs if not proof.holds} == set()
    assert all(proof.checked for proof in proofs if proof.rule not in CAMP)


def test_every_rule_holds_of_an_empty_house(postgres: Postgres) -> None:
    with postgres.database() as database, database.transaction():
        assert all(proof.holds for proof in doctor.check())


def test_the_doctor_sees_one_moment_and_writes_nothing(traded: Database) -> None:
    with traded.transaction():
        doctor.check()
        level = traded.execute("SHOW transaction_isolation").fetchone()[0]
        read_only = traded.execute("SHOW transaction_read_only").fetchone()[0]
    assert (level, read_only) == ("repeatable read", "on")


def test_the_doctor_looks_at_one_moment_without_being_told(
    traded: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = []
    prove = doctor.prove

    def watched(rule: doctor.Rule) -> Proof:
        levels.append(traded.execute("SHOW transaction_isolation").fetchone()[0])
        return prove(rule)

    monkeypatch.setattr(doctor, "prove", watched)
    doctor.check()
    assert levels == ["repeatable read"] * len(doctor.RULES)
    assert not traded.peewee.in_transaction()


def test_the_doctor_refuses_a_moment_that_has_passed(traded: Database) -> None:
    with undone(traded):
        traded.execute("SELECT 1")
        with pytest.raises(InternalError, match="before any query"):
            doctor.check()


def test_every_rule_of_what_is_new_holds_of_a_healthy_house_and_has_looked_at_something(
    traded: Database,
) -> None:
    with doctor.snapshot():
        proofs = doctor_recent.check(BEGINNING)
    assert [proof for proof in proofs if not proof.holds] == []
    assert all(proof.checked for proof in proofs if proof.rule not in CAMP)


# --- sickness --------------------------------------------------------------------------------------------

SUM = "of each asset, all balances sum to zero"
BOUNDS = "only issuers, dealers and debts are below zero, and what is held is between nothing and the balance"
HELD = "what is held on each account is what its open orders and rollbacks under way hold"
RULE = "each open order holds what it may still cost"
ENDED = "ended orders hold nothing"
REPLAY = "replaying the postings gives every balance"
LATEST = "each balance is what the account's latest posting told"
CHAIN = "the balances told by each account's postings follow from each other"
ASSET = "each posting is of one asset"
POSTINGS = "each trade has its postings: cash one way, shares the other, the fees"
ORDERS = "each trade has its two orders, or one where the house deals"
REVERSED = "each reversed trade has its reversal: cash back, shares back, the fees back; and no other has one"
WINDOWS = "trades of instruments that trade by windows, and no others, belong to a window that covers them"
LIMIT = "no trade is outside the limit of its orders"
TOTALS = "each order's totals are those of its trades"
CANDLES = "the candles are those of the trades"
SEQUENCES = "each player's order updates are numbered without gaps"
TRANSFERS = "each transfer has its postings"

BODY = (
    "debit, credit, amount, debit_balance, credit_balance, reason, reference, actor_id, request_id,created_at"
)
CASH_OF = "asset = 0 AND kind = 'player' AND owner_id = {}"
CENT = f"UPDATE accounts SET balance = balance + 1 WHERE {CASH_OF.format(ADA)}"

SICKNESSES: list[tuple[str, str, set[str]]] = [
    ("a cent from nowhere", CENT, {SUM, REPLAY}),
    (
        "a cent that changed hands without a posting",
        f"{CENT}; UPDATE accounts SET balance = balance - 1 WHERE {CASH_OF.format(BOB)}",
        {REPLAY},
    ),
    (
        "a hold that nothing explains",
        f"UPDATE accounts SET held = held + 1 WHERE {CASH_OF.format(ADA)}",
        {HELD},
    ),
    (
        "a hold of the treasury's",
        "UPDATE accounts SET held = held - 1 WHERE kind = 'treasury' AND held > 0",
        {HELD},
    ),
    ("a hold that was forgotten", f"UPDATE accounts SET held = 0 WHERE {CASH_OF.format(ADA)}", {HELD}),
    (
        "a hold beyond the balance",
        "ALTER TABLE accounts DROP CONSTRAINT nothing_is_held_twice; "
        f"UPDATE accounts SET held = balance + 1 WHERE {CASH_OF.format(BOB)}",
        {BOUNDS, HELD},
    ),
    (
        "a player in debt",
        "ALTER TABLE accounts DROP CONSTRAINT only_issuer_dealer_and_debt_are_negative; "
        f"UPDATE accounts SET balance = -1 WHERE {CASH_OF.format(BOB)}",
        {BOUNDS, SUM, REPLAY},
    ),
    (
        "a trade called reversed that is not",
        "INSERT INTO reversals SELECT 2, id, now() FROM rollbacks",
        {REVERSED},
    ),
    ("a reversal of nothing", "DELETE FROM reversals", {REVERSED}),
    (
        "what a rollback that is over still holds",
        "INSERT INTO earmarks SELECT r.id, a.id, 1 FROM rollbacks r, accounts a WHERE asset = 1 LIMIT 1",
        {HELD},
    ),
    ("an order that holds too much", "UPDATE orders SET held = held + 1 WHERE id = 1", {RULE, HELD}),
    ("a sale that holds too little", "UPDATE orders SET held = held - 1 WHERE id = 2", {RULE, HELD}),
    (
        "an ended order that holds",
        "ALTER TABLE orders DROP CONSTRAINT an_ended_order_holds_nothing; "
        "UPDATE orders SET held = 1 WHERE id = 4",
        {ENDED},
    ),
    ("an order called filled that is not", "UPDATE orders SET status = 4 WHERE id = 4", {ENDED}),
    ("an open order with nothing to go", "UPDATE orders SET quantity = filled WHERE id = 2", {RULE}),
    ("a posting that is gone", "DELETE FROM postings WHERE reason = 'adjustment'", {REPLAY, CHAIN}),
    (
        "a posting that was changed",
        "UPDATE postings SET amount = amount + 1 WHERE reason = 'grant' AND credit_balance = 1000000",
        {REPLAY, CHAIN},
    ),
    ("a balance told wrongly", "UPDATE postings SET credit_balance = 7 WHERE reason = 'issue'", {CHAIN}),
    (
        "a posting of two assets",
        "UPDATE postings SET credit = (SELECT id FROM accounts WHERE asset = 1 AND kind = 'issuer') "
        "WHERE reason = 'transfer_fee'",
        {ASSET, REPLAY, CHAIN, TRANSFERS},
    ),
    (
        "a trade without its fee",
        "DELETE FROM postings WHERE id = (SELECT max(id) FROM postings WHERE reason = 'fee')",
        {POSTINGS, REPLAY, CHAIN},
    ),
    ("a fee that was told wrongly", "UPDATE trades SET buyer_fee_cents = 0 WHERE id = 1", {POSTINGS, TOTALS}),
    (
        "postings of no trade",
        "UPDATE postings SET reference = 'trade:99' WHERE reference = 'trade:1'",
        {POSTINGS},
    ),
    (
        "a posting twice",
        f"INSERT INTO postings ({BODY}) SELECT {BODY} FROM postings WHERE reference = 'trade:2'",
        {POSTINGS, REPLAY, CHAIN},
    ),
    ("a trade of nobody's order", "UPDATE trades SET buy_order_id = 77 WHERE id = 3", {ORDERS, TOTALS}),
    (
        "a trade of the wrong side",
        "UPDATE trades SET buy_order_id = 2, sell_order_id = 1 WHERE id = 3",
        {ORDERS},
    ),
    (
        "a trade in somebody else's name",
        "UPDATE trades SET buyer_id = 0 WHERE id = 3",
        {ORDERS, POSTINGS},
    ),
    ("a trade of a window that was never", "UPDATE trades SET window_id = 7 WHERE id = 3", {WINDOWS}),
    (
        "a trade by windows outside of any",
        "UPDATE instruments SET mechanism = 'window' WHERE id IN (SELECT instrument_id FROM trades)",
        {WINDOWS},
    ),
    (
        "a trade above the buyer's limit",
        "UPDATE trades SET price_cents = 1251 WHERE id = 3",
        {LIMIT, POSTINGS, TOTALS, CANDLES},
    ),
    (
        "a trade below the seller's limit",
        "UPDATE trades SET price_cents = 1199 WHERE id = 2",
        {LIMIT, POSTINGS, TOTALS, CANDLES},
    ),
    ("a fill that was lost", "UPDATE orders SET filled = filled - 1 WHERE id = 2", {TOTALS, RULE}),
    (
        "an order charged a cent too much",
        "UPDATE orders SET fee_cents = fee_cents + 1 WHERE id = 2",
        {TOTALS},
    ),
    (
        "a trade that is gone",
        "DELETE FROM trades WHERE id = 2",
        {POSTINGS, TOTALS, CANDLES},
    ),
    ("a candle that is gone", "DELETE FROM candles WHERE seconds = 60 AND open_cents = 1240", {CANDLES}),
    ("a candle of nothing", "UPDATE candles SET start = start + 86400 WHERE seconds = 900", {CANDLES}),
    ("a candle's volume", "UPDATE candles SET volume = volume + 1 WHERE seconds = 900", {CANDLES}),
    (
        "an update that is gone",
        "DELETE FROM events WHERE owner_id = 1 AND owner_sequence = 2",
        {SEQUENCES},
    ),
    (
        "an update too few",
        f"UPDATE accounts SET order_sequence = 99 WHERE {CASH_OF.format(ADA)}",
        {SEQUENCES},
    ),
    ("the first update is gone", "DELETE FROM events WHERE owner_id = 2 AND owner_sequence = 1", {SEQUENCES}),
    ("a transfer told wrongly", "UPDATE transfers SET amount_cents = amount_cents - 1", {TRANSFERS}),
    ("a transfer that is gone", "DELETE FROM transfers", {TRANSFERS}),
]


def test_every_rule_has_a_sickness_that_it_finds() -> None:
    rules = {rule.sentence for rule in doctor.RULES} - CAMP
    assert set().union(*(found for _, _, found in SICKNESSES)) == rules


@pytest.mark.parametrize(("name", "sql", "expected"), SICKNESSES, ids=[name for name, _, _ in SICKNESSES])
def test_each_sickness_is_found_by_its_rules_and_no_others(
    name: str, sql: str, expected: set[str], traded: Database
) -> None:
    with undone(traded):
        for statement in sql.split("; "):
            assert traded.execute(statement).rowcount != 0, "the sickness changed something"
        found = broken()
    assert found == expected


@pytest.mark.parametrize(("name", "sql", "expected"), SICKNESSES, ids=[name for name, _, _ in SICKNESSES])
def test_each_sickness_is_found_among_what_is_new(
    name: str, sql: str, expected: set[str], traded: Database
) -> None:
    with undone(traded):
        for statement in sql.split("; "):
            traded.execute(statement)
        found = {proof.rule for proof in doctor_recent.check(BEGINNING) if not proof.holds}
    # Where a replay would differ, a link of the chain is broken, or its end.
    assert found - {LATEST} == expected - {REPLAY}
    assert REPLAY not in expected or found & {LATEST, CHAIN}


def test_a_violation_says_what_and_where(traded: Database) -> None:
    with undone(traded):
        traded.execute("UPDATE orders SET held = held + 5 WHERE id = 2")
        [proof] = [proof for proof in prove_all() if proof.rule == RULE]
    assert proof.violations == ["order 2 holds 43 with 38 of 60 to go"]


def test_of_many_violations_a_few_are_shown_and_the_rest_are_counted(traded: Database) -> None:
    with undone(traded):
        traded.execute("UPDATE postings SET debit_balance = debit_balance - 1")
        [proof] = [proof for proof in prove_all() if proof.rule == CHAIN]
        postings = Posting.select().count()
    assert len(proof.violations) == doctor.SHOWN + 1
    assert proof.violations[-1].startswith("and ")
    assert proof.checked == 2 * postings


def test_a_limit_that_was_lowered_after_a_trade_is_no_sickness(traded: Database) -> None:
    with undone(traded):
        # When it traded, the purchase could still pay 1,250.
        traded.execute("UPDATE orders SET price_cents = 1210 WHERE id = 1")
        log.append([Event(AMENDED, "order:1", Origin(ADA), {"price_cents": 1_210})])
        found = broken()
    assert LIMIT not in found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    side=st.sampled_from(Side),
    quantity=st.integers(1, 10**9),
    price=st.integers(1, 10**9),
    fee_bps=st.integers(0, 1_000),
    data=st.data(),
)
def test_the_doctors_hold_is_the_rules_hold(
    traded: Database, side: Side, quantity: int, price: int, fee_bps: int, data: st.DataObject
) -> None:
    filled = data.draw(st.integers(0, quantity - 1))
    value = data.draw(st.integers(0, filled * price))
    order = RuleOrder(
        9, ADA, 1, side, OrderType.LIMIT, TimeInForce.GTC, quantity, price, fee_bps=fee_bps, filled=filled,
        value_cents=value, fee_cents=fee_on(value, fee_bps),
    )  # fmt: skip
    [rule] = [rule for rule in doctor.RULES if rule.sentence == RULE]
    with undone(traded):
        traded.execute(
            "UPDATE orders SET side = %s, quantity = %s, price_cents = %s, fee_bps = %s, filled = %s, "
            "value_cents = %s, fee_cents = %s, held = %s WHERE id = 1",
            int(side), quantity, price, fee_bps, filled, value, order.fee_cents, order.hold,
        )  # fmt: skip
        assert doctor.prove(rule).holds
        traded.execute("UPDATE orders SET held = held + 1 WHERE id = 1")
        assert not doctor.prove(rule).holds


async def test_a_broken_rule_is_told_over_the_wire(venue: Venue, operator: Client) -> None:
    await venue.player("ada")

    def give(cents: int) -> None:
        venue.database.execute(f"UPDATE accounts SET balance = balance + {cents} WHERE kind = 'fees'")

    await venue.database.run(give, 7)
    proofs = (await operator.admin.CheckLedger(pb.CheckLedgerRequest())).proofs
    await venue.database.run(give, -7)
    assert {proof.rule for proof in proofs if not proof.holds} == {SUM, REPLAY}
    assert ["asset 0 is off by 7"] in [list(proof.violations) for proof in proofs]
