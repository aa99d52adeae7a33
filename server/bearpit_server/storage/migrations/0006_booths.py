"""Booths that are visited once, and arcade machines that take and give points."""

from typing import Any

SCHEMA = """
CREATE TABLE booths (
    id bigserial PRIMARY KEY,
    name text NOT NULL,
    password_hash text NOT NULL,
    password_at timestamptz NOT NULL,
    reward_cents bigint CONSTRAINT a_visit_is_worth_something CHECK (reward_cents > 0),
    creates_players boolean NOT NULL,
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX booths_name ON booths (lower(name));

CREATE TABLE booth_visits (
    id bigserial NOT NULL UNIQUE,
    booth_id bigint NOT NULL REFERENCES booths,
    player_id bigint NOT NULL REFERENCES players,
    reward_cents bigint NOT NULL CHECK (reward_cents > 0),
    created_player boolean NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT a_player_visits_a_booth_once PRIMARY KEY (booth_id, player_id)
);
CREATE INDEX booth_visits_at ON booth_visits (booth_id, at);
CREATE INDEX booth_visits_booth ON booth_visits (booth_id, id);
CREATE INDEX booth_visits_player ON booth_visits (player_id, id);

CREATE TABLE arcade_machines (
    id bigserial PRIMARY KEY,
    name text NOT NULL,
    play_take_cents bigint CHECK (play_take_cents >= 0),
    play_give_cents bigint CHECK (play_give_cents >= 0),
    player_day_take_cents bigint CHECK (player_day_take_cents >= 0),
    player_day_give_cents bigint CHECK (player_day_give_cents >= 0),
    day_take_cents bigint CHECK (day_take_cents >= 0),
    day_give_cents bigint CHECK (day_give_cents >= 0),
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX arcade_machines_name ON arcade_machines (lower(name));

CREATE TABLE arcade_transactions (
    id bigserial NOT NULL UNIQUE,
    machine_id bigint NOT NULL REFERENCES arcade_machines,
    transaction_id text NOT NULL,
    player_id bigint NOT NULL REFERENCES players,
    kind smallint NOT NULL CHECK (kind IN (1, 2)),
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    score bigint NOT NULL DEFAULT 0,
    note text NOT NULL,
    day date NOT NULL,
    at timestamptz NOT NULL,
    voided_at timestamptz,
    CONSTRAINT a_machine_does_a_transaction_once PRIMARY KEY (machine_id, transaction_id)
);
CREATE INDEX arcade_transactions_day ON arcade_transactions (machine_id, day);
CREATE INDEX arcade_transactions_machine ON arcade_transactions (machine_id, id);
CREATE INDEX arcade_transactions_player ON arcade_transactions (player_id, id);
"""


def up(migrator: Any, db: Any) -> None:
    """Make them, beside what is there."""
    db.execute_sql(SCHEMA)
