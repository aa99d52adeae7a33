"""Duels: rock, paper, scissors; commitments, the states a duel goes through, and who gets what in the end.

A commitment binds a side to its move before the other's is known. The format is duels.proto's, and
`bearpit.client.duels` has it too; a test holds the two together. The name is part of it, so that a
commitment that was copied from somebody else can never be revealed.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.units import fee_on

DOMAIN = "bearpit.duel.v1"
COMMITMENT_BYTES = 32
NONCE_BYTES = range(16, 65)
"""Shorter nonces could be guessed: there are but three moves."""


class Move(IntEnum):
    """What a side plays. The numbers are those of the protos."""

    ROCK = 1
    PAPER = 2
    SCISSORS = 3


BEATS: Mapping[Move, Move] = {
    Move.ROCK: Move.SCISSORS,
    Move.SCISSORS: Move.PAPER,
    Move.PAPER: Move.ROCK,
}
"""Whom each move beats."""


class Side(IntEnum):
    """One of the two; `NOBODY` where neither is meant."""

    NOBODY = 0
    CHALLENGER = 1
    OPPONENT = 2


class DuelState(IntEnum):
    """Where a duel is in its life. The numbers are those of the protos."""

    OPEN = 1  # challenged, not accepted
    COMMITTING = 2  # a further round: both commit
    REVEALING = 3
    CHOOSING = 4  # the house has committed; the player names his move
    SETTLED = 5


class Ending(IntEnum):
    """How a duel ended. The numbers are those of the protos."""

    NONE = 0
    WON = 1
    FORFEITED = 2
    DRAWN = 3
    NOT_ACCEPTED = 4
    ABANDONED = 5
    CANCELLED = 6
    DECLINED = 7
    CALLED_OFF = 8


class Draws(IntEnum):
    """What equal moves do. The numbers are those of the protos."""

    RETURN = 1
    PLAY_ON = 2


DRAWS = {"return": Draws.RETURN, "play_on": Draws.PLAY_ON}
"""By the words of the setting duel_draws."""

UNFINISHED = frozenset(DuelState) - {DuelState.SETTLED}

TRANSITIONS: Mapping[DuelState, frozenset[DuelState]] = {
    DuelState.OPEN: frozenset({DuelState.REVEALING, DuelState.SETTLED}),
    DuelState.COMMITTING: frozenset({DuelState.REVEALING, DuelState.SETTLED}),
    DuelState.REVEALING: frozenset({DuelState.COMMITTING, DuelState.SETTLED}),
    DuelState.CHOOSING: frozenset({DuelState.CHOOSING, DuelState.SETTLED}),
    DuelState.SETTLED: frozenset(),
}
"""Every change of state that there is. CHOOSING follows itself: after a draw that is played on."""

ENDINGS: Mapping[DuelState, frozenset[Ending]] = {
    DuelState.OPEN: frozenset({Ending.NOT_ACCEPTED, Ending.CANCELLED, Ending.DECLINED, Ending.CALLED_OFF}),
    DuelState.COMMITTING: frozenset({Ending.FORFEITED, Ending.ABANDONED, Ending.CALLED_OFF}),
    DuelState.REVEALING: frozenset(
        {Ending.WON, Ending.DRAWN, Ending.FORFEITED, Ending.ABANDONED, Ending.CALLED_OFF}
    ),
    DuelState.CHOOSING: frozenset(
        {Ending.WON, Ending.DRAWN, Ending.ABANDONED, Ending.CANCELLED, Ending.CALLED_OFF}
    ),
    DuelState.SETTLED: frozenset(),
}
"""How a duel may end from each state."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a duel ends, and who has won; where nobody has, the stakes go back."""

    ending: Ending
    winner: Side = Side.NOBODY

    def __post_init__(self) -> None:
        decided = self.ending in (Ending.WON, Ending.FORFEITED)
        assert decided == (self.winner is not Side.NOBODY), "who wins takes all; else all goes back"


@dataclass(frozen=True, slots=True)
class Payout:
    """What becomes of the two stakes when somebody has won, in cents."""

    to_winner: int
    house_share: int


def text_of(move: Move) -> str:
    """The move as it stands in a commitment."""
    return move.name.lower()


def commitment(name: str, move: Move, nonce: bytes) -> bytes:
    """What binds that player to that move. Raises Refused INVALID_FIELD for a nonce that cannot be."""
    if len(nonce) not in NONCE_BYTES:
        raise invalid(
            "nonce", f"give {NONCE_BYTES[0]} to {NONCE_BYTES[-1]} random bytes, new ones for every round"
        )
    # No part holds a line feed: names have none, so different parts never come to the same text.
    assert "\n" not in name, "a name is one line"
    return sha256(f"{DOMAIN}\n{name}\n{text_of(move)}\n{nonce.hex()}".encode()).digest()


def check_commitment(given: bytes) -> bytes:
    """Raises Refused INVALID_FIELD for what cannot be a commitment."""
    if len(given) != COMMITMENT_BYTES:
        raise invalid("commitment", f"give the {COMMITMENT_BYTES} bytes of a SHA-256; see duels.proto")
    return given


def check_move(number: int) -> Move:
    """Raises Refused INVALID_FIELD for a number that is no move."""
    try:
        return Move(number)
    except ValueError:
        raise invalid("move", "give rock, paper or scissors") from None


def check_reveal(given: bytes, name: str, move: Move, nonce: bytes) -> None:
    """Raises Refused COMMITMENT_MISMATCH unless this is what the player has committed to."""
    if not hmac.compare_digest(given, commitment(name, move, nonce)):
        raise Refused(
            "COMMITMENT_MISMATCH",
            f"this move and this nonce are not what {name} has committed to; "
            "reveal those that the commitment was made of",
            "nonce",
        )


def winner_of(challenger: Move, opponent: Move) -> Side:
    """Who wins with these moves."""
    if BEATS[challenger] is opponent:
        return Side.CHALLENGER
    return Side.OPPONENT if BEATS[opponent] is challenger else Side.NOBODY


def decide(
    challenger: Move, opponent: Move, draws: Draws, round_number: int, max_rounds: int
) -> Verdict | None:
    """What a round that both have played comes to; None: another one is played."""
    assert 1 <= round_number <= max_rounds, "rounds are counted from 1"
    winner = winner_of(challenger, opponent)
    if winner is not Side.NOBODY:
        return Verdict(Ending.WON, winner)
    if draws is Draws.PLAY_ON and round_number < max_rounds:
        return None
    return Verdict(Ending.DRAWN)


def at_limit(state: DuelState, challenger_ready: bool, opponent_ready: bool) -> Verdict:
    """How a duel ends when its time is up; a side is ready when it has done what the state waits for.

    A player who names no move against the house gets the stake back: nothing was revealed, so nothing is
    gained by waiting.
    """
    assert state in UNFINISHED, "a duel ends once"
    if state is DuelState.OPEN:
        return Verdict(Ending.NOT_ACCEPTED)
    if state is DuelState.CHOOSING:
        return Verdict(Ending.ABANDONED)
    assert not (challenger_ready and opponent_ready), "with both ready it would have gone on"
    if challenger_ready:
        return Verdict(Ending.FORFEITED, Side.CHALLENGER)
    if opponent_ready:
        return Verdict(Ending.FORFEITED, Side.OPPONENT)
    return Verdict(Ending.ABANDONED)


def payout(stake_cents: int, house_bps: int) -> Payout:
    """Both stakes, to the winner and to the house: its share is of what is won, the other's stake."""
    share = fee_on(stake_cents, house_bps)
    return Payout(2 * stake_cents - share, share)


def check_transition(before: DuelState, after: DuelState) -> None:
    """Raises Refused NOT_POSSIBLE_NOW, with the states that are possible, unless `after` is one of them."""
    if after in TRANSITIONS[before]:
        return
    allowed = ", ".join(state.name for state in sorted(TRANSITIONS[before]))
    raise Refused(
        "NOT_POSSIBLE_NOW",
        f"a duel that is {before.name} cannot become {after.name}, but {allowed or 'nothing else'}",
        state=before.name, allowed=allowed,
    )  # fmt: skip


def check_ending(before: DuelState, ending: Ending) -> None:
    """Raises Refused NOT_POSSIBLE_NOW unless a duel in that state may end so."""
    if ending in ENDINGS[before]:
        return
    allowed = ", ".join(each.name for each in sorted(ENDINGS[before]))
    message = f"a duel that is {before.name} cannot end as {ending.name}, but as {allowed}"
    raise Refused(
        "NOT_POSSIBLE_NOW",
        message if allowed else "this duel is over, and its stakes are paid out",
        state=before.name,
        allowed=allowed,
    )
