"""The event bus's listeners, and players' notifications."""

from typing import Any

SCHEMA = """
CREATE TABLE listeners (
    name text PRIMARY KEY,
    xid bigint NOT NULL,
    id bigint NOT NULL,
    seen_xid bigint NOT NULL,
    seen_id bigint NOT NULL,
    published bigint NOT NULL DEFAULT 0,
    delivered bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    retried bigint NOT NULL DEFAULT 0,
    attempts bigint NOT NULL DEFAULT 0,
    careful boolean NOT NULL DEFAULT false,
    last_error text NOT NULL DEFAULT '',
    retry_at timestamptz,
    CONSTRAINT a_listener_takes_in_no_more_than_it_is_told CHECK (delivered + failed <= published),
    CONSTRAINT a_listener_has_seen_what_it_has_heard CHECK ((xid, id) <= (seen_xid, seen_id))
) WITH (fillfactor = 20);

CREATE TABLE listener_failures (
    id bigserial PRIMARY KEY,
    listener text NOT NULL,
    event_xid bigint NOT NULL,
    event_id bigint NOT NULL,
    type text NOT NULL,
    error text NOT NULL,
    failed_at timestamptz NOT NULL,
    CONSTRAINT an_event_fails_a_listener_once UNIQUE (listener, event_xid, event_id)
);

CREATE TABLE inboxes (
    player_id bigint PRIMARY KEY REFERENCES players,
    last_sequence bigint NOT NULL DEFAULT 0,
    read_sequence bigint NOT NULL DEFAULT 0,
    seen_at timestamptz,
    seen_worth_cents bigint,
    seen_rank bigint,
    kept_from bigint NOT NULL DEFAULT 1,
    kept_since timestamptz,
    preferences jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT nobody_reads_what_has_not_come CHECK (read_sequence BETWEEN 0 AND last_sequence)
) WITH (fillfactor = 50);

CREATE TABLE notifications (
    player_id bigint NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 10),
    priority smallint NOT NULL CHECK (priority BETWEEN 1 AND 3),
    title text NOT NULL,
    body text NOT NULL,
    reference text NOT NULL,
    data jsonb NOT NULL,
    event_key text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (player_id, sequence),
    CONSTRAINT nothing_is_told_twice UNIQUE (player_id, event_key)
);
CREATE TABLE spread_events (
    event_key text PRIMARY KEY,
    told_at timestamptz NOT NULL
);
CREATE INDEX transfers_receiver ON transfers (to_id, created_at);
"""


def up(migrator: Any, db: Any) -> None:
    """Make them."""
    db.execute_sql(SCHEMA)
