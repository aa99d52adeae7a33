"""The inbox: all notifications, newest first, and the chosen one in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import ClassVar

from bearpit_tui.inbox import Kind, Notification
from bearpit_tui.notices import Notice, Tone
from bearpit_tui.pages.page import Page
from bearpit_tui.screens.away import AwayScreen
from bearpit_tui.screens.live import Seat, bindings
from bearpit_tui.state import State
from bearpit_tui.widgets.facts import Facts, Line, wrapped
from bearpit_tui.widgets.listing import Listing
from bearpit_tui.widgets.panes import pane
from bearpit_tui.widgets.table import Cell, Column, LineTable
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType

AHEAD = 20


class LettersTable(LineTable[Notification]):
    """Notifications; those not read stand out."""

    def __init__(self, zone: tzinfo, now: datetime, *, id: str | None = None) -> None:
        def time(one: Notification) -> Cell:
            at = one.at.astimezone(zone)
            today = at.date() == now.astimezone(zone).date()
            return at.strftime("%H:%M:%S" if today else "%d %b %H:%M"), ("muted",)

        columns: tuple[Column[Notification], ...] = (
            Column("", 1, lambda one: ("" if one.read else "●", ("own",))),
            Column("When", 12, time),
            Column("About", 13, lambda one: (one.kind.value, ("muted",))),
            Column("What", 30, lambda one: (one.title, ("muted",) if one.read else ("strong",)), grows=True),
        )
        super().__init__(columns, lambda one: str(one.sequence), empty_text="nothing has come yet", id=id)


class InboxPage(Page):
    """The list, and below it what is chosen. Leaving the page marks what it has shown as read."""

    PLACE = "inbox"
    ABOUT = (
        "What concerns you, newest first; ● marks what you have not read. What has been shown counts as read "
        "once you leave. Settings say of what you want to be told."
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings("inbox")
    DEFAULT_CSS = """
    InboxPage {
        & #letters { height: 1fr; }
        & #letter { height: 7; }
    }
    """

    def __init__(self, seat: Seat) -> None:
        super().__init__(seat)
        self.kind: Kind | None = None
        self.rows: dict[int, Notification] = {}
        self._token = ""
        self._ended = False

    def body(self) -> ComposeResult:
        yield pane(LettersTable(self.zone, self.now(), id="letters"), "Inbox")
        yield pane(Facts(id="letter"))

    def on_mount(self) -> None:
        self.table.focus()

    @property
    def table(self) -> LettersTable:
        return self.query_one(LettersTable)

    async def load(self) -> None:
        rows, self._token = await self.feed.gateway.letters.page(self.kind, "")
        self._ended = not self._token
        self._take(rows)

    async def more(self) -> None:
        """The next page."""
        rows, self._token = await self.feed.gateway.letters.page(self.kind, self._token)
        self._ended = not self._token
        self._take(rows)

    def _take(self, rows: Sequence[Notification]) -> None:
        self.rows |= {one.sequence: one for one in rows}
        self._show()

    def follow(self, before: State | None, state: State) -> None:
        if before is None or before.inbox is not state.inbox:
            read = state.inbox.read_up_to
            self.rows = {key: replace(one, read=one.read or key <= read) for key, one in self.rows.items()}
            self._take(state.inbox.latest)

    def listed(self) -> list[Notification]:
        """What is known of the chosen kind, newest first."""
        rows = (one for one in self.rows.values() if self.kind in (None, one.kind))
        return sorted(rows, key=lambda one: -one.sequence)

    def _show(self) -> None:
        self.table.set_rows(self.listed())
        unread = self.state.inbox.unread
        self.table.border_title = f"Inbox: {self.kind.value}" if self.kind is not None else "Inbox"
        self.table.border_subtitle = f"{unread:,} not read" if unread else ""
        self._show_letter()

    def _show_letter(self) -> None:
        key = self.table.key
        one = self.rows.get(int(key)) if key is not None else None
        letter = self.query_one("#letter", Facts)
        letter.border_title = one.kind.value.capitalize() if one is not None else ""

        def lines(width: int) -> tuple[list[Line], int]:
            if one is None:
                return [], 0
            body = [line for text in one.body.splitlines() for line in wrapped(text, width)]
            return [*wrapped(one.title, width, "strong"), *body], 0

        letter.show(key or "", lines)

    @on(Listing.Highlighted, "#letters")
    def _on_highlighted(self) -> None:
        self._show_letter()
        loading = any(worker.group == "load" and not worker.is_finished for worker in self.workers)
        if not self._ended and not loading and self.table.cursor >= len(self.table.rows) - AHEAD:
            self._load_more()

    @work(group="load")
    async def _load_more(self) -> None:
        await self.asked(self.more)

    def action_filter_letters(self) -> None:
        kinds: list[Kind | None] = [None, *Kind]
        self.kind = kinds[(kinds.index(self.kind) + 1) % len(kinds)]
        self._show()
        self.reload()

    def action_mark_read(self) -> None:
        self._mark()

    def action_away(self) -> None:
        if self.state.away is None:
            self.say(Notice("Nothing happened while you were away", Tone.INFO))
        else:
            self.app.push_screen(AwayScreen(self.state.away, self.keys, self.zone))

    def on_unmount(self) -> None:
        self._mark()

    def _mark(self) -> None:
        """Mark all that is known as read. The feed does it, for the page may be gone before it is done."""
        last = max((self.feed.state.inbox.last, *self.rows))
        if self.feed.state.inbox.unread and last:
            self.feed.mark_read(last)
