"""The statements that award badges: to all who have earned one, at once."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from bearpit_server.rules.badges import BADGES, Badge
from bearpit_server.rules.ranking import ONE
from bearpit_server.storage import bulk
from bearpit_server.storage.models import database

_LACKS = "NOT EXISTS (SELECT FROM badges b WHERE b.player_id = {player} AND b.badge = %(badge)s)"
_GAIN = "{t}.price_cents * {t}.quantity - {t}.seller_fee_cents - {t}.seller_cost_cents"
_FILLED = "SELECT h.owner_id AS player_id, h.xid, h.id FROM heard h WHERE h.owner_id IS NOT NULL"
_GAINED = f"""
SELECT t.seller_id AS player_id, h.xid, h.id FROM heard h
JOIN trades t ON t.id = (h.payload->>'trade_id')::int8 AND t.seller_id = h.owner_id
WHERE {_LACKS.format(player="h.owner_id")} AND {_GAIN.format(t="t")} > 0
    AND NOT EXISTS (SELECT FROM reversals r WHERE r.trade_id = t.id)
"""


def _told(player: str, more: str = "") -> str:
    """Players that the events name in their payload."""
    return f"SELECT (h.payload->>'{player}')::int8 AS player_id, h.xid, h.id FROM heard h {more}"


_NAMES = json.dumps({badge.key: badge.name for badge in BADGES.values()})

HEARD = {
    "first-trade": ("order.filled", f"{_FILLED} AND {_LACKS.format(player='h.owner_id')}"),
    "opening-bell": ("order.filled", _FILLED),
    "first-profit": ("order.filled", _GAINED),
    # By orders, so that one order that meets ten others is one sale.
    "ten-in-a-row": (
        "order.filled",
        f"""
SELECT s.* FROM (
    SELECT player_id, min(xid) AS xid, min(id) AS id FROM ({_GAINED}) g GROUP BY player_id
) s, LATERAL (
    SELECT count(*) AS sales, bool_and(gain > 0) AS all_gained FROM (
        SELECT sum({_GAIN.format(t="t")}) AS gain FROM (
            SELECT * FROM trades WHERE seller_id = s.player_id
                AND NOT EXISTS (SELECT FROM reversals r WHERE r.trade_id = trades.id)
            ORDER BY id DESC LIMIT 500
        ) t GROUP BY t.sell_order_id ORDER BY max(t.id) DESC LIMIT 10
    ) last
) l WHERE l.sales = 10 AND l.all_gained
""",
    ),
    "founder": (
        "order.filled",
        f"""
SELECT h.owner_id AS player_id, h.xid, h.id FROM heard h
JOIN trades t ON t.id = (h.payload->>'trade_id')::int8 AND t.buyer_id = h.owner_id AND t.seller_id = 0
JOIN instruments i ON i.id = t.instrument_id AND i.ipo_order_id = t.sell_order_id
WHERE {_LACKS.format(player="h.owner_id")}
""",
    ),
    "first-blood": ("duel.settled", _told("winner_id")),
    "duellist": ("duel.settled", _told("winner_id", "WHERE (h.payload->>'opponent_id')::int8 <> 0")),
    "all-booths": (
        "booth.visited",
        f"""
SELECT q.* FROM ({_told("player_id")}) q
WHERE (SELECT count(*) FROM booth_visits v JOIN booths b ON b.id = v.booth_id AND b.active
       WHERE v.player_id = q.player_id) >= greatest((SELECT count(*) FROM booths WHERE active), 1)
""",
    ),
    "code-breaker": ("code.redeemed", _told("player_id")),
    "recruiter": ("referral.rewarded", _told("referrer_id")),
    "generous": ("transfer.made", _told("from_id")),
    "comeback": ("debt.comeback", _told("player_id")),
}
"""What is heard of when a badge is earned, and who has earned it: players, and where in the log."""
LISTENS_TO = tuple(sorted({kind for kind, _ in HEARD.values()}))

_SPAN = "(e.xid, e.id) > (%(after_xid)s, %(after_id)s) AND (e.xid, e.id) <= (%(until_xid)s, %(until_id)s)"
_KINDS = f"SELECT DISTINCT e.type FROM events e WHERE {_SPAN} AND e.type = ANY(%(kinds)s)"
# Materialized, both: what was just heard is few rows, but no statistics know of it yet, and a plan that
# looks at the same part of the log once for each player costs the exchange a part of its processor.
_HEARD = f"""
heard AS MATERIALIZED (
    SELECT e.xid, e.id, e.owner_id, e.payload FROM events e WHERE {_SPAN} AND e.type = %(kind)s
), earned AS MATERIALIZED ({{earned}}),
"""

_RANKED = f"""
SELECT r.player_id, f.badge FROM rank_places_{{half}} r, LATERAL (VALUES
    ('doubled', level >= {2 * ONE}), ('tenfold', level >= {10 * ONE}),
    ('diamond-hands', drawdown_bps >= 3333 AND level = peak),
    ('survivor', drawdown_bps >= 5000 AND level = peak)) AS f(badge, earned)
WHERE r.ranked AND (r.level >= {2 * ONE} OR (r.drawdown_bps >= 3333 AND r.level = r.peak)) AND f.earned
    AND NOT EXISTS (SELECT FROM badges h WHERE h.player_id = r.player_id AND h.badge = f.badge)
UNION ALL
SELECT a.owner_id, 'debt-free' FROM accounts a WHERE a.kind = 'debt' AND a.balance = 0
    AND EXISTS (SELECT FROM postings p WHERE p.credit = a.id AND p.reason = 'repayment')
    AND NOT EXISTS (SELECT FROM badges h WHERE h.player_id = a.owner_id AND h.badge = 'debt-free')
"""
_FIRST_TO = """
SELECT player_id FROM rank_places_{half} WHERE ranked AND level >= %s
    AND NOT EXISTS (SELECT FROM badges WHERE badge = %s AND first AND revoked_at IS NULL)
ORDER BY level DESC, player_id LIMIT 1
"""
# House bots and the staff win nothing. The events are written here as well: half of the players may double
# what they have in the same minute.
_AWARD = """
WITH {before} given AS (
    INSERT INTO badges (player_id, badge, at, first)
    SELECT player_id, badge, %(at)s, %(first)s FROM (
        SELECT DISTINCT p.id AS player_id, q.badge FROM ({earned}) q JOIN players p ON p.id = q.player_id
        WHERE p.id <> 0 AND NOT p.disabled AND p.roles && %(playing)s::text[]
            AND p.name NOT LIKE 'house-%%'
    ) a
    ON CONFLICT DO NOTHING RETURNING player_id, badge
)
INSERT INTO events (type, subject, actor_id, address, request_id, payload, created_at)
SELECT 'badge.awarded', 'player:' || g.player_id, 0, '', '', jsonb_build_object('player_id', g.player_id,
    'player', p.name, 'badge', g.badge, 'name', %(names)s::jsonb -> g.badge), %(at)s
FROM given g JOIN players p ON p.id = g.player_id
"""
_FIRST = """
SELECT q.player_id, %(badge)s AS badge FROM earned q JOIN players p ON p.id = q.player_id
WHERE p.id <> 0 AND NOT p.disabled AND p.roles && %(playing)s::text[] AND p.name NOT LIKE 'house-%%'
    AND NOT EXISTS (SELECT FROM badges WHERE badge = %(badge)s AND first AND revoked_at IS NULL)
ORDER BY q.xid, q.id LIMIT 1
"""
_EACH = "SELECT player_id, %(badge)s AS badge FROM earned"


def heard(
    badges: Iterable[Badge],
    after: tuple[int, int],
    until: tuple[int, int],
    at: datetime,
    playing: Sequence[str],
) -> None:
    """Award badges to those who have earned them in a part of the log; of a `first` one, to the first."""
    span = {"after_xid": after[0], "after_id": after[1], "until_xid": until[0], "until_id": until[1]}
    kinds = {kind for (kind,) in database.execute_sql(_KINDS, {**span, "kinds": [*LISTENS_TO]}).fetchall()}
    for badge in badges:
        kind, earned = HEARD[badge.key]
        if kind in kinds:
            _award(
                _FIRST if badge.first else _EACH, _HEARD.format(earned=earned),
                badge=badge.key, first=badge.first, kind=kind, at=at, playing=[*playing], **span,
            )  # fmt: skip


def ranked(edition: int, at: datetime, playing: Sequence[str]) -> None:
    """Award what an edition's places show."""
    _award(_RANKED.format(half=edition % 2), first=False, at=at, playing=[*playing])


def first_to(edition: int, level: int, badge: str) -> list[int]:
    """Who has come to a level, unless somebody did before: one player, or none."""
    sql = _FIRST_TO.format(half=edition % 2)
    return [int(player) for (player,) in bulk.execute(sql, level, badge).fetchall()]


def give(players: Sequence[int], badge: str, first: bool, at: datetime, playing: Sequence[str]) -> None:
    """Award a badge to these, if they play."""
    inner = "SELECT id AS player_id, %(badge)s AS badge FROM unnest(%(players)s::int8[]) AS id"
    _award(inner, badge=badge, first=first, at=at, playing=[*playing], players=[*players])


def _award(earned: str, before: str = "", **params: object) -> None:
    """Give what is earned to those who do not have it, with an event for each."""
    database.execute_sql(_AWARD.format(earned=earned, before=before), {**params, "names": _NAMES})
