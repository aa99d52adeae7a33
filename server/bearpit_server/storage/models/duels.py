"""Duels, the sides of their rounds, and when their limits were last watched."""

import peewee as pw
from playhouse.postgres_ext import DateTimeTZField

from bearpit_server.storage.models.base import Row


class Duel(Row):
    """A duel with the terms that it began under. The enums have the numbers of rules.duel.

    `opponent_id` is NULL on the open board, and the house's where it is against chance. The stakes of
    those who have put one up are in escrow until it is settled: the challenger's at once, the other's
    from `accepted_at` on.
    """

    id = pw.BigAutoField()
    challenger_id = pw.BigIntegerField()
    opponent_id = pw.BigIntegerField(null=True)
    stake_cents = pw.BigIntegerField()
    house_bps = pw.BigIntegerField()
    draws = pw.SmallIntegerField()
    max_rounds = pw.BigIntegerField()
    move_seconds = pw.BigIntegerField()
    state = pw.SmallIntegerField()
    ending = pw.SmallIntegerField(default=0)
    winner_id = pw.BigIntegerField(null=True)
    house_share_cents = pw.BigIntegerField(default=0)
    round = pw.BigIntegerField(default=1)
    due_at = DateTimeTZField()
    created_at = DateTimeTZField()
    accepted_at = DateTimeTZField(null=True)
    settled_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "duels"


class DuelSide(Row):
    """One side of one round.

    People's moves are here once they are revealed. The house's are here from its commitment on, and are
    nobody's to see before `revealed_at`. Who names his move against the house commits to nothing.
    """

    duel_id = pw.BigIntegerField()
    round = pw.BigIntegerField()
    player_id = pw.BigIntegerField()
    commitment = pw.BlobField(null=True)
    committed_at = DateTimeTZField(null=True)
    move = pw.SmallIntegerField(null=True)
    nonce = pw.BlobField(null=True)
    revealed_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "duel_sides"
        primary_key = pw.CompositeKey("duel_id", "round", "player_id")


class DuelWatch(Row):
    """The one row that says when a server last kept the duels' limits."""

    id = pw.SmallIntegerField(primary_key=True)
    seen_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "duel_watch"
