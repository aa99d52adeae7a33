"""What is kept of booths and of the visits to them."""

import peewee as pw
from playhouse.postgres_ext import DateTimeTZField

from bearpit_server.storage.models.base import Row


class Booth(Row):
    """A booth. `reward_cents` NULL: what the game's setting says."""

    id = pw.BigAutoField()
    name = pw.TextField()
    password_hash = pw.TextField()
    password_at = DateTimeTZField()
    reward_cents = pw.BigIntegerField(null=True)
    creates_players = pw.BooleanField()
    active = pw.BooleanField(default=True)
    created_at = DateTimeTZField()

    class Meta:
        table_name = "booths"


class BoothVisit(Row):
    """A player's one visit to a booth. `id` rises with time and is what pages go by."""

    id = pw.BigAutoField()
    booth_id = pw.BigIntegerField()
    player_id = pw.BigIntegerField()
    reward_cents = pw.BigIntegerField()
    created_player = pw.BooleanField()
    at = DateTimeTZField()

    class Meta:
        table_name = "booth_visits"
