"""What players do to each other: challenge, accept, decline, cancel, commit and reveal.

A duel's row is locked first and the accounts after it, all at once. The stakes lie in the house's escrow
from the moment they are put up to the one in which the duel is settled, which happens once.
"""

from bearpit_server.events.log import Origin
from bearpit_server.game.duels import rows
from bearpit_server.game.duels.endings import Made, decide, settle
from bearpit_server.game.duels.terms import Terms, check_open, check_patience, check_stake
from bearpit_server.game.duels.till import Till
from bearpit_server.rules import duel as rules
from bearpit_server.rules.duel import DuelState, Ending, Verdict
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import HOUSE, Player


def challenge(
    challenger_id: int,
    opponent: Player | None,
    stake_cents: int,
    commitment: bytes,
    terms: Terms,
    origin: Origin,
) -> Made:
    """Put up a stake against somebody, or on the open board.

    Raises Refused INVALID_FIELD, DUEL_WITH_SELF, BELOW_MINIMUM, LIMIT_EXCEEDED, PLAYER_DISABLED,
    PLAYER_FROZEN, IN_DEBT, INSUFFICIENT_FUNDS, COMMITMENT_REUSED.
    """
    rules.check_commitment(commitment)
    check_stake(stake_cents, terms)
    if opponent is not None and opponent.id == challenger_id:
        raise Refused(
            "DUEL_WITH_SELF", "opponent: name somebody else, or nobody for the open board", "opponent"
        )
    if opponent is not None and (opponent.disabled or opponent.frozen):
        raise _barred(opponent, "opponent")
    till = Till([challenger_id])
    till.check(challenger_id, stake_cents)
    check_open(challenger_id, terms)
    at = till.journal.at
    opponent_id = None if opponent is None else int(opponent.id)
    if opponent is not None:
        check_patience(challenger_id, opponent, terms, at)
    duel = rows.create(
        challenger_id, opponent_id, stake_cents, terms, DuelState.OPEN, at, terms.accept_seconds
    )
    rows.commit(duel, challenger_id, commitment, at)
    till.put_up(duel, challenger_id, origin)
    changes = till.journal.write()
    rows.tell("duel.challenged", duel, origin, at, {"commitment": commitment.hex()})
    return Made(duel, changes, till.free_cash(challenger_id))


def accept(player_id: int, duel_id: int, commitment: bytes, terms: Terms, origin: Origin) -> Made:
    """Put up the other stake; of several at once the first does, and the others pay nothing.

    Raises Refused NOT_FOUND, DUEL_WITH_SELF, NOT_YOUR_DUEL, DUEL_TAKEN, NOT_POSSIBLE_NOW, TOO_LATE, and as
    `challenge` does.
    """
    rules.check_commitment(commitment)
    duel = rows.lock(duel_id)
    if duel.challenger_id == player_id:
        raise Refused(
            "DUEL_WITH_SELF", f"duel {duel_id} is your own challenge; wait until somebody accepts it"
        )
    if duel.opponent_id not in (None, player_id):
        if duel.accepted_at is not None and duel.opponent_id != HOUSE:
            raise Refused("DUEL_TAKEN", f"somebody else has accepted duel {duel_id}; look for another one")
        raise rows.not_yours(duel_id)
    rows.check_state(duel, DuelState.OPEN, "be accepted")
    rows.check_time(duel)
    till = Till([duel.challenger_id, player_id])
    till.check(player_id, duel.stake_cents)
    till.check_other(duel.challenger_id)
    check_open(player_id, terms, but=duel_id)
    at = till.journal.at
    duel.opponent_id, duel.accepted_at = player_id, at
    rows.commit(duel, player_id, commitment, at)
    till.put_up(duel, player_id, origin)
    changes = till.journal.write()
    rows.move(duel, DuelState.REVEALING, at)
    rows.tell("duel.accepted", duel, origin, at, {"commitment": commitment.hex()})
    return Made(duel, changes, till.free_cash(player_id))


def decline(player_id: int, duel_id: int, origin: Origin) -> Made:
    """Turn down a challenge to oneself. Raises Refused NOT_FOUND, NOT_YOUR_DUEL or NOT_POSSIBLE_NOW."""
    duel = rows.lock(duel_id)
    if duel.opponent_id != player_id:
        raise rows.not_yours(duel_id)
    rows.check_state(duel, DuelState.OPEN, "be declined")
    return settle(duel, Verdict(Ending.DECLINED), origin)


def cancel(player_id: int, duel_id: int, origin: Origin) -> Made:
    """Take back a challenge that nobody has accepted, or a duel against the house before its first move.

    Raises Refused NOT_FOUND, NOT_YOUR_DUEL or NOT_POSSIBLE_NOW.
    """
    duel = rows.lock(duel_id)
    if duel.challenger_id != player_id:
        raise rows.not_yours(duel_id)
    if duel.state != DuelState.CHOOSING or duel.round > 1:
        rows.check_state(duel, DuelState.OPEN, "be cancelled")
    return settle(duel, Verdict(Ending.CANCELLED), origin)


def commit(player_id: int, duel_id: int, number: int, commitment: bytes, origin: Origin) -> Made:
    """Commit to a move of a further round.

    Raises Refused INVALID_FIELD, NOT_FOUND, NOT_YOUR_DUEL, NOT_POSSIBLE_NOW, TOO_LATE, COMMITMENT_REUSED.
    """
    rules.check_commitment(commitment)
    duel = rows.lock(duel_id)
    rows.check_turn(duel, player_id, DuelState.COMMITTING, number, "take a commitment")
    if rows.side(duel, player_id) is not None:
        raise rows.done_already(duel, "committed")
    at = now()
    rows.commit(duel, player_id, commitment, at)
    rows.tell(
        "duel.committed",
        duel,
        origin,
        at,
        {"round": duel.round, "by_id": player_id, "commitment": commitment.hex()},
    )
    if rows.side(duel, rows.other(duel, player_id)) is not None:
        rows.move(duel, DuelState.REVEALING, at)
    return Made(duel, [])


def reveal(
    player_id: int,
    duel_id: int,
    number: int,
    move: int,
    nonce: bytes,
    origin: Origin,
    only_check: bool = False,
) -> Made:
    """Tell the move and the nonce that one has committed to; with both sides' the round is decided.

    Raises Refused INVALID_FIELD, NOT_FOUND, NOT_YOUR_DUEL, NOT_POSSIBLE_NOW, TOO_LATE or COMMITMENT_MISMATCH.
    """
    played = rules.check_move(move)
    duel = rows.lock(duel_id)
    rows.check_turn(duel, player_id, DuelState.REVEALING, number, "take a move")
    mine = rows.side(duel, player_id)
    assert mine is not None, "who reveals has committed"
    if mine.revealed_at is not None:
        raise rows.done_already(duel, "revealed")
    rules.check_reveal(bytes(mine.commitment), rows.names(duel)[player_id], played, nonce)
    if only_check:
        return Made(duel, [])
    at = now()
    rows.show(mine, played, nonce, at)
    rows.tell("duel.revealed", duel, origin, at, {"round": duel.round, "by_id": player_id})
    other = rows.side(duel, rows.other(duel, player_id))
    assert other is not None, "both have committed"
    return Made(duel, []) if other.revealed_at is None else decide(duel, origin, at)


def _barred(player: Player, field: str) -> Refused:
    reason, word = ("PLAYER_DISABLED", "disabled") if player.disabled else ("PLAYER_FROZEN", "frozen")
    return Refused(reason, f"player {player.name} is {word} and cannot duel; challenge somebody else", field)
