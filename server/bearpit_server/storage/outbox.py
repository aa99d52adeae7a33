"""The statements of the outbox: what is to be delivered, and who delivers it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from bearpit_server.rules.channels import DeliveryState, State
from bearpit_server.rules.notices import Kind, default
from bearpit_server.storage import bulk

TARGETS = 500
"""How many channels are looked through in one go."""

_FILL = """
WITH behind AS (
    SELECT t.id, t.player_id, t.kinds, t.after_sequence, i.last_sequence, i.preferences
    FROM channel_targets t
    JOIN inboxes i ON i.player_id = t.player_id
    JOIN players p ON p.id = t.player_id
    WHERE t.state = %s AND t.removed_at IS NULL AND i.last_sequence > t.after_sequence AND NOT p.disabled
    ORDER BY t.id LIMIT %s
    FOR UPDATE OF t SKIP LOCKED
), told AS (
    INSERT INTO deliveries (target_id, sequence, letter, state, next_at, created_at)
    SELECT b.id, n.sequence,
        jsonb_build_object('kind', n.kind, 'title', n.title, 'body', n.body, 'reference', n.reference,
            'priority', n.priority, 'data', n.data, 'created_at', n.created_at),
        %s, %s, %s
    FROM behind b
    JOIN notifications n ON n.player_id = b.player_id
        AND n.sequence > b.after_sequence AND n.sequence <= b.last_sequence
    WHERE (b.kinds = '{}' OR n.kind = ANY (b.kinds))
        AND coalesce((b.preferences -> n.kind::text ->> 'channel')::boolean, n.kind = ANY (%s::int[]))
    ORDER BY b.id, n.sequence
)
UPDATE channel_targets t SET after_sequence = b.last_sequence FROM behind b WHERE t.id = b.id
"""
_SENT_ON = [int(kind) for kind in Kind if default(kind).channel]


def fill(at: datetime) -> int:
    """Take in what notifications there are since the last time, and tell for how many channels.

    A channel's place moves with what is taken in: each notification is taken in once. What another process is
    at is left to it.
    """
    waiting = int(DeliveryState.WAITING)
    done = bulk.execute(_FILL, int(State.CONFIRMED), TARGETS, waiting, at, at, _SENT_ON)
    return int(done.rowcount)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process is to make, with its channel. `attempts` counts this one."""

    delivery_id: int
    target_id: int
    player_id: int
    kind: int
    address: str
    secret: str
    sequence: int
    message_id: UUID
    letter: dict[str, Any]
    attempts: int
    failing: bool


# Its channel is locked first and looked at again under the lock: nobody else delivers there meanwhile.
_LOCK = """
SELECT t.id FROM channel_targets t
WHERE t.state = %s AND t.removed_at IS NULL AND t.busy_until <= %s AND (t.failures > 0) = %s
    AND EXISTS (SELECT 1 FROM deliveries d WHERE d.target_id = t.id AND d.state = %s AND d.next_at <= %s)
ORDER BY t.busy_until, t.id LIMIT %s
FOR UPDATE OF t SKIP LOCKED
"""
_CLAIM = """
WITH due AS (
    SELECT DISTINCT ON (d.target_id) d.id
    FROM deliveries d
    WHERE d.target_id = ANY (%s) AND d.state = %s AND d.next_at <= %s
    ORDER BY d.target_id, d.sequence
), begun AS (
    UPDATE deliveries d SET attempts = d.attempts + 1, next_at = %s FROM due WHERE d.id = due.id
    RETURNING d.id, d.target_id, d.sequence, d.message_id, d.letter, d.attempts
)
UPDATE channel_targets t SET busy_until = %s FROM begun b WHERE t.id = b.target_id
RETURNING b.id, t.id, t.player_id, t.kind, t.address, t.secret, b.sequence, b.message_id, b.letter,
    b.attempts, t.failures > 0
"""


def claim(at: datetime, until: datetime, most: int, failing: bool) -> list[Claimed]:
    """Deliveries that are due, one a channel: of those that failed last time, or of those that did not.

    They are this process's until `until`; if it is gone by then, they are due again.
    """
    waiting = int(DeliveryState.WAITING)
    locked: Sequence[tuple[int]] = bulk.execute(
        _LOCK, int(State.CONFIRMED), at, failing, waiting, at, most
    ).fetchall()
    ids = [id_ for (id_,) in locked]
    if not ids:
        return []
    rows = bulk.execute(_CLAIM, ids, waiting, at, until, until).fetchall()
    return [Claimed(*row) for row in rows]
