"""People at a camp: roles, freezing, credit lines, debts with interest, comeback loans, escrow."""

from typing import Any

SCHEMA = """
ALTER TABLE players
    ADD COLUMN roles text[] NOT NULL DEFAULT '{player}',
    ADD COLUMN frozen boolean NOT NULL DEFAULT false,
    ADD COLUMN credit_cents bigint NOT NULL DEFAULT 0,
    ADD COLUMN fee_off_bps bigint NOT NULL DEFAULT 0,
    ADD COLUMN fee_off_until timestamptz,
    ADD CONSTRAINT a_credit_line_is_not_negative CHECK (credit_cents >= 0),
    ADD CONSTRAINT a_fee_is_not_paid_back CHECK (fee_off_bps BETWEEN 0 AND 10000);
UPDATE players SET roles = ARRAY[role];
ALTER TABLE players
    DROP COLUMN role,
    ADD CONSTRAINT players_have_roles CHECK (roles <@ ARRAY[
        'player', 'code_manager', 'points_manager', 'code_points_manager', 'announcer', 'surveillance',
        'admin', 'house']),
    ADD CONSTRAINT only_the_house_is_the_house CHECK (('house' = ANY(roles)) = (id = 0));

ALTER TABLE accounts
    DROP CONSTRAINT accounts_kind_check,
    ADD CONSTRAINT accounts_kind_check
        CHECK (kind IN ('player', 'debt', 'issuer', 'treasury', 'fees', 'dealer', 'pool', 'escrow')),
    ADD COLUMN debt_id bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT cash_knows_the_debt CHECK (debt_id = 0 OR (kind = 'player' AND asset = 0));
UPDATE accounts c SET debt_id = d.id FROM accounts d
    WHERE d.owner_id = c.owner_id AND d.kind = 'debt' AND c.kind = 'player' AND c.asset = 0;
INSERT INTO accounts (owner_id, asset, kind) VALUES (0, 0, 'escrow');

ALTER TABLE orders
    ADD COLUMN borrowed_cents bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT what_is_borrowed_is_held CHECK (borrowed_cents BETWEEN 0 AND held);

CREATE TABLE interest_runs (
    period bigint PRIMARY KEY,
    rate_bps bigint NOT NULL CHECK (rate_bps >= 0),
    after_account bigint NOT NULL DEFAULT 0,
    began_at timestamptz NOT NULL,
    done_at timestamptz
);
CREATE INDEX accounts_that_owe ON accounts (id) WHERE kind = 'debt' AND balance < 0;

CREATE UNIQUE INDEX interest_is_charged_once ON postings (debit, reference) WHERE reason = 'interest';
CREATE INDEX transfers_sender ON transfers (from_id, created_at);

CREATE TABLE comeback_loans (
    player_id bigint NOT NULL REFERENCES players,
    number bigint NOT NULL CHECK (number > 0),
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (player_id, number)
);
"""


def up(migrator: Any, db: Any) -> None:
    """Make them, beside what is there."""
    db.execute_sql(SCHEMA)
