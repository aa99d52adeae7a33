"""Teams, and which one a player is in."""

from typing import Any

SCHEMA = """
CREATE TABLE teams (
    id bigserial PRIMARY KEY,
    name text NOT NULL,
    join_code text CONSTRAINT one_team_a_join_code UNIQUE,
    max_players bigint CONSTRAINT a_team_takes_somebody CHECK (max_players > 0),
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX teams_name ON teams (lower(name));

ALTER TABLE players ADD COLUMN team_id bigint REFERENCES teams;
CREATE INDEX players_team ON players (team_id) WHERE team_id IS NOT NULL;
"""


def up(migrator: Any, db: Any) -> None:
    """Make them, beside what is there."""
    db.execute_sql(SCHEMA)
