"""The rows of duels: locked, made, moved on and told of; and whose turn it is."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.game.duels.terms import Terms
from bearpit_server.rules import duel as rules
from bearpit_server.rules.duel import DuelState, Ending, Move
from bearpit_server.rules.refusals import Refused, not_found
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import HOUSE, Player
from bearpit_server.storage.models.duels import Duel, DuelSide

HOUSE_NONCE_BYTES = 32


def lock(duel_id: int) -> Duel:
    """A duel, locked. Raises Refused NOT_FOUND."""
    duel: Duel | None = Duel.select().where(Duel.id == duel_id).for_update().first()
    if duel is None:
        raise not_found("duel", duel_id)
    return duel


def reference(duel: Duel) -> str:
    """What the postings and events of a duel are known by."""
    return f"duel:{duel.id}"


def create(
    challenger_id: int,
    opponent_id: int | None,
    stake_cents: int,
    terms: Terms,
    state: DuelState,
    at: datetime,
    seconds: int,
) -> Duel:
    made: Duel = Duel.create(
        challenger_id=challenger_id,
        opponent_id=opponent_id,
        stake_cents=stake_cents,
        house_bps=terms.house_bps,
        draws=terms.draws,
        max_rounds=terms.max_rounds,
        move_seconds=terms.move_seconds,
        state=state,
        due_at=at + timedelta(seconds=seconds),
        created_at=at,
        accepted_at=at if state is DuelState.CHOOSING else None,
    )
    return made


def move(duel: Duel, state: DuelState, at: datetime) -> None:
    """Bring a duel into another state that is waited in, with a new limit."""
    rules.check_transition(DuelState(duel.state), state)
    duel.state, duel.due_at = state, at + timedelta(seconds=duel.move_seconds)
    duel.save(only=duel.dirty_fields)


def commit(duel: Duel, player_id: int, commitment: bytes, at: datetime) -> None:
    """Keep a commitment. Raises Refused COMMITMENT_REUSED for one that was given before, by whomever."""
    kept = (
        DuelSide.insert(
            duel_id=duel.id, round=duel.round, player_id=player_id, commitment=commitment, committed_at=at
        )
        .on_conflict(action="IGNORE", conflict_target=[DuelSide.commitment])
        .returning(DuelSide.duel_id)
        .execute()
    )
    if not list(kept):
        raise Refused(
            "COMMITMENT_REUSED",
            "commitment: this one was given before; make a new one with a new nonce",
            "commitment",
        )


def show(side: DuelSide, move: Move, nonce: bytes, at: datetime) -> None:
    """Note what a side has revealed."""
    changed = (
        DuelSide.update(move=move, nonce=nonce, revealed_at=at)
        .where(
            DuelSide.duel_id == side.duel_id,
            DuelSide.round == side.round,
            DuelSide.player_id == side.player_id,
            DuelSide.revealed_at.is_null(),
        )
        .execute()
    )
    assert changed == 1, "the duel is locked, and the side was not revealed"


def side(duel: Duel, player_id: int) -> DuelSide | None:
    """A side of the round that is played, once it has committed or played."""
    found: DuelSide | None = DuelSide.get_or_none(
        (DuelSide.duel_id == duel.id) & (DuelSide.round == duel.round) & (DuelSide.player_id == player_id)
    )
    return found


def names(duel: Duel) -> dict[int, str]:
    """The names of those who take part, by their ids."""
    ids = [player_id for player_id in (duel.challenger_id, duel.opponent_id) if player_id is not None]
    return dict(Player.select(Player.id, Player.name).where(Player.id << ids).tuples())


def other(duel: Duel, player_id: int) -> int:
    return int(duel.opponent_id if player_id == duel.challenger_id else duel.challenger_id)


def commit_house(duel: Duel, at: datetime) -> bytes:
    """Bind the house to a move of the operating system's randomness."""
    move, nonce = secrets.choice(tuple(Move)), secrets.token_bytes(HOUSE_NONCE_BYTES)
    given = rules.commitment(names(duel)[HOUSE], move, nonce)
    DuelSide.create(
        duel_id=duel.id,
        round=duel.round,
        player_id=HOUSE,
        commitment=given,
        committed_at=at,
        move=move,
        nonce=nonce,
    )
    return given


def tell(kind: str, duel: Duel, origin: Origin, at: datetime, facts: Mapping[str, object]) -> None:
    """Log a change. No move and no nonce goes in before the round is over."""
    called = names(duel)
    payload = {
        "duel_id": duel.id,
        "player_ids": [player_id for player_id in called if player_id != HOUSE],
        "challenger_id": duel.challenger_id,
        "challenger": called[duel.challenger_id],
        "opponent_id": duel.opponent_id,
        "opponent": called.get(duel.opponent_id, ""),
        "stake_cents": duel.stake_cents,
        **facts,
    }
    log.append([Event(kind, reference(duel), origin, payload)], at)


def check_turn(duel: Duel, player_id: int, state: DuelState, number: int, what: str) -> None:
    if player_id not in (duel.challenger_id, duel.opponent_id):
        raise not_yours(duel.id)
    check_state(duel, state, what)
    if number not in (0, duel.round):
        raise Refused(
            "NOT_POSSIBLE_NOW",
            f"round: duel {duel.id} is in round {duel.round}; play that, or give 0",
            "round",
            round=duel.round,
        )
    check_time(duel)


def check_state(duel: Duel, state: DuelState, what: str) -> None:
    if duel.state == state:
        return
    current = DuelState(duel.state)
    how = f" ({Ending(duel.ending).name})" if current is DuelState.SETTLED else ""
    raise Refused(
        "NOT_POSSIBLE_NOW",
        f"duel {duel.id} is {current.name}{how}; it can {what} only while it is {state.name}",
        state=current.name,
        allowed=state.name,
    )


def check_time(duel: Duel) -> None:
    if now() >= duel.due_at:
        raise Refused(
            "TOO_LATE",
            f"the time for duel {duel.id} was up at {duel.due_at:%H:%M:%S} UTC; it is settled in a moment",
            due_at=duel.due_at.isoformat(),
        )


def not_yours(duel_id: int) -> Refused:
    return Refused("NOT_YOUR_DUEL", f"duel {duel_id} is not yours to play; list yours to see which are")


def done_already(duel: Duel, what: str) -> Refused:
    return Refused(
        "NOT_POSSIBLE_NOW",
        f"you have {what} in round {duel.round} of duel {duel.id}; wait for the other side",
        state=DuelState(duel.state).name,
    )
