"""Older news in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bearpit_tui.model import Headline
from bearpit_tui.windows import Settled, Window, Windows, WindowState

from tests.unit.tui.fakes import NOW, Note

PAGE = 20
TEXTS = ("Flux finds oil under its own head office", "Rain is expected", "Kite Air loses a plane, finds two")


class FakeNewsroom:
    """What is asked about news."""

    def __init__(self, note: Note) -> None:
        self.note = note
        self.told = [
            Headline(n, TEXTS[n % 3], ("FLUX",) if n % 3 == 0 else (), NOW - timedelta(minutes=(31 - n) * 17))
            for n in range(30, 0, -1)
        ]
        over = NOW - timedelta(minutes=40)
        self.window = Window(
            3, "The long night", "chapter", 3, WindowState.CLOSED, changed_at=over, settled=2
        )
        self.prices = (
            Settled("ONI", 200_00, 239_59, 1979, "152 bought and 17 sold by 4 players: demand +16.88 %"),
            Settled("KAPPA", 20_00, 18_94, -530, "12 bought and 80 sold by 3 players"),
        )

    async def headlines(self, token: str) -> tuple[list[Headline], str]:
        self.note("headlines", token)
        start = int(token or 0)
        more = str(start + PAGE) if start + PAGE < len(self.told) else ""
        return self.told[start : start + PAGE], more

    async def windows(self) -> Windows:
        self.note("windows", None)
        return Windows((self.window, replace(self.window, window_id=4, state=WindowState.TRADING)))

    async def results(self, window_id: int) -> Windows:
        self.note("results", window_id)
        return Windows((self.window,), self.prices)
