"""The boards: who is worth what, who rises, and where one stands among all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import ClassVar

from bearpit_tui.camp.people import Badge
from bearpit_tui.camp.ranks import GAINS, IN_BPS, Board, Edition, Place, Ranks, Standing
from bearpit_tui.feed import Feed
from bearpit_tui.notices import Notice, Tone
from bearpit_tui.pages.marks import MarksScreen
from bearpit_tui.pages.page import Page
from bearpit_tui.screens.form import Field, FormScreen, NotYet
from bearpit_tui.screens.live import Seat, bindings
from bearpit_tui.state import State
from bearpit_tui.widgets.facts import Facts, Line, wrapped
from bearpit_tui.widgets.money import MINUS, arrow, money, percent, signed_money, signed_percent
from bearpit_tui.widgets.table import Cell, Column, LineTable
from bearpit_tui.widgets.tabs import Tabs
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.timer import Timer

FOLLOW_SECONDS = 3.0
"""So often the part in sight is asked for again."""

REST_SECONDS = 0.15
"""The cursor rests so long on a player before more of it is asked for."""

WHEEL = 3
BOARDS = tuple(Board)


class RankTable(LineTable[Place]):
    """The part of a board that is in sight. Where the cursor goes beyond it, another part is asked for."""

    class Wanted(Message):
        """The cursor is to be at another position, from 1."""

        def __init__(self, position: int) -> None:
            self.position = position
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        self.board = Board.NET_WORTH
        self.mine: frozenset[str] = frozenset()
        """The names that are this player's: its own, on the teams' board its team's."""
        self.total = 0
        self.aim = 1
        """The position where the cursor is, or will be once that part has come."""
        columns: tuple[Column[Place], ...] = (
            Column("Rank", 7, lambda one: (f"{one.rank:,}", ("strong",)), right=True),
            Column("", 6, _change),
            Column("Name", 18, self._named, grows=True),
            Column("Team", 16, lambda one: (_beside(one), ("muted",)), rank=1),
            Column("Value", 16, lambda one: value_cell(self.board, one.value), right=True),
        )
        super().__init__(columns, lambda one: str(one.position), empty_text="loading…", id=id)

    def _named(self, one: Place) -> Cell:
        return one.name, ("own",) if one.name in self.mine else ()

    def show(self, board: Board, mine: frozenset[str], ranks: Ranks) -> None:
        """Show a part of a board."""
        if (board, mine) != (self.board, self.mine):
            self.board, self.mine = board, mine
            self.refresh()
        words = "nobody is on this board yet" if ranks.edition is not None else "ranks are not counted yet"
        if words != self._empty_text:
            self._empty_text = words
            self.refresh()
        self.total = ranks.total
        self.set_rows(ranks.places)

    @property
    def lines(self) -> int:
        """How many places are in sight."""
        return len(self.rows_in_sight())

    @property
    def chosen(self) -> Place | None:
        """The place under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def _want(self, position: int) -> None:
        if self.rows:
            self.post_message(self.Wanted(max(1, min(position, self.total))))

    def action_move(self, rows: int) -> None:
        if self.rows:
            self._want(self.aim + rows)

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(self.lines - 1, 1))

    def action_jump(self, place: int) -> None:
        self._want(place + 1 if place >= 0 else self.total)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_move(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_move(-WHEEL)


def _change(one: Place) -> Cell:
    if not one.previous:
        return "new", ("muted",)
    if not one.rose:
        return "·", ("faint",)
    return f"{arrow(one.rose)}{abs(one.rose):,}", ("up",) if one.rose > 0 else ("down",)


def _beside(one: Place) -> str:
    if one.members:
        return f"{one.members:,} {'player' if one.members == 1 else 'players'}"
    return one.team


def value_cell(board: Board, value: int) -> Cell:
    """A board's value, as it is written."""
    if board is Board.DRAWDOWN:
        return (f"{MINUS}{percent(value)}", ("down",)) if value else ("0.00%", ())
    tones = ("up",) if value > 0 else ("down",) if value < 0 else ("muted",)
    if board in IN_BPS:
        return signed_percent(value), tones
    return (signed_money(value), tones) if board in GAINS else (money(value), ())


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of one player, as of an edition."""

    edition: int
    standing: Standing
    badges: tuple[Badge, ...]


class FindScreen(FormScreen[Standing]):
    """Whose place is looked for."""

    TITLE: ClassVar[str] = "Find a player"
    SENDS: ClassVar[str] = "goes there"

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed, (Field("name", "Name", "a player's name; → completes it", longest=24),))

    def on_mount(self) -> None:
        self._suggest_names()

    @work(group="suggest")
    async def _suggest_names(self) -> None:
        self.suggest("name", await self.gateway.people.names())

    async def send(self) -> None:
        name = self.written("name")
        if not name:
            raise NotYet("Type whom to look for.")
        self.dismiss(await self.gateway.rankings.standing(name))


class RanksPage(Page):
    """A board, and beside or below it the chosen player."""

    PLACE = "ranks"
    ABOUT = (
        "All players, best first, counted anew every few seconds; ▲ and ▼ tell how many ranks somebody has "
        "risen or fallen since the last full hour. ← → choose what is ranked by. Page up and page down, home "
        "and end go through all of them; the chosen player's ranks and badges stand beside. Thin instruments "
        "count at a robust price, not at their last trade: the marks tell at which, and why."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("ranks"),
        # Before the table, which would scroll to the side.
        Binding("left", "board(-1)", show=False, priority=True),
        Binding("right", "board(1)", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    RanksPage {
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
        self.edition: Edition | None = None
        self.me: Standing | None = None
        self.people: dict[str, Person] = {}
        self._wanted = asyncio.Event()
        self._resting: Timer | None = None
        self._about: tuple[str, Edition | None] = ("", None)
        """Who is in the detail, as of which edition."""

    def body(self) -> ComposeResult:
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
        self.call_after_refresh(self._wanted.set)

    # Asking -------------------------------------------------------------------------------------------

    @work(group="board")
    async def _follow_board(self) -> None:
        """Ask for what is in sight: at once when that is another part, else every few seconds.

        One call at a time: while a key is held down, each answer is shown before the next is asked for.
        """
        while True:
            self._wanted.clear()
            await self.feed.connected()
            if self.table.lines:
                await self.asked(self._fetch)
            try:
                async with asyncio.timeout(FOLLOW_SECONDS):
                    await self._wanted.wait()
            except TimeoutError:
                pass

    async def _fetch(self) -> None:
        board, first, size = self.board, self.first, self.table.lines
        rankings = self.feed.gateway.rankings
        ranks = await rankings.page(board, first, size)
        if ranks.edition != self.edition or self.me is None:
            stood = self.table.chosen
            on_me = stood is not None and stood.name in self._mine()
            self.me = await rankings.standing("")
            if on_me and self._move_to_me():
                # Who looks at itself rises and falls with itself.
                first = self.first
                ranks = await rankings.page(board, first, size)
            self.edition = ranks.edition
        if (board, first) != (self.board, self.first):
            return  # the player went on meanwhile; that is asked for next
        if ranks.total and first > ranks.total:
            self._go(ranks.total)
            return
        self.table.show(board, self._mine(), ranks)
        self.table.put_cursor(self.table.aim - self.first)
        self._entitle(ranks.total)
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
        table, below = self.table, ""
        if self.edition is not None and total:
            last = min(self.first + table.lines - 1, total)
            counted = f"{self.edition.at.astimezone(self.zone):%H:%M:%S}"
            below = f"{self.first:,} to {last:,} of {total:,} · counted {counted}"
        # Setting a title paints the whole table again, though it be the same.
        if (self.board.value, below) != (table.border_title, table.border_subtitle):
            table.border_title, table.border_subtitle = self.board.value, below

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
        self.me = await rankings.standing("")
        if self.board is Board.TEAM:
            mine = self._mine()
            teams = await rankings.page(Board.TEAM, 1, max(self.table.total, 1))
            place = next((one for one in teams.places if one.name in mine), None)
        else:
            place = self.me.places[self.board][0] if self.board in self.me.places else None
        if place is None:
            what = "Your team is" if self.board is Board.TEAM else "You are"
            self.say(Notice(f"{what} not on this board yet", Tone.INFO))
        else:
            self._go(place.position, middle=True)

    def action_find_player(self) -> None:
        def found(one: Standing | None) -> None:
            if one is None:
                return
            board = Board.NET_WORTH if self.board is Board.TEAM else self.board
            if board not in one.places:
                self.say(Notice(f"{one.name} is not on this board yet", Tone.INFO))
                return
            self.query_one(Tabs).index = BOARDS.index(board)
            self.board = board
            self._go(one.places[board][0].position, middle=True)
            self._wanted.set()

        self.app.push_screen(FindScreen(self.feed), found)

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
        place, edition = self.table.chosen, self.edition
        if place is None or edition is None or self.board is Board.TEAM:
            return
        known = self.people.get(place.name)
        if known is not None and known.edition == edition.number:
            return

        async def ask() -> Person:
            rankings = self.feed.gateway.rankings
            standing = await rankings.standing(place.name)
            return Person(edition.number, standing, tuple(await rankings.badges(place.name)))

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
        team, zone, now = self.board is Board.TEAM, self.zone, self.now()
        if place is None:
            pane.show("", lambda width: ([], 0))
        elif team:
            pane.show(place.name, lambda width: (_team_lines(place), 0))
        else:
            pane.show(place.name, lambda width: (list(_person_lines(place, person, width, zone, now)), 0))


def _team_lines(place: Place) -> list[Line]:
    return [
        [("Average net worth  ", ("muted",)), (money(place.value), ("strong",))],
        [("Members ranked     ", ("muted",)), (f"{place.members:,}", ())],
        [("Rank               ", ("muted",)), (f"{place.rank:,}", ())],
    ]


def _person_lines(
    place: Place, person: Person | None, width: int, zone: tzinfo, now: datetime
) -> Iterator[Line]:
    if place.team:
        yield [("Team ", ("muted",)), (place.team, ())]
    if person is None:
        yield [("…", ("muted",))]
        return
    for board, (where, total) in person.standing.places.items():
        rose = where.rose
        value, tones = value_cell(board, where.value)
        change = (f" {arrow(rose)}{abs(rose):,}", ("up",) if rose > 0 else ("down",)) if rose else ("", ())
        rank = f"{where.rank:,}"
        of = f" of {total:,}" if width >= 50 else ""
        room = max(width - 11 - len(rank) - len(of) - len(change[0]) - len(value), 1)
        yield [
            (f"{board.value:<11}", ("muted",)),
            (rank, ("strong",)),
            (of, ("muted",)),
            change,
            (" " * room, ()),
            (value, tones),
        ]
    worth = person.standing.worth
    if worth is not None:
        yield []
        parts = [("Cash", worth.cash), ("Holdings at their marks", worth.holdings), ("Debt", -worth.debt)]
        for label, cents in [*parts, ("Net worth", worth.total), ("of it received", worth.received)]:
            if cents or label == "Net worth":
                text = money(cents)
                gap = " " * max(width - len(label) - len(text), 1)
                yield [(label, ("muted",)), (gap, ()), (text, ("strong",) if label == "Net worth" else ())]
    yield []
    yield from _badge_lines(person.badges, width, zone, now)


def _badge_lines(badges: Sequence[Badge], width: int, zone: tzinfo, now: datetime) -> Iterator[Line]:
    got = sorted(
        ((one.awarded_at, one) for one in badges if one.awarded_at is not None), key=lambda it: it[0]
    )
    yield [("Badges  ", ("muted",)), (f"{len(got)} of {len(badges)}", ("strong",) if got else ("muted",))]
    for awarded_at, one in reversed(got):
        at = awarded_at.astimezone(zone)
        today = at.date() == now.astimezone(zone).date()
        when = f"{at:%H:%M}" if today else f"{at:%a %H:%M}"
        gap = " " * max(width - 2 - len(one.name) - len(when), 1)
        yield [("★ ", ("own",)), (one.name, ()), (gap, ()), (when, ("muted",))]
        yield from wrapped(one.description, width, "muted", indent=2)
