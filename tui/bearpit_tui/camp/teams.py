"""The player's team."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import grpc
from bearpit.client import BearpitError, Client
from bearpit.v1 import teams_pb2

PAGE = 100


@dataclass(frozen=True, slots=True)
class Team:
    """Who plays with whom."""

    name: str
    count: int = 0
    members: tuple[str, ...] = ()
    """The first of them by name, at most a page."""


class Teams(Protocol):
    """What is asked about teams."""

    async def mine(self) -> Team | None:
        """The player's own; None: none."""

    async def join(self, code: str, request_id: str) -> Team:
        """Join the team whose code it is."""

    async def leave(self, request_id: str) -> None:
        """Leave the team, where the game allows it."""


class RemoteTeams:
    """A server's team service."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def mine(self) -> Team | None:
        try:
            team = (await self._client.teams.GetTeam(teams_pb2.GetTeamRequest())).team
        except BearpitError as error:
            if error.code is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        request = teams_pb2.ListMembersRequest(team=team.name, page_size=PAGE)
        answer = await self._client.teams.ListMembers(request)
        return Team(team.name, team.members, tuple(one.name for one in answer.members))

    async def join(self, code: str, request_id: str) -> Team:
        request = teams_pb2.JoinTeamRequest(code=code, request_id=request_id)
        team = (await self._client.teams.JoinTeam(request)).team
        return Team(team.name, team.members)

    async def leave(self, request_id: str) -> None:
        await self._client.teams.LeaveTeam(teams_pb2.LeaveTeamRequest(request_id=request_id))
