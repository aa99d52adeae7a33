"""A table of typed rows, redrawn only where it changed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic

from bearpit_tui.widgets.listing import Listing, RowT
from bearpit_tui.widgets.painted import Piece
from rich.cells import cell_len, set_cell_size
from textual.strip import Strip

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


class LineTable(Listing[RowT]):
    """Rows under a line of titles; the cursor chooses one."""

    def __init__(
        self,
        columns: Sequence[Column[RowT]],
        key: Callable[[RowT], str],
        *,
        empty_text: str = "",
        id: str | None = None,
    ) -> None:
        self._all_columns = tuple(columns)
        self._empty_text = empty_text
        # The columns there is room for, and how wide each is.
        self._columns: list[tuple[Column[RowT], int]] = []
        super().__init__(key, id=id)

    def title_lines(self) -> int:
        """None where there is hardly room for rows."""
        return 1 if self.size.height >= 3 else 0

    def _room(self) -> int:
        """The cells of a line beside the scroll bar, when these rows need one."""
        needed = len(self._rows) + self.title_lines() > self.size.height > 0
        return max(self.size.width - needed, 0)

    def fit(self) -> None:
        width = self._room()
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
