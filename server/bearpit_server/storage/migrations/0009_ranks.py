"""Ranks, the final ranks of days and windows, and badges."""

from typing import Any

# One half holds while the other is emptied and filled anew, twice a minute: neither needs to be vacuumed.
_HALF = """
CREATE TABLE rank_places_{half} (
    player_id bigint PRIMARY KEY,
    worth_cents bigint NOT NULL,
    realised_cents bigint NOT NULL,
    received_cents bigint NOT NULL,
    level bigint NOT NULL CHECK (level > 0),
    peak bigint NOT NULL,
    drawdown_bps bigint NOT NULL CHECK (drawdown_bps BETWEEN 0 AND 10000),
    day_start_cents bigint NOT NULL,
    window_start_cents bigint NOT NULL,
    held boolean NOT NULL,
    ranked boolean NOT NULL,
    CONSTRAINT a_level_is_not_above_its_peak CHECK (level <= peak)
) WITH (autovacuum_enabled = false);
CREATE TABLE rank_pages_{half} (
    board smallint NOT NULL,
    page bigint NOT NULL,
    low bigint NOT NULL,
    keys bigint[] NOT NULL,
    players bigint[] NOT NULL,
    PRIMARY KEY (board, page)
) WITH (autovacuum_enabled = false);
CREATE INDEX rank_pages_{half}_low ON rank_pages_{half} (board, low DESC, page);
"""

SCHEMA = """
CREATE AGGREGATE bearpit_total(bigint) (SFUNC = int8pl, STYPE = bigint, INITCOND = '0');

CREATE INDEX postings_from_outside ON postings (id) WHERE reason NOT IN ('trade', 'fee', 'pool', 'issue',
    'loan', 'repayment', 'interest', 'duel_stake', 'duel_back', 'duel_won', 'duel_fee', 'rollback',
    'rollback_fee', 'rollback_issue', 'rollback_charge');

CREATE INDEX accounts_of_debts ON accounts (owner_id) WHERE kind = 'debt';

CREATE TABLE rank_editions (
    id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    posting_id bigint NOT NULL,
    next_xid bigint NOT NULL,
    settled_id bigint NOT NULL,
    day date NOT NULL,
    window_id bigint,
    closes_day boolean NOT NULL,
    closes_window boolean NOT NULL,
    players bigint NOT NULL,
    CONSTRAINT editions_are_counted CHECK (id > 0)
);
CREATE TABLE rank_seen (posting_id bigint PRIMARY KEY);
CREATE TABLE rank_teams (
    edition_id bigint NOT NULL,
    team_id bigint NOT NULL,
    position bigint NOT NULL,
    rank bigint NOT NULL,
    members bigint NOT NULL CHECK (members > 0),
    average_cents bigint NOT NULL,
    PRIMARY KEY (edition_id, team_id)
);
CREATE TABLE rank_marks (
    edition_id bigint NOT NULL,
    instrument_id bigint NOT NULL,
    mark_cents bigint NOT NULL CHECK (mark_cents >= 0),
    pool_cents bigint,
    pool_shares bigint,
    tick_cents bigint NOT NULL CHECK (tick_cents > 0),
    most bigint NOT NULL CHECK (most >= 0),
    source smallint NOT NULL CHECK (source BETWEEN 1 AND 6),
    trades bigint NOT NULL,
    pairs bigint NOT NULL,
    PRIMARY KEY (edition_id, instrument_id)
);

CREATE TABLE rank_periods (
    id bigserial PRIMARY KEY,
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 3),
    day date,
    window_id bigint,
    at timestamptz NOT NULL,
    players bigint NOT NULL,
    CONSTRAINT a_day_is_kept_once UNIQUE (day),
    CONSTRAINT a_window_is_kept_once UNIQUE (window_id),
    CONSTRAINT a_period_is_of_its_kind
        CHECK ((kind = 2) = (day IS NOT NULL) AND (kind = 3) = (window_id IS NOT NULL))
);
CREATE TABLE rank_results (
    period_id bigint NOT NULL REFERENCES rank_periods ON DELETE CASCADE,
    player_id bigint NOT NULL,
    keys bigint[] NOT NULL,
    PRIMARY KEY (period_id, player_id)
);
CREATE TABLE rank_result_pages (
    period_id bigint NOT NULL REFERENCES rank_periods ON DELETE CASCADE,
    board smallint NOT NULL,
    page bigint NOT NULL,
    low bigint NOT NULL,
    keys bigint[] NOT NULL,
    players bigint[] NOT NULL,
    PRIMARY KEY (period_id, board, page)
);
CREATE INDEX rank_result_pages_low ON rank_result_pages (period_id, board, low DESC, page);
CREATE TABLE rank_result_teams (
    period_id bigint NOT NULL REFERENCES rank_periods ON DELETE CASCADE,
    team_id bigint NOT NULL,
    position bigint NOT NULL,
    rank bigint NOT NULL,
    members bigint NOT NULL,
    average_cents bigint NOT NULL,
    PRIMARY KEY (period_id, team_id)
);

CREATE TABLE badges (
    player_id bigint NOT NULL REFERENCES players,
    badge text NOT NULL,
    at timestamptz NOT NULL,
    first boolean NOT NULL DEFAULT false,
    revoked_at timestamptz,
    CONSTRAINT a_badge_is_given_once PRIMARY KEY (player_id, badge)
);
CREATE UNIQUE INDEX only_one_is_the_first ON badges (badge) WHERE first AND revoked_at IS NULL;
CREATE INDEX badges_badge ON badges (badge);
"""


def up(migrator: Any, db: Any) -> None:
    """Make them, beside what is there."""
    db.execute_sql(SCHEMA + _HALF.format(half=0) + _HALF.format(half=1))
