"""The statements that write notifications, many in one, written by hand as those of `bulk`.

Each has its candidates, a row for a player and a thing that happened; what follows is the same for all:
inboxes are locked in the order of players, what has been told or is not wanted is left out, and the rest gets
the players' next numbers. Fills, and what concerns everybody, never come to Python.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from bearpit_server.storage import bulk

Place = tuple[int, int]
"""A transaction and an event: a place in the log."""

Told = tuple[int, int, int, int, str, str, str, str, datetime]
"""Player, sequence, kind, priority, title, body, reference, data as JSON, time."""

_COLUMNS = "player_id, kind, priority, title, body, reference, data, event_key, created_at"

_INBOXES = """
WITH concerned AS ({concerned})
INSERT INTO inboxes (player_id)
SELECT p.id FROM players p
WHERE p.id IN (SELECT player_id FROM concerned) AND p.id <> 0 AND NOT starts_with(p.name, 'house-')
    AND NOT EXISTS (SELECT FROM inboxes i WHERE i.player_id = p.id)
ORDER BY p.id ON CONFLICT DO NOTHING
"""
"""Who has no inbox is told nothing: the house, and its bots."""

_WRITE = f"""
WITH candidates ({_COLUMNS}) AS MATERIALIZED ({{candidates}}),
homes AS MATERIALIZED (
    SELECT i.player_id, i.last_sequence, i.preferences, i.kept_since FROM inboxes i
    WHERE i.player_id IN (SELECT c.player_id FROM candidates c)
    ORDER BY i.player_id FOR UPDATE
), numbered AS MATERIALIZED (
    SELECT c.*, h.last_sequence + row_number() OVER (
        PARTITION BY c.player_id ORDER BY c.created_at, c.event_key
    ) AS sequence
    FROM candidates c JOIN homes h USING (player_id)
    WHERE c.created_at > coalesce(h.kept_since, '-infinity')
        AND (coalesce((h.preferences -> c.kind::text ->> 'screen')::boolean, true) OR c.priority = 3)
        AND NOT EXISTS (
            SELECT FROM notifications n
            WHERE n.player_id = c.player_id AND n.event_key = c.event_key COLLATE "C"
        )
), counted AS (
    UPDATE inboxes i SET last_sequence = n.last
    FROM (SELECT player_id, max(sequence) AS last FROM numbered GROUP BY player_id) n
    WHERE i.player_id = n.player_id
), written AS (
    INSERT INTO notifications ({_COLUMNS}, sequence) SELECT {_COLUMNS}, sequence FROM numbered
)
SELECT player_id, sequence, kind, priority, title, body, reference, data::text, created_at FROM numbered
WHERE player_id = ANY(%s::int8[]) ORDER BY player_id, sequence
"""


def _write(
    concerned: str, about: Sequence[object], candidates: str, params: Sequence[object], watched: Iterable[int]
) -> list[Told]:
    bulk.execute(_INBOXES.format(concerned=concerned), *about)
    rows: list[Told] = bulk.execute(
        _WRITE.format(candidates=candidates), *params, bulk.ints(watched)
    ).fetchall()
    return rows


def points(cents: str) -> str:
    """The SQL that writes an amount in cents, not negative, as people read it: rules.notices.points."""
    return f"to_char({cents} / 100.0, 'FM999,999,999,999,999,999,999,999,990.00')"


_COUNT = "'FM999,999,999,999,999,990'"

_GIVEN = r"""
SELECT p, k, r, t, b, f, d::jsonb, e, %s FROM unnest(
    %s::int8[], %s::int8[], %s::int8[],
    (string_to_array(%s, E'\x1f'))[2:], (string_to_array(%s, E'\x1f'))[2:],
    (string_to_array(%s, E'\x1f'))[2:], (string_to_array(%s, E'\x1f'))[2:],
    (string_to_array(%s, E'\x1f'))[2:]
) AS u(p, k, r, t, b, f, d, e)
"""


def write(
    rows: Sequence[tuple[int, int, int, str, str, str, str]],
    event_key: str,
    at: datetime,
    watched: Iterable[int],
) -> list[Told]:
    """Tell players of an event: player, kind, priority, title, body, reference and data, each player once."""
    if not rows:
        return []
    players, kinds, priorities, *written = zip(*rows, strict=True)
    texts = [bulk.texts(text) for text in written]
    params = (at, *map(bulk.ints, (players, kinds, priorities)), *texts, bulk.texts([event_key] * len(rows)))
    concerned = "SELECT unnest(%s::int8[]) AS player_id"
    return _write(concerned, (bulk.ints(players),), _GIVEN, params, watched)


_IN_SPAN = "(e.xid, e.id) > (%s, %s) AND (e.xid, e.id) <= (%s, %s) AND e.type = 'order.filled'"

_FILLED_PLAYERS = f"SELECT DISTINCT e.owner_id AS player_id FROM events e WHERE {_IN_SPAN}"

# Each fill looks for its inbox by itself: what was just written has no statistics, and a join may be planned
# that holds every fill against every inbox.
# A fill is told if a notification of its order covers its number: the last one that begins at or before it.
_FILLS = f"""
SELECT f.owner_id, 1, 2,
    format('%%s %%s %%s at %%s', CASE o.side WHEN 1 THEN 'Bought' ELSE 'Sold' END,
        to_char(f.quantity, {_COUNT}), s.symbol, {points("round(f.value / f.quantity)")})
        || CASE WHEN f.fills > 1 THEN format(' in %%s fills', f.fills) ELSE '' END,
    CASE WHEN f.filled >= f.wanted THEN format('Order %%s is filled.', o.id)
        ELSE format('Order %%s: %%s of %%s filled.', o.id, to_char(f.filled, {_COUNT}),
            to_char(f.wanted, {_COUNT})) END,
    f.subject,
    jsonb_build_object('order_id', o.id, 'symbol', s.symbol, 'side', o.side, 'quantity', f.quantity,
        'fills', f.fills, 'price_cents', round(f.value / f.quantity), 'value_cents', f.value,
        'fee_cents', f.fee, 'until', f.until),
    format('%%s:%%s', f.subject, lpad(f.since::text, 19, '0')),
    f.at
FROM (
    SELECT e.owner_id, e.subject, count(*) AS fills, min(e.owner_sequence) AS since,
        max(e.owner_sequence) AS until, max(e.created_at) AS at,
        sum((e.payload ->> 'trade_quantity')::bigint) AS quantity,
        sum((e.payload ->> 'trade_quantity')::numeric * (e.payload ->> 'trade_price_cents')::bigint) AS value,
        sum((e.payload ->> 'trade_fee_cents')::bigint) AS fee,
        max((e.payload ->> 'filled')::bigint) AS filled,
        (array_agg((e.payload ->> 'quantity')::bigint ORDER BY e.owner_sequence DESC))[1] AS wanted
    FROM events e
    WHERE {_IN_SPAN} AND (SELECT true FROM inboxes i WHERE i.player_id = e.owner_id)
        AND coalesce((
            SELECT (n.data ->> 'until')::bigint FROM notifications n
            WHERE n.player_id = e.owner_id AND n.event_key > (e.subject || ':') COLLATE "C"
                AND n.event_key <= (e.subject || ':' || lpad(e.owner_sequence::text, 19, '0')) COLLATE "C"
            ORDER BY n.event_key DESC LIMIT 1
        ), 0) < e.owner_sequence
    GROUP BY e.owner_id, e.subject
) f
JOIN orders o ON o.id = substr(f.subject, 7)::bigint
JOIN instruments s ON s.id = o.instrument_id
"""


def write_fills(after: Place, until: Place, watched: Iterable[int]) -> list[Told]:
    """Tell players of the fills in a part of the log, those of each order together."""
    span = (*after, *until)
    return _write(_FILLED_PLAYERS, span, _FILLS, span, watched)


_EVERYBODY = "SELECT p.id AS player_id FROM players p WHERE NOT p.disabled AND {among}"

_SAME = "SELECT c.player_id, %s, %s, %s, %s, %s, %s::jsonb, %s, %s FROM ({concerned}) c"


def write_to_all(
    kind: int,
    priority: int,
    title: str,
    body: str,
    reference: str,
    data: str,
    event_key: str,
    at: datetime,
    watched: Iterable[int],
    team_id: int | None = None,
    role: str | None = None,
) -> list[Told]:
    """Tell everybody the same; with a team or a role only who is of it."""
    among, about = "true", ()  # type: tuple[str, tuple[object, ...]]
    if team_id is not None:
        among, about = "p.team_id = %s", (team_id,)
    elif role is not None:
        among, about = "%s = ANY(p.roles)", (role,)
    concerned = _EVERYBODY.format(among=among)
    params = (kind, priority, title, body, reference, data, event_key, at, *about)
    return _write(concerned, about, _SAME.format(concerned=concerned), params, watched)


_HOLDERS = """
SELECT DISTINCT a.owner_id AS player_id FROM settlements w
JOIN accounts a ON a.asset = w.instrument_id AND a.kind = 'player' AND a.balance > 0
WHERE w.window_id = %s AND w.corrected_by IS NULL
"""

_SETTLED = f"""
SELECT h.owner_id, 5, 2,
    format('%%s settled: what you hold %%s', %s::text, CASE
        WHEN h.gain > 0 THEN 'gained ' || {points("h.gain")}
        WHEN h.gain < 0 THEN 'lost ' || {points("-h.gain")} ELSE 'is worth the same' END),
    h.prices, %s,
    jsonb_build_object('window_id', %s::bigint, 'gain_cents', h.gain, 'instruments', h.count), %s, %s
FROM (
    SELECT a.owner_id, sum(a.balance::numeric * (w.price_cents - w.previous_cents)) AS gain, count(*),
        string_agg(format('%%s %%s → %%s', s.symbol, {points("w.previous_cents")}, {points("w.price_cents")}),
            ', ' ORDER BY a.balance::numeric * abs(w.price_cents - w.previous_cents) DESC, s.symbol)
            FILTER (WHERE a.place <= 5) AS prices
    FROM settlements w
    JOIN instruments s ON s.id = w.instrument_id
    JOIN (
        SELECT a.*, row_number() OVER (PARTITION BY a.owner_id ORDER BY a.balance DESC) AS place
        FROM accounts a WHERE a.kind = 'player' AND a.balance > 0
            AND a.asset IN (SELECT c.instrument_id FROM settlements c WHERE c.window_id = %s)
    ) a ON a.asset = w.instrument_id
    WHERE w.window_id = %s AND w.corrected_by IS NULL
    GROUP BY a.owner_id
) h
"""


def write_settled(
    window_id: int, title: str, event_key: str, at: datetime, watched: Iterable[int]
) -> list[Told]:
    """Tell who holds what a window has settled what it did to that."""
    params: tuple[Any, ...] = (title, f"window:{window_id}", window_id, event_key, at, window_id, window_id)
    return _write(_HOLDERS, (window_id,), _SETTLED, params, watched)


_REVERSED = """
SELECT u.player_id, count(*) AS trades FROM reversals r
JOIN trades t ON t.id = r.trade_id
CROSS JOIN LATERAL (VALUES (t.buyer_id), (t.seller_id)) AS u(player_id)
WHERE r.rollback_id = %s AND r.reversed_at IS NOT NULL
GROUP BY u.player_id
"""

_TAKEN_BACK = f"""
SELECT v.player_id, 10, 2,
    CASE v.trades WHEN 1 THEN 'One of your trades has been reversed'
        ELSE format('%%s of your trades have been reversed', v.trades) END,
    %s, %s, jsonb_build_object('rollback_id', %s::bigint, 'trades', v.trades), %s, %s
FROM ({_REVERSED}) v
"""


def write_reversed(
    rollback_id: int, reason: str, event_key: str, at: datetime, watched: Iterable[int]
) -> list[Told]:
    """Tell whose trades a rollback has reversed how many, and why."""
    params = (reason, f"rollback:{rollback_id}", rollback_id, event_key, at, rollback_id)
    return _write(_REVERSED, (rollback_id,), _TAKEN_BACK, params, watched)


_TRIM = """
WITH over AS (
    SELECT player_id, last_sequence - %s AS until FROM inboxes
    WHERE last_sequence - kept_from + 1 > %s ORDER BY player_id FOR UPDATE SKIP LOCKED
), old AS (
    SELECT o.player_id, least(o.until, (
        SELECT n.sequence - 1 FROM notifications n WHERE n.player_id = o.player_id AND n.created_at >= %s
        ORDER BY n.sequence LIMIT 1
    )) AS until FROM over o
), gone AS (
    DELETE FROM notifications n USING old o
    WHERE n.player_id = o.player_id AND n.sequence <= o.until
    RETURNING n.player_id, n.sequence, n.created_at
)
UPDATE inboxes i SET kept_from = g.last + 1, kept_since = g.newest
FROM (
    SELECT player_id, max(sequence) AS last, max(created_at) AS newest FROM gone GROUP BY player_id
) g
WHERE i.player_id = g.player_id
"""


def trim(kept: int, before: datetime) -> None:
    """Drop notifications beyond so many a player, if they came before a moment."""
    bulk.execute(_TRIM, kept, kept, before)
