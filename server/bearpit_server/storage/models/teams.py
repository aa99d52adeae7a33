"""What is kept of teams; which one a player is in is a column of players."""

import peewee as pw
from playhouse.postgres_ext import DateTimeTZField

from bearpit_server.storage.models.base import Row


class Team(Row):
    """A team. `max_players` NULL: any number; `join_code` NULL: nobody joins by himself."""

    id = pw.BigAutoField()
    name = pw.TextField()
    join_code = pw.TextField(null=True)
    max_players = pw.BigIntegerField(null=True)
    created_at = DateTimeTZField()

    class Meta:
        table_name = "teams"
