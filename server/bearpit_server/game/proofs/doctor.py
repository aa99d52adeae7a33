"""The ledger's proofs: rules that must hold of everything there is, each checked by one query.

All are checked in one snapshot, while trading goes on. The queries read whole tables and join them by
hashes, so that millions of rows take seconds, and say of each rule how many rows were looked at.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from bearpit_server.game.proofs import doctor_camp
from bearpit_server.game.proofs.doctor_rule import Rule as Rule
from bearpit_server.storage import bulk
from bearpit_server.storage.models import database

SHOWN = 5
"""Violations that are listed; of the others, how many."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of checking a rule."""

    rule: str
    checked: int
    violations: list[str]

    @property
    def holds(self) -> bool:
        return not self.violations


# Numbers of the enums: sides 1 buy, 2 sell; statuses up to 3 are open, 4 is filled (rules.orders).

SUM_TO_ZERO = Rule(
    "of each asset, all balances sum to zero",
    """
SELECT sum(balance) <> 0, format('asset %s is off by %s', asset, sum(balance)) FROM accounts GROUP BY asset
""",
)

IN_BOUNDS = Rule(
    "only issuers, dealers and debts are below zero, and what is held is between nothing and the balance",
    """
SELECT CASE WHEN kind IN ('issuer', 'dealer') THEN held <> 0
        WHEN kind = 'debt' THEN balance > 0 OR held <> 0
        ELSE balance < 0 OR held < 0 OR held > balance END,
    format('account %s of player %s has %s and holds %s', id, owner_id, balance, held)
FROM accounts
""",
)

HELD_BY_ORDERS = Rule(
    "what is held on each account is what its open orders and rollbacks under way hold",
    """
SELECT a.id IS NULL OR a.held <> coalesce(o.held, 0) + coalesce(e.amount, 0),
    format('player %s, asset %s: the account holds %s, the open orders %s, rollbacks %s',
        coalesce(a.owner_id, o.player_id), coalesce(a.asset, o.asset), a.held, coalesce(o.held, 0),
        coalesce(e.amount, 0))
FROM accounts a FULL JOIN (
    SELECT player_id, CASE side WHEN 1 THEN 0 ELSE instrument_id END AS asset,
        CASE player_id WHEN 0 THEN 'treasury' ELSE 'player' END AS kind, sum(held) AS held
    FROM orders WHERE status <= 3 GROUP BY 1, 2, 3
) o ON o.player_id = a.owner_id AND o.asset = a.asset AND o.kind = a.kind
LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM earmarks GROUP BY 1) e ON e.account_id = a.id
""",
)

# rules.orders.Order.hold, in SQL: the worst price of what remains, and the fee the total would come to.
HOLDS = Rule(
    "each open order holds what it may still cost",
    """
SELECT quantity <= filled OR held <> CASE side WHEN 2 THEN quantity - filled
        ELSE worst + div((value_cents + worst) * fee_bps + 9999, 10000) - fee_cents END,
    format('order %s holds %s with %s of %s to go', id, held, quantity - filled, quantity)
FROM orders, LATERAL (SELECT (quantity - filled)::numeric * price_cents AS worst) w WHERE status <= 3
""",
)

ENDED = Rule(
    "ended orders hold nothing",
    """
SELECT held <> 0 OR (status = 4 AND filled <> quantity),
    format('order %s has ended with %s of %s filled and holds %s', id, filled, quantity, held)
FROM orders WHERE status > 3
""",
)

_SIDES = """
SELECT credit AS account, id, amount, credit_balance AS after FROM postings
UNION ALL SELECT debit, id, -amount, debit_balance FROM postings
"""

REPLAY = Rule(
    "replaying the postings gives every balance",
    f"""
SELECT a.id IS NULL OR a.balance <> coalesce(p.total, 0),
    format('account %s has %s, its postings come to %s', coalesce(a.id, p.account), a.balance, p.total)
FROM accounts a FULL JOIN (SELECT account, sum(amount) AS total FROM ({_SIDES}) s GROUP BY account) p
    ON p.account = a.id
""",
)

CHAIN = Rule(
    "the balances told by each account's postings follow from each other",
    f"""
SELECT after <> before + amount,
    format('posting %s: account %s had %s, moved %s, was said to have %s', id, account, before, amount, after)
FROM (
    SELECT account, id, amount, after,
        coalesce(lag(after) OVER (PARTITION BY account ORDER BY id), 0) AS before
    FROM ({_SIDES}) s
) c
""",
)

ONE_ASSET = Rule(
    "each posting is of one asset",
    """
SELECT d.asset IS DISTINCT FROM c.asset OR d.asset IS NULL,
    format('posting %s goes from account %s to %s', p.id, p.debit, p.credit)
FROM postings p LEFT JOIN accounts d ON d.id = p.debit LEFT JOIN accounts c ON c.id = p.credit
""",
)

TRADE_POSTINGS = Rule(
    "each trade has its postings: cash one way, shares the other, the fees",
    """
WITH moved AS (
    SELECT p.reference, p.reason, p.amount, d.asset, d.owner_id AS giver, c.owner_id AS taker, c.kind
    FROM postings p JOIN accounts d ON d.id = p.debit JOIN accounts c ON c.id = p.credit
    WHERE p.reason IN ('trade', 'fee')
)
SELECT t.id IS NULL OR count(m.reference) <> 2 + (t.buyer_fee_cents > 0)::int + (t.seller_fee_cents > 0)::int
    OR t.price_cents * t.quantity <> coalesce(sum(m.amount) FILTER (
        WHERE m.reason = 'trade' AND m.asset = 0 AND m.giver = t.buyer_id AND m.taker = t.seller_id), 0)
    OR t.quantity <> coalesce(sum(m.amount) FILTER (
        WHERE m.reason = 'trade' AND m.asset = t.instrument_id
            AND m.giver = t.seller_id AND m.taker = t.buyer_id), 0)
    OR t.buyer_fee_cents <> coalesce(sum(m.amount) FILTER (
        WHERE m.reason = 'fee' AND m.asset = 0 AND m.kind = 'fees' AND m.giver = t.buyer_id), 0)
    OR t.seller_fee_cents <> coalesce(sum(m.amount) FILTER (
        WHERE m.reason = 'fee' AND m.asset = 0 AND m.kind = 'fees' AND m.giver = t.seller_id), 0),
    format('%s has %s postings that do not come to it',
        coalesce('trade:' || t.id, m.reference), count(m.reference))
FROM trades t FULL JOIN moved m ON m.reference = 'trade:' || t.id
GROUP BY m.reference, t.id, t.instrument_id, t.price_cents, t.quantity, t.buyer_id, t.seller_id,
    t.buyer_fee_cents, t.seller_fee_cents
""",
)

REVERSALS = Rule(
    "each reversed trade has its reversal: cash back, shares back, the fees back; and no other has one",
    """
WITH moved AS (
    SELECT p.reference, p.reason, p.amount, d.asset, d.owner_id AS giver, c.owner_id AS taker, d.kind
    FROM postings p JOIN accounts d ON d.id = p.debit JOIN accounts c ON c.id = p.credit
    WHERE p.reason IN ('rollback', 'rollback_fee')
), reversed AS (
    SELECT t.* FROM trades t JOIN reversals r ON r.trade_id = t.id WHERE r.reversed_at IS NOT NULL
)
SELECT t.id IS NULL OR count(m.reference) <> 2 + (t.buyer_fee_cents > 0)::int + (t.seller_fee_cents > 0)::int
    OR t.price_cents * t.quantity <> coalesce(sum(m.amount) FILTER (
        WHERE m.reason = 'rollback' AND m.asset = 0 AND m.giver = t.seller_id AND m.taker = t.buyer_id), 0)
    OR t.quantity <> coalesce(sum(m.amount) FILTER (
        WHERE m.reason = 'rollback' AND m.asset = t.instrument_id
            AND m.giver = t.buyer_id AND m.taker = t.seller_id), 0)
    OR t.buyer_fee_cents <> coalesce(sum(m.amount) FILTER (
        WHERE m.reason = 'rollback_fee' AND m.asset = 0 AND m.kind = 'fees' AND m.taker = t.buyer_id), 0)
    OR t.seller_fee_cents <> coalesce(sum(m.amount) FILTER (
        WHERE m.reason = 'rollback_fee' AND m.asset = 0 AND m.kind = 'fees' AND m.taker = t.seller_id), 0),
    format('%s has %s reversal postings that do not come to it',
        coalesce('trade:' || t.id, m.reference), count(m.reference))
FROM reversed t FULL JOIN moved m ON m.reference = 'trade:' || t.id
GROUP BY m.reference, t.id, t.instrument_id, t.price_cents, t.quantity, t.buyer_id, t.seller_id,
    t.buyer_fee_cents, t.seller_fee_cents
""",
)

# Who deals with everybody, the house or a pool, has no orders.
TRADE_ORDERS = Rule(
    "each trade has its two orders, or one where the house deals",
    """
SELECT (b.player_id, b.instrument_id, b.side) IS DISTINCT FROM (t.buyer_id, t.instrument_id, 1::smallint)
        AND NOT (t.buyer_id = 0 AND t.buy_order_id = 0 AND i.mechanism <> 'order_book')
    OR (s.player_id, s.instrument_id, s.side) IS DISTINCT FROM (t.seller_id, t.instrument_id, 2::smallint)
        AND NOT (t.seller_id = 0 AND t.sell_order_id = 0 AND i.mechanism <> 'order_book'),
    format('trade %s of orders %s and %s', t.id, t.buy_order_id, t.sell_order_id)
FROM trades t LEFT JOIN instruments i ON i.id = t.instrument_id
LEFT JOIN orders b ON b.id = t.buy_order_id LEFT JOIN orders s ON s.id = t.sell_order_id
""",
)

WINDOW_TRADES = Rule(
    "trades of instruments that trade by windows, and no others, belong to a window that covers them",
    """
SELECT (i.mechanism = 'window') <> (t.window_id <> 0) OR (t.window_id <> 0 AND w.window_id IS NULL),
    format('trade %s of %s belongs to window %s', t.id, i.symbol, t.window_id)
FROM trades t JOIN instruments i ON i.id = t.instrument_id
LEFT JOIN window_instruments w ON w.window_id = t.window_id AND w.instrument_id = t.instrument_id
""",
)

# An order may have been amended since it traded: then the event of the fill tells the limit it had.
WITHIN_LIMIT = Rule(
    "no trade is outside the limit of its orders",
    """
SELECT (f.price_cents - o.price_cents) * (3 - 2 * o.side) > 0 AND NOT EXISTS (
        SELECT FROM events e WHERE e.owner_id = o.player_id AND e.subject = 'order:' || o.id
            AND (e.payload ->> 'trade_id')::bigint = f.id
            AND (f.price_cents - (e.payload ->> 'price_cents')::bigint) * (3 - 2 * o.side) <= 0),
    format('trade %s at %s is outside the limit %s of order %s', f.id, f.price_cents, o.price_cents, o.id)
FROM (
    SELECT id, price_cents, buy_order_id AS order_id FROM trades
    UNION ALL SELECT id, price_cents, sell_order_id FROM trades
) f JOIN orders o ON o.id = f.order_id
""",
)

ORDER_TOTALS = Rule(
    "each order's totals are those of its trades",
    """
SELECT o.id IS NULL
    OR (o.filled, o.value_cents, o.fee_cents) IS DISTINCT FROM
        (coalesce(f.quantity, 0), coalesce(f.value, 0), coalesce(f.fee, 0))
    OR o.fee_cents <> div(o.value_cents::numeric * o.fee_bps + 9999, 10000),
    format('order %s says %s shares for %s and fees of %s; its trades say %s, %s and %s',
        coalesce(o.id, f.order_id), o.filled, o.value_cents, o.fee_cents, f.quantity, f.value, f.fee)
FROM orders o FULL JOIN (
    SELECT order_id, sum(quantity) AS quantity, sum(price_cents * quantity) AS value, sum(fee) AS fee FROM (
        SELECT buy_order_id AS order_id, quantity, price_cents, buyer_fee_cents AS fee FROM trades
        UNION ALL SELECT sell_order_id, quantity, price_cents, seller_fee_cents FROM trades
    ) s WHERE order_id <> 0 GROUP BY order_id
) f ON f.order_id = o.id
""",
)

# Where prices form without trades, these are in the candles as well: what is counted still is the trades'.
CANDLES = Rule(
    "the candles are those of the trades",
    """
WITH traded AS (
    SELECT t.instrument_id, p.seconds,
        floor(extract(epoch FROM executed_at) / p.seconds)::bigint * p.seconds AS start,
        min(t.id) AS first, max(t.id) AS last, max(price_cents) AS high, min(price_cents) AS low,
        sum(quantity) AS volume, least(sum(price_cents * quantity), 9223372036854775807) AS value,
        count(*) AS trades
    FROM trades t, (VALUES (60), (900)) p(seconds) GROUP BY 1, 2, 3
)
SELECT CASE WHEN i.mechanism = 'order_book'
    THEN (c.open_cents, c.high_cents, c.low_cents, c.close_cents, c.volume, c.value_cents, c.trades)
        IS DISTINCT FROM (o.price_cents, x.high, x.low, l.price_cents, x.volume, x.value, x.trades)
    ELSE (coalesce(c.volume, 0), coalesce(c.value_cents, 0), coalesce(c.trades, 0))
            <> (coalesce(x.volume, 0), coalesce(x.value, 0), coalesce(x.trades, 0))
        OR c.high_cents < x.high OR c.low_cents > x.low
        OR c.low_cents > least(c.open_cents, c.close_cents)
        OR c.high_cents < greatest(c.open_cents, c.close_cents)
    END,
    format('instrument %s, %s seconds from %s', coalesce(c.instrument_id, x.instrument_id),
        coalesce(c.seconds, x.seconds), to_timestamp(coalesce(c.start, x.start)))
FROM candles c
FULL JOIN traded x ON x.instrument_id = c.instrument_id AND x.seconds = c.seconds AND x.start = c.start
LEFT JOIN instruments i ON i.id = coalesce(c.instrument_id, x.instrument_id)
LEFT JOIN trades o ON o.id = x.first LEFT JOIN trades l ON l.id = x.last
""",
)

SEQUENCES = Rule(
    "each player's order updates are numbered without gaps",
    """
SELECT a.id IS NULL OR coalesce(e.lowest, 1) <> 1 OR coalesce(e.highest, 0) <> coalesce(e.number, 0)
        OR a.order_sequence <> coalesce(e.highest, 0),
    format('player %s counts %s order updates and has %s, from %s to %s', coalesce(a.owner_id, e.owner_id),
        a.order_sequence, e.number, e.lowest, e.highest)
FROM (SELECT * FROM accounts WHERE asset = 0 AND kind = 'player') a FULL JOIN (
    SELECT owner_id, count(*) AS number, min(owner_sequence) AS lowest, max(owner_sequence) AS highest
    FROM events WHERE owner_id IS NOT NULL GROUP BY owner_id
) e ON e.owner_id = a.owner_id
""",
)

TRANSFERS = Rule(
    "each transfer has its postings",
    """
WITH moved AS (
    SELECT p.reference, p.reason, p.amount, d.owner_id AS giver, c.owner_id AS taker, c.kind
    FROM postings p JOIN accounts d ON d.id = p.debit JOIN accounts c ON c.id = p.credit
    WHERE p.reason IN ('transfer', 'transfer_fee')
)
SELECT t.id IS NULL OR count(m.reference) <> 1 + (t.fee_cents > 0)::int
    OR t.amount_cents <> coalesce(sum(m.amount) FILTER (
        WHERE m.reason = 'transfer' AND m.giver = t.from_id AND m.taker = t.to_id), 0)
    OR t.fee_cents <> coalesce(sum(m.amount) FILTER (
        WHERE m.reason = 'transfer_fee' AND m.giver = t.from_id AND m.kind = 'fees'), 0),
    format('%s has %s postings that do not come to it',
        coalesce('transfer:' || t.id, m.reference), count(m.reference))
FROM transfers t FULL JOIN moved m ON m.reference = 'transfer:' || t.id
GROUP BY m.reference, t.id, t.from_id, t.to_id, t.amount_cents, t.fee_cents
""",
)

RULES = (
    SUM_TO_ZERO,
    IN_BOUNDS,
    HELD_BY_ORDERS,
    HOLDS,
    ENDED,
    REPLAY,
    CHAIN,
    ONE_ASSET,
    TRADE_POSTINGS,
    REVERSALS,
    TRADE_ORDERS,
    WINDOW_TRADES,
    WITHIN_LIMIT,
    ORDER_TOTALS,
    CANDLES,
    SEQUENCES,
    TRANSFERS,
    *doctor_camp.RULES,
)


@contextmanager
def snapshot() -> Iterator[None]:
    """One moment of the database, read only: a transaction, or the one that the caller has just begun.

    Raises peewee's InternalError in a transaction that has looked at something: it has a moment already.
    """
    with nullcontext() if database.in_transaction() else database.atomic():
        bulk.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # Long queries are meant to be long, and sorts may take some memory.
        bulk.execute("SET LOCAL statement_timeout = 0")
        bulk.execute("SET LOCAL work_mem = '64MB'")
        yield


def check() -> list[Proof]:
    """Check every rule of everything there is, in one snapshot."""
    with snapshot():
        return [prove(rule) for rule in RULES]


def prove(rule: Rule) -> Proof:
    """Check one rule of what the transaction sees."""
    sql = rule.sql.replace("%", "%%")  # those of format(), not of the driver
    checked, broken, shown = bulk.execute(
        "SELECT count(*), count(*) FILTER (WHERE broken), "
        f"(array_agg(what) FILTER (WHERE broken))[1:{SHOWN}] FROM ({sql}) AS rows(broken, what)"
    ).fetchone()
    violations = list(shown or ())
    if broken > len(violations):
        violations.append(f"and {broken - len(violations)} more")
    return Proof(rule.sentence, checked, violations)
