"""Teams and who is in them; inside the caller's transaction.

Whoever changes who is in a team locks the teams first, by their ids, and then the players, by theirs.
"""

import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.rules import teams as rules
from bearpit_server.rules.refusals import Refused, invalid, not_found
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import HOUSE, Player
from bearpit_server.storage.models.teams import Team

MOST = 1_000
"""Players that one request may move."""
MAX_SEARCH = 64


@dataclass(frozen=True, slots=True)
class Listed:
    """A team, and how many are in it."""

    row: Team
    members: int


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one player's team. Names; empty: none. `refusal` None: nothing is wrong."""

    player: str
    team: str
    from_team: str
    refusal: Refused | None = None

    @property
    def is_change(self) -> bool:
        """Whether it is another team now."""
        return self.refusal is None and self.team != self.from_team


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
    row = _counted().where(_named(name)).first() if _may_be(name) else None
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
    count = inside.select(pw.fn.count(inside.id)).where(inside.team_id == Team.id)
    return Team.select(Team, count.alias("members")).objects()


def _named(name: str) -> pw.Expression:
    """Without regard to case, as the database sees it: Python's lower case of some letters is another."""
    return pw.fn.lower(Team.name) == pw.fn.lower(name)


def _may_be(name: str) -> bool:
    return len(name) <= rules.MAX_NAME and "\0" not in name


# --- making and changing teams ------------------------------------------------------------------


def create(name: str, max_players: int, joinable: bool, origin: Origin) -> Listed:
    """A new team, with a join code if it is joinable. Raises Refused INVALID_FIELD or ALREADY_EXISTS."""
    rules.check_name(name)
    most = rules.check_size(max_players)
    row = _insert(name, most, _new_code() if joinable else None, origin)
    if row is None:
        raise _taken(name)
    return Listed(row, 0)


def change(name: str, new_name: str, max_players: int | None, code: bool | None, origin: Origin) -> Listed:
    """Change a team. `code` True: a new one; False: none any more; None: as it is.

    Raises Refused NOT_FOUND, INVALID_FIELD or ALREADY_EXISTS.
    """
    row = _lock(get(name).row.id)
    inside = _count(row.id)
    told: dict[str, object] = {}
    if new_name and new_name != row.name:
        rules.check_name(new_name, "new_name")
        if Team.select().where(_named(new_name), Team.id != row.id).exists():
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


def _insert(name: str, max_players: int | None, code: str | None, origin: Origin) -> Team | None:
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


# --- who is in them -----------------------------------------------------------------------------


def join(player_id: int, code: str, origin: Origin) -> Listed:
    """Bring a player into the team whose code it is, as it is kept.

    Raises Refused CODE_UNKNOWN, ALREADY_IN_TEAM or TEAM_FULL.
    """
    row: Team | None = Team.select().where(Team.join_code == code).for_update().first()
    if row is None:
        raise Refused(
            "CODE_UNKNOWN", "no team has this code; look at it again, or ask for a new one", "code"
        )
    inside = _count(row.id)
    player = _lock_players([player_id])[0]
    if player.team_id is not None:
        mine = Team.get_by_id(player.team_id)
        raise Refused(
            "ALREADY_IN_TEAM",
            f"you are in {mine.name}; leave it first, where the game allows that, or ask an operator",
            team=mine.name,
        )
    if row.max_players is not None and inside >= row.max_players:
        raise rules.full(row.name, row.max_players)
    _move(row, [player_id])
    payload = {"player_id": player_id, "player": player.name, "team": row.name, "by": "code"}
    log.append([Event("team.joined", f"team:{row.id}", origin, payload)])
    return Listed(row, inside + 1)


def leave(player_id: int, origin: Origin) -> Listed:
    """Take a player out of the team. Raises Refused NOT_POSSIBLE_NOW when it is in none."""
    player = _lock_players([player_id])[0]
    if player.team_id is None:
        raise Refused("NOT_POSSIBLE_NOW", "you are in no team; join one with its code", state="no team")
    row = Team.get_by_id(player.team_id)
    _move(None, [player_id])
    log.append([_left(player, row, origin)])
    return Listed(row, _count(row.id))


def assign(
    wanted: Sequence[tuple[str, str]], create_teams: bool, origin: Origin
) -> tuple[list[Change], list[str]]:
    """Put players into teams, one after the other: what became of each, and the names of new teams.

    `wanted`: a player's name and a team's. Raises Refused INVALID_FIELD for the request as a whole.
    """
    _check_players("assignments", [player for player, _ in wanted])
    made = _make_missing([team for _, team in wanted], origin) if create_teams else []
    teams = _lock_teams([team for _, team in wanted])
    players = {player.name.lower(): player for player in _lock_named([player for player, _ in wanted])}
    names = _names_of({player.team_id for player in players.values()}) | {
        t.id: t.name for t in teams.values()
    }
    inside = {team.id: _count(team.id) for team in teams.values()}
    changes, moved, told = [], dict[int, list[int]](), []
    for name, to in wanted:
        player, team = players.get(name.lower()), teams.get(to)
        before = names.get(player.team_id, "") if player else ""
        if player is None or team is None:
            refusal = not_found("player", name[:40]) if player is None else _no_team(to, create_teams)
            changes.append(Change(player.name if player else name, before, before, refusal))
        elif player.team_id != team.id and team.max_players and inside[team.id] >= team.max_players:
            changes.append(Change(player.name, before, before, rules.full(team.name, team.max_players)))
        else:
            changes.append(Change(player.name, team.name, before))
            if player.team_id == team.id:
                continue
            if player.team_id in inside:
                inside[player.team_id] -= 1
            inside[team.id] += 1
            moved.setdefault(team.id, []).append(player.id)
            payload = {"player_id": player.id, "player": player.name, "team": team.name, "by": "operator"}
            if before:
                payload |= {"from_team_id": player.team_id, "from_team": before}
            told.append(Event("team.joined", f"team:{team.id}", origin, payload))
    by_id = {team.id: team for team in teams.values()}
    for team_id, ids in moved.items():
        _move(by_id[team_id], ids)
    log.append(told)
    return changes, made


def remove(names: Sequence[str], origin: Origin) -> list[Change]:
    """Take players out of their teams: what became of each. Raises Refused INVALID_FIELD."""
    _check_players("players", names)
    players = {player.name.lower(): player for player in _lock_named(names)}
    rows = {row.id: row for row in Team.select().where(Team.id << _ids(p.team_id for p in players.values()))}
    changes, moved, told = [], [], []
    for name in names:
        player = players.get(name.lower())
        if player is None:
            changes.append(Change(name, "", "", not_found("player", name[:40])))
        elif player.team_id is None:
            changes.append(Change(player.name, "", ""))
        else:
            team = rows[player.team_id]
            changes.append(Change(player.name, "", team.name))
            moved.append(player.id)
            told.append(_left(player, team, origin))
    _move(None, moved)
    log.append(told)
    return changes


def _check_players(field: str, names: Sequence[str]) -> None:
    if not 1 <= len(names) <= MOST:
        raise invalid(field, f"give 1 to {MOST}")
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise invalid(field, f"{name[:40]} is in it twice; give each player once")
        seen.add(name.lower())


def _no_team(name: str, creating: bool) -> Refused:
    """Why there is no such team: it is not there, or it could not be made."""
    if creating:
        try:
            rules.check_name(name, "team")
        except Refused as refusal:
            return refusal
    return not_found("team", name[: rules.MAX_NAME])


def _make_missing(names: Iterable[str], origin: Origin) -> list[str]:
    """Make the teams that there are not, as far as they may be called so."""
    made = []
    for name in sorted({*names}):
        try:
            rules.check_name(name, "team")
        except Refused:  # told of each assignment to it
            continue
        row = _insert(name, None, None, origin)
        if row is not None:
            made.append(row.name)
    return made


def _lock(team_id: int) -> Team:
    row: Team = Team.select().where(Team.id == team_id).for_update().get()
    return row


def _lock_teams(names: Iterable[str]) -> dict[str, Team]:
    """The teams that there are, locked, by the names that they were asked for with."""
    possible = [(name,) for name in sorted({*names}) if _may_be(name)]
    if not possible:
        return {}
    wanted = pw.ValuesList(possible, ["name"], "wanted")
    same = pw.fn.lower(Team.name) == pw.fn.lower(wanted.c.name)
    asked = dict(Team.select(wanted.c.name, Team.id).join(wanted, on=same).tuples())
    rows = Team.select().where(Team.id << _ids(asked.values())).order_by(Team.id).for_update()
    by_id = {row.id: row for row in rows}
    return {name: by_id[team_id] for name, team_id in asked.items()}


def _lock_named(names: Iterable[str]) -> list[Player]:
    """The players of these names, which are ASCII, as players' are."""
    wanted = sorted({name.lower() for name in names if name.isascii() and "\0" not in name})
    lower = pw.fn.lower(Player.name)
    query = Player.select().where(lower << wanted, Player.id != HOUSE).order_by(Player.id)
    return list(query.for_update("FOR NO KEY UPDATE"))


def _lock_players(ids: Collection[int]) -> list[Player]:
    query = Player.select().where(Player.id << list(ids)).order_by(Player.id)
    return list(query.for_update("FOR NO KEY UPDATE"))


def _names_of(ids: Iterable[int | None]) -> dict[int | None, str]:
    return dict(Team.select(Team.id, Team.name).where(Team.id << _ids(ids)).tuples())


def _ids(ids: Iterable[int | None]) -> list[int]:
    return sorted({id_ for id_ in ids if id_ is not None})


def _count(team_id: int) -> int:
    return int(Player.select().where(Player.team_id == team_id).count())


def _move(team: Team | None, player_ids: Sequence[int]) -> None:
    if player_ids:
        to = None if team is None else team.id
        Player.update(team_id=to).where(Player.id << list(player_ids)).execute()


def _left(player: Player, team: Team, origin: Origin) -> Event:
    payload = {"player_id": player.id, "player": player.name, "team": team.name}
    return Event("team.left", f"team:{team.id}", origin, payload)
