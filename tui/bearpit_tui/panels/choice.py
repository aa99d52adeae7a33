"""A field with a few fixed values, on one line: `‹ limit ›`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import RenderResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class Choice(Widget, can_focus=True):
    """One of several values; ← → space and a click change it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", show=False),
        Binding("right,space", "step(1)", show=False),
        Binding("enter", "submit", show=False),
    ]
    DEFAULT_CSS = """
    Choice {
        height: 1; width: 1fr;
        &:focus { background: $primary 40%; text-style: bold; }
        &:focus:ansi { background: $block-cursor-background; color: $block-cursor-foreground; }
        &:focus:nocolor { text-style: bold reverse; }
    }
    """

    index = reactive(0)

    class Changed(Message):
        """Another value was chosen."""

        def __init__(self, choice: Choice) -> None:
            self.choice = choice
            super().__init__()

    class Submitted(Message):
        """Enter was pressed."""

    def __init__(self, labels: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._labels = tuple(labels)
        self._width = max(len(label) for label in labels)

    def offer(self, labels: Sequence[str]) -> None:
        """Have other values; the first of them is chosen."""
        self._labels = tuple(labels)
        self._width = max(len(label) for label in labels)
        self.index = 0
        self.refresh()

    def render(self) -> RenderResult:
        return Content(f"‹ {self._labels[self.index].ljust(self._width)} ›")

    def watch_index(self, before: int, after: int) -> None:
        if before != after:
            self.post_message(self.Changed(self))

    def action_step(self, steps: int) -> None:
        self.index = (self.index + steps) % len(self._labels)

    def action_submit(self) -> None:
        self.post_message(self.Submitted())

    def on_click(self, event: events.Click) -> None:
        self.action_step(1)
