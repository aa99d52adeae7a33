"""The news: headlines, what the operators said, what windows did to prices; and the chosen one in full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from functools import partial
from typing import ClassVar

from bearpit_tui.camp.news import ReadMarks
from bearpit_tui.inbox import Kind as Letter
from bearpit_tui.inbox import Notification
from bearpit_tui.model import EPOCH, Announcement, Headline, Priority
from bearpit_tui.pages.page import Page
from bearpit_tui.screens.live import Seat, bindings
from bearpit_tui.screens.windows import results_text
from bearpit_tui.state import State, announcements
from bearpit_tui.widgets.listing import Listing
from bearpit_tui.widgets.panes import pane
from bearpit_tui.widgets.table import Cell, Column, LineTable
from bearpit_tui.windows import HAVE_RESULTS, Window, Windows
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Markdown, Static

HEADLINE, SAID, WINDOW = "h", "a", "w"
KINDS = {HEADLINE: "headlines", SAID: "operators", WINDOW: "windows"}
AHEAD = 20
EDGES = 6
"""Cells of the story's border, padding and scroll bar."""


@dataclass(frozen=True, slots=True)
class Story:
    """A line of the list."""

    kind: str
    number: int
    """Rises with time, for each kind by itself."""
    at: datetime
    title: str
    beside: str = ""
    """Who said it, or what it moves."""
    body: str = ""
    """Markdown."""
    priority: Priority = Priority.INFO
    standing: bool = False
    """Whether an announcement still stands."""
    unread: bool = False

    @property
    def key(self) -> str:
        """Names it among all."""
        return f"{self.kind}{self.number}"


class StoriesTable(LineTable[Story]):
    """News, newest first; what was not read stands out."""

    def __init__(self, zone: tzinfo, now: Callable[[], datetime], *, id: str | None = None) -> None:
        def time(one: Story) -> Cell:
            at = one.at.astimezone(zone)
            today = at.date() == now().astimezone(zone).date()
            return at.strftime("%H:%M" if today else "%a %H:%M"), ("muted",)

        columns: tuple[Column[Story], ...] = (
            Column("", 1, lambda one: ("●" if one.unread else "", ("own",))),
            Column("When", 9, time),
            Column("", 1, _mark),
            Column("What", 24, lambda one: (one.title, ("strong",) if one.unread else ()), grows=True),
        )
        super().__init__(columns, lambda one: one.key, empty_text="no news yet", id=id)


def _mark(one: Story) -> Cell:
    if one.kind == HEADLINE:
        return "▷", ("muted",)
    if one.kind == WINDOW:
        return "◷", ("muted",)
    return "◆", ("warn",) if one.standing else ("muted",)


class NewsPage(Page):
    """The list, and beside or below it the chosen story. Leaving the page marks what it has shown as read."""

    PLACE = "news"
    ABOUT = (
        "Newest first: ▷ headlines of the game's world and what they move, ◆ what the operators said, bright "
        "while it stands, and ◷ what trading windows did to prices, and why. ● marks what you have not read; "
        "what was on this page counts as read once you leave. Tab goes to the text, to scroll it."
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings("news")
    DEFAULT_CSS = """
    NewsPage {
        & #both { height: 1fr; }
        & #stories { width: 2fr; height: 1fr; }
        & #story {
            width: 3fr; height: 1fr; padding: 0 1;
            & Static { height: auto; }
            & Markdown { padding: 0; margin: 0; height: auto; background: transparent; }
            & #beside { color: $foreground 60%; margin-bottom: 1; }
            & #title { text-style: bold; }
        }
        &.-narrow #both { layout: vertical; }
        &.-narrow #stories, &.-narrow #story { width: 1fr; }
    }
    """

    def __init__(self, seat: Seat) -> None:
        super().__init__(seat)
        self.kind = ""
        self.headlines: dict[int, Headline] = {}
        self.past: dict[int, Notification] = {}
        self.windows: dict[int, Window] = {}
        self.results: dict[int, Windows] = {}
        self._marks = ReadMarks(seat.feed.state.server, seat.feed.state.player)
        self._read = self._marks.load()
        self._shown_story = Story("", 0, EPOCH, "")
        self._shown_results: Windows | None = None
        self._token = ""
        self._ended = False

    def body(self) -> ComposeResult:
        with Horizontal(id="both"):
            yield pane(StoriesTable(self.zone, self.now, id="stories"), "News")
            with pane(VerticalScroll(id="story")):
                yield Static("", id="title", markup=False)
                yield Static("", id="beside", markup=False)
                # A link is somebody else's: it is shown, and nothing opens it by a slip of the hand.
                yield Markdown("", open_links=False, id="words")
                yield Static("", id="results")

    def on_mount(self) -> None:
        self.table.focus()

    @property
    def table(self) -> StoriesTable:
        return self.query_one(StoriesTable)

    def on_resize(self) -> None:
        self.set_class(self.app.size.width < 100, "-narrow")
        self._shown_results = None
        self._show_story()

    # What there is ------------------------------------------------------------------------------------

    async def load(self) -> None:
        """What the feed has not: older headlines, announcements that are over, windows of long ago."""
        gateway = self.feed.gateway
        letters, _ = await gateway.letters.page(Letter.ANNOUNCEMENT, "")
        for one in letters:
            number = one.reference.rpartition(":")[2]
            if number.isdecimal():
                self.past[int(number)] = one
        self.windows |= {one.window_id: one for one in (await gateway.newsroom.windows()).windows}
        self._show()
        await self.more()

    async def more(self) -> None:
        """Older headlines."""
        headlines, self._token = await self.feed.gateway.newsroom.headlines(self._token)
        self._ended = not self._token
        self.headlines |= {one.news_id: one for one in headlines}
        self._show()

    def follow(self, before: State | None, state: State) -> None:
        if (
            before is None
            or before.status is not state.status
            or before.told_us is not state.told_us
            or before.windows is not state.windows
        ):
            self.headlines |= {one.news_id: one for one in state.status.headlines}
            self.windows |= {one.window_id: one for one in state.windows.windows}
            self._show()

    def stories(self) -> list[Story]:
        """All that is known of the chosen kind, newest first."""
        now = self.now() + self.state.ahead
        standing = {one.announcement_id: one for one in announcements(self.state, now)}
        known = [
            *(_headline(one) for one in self.headlines.values() if one.published_at <= now),
            *(_said(one) for one in standing.values()),
            *(_past(number, one) for number, one in self.past.items() if number not in standing),
            *(_window(one) for one in self.windows.values() if one.state in HAVE_RESULTS),
        ]
        of_kind = [
            replace(one, unread=one.number > self._read.get(one.kind, 0))
            for one in known
            if self.kind in ("", one.kind)
        ]
        return sorted(of_kind, key=lambda one: (one.at, one.key), reverse=True)

    def _show(self) -> None:
        stories = self.stories()
        self.table.set_rows(stories)
        unread = sum(one.unread for one in stories)
        self.table.border_title = f"News: {KINDS[self.kind]}" if self.kind else "News"
        self.table.border_subtitle = f"{unread:,} not read" if unread else ""
        self._show_story()

    # The chosen one -----------------------------------------------------------------------------------

    def _show_story(self) -> None:
        table = self.table
        one = table.rows[table.cursor] if table.rows else Story("", 0, EPOCH, "")
        results = self._results_of(one.number) if one.kind == WINDOW else None
        if replace(one, unread=False) == self._shown_story and results is self._shown_results:
            return
        other = one.key != self._shown_story.key
        self._shown_story, self._shown_results = replace(one, unread=False), results
        box = self.query_one("#story", VerticalScroll)
        box.border_title = {HEADLINE: "Headline", SAID: "The operators", WINDOW: "Results"}.get(one.kind, "")
        title = one.title if one.kind != WINDOW else ""
        self.query_one("#title", Static).update(title)
        self.query_one("#title").display = bool(title)
        at = f"{one.at.astimezone(self.zone):%a %d %b, %H:%M:%S}" if one.kind else ""
        parts = [at, one.beside, "urgent" if one.priority is Priority.URGENT else ""]
        if one.kind == SAID and not one.standing:
            parts.append("over")
        self.query_one("#beside", Static).update(" · ".join(filter(None, parts)))
        self.query_one("#words", Markdown).update(one.body)
        self.query_one("#words").display = bool(one.body)
        width = box.size.width or self.app.size.width
        told = results_text(results, (width + EDGES) * 100 // 96) if results is not None else Content("")
        if one.kind == WINDOW and results is None:
            told = Content.styled("loading…", "$foreground 60%")
            self._ask_results(one.number)
        self.query_one("#results", Static).update(told)
        if other:
            box.scroll_home(animate=False)

    def _results_of(self, window_id: int) -> Windows | None:
        return self.results.get(window_id)

    @work(group="results", exclusive=True)
    async def _ask_results(self, window_id: int) -> None:
        await self.asked(partial(self._load_results, window_id))

    @work(group="load")
    async def _load_more(self) -> None:
        await self.asked(self.more)

    async def _load_results(self, window_id: int) -> None:
        self.results[window_id] = await self.feed.gateway.newsroom.results(window_id)
        self._show_story()

    @on(Listing.Highlighted, "#stories")
    def _on_highlighted(self) -> None:
        self._show_story()
        loading = any(worker.group == "load" and not worker.is_finished for worker in self.workers)
        if not self._ended and not loading and self.table.cursor >= len(self.table.rows) - AHEAD:
            self._load_more()

    @on(Listing.Selected, "#stories")
    def _on_selected(self) -> None:
        self.query_one("#story").focus()

    # Doing --------------------------------------------------------------------------------------------

    def action_filter_news(self) -> None:
        kinds = ["", *KINDS]
        self.kind = kinds[(kinds.index(self.kind) + 1) % len(kinds)]
        self._show()

    def action_news_read(self) -> None:
        self._mark()
        self._show()

    def on_unmount(self) -> None:
        self._mark()

    def _mark(self) -> None:
        """All that is known counts as read."""
        kind, self.kind = self.kind, ""
        for one in self.stories():
            self._read[one.kind] = max(self._read.get(one.kind, 0), one.number)
        self.kind = kind
        self._marks.save(self._read)


def _headline(one: Headline) -> Story:
    moves = f"moves {', '.join(one.symbols)}" if one.symbols else ""
    return Story(HEADLINE, one.news_id, one.published_at, one.text, moves)


def _said(one: Announcement) -> Story:
    return Story(
        SAID, one.announcement_id, one.created_at, one.title, one.author, one.body, one.priority, True
    )


def _past(number: int, one: Notification) -> Story:
    priority = Priority.URGENT if one.urgent else Priority.INFO
    return Story(SAID, number, one.at, one.title, "", one.body, priority)


def _window(one: Window) -> Story:
    return Story(WINDOW, one.window_id, one.changed_at or EPOCH, one.name)
