"""Who else is in the game."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import grpc
from bearpit.client import BearpitError, Client
from bearpit.v1 import auth_pb2, ranks_pb2
from bearpit_tui.wire import moment

PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Badge:
    """Something to be proud of; `awarded_at` None: not yet."""

    name: str
    description: str
    awarded_at: datetime | None = None


class People(Protocol):
    """What is asked about others."""

    async def names(self) -> list[str]:
        """Names to complete from; empty where they cannot be had. All are not needed: one may type any."""

    async def permissions(self) -> dict[str, str]:
        """What each permission lets one do."""

    async def badges(self) -> list[Badge]:
        """All badges, and when this player got them."""


class RemotePeople:
    """A server's ranks, which name everybody."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def names(self) -> list[str]:
        try:
            answer = await self._client.ranks.ListRanks(ranks_pb2.ListRanksRequest(page_size=PAGE))
        except BearpitError as error:
            if error.code is grpc.StatusCode.UNAUTHENTICATED:
                raise
            return []
        return [one.player_name for one in answer.entries]

    async def permissions(self) -> dict[str, str]:
        answer = await self._client.auth.ListRoles(auth_pb2.ListRolesRequest())
        return {one.name: one.description for one in answer.permissions}

    async def badges(self) -> list[Badge]:
        answer = await self._client.ranks.ListBadges(ranks_pb2.ListBadgesRequest(page_size=PAGE))
        return [
            Badge(one.name, one.description, moment(one.awarded_at) if one.HasField("awarded_at") else None)
            for one in answer.badges
        ]
