"""Codes in batches, their redemptions, who guesses, and who brought whom."""

from typing import Any

SCHEMA = """
CREATE TABLE code_batches (
    id bigserial PRIMARY KEY,
    kind smallint NOT NULL,
    value_cents bigint NOT NULL,
    off_bps bigint NOT NULL CHECK (off_bps BETWEEN 0 AND 10000),
    lifetime_seconds bigint NOT NULL CHECK (lifetime_seconds >= 0),
    instrument_id bigint REFERENCES instruments,
    quantity bigint NOT NULL,
    use smallint NOT NULL,
    max_uses bigint NOT NULL,
    code_count bigint NOT NULL CHECK (code_count > 0),
    expires_at timestamptz,
    reason text NOT NULL,
    created_by bigint NOT NULL REFERENCES players,
    created_at timestamptz NOT NULL,
    withdrawn_at timestamptz,
    CONSTRAINT a_batch_brings_what_its_kind_says CHECK (
        (kind = 1) = (value_cents > 0) AND (kind = 2) = (off_bps > 0) AND (kind = 2) = (lifetime_seconds > 0)
        AND (kind = 3) = (quantity > 0) AND (kind = 3) = (instrument_id IS NOT NULL)
        AND kind BETWEEN 1 AND 3 AND value_cents >= 0 AND quantity >= 0
    ),
    CONSTRAINT its_use_says_how_often CHECK (
        (use = 1 AND max_uses = 1) OR (use = 2 AND max_uses > 0) OR (use = 3 AND max_uses = 0)
    ),
    CONSTRAINT codes_share_the_limit_of_their_batch UNIQUE (id, max_uses)
);
CREATE TABLE codes (
    id bigserial PRIMARY KEY,
    batch_id bigint NOT NULL,
    max_uses bigint NOT NULL,
    text text NOT NULL UNIQUE CHECK (text ~ '^[0-9A-HJKMNP-TV-Z]{13}$'),
    uses bigint NOT NULL DEFAULT 0,
    FOREIGN KEY (batch_id, max_uses) REFERENCES code_batches (id, max_uses),
    CONSTRAINT no_code_is_used_more_often_than_it_may
        CHECK (uses >= 0 AND (uses <= max_uses OR max_uses = 0))
) WITH (fillfactor = 80);
CREATE INDEX codes_batch ON codes (batch_id, id);
CREATE TABLE redemptions (
    id bigserial PRIMARY KEY,
    code_id bigint NOT NULL REFERENCES codes,
    player_id bigint NOT NULL REFERENCES players,
    redeemed_at timestamptz NOT NULL,
    CONSTRAINT nobody_redeems_a_code_twice UNIQUE (code_id, player_id)
);
CREATE INDEX redemptions_player ON redemptions (player_id, id);

CREATE TABLE code_guessers (
    player_id bigint PRIMARY KEY REFERENCES players,
    address text NOT NULL,
    pending bigint NOT NULL CHECK (pending >= 0),
    logged_at timestamptz NOT NULL
);
CREATE INDEX code_guessers_pending ON code_guessers (logged_at) WHERE pending > 0;

CREATE TABLE referral_codes (
    player_id bigint PRIMARY KEY REFERENCES players,
    text text NOT NULL UNIQUE CHECK (text ~ '^[0-9A-HJKMNP-TV-Z]{13}$')
);
CREATE TABLE referrals (
    newcomer_id bigint PRIMARY KEY REFERENCES players,
    referrer_id bigint NOT NULL REFERENCES players,
    created_at timestamptz NOT NULL,
    rewarded_at timestamptz,
    referrer_cents bigint NOT NULL DEFAULT 0 CHECK (referrer_cents >= 0),
    newcomer_cents bigint NOT NULL DEFAULT 0 CHECK (newcomer_cents >= 0),
    -- Who was there first brings the other along: so no two, and no ring, can have brought each other.
    CONSTRAINT nobody_brings_himself_or_an_older_one CHECK (referrer_id < newcomer_id),
    CONSTRAINT nothing_is_paid_before_the_first_trade
        CHECK (rewarded_at IS NOT NULL OR (referrer_cents = 0 AND newcomer_cents = 0))
);
CREATE INDEX referrals_referrer ON referrals (referrer_id);
CREATE INDEX referrals_waiting ON referrals (newcomer_id) WHERE rewarded_at IS NULL;
"""


def up(migrator: Any, db: Any) -> None:
    """Make them, beside what is there."""
    db.execute_sql(SCHEMA)
