"""Choosing a key by pressing it."""

from __future__ import annotations

from typing import ClassVar

from bearpit_tui.actions import ACTIONS
from bearpit_tui.keymap import Keymap, KeymapError, keymap
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.keys import format_key
from textual.screen import ModalScreen
from textual.widgets import Static


class PressScreen(ModalScreen[str | None]):
    """Answers the key that was pressed, or None. One that cannot be had is told, and another waited for."""

    BINDINGS: ClassVar[list[BindingType]] = []
    DEFAULT_CSS = """
    PressScreen {
        align: center middle; background: $background 60%;
        & > Vertical {
            width: 64; max-width: 96%; height: auto; padding: 1 2;
            border: round $border; background: $surface; border-title-style: bold;
        }
        & Static { height: auto; }
        & #told { margin-top: 1; min-height: 2; }
    }
    """

    def __init__(self, action_id: str, keys: Keymap) -> None:
        super().__init__()
        self.action = next(action for action in ACTIONS if action.id == action_id)
        self._keys = keys

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = self.action.label
            now = self._keys.all_shown(self.action.id)
            yield Static(f"{self.action.help}\nNow: {now}", markup=False)
            yield Static("Press the key that is to do it; esc leaves it as it is.", id="told", markup=False)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if event.key == "escape":
            self.dismiss(None)
            return
        taken = {**self._keys.keys, self.action.id: (event.key,)}
        try:
            keymap(taken)
        except KeymapError as error:
            words = f"✗ {format_key(event.key)} cannot be had: {error}. Press another one, or esc."
            self.query_one("#told", Static).update(Content.styled(words, "$text-error"))
            return
        self.dismiss(event.key)
