"""The tables of the event bus and of notifications."""

import peewee as pw
from playhouse.postgres_ext import BinaryJSONField, DateTimeTZField

from bearpit_server.storage.models.base import Row


class ListenerRow(Row):
    """How far a listener to the event log has come: it has heard all up to and with (xid, id).

    Its counts change with its place. (`seen_xid`, `seen_id`): up to where events have been put before it.
    `attempts` is how often what comes next has failed; `careful`: until it has come to what it has seen,
    it is told one event at a time.
    """

    name = pw.TextField(primary_key=True)
    xid = pw.BigIntegerField()
    id = pw.BigIntegerField()
    seen_xid = pw.BigIntegerField()
    seen_id = pw.BigIntegerField()
    published = pw.BigIntegerField(default=0)
    delivered = pw.BigIntegerField(default=0)
    failed = pw.BigIntegerField(default=0)
    retried = pw.BigIntegerField(default=0)
    attempts = pw.BigIntegerField(default=0)
    careful = pw.BooleanField(default=False)
    last_error = pw.TextField(default="")
    retry_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "listeners"


class ListenerFailure(Row):
    """An event that a listener could not take in, and was passed over for."""

    id = pw.BigAutoField()
    listener = pw.TextField()
    event_xid = pw.BigIntegerField()
    event_id = pw.BigIntegerField()
    type = pw.TextField()
    error = pw.TextField()
    failed_at = DateTimeTZField()

    class Meta:
        table_name = "listener_failures"


class Inbox(Row):
    """A player's notifications: the latest number, the number up to which all is read.

    `preferences` has the kinds that are not as by default: {"1": {"screen": true, "channel": true}}.
    `seen_at` is when the player was last there, and what he was worth then, and his rank; null: never, not
    known. Numbers below `kept_from` have been dropped; `kept_since` is when the newest of those came: what
    is older is not told anew.
    """

    player_id = pw.BigIntegerField(primary_key=True)
    last_sequence = pw.BigIntegerField(default=0)
    read_sequence = pw.BigIntegerField(default=0)
    seen_at = DateTimeTZField(null=True)
    seen_worth_cents = pw.BigIntegerField(null=True)
    seen_rank = pw.BigIntegerField(null=True)
    kept_from = pw.BigIntegerField(default=1)
    kept_since = DateTimeTZField(null=True)
    preferences = BinaryJSONField(default=dict)

    class Meta:
        table_name = "inboxes"


class NotificationRow(Row):
    """A word to one player. `kind` and `priority` have the numbers of rules.notices.

    `event_key` names what it comes from, so that it is written once: however often an event is told, and
    however fills are put together.
    """

    player_id = pw.BigIntegerField()
    sequence = pw.BigIntegerField()
    kind = pw.SmallIntegerField()
    priority = pw.SmallIntegerField()
    title = pw.TextField()
    body = pw.TextField()
    reference = pw.TextField()
    data = BinaryJSONField()
    event_key = pw.TextField()
    created_at = DateTimeTZField()

    class Meta:
        table_name = "notifications"
        primary_key = pw.CompositeKey("player_id", "sequence")


class SpreadEvent(Row):
    """An event that many were told of at once: who comes, or buys, later is not told of it by a replay."""

    event_key = pw.TextField(primary_key=True)
    told_at = DateTimeTZField()

    class Meta:
        table_name = "spread_events"
