"""The doctor's rules of duels hold of every ending, and each finds what it is there to find."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from bearpit_server.events.log import HOUSE_ORIGIN, Origin
from bearpit_server.game.duels import endings, house, playing, rows
from bearpit_server.game.duels.terms import Terms
from bearpit_server.game.proofs import doctor, doctor_duels, doctor_recent
from bearpit_server.game.proofs.doctor_recent import BEGINNING
from bearpit_server.identity import players
from bearpit_server.rules.duel import Draws, Ending, Move, Side, Verdict, commitment
from bearpit_server.rules.roles import PLAYER
from bearpit_server.storage.database import Database
from bearpit_server.storage.models.duels import DuelSide

from tests.postgres import Postgres

ADA, BOB = 1, 2
TERMS = Terms(100, 1_000_000, 300, 60, 250, Draws.RETURN, 3, 50)
STAKE = 10_000


@pytest.fixture(scope="module", name="dueled")
def make_dueled(postgres: Postgres) -> Iterator[Database]:
    """A house in which duels have ended in every way, and some have not."""
    with postgres.database() as database:
        with database.transaction():
            for name in ("ada", "bob"):
                players.create_player(name, "", [PLAYER], 1_000_000, HOUSE_ORIGIN)
        for number in range(9):
            with database.transaction():
                play(number)
        yield database


def play(number: int) -> None:
    """One duel of each kind."""
    nonces = bytes([number] * 16), bytes([number] * 17)
    moves = (Move.ROCK, Move.ROCK if number == 1 else Move.PAPER)
    if number == 7:
        opened = house.open_against_house(ADA, STAKE, TERMS, Origin(ADA)).duel
        move = DuelSide.get((DuelSide.duel_id == opened.id) & (DuelSide.player_id == 0)).move
        house.play_against_house(ADA, opened.id, 0, move % 3 + 1, Origin(ADA))
        return
    given = commitment("ada", moves[0], nonces[0]), commitment("bob", moves[1], nonces[1])
    duel = playing.challenge(ADA, None, STAKE, given[0], TERMS, Origin(ADA)).duel
    if number == 6:  # stays open
        return
    if number == 5:
        playing.cancel(ADA, duel.id, Origin(ADA))
        return
    playing.accept(BOB, duel.id, given[1], TERMS, Origin(BOB))
    if number == 4:  # stays in play
        return
    if number == 3:
        endings.settle(rows.lock(duel.id), Verdict(Ending.ABANDONED), HOUSE_ORIGIN)
        return
    playing.reveal(ADA, duel.id, 1, moves[0], nonces[0], Origin(ADA))
    if number == 2:
        endings.settle(rows.lock(duel.id), Verdict(Ending.FORFEITED, Side.CHALLENGER), HOUSE_ORIGIN)
        return
    playing.reveal(BOB, duel.id, 1, moves[1], nonces[1], Origin(BOB))


class Undo(Exception):
    """Ends a transaction that shall leave nothing."""


@contextmanager
def undone(database: Database) -> Iterator[None]:
    """A transaction that is rolled back, in which the database lets anything pass."""
    with suppress(Undo), database.transaction():
        database.execute("SET LOCAL session_replication_role = replica")  # no triggers
        yield
        raise Undo


ESCROW, POSTINGS, COMMITMENTS, WINNERS = (rule.sentence for rule in doctor_duels.RULES)
WON = "id = (SELECT min(id) FROM duels WHERE ending = 1 AND opponent_id <> 0)"
SICKNESSES = [
    (
        "a stake that is forgotten",
        "UPDATE duels SET stake_cents = stake_cents + 1 WHERE state = 1",
        {ESCROW, POSTINGS},
    ),
    (
        "a duel that is over and not settled",
        "UPDATE duels SET state = 3, ending = 0, winner_id = NULL, house_share_cents = 0, settled_at = NULL "
        f"WHERE {WON}",
        {ESCROW, POSTINGS},
    ),
    (
        "a stake that was not put up",
        "DELETE FROM postings WHERE reason = 'duel_stake' AND reference = 'duel:1'",
        {POSTINGS},
    ),
    (
        "a stake that did not come back",
        "DELETE FROM postings WHERE reason = 'duel_back' AND reference = 'duel:2'",
        {POSTINGS},
    ),
    (
        "a stake that came back though it was lost",
        "UPDATE postings SET reason = 'duel_back' WHERE reason = 'duel_won' AND reference = 'duel:1'",
        {POSTINGS},
    ),
    (
        "a share that was kept twice",
        f"UPDATE duels SET house_share_cents = house_share_cents + 1 WHERE {WON}",
        {POSTINGS},
    ),
    (
        "postings of no duel",
        "UPDATE postings SET reference = 'duel:99' WHERE reference = 'duel:2'",
        {POSTINGS},
    ),
    (
        "another move than was committed to",
        "UPDATE duel_sides SET move = 3 WHERE duel_id = 3 AND move IS NOT NULL",
        {COMMITMENTS},
    ),
    (
        "a nonce that was made up",
        "UPDATE duel_sides SET nonce = nonce || '\\x00' WHERE duel_id = 2",
        {COMMITMENTS},
    ),
    ("a winner who had lost", f"UPDATE duels SET winner_id = challenger_id WHERE {WON}", {WINNERS, POSTINGS}),
    ("a draw that was none", "UPDATE duels SET ending = 3 WHERE id = 4", {WINNERS}),
    ("a limit that nobody missed", f"UPDATE duels SET ending = 2 WHERE {WON}", {WINNERS}),
]


def test_every_rule_holds_of_every_ending(dueled: Database) -> None:
    with dueled.transaction():
        proofs = doctor.check()
    assert [proof for proof in proofs if not proof.holds] == []
    ours = {rule.sentence for rule in doctor_duels.RULES}
    assert all(proof.checked for proof in proofs if proof.rule in ours)


def test_every_rule_has_a_sickness_that_it_finds() -> None:
    assert set().union(*(found for _, _, found in SICKNESSES)) == {
        rule.sentence for rule in doctor_duels.RULES
    }


@pytest.mark.parametrize(("name", "sql", "expected"), SICKNESSES, ids=[name for name, _, _ in SICKNESSES])
def test_each_sickness_is_found_in_all_and_in_what_is_new(
    name: str, sql: str, expected: set[str], dueled: Database
) -> None:
    with undone(dueled):
        assert dueled.execute(sql).rowcount, "the sickness changed something"
        found = {rule.sentence for rule in doctor_duels.RULES if not doctor.prove(rule).holds}
        fresh = {proof.rule for proof in doctor_recent.check(BEGINNING) if not proof.holds}
    assert found == expected
    # Postings of a duel that there is not are found by the full proofs alone.
    assert fresh & {rule.sentence for rule in doctor_duels.RULES} == expected
