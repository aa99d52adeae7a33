"""How duels end: decided, by their limit, or called off; and what is paid then."""

from dataclasses import dataclass
from datetime import datetime

from bearpit_server.events.log import Origin
from bearpit_server.events.records import DuelChange, Record, WalletChange
from bearpit_server.game.duels import rows
from bearpit_server.game.duels.till import Till
from bearpit_server.rules import duel as rules
from bearpit_server.rules.duel import Draws, DuelState, Ending, Move, Side, Verdict
from bearpit_server.storage.models import HOUSE
from bearpit_server.storage.models.duels import Duel


@dataclass(frozen=True, slots=True)
class Made:
    """A duel after a change, what to tell once it is committed, and what the caller has free of cash."""

    duel: Duel
    changes: list[WalletChange]
    free_cash_cents: int = 0

    @property
    def records(self) -> list[Record]:
        """For the bus."""
        return [*self.changes, DuelChange()]


def call_off(duel_id: int, reason: str, origin: Origin) -> Made:
    """End a duel that is not over, for an operator. Raises Refused NOT_FOUND or NOT_POSSIBLE_NOW."""
    duel = rows.lock(duel_id)
    return settle(duel, Verdict(Ending.CALLED_OFF), origin, reason)


def settle(duel: Duel, verdict: Verdict, origin: Origin, note: str = "") -> Made:
    """Pay out and close a duel whose row is locked. Raises Refused NOT_POSSIBLE_NOW."""
    state = DuelState(duel.state)
    rules.check_ending(state, verdict.ending)
    rules.check_transition(state, DuelState.SETTLED)
    till = Till(staked(duel))
    at = till.journal.at
    winner_id = player_of(duel, verdict.winner)
    if winner_id is None:
        for player_id in staked(duel):
            till.pay(duel, player_id, duel.stake_cents, "duel_back", origin, note)
    else:
        # What the house wins is its own as a whole.
        paid = rules.payout(duel.stake_cents, 0 if winner_id == HOUSE else duel.house_bps)
        till.pay(duel, winner_id, paid.to_winner, "duel_won", origin, note)
        till.keep(duel, paid.house_share, origin)
        duel.winner_id, duel.house_share_cents = winner_id, paid.house_share
    changes = till.journal.write()
    duel.state, duel.ending, duel.settled_at = DuelState.SETTLED, verdict.ending, at
    duel.save(only=duel.dirty_fields)
    facts = {
        "ending": verdict.ending.name,
        "winner_id": winner_id,
        "paid_cents": paid_of(duel),
        "house_share_cents": duel.house_share_cents,
        "round": duel.round,
        "note": note,
    }
    rows.tell("duel.settled", duel, origin, at, facts)
    return Made(duel, changes)


def staked(duel: Duel) -> list[int]:
    """Who has put up a stake."""
    return [duel.challenger_id, *([] if duel.accepted_at is None else [duel.opponent_id])]


def paid_of(duel: Duel) -> int:
    """What the winner was paid, stake included; 0: nobody won."""
    return 0 if duel.winner_id is None else 2 * int(duel.stake_cents) - int(duel.house_share_cents)


def verdict_at_limit(duel: Duel) -> Verdict:
    """How a duel whose time is up ends."""
    return rules.at_limit(
        DuelState(duel.state), _is_ready(duel, duel.challenger_id), _is_ready(duel, duel.opponent_id)
    )


def decide(duel: Duel, origin: Origin, at: datetime) -> Made:
    """End the round that both have played: pay out, or go on to the next."""
    first, second = rows.side(duel, duel.challenger_id), rows.side(duel, duel.opponent_id)
    assert first is not None and second is not None, "both have played"
    verdict = rules.decide(
        Move(first.move), Move(second.move), Draws(duel.draws), duel.round, duel.max_rounds
    )
    if verdict is not None:
        return settle(duel, verdict, origin)
    drawn = rules.text_of(Move(first.move))
    duel.round += 1
    against_house = duel.opponent_id == HOUSE
    rows.move(duel, DuelState.CHOOSING if against_house else DuelState.COMMITTING, at)
    given = rows.commit_house(duel, at).hex() if against_house else ""
    rows.tell("duel.drawn", duel, origin, at, {"round": duel.round - 1, "move": drawn, "commitment": given})
    return Made(duel, [])


def _is_ready(duel: Duel, player_id: int | None) -> bool:
    """Whether a side has done what the state waits for."""
    side = None if player_id is None else rows.side(duel, player_id)
    if duel.state == DuelState.COMMITTING:
        return side is not None
    return side is not None and side.revealed_at is not None


def player_of(duel: Duel, side: Side) -> int | None:
    return {Side.CHALLENGER: duel.challenger_id, Side.OPPONENT: duel.opponent_id}.get(side)
