"""Ranks in memory: a hundred thousand players, made up as they are asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import grpc
from bearpit.client import BearpitError
from bearpit_tui.camp.people import Badge
from bearpit_tui.camp.ranks import Board, Edition, Mark, Period, Place, Ranks, Standing, Worth

from tests.unit.tui.fakes import NOW, Note

PLAYERS = 100_000
CHAPTER = Period(datetime(2026, 3, 2, 12, 30, tzinfo=UTC), window_id=12, title="Chapter 12")
SUNDAY = Period(datetime(2026, 3, 2, tzinfo=UTC), day=date(2026, 3, 1))
TEAMS = ("Night owls", "Robotics", "", "Kitchen")


class FakeRankings:
    """What is asked about ranks."""

    def __init__(self, note: Note) -> None:
        self.note = note
        self.players = PLAYERS
        self.mine = 50_007
        """The position of ada; 0: on no board."""
        self.kept = [CHAPTER, SUNDAY]
        self.then = 50
        """So many were ranked in a period that is over, ada as the 20th; names and values are others."""
        self.edition = Edition(1, NOW - timedelta(seconds=4), NOW - timedelta(minutes=31), PLAYERS)

    def count(self, mine: int) -> None:
        """Count anew: this player has moved."""
        self.mine = mine
        self.edition = Edition(self.edition.number + 1, NOW, self.edition.compared_with, self.players)

    def _past(self, board: Board, position: int) -> Place:
        name = {1: "Dora", 20: "ada"}.get(position, f"veteran-{position}")
        return Place(position, position, name, 9_000_00 - position * 7_01, position + 1, TEAMS[position % 4])

    def _place(self, board: Board, position: int) -> Place:
        before = position + (position * 7_919) % 11 - 5
        name = {1: "Clara", self.mine: "ada"}.get(position, f"player-{position}")
        value = {
            Board.RETURN: 90_00 - position,
            Board.DRAWDOWN: position // 100,
            Board.DAY: 500_00 - position * 11,
        }.get(board, 2_000_000_00 - position * 1_999)
        return Place(
            position, position, name, value, max(before, 0) if position != 3 else 0, TEAMS[position % 4]
        )

    async def page(self, board: Board, first: int, size: int, period: Period | None = None) -> Ranks:
        self.note("ranks", (board, first, size))
        if period is not None:
            self.note("ranks then", period)
            edition = Edition(0, period.at, None, self.then)
            if board is Board.WINDOW:
                return Ranks((), 0, edition)
            last = min(first + size - 1, self.then)
            return Ranks(tuple(self._past(board, at) for at in range(first, last + 1)), self.then, edition)
        if board is Board.TEAM:
            teams = ("Robotics", "Night owls", "Kitchen")
            places = [
                Place(n, n, team, 9_000_00 - n * 100_00, n + 1 if n < 3 else 1, members=12 - n)
                for n, team in enumerate(teams, 1)
            ]
            return Ranks(tuple(places[first - 1 : first - 1 + size]), 3, self.edition)
        if board is Board.WINDOW:
            return Ranks((), 0, self.edition)
        last = min(first + size - 1, self.players)
        places = [self._place(board, position) for position in range(first, last + 1)]
        return Ranks(tuple(places), self.players, self.edition)

    async def periods(self) -> list[Period]:
        self.note("periods", None)
        return list(self.kept)

    async def standing(self, player: str, period: Period | None = None) -> Standing:
        self.note("standing of", player)
        name = player or "ada"
        if name == "nobody":
            raise BearpitError(grpc.StatusCode.NOT_FOUND, "NOT_FOUND", "there is no player nobody", {})
        if period is not None:
            self.note("standing then", period)
            past = {"ada": 20, "Dora": 1}.get(name) or int(name.partition("-")[2] or 0)
            ranked = (Board.NET_WORTH, Board.DAY) if past <= self.then else ()
            return Standing(name, {one: (self._past(one, past), self.then) for one in ranked})
        position = {"ada": self.mine, "Clara": 1}.get(name) or int(name.partition("-")[2] or 0)
        boards = [one for one in Board if one not in (Board.TEAM, Board.WINDOW)]
        places: dict[Board, tuple[Place, int]] = {}
        if position:
            places = {one: (self._place(one, position), self.players) for one in boards}
        worth = Worth(10_000_00, 5_027_80, 250_00, 14_777_80, 10_075_00) if name == "ada" else None
        return Standing(name, places, worth)

    async def badges(self, player: str) -> list[Badge]:
        self.note("badges of", player)
        return [
            Badge("First blood", "The first trade of the game."),
            Badge("First profit", "The first sale above cost.", NOW - timedelta(hours=3)),
            Badge("Night owl", "A trade between 2 and 4 at night.", NOW - timedelta(hours=22)),
        ]

    async def marks(self) -> list[Mark]:
        self.note("marks", None)
        return [
            Mark(
                "AAPL", 12_01, 12_01, "latest trades", "The median of 40 trades between 11 pairs of players."
            ),
            Mark(
                "KITE",
                120_00,
                990_00,
                "reference",
                "Only one pair of players has traded it, so the reference.",
            ),
        ]
