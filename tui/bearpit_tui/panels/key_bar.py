"""The bottom line: the keys that matter now, those of the focused pane first."""

from __future__ import annotations

from collections.abc import Callable

from bearpit_tui.actions import Action, actions_on
from bearpit_tui.keymap import Keymap
from bearpit_tui.widgets.painted import Painted, Piece, tones
from rich.cells import cell_len
from textual import events
from textual.strip import Strip


class KeyBar(Painted, can_focus=False):
    """As many keys as fit, whole; a click does what the key does."""

    COMPONENT_CLASSES = tones("own")
    DEFAULT_CSS = """
    KeyBar {
        height: 1; background: $panel; overflow: hidden; padding: 0 1;
        & > .tone--own { color: $text-accent; text-style: bold; }
        &:light > .tone--own { color: $text-primary; }
    }
    """

    def __init__(
        self,
        keymap: Keymap,
        place: str = "",
        offers: Callable[[Action], bool] = lambda action: True,
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._keymap = keymap
        self._place = place
        self._offers = offers
        self._actions: tuple[Action, ...] = ()
        self._places: list[tuple[int, int, str]] = []

    def show(self, pane: str) -> None:
        """Show the keys for a pane that has the focus."""
        actions = tuple(one for one in footer_actions(pane, self._place) if self._offers(one))
        if actions != self._actions:
            self._actions = actions
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        pieces: list[Piece] = []
        self._places = []
        x = 0
        for action in fitting(self._actions, self._keymap, width):
            key = self._keymap.shown(action.id)
            length = cell_len(key) + 1 + cell_len(action.label)
            pieces += [(key, ("own",)), (f" {action.label}  ", ())]
            self._places.append((x, x + length, action.call))
            x += length + 2
        return self.strip(pieces, width)

    async def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        for start, end, call in self._places:
            if start <= offset.x < end:
                await self.screen.run_action(call)


def footer_actions(pane: str, place: str = "") -> tuple[Action, ...]:
    """The footer's actions, the pane's own among them, in the table's order; on a page, its own and the way
    back."""
    actions = actions_on(place)
    if place:
        return tuple(one for one in actions if (one.on and one.footer) or one.id in ("leave", "help"))
    return tuple(one for one in actions if one.footer or pane in one.panes)


def fitting(actions: tuple[Action, ...], keymap: Keymap, width: int) -> list[Action]:
    """As many as fit. The last two of the row, help and quit, are the last to go."""
    kept = list(actions)

    def used() -> int:
        return sum(cell_len(keymap.shown(one.id)) + cell_len(one.label) + 3 for one in kept) - 2

    while len(kept) > 1 and used() > width:
        kept.pop(-3 if len(kept) > 2 else -1)
    return kept
