"""The statements that sum up what a player has missed, written by hand as those of `bulk`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bearpit_server.storage import bulk

INT64_MAX = 2**63 - 1


def _int64(total: str) -> str:
    """A sum that stays within what the contract can carry."""
    return f"least(greatest(coalesce({total}, 0), {-INT64_MAX}), {INT64_MAX})::bigint"


MOST = 20_000
"""The latest of a player's order events that are looked at; people have fewer, and bots do not read."""

_FILLS = f"""
WITH latest AS MATERIALIZED (
    SELECT e.type, e.payload, e.created_at FROM events e
    WHERE e.owner_id = %s ORDER BY e.owner_sequence DESC LIMIT %s
), mine AS (
    SELECT t.*, o.side, (l.payload ->> 'trade_fee_cents')::bigint AS fee
    FROM latest l
    JOIN trades t ON t.id = (l.payload ->> 'trade_id')::bigint
    JOIN orders o ON o.id = CASE t.buyer_id WHEN %s THEN t.buy_order_id ELSE t.sell_order_id END
    LEFT JOIN reversals r ON r.trade_id = t.id AND r.reversed_at IS NOT NULL
    WHERE l.type = 'order.filled' AND l.created_at > %s AND r.trade_id IS NULL
)
SELECT s.symbol,
    {_int64("sum(m.quantity) FILTER (WHERE m.side = 1)")},
    {_int64("sum(m.quantity * m.price_cents) FILTER (WHERE m.side = 1)")},
    {_int64("sum(m.quantity) FILTER (WHERE m.side = 2)")},
    {_int64("sum(m.quantity * m.price_cents) FILTER (WHERE m.side = 2)")},
    count(*), {_int64("sum(m.fee)")},
    {_int64("sum(m.quantity * m.price_cents - m.fee - m.seller_cost_cents) FILTER (WHERE m.side = 2)")}
FROM mine m JOIN instruments s ON s.id = m.instrument_id
GROUP BY s.symbol ORDER BY sum(m.quantity * m.price_cents) DESC, s.symbol
"""

_OLDEST = """
SELECT min(l.created_at) > %s AND count(*) = %s FROM (
    SELECT created_at FROM events WHERE owner_id = %s ORDER BY owner_sequence DESC LIMIT %s
) l
"""

_SETTLED = f"""
SELECT w.window_id, v.title,
    {_int64("sum(a.balance::numeric * (w.price_cents - w.previous_cents))")}
FROM settlements w
JOIN windows v ON v.id = w.window_id
JOIN accounts a ON a.asset = w.instrument_id AND a.kind = 'player' AND a.owner_id = %s AND a.balance > 0
WHERE v.state IN (8, 9) AND v.changed_at > %s AND w.settled_at > %s AND w.corrected_by IS NULL
GROUP BY w.window_id, v.title ORDER BY max(w.settled_at) DESC, w.window_id DESC
"""


def fills(player_id: int, since: datetime) -> tuple[list[tuple[Any, ...]], bool]:
    """By instrument: symbol, bought, for how much, sold, for how much, trades, fees, gain realised.

    Also whether there were more than the latest that were looked at. Reversed trades do not count.
    """
    rows = bulk.execute(_FILLS, player_id, MOST, player_id, since).fetchall()
    (is_cut,) = bulk.execute(_OLDEST, since, MOST, player_id, MOST).fetchone()
    return list(rows), bool(is_cut)


def settled(player_id: int, since: datetime) -> list[tuple[int, str, int]]:
    """Windows that have settled something that the player holds now: id, title, and what that gained."""
    return list(bulk.execute(_SETTLED, player_id, since, since).fetchall())


_SAW = """
INSERT INTO inboxes (player_id, seen_at, seen_worth_cents, seen_rank)
SELECT player_id, at, worth, rank
FROM unnest(%s::int8[], %s::timestamptz[], %s::int8[], %s::int8[]) AS u(player_id, at, worth, rank)
ORDER BY player_id
ON CONFLICT (player_id) DO UPDATE SET seen_at = excluded.seen_at,
    seen_worth_cents = excluded.seen_worth_cents, seen_rank = excluded.seen_rank
WHERE inboxes.seen_at IS NULL OR inboxes.seen_at < excluded.seen_at
"""


def saw(rows: Sequence[tuple[int, datetime, int | None, int | None]]) -> None:
    """Keep when players were last there, what they were worth then, and their ranks."""
    if rows:
        players, moments, worths, ranks = zip(*rows, strict=True)
        bulk.execute(_SAW, bulk.ints(players), list(moments), bulk.ints(worths), bulk.ints(ranks))
