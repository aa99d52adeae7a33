"""Who is in which team; inside the caller's transaction.

Whoever changes that locks the teams first, by their ids, and then the players, by theirs.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.game.camp import teams
from bearpit_server.game.camp.teams import Listed
from bearpit_server.rules import teams as rules
from bearpit_server.rules.refusals import Refused, invalid, not_found
from bearpit_server.storage.models import HOUSE, Player
from bearpit_server.storage.models.teams import Team

MOST = 1_000
"""Players that one request may move."""


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


def join(player_id: int, code: str, origin: Origin) -> Listed:
    """Bring a player into the team whose code it is, as it is kept.

    Raises Refused CODE_UNKNOWN, ALREADY_IN_TEAM or TEAM_FULL.
    """
    row: Team | None = Team.select().where(Team.join_code == code).for_update().first()
    if row is None:
        raise Refused("CODE_UNKNOWN", "no team has this code; look at it again, or ask for a new one", "code")
    inside = teams.count(row.id)
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
    return Listed(row, teams.count(row.id))


def assign(
    wanted: Sequence[tuple[str, str]], create_teams: bool, origin: Origin
) -> tuple[list[Change], list[str]]:
    """Put players into teams, one after the other: what became of each, and the names of new teams.

    `wanted`: a player's name and a team's. Raises Refused INVALID_FIELD for the request as a whole.
    """
    _check_players("assignments", [player for player, _ in wanted])
    made = _make_missing([team for _, team in wanted], origin) if create_teams else []
    found = _lock_teams([team for _, team in wanted])
    players = {player.name.lower(): player for player in _lock_named([player for player, _ in wanted])}
    names = _names_of({player.team_id for player in players.values()}) | {
        t.id: t.name for t in found.values()
    }
    inside = {team.id: teams.count(team.id) for team in found.values()}
    changes, moved, told = [], dict[int, list[int]](), []
    for name, to in wanted:
        player, team = players.get(name.lower()), found.get(to)
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
    by_id = {team.id: team for team in found.values()}
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
        row = teams.insert(name, None, None, origin)
        if row is not None:
            made.append(row.name)
    return made


def _lock_teams(names: Iterable[str]) -> dict[str, Team]:
    """The teams that there are, locked, by the names that they were asked for with."""
    possible = [(name,) for name in sorted({*names}) if teams.may_be(name)]
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


def _move(team: Team | None, player_ids: Sequence[int]) -> None:
    if player_ids:
        to = None if team is None else team.id
        Player.update(team_id=to).where(Player.id << list(player_ids)).execute()


def _left(player: Player, team: Team, origin: Origin) -> Event:
    payload = {"player_id": player.id, "player": player.name, "team": team.name}
    return Event("team.left", f"team:{team.id}", origin, payload)
