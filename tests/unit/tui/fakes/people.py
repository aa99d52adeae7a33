"""Other players in memory."""

from __future__ import annotations

from datetime import timedelta

import grpc
from bearpit.client import BearpitError
from bearpit_tui.camp.people import Badge
from bearpit_tui.camp.teams import Team

from tests.unit.tui.fakes import NOW, Note


class FakePeople:
    """What is asked about others."""

    def __init__(self, note: Note) -> None:
        self.note = note

    async def names(self) -> list[str]:
        self.note("names", None)
        return ["ada", "bob", "Clara", "dave.k"]

    async def permissions(self) -> dict[str, str]:
        self.note("permissions", None)
        return {
            "LOOK": "See the market, ranks and news.",
            "PLAY": "Trade, give points, duel and redeem codes.",
            "CREATE_CODES": "Make codes, and see who redeemed them.",
        }

    async def badges(self) -> list[Badge]:
        self.note("badges", None)
        return [
            Badge("First blood", "The first trade of the game."),
            Badge("First profit", "Your first sale above cost.", NOW - timedelta(hours=3)),
            Badge("Night owl", "A trade between 2 and 4 at night.", NOW - timedelta(hours=11)),
            Badge("Diamond hands", "Held through a fall of half the price, and sold at a gain."),
        ]


class FakeTeams:
    """What is asked about teams."""

    def __init__(self, note: Note) -> None:
        self.note = note
        self.team: Team | None = None

    async def mine(self) -> Team | None:
        self.note("team", None)
        return self.team

    async def join(self, code: str, request_id: str) -> Team:
        self.note("join", (code, request_id))
        if code != "OWLS":
            raise BearpitError(grpc.StatusCode.NOT_FOUND, "NOT_FOUND", "no team has this code", {})
        self.team = Team("Night owls", 4, ("ada", "bob", "Clara", "dave.k"))
        return self.team

    async def leave(self, request_id: str) -> None:
        self.note("leave", request_id)
        self.team = None
