"""The line on every page that tells which pages there are, and which this is."""

from __future__ import annotations

from collections.abc import Callable

from bearpit_tui.actions import PAGES, Action
from bearpit_tui.keymap import Keymap
from bearpit_tui.widgets.painted import Painted, Piece, tones
from rich.cells import cell_len
from textual import events
from textual.strip import Strip


class PageBar(Painted, can_focus=False):
    """The pages and their keys; a click opens one. Where there is no room for the words, only the keys."""

    COMPONENT_CLASSES = tones("own", "tag")
    DEFAULT_CSS = """
    PageBar {
        height: 1; overflow: hidden; padding: 0 1;
        & > .tone--own { color: $text-accent; text-style: bold; }
        &:light > .tone--own { color: $text-primary; }
    }
    """

    def __init__(
        self, keymap: Keymap, place: str, offers: Callable[[Action], bool], *, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._keymap = keymap
        self._place = place
        self._offers = offers
        self._places: list[tuple[int, int, str]] = []

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        entries = [("leave", "Trade"), *((one.id, one.label) for one in PAGES.values() if self._offers(one))]
        keys = {name: self._keymap.shown(name) for name, _ in entries}
        whole = sum(cell_len(keys[name]) + cell_len(label) + 3 for name, label in entries) - 2
        pieces: list[Piece] = []
        self._places = []
        x = 0
        for name, label in entries:
            here = name == self._place
            words = f" {label}" if whole <= width or here else ""
            length = cell_len(keys[name] + words)
            pieces += [(keys[name], ("tag",) if here else ("own",)), (words, ("tag",) if here else ())]
            pieces.append(("  ", ()))
            self._places.append((x, x + length, name))
            x += length + 2
        return self.strip(pieces, width)

    async def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        for start, end, name in self._places:
            if offset is not None and start <= offset.x < end:
                await self.screen.run_action("leave" if name == "leave" else f"open('{name}')")
