"""Mechanisms beside the book: groups, tills, recordings, news, trading windows, settlement, rollback."""

from typing import Any

SCHEMA = """
ALTER TABLE accounts
    ADD COLUMN instrument_id bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT accounts_kind_check,
    DROP CONSTRAINT only_the_issuer_is_negative,
    DROP CONSTRAINT only_the_house_issues,
    DROP CONSTRAINT accounts_owner_id_asset_kind_key,
    ADD CONSTRAINT accounts_kind_check
        CHECK (kind IN ('player', 'debt', 'issuer', 'treasury', 'fees', 'dealer', 'pool')),
    ADD CONSTRAINT only_issuer_dealer_and_debt_are_negative
        CHECK (balance >= 0 OR kind IN ('issuer', 'dealer', 'debt')),
    ADD CONSTRAINT a_debt_is_owed CHECK (kind <> 'debt' OR (balance <= 0 AND asset = 0 AND held = 0)),
    ADD CONSTRAINT only_the_house_issues CHECK ((kind IN ('player', 'debt')) = (owner_id <> 0)),
    ADD CONSTRAINT only_tills_are_of_an_instrument
        CHECK ((kind IN ('dealer', 'pool')) = (instrument_id <> 0)),
    ADD CONSTRAINT one_account_each UNIQUE (owner_id, asset, kind, instrument_id);

CREATE TABLE groups (
    id bigserial PRIMARY KEY,
    name text NOT NULL,
    mechanism text NOT NULL,
    shard smallint NOT NULL CHECK (shard BETWEEN 0 AND 15),
    parameters jsonb NOT NULL,
    memory jsonb NOT NULL DEFAULT '{}',
    steps bigint NOT NULL DEFAULT 0,
    stepped_at timestamptz,
    refused jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX groups_name ON groups (lower(name));

ALTER TABLE instruments
    ADD COLUMN group_id bigint REFERENCES groups,
    ADD COLUMN parameters jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN price_cents bigint NOT NULL DEFAULT 0 CHECK (price_cents >= 0),
    ADD COLUMN priced_at timestamptz;

CREATE TABLE marks (
    instrument_id bigint NOT NULL,
    step bigint NOT NULL,
    price_cents bigint NOT NULL CHECK (price_cents > 0),
    at timestamptz NOT NULL,
    PRIMARY KEY (instrument_id, step)
);

CREATE TABLE recordings (
    id bigserial PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX recordings_name ON recordings (lower(name));
CREATE TABLE bars (
    recording_id bigint NOT NULL REFERENCES recordings ON DELETE CASCADE,
    at timestamptz NOT NULL,
    open_cents bigint NOT NULL,
    high_cents bigint NOT NULL,
    low_cents bigint NOT NULL CHECK (low_cents > 0),
    close_cents bigint NOT NULL,
    volume bigint NOT NULL CHECK (volume >= 0),
    PRIMARY KEY (recording_id, at)
);

CREATE TABLE news (
    id bigserial PRIMARY KEY,
    text text NOT NULL,
    instrument_ids bigint[] NOT NULL,
    drift_bps bigint NOT NULL,
    volatility_bps bigint NOT NULL CHECK (volatility_bps >= 0),
    publish_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    withdrawn_at timestamptz,
    told boolean NOT NULL DEFAULT false,
    author_id bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT news_ends_after_it_began CHECK (ends_at > publish_at)
);
CREATE INDEX news_by_time ON news (publish_at);

CREATE TABLE windows (
    id bigserial PRIMARY KEY,
    title text NOT NULL,
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 4),
    number bigint NOT NULL CHECK (number > 0),
    state smallint NOT NULL CHECK (state BETWEEN 1 AND 10),
    opens_at timestamptz,
    trades_at timestamptz,
    trading_ends_at timestamptz,
    settles_at timestamptz,
    closes_at timestamptz,
    recurrence text NOT NULL,
    time_zone text NOT NULL,
    plan jsonb NOT NULL,
    changed_at timestamptz NOT NULL,
    begins_at timestamptz,
    stopped text NOT NULL DEFAULT '',
    follows_id bigint REFERENCES windows,
    reversed_by bigint,
    created_at timestamptz NOT NULL,
    CONSTRAINT one_window_follows UNIQUE (follows_id),
    CONSTRAINT one_number_a_kind UNIQUE (kind, number)
);
CREATE INDEX windows_current ON windows (state) WHERE state < 9;
CREATE TABLE window_instruments (
    window_id bigint NOT NULL REFERENCES windows,
    instrument_id bigint NOT NULL REFERENCES instruments,
    price_cents bigint,
    PRIMARY KEY (window_id, instrument_id)
);
CREATE INDEX window_instruments_instrument ON window_instruments (instrument_id, window_id);
CREATE TABLE snapshots (
    window_id bigint NOT NULL REFERENCES windows,
    account_id bigint NOT NULL,
    balance bigint NOT NULL,
    cost_cents bigint NOT NULL,
    realised_cents bigint NOT NULL,
    posting_id bigint NOT NULL,
    PRIMARY KEY (window_id, account_id)
);
CREATE TABLE settlements (
    id bigserial PRIMARY KEY,
    window_id bigint NOT NULL REFERENCES windows,
    instrument_id bigint NOT NULL REFERENCES instruments,
    previous_cents bigint NOT NULL CHECK (previous_cents > 0),
    price_cents bigint NOT NULL CHECK (price_cents > 0),
    move_bps bigint NOT NULL,
    explanation text NOT NULL,
    factors jsonb NOT NULL,
    bounded boolean NOT NULL,
    algorithm text NOT NULL,
    parameters jsonb NOT NULL,
    variant text NOT NULL,
    trading jsonb NOT NULL,
    settled_at timestamptz NOT NULL,
    corrected_by bigint
);
CREATE UNIQUE INDEX settlements_that_hold ON settlements (window_id, instrument_id)
    WHERE corrected_by IS NULL;
CREATE INDEX settlements_instrument ON settlements (instrument_id, id);

CREATE TABLE rollbacks (
    id bigserial PRIMARY KEY,
    level smallint NOT NULL CHECK (level BETWEEN 1 AND 4),
    state smallint NOT NULL CHECK (state BETWEEN 1 AND 6),
    trade_id bigint,
    player_id bigint,
    window_id bigint REFERENCES windows,
    since timestamptz,
    policy smallint NOT NULL CHECK (policy BETWEEN 1 AND 3),
    plan jsonb,
    prices jsonb,
    reason text NOT NULL,
    requested_by bigint NOT NULL,
    requested_at timestamptz NOT NULL,
    expires_at timestamptz,
    decided_by bigint,
    decided_at timestamptz,
    done_at timestamptz,
    total bigint NOT NULL DEFAULT 0,
    done bigint NOT NULL DEFAULT 0,
    effects jsonb,
    closing jsonb,
    failure text NOT NULL DEFAULT '',
    proof text NOT NULL DEFAULT '',
    CONSTRAINT two_operators_for_a_window
        CHECK (level <> 3 OR state NOT IN (2, 3) OR coalesce(decided_by <> requested_by, false))
);
CREATE INDEX rollbacks_unfinished ON rollbacks (state) WHERE state <= 2;
CREATE UNIQUE INDEX a_window_is_rolled_back_once ON rollbacks (window_id) WHERE level = 3 AND state IN (2, 3);
CREATE TABLE reversals (
    trade_id bigint PRIMARY KEY,
    rollback_id bigint NOT NULL REFERENCES rollbacks,
    reversed_at timestamptz
);
CREATE INDEX reversals_rollback ON reversals (rollback_id, trade_id);
CREATE INDEX reversals_to_do ON reversals (rollback_id, trade_id) WHERE reversed_at IS NULL;
CREATE TABLE earmarks (
    rollback_id bigint NOT NULL REFERENCES rollbacks,
    account_id bigint NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (rollback_id, account_id)
);

ALTER TABLE trades
    ADD COLUMN window_id bigint NOT NULL DEFAULT 0,
    ADD COLUMN seller_cost_cents bigint NOT NULL DEFAULT 0;
CREATE INDEX trades_window ON trades (window_id, instrument_id) WHERE window_id > 0;
"""


def up(migrator: Any, db: Any) -> None:
    """Make them, beside what is there."""
    db.execute_sql(SCHEMA)
