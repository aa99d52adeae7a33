"""Announcements with a title, a body, an audience and a life."""

from typing import Any

SCHEMA = """
ALTER TABLE announcements RENAME COLUMN text TO title;
ALTER TABLE announcements
    ADD COLUMN body text NOT NULL DEFAULT '',
    ADD COLUMN priority smallint NOT NULL DEFAULT 1 CHECK (priority BETWEEN 1 AND 3),
    ADD COLUMN audience smallint NOT NULL DEFAULT 1 CHECK (audience BETWEEN 1 AND 3),
    ADD COLUMN team_id bigint REFERENCES teams,
    ADD COLUMN role text,
    ADD COLUMN starts_at timestamptz,
    ADD COLUMN public_at timestamptz,
    ADD COLUMN withdrawn_at timestamptz,
    ADD CONSTRAINT a_team_is_named_for_a_team CHECK ((audience = 2) = (team_id IS NOT NULL)),
    ADD CONSTRAINT a_role_is_named_for_a_role CHECK ((audience = 3) = (role IS NOT NULL));
UPDATE announcements SET starts_at = created_at, public_at = created_at;
ALTER TABLE announcements
    ALTER COLUMN starts_at SET NOT NULL,
    ALTER COLUMN body DROP DEFAULT,
    ALTER COLUMN priority DROP DEFAULT,
    ALTER COLUMN audience DROP DEFAULT,
    ADD CONSTRAINT nothing_comes_out_before_its_time CHECK (public_at >= starts_at);
CREATE INDEX announcements_to_come ON announcements (starts_at)
    WHERE public_at IS NULL AND withdrawn_at IS NULL;
"""


def up(migrator: Any, db: Any) -> None:
    """Change what is there."""
    db.execute_sql(SCHEMA)
