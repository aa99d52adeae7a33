"""Duels against chance: the house commits to a move first, and the player names one then."""

from bearpit_server.events.log import Origin
from bearpit_server.game.duels import rows
from bearpit_server.game.duels.endings import Made, decide
from bearpit_server.game.duels.terms import Terms, check_open, check_stake
from bearpit_server.game.duels.till import Till
from bearpit_server.rules import duel as rules
from bearpit_server.rules.duel import DuelState, Move
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import HOUSE
from bearpit_server.storage.models.duels import DuelSide


def open_against_house(player_id: int, stake_cents: int, terms: Terms, origin: Origin) -> Made:
    """Put up a stake against the house, which commits to its move before the player names one.

    Raises Refused as `challenge` does.
    """
    check_stake(stake_cents, terms)
    till = Till([player_id, HOUSE])
    till.check(player_id, stake_cents)
    check_open(player_id, terms)
    at = till.journal.at
    duel = rows.create(player_id, HOUSE, stake_cents, terms, DuelState.CHOOSING, at, terms.move_seconds)
    house = rows.commit_house(duel, at)
    till.put_up(duel, player_id, origin)
    till.put_up(duel, HOUSE, origin)
    changes = till.journal.write()
    rows.tell("duel.opened", duel, origin, at, {"commitment": house.hex()})
    return Made(duel, changes, till.free_cash(player_id))


def play_against_house(
    player_id: int, duel_id: int, number: int, move: int, origin: Origin, only_check: bool = False
) -> Made:
    """Name one's move; the house's is told with it.

    Raises Refused INVALID_FIELD, NOT_FOUND, NOT_YOUR_DUEL, NOT_POSSIBLE_NOW or TOO_LATE.
    """
    played = rules.check_move(move)
    duel = rows.lock(duel_id)
    rows.check_turn(duel, player_id, DuelState.CHOOSING, number, "take a move")
    if only_check:
        return Made(duel, [])
    at = now()
    DuelSide.create(duel_id=duel.id, round=duel.round, player_id=player_id, move=played, revealed_at=at)
    house = rows.side(duel, HOUSE)
    assert house is not None, "the house has committed"
    rows.show(house, Move(house.move), bytes(house.nonce), at)
    return decide(duel, origin, at)
