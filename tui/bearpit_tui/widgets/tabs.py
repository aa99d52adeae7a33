"""A few names on a line, one of them chosen: ← → and a click choose another."""

from __future__ import annotations

from collections.abc import Sequence

from bearpit_tui.widgets.painted import Painted, Piece, tones
from rich.cells import cell_len
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip

GAP = 2


class Tabs(Painted, can_focus=False):
    """The names. Where there is no room for all, those around the chosen one."""

    COMPONENT_CLASSES = tones("muted", "tag")
    DEFAULT_CSS = """
    Tabs { height: 1; padding: 0 1; overflow: hidden; }
    """

    index = reactive(0)

    class Chosen(Message):
        """Another one was chosen."""

        def __init__(self, tabs: Tabs) -> None:
            self.tabs = tabs
            super().__init__()

    def __init__(self, labels: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._labels = tuple(labels)
        self._places: list[tuple[int, int, int]] = []

    def relabel(self, labels: Sequence[str]) -> None:
        """Call them by other names; as many as before."""
        self._labels = tuple(labels)
        self.refresh()

    def step(self, steps: int) -> None:
        """Choose another one, and round."""
        self.index = (self.index + steps) % len(self._labels)

    def watch_index(self) -> None:
        self.refresh()
        self.post_message(self.Chosen(self))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        pieces: list[Piece] = []
        self._places = []
        x = 0
        first = self._first(width)
        for place, label in enumerate(self._labels[first:], first):
            text = f" {label} "
            pieces += [(text, ("tag",) if place == self.index else ("muted",)), (" " * (GAP - 1), ())]
            self._places.append((x, x + cell_len(text), place))
            x += cell_len(text) + GAP - 1
        return self.strip(pieces, width)

    def _first(self, width: int) -> int:
        """The first that is shown, so that the chosen one is in sight."""
        first = 0
        while (
            first < self.index
            and sum(cell_len(label) + GAP + 1 for label in self._labels[first : self.index + 1]) > width
        ):
            first += 1
        return first

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        for start, end, place in self._places:
            if offset is not None and start <= offset.x < end:
                self.index = place
