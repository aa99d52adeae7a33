"""Other players in memory."""

from __future__ import annotations

from tests.unit.tui.fakes import Note


class FakePeople:
    """What is asked about others."""

    def __init__(self, note: Note) -> None:
        self.note = note

    async def names(self) -> list[str]:
        self.note("names", None)
        return ["ada", "bob", "Clara", "dave.k"]
