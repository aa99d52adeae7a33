"""Where the board has it from: the streams that everybody may read, and the ranks, asked again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import cycle
from typing import Protocol

from bearpit.client import BearpitError, Client
from bearpit.v1 import ranks_pb2
from bearpit_tui.board.model import Board, Place, Sheet, Wall
from bearpit_tui.failures import answer_lost
from bearpit_tui.gateway import Gateway
from bearpit_tui.model import Link

PLACES = 30
"""Lines of a board that are asked for; no wall has more."""
SHOWN_SECONDS = 12.0
"""How long a board stands before the next one."""


class Ranks(Protocol):
    """What is asked of the ranks."""

    async def top(self, board: Board) -> Sheet:
        """The best of a board. Raises BearpitError."""


class RemoteRanks:
    """The ranks of a real server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def top(self, board: Board) -> Sheet:
        """The best of a board."""
        if board is Board.TEAM:
            teams = await self._client.ranks.ListTeamRanks(ranks_pb2.ListTeamRanksRequest(page_size=PLACES))
            return Sheet(
                board,
                tuple(
                    Place(
                        one.rank, one.team_name, f"{one.members} players", one.average_cents,
                        risen=_risen(one.rank, one.previous_rank),
                    )
                    for one in teams.entries
                ),
                teams.total,
            )  # fmt: skip
        request = ranks_pb2.ListRanksRequest(board=f"BOARD_{board.name}", page_size=PLACES)
        page = await self._client.ranks.ListRanks(request)
        return Sheet(
            board,
            tuple(
                Place(
                    one.rank, one.player_name, one.team_name,
                    one.value_cents if one.HasField("value_cents") else None,
                    one.value_bps if one.HasField("value_bps") else None,
                    _risen(one.rank, one.previous_rank),
                )
                for one in page.entries
            ),
            page.total,
        )  # fmt: skip


def _risen(rank: int, before: int) -> int:
    return before - rank if before else 0


async def watch(
    gateway: Gateway, ranks: Ranks, wall: Wall, changed: Callable[[], None], seconds: float = SHOWN_SECONDS
) -> None:
    """Fill the wall until cancelled. Raises BearpitError when the token or the sign-in does not hold."""

    async def prices() -> None:
        async for frame in gateway.stream_prices():
            wall.price(frame.quotes, frame.whole)
            changed()

    async def status() -> None:
        async for wall.status in gateway.stream_status():
            changed()

    async def windows() -> None:
        async for wall.windows in gateway.stream_windows():
            changed()

    async def boards() -> None:
        for board in cycle(Board):
            try:
                sheet = await ranks.top(board)
            except BearpitError as error:
                if not answer_lost(error):
                    raise
                await asyncio.sleep(seconds)
                continue
            if sheet.places or board is Board.NET_WORTH:
                wall.sheet = sheet
                changed()
                await asyncio.sleep(seconds)

    def link(now: Link) -> None:
        wall.link = now
        changed()

    unwatch = gateway.watch_link(link)
    try:
        async with asyncio.TaskGroup() as tasks:
            for work in (prices, status, windows, boards):
                tasks.create_task(work())
    finally:
        unwatch()
