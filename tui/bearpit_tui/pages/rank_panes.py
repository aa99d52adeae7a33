"""What the ranks page shows: the part of a board that is in sight, and the chosen player or team."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from bearpit_tui.camp.people import Badge
from bearpit_tui.camp.ranks import GAINS, IN_BPS, Board, Edition, Period, Place, Ranks, Standing
from bearpit_tui.widgets.facts import Line, wrapped
from bearpit_tui.widgets.money import MINUS, arrow, money, percent, signed_money, signed_percent
from bearpit_tui.widgets.table import Cell, Column, LineTable
from textual import events
from textual.message import Message

WHEEL = 3


class RankTable(LineTable[Place]):
    """The part of a board that is in sight. Where the cursor goes beyond it, another part is asked for."""

    class Resized(Message):
        """There is room for more lines, or for fewer."""

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

    def show(self, board: Board, mine: frozenset[str], ranks: Ranks, *, past: bool) -> None:
        """Show a part of a board, of now or of a time that is over."""
        if (board, mine) != (self.board, self.mine):
            self.board, self.mine = board, mine
            self.refresh()
        words = "ranks are not counted yet"
        if ranks.edition is not None:
            words = "nobody was on this board then" if past else "nobody is on this board yet"
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

    def on_resize(self) -> None:
        self.post_message(self.Resized())

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


def board_name(board: Board, *, past: bool) -> str:
    """A board's name."""
    return "That day" if past and board is Board.DAY else board.value


def period_words(period: Period, zone: tzinfo) -> str:
    """Which day or window it is."""
    if period.day is not None:
        return f"{period.day:%A %d %B %Y}"
    return f"the window {period.title}, {period.at.astimezone(zone):%a %d %b %H:%M}"


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

    edition: Edition
    period: Period | None
    standing: Standing
    badges: tuple[Badge, ...] = ()
    """Only those of now."""


def team_lines(place: Place) -> list[Line]:
    """A team's place."""
    return [
        [("Average net worth  ", ("muted",)), (money(place.value), ("strong",))],
        [("Members ranked     ", ("muted",)), (f"{place.members:,}", ())],
        [("Rank               ", ("muted",)), (f"{place.rank:,}", ())],
    ]


def person_lines(
    place: Place, person: Person | None, width: int, zone: tzinfo, now: datetime
) -> Iterator[Line]:
    """One player on all boards, what the net worth is made of, and the badges."""
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
            (f"{board_name(board, past=person.period is not None):<11}", ("muted",)),
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
    if person.badges:
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
