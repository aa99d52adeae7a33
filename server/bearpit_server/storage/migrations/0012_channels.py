"""Channels, and what is delivered through them."""

from typing import Any

SCHEMA = """
CREATE TABLE channel_targets (
    id bigserial PRIMARY KEY,
    player_id bigint NOT NULL REFERENCES players,
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 2),
    address text NOT NULL,
    secret text NOT NULL,
    kinds smallint[] NOT NULL,
    state smallint NOT NULL CHECK (state BETWEEN 1 AND 3),
    code_hash text NOT NULL DEFAULT '',
    code_tries bigint NOT NULL DEFAULT 0,
    code_expires_at timestamptz,
    after_sequence bigint NOT NULL DEFAULT 0,
    busy_until timestamptz NOT NULL,
    failures bigint NOT NULL DEFAULT 0,
    given_up bigint NOT NULL DEFAULT 0,
    delivered bigint NOT NULL DEFAULT 0,
    delivered_at timestamptz,
    last_error text NOT NULL DEFAULT '',
    tested_at timestamptz,
    created_at timestamptz NOT NULL,
    removed_at timestamptz,
    CONSTRAINT a_webhook_has_a_secret CHECK ((kind = 1) = (secret <> ''))
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX a_player_has_a_channel_once ON channel_targets (player_id, kind, address)
    WHERE removed_at IS NULL;
CREATE INDEX channel_targets_of ON channel_targets (player_id, id);

CREATE TABLE deliveries (
    id bigserial PRIMARY KEY,
    target_id bigint NOT NULL REFERENCES channel_targets,
    sequence bigint NOT NULL,
    message_id uuid NOT NULL DEFAULT gen_random_uuid(),
    letter jsonb NOT NULL,
    state smallint NOT NULL CHECK (state BETWEEN 1 AND 3),
    attempts bigint NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL,
    last_error text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT a_notification_goes_to_a_channel_once UNIQUE (target_id, sequence),
    CONSTRAINT what_waits_has_not_ended CHECK ((state = 1) = (ended_at IS NULL))
);
CREATE INDEX deliveries_due ON deliveries (target_id, next_at) WHERE state = 1;
CREATE INDEX deliveries_dead ON deliveries (target_id, id) WHERE state = 3;
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE state = 2;
"""


def up(migrator: Any, db: Any) -> None:
    """Make them."""
    db.execute_sql(SCHEMA)
