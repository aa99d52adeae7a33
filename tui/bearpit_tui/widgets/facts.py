"""Lines to be looked at: built anew as often as one likes, repainted only where they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from bearpit_tui.widgets.painted import COMMON, Painted, Piece, tones
from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.strip import Strip

BAR = 1
"""Cells of the scroll bar, which is there when there are more lines than room."""

CONTEXT = 3
"""Lines to be seen from the one that is pointed at."""

Line = list[Piece]

Build = Callable[[int], "tuple[Sequence[Line], int]"]
"""Lines for a width in cells, and the one to be kept in sight."""


class Facts(Painted):
    """Lines that scroll. `show` says how they are made, so that they can be made again for another width."""

    COMPONENT_CLASSES = tones(*COMMON)

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll(-1)", "Up", show=False),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("pageup", "scroll(-10)", "Page up", show=False),
        Binding("pagedown", "scroll(10)", "Page down", show=False),
        Binding("home,c", "scroll(-100000)", "Top", show=False),
        Binding("end", "scroll(100000)", "End", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        self._build: Build = lambda width: ((), 0)
        self._lines: list[Line] = []
        self._width = 0
        self._about = ""
        self._pointed: int | None = None
        super().__init__(id=id)

    @property
    def lines(self) -> list[str]:
        """What is said, as plain text."""
        return ["".join(text for text, _ in line) for line in self._lines]

    def show(self, about: str, build: Build) -> None:
        """Show these lines. What is new to be `about` is shown from its beginning, or where it points."""
        self._build = build
        pointed = self._renew()
        if about != self._about:
            self._about = about
            # Only then is it known how high it is, and how far it can be scrolled.
            self._pointed = pointed
            self.call_after_refresh(self._point)

    def on_resize(self) -> None:
        self._renew()
        self.call_after_refresh(self._point)

    def action_scroll(self, lines: int) -> None:
        self.scroll_relative(y=lines, animate=False)

    def _point(self) -> None:
        """Have the line that is pointed at in sight, once; while there is no room, later."""
        if self._pointed is not None and self.size.height:
            self.scroll_to(y=max(self._pointed + CONTEXT - self.size.height, 0), animate=False)
            self._pointed = None

    def _renew(self) -> int:
        width = self.size.width
        lines, pointed = self._build(width)
        if len(lines) > self.size.height:
            lines, pointed = self._build(max(width - BAR, 0))
        before = self._lines if width == self._width else []
        self._lines, self._width = list(lines), width
        if self.virtual_size != Size(width, len(self._lines)):
            self.virtual_size = Size(width, len(self._lines))
        top = self.scroll_offset.y
        changed = [
            Region(0, y - top, width, 1)
            for y in range(top, top + self.size.height)
            if _at(before, y) != _at(self._lines, y)
        ]
        if changed:
            self.refresh(*changed)
        return pointed

    def render_line(self, y: int) -> Strip:
        return self.strip(_at(self._lines, y + self.scroll_offset.y), self.size.width)


def _at(lines: Sequence[Line], y: int) -> Line:
    return lines[y] if y < len(lines) else []


def wrapped(text: str, width: int, *tones: str, indent: int = 0) -> Iterator[Line]:
    """A text over as many lines as it takes; what is too long for one is cut between letters."""
    room = max(width - indent, 1)
    line = ""
    for whole in text.split():
        word = whole
        while cell_len(word) > room:
            if line:
                yield [(" " * indent + line, tones)]
            line, word = "", word
            head = word[: max(room // 2, 1)] if cell_len(word[:room]) > room else word[:room]
            yield [(" " * indent + head, tones)]
            word = word[len(head) :]
        if line and cell_len(line) + 1 + cell_len(word) > room:
            yield [(" " * indent + line, tones)]
            line = word
        else:
            line = f"{line} {word}".strip()
    if line:
        yield [(" " * indent + line, tones)]
