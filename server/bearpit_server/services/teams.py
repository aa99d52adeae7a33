"""TeamService: who plays with whom."""
# ruff: noqa: N802 - the methods are named by the contract

import grpc
from bearpit.v1 import teams_pb2 as pb
from bearpit.v1.teams_pb2_grpc import TeamServiceServicer

from bearpit_server.events.bus import Bus
from bearpit_server.game.camp import membership, teams
from bearpit_server.game.camp.membership import Change
from bearpit_server.game.camp.teams import Listed
from bearpit_server.identity.callers import origin, signed_in
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.roles import Permission
from bearpit_server.rules.teams import bare, shown
from bearpit_server.services import errors, translate
from bearpit_server.services.guessing import Guessing
from bearpit_server.services.idempotency import Done, Once
from bearpit_server.services.pages import Page
from bearpit_server.storage import requests
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Player
from bearpit_server.storage.settings import Settings

Context = grpc.aio.ServicerContext[object, object]

_CODE = {
    pb.JOIN_CODE_CHANGE_UNSPECIFIED: None,
    pb.JOIN_CODE_CHANGE_RENEW: True,
    pb.JOIN_CODE_CHANGE_END: False,
}


class TeamService(TeamServiceServicer):
    """All of TeamService."""

    def __init__(self, database: Database, bus: Bus, settings: Settings, guessing: Guessing) -> None:
        self._database = database
        self._settings = settings
        self._guessing = guessing
        self._once = Once(database, bus)

    async def ListTeams(self, request: pb.ListTeamsRequest, context: Context) -> pb.ListTeamsResponse:
        """Teams by name."""
        page = Page(request)
        found = await self._database.run(teams.listed, request.search, page.after, page.limit)
        rows, token = page.close(found, lambda listed: listed.row.name)
        with_codes = _sees_codes()
        return pb.ListTeamsResponse(teams=[_team(row, with_codes) for row in rows], next_page_token=token)

    async def GetTeam(self, request: pb.GetTeamRequest, context: Context) -> pb.GetTeamResponse:
        """One team, or the caller's own."""
        if request.name:
            found: Listed | None = await self._database.run(teams.get, request.name)
        else:
            found = await self._database.run(teams.of_player, signed_in().player_id)
        return pb.GetTeamResponse(team=None if found is None else _team(found, _sees_codes()))

    async def ListMembers(self, request: pb.ListMembersRequest, context: Context) -> pb.ListMembersResponse:
        """A team's players by name."""
        page = Page(request)

        def read() -> list[Player]:
            return teams.members(teams.get(request.team).row.id, page.after, page.limit)

        rows, token = page.close(await self._database.run(read), lambda player: player.name)
        members = [pb.Member(player_id=row.id, name=row.name, disabled=row.disabled) for row in rows]
        return pb.ListMembersResponse(members=members, next_page_token=token)

    async def JoinTeam(self, request: pb.JoinTeamRequest, context: Context) -> pb.JoinTeamResponse:
        """Bring the caller into the team whose code it is."""
        player_id, by = signed_in().player_id, origin(request.request_id)
        requests.check_id(request.request_id)
        code = bare(request.code)

        def work() -> Done[pb.JoinTeamResponse]:
            joined = membership.join(player_id, code, by)
            return Done(pb.JoinTeamResponse(team=_team(joined)))

        async with self._guessing.one(by):
            return await self._once.run(request, by, pb.JoinTeamResponse, work)

    async def LeaveTeam(self, request: pb.LeaveTeamRequest, context: Context) -> pb.LeaveTeamResponse:
        """Take the caller out of its team."""
        player_id, by = signed_in().player_id, origin(request.request_id)

        def work() -> Done[pb.LeaveTeamResponse]:
            if not self._settings.switch("teams_may_leave"):
                raise Refused(
                    "NOT_POSSIBLE_NOW",
                    "in this game teams are for good; ask an operator to move you",
                    state="for good",
                )
            return Done(pb.LeaveTeamResponse(team=_team(membership.leave(player_id, by))))

        return await self._once.run(request, by, pb.LeaveTeamResponse, work)

    async def CreateTeam(self, request: pb.CreateTeamRequest, context: Context) -> pb.CreateTeamResponse:
        """Make a team."""
        by = origin(request.request_id)

        def work() -> Done[pb.CreateTeamResponse]:
            made = teams.create(request.name, request.max_players, request.joinable, by)
            team = _team(made, with_code=not request.validate_only)
            if request.validate_only:
                team.team_id = 0
            return Done(pb.CreateTeamResponse(team=team))

        return await self._once.run(request, by, pb.CreateTeamResponse, work)

    async def UpdateTeam(self, request: pb.UpdateTeamRequest, context: Context) -> pb.UpdateTeamResponse:
        """Change a team."""
        by = origin(request.request_id)
        code = _CODE.get(request.join_code)

        def work() -> Done[pb.UpdateTeamResponse]:
            most = request.max_players if request.HasField("max_players") else None
            changed = teams.change(request.name, request.new_name, most, code, by)
            with_code = not (request.validate_only and code)
            return Done(pb.UpdateTeamResponse(team=_team(changed, with_code)))

        return await self._once.run(request, by, pb.UpdateTeamResponse, work)

    async def AssignTeam(self, request: pb.AssignTeamRequest, context: Context) -> pb.AssignTeamResponse:
        """Put players into teams."""
        by = origin(request.request_id)
        wanted = [(one.player, one.team) for one in request.assignments]

        def work() -> Done[pb.AssignTeamResponse]:
            changes, made = membership.assign(wanted, request.create_teams, by)
            return Done(pb.AssignTeamResponse(results=map(_assigned, changes), created_teams=made))

        return await self._once.run(request, by, pb.AssignTeamResponse, work)

    async def RemoveFromTeam(
        self, request: pb.RemoveFromTeamRequest, context: Context
    ) -> pb.RemoveFromTeamResponse:
        """Take players out of their teams."""
        by = origin(request.request_id)

        def work() -> Done[pb.RemoveFromTeamResponse]:
            return Done(
                pb.RemoveFromTeamResponse(results=map(_assigned, membership.remove(request.players, by)))
            )

        return await self._once.run(request, by, pb.RemoveFromTeamResponse, work)


def _sees_codes() -> bool:
    return signed_in().may(Permission.MANAGE_PLAYERS)


def _team(listed: Listed, with_code: bool = False) -> pb.Team:
    row = listed.row
    return pb.Team(
        team_id=row.id,
        name=row.name,
        members=listed.members,
        max_players=row.max_players or 0,
        created_at=translate.timestamp(row.created_at),
        joinable=row.join_code is not None,
        join_code=shown(row.join_code) if with_code and row.join_code else "",
    )


def _assigned(change: Change) -> pb.Assigned:
    return pb.Assigned(
        player=change.player,
        team=change.team,
        from_team=change.from_team,
        changed=change.is_change,
        refusal=None if change.refusal is None else errors.as_message(change.refusal),
    )
