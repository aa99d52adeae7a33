"""The statements that award badges: to all who have earned one, at once."""

import json
from collections.abc import Sequence
from datetime import datetime

from bearpit_server.rules.badges import BADGES
from bearpit_server.rules.ranking import ONE
from bearpit_server.storage import bulk
from bearpit_server.storage.models import database

_SPAN = "(e.xid, e.id) > (%(after_xid)s, %(after_id)s) AND (e.xid, e.id) <= (%(until_xid)s, %(until_id)s)"
_NEW = "NOT EXISTS (SELECT FROM badges h WHERE h.player_id = {player} AND h.badge = %(badge)s)"
_FILLED = f"FROM events e WHERE {_SPAN} AND e.type = 'order.filled' AND e.owner_id IS NOT NULL"
_SOLD = f"""
SELECT DISTINCT ON (t.id) t.*, e.xid, e.id AS event_id FROM events e
JOIN trades t ON t.id = (e.payload->>'trade_id')::int8 AND t.seller_id = e.owner_id
WHERE {_SPAN} AND e.type = 'order.filled' AND {_NEW.format(player="e.owner_id")}
    AND NOT EXISTS (SELECT FROM reversals r WHERE r.trade_id = t.id)
"""
_GAIN = "{t}.price_cents * {t}.quantity - {t}.seller_fee_cents - {t}.seller_cost_cents"


def _told(kind: str, player: str, more: str = "") -> str:
    """Players that events of a kind name in their payload."""
    return (
        f"SELECT (e.payload->>'{player}')::int8 AS player_id, e.xid, e.id FROM events e "
        f"WHERE {_SPAN} AND e.type = '{kind}' {more}"
    )


_NAMES = json.dumps({badge.key: badge.name for badge in BADGES.values()})

HEARD = {
    "first-trade": f"SELECT e.owner_id AS player_id, e.xid, e.id {_FILLED} "
    f"AND {_NEW.format(player='e.owner_id')}",
    "opening-bell": f"SELECT e.owner_id AS player_id, e.xid, e.id {_FILLED}",
    "first-profit": f"SELECT s.seller_id AS player_id, s.xid, s.event_id AS id FROM ({_SOLD}) s "
    f"WHERE {_GAIN.format(t='s')} > 0",
    # By orders, so that one order that meets ten others is one sale.
    "ten-in-a-row": f"""
SELECT s.seller_id AS player_id, s.xid, s.id FROM (
    SELECT seller_id, min(xid) AS xid, min(event_id) AS id FROM ({_SOLD}) o GROUP BY seller_id
) s, LATERAL (
    SELECT count(*) AS sales, bool_and(gain > 0) AS all_gained FROM (
        SELECT sum({_GAIN.format(t="t")}) AS gain FROM (
            SELECT * FROM trades WHERE seller_id = s.seller_id
                AND NOT EXISTS (SELECT FROM reversals r WHERE r.trade_id = trades.id)
            ORDER BY id DESC LIMIT 500
        ) t GROUP BY t.sell_order_id ORDER BY max(t.id) DESC LIMIT 10
    ) last
) l WHERE l.sales = 10 AND l.all_gained
""",
    "founder": f"""
SELECT e.owner_id AS player_id, e.xid, e.id FROM events e
JOIN trades t ON t.id = (e.payload->>'trade_id')::int8 AND t.buyer_id = e.owner_id AND t.seller_id = 0
JOIN instruments i ON i.id = t.instrument_id AND i.ipo_order_id = t.sell_order_id
WHERE {_SPAN} AND e.type = 'order.filled' AND {_NEW.format(player="e.owner_id")}
""",
    "first-blood": _told("duel.settled", "winner_id"),
    "duellist": _told("duel.settled", "winner_id", "AND (e.payload->>'opponent_id')::int8 <> 0"),
    "all-booths": f"""
SELECT q.* FROM ({_told("booth.visited", "player_id")}) q
WHERE (SELECT count(*) FROM booth_visits v JOIN booths b ON b.id = v.booth_id AND b.active
       WHERE v.player_id = q.player_id) >= greatest((SELECT count(*) FROM booths WHERE active), 1)
""",
    "code-breaker": _told("code.redeemed", "player_id"),
    "recruiter": _told("referral.rewarded", "referrer_id"),
    "generous": _told("transfer.made", "from_id"),
    "comeback": _told("debt.comeback", "player_id"),
}
"""Who has earned a badge in a part of the event log: players, and where in the log."""
LISTENS_TO = (
    "order.filled", "duel.settled", "booth.visited", "code.redeemed", "referral.rewarded", "transfer.made",
    "debt.comeback",
)  # fmt: skip

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
WITH given AS (
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
SELECT q.player_id, %(badge)s AS badge FROM ({earned}) q JOIN players p ON p.id = q.player_id
WHERE p.id <> 0 AND NOT p.disabled AND p.roles && %(playing)s::text[] AND p.name NOT LIKE 'house-%%'
    AND NOT EXISTS (SELECT FROM badges WHERE badge = %(badge)s AND first AND revoked_at IS NULL)
ORDER BY q.xid, q.id LIMIT 1
"""


def heard(
    badge: str,
    first: bool,
    after: tuple[int, int],
    until: tuple[int, int],
    at: datetime,
    playing: Sequence[str],
) -> None:
    """Award a badge to those who have earned it in a part of the log; of a `first` one, to the first."""
    earned = HEARD[badge]
    inner = (
        _FIRST.format(earned=earned) if first else f"SELECT player_id, %(badge)s AS badge FROM ({earned}) w"
    )
    _award(
        inner,
        badge=badge, first=first, after_xid=after[0], after_id=after[1], until_xid=until[0],
        until_id=until[1], at=at, playing=[*playing],
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


def _award(earned: str, **params: object) -> None:
    """Give what is earned to those who do not have it, with an event for each."""
    database.execute_sql(_AWARD.format(earned=earned), {**params, "names": _NAMES})
