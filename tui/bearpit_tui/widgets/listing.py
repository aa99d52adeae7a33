"""Rows under a cursor: what the watch list and the tables have in common."""

from collections.abc import Iterable
from typing import ClassVar

from bearpit_tui.widgets.painted import Painted
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.reactive import reactive


class Listing(Painted):
    """Rows that scroll below at most one line of titles; keys and clicks move the cursor over them.

    A subclass says how many rows and titles there are, and what to tell when the cursor moves or chooses.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "jump(0)", "First", show=False),
        Binding("end", "jump(-1)", "Last", show=False),
        Binding("enter", "select", "Select", show=False),
    ]

    cursor = reactive(0)

    def row_count(self) -> int:
        raise NotImplementedError

    def title_lines(self) -> int:
        raise NotImplementedError

    def tell_highlighted(self, place: int) -> None:
        raise NotImplementedError

    def tell_selected(self, place: int) -> None:
        raise NotImplementedError

    def fit(self) -> None:
        """Called when the width or the number of rows is another; repaints what that changes."""
        self.virtual_size = Size(self.size.width, self.row_count() + self.title_lines())

    def place_at(self, y: int) -> int | None:
        """The row drawn in line `y`; None: a title, or nothing."""
        place = y - self.title_lines() + self.scroll_offset.y
        return place if y >= self.title_lines() and place < self.row_count() else None

    def rows_in_sight(self) -> range:
        """The rows in sight."""
        first = self.scroll_offset.y
        return range(first, first + max(self.size.height - self.title_lines(), 0))

    def refresh_rows(self, places: Iterable[int]) -> None:
        """Repaints those of the rows that are in sight."""
        visible, width = self.rows_in_sight(), self.size.width
        above = visible.start - self.title_lines()
        regions = [Region(0, place - above, width, 1) for place in places if place in visible]
        if regions:
            self.refresh(*regions)

    def put_cursor(self, place: int) -> None:
        """Moves the cursor without telling, as when rows were replaced below it."""
        before = self.cursor
        self.set_reactive(Listing.cursor, self.validate_cursor(place))
        if self.cursor != before:
            self.refresh_rows((before, self.cursor))

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, self.row_count() - 1))

    def watch_cursor(self, before: int, after: int) -> None:
        self.refresh_rows((before, after))
        self.show_cursor()
        if self.row_count():
            self.tell_highlighted(after)

    def show_cursor(self) -> None:
        """Scrolls no further than needed to see the cursor."""
        visible = self.rows_in_sight()
        if self.cursor < visible.start:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= visible.stop:
            self.scroll_to(y=self.cursor - max(len(visible), 1) + 1, animate=False)

    def on_resize(self) -> None:
        self.fit()

    def action_move(self, rows: int) -> None:
        self.cursor += rows

    def action_page(self, pages: int) -> None:
        self.cursor += pages * max(len(self.rows_in_sight()) - 1, 1)

    def action_jump(self, place: int) -> None:
        self.cursor = place if place >= 0 else self.row_count() + place

    def action_select(self) -> None:
        if self.row_count():
            self.tell_selected(self.cursor)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        place = self.place_at(offset.y) if offset is not None else None
        if place is not None:
            self.cursor = place
            self.action_select()
