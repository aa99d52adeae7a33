"""Duels to be looked at: one, a page of them, or all that are alive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum

import peewee as pw

from bearpit_server.rules.duel import DuelState
from bearpit_server.rules.refusals import not_found
from bearpit_server.storage import bulk
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Player
from bearpit_server.storage.models.duels import Duel, DuelSide

ENDED_LATELY = timedelta(minutes=10)
ENDED_OF_EACH = 10
"""The latest of a player's that count as ended lately: who plays without a pause costs nobody else more."""
MOST_ALIVE = 2_000
"""Duels that a stream can show in all; the newest."""


class Scope(IntEnum):
    """Which duels to list. The numbers are those of the protos."""

    MINE = 1
    BOARD = 2
    FINISHED = 3
    ALL = 4


@dataclass(frozen=True, slots=True)
class Shown:
    """A duel with its rounds and the names of those who take part."""

    duel: Duel
    names: Mapping[int, str]
    sides: Sequence[DuelSide]

    def concerns(self, player_id: int) -> bool:
        """Whether somebody takes part, or is challenged."""
        return player_id in (self.duel.challenger_id, self.duel.opponent_id)

    def is_offered_to(self, player_id: int) -> bool:
        """Whether somebody could accept it."""
        duel = self.duel
        return (
            duel.state == DuelState.OPEN
            and duel.challenger_id != player_id
            and duel.opponent_id in (None, player_id)
        )


def get(duel_id: int) -> Shown:
    """One duel. Raises Refused NOT_FOUND."""
    found = show(Duel.select().where(Duel.id == duel_id))
    if not found:
        raise not_found("duel", duel_id)
    return found[0]


def page(
    scope: Scope, caller_id: int, player_id: int | None, after_id: int | None, limit: int
) -> list[Shown]:
    """Duels of a scope, newest first, those older than a number; of one player only, if one is given."""
    where = [_within(scope, caller_id)]
    if player_id is not None:
        where.append(_of(player_id))
    if after_id is not None:
        where.append(Duel.id < after_id)
    return show(Duel.select().where(*where).order_by(Duel.id.desc()).limit(limit))


_ENDED = """
SELECT duel_id FROM (
    SELECT duel_id, settled_at,
        row_number() OVER (PARTITION BY player_id ORDER BY settled_at DESC, duel_id DESC) AS place
    FROM (
        SELECT id AS duel_id, challenger_id AS player_id, settled_at FROM duels WHERE settled_at > %s
        UNION ALL SELECT id, opponent_id, settled_at FROM duels WHERE settled_at > %s AND opponent_id <> 0
    ) sides
) placed WHERE place <= %s GROUP BY duel_id ORDER BY max(settled_at) DESC LIMIT %s
"""


def alive() -> list[Shown]:
    """All that are not over, and those that have ended lately, newest first."""
    # Two queries, for the planner finds no index for the one or the other.
    going_on = Duel.select().where(Duel.state != DuelState.SETTLED).order_by(Duel.id.desc()).limit(MOST_ALIVE)
    lately = [
        duel_id
        for (duel_id,) in bulk.execute(_ENDED, *(now() - ENDED_LATELY,) * 2, ENDED_OF_EACH, MOST_ALIVE)
    ]
    ended = Duel.select().where(Duel.id << lately)
    return show(sorted([*going_on, *ended], key=lambda duel: -int(duel.id)))


def staked_cents(player_id: int) -> int:
    """What a player has in escrow: the stakes of duels that are not over."""
    accepted = (Duel.opponent_id == player_id) & Duel.accepted_at.is_null(False)
    staked = Duel.select(pw.fn.coalesce(pw.fn.sum(Duel.stake_cents), 0).cast("bigint")).where(
        Duel.state != DuelState.SETTLED, (Duel.challenger_id == player_id) | accepted
    )
    return int(staked.scalar())


def show(duels: pw.ModelSelect | Sequence[Duel]) -> list[Shown]:
    """Duels with all that belongs to them."""
    rows = list(duels)
    ids = [row.id for row in rows]
    people = {row.challenger_id for row in rows} | {row.opponent_id for row in rows} - {None}
    names = dict(Player.select(Player.id, Player.name).where(Player.id << list(people)).tuples())
    sides: dict[int, list[DuelSide]] = {id_: [] for id_ in ids}
    for side in DuelSide.select().where(DuelSide.duel_id << ids).order_by(DuelSide.duel_id, DuelSide.round):
        sides[side.duel_id].append(side)
    return [Shown(row, names, sides[row.id]) for row in rows]


def _of(player_id: int) -> pw.Expression:
    return (Duel.challenger_id == player_id) | (Duel.opponent_id == player_id)


def _within(scope: Scope, caller_id: int) -> pw.Expression:
    match scope:
        case Scope.MINE:
            return _of(caller_id)
        case Scope.BOARD:
            return (
                (Duel.state == DuelState.OPEN)
                & (Duel.challenger_id != caller_id)
                & (Duel.opponent_id.is_null() | (Duel.opponent_id == caller_id))
            )
        case Scope.FINISHED:
            return Duel.state == DuelState.SETTLED
        case Scope.ALL:
            return Duel.id > 0
