"""Rows under a cursor: what the watch list and the tables have in common."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from bearpit_tui.widgets.painted import COMMON, Painted, tones
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive

RowT = TypeVar("RowT")


class Listing(Painted, Generic[RowT]):
    """Rows that scroll below at most one line of titles; keys and clicks move the cursor over them.

    `key` names a row, whatever else of it changes.
    """

    COMPONENT_CLASSES = tones(*COMMON)

    class Told(Message):
        """Something about a row; `key` names it."""

        def __init__(self, listing: "Listing[Any]", key: str) -> None:
            self.listing = listing
            self.key = key
            super().__init__()

        @property
        def control(self) -> "Listing[Any]":
            return self.listing

    class Highlighted(Told):
        """The cursor is on another row."""

    class Selected(Told):
        """A row was chosen: enter, or a click."""

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

    def __init__(self, key: Callable[[RowT], str], *, id: str | None = None) -> None:
        self._key = key
        self._rows: list[RowT] = []
        self._place: dict[str, int] = {}
        super().__init__(id=id)

    @property
    def rows(self) -> Sequence[RowT]:
        return self._rows

    @property
    def key(self) -> str | None:
        """The key of the row under the cursor."""
        return self._key(self._rows[self.cursor]) if self._rows else None

    def set_rows(self, rows: Iterable[RowT]) -> None:
        """Replaces the rows; the cursor stays on its row's key, and only rows that differ are repainted."""
        before, key = self._rows, self.key
        self._rows = list(rows)
        self._place = {self._key(row): place for place, row in enumerate(self._rows)}
        changed = {at for at, row in enumerate(self._rows) if at >= len(before) or before[at] != row}
        changed.update(range(len(self._rows), len(before)))
        if not before or not self._rows:
            # The line that says there is nothing.
            changed.add(0)
        self.put_cursor(self.cursor if key is None else self._place.get(key, self.cursor))
        self.fit()
        self.refresh_rows(changed)

    def move_to(self, key: str) -> bool:
        """Puts the cursor on the row of that key; False: there is none."""
        place = self._place.get(key)
        if place is None:
            return False
        self.cursor = place
        return True

    def title_lines(self) -> int:
        """None, unless a subclass has some."""
        return 0

    def fit(self) -> None:
        """Called when the width or the number of rows is another; repaints what that changes."""
        self.virtual_size = Size(self.size.width, len(self._rows) + self.title_lines())

    def place_at(self, y: int) -> int | None:
        """The row drawn in line `y`; None: a title, or nothing."""
        place = y - self.title_lines() + self.scroll_offset.y
        return place if y >= self.title_lines() and place < len(self._rows) else None

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
        return max(0, min(cursor, len(self._rows) - 1))

    def watch_cursor(self, before: int, after: int) -> None:
        self.refresh_rows((before, after))
        self.show_cursor()
        if self._rows:
            self.post_message(self.Highlighted(self, self._key(self._rows[after])))

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
        self.cursor = place if place >= 0 else len(self._rows) + place

    def action_select(self) -> None:
        if self._rows:
            self.post_message(self.Selected(self, self._key(self._rows[self.cursor])))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        place = self.place_at(offset.y) if offset is not None else None
        if place is not None:
            self.cursor = place
            self.action_select()
