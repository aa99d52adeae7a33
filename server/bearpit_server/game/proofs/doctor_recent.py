"""The ledger's proofs of what is new: cheap enough to be made every few minutes while the game runs.

Accounts and open orders are checked whole each time. Of the history only what has come since a mark is
looked at, which with all that was proved before it proves the same: when every new posting follows from
the one before it and each balance is what the latest one told, replaying all of them gives the balances.
What is tampered with in old history afterwards is found by `doctor.check` alone, and so is what is wrong
with codes, booths and machines, whose postings are few and have other dates than what they belong to.

The cost follows what is new and the number of accounts; the trades alone are scanned whole, for their
dates and for the earlier fills of orders that traded again. Of 15,000 new trades on one core, with 6,000
accounts: 1 s after 300,000 trades and 3 s after 2,000,000, where the full proofs take 9 s and 115 s.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bearpit_server.game.proofs import doctor, doctor_camp, doctor_duels
from bearpit_server.game.proofs.doctor import Proof
from bearpit_server.game.proofs.doctor_rule import Rule, narrowed
from bearpit_server.storage import bulk
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Posting

SLACK = timedelta(seconds=30)
"""How far apart the clocks of server processes may be."""
QUARTER_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment up to which the history was looked at. Ids were taken before `at` was read.

    What is dated after the mark therefore has a higher id, and what was being written when the mark was
    set has long been written when the next but one check begins there.
    """

    at: datetime
    posting_id: int
    xid: int
    """No event of an older transaction came later."""


BEGINNING = Mark(datetime.fromtimestamp(0, UTC), 0, 0)


def mark() -> Mark:
    """The mark of the snapshot that the transaction sees."""
    posting_id = Posting.select(Posting.id).order_by(Posting.id.desc()).limit(1).scalar()
    xid = bulk.oldest_running_transaction()
    return Mark(now(), posting_id or 0, xid)


def check(since: Mark) -> list[Proof]:
    """Check every rule of what is new since a mark, inside `doctor.snapshot`."""
    return [doctor.prove(rule) for rule in rules(since)]


def rules(since: Mark) -> tuple[Rule, ...]:
    """The rules of what is new since a mark.

    A trade and its postings carry the same date, so that cutting by it never parts them; the ids only
    keep the old ones from being read.
    """
    after = since.at + SLACK
    moment = f"'{after.isoformat()}'::timestamptz"
    quarter = int(after.timestamp()) // QUARTER_SECONDS * QUARTER_SECONDS
    postings = f"postings AS (SELECT * FROM postings WHERE id > {since.posting_id})"
    dated = f"postings AS (SELECT * FROM postings WHERE id > {since.posting_id} AND created_at >= {moment})"
    trades = f"trades AS (SELECT * FROM trades WHERE executed_at >= {moment})"
    transfers = f"transfers AS (SELECT * FROM transfers WHERE created_at >= {moment})"
    reversals = f"reversals AS (SELECT * FROM reversals WHERE reversed_at >= {moment})"
    # An array, for the planner would rather scan all orders there ever were.
    orders = f"""orders AS (SELECT * FROM orders WHERE id = ANY(ARRAY(
        SELECT DISTINCT substr(subject, 7)::bigint FROM events
        WHERE xid >= {since.xid} AND subject LIKE 'order:%')))"""
    quarters = f"trades AS (SELECT * FROM trades WHERE executed_at >= to_timestamp({quarter}))"
    candles = f"candles AS (SELECT * FROM candles WHERE start >= {quarter})"
    return (
        doctor.SUM_TO_ZERO,
        doctor.IN_BOUNDS,
        doctor.HELD_BY_ORDERS,
        doctor.HOLDS,
        narrowed(doctor.ENDED, orders),
        _LATEST,
        _chain(since.posting_id),
        narrowed(doctor.ONE_ASSET, postings),
        narrowed(doctor.TRADE_POSTINGS, trades, dated),
        narrowed(doctor.REVERSALS, reversals, dated),
        narrowed(doctor.TRADE_ORDERS, trades),
        narrowed(doctor.WINDOW_TRADES, trades),
        narrowed(doctor.WITHIN_LIMIT, trades),
        _order_totals(moment),
        narrowed(doctor.CANDLES, quarters, candles),
        _sequences(since.xid),
        narrowed(doctor.TRANSFERS, transfers, dated),
        narrowed(doctor_camp.LOANS, postings),
        doctor_camp.DEBTS,
        *doctor_duels.recent(moment),
    )


def _told(account: str, before: str = "") -> str:
    """What the latest posting of an account told of its balance, one index look-up for each side."""
    return f"""
    SELECT after FROM (
        (SELECT id, credit_balance AS after FROM postings
            WHERE credit = {account} {before} ORDER BY id DESC LIMIT 1)
        UNION ALL
        (SELECT id, debit_balance FROM postings WHERE debit = {account} {before} ORDER BY id DESC LIMIT 1)
    ) latest ORDER BY id DESC LIMIT 1
    """


_LATEST = Rule(
    "each balance is what the account's latest posting told",
    f"""
SELECT a.balance <> coalesce(t.after, 0),
    format('account %s has %s, its latest posting told %s', a.id, a.balance, t.after)
FROM accounts a LEFT JOIN LATERAL ({_told("a.id")}) t ON true
""",
)


def _chain(posting_id: int) -> Rule:
    # The look-up is made only where there is no posting before in what is new: once an account.
    sql = f"""
    SELECT after <> before + amount, format('posting %s: account %s had %s, moved %s, was said to have %s',
        id, account, before, amount, after)
    FROM (
        SELECT account, id, amount, after, coalesce(
            lag(after) OVER (PARTITION BY account ORDER BY id),
            ({_told("s.account", "AND id < s.id")}), 0) AS before
        FROM (
            SELECT credit AS account, id, amount, credit_balance AS after
            FROM postings WHERE id > {posting_id}
            UNION ALL SELECT debit, id, -amount, debit_balance FROM postings WHERE id > {posting_id}
        ) s
    ) c
    """
    return Rule(doctor.CHAIN.sentence, sql)


def _order_totals(moment: str) -> Rule:
    # Of orders that have traded since; but with all their trades, for which no index would do.
    sql = f"""
    WITH touched AS MATERIALIZED (
        SELECT buy_order_id AS id FROM trades WHERE executed_at >= {moment}
        UNION SELECT sell_order_id FROM trades WHERE executed_at >= {moment}
    ), fills AS (
        SELECT id, sum(quantity) AS quantity, sum(price_cents * quantity) AS value, sum(fee) AS fee FROM (
            SELECT buy_order_id AS id, quantity, price_cents, buyer_fee_cents AS fee FROM trades
            UNION ALL SELECT sell_order_id, quantity, price_cents, seller_fee_cents FROM trades
        ) s WHERE id <> 0 AND id IN (SELECT id FROM touched) GROUP BY id
    )
    SELECT o.id IS NULL
        OR (o.filled, o.value_cents, o.fee_cents) IS DISTINCT FROM (f.quantity, f.value, f.fee)
        OR o.fee_cents <> div(o.value_cents::numeric * o.fee_bps + 9999, 10000),
        format('order %s says %s shares for %s and fees of %s; its trades say %s, %s and %s',
            f.id, o.filled, o.value_cents, o.fee_cents, f.quantity, f.value, f.fee)
    FROM fills f LEFT JOIN orders o ON o.id = f.id
    """
    return Rule(doctor.ORDER_TOTALS.sentence, sql)


def _sequences(xid: int) -> Rule:
    sql = f"""
    SELECT a.id IS NULL OR a.order_sequence <> coalesce(
            e.highest, (SELECT max(owner_sequence) FROM events WHERE owner_id = a.owner_id), 0)
        OR e.number <> e.highest - e.lowest + 1
        OR e.lowest > 1 AND NOT EXISTS (
            SELECT FROM events WHERE owner_id = e.owner_id AND owner_sequence = e.lowest - 1),
        format('player %s counts %s order updates and has %s new ones, from %s to %s',
            coalesce(a.owner_id, e.owner_id), a.order_sequence, e.number, e.lowest, e.highest)
    FROM (SELECT * FROM accounts WHERE asset = 0 AND kind = 'player') a FULL JOIN (
        SELECT owner_id, count(*) AS number, min(owner_sequence) AS lowest, max(owner_sequence) AS highest
        FROM events WHERE xid >= {xid} AND owner_id IS NOT NULL GROUP BY owner_id
    ) e ON e.owner_id = a.owner_id
    """
    return Rule(doctor.SEQUENCES.sentence, sql)
