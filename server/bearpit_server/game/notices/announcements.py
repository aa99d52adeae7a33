"""Words from the operators, to everybody, a team or a role; inside the caller's transaction.

One that is to come is made public by `publish_due`, once, when its time has come. One whose time is over
before anybody could make it public, because no server ran, never comes out.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.bus import Bus
from bearpit_server.events.log import HOUSE_ORIGIN, Event, Origin
from bearpit_server.events.records import StatusChange
from bearpit_server.game.texts import line
from bearpit_server.rules.announcements import (
    MAX_TITLE,
    Audience,
    Priority,
    State,
    check_body,
    state_at,
    times,
)
from bearpit_server.rules.refusals import Refused, invalid, not_found
from bearpit_server.rules.roles import ROLES
from bearpit_server.storage.clock import now
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Player
from bearpit_server.storage.models.announcements import Announcement
from bearpit_server.storage.models.teams import Team

LOOK_SECONDS = 0.5
BATCH = 100
"""How many are made public in one go."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An announcement as its author wants it.

    `team` and `role` are names, for those audiences only; `starts_at` None: now; neither `lifetime_seconds`
    nor `expires_at`: it stands until the next one for the same audience.
    """

    title: str
    body: str = ""
    priority: Priority = Priority.INFO
    audience: Audience = Audience.ALL
    team: str = ""
    role: str = ""
    starts_at: datetime | None = None
    lifetime_seconds: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Announced:
    """An announcement, with its author's and its team's name. `expires_at` None: until the next one."""

    announcement_id: int
    title: str
    body: str
    priority: Priority
    audience: Audience
    team: str
    role: str
    author: str
    created_at: datetime
    starts_at: datetime
    expires_at: datetime | None
    state: State


def announce(draft: Draft, origin: Origin) -> Announced:
    """Say something now, or plan to. Raises Refused INVALID_FIELD, or NOT_FOUND for a team."""
    line("title", draft.title, 1, MAX_TITLE)
    check_body(draft.body)
    at = now()
    starts_at, expires_at = times(at, draft.starts_at, draft.lifetime_seconds, draft.expires_at)
    row = Announcement.create(
        title=draft.title,
        body=draft.body,
        priority=int(draft.priority),
        audience=int(draft.audience),
        team_id=_team_id(draft),
        role=_role(draft),
        author_id=origin.actor_id,
        created_at=at,
        starts_at=starts_at,
        expires_at=expires_at,
    )
    if starts_at <= at:
        _publish(row, at, origin)
    else:
        log.append([Event("announcement.scheduled", _subject(row), origin, _payload(row))], at)
    return _read(Announcement.id == row.id)[0]


def withdraw(announcement_id: int, origin: Origin) -> Announced:
    """Take one back. Raises Refused NOT_FOUND, or NOT_POSSIBLE_NOW for one that is over or withdrawn."""
    row = Announcement.select().where(Announcement.id == announcement_id).for_update().first()
    if row is None:
        raise not_found("announcement", announcement_id)
    at = now()
    state = state_at(at, row.public_at, row.expires_at, row.withdrawn_at)
    if state in (State.EXPIRED, State.WITHDRAWN):
        word = state.name.lower()
        raise Refused(
            "NOT_POSSIBLE_NOW",
            f"announcement {announcement_id} is {word}: there is nothing left to take back",
            "announcement_id",
            state=word,
        )
    row.withdrawn_at = at
    row.save(only=[Announcement.withdrawn_at])
    log.append([Event("announcement.withdrawn", _subject(row), origin, _payload(row))], at)
    return _read(Announcement.id == row.id)[0]


def publish_due() -> int:
    """Make public what is due, oldest first, and tell how many; what another process is at is left to it."""
    at = now()
    due = (
        Announcement.select()
        .where(
            Announcement.public_at.is_null(),
            Announcement.withdrawn_at.is_null(),
            Announcement.starts_at <= at,
            Announcement.expires_at.is_null() | (Announcement.expires_at > at),
        )
        .order_by(Announcement.starts_at, Announcement.id)
        .limit(BATCH)
        .for_update("FOR UPDATE SKIP LOCKED")
    )
    rows = list(due)
    for row in rows:
        _publish(row, at, HOUSE_ORIGIN)
    return len(rows)


async def publish(database: Database, bus: Bus) -> None:
    """Make public all that is due, and let the screens show it. Raises Refused DATABASE_UNAVAILABLE."""
    while await database.run(publish_due):
        bus.publish([StatusChange()])


def standing(at: datetime) -> list[Announced]:
    """Those for everybody that hold at a moment, newest first."""
    return _read(_holds(at), Announcement.audience == int(Audience.ALL))


def standing_for(player_id: int, limit: int, after_id: int | None = None) -> list[Announced]:
    """Those that hold for a player now, newest first, after the one of that id."""
    return _read(_holds(now()), _concerns(player_id), *_older(after_id), limit=limit)


def page(limit: int, after_id: int | None = None) -> list[Announced]:
    """All there are, newest first, after the one of that id."""
    return _read(*_older(after_id), limit=limit)


def get(announcement_id: int, player_id: int | None = None) -> Announced:
    """One; with a player only if it holds for that one now. Raises Refused NOT_FOUND."""
    mine = [] if player_id is None else [_holds(now()), _concerns(player_id)]
    found = _read(Announcement.id == announcement_id, *mine)
    if not found:
        raise not_found("announcement", announcement_id)
    return found[0]


def _publish(row: Announcement, at: datetime, origin: Origin) -> None:
    """Let it come out. It ends those for the same audience that stood until the next one."""
    same_team = Announcement.team_id.is_null() if row.team_id is None else Announcement.team_id == row.team_id
    same_role = Announcement.role.is_null() if row.role is None else Announcement.role == row.role
    Announcement.update(expires_at=at).where(
        Announcement.id != row.id,
        Announcement.audience == row.audience,
        same_team,
        same_role,
        Announcement.public_at.is_null(False),
        Announcement.expires_at.is_null(),
    ).execute()
    row.public_at = at
    row.save(only=[Announcement.public_at])
    log.append([Event("announcement.made", _subject(row), origin, _payload(row))], at)


def _team_id(draft: Draft) -> int | None:
    if (draft.audience is Audience.TEAM) != bool(draft.team):
        raise invalid("team", "name a team for the audience team, and for no other")
    if not draft.team:
        return None
    team = Team.get_or_none(pw.fn.lower(Team.name) == draft.team.lower())
    if team is None:
        raise not_found("team", draft.team[:MAX_TITLE])
    return int(team.id)


def _role(draft: Draft) -> str | None:
    if (draft.audience is Audience.ROLE) != bool(draft.role):
        raise invalid("role", "name a role for the audience role, and for no other")
    if draft.role and draft.role not in ROLES:
        raise invalid("role", f"there is no such role; there are {', '.join(sorted(ROLES))}")
    return draft.role or None


def _subject(row: Announcement) -> str:
    return f"announcement:{row.id}"


def _payload(row: Announcement) -> dict[str, object]:
    return {
        "announcement_id": int(row.id),
        "title": row.title,
        "priority": Priority(row.priority).name,
        "audience": Audience(row.audience).name,
        "team_id": row.team_id,
        "role": row.role,
        "starts_at": row.starts_at.isoformat(),
        "expires_at": row.expires_at and row.expires_at.isoformat(),
    }


def _holds(at: datetime) -> pw.Expression:
    return (
        Announcement.public_at.is_null(False)
        & Announcement.withdrawn_at.is_null()
        & (Announcement.expires_at.is_null() | (Announcement.expires_at > at))
    )


def _concerns(player_id: int) -> pw.Expression:
    """It is for everybody, for the player's team, or for a role that the player has."""
    player = Player.select(pw.SQL("1")).where(
        Player.id == player_id,
        (Announcement.team_id == Player.team_id) | (Announcement.role == pw.fn.ANY(Player.roles)),
    )
    return (Announcement.audience == int(Audience.ALL)) | pw.fn.EXISTS(player)


def _older(after_id: int | None) -> list[pw.Expression]:
    return [] if after_id is None else [Announcement.id < after_id]


def _read(*where: pw.Expression, limit: int | None = None) -> list[Announced]:
    author = Player.alias()
    query = (
        Announcement.select(Announcement, author.name.alias("author"), Team.name.alias("team"))
        .join(author, pw.JOIN.INNER, on=(author.id == Announcement.author_id))
        .join(Team, pw.JOIN.LEFT_OUTER, on=(Team.id == Announcement.team_id))
        .order_by(Announcement.id.desc())
        .limit(limit)
    )
    at = now()
    return [_announced(row, at) for row in (query.where(*where) if where else query).objects()]


def _announced(row: Any, at: datetime) -> Announced:
    return Announced(
        announcement_id=int(row.id),
        title=row.title,
        body=row.body,
        priority=Priority(row.priority),
        audience=Audience(row.audience),
        team=row.team or "",
        role=row.role or "",
        author=row.author,
        created_at=row.created_at,
        starts_at=row.starts_at,
        expires_at=row.expires_at,
        state=state_at(at, row.public_at, row.expires_at, row.withdrawn_at),
    )
