"""The statements of a rollback that take or touch many rows at once, written by hand as those of `bulk`."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from bearpit_server.storage import bulk

Key = tuple[int, int]
"""An owner and an asset."""

_KEYS = "unnest(%s::int8[], %s::int8[]) AS k(owner_id, asset)"


def _columns(keys: Sequence[Key]) -> tuple[str, str]:
    return bulk.ints(owner for owner, _ in keys), bulk.ints(asset for _, asset in keys)


def players_accounts(keys: Sequence[Key]) -> list[tuple[Any, ...]]:
    """Id, owner, asset, balance and held of players' accounts, where there are any."""
    rows: list[tuple[Any, ...]] = bulk.execute(
        f"SELECT a.id, a.owner_id, a.asset, a.balance, a.held FROM {_KEYS} "
        "JOIN accounts a USING (owner_id, asset) WHERE a.kind = 'player'",
        *_columns(keys),
    ).fetchall()
    return rows


def debts(owners: Iterable[int]) -> list[tuple[int, int]]:
    """Owner and id of the accounts of what players owe."""
    return list(
        bulk.execute(
            "SELECT owner_id, id FROM accounts WHERE kind = 'debt' AND owner_id = ANY(%s::int8[])",
            bulk.ints(owners),
        ).fetchall()
    )


def open_orders(keys: Sequence[Key]) -> list[tuple[int, int, int, int]]:
    """The players' open orders: id, owner, the asset that it holds, and how much.

    Those of an instrument, or with cash as the asset all of the player's.
    """
    return list(
        bulk.execute(
            "SELECT DISTINCT o.id, owner_id, CASE o.side WHEN 1 THEN 0 ELSE o.instrument_id END, o.held "
            f"FROM {_KEYS} JOIN orders o ON o.player_id = owner_id "
            "AND o.status <= 3 AND (k.asset = 0 OR o.instrument_id = k.asset)",
            *_columns(keys),
        ).fetchall()
    )


def earmark(rollback_id: int, amounts: Sequence[tuple[int, int]]) -> None:
    """Set what a rollback holds, by account."""
    if amounts:
        bulk.execute(
            "INSERT INTO earmarks (rollback_id, account_id, amount) "
            "SELECT %s, a, n FROM unnest(%s::int8[], %s::int8[]) AS u(a, n) "
            "ON CONFLICT (rollback_id, account_id) DO UPDATE SET amount = excluded.amount",
            rollback_id,
            bulk.ints(account for account, _ in amounts),
            bulk.ints(amount for _, amount in amounts),
        )


def earmarks(rollback_id: int, accounts: Iterable[int]) -> dict[int, int]:
    """What a rollback holds of these accounts."""
    return dict(
        bulk.execute(
            "SELECT account_id, amount FROM earmarks WHERE rollback_id = %s AND account_id = ANY(%s::int8[])",
            rollback_id,
            bulk.ints(accounts),
        ).fetchall()
    )


def reversed_now(trades: Iterable[int], at: datetime) -> None:
    """Mark claimed trades as reversed."""
    bulk.execute(
        "UPDATE reversals SET reversed_at = %s WHERE trade_id = ANY(%s::int8[])", at, bulk.ints(trades)
    )


def patient() -> None:
    """Let this transaction think for longer than those on the way of an order may."""
    bulk.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    bulk.execute("SET LOCAL statement_timeout = 0")


# What a window's accounts have gone through since its snapshot. Its own postings are those of its trades
# and of their reversals, whoever reversed them; those of the rollback are told apart.
_SINCE_SNAPSHOT = """
WITH asked AS (SELECT %s::bigint AS window_id, %s::text AS reference),
snapshot AS (SELECT s.* FROM snapshots s JOIN asked USING (window_id)),
mine AS (SELECT 'trade:' || t.id AS reference FROM trades t JOIN asked USING (window_id)),
sides AS (
    SELECT id, credit AS account, amount, reason, reference FROM postings
    UNION ALL SELECT id, debit, -amount, reason, reference FROM postings
),
concerned AS (
    SELECT account_id AS account FROM snapshot UNION SELECT account FROM sides JOIN mine USING (reference)
    UNION SELECT account FROM sides JOIN asked USING (reference)
),
moved AS (
    SELECT p.account, sum(p.amount) FILTER (WHERE a.reference IS NOT NULL) AS granted,
        sum(p.amount) FILTER (WHERE a.reference IS NULL) AS others
    FROM sides p JOIN concerned USING (account) LEFT JOIN snapshot s ON s.account_id = p.account
        LEFT JOIN mine m ON m.reference = p.reference LEFT JOIN asked a ON a.reference = p.reference
    WHERE p.id > coalesce(s.posting_id, 0) AND NOT (
        m.reference IS NOT NULL AND p.reason IN ('trade', 'fee', 'rollback', 'rollback_fee'))
    GROUP BY p.account
)
SELECT c.account, coalesce(s.balance, 0), a.balance, coalesce(m.others, 0)::bigint,
    coalesce(m.granted, 0)::bigint
FROM concerned c JOIN accounts a ON a.id = c.account LEFT JOIN snapshot s ON s.account_id = c.account
    LEFT JOIN moved m ON m.account = c.account
"""


def since_snapshot(window_id: int, rollback_id: int) -> list[tuple[int, int, int, int, int]]:
    """By account: balance in the snapshot, balance now, what others moved since, what the rollback granted.

    Of all accounts that are in the window's snapshot, or that its trades or the rollback moved.
    """
    return list(bulk.execute(_SINCE_SNAPSHOT, window_id, f"rollback:{rollback_id}").fetchall())


_UNMOVED = """
SELECT a.id, coalesce(s.cost_cents, 0), coalesce(s.realised_cents, 0)
FROM accounts a LEFT JOIN snapshots s ON s.window_id = %s AND s.account_id = a.id
WHERE a.id = ANY(%s::int8[]) AND a.balance = coalesce(s.balance, 0) AND NOT EXISTS (
    SELECT FROM (
        SELECT reason, reference FROM postings WHERE debit = a.id AND id > coalesce(s.posting_id, 0)
        UNION ALL
        SELECT reason, reference FROM postings WHERE credit = a.id AND id > coalesce(s.posting_id, 0)
    ) p LEFT JOIN trades t ON t.window_id = %s
        AND t.id = CASE WHEN p.reference LIKE 'trade:%%' THEN substr(p.reference, 7)::bigint END
    WHERE t.id IS NULL AND p.reason <> 'rollback_bridge'
)
"""


def unmoved(window_id: int, accounts: Iterable[int]) -> list[tuple[int, int, int]]:
    """Those of these accounts that nothing but the window has moved, with their cost and gain before it."""
    return list(bulk.execute(_UNMOVED, window_id, bulk.ints(accounts), window_id).fetchall())
