"""A word from the operators that interrupts whatever is on the screen, until it is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import tzinfo
from typing import ClassVar

from bearpit_tui.model import Announcement
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Markdown, Static

GUARD_SECONDS = 1.0
"""So long no key may have been pressed before enter counts: who was typing an order has not read this."""


LINK = re.compile(r"(?<!!)\[([^\]\n]*)\]\(<?([^\s()<>]+)>?\)")


def with_addresses(markdown: str) -> str:
    """Markdown whose links tell where they lead, for in a terminal nobody sees what is behind a word."""
    return LINK.sub(lambda link: f"{link[1]} ({link[2]})" if link[1] != link[2] else link[2], markdown)


class UrgentScreen(ModalScreen[None]):
    """One announcement. Every key stops here, so that nothing goes to what is below; only enter, after a
    pause, leads back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "acknowledge", "Read", priority=True),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
        Binding("pagedown,space", "scroll(10)", show=False),
    ]
    DEFAULT_CSS = """
    UrgentScreen {
        align: center middle; background: $background 70%;
        & > Vertical {
            width: 84; max-width: 96%; height: auto; max-height: 96%;
            border: heavy $warning; background: $surface; padding: 1 2;
            border-title-color: $text-warning; border-title-style: bold;
            border-subtitle-color: $foreground 60%;
        }
        & #title { text-style: bold; height: auto; }
        & #words { height: auto; max-height: 1fr; margin-top: 1; }
        & #words Markdown { padding: 0; margin: 0; background: $surface; }
        & #how { color: $foreground 60%; margin-top: 1; height: 1; }
        & #how.-ready { color: $text-warning; text-style: bold; }
    }
    """

    def __init__(
        self, one: Announcement, zone: tzinfo, clock: Callable[[], float], *, waiting: int = 0
    ) -> None:
        super().__init__()
        self.announcement = one
        self._zone = zone
        self._clock = clock
        self._waiting = waiting
        self._quiet_since = clock()

    def compose(self) -> ComposeResult:
        one = self.announcement
        with Vertical() as box:
            box.border_title = f"◆ {one.author or 'Operators'}"
            more = f" · {self._waiting} more to read" if self._waiting else ""
            box.border_subtitle = f"{one.created_at.astimezone(self._zone):%a %H:%M}{more}"
            yield Static(Content(one.title), id="title")
            if one.body:
                with VerticalScroll(id="words", can_focus=False):
                    # A link is somebody else's: it is shown, and nothing opens it by a slip of the hand.
                    yield Markdown(with_addresses(one.body), open_links=False)
            yield Static("", id="how", markup=False)

    def on_mount(self) -> None:
        self._tell()
        self.set_interval(0.1, self._tell)

    @property
    def ready(self) -> bool:
        """Whether enter counts."""
        return self._clock() - self._quiet_since >= GUARD_SECONDS

    def _tell(self) -> None:
        how = self.query_one("#how", Static)
        if how.has_class("-ready") != self.ready or not str(how.content):
            how.set_class(self.ready, "-ready")
            how.update("enter I have read it" if self.ready else "enter, once you have read it")

    def on_key(self, event: events.Key) -> None:
        self._quiet_since = self._clock()

    def action_acknowledge(self) -> None:
        if self.ready:
            self.dismiss()
        self._quiet_since = self._clock()

    def action_scroll(self, rows: int) -> None:
        for words in self.query("#words").results(VerticalScroll):
            words.scroll_relative(y=rows, animate=False)
