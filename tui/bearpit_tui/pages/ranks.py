"""The boards: who is worth what, who rises, and where one stands among all; also on days that are over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from bearpit_tui.camp.ranks import Board, Edition, Period, Standing
from bearpit_tui.feed import Feed
from bearpit_tui.notices import Notice, Tone
from bearpit_tui.pages.marks import MarksScreen
from bearpit_tui.pages.page import Page
from bearpit_tui.pages.rank_panes import Person, RankTable, board_name, period_words, person_lines, team_lines
from bearpit_tui.panels.message_line import MessageLine
from bearpit_tui.screens.form import Field, FormScreen, NotYet
from bearpit_tui.screens.live import Seat, bindings
from bearpit_tui.state import State
from bearpit_tui.widgets.facts import Facts
from bearpit_tui.widgets.tabs import Tabs
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widgets import Static

FOLLOW_SECONDS = 3.0
"""So often the part in sight is asked for again."""

REST_SECONDS = 0.15
"""The cursor rests so long on a player before more of it is asked for."""

BOARDS = tuple(Board)


class FindScreen(FormScreen[Standing]):
    """Whose place is looked for, now or in a period that is over."""

    TITLE: ClassVar[str] = "Find a player"
    SENDS: ClassVar[str] = "goes there"

    def __init__(self, feed: Feed, period: Period | None) -> None:
        super().__init__(feed, (Field("name", "Name", "a player's name; → completes it", longest=24),))
        self.period = period

    def on_mount(self) -> None:
        self._suggest_names()

    @work(group="suggest")
    async def _suggest_names(self) -> None:
        self.suggest("name", await self.gateway.people.names())

    async def send(self) -> None:
        name = self.written("name")
        if not name:
            raise NotYet("Type whom to look for.")
        self.dismiss(await self.gateway.rankings.standing(name, self.period))


class RanksPage(Page):
    """A board, and beside or below it the chosen player."""

    PLACE = "ranks"
    ABOUT = (
        "All players, best first, counted anew every few seconds; ▲ and ▼ tell how many ranks somebody has "
        "risen or fallen since the last full hour. ← → choose what is ranked by. Page up and page down, home "
        "and end go through all of them; the chosen player's ranks and badges stand beside. Thin instruments "
        "count at a robust price, not at their last trade: the marks tell at which, and why. The final ranks "
        "of days and trading windows that are over are kept; escape leads from them back to now."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("ranks"),
        # Before the table, which would scroll to the side.
        Binding("left", "board(-1)", show=False, priority=True),
        Binding("right", "board(1)", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    RanksPage {
        & #when { height: auto; background: $primary 20%; color: $text-primary; padding: 0 1; display: none; }
        & #places { width: 1fr; height: 1fr; }
        & #person { width: 44; height: 1fr; }
        &.-narrow #both { layout: vertical; }
        &.-narrow #person { width: 1fr; height: 7; }
    }
    """

    def __init__(self, seat: Seat) -> None:
        super().__init__(seat)
        self.board = Board.NET_WORTH
        self.first = 1
        """The position of the first line in sight."""
        self.period: Period | None = None
        """The day or window that is asked for; None: now."""
        self.shown: Period | None = None
        """Likewise, of the ranks in sight."""
        self.edition: Edition | None = None
        self._kept: Sequence[Period] = ()
        self._when = ""
        self.me: Standing | None = None
        self.people: dict[str, Person] = {}
        self._wanted = asyncio.Event()
        self._resting: Timer | None = None
        self._about: tuple[str, Edition | None] = ("", None)
        """Who is in the detail, as of which edition."""

    def body(self) -> ComposeResult:
        yield Static("", id="when", markup=False)
        yield Tabs([one.value for one in BOARDS], id="boards")
        with Horizontal(id="both"):
            yield RankTable(id="places")
            yield Facts(id="person")

    def on_mount(self) -> None:
        for name in ("places", "person"):
            self.query_one(f"#{name}").add_class("pane")
        self.table.border_title = self.board.value
        self.table.focus()
        self._follow_board()

    @property
    def table(self) -> RankTable:
        return self.query_one(RankTable)

    def on_resize(self) -> None:
        self.set_class(self.app.size.width < 100, "-narrow")

    @on(RankTable.Resized)
    def _on_resized(self) -> None:
        self._go(self.table.aim)
        self._wanted.set()

    # Asking -------------------------------------------------------------------------------------------

    @work(group="board")
    async def _follow_board(self) -> None:
        """Ask for what is in sight: at once when that is another part, else every few seconds.

        One call at a time: while a key is held down, each answer is shown before the next is asked for.
        """
        while True:
            self._wanted.clear()
            await self.feed.connected()
            await self.asked(self._fetch)
            try:
                async with asyncio.timeout(FOLLOW_SECONDS):
                    await self._wanted.wait()
            except TimeoutError:
                pass

    async def _fetch(self) -> None:
        board, first, size, period = self.board, self.first, self.table.lines, self.period
        if not size:  # too small a window for a line
            return
        rankings = self.feed.gateway.rankings
        ranks = await rankings.page(board, first, size, period)
        if (ranks.edition, period) != (self.edition, self.shown) or self.me is None:
            stood = self.table.chosen
            on_me = stood is not None and stood.name in self._mine()
            self.me = await rankings.standing("", period)
            if on_me and self._move_to_me():
                # Who looks at itself rises and falls with itself.
                first = self.first
                ranks = await rankings.page(board, first, size, period)
        if (board, first, period) != (self.board, self.first, self.period):
            return  # the player went on meanwhile; that is asked for next
        if ranks.total and self.table.aim > ranks.total:
            # There are fewer than there were.
            self.table.total = ranks.total
            self._go(ranks.total)
            if first != self.first:
                return
        self.edition, self.shown = ranks.edition, period
        self.table.show(board, self._mine(), ranks, past=period is not None)
        self.table.put_cursor(self.table.aim - self.first)
        self._entitle(ranks.total)
        self._show_when()
        self._show_person()
        chosen = self.table.chosen
        about = (chosen.name if chosen is not None else "", self.edition)
        if about != self._about:
            self._about = about
            self._rest()

    def _mine(self) -> frozenset[str]:
        names = {self.state.player}
        if self.board is Board.TEAM:
            places = self.me.places.values() if self.me is not None else ()
            names = {place.team for place, _ in places if place.team}
        return frozenset(names)

    def _entitle(self, total: int) -> None:
        table, past, below = self.table, self.shown is not None, ""
        if self.edition is not None and total:
            last = min(self.first + table.lines - 1, total)
            counted = self.edition.at.astimezone(self.zone).strftime("%d %b %H:%M" if past else "%H:%M:%S")
            below = f"{self.first:,} to {last:,} of {total:,} · counted {counted}"
        above = board_name(self.board, past=past)
        # Setting a title paints the whole table again, though it be the same.
        if (above, below) != (table.border_title, table.border_subtitle):
            table.border_title, table.border_subtitle = above, below

    # Days and windows that are over -------------------------------------------------------------------

    def action_earlier(self) -> None:
        self._go_back()

    @work(group="periods")
    async def _go_back(self) -> None:
        if self.period is None:
            kept = await self.asked(self.feed.gateway.rankings.periods)
            if kept is None:
                return
            if self.period is None:
                self._kept = kept
        place = 0 if self.period is None else self._kept.index(self.period) + 1
        if place < len(self._kept):
            self._choose(self._kept[place])
        else:
            words = "No earlier ranks are kept" if self._kept else "No day and no window is over yet"
            self.say(Notice(words, Tone.INFO))

    def action_later(self) -> None:
        if self.period is None:
            self.say(Notice("These are the ranks of now", Tone.INFO))
            return
        place = self._kept.index(self.period)
        self._choose(self._kept[place - 1] if place else None)

    def action_leave(self) -> None:
        """One step back: the message goes, else the period that is over, else the page."""
        if self.period is None or self.query_one(MessageLine).notice is not None:
            super().action_leave()
        else:
            self._choose(None)

    def _choose(self, period: Period | None) -> None:
        self.period = period
        self._show_when()
        self._wanted.set()

    def _show_when(self) -> None:
        """Tell which period is shown, or, until its ranks have come, which is asked for."""
        period, words = self.period, ""
        which = "the ranks of now"
        if period is not None:
            which = f"the final ranks of {period_words(period, self.zone)}"
        if period != self.shown:
            words = f"Asking for {which}…"
        elif period is not None:
            words = f"These are {which} · {self.keys.shown('leave')} back to now"
        if words == self._when:
            return
        self._when = words
        line = self.query_one("#when", Static)
        line.update(words)
        line.display = bool(words)
        past = self.shown is not None
        self.query_one(Tabs).relabel([board_name(one, past=past) for one in BOARDS])

    # Moving about -------------------------------------------------------------------------------------

    @on(RankTable.Wanted)
    def _on_wanted(self, event: RankTable.Wanted) -> None:
        self._go(event.position)

    def _go(self, at: int, *, middle: bool = False) -> None:
        """Have the cursor at a position, and that in sight."""
        lines = max(self.table.lines, 1)
        first = self.first
        if middle:
            first = at - lines // 2
        elif at < first:
            first = at
        elif at >= first + lines:
            first = at - lines + 1
        first = max(1, min(first, max(self.table.total - lines + 1, 1)))
        self.table.aim = at
        if first == self.first:
            self.table.cursor = at - first
        else:
            self.first = first
            self._wanted.set()

    def _move_to_me(self) -> bool:
        place = self.me.places.get(self.board) if self.me is not None else None
        if place is None:
            return False
        before = self.first
        self._go(place[0].position, middle=not 0 <= place[0].position - self.first < self.table.lines)
        return self.first != before

    def action_board(self, steps: int) -> None:
        self.query_one(Tabs).step(steps)

    def action_next_board(self) -> None:
        self.action_board(1)

    @on(Tabs.Chosen)
    def _on_board(self, event: Tabs.Chosen) -> None:
        board = BOARDS[event.tabs.index]
        if board is not self.board:
            self.board = board
            self.first = self.table.aim = 1
            self._wanted.set()

    def action_around_me(self) -> None:
        self._to_me()

    @work(group="me", exclusive=True)
    async def _to_me(self) -> None:
        await self.asked(self._find_me)

    async def _find_me(self) -> None:
        rankings = self.feed.gateway.rankings
        self.me = await rankings.standing("", self.period)
        if self.board is Board.TEAM:
            mine = self._mine()
            teams = await rankings.page(Board.TEAM, 1, max(self.table.total, 1), self.period)
            place = next((one for one in teams.places if one.name in mine), None)
        else:
            place = self.me.places[self.board][0] if self.board in self.me.places else None
        if place is None:
            self._say_missing("Your team" if self.board is Board.TEAM else "You")
        else:
            self._go(place.position, middle=True)

    def action_find_player(self) -> None:
        def found(one: Standing | None) -> None:
            if one is None:
                return
            board = Board.NET_WORTH if self.board is Board.TEAM else self.board
            if board not in one.places:
                self._say_missing(one.name)
                return
            self.query_one(Tabs).index = BOARDS.index(board)
            self.board = board
            self._go(one.places[board][0].position, middle=True)
            self._wanted.set()

        self.app.push_screen(FindScreen(self.feed, self.period), found)

    def _say_missing(self, who: str) -> None:
        if self.period is None:
            words = f"{who} {'are' if who == 'You' else 'is'} not on this board yet"
        else:
            words = f"{who} {'were' if who == 'You' else 'was'} not on this board then"
        self.say(Notice(words, Tone.INFO))

    def action_marks(self) -> None:
        self.app.push_screen(MarksScreen(self.feed))

    # The chosen player --------------------------------------------------------------------------------

    def follow(self, before: State | None, state: State) -> None:
        """What the feed brings is not counted into ranks before the next edition."""

    @on(RankTable.Highlighted)
    def _on_highlighted(self) -> None:
        chosen = self.table.chosen
        if chosen is not None and self.table.rows[0].position == self.first:
            self.table.aim = chosen.position
        self._show_person()
        self._rest()

    def _rest(self) -> None:
        """Ask for the chosen player once the cursor rests on it."""
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(REST_SECONDS, self._ask_person)

    @work(group="person", exclusive=True)
    async def _ask_person(self) -> None:
        place, edition, period = self.table.chosen, self.edition, self.shown
        if place is None or edition is None or self.board is Board.TEAM:
            return
        known = self.people.get(place.name)
        if known is not None and known.edition == edition:
            return

        async def ask() -> Person:
            rankings = self.feed.gateway.rankings
            standing = await rankings.standing(place.name, period)
            badges = await rankings.badges(place.name) if period is None else ()
            return Person(edition, period, standing, tuple(badges))

        person = await self.asked(ask)
        if person is not None:
            if len(self.people) > 200:
                self.people.clear()
            self.people[place.name] = person
            self._show_person()

    def _show_person(self) -> None:
        place = self.table.chosen
        pane = self.query_one("#person", Facts)
        pane.border_title = place.name if place is not None else ""
        person = self.people.get(place.name) if place is not None else None
        if person is not None and person.period != self.shown:
            person = None
        team, zone, now = self.board is Board.TEAM, self.zone, self.now()
        if place is None:
            pane.show("", lambda width: ([], 0))
        elif team:
            pane.show(place.name, lambda width: (team_lines(place), 0))
        else:
            pane.show(place.name, lambda width: (list(person_lines(place, person, width, zone, now)), 0))
