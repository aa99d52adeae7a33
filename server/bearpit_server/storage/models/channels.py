"""What is kept of channels and of what is delivered through them."""

import peewee as pw
from playhouse.postgres_ext import ArrayField, BinaryJSONField, DateTimeTZField

from bearpit_server.storage.models.base import Row


class ChannelTarget(Row):
    """Where a player's notifications go; `kind` and `state` have the numbers of rules.channels.

    `secret` is what a webhook's deliveries are signed with. `kinds` has numbers of rules.notices, none: all.
    `after_sequence` is the player's last notification that has been considered. `busy_until`: until then
    somebody is delivering there. `failures` in a row; `given_up` in a row.
    """

    id = pw.BigAutoField()
    player_id = pw.BigIntegerField()
    kind = pw.SmallIntegerField()
    address = pw.TextField()
    secret = pw.TextField()
    kinds = ArrayField(pw.SmallIntegerField)
    state = pw.SmallIntegerField()
    code_hash = pw.TextField(default="")
    code_tries = pw.BigIntegerField(default=0)
    code_expires_at = DateTimeTZField(null=True)
    after_sequence = pw.BigIntegerField(default=0)
    busy_until = DateTimeTZField()
    failures = pw.BigIntegerField(default=0)
    given_up = pw.BigIntegerField(default=0)
    delivered = pw.BigIntegerField(default=0)
    delivered_at = DateTimeTZField(null=True)
    last_error = pw.TextField(default="")
    tested_at = DateTimeTZField(null=True)
    created_at = DateTimeTZField()
    removed_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "channel_targets"


class Delivery(Row):
    """A notification on its way through a channel; `state` has the numbers of rules.channels.DeliveryState.

    `message_id` is the same with every attempt. `letter` is what is delivered, for the notification itself
    may be gone by then.
    """

    id = pw.BigAutoField()
    target_id = pw.BigIntegerField()
    sequence = pw.BigIntegerField()
    message_id = pw.UUIDField()
    letter = BinaryJSONField()
    state = pw.SmallIntegerField()
    attempts = pw.BigIntegerField(default=0)
    next_at = DateTimeTZField()
    last_error = pw.TextField(default="")
    created_at = DateTimeTZField()
    ended_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "deliveries"
