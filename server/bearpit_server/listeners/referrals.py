"""Rewards who brought a newcomer along, and the newcomer, once the newcomer has traded.

A referral stands in a row that says whether it was rewarded, and that row is locked: hearing of a trade
again pays nothing again. A referral that was noted just as its newcomer traded is paid at the next trade.
"""

from collections.abc import Sequence

from bearpit_server.events.listeners import Here, Listener, Span
from bearpit_server.events.records import Record
from bearpit_server.game.codes import referrals
from bearpit_server.game.codes.referrals import Terms
from bearpit_server.storage import bulk

_TRADED = """
SELECT DISTINCT e.owner_id FROM events e
JOIN referrals r ON r.newcomer_id = e.owner_id AND r.rewarded_at IS NULL
WHERE (e.xid, e.id) > (%s, %s) AND (e.xid, e.id) <= (%s, %s) AND e.type = 'order.filled'
"""


def sweep(span: Span, here: Here) -> Sequence[Record]:
    """Reward those who traded in these events and wait for it."""
    traded = bulk.execute(_TRADED, span.after.xid, span.after.id, span.until.xid, span.until.id).fetchall()
    if not traded:
        return []
    changes = referrals.reward([player_id for (player_id,) in traded], Terms.of(here.settings))
    return [change for change in changes if change.player_id in here.watched]


LISTENER = Listener("referrals", ("order.filled",), sweep=sweep)
