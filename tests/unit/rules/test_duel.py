"""Duels: the moves, the commitments, every change of state, every ending."""

from hashlib import sha256
from itertools import product

import pytest
from bearpit.client import duels as client
from bearpit.v1 import duels_pb2 as pb
from bearpit_server.rules.duel import (
    ENDINGS,
    NONCE_BYTES,
    TRANSITIONS,
    UNFINISHED,
    Draws,
    DuelState,
    Ending,
    Move,
    Side,
    Verdict,
    at_limit,
    check_commitment,
    check_ending,
    check_move,
    check_reveal,
    check_transition,
    commitment,
    decide,
    payout,
    text_of,
    winner_of,
)
from bearpit_server.rules.refusals import Refused
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.from_regex(r"[A-Za-z0-9_.-]{3,24}", fullmatch=True)
NONCES = st.binary(min_size=NONCE_BYTES[0], max_size=NONCE_BYTES[-1])
MOVES = st.sampled_from(Move)
ROCK, PAPER, SCISSORS = Move


@pytest.mark.parametrize(
    ("challenger", "opponent", "winner"),
    [
        (ROCK, ROCK, Side.NOBODY),
        (ROCK, PAPER, Side.OPPONENT),
        (ROCK, SCISSORS, Side.CHALLENGER),
        (PAPER, ROCK, Side.CHALLENGER),
        (PAPER, PAPER, Side.NOBODY),
        (PAPER, SCISSORS, Side.OPPONENT),
        (SCISSORS, ROCK, Side.OPPONENT),
        (SCISSORS, PAPER, Side.CHALLENGER),
        (SCISSORS, SCISSORS, Side.NOBODY),
    ],
)
def test_who_beats_whom(challenger: Move, opponent: Move, winner: Side) -> None:
    assert winner_of(challenger, opponent) is winner
    assert client.winner(text_of(challenger), text_of(opponent)) == winner


# --- commitments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "move", "nonce", "expected"),
    [
        ("ada", ROCK, bytes(16), "bearpit.duel.v1\nada\nrock\n" + "00" * 16),
        ("house", PAPER, bytes(range(32)), "bearpit.duel.v1\nhouse\npaper\n" + bytes(range(32)).hex()),
        ("A.b-c_9", SCISSORS, b"\xff" * 64, "bearpit.duel.v1\nA.b-c_9\nscissors\n" + "ff" * 64),
    ],
)
def test_a_commitment_is_what_the_contract_says(name: str, move: Move, nonce: bytes, expected: str) -> None:
    digest = sha256(expected.encode()).digest()
    assert commitment(name, move, nonce) == digest
    assert client.commitment(name, text_of(move), nonce) == digest


def test_a_commitment_stays_what_it_was() -> None:
    """Clients elsewhere compute it too: this vector never changes."""
    assert commitment("ada", ROCK, bytes(range(32))).hex() == (
        "7bd0285c550563c6ca718e15515aeb7b9119e5aa17478a17335768e4dc6cf2c7"
    )


@given(name=NAMES, move=MOVES, nonce=NONCES)
def test_client_and_rules_agree_on_commitments(name: str, move: Move, nonce: bytes) -> None:
    assert commitment(name, move, nonce) == client.commitment(name, text_of(move), nonce)


@given(st.lists(st.tuples(NAMES, MOVES, NONCES), min_size=2, max_size=2, unique=True))
def test_different_things_are_committed_to_differently(both: list[tuple[str, Move, bytes]]) -> None:
    one, other = both
    assert commitment(*one) != commitment(*other)


@given(name=NAMES, other=NAMES, move=MOVES, nonce=NONCES, told=MOVES, given_nonce=NONCES)
def test_only_what_was_committed_to_can_be_revealed(
    name: str, other: str, move: Move, nonce: bytes, told: Move, given_nonce: bytes
) -> None:
    made = commitment(name, move, nonce)
    check_reveal(made, name, move, nonce)
    for wrong in ((other, move, nonce), (name, told, nonce), (name, move, given_nonce)):
        if wrong != (name, move, nonce):
            with pytest.raises(Refused) as error:
                check_reveal(made, *wrong)
            assert error.value.reason == "COMMITMENT_MISMATCH"


@pytest.mark.parametrize("size", [0, 15, 65, 1_000])
def test_a_nonce_that_could_be_guessed_or_is_enormous_is_refused(size: int) -> None:
    with pytest.raises(Refused) as error:
        commitment("ada", ROCK, bytes(size))
    assert error.value.field == "nonce"


@pytest.mark.parametrize("size", [0, 31, 33])
def test_what_is_no_hash_is_no_commitment(size: int) -> None:
    with pytest.raises(Refused):
        check_commitment(bytes(size))


@pytest.mark.parametrize("number", [0, 4, -1])
def test_there_are_three_moves(number: int) -> None:
    with pytest.raises(Refused):
        check_move(number)


def test_the_numbers_are_those_of_the_contract() -> None:
    def told(items: list[tuple[str, int]], prefix: str) -> dict[str, int]:
        return {name.removeprefix(prefix): number for name, number in items if number}

    assert told(pb.DuelMove.items(), "DUEL_MOVE_") == {move.name: move for move in Move}
    assert told(pb.DuelState.items(), "DUEL_STATE_") == {state.name: state for state in DuelState}
    assert told(pb.DuelDraws.items(), "DUEL_DRAWS_") == {draws.name: draws for draws in Draws}
    assert told(pb.DuelEnding.items(), "DUEL_ENDING_") == {
        ending.name: ending for ending in Ending if ending is not Ending.NONE
    }


# --- states ----------------------------------------------------------------------------------------

POSSIBLE = {
    (DuelState.OPEN, DuelState.REVEALING),
    (DuelState.OPEN, DuelState.SETTLED),
    (DuelState.COMMITTING, DuelState.REVEALING),
    (DuelState.COMMITTING, DuelState.SETTLED),
    (DuelState.REVEALING, DuelState.COMMITTING),
    (DuelState.REVEALING, DuelState.SETTLED),
    (DuelState.CHOOSING, DuelState.CHOOSING),
    (DuelState.CHOOSING, DuelState.SETTLED),
}


@pytest.mark.parametrize(("before", "after"), list(product(DuelState, DuelState)))
def test_every_change_of_state_is_possible_or_refused(before: DuelState, after: DuelState) -> None:
    if (before, after) in POSSIBLE:
        check_transition(before, after)
        return
    with pytest.raises(Refused) as error:
        check_transition(before, after)
    assert error.value.reason == "NOT_POSSIBLE_NOW"


def test_the_tables_are_complete() -> None:
    assert set(TRANSITIONS) == set(ENDINGS) == set(DuelState)
    assert {state for state in DuelState if TRANSITIONS[state]} == UNFINISHED
    assert set().union(*ENDINGS.values()) == set(Ending) - {Ending.NONE}


@pytest.mark.parametrize(("state", "ending"), list(product(DuelState, Ending)))
def test_a_duel_ends_only_as_it_can_from_where_it_is(state: DuelState, ending: Ending) -> None:
    if ending in ENDINGS[state]:
        check_ending(state, ending)
        return
    with pytest.raises(Refused):
        check_ending(state, ending)


@pytest.mark.parametrize(
    ("state", "challenger", "opponent", "verdict"),
    [
        (DuelState.OPEN, False, False, Verdict(Ending.NOT_ACCEPTED)),
        (DuelState.COMMITTING, False, False, Verdict(Ending.ABANDONED)),
        (DuelState.COMMITTING, True, False, Verdict(Ending.FORFEITED, Side.CHALLENGER)),
        (DuelState.COMMITTING, False, True, Verdict(Ending.FORFEITED, Side.OPPONENT)),
        (DuelState.REVEALING, False, False, Verdict(Ending.ABANDONED)),
        (DuelState.REVEALING, True, False, Verdict(Ending.FORFEITED, Side.CHALLENGER)),
        (DuelState.REVEALING, False, True, Verdict(Ending.FORFEITED, Side.OPPONENT)),
        (DuelState.CHOOSING, False, False, Verdict(Ending.ABANDONED)),
    ],
)
def test_what_time_does(state: DuelState, challenger: bool, opponent: bool, verdict: Verdict) -> None:
    assert at_limit(state, challenger, opponent) == verdict
    assert verdict.ending in ENDINGS[state]


@pytest.mark.parametrize(
    ("draws", "number", "most", "expected"),
    [
        (Draws.RETURN, 1, 10, Verdict(Ending.DRAWN)),
        (Draws.PLAY_ON, 1, 2, None),
        (Draws.PLAY_ON, 2, 2, Verdict(Ending.DRAWN)),
        (Draws.PLAY_ON, 1, 1, Verdict(Ending.DRAWN)),
    ],
)
def test_a_draw_gives_back_or_is_played_on(
    draws: Draws, number: int, most: int, expected: Verdict | None
) -> None:
    for move in Move:
        assert decide(move, move, draws, number, most) == expected


@given(
    challenger=MOVES,
    opponent=MOVES,
    draws=st.sampled_from(Draws),
    number=st.integers(1, 9),
    most=st.integers(9, 99),
)
def test_better_moves_win_whatever_draws_do(
    challenger: Move, opponent: Move, draws: Draws, number: int, most: int
) -> None:
    verdict = decide(challenger, opponent, draws, number, most)
    if challenger is not opponent:
        assert verdict == Verdict(Ending.WON, winner_of(challenger, opponent))


@given(stake=st.integers(1, 10**15), bps=st.integers(0, 10_000))
def test_both_stakes_are_paid_out_to_the_cent(stake: int, bps: int) -> None:
    paid = payout(stake, bps)
    assert paid.to_winner + paid.house_share == 2 * stake
    assert stake <= paid.to_winner <= 2 * stake
    assert 0 <= paid.house_share * 10_000 - stake * bps < 10_000
