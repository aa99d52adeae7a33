"""Rollbacks as they are kept: asked for, decided, over; each change with its event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from bearpit_server.events import log
from bearpit_server.events.log import HOUSE_ORIGIN, Event, Origin
from bearpit_server.rollback.effects import Effects, names_of
from bearpit_server.rollback.scope import Level, Scope
from bearpit_server.rules.refusals import Refused, not_found
from bearpit_server.rules.rollbacks import Policy
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Rollback


class State(IntEnum):
    """Where a rollback is. The numbers are those of the protos."""

    REQUESTED = 1
    RUNNING = 2
    DONE = 3
    REJECTED = 4
    EXPIRED = 5
    FAILED = 6


OVER = frozenset({State.DONE, State.REJECTED, State.EXPIRED, State.FAILED})
POLICIES = {1: Policy.REFUSE, 2: Policy.DEBT, 3: Policy.HOUSE}
"""By the numbers of the protos."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A rollback that is wanted. `expires_at`: of one that waits for an approval."""

    scope: Scope
    policy: int
    reason: str
    expires_at: datetime | None = None
    plan: dict[str, object] | None = None
    prices: dict[str, int] | None = None

    def row(self, origin: Origin) -> Rollback:
        """As it is kept, not yet saved."""
        scope, waits = self.scope, self.scope.level is Level.WINDOW
        return Rollback(
            level=int(scope.level), state=int(State.REQUESTED if waits else State.RUNNING),
            trade_id=scope.trade_id or None, player_id=scope.player_id or None,
            window_id=scope.window_id or None, since=scope.since, policy=self.policy, plan=self.plan,
            prices=self.prices, reason=self.reason, requested_by=origin.actor_id, requested_at=now(),
            expires_at=self.expires_at if waits else None,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """A rollback with the names of those it is about."""

    row: Rollback
    names: dict[int, str]

    def name(self, player_id: int | None) -> str:
        """Somebody's name; empty: nobody's."""
        return self.names.get(player_id, "") if player_id else ""


def told(rows: Sequence[Rollback]) -> list[Told]:
    """With their names; inside a transaction."""
    people = {p for row in rows for p in (row.requested_by, row.decided_by, row.player_id) if p}
    names = names_of(people)
    return [Told(row, names) for row in rows]


def get(rollback_id: int, lock: bool = False) -> Rollback:
    """A rollback. Raises Refused NOT_FOUND."""
    query = Rollback.select().where(Rollback.id == rollback_id)
    row: Rollback | None = (query.for_update() if lock else query).get_or_none()
    if row is None:
        raise not_found("rollback", rollback_id)
    return row


def listed(waiting_only: bool, before_id: int | None, limit: int) -> list[Told]:
    """Rollbacks below an id, newest first."""
    query = Rollback.select().order_by(Rollback.id.desc()).limit(limit)
    if waiting_only:
        query = query.where(Rollback.state == int(State.REQUESTED), Rollback.expires_at > now())
    if before_id is not None:
        query = query.where(Rollback.id < before_id)
    return told(list(query))


def request(asked: Asked, origin: Origin) -> Rollback:
    """Keep a request."""
    row = asked.row(origin)
    row.save()
    _tell(row, "requested", origin)
    return row


def approve(row: Rollback, origin: Origin) -> None:
    """Let a locked request be done. Raises Refused NOT_POSSIBLE_NOW, SECOND_OPERATOR_NEEDED."""
    check_waiting(row)
    check_second(row, origin)
    _decide(row, State.RUNNING, "approved", origin)


def reject(row: Rollback, origin: Origin) -> None:
    """Turn a locked request down; who asked for it may take it back so. Raises Refused NOT_POSSIBLE_NOW."""
    check_waiting(row)
    _decide(row, State.REJECTED, "rejected", origin)


def check_waiting(row: Rollback) -> None:
    """Raises Refused NOT_POSSIBLE_NOW unless it waits for an approval that may still come."""
    state = State(row.state)
    if state is State.REQUESTED and row.expires_at <= now():
        state = State.EXPIRED
    if state is not State.REQUESTED:
        ask_anew = "; ask for it anew" if state in OVER - {State.DONE} else ""
        raise Refused(
            "NOT_POSSIBLE_NOW", f"rollback {row.id} is {state.name} and waits for nobody{ask_anew}",
            state=state.name, rollback_id=row.id,
        )  # fmt: skip


def check_second(row: Rollback, origin: Origin) -> None:
    """Raises Refused SECOND_OPERATOR_NEEDED to who asked for it."""
    if origin.actor_id == row.requested_by:
        raise Refused(
            "SECOND_OPERATOR_NEEDED",
            f"you asked for rollback {row.id} yourself; another operator must approve it",
            rollback_id=row.id,
        )


def expire() -> None:
    """End the requests that nobody has approved in time."""
    rows = (
        Rollback.update(state=int(State.EXPIRED))
        .where(Rollback.state == int(State.REQUESTED), Rollback.expires_at <= now())
        .returning(Rollback)
        .execute()
    )
    for row in list(rows):
        _tell(row, "expired", HOUSE_ORIGIN)


def finish(row: Rollback, origin: Origin, proof: str = "") -> None:
    """It is done."""
    row.state, row.done_at, row.proof = int(State.DONE), now(), proof
    row.save()
    _tell(row, "done", origin)


def fail(row: Rollback, why: str) -> None:
    """It could not be done, and nothing was."""
    row.state, row.failure = int(State.FAILED), why
    row.save()
    _tell(row, "failed", actor_of(row))


def actor_of(row: Rollback) -> Origin:
    """Who stands behind what is done without a call: who approved it, or else who asked for it."""
    return Origin(row.decided_by or row.requested_by)


def begun(row: Rollback, effects: Effects) -> None:
    """Keep what it does."""
    row.effects, row.total = effects.as_json(), effects.trades or len(effects.prices)
    row.save()


def _decide(row: Rollback, state: State, what: str, origin: Origin) -> None:
    row.state, row.decided_by, row.decided_at = int(state), origin.actor_id, now()
    row.save()
    _tell(row, what, origin)


def _tell(row: Rollback, what: str, origin: Origin) -> None:
    payload = {
        "level": row.level, "trade_id": row.trade_id, "player_id": row.player_id,
        "window_id": row.window_id, "since": row.since and row.since.isoformat(), "policy": row.policy,
        "reason": row.reason, "total": row.total, "failure": row.failure, "proof": row.proof,
    }  # fmt: skip
    log.append([Event(f"rollback.{what}", f"rollback:{row.id}", origin, payload)])
