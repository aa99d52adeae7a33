"""What is kept of announcements."""

import peewee as pw
from playhouse.postgres_ext import DateTimeTZField

from bearpit_server.storage.models.base import Row


class Announcement(Row):
    """A word from the operators; `priority` and `audience` have the numbers of rules.announcements.

    `public_at` is when it came out, null: it has not; `expires_at` null: until the next one for its audience.
    """

    id = pw.BigAutoField()
    title = pw.TextField()
    body = pw.TextField()
    priority = pw.SmallIntegerField()
    audience = pw.SmallIntegerField()
    team_id = pw.BigIntegerField(null=True)
    role = pw.TextField(null=True)
    author_id = pw.BigIntegerField()
    created_at = DateTimeTZField()
    starts_at = DateTimeTZField()
    public_at = DateTimeTZField(null=True)
    expires_at = DateTimeTZField(null=True)
    withdrawn_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "announcements"
