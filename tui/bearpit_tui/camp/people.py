"""Who else is in the game."""

from __future__ import annotations

from typing import Protocol

import grpc
from bearpit.client import BearpitError, Client
from bearpit.v1 import ranks_pb2

PAGE = 1_000


class People(Protocol):
    """What is asked about others."""

    async def names(self) -> list[str]:
        """Names to complete from; empty where they cannot be had. All are not needed: one may type any."""


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
