"""What is kept of arcade machines and of what they have taken and given."""

import peewee as pw
from playhouse.postgres_ext import DateTimeTZField

from bearpit_server.storage.models.base import Row


class ArcadeMachine(Row):
    """A machine; its name is that of its service token. A limit that is NULL is the game's setting."""

    id = pw.BigAutoField()
    name = pw.TextField()
    play_take_cents = pw.BigIntegerField(null=True)
    play_give_cents = pw.BigIntegerField(null=True)
    player_day_take_cents = pw.BigIntegerField(null=True)
    player_day_give_cents = pw.BigIntegerField(null=True)
    day_take_cents = pw.BigIntegerField(null=True)
    day_give_cents = pw.BigIntegerField(null=True)
    active = pw.BooleanField(default=True)
    created_at = DateTimeTZField()

    class Meta:
        table_name = "arcade_machines"


class ArcadeTransaction(Row):
    """What a machine did once, by its own id of it. `id` rises with time, and is the postings' reference."""

    id = pw.BigAutoField()
    machine_id = pw.BigIntegerField()
    transaction_id = pw.TextField()
    player_id = pw.BigIntegerField()
    kind = pw.SmallIntegerField()  # rules.arcade.Kind
    amount_cents = pw.BigIntegerField()
    score = pw.BigIntegerField(default=0)
    note = pw.TextField()
    day = pw.DateField()  # in the market's time zone, when it was done
    at = DateTimeTZField()
    voided_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "arcade_transactions"
