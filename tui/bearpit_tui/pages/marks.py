"""What shares count as in net worth, and why."""

from __future__ import annotations

from typing import ClassVar

from bearpit.client import BearpitError
from bearpit_tui.camp.ranks import Mark
from bearpit_tui.failures import error_words
from bearpit_tui.feed import Feed
from bearpit_tui.widgets.facts import Facts, Line, wrapped
from bearpit_tui.widgets.money import money
from bearpit_tui.widgets.table import Column, LineTable
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen


class MarksTable(LineTable[Mark]):
    """Marks by symbol."""

    def __init__(self) -> None:
        columns: tuple[Column[Mark], ...] = (
            Column("Symbol", 8, lambda one: (one.symbol, ("strong",))),
            Column("Counts as", 12, lambda one: (money(one.mark_cents), ()), right=True),
            Column("Last", 12, _last, right=True),
            Column("By", 16, lambda one: (one.source, ("muted",)), grows=True),
        )
        super().__init__(columns, lambda one: one.symbol, empty_text="loading…")

    def say_empty(self, words: str) -> None:
        """What stands there while there are no rows."""
        self._empty_text = words
        self.refresh()


def _last(one: Mark) -> tuple[str, tuple[str, ...]]:
    if not one.last_cents:
        return "–", ("muted",)
    return money(one.last_cents), ("warn",) if one.last_cents != one.mark_cents else ("muted",)


class MarksScreen(ModalScreen[None]):
    """All marks, and below them why the chosen one is what it is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,w", "dismiss", "Back")]
    DEFAULT_CSS = """
    MarksScreen {
        align: center middle; background: $background 60%;
        & > Vertical {
            width: 72; max-width: 96%; height: 90%; border: round $border; background: $surface;
            border-title-style: bold; padding: 0 1;
        }
        & MarksTable { height: 1fr; }
        & Facts { height: 4; border-top: solid $foreground 25%; }
    }
    """

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self.feed = feed

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "What shares count as"
            box.border_subtitle = "esc leaves"
            yield MarksTable()
            yield Facts()

    def on_mount(self) -> None:
        self.query_one(MarksTable).focus()
        self._load()

    @work(group="marks")
    async def _load(self) -> None:
        table = self.query_one(MarksTable)
        try:
            marks = await self.feed.gateway.rankings.marks()
        except BearpitError as error:
            table.say_empty(error_words(error))
            return
        table.say_empty("nothing has been counted yet")
        table.set_rows(marks)
        self._show_why()

    @on(MarksTable.Highlighted)
    def _show_why(self) -> None:
        table = self.query_one(MarksTable)
        one = table.rows[table.cursor] if table.rows else None
        said = one.explanation if one is not None else ""

        def lines(width: int) -> tuple[list[Line], int]:
            return list(wrapped(said, width)), 0

        self.query_one(Facts).show(table.key or "", lines)
