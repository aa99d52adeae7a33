"""Duels: their terms and states, their commitments, and that each is paid out once."""

from typing import Any

SCHEMA = """
CREATE TABLE duels (
    id bigserial PRIMARY KEY,
    challenger_id bigint NOT NULL REFERENCES players,
    opponent_id bigint REFERENCES players,
    stake_cents bigint NOT NULL,
    house_bps bigint NOT NULL CHECK (house_bps BETWEEN 0 AND 10000),
    draws smallint NOT NULL CHECK (draws IN (1, 2)),
    max_rounds bigint NOT NULL,
    move_seconds bigint NOT NULL CHECK (move_seconds > 0),
    state smallint NOT NULL CHECK (state BETWEEN 1 AND 5),
    ending smallint NOT NULL DEFAULT 0 CHECK (ending BETWEEN 0 AND 8),
    winner_id bigint,
    house_share_cents bigint NOT NULL DEFAULT 0,
    round bigint NOT NULL DEFAULT 1,
    due_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    accepted_at timestamptz,
    settled_at timestamptz,
    CONSTRAINT a_duel_is_for_something CHECK (stake_cents BETWEEN 1 AND 1000000000000000),
    CONSTRAINT the_house_challenges_nobody CHECK (challenger_id <> 0),
    CONSTRAINT nobody_duels_with_oneself CHECK (opponent_id <> challenger_id),
    CONSTRAINT two_play CHECK (accepted_at IS NULL OR opponent_id IS NOT NULL),
    CONSTRAINT an_open_duel_is_not_accepted CHECK (state <> 1 OR (accepted_at IS NULL AND opponent_id
        IS DISTINCT FROM 0)),
    CONSTRAINT people_commit_and_reveal CHECK (state NOT IN (2, 3)
        OR (accepted_at IS NOT NULL AND opponent_id <> 0)),
    CONSTRAINT only_against_the_house_one_chooses CHECK (state <> 4
        OR (accepted_at IS NOT NULL AND opponent_id = 0)),
    CONSTRAINT what_is_settled_has_ended
        CHECK ((state = 5) = (ending <> 0) AND (state = 5) = (settled_at IS NOT NULL)),
    CONSTRAINT who_wins_took_part CHECK ((ending IN (1, 2)) = (winner_id IS NOT NULL)
        AND (winner_id IS NULL OR (accepted_at IS NOT NULL AND winner_id IN (challenger_id, opponent_id)))),
    CONSTRAINT the_share_is_of_what_is_won CHECK (house_share_cents BETWEEN 0 AND stake_cents
        AND (house_share_cents = 0 OR winner_id <> 0)),
    CONSTRAINT rounds_are_counted CHECK (round BETWEEN 1 AND max_rounds)
) WITH (fillfactor = 70);
CREATE INDEX duels_due ON duels (due_at) WHERE state <> 5;
CREATE INDEX duels_challenger ON duels (challenger_id, id);
CREATE INDEX duels_opponent ON duels (opponent_id, id);
CREATE INDEX duels_settled ON duels (settled_at);

CREATE FUNCTION duels_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE integrity_constraint_violation USING MESSAGE = TG_NAME || ': it is over and cannot be changed';
END $$;
CREATE TRIGGER a_duel_is_settled_once BEFORE UPDATE OR DELETE ON duels
    FOR EACH ROW WHEN (OLD.state = 5) EXECUTE FUNCTION duels_stay();

CREATE TABLE duel_sides (
    duel_id bigint NOT NULL REFERENCES duels,
    round bigint NOT NULL CHECK (round > 0),
    player_id bigint NOT NULL REFERENCES players,
    commitment bytea CHECK (octet_length(commitment) = 32),
    committed_at timestamptz,
    move smallint CHECK (move BETWEEN 1 AND 3),
    nonce bytea CHECK (octet_length(nonce) BETWEEN 16 AND 64),
    revealed_at timestamptz,
    PRIMARY KEY (duel_id, round, player_id),
    CONSTRAINT a_commitment_is_used_once UNIQUE (commitment),
    CONSTRAINT a_commitment_has_its_time CHECK ((commitment IS NULL) = (committed_at IS NULL)),
    CONSTRAINT a_commitment_is_kept_by_its_nonce CHECK ((move IS NULL AND nonce IS NULL)
        OR (move IS NOT NULL AND (nonce IS NULL) = (commitment IS NULL))),
    CONSTRAINT people_are_known_by_their_reveal
        CHECK (player_id = 0 OR (move IS NULL) = (revealed_at IS NULL)),
    CONSTRAINT the_house_commits_to_a_move
        CHECK (player_id <> 0 OR (commitment IS NOT NULL AND move IS NOT NULL))
);
CREATE TRIGGER a_commitment_stays BEFORE UPDATE ON duel_sides FOR EACH ROW
    WHEN (OLD.revealed_at IS NOT NULL OR NEW.commitment IS DISTINCT FROM OLD.commitment
        OR (OLD.move IS NOT NULL AND (NEW.move, NEW.nonce) IS DISTINCT FROM (OLD.move, OLD.nonce)))
    EXECUTE FUNCTION duels_stay();
CREATE TRIGGER a_commitment_is_not_taken_back BEFORE DELETE ON duel_sides
    FOR EACH ROW EXECUTE FUNCTION duels_stay();

-- Each side pays its stake once, and is paid once: what was won, or the stake again; the house its share.
CREATE UNIQUE INDEX a_duel_is_paid_once ON postings (reference, debit, credit)
    WHERE reason IN ('duel_stake', 'duel_back', 'duel_won', 'duel_fee');

CREATE TABLE duel_watch (id smallint PRIMARY KEY CHECK (id = 1), seen_at timestamptz);
INSERT INTO duel_watch VALUES (1, NULL);
"""


def up(migrator: Any, db: Any) -> None:
    """Make them, beside what is there."""
    db.execute_sql(SCHEMA)
