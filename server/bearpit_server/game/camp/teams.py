"""Teams; inside the caller's transaction. Who is in them is a matter of `membership`."""

import secrets
from dataclasses import dataclass

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.rules import teams as rules
from bearpit_server.rules.refusals import Refused, invalid, not_found
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Player
from bearpit_server.storage.models.teams import Team

MAX_SEARCH = 64


@dataclass(frozen=True, slots=True)
class Listed:
    """A team, and how many are in it."""

    row: Team
    members: int


# --- looking ------------------------------------------------------------------------------------


def listed(search: str, after: str, limit: int) -> list[Listed]:
    """Teams by name, those after a name. Raises Refused INVALID_FIELD."""
    if len(search) > MAX_SEARCH or (search and not search.isprintable()):
        raise invalid("search", f"give at most {MAX_SEARCH} printable characters")
    query = _counted().order_by(pw.fn.lower(Team.name)).limit(limit)
    if search:
        query = query.where(Team.name.contains(search))
    if after:
        query = query.where(pw.fn.lower(Team.name) > pw.fn.lower(after))
    return [Listed(row, row.members) for row in query]


def get(name: str) -> Listed:
    """The team of that name, without regard to case. Raises Refused NOT_FOUND."""
    row = _counted().where(named(name)).first() if may_be(name) else None
    if row is None:
        raise not_found("team", name[: rules.MAX_NAME])
    return Listed(row, row.members)


def of_player(player_id: int) -> Listed | None:
    """The team that a player is in."""
    row = _counted().join(Player, on=(Player.team_id == Team.id)).where(Player.id == player_id).first()
    return None if row is None else Listed(row, row.members)


def members(team_id: int, after: str, limit: int) -> list[Player]:
    """The players in a team by name, those after a name."""
    query = Player.select().where(Player.team_id == team_id).order_by(pw.fn.lower(Player.name)).limit(limit)
    if after:
        query = query.where(pw.fn.lower(Player.name) > pw.fn.lower(after))
    return list(query)


def _counted() -> pw.ModelSelect:
    inside = Player.alias()
    number = inside.select(pw.fn.count(inside.id)).where(inside.team_id == Team.id)
    return Team.select(Team, number.alias("members")).objects()


def named(name: str) -> pw.Expression:
    """Without regard to case, as the database sees it: Python's lower case of some letters is another."""
    return pw.fn.lower(Team.name) == pw.fn.lower(name)


def may_be(name: str) -> bool:
    """Whether there can be such a name, so that the database may be asked for it."""
    return len(name) <= rules.MAX_NAME and "\0" not in name


# --- making and changing teams ------------------------------------------------------------------


def create(name: str, max_players: int, joinable: bool, origin: Origin) -> Listed:
    """A new team, with a join code if it is joinable. Raises Refused INVALID_FIELD or ALREADY_EXISTS."""
    rules.check_name(name)
    most = rules.check_size(max_players)
    row = insert(name, most, _new_code() if joinable else None, origin)
    if row is None:
        raise _taken(name)
    return Listed(row, 0)


def change(name: str, new_name: str, max_players: int | None, code: bool | None, origin: Origin) -> Listed:
    """Change a team. `code` True: a new one; False: none any more; None: as it is.

    Raises Refused NOT_FOUND, INVALID_FIELD or ALREADY_EXISTS.
    """
    row = _lock(get(name).row.id)
    inside = count(row.id)
    told: dict[str, object] = {}
    if new_name and new_name != row.name:
        rules.check_name(new_name, "new_name")
        if Team.select().where(named(new_name), Team.id != row.id).exists():
            raise _taken(new_name, "new_name")
        told |= {"name": new_name, "from_name": row.name}
        row.name = new_name
    if max_players is not None:
        row.max_players = rules.check_size(max_players, inside)
        told["max_players"] = max_players
    if code is not None:
        row.join_code = _new_code() if code else None
        told["join_code"] = "renewed" if code else "ended"  # never the code itself: events are read by many
    if told:
        try:
            row.save(only=[Team.name, Team.max_players, Team.join_code])
        except pw.IntegrityError:  # somebody else has just taken the name
            raise _taken(new_name, "new_name") from None
        log.append([Event("team.changed", f"team:{row.id}", origin, told)])
    return Listed(row, inside)


def insert(name: str, max_players: int | None, code: str | None, origin: Origin) -> Team | None:
    """A new team; None when the name is taken."""
    at = now()
    made = (
        Team.insert(name=name, max_players=max_players, join_code=code, created_at=at)
        .on_conflict_ignore()
        .returning(Team)
        .execute()
    )
    row: Team | None = next(iter(made), None)
    if row is not None:
        payload = {"name": name, "max_players": max_players or 0, "joinable": code is not None}
        log.append([Event("team.created", f"team:{row.id}", origin, payload)], at)
    return row


def _new_code() -> str:
    while True:
        code = rules.make_code(secrets.randbelow)
        if not Team.select().where(Team.join_code == code).exists():
            return code


def _taken(name: str, field: str = "name") -> Refused:
    return Refused("ALREADY_EXISTS", f"there is a team {name}; choose another name", field, name=name)


def _lock(team_id: int) -> Team:
    row: Team = Team.select().where(Team.id == team_id).for_update().get()
    return row


def count(team_id: int) -> int:
    """How many players are in a team."""
    return int(Player.select().where(Player.team_id == team_id).count())
