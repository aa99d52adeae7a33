"""A table of typed rows, redrawn only where it changed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bearpit_tui.widgets.listing import Listing
from bearpit_tui.widgets.painted import Piece
from rich.cells import cell_len, set_cell_size
from textual.message import Message
from textual.strip import Strip

RowT = TypeVar("RowT")
GAP = 2

# What a cell says, and the names of its tones.
Cell = Piece


@dataclass(frozen=True, slots=True)
class Column(Generic[RowT]):
    """How a row's cell is made. Columns of the highest `rank` are the first to go when it gets narrow."""

    title: str
    width: int
    cell: Callable[[RowT], Cell]
    right: bool = False
    rank: int = 0
    # Takes what room is left over.
    grows: bool = False


class LineTable(Listing, Generic[RowT]):
    """Rows under a line of titles; the cursor chooses one."""

    class Highlighted(Message):
        """The cursor is on another row; `key` names it."""

        def __init__(self, table: "LineTable[Any]", key: str) -> None:
            self.table = table
            self.key = key
            super().__init__()

        @property
        def control(self) -> "LineTable[Any]":
            return self.table

    class Selected(Message):
        """A row was chosen: enter, or a click; `key` names it."""

        def __init__(self, table: "LineTable[Any]", key: str) -> None:
            self.table = table
            self.key = key
            super().__init__()

        @property
        def control(self) -> "LineTable[Any]":
            return self.table

    def __init__(
        self,
        columns: Sequence[Column[RowT]],
        key: Callable[[RowT], str],
        *,
        empty_text: str = "",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
        disabled: bool = False,
    ) -> None:
        self._all_columns = tuple(columns)
        self._key = key
        self._empty_text = empty_text
        self._rows: list[RowT] = []
        # The columns there is room for, and how wide each is.
        self._columns: list[tuple[Column[RowT], int]] = []
        super().__init__(name=name, id=id, classes=classes, disabled=disabled)

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
        changed = {at for at, row in enumerate(self._rows) if at >= len(before) or before[at] != row}
        changed.update(range(len(self._rows), len(before)))
        if not before or not self._rows:
            # The line that says there is nothing.
            changed.add(0)
        self.put_cursor(next((at for at, row in enumerate(self._rows) if self._key(row) == key), self.cursor))
        self.fit()
        self.refresh_rows(changed)

    def move_to(self, key: str) -> bool:
        """Puts the cursor on the row of that key; False: there is none."""
        place = next((at for at, row in enumerate(self._rows) if self._key(row) == key), None)
        if place is None:
            return False
        self.cursor = place
        return True

    def row_count(self) -> int:
        return len(self._rows)

    def title_lines(self) -> int:
        """None where there is hardly room for rows."""
        return 1 if self.size.height >= 3 else 0

    def tell_highlighted(self, place: int) -> None:
        self.post_message(self.Highlighted(self, self._key(self._rows[place])))

    def tell_selected(self, place: int) -> None:
        self.post_message(self.Selected(self, self._key(self._rows[place])))

    def fit(self) -> None:
        width = self.size.width
        kept = list(self._all_columns)
        while len(kept) > 1 and sum(column.width + GAP for column in kept) - GAP > width:
            kept.remove(max(reversed(kept), key=lambda column: column.rank))
        spare = max(width - sum(column.width + GAP for column in kept) + GAP, 0)
        columns = []
        for column in kept:
            extra = spare if column.grows else 0
            spare -= extra
            columns.append((column, column.width + extra))
        if columns != self._columns:
            self._columns = columns
            self.refresh()
        super().fit()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y < self.title_lines():
            titles = [(column.title, ("muted",), column.right, cells) for column, cells in self._columns]
            return self.strip(_spaced(titles), width)
        place = self.place_at(y)
        if place is None:
            nothing = not self._rows and y == self.title_lines()
            return self.strip([(self._empty_text, ("muted",))] if nothing else (), width)
        row = self._rows[place]
        cells = [(*column.cell(row), column.right, cells) for column, cells in self._columns]
        return self.strip(_spaced(cells), width, *(("cursor",) if place == self.cursor else ()))


def _spaced(cells: Iterable[tuple[str, tuple[str, ...], bool, int]]) -> list[Piece]:
    pieces: list[Piece] = []
    for text, tones, right, width in cells:
        length = cell_len(text)
        if length > width:
            text = set_cell_size(text, width - 1) + "…" if width else ""
        else:
            space = " " * (width - length)
            text = space + text if right else text + space
        pieces += [(text, tones), (" " * GAP, ())]
    return pieces
