"""Notifications in memory: those that a test puts there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

from bearpit_tui.inbox import CatchUp, Filled, Frame, Inbox, Kind, Notification, Passed, Preference
from bearpit_tui.model import Announcement

from tests.unit.tui.fakes import NOW, Note

PAGE = 20


class FakeLetters:
    """What is asked about notifications."""

    def __init__(self, note: Note) -> None:
        self.note = note
        self.away: CatchUp | None = None
        self.kept: list[Notification] = []
        self.told: list[Announcement] = []
        self.wanted = {kind: Preference(kind, True, kind is Kind.DUEL) for kind in Kind}
        self._readers: list[asyncio.Queue[Frame]] = []

    # What a test does ---------------------------------------------------------------------------------

    def come(self, kind: Kind, title: str, body: str = "", *, urgent: bool = False) -> Notification:
        """One more notification."""
        at = NOW - timedelta(seconds=5)
        one = Notification(len(self.kept) + 1, kind, title, body, "", urgent, at)
        self.kept.insert(0, one)
        for queue in self._readers:
            queue.put_nowait(Frame((one,)))
        return one

    def with_some(self) -> None:
        """With a few of all kinds, two of them read."""
        some = (
            (Kind.SYSTEM, "Welcome to the game", "You begin with 10,000.00 points."),
            (Kind.FILL, "Bought 120 ACME at 15.20 in 5 fills", "Worth 1,824.00, fee 1.82."),
            (Kind.DUEL, "Clara challenges you for 20.00", "Accept within five minutes: d opens the duels."),
            (Kind.TRANSFER, "bob gave you 25.00", "for the pizza"),
            (Kind.RANK, "You are 9th now, 3 up", ""),
            (Kind.BADGE, "Badge: First profit", "For the first sale above cost."),
        )
        for place, (kind, title, body) in enumerate(some):
            at = NOW - timedelta(minutes=90 - 15 * place)
            self.kept.insert(0, Notification(place + 1, kind, title, body, "", False, at, place < 2))

    def was_away(self) -> None:
        """With something to tell of the time away."""
        self.away = CatchUp(
            since=NOW - timedelta(hours=18, minutes=31),
            until=NOW,
            fills=7,
            instruments=(Filled("ACME", 120, 1_824_00, 0, 0, 5), Filled("KITE", 0, 0, 5, 653_90, 2)),
            realised_cents=12_90,
            headlines=("Flux finds oil under its own head office", "Rain is expected"),
            headline_count=5,
            transfers=(Passed("bob", 25_00, "for the pizza"), Passed("Clara", -10_00)),
            transfer_count=2,
            windows=(("The long night", 41_20), ("Homecoming", -3_00)),
            window_count=2,
            duels=(2, 1, 0),
            duels_cents=10_00,
            worth_before_cents=14_900_00,
            worth_cents=15_027_80,
            rank_before=12,
            rank=9,
            unread=4,
        )

    # What the screen asks for -------------------------------------------------------------------------

    async def catch_up(self) -> CatchUp | None:
        self.note("catch_up", None)
        return self.away

    async def seen(self, request_id: str) -> None:
        self.note("seen", request_id)

    async def page(self, kind: Kind | None, token: str) -> tuple[list[Notification], str]:
        self.note("letters", (kind, token))
        rows = [one for one in self.kept if kind in (None, one.kind)]
        start = int(token or 0)
        return rows[start : start + PAGE], str(start + PAGE) if start + PAGE < len(rows) else ""

    async def read(self, up_to: int, request_id: str) -> int:
        self.note("read", up_to)
        return sum(one.sequence > up_to for one in self.kept)

    async def preferences(self) -> list[Preference]:
        self.note("preferences", None)
        return list(self.wanted.values())

    async def prefer(self, one: Preference, request_id: str) -> list[Preference]:
        self.note("prefer", one)
        self.wanted[one.kind] = one
        return list(self.wanted.values())

    async def announced(self) -> list[Announcement]:
        self.note("announced", None)
        return list(self.told)

    async def follow(self) -> AsyncGenerator[Frame, None]:
        self.note("stream letters", None)
        queue: asyncio.Queue[Frame] = asyncio.Queue()
        self._readers.append(queue)
        unread = sum(not one.read for one in self.kept)
        yield Frame(whole=Inbox(unread, tuple(self.kept[:20])))
        try:
            while True:
                yield await queue.get()
        finally:
            self._readers.remove(queue)
