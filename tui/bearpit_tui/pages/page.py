"""A page over the trade screen: where one is above, what can be done below, and what it is about between.

To make one: a file beside this one, its line in actions.py, and what it asks of the server in camp/.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import ClassVar, TypeVar

import grpc
from bearpit.client import BearpitError
from bearpit_tui.actions import PAGES
from bearpit_tui.failures import error_words
from bearpit_tui.notices import Notice, Tone
from bearpit_tui.panels.headlines import Headlines
from bearpit_tui.panels.key_bar import KeyBar
from bearpit_tui.panels.message_line import MessageLine
from bearpit_tui.panels.page_bar import PageBar
from bearpit_tui.screens.live import LiveScreen, Seat
from bearpit_tui.screens.reading import ReadingScreen, help_text
from bearpit_tui.state import State
from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.css.query import NoMatches

A = TypeVar("A")


class Page(LiveScreen):
    """A screen in the trade screen's place, until escape. The market goes on below.

    A subclass gives `PLACE`, `ABOUT` and `BINDINGS = bindings(PLACE)`, and has `body()`, and what it needs of
    `load()` and `follow()`.
    """

    ABOUT: ClassVar[str] = ""
    """What the page is, for its help."""

    DEFAULT_CSS = """
    Page {
        layers: base above; overflow: hidden;
        & > #body { height: 1fr; }
        & .pane {
            border: round $foreground 25%;
            border-title-color: $foreground 60%; border-subtitle-color: $foreground 60%;
        }
        & .pane:focus, & .pane:focus-within {
            border: round $border; border-title-color: $foreground; border-title-style: bold;
        }
        & .pane:ansi { border: round ansi_default; }
        & .pane:focus:ansi, & .pane:focus-within:ansi { border: heavy $primary; }
    }
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.body is Page.body:
            raise TypeError(f"{cls.__name__} has no body()")

    def __init__(self, seat: Seat) -> None:
        super().__init__(seat)
        self.state = seat.feed.state
        self._shown: State | None = None
        self._own: Notice | None = None

    def compose(self) -> ComposeResult:
        yield Headlines(self.keys, self.zone, place=PAGES[self.PLACE].label, id="headlines")
        yield PageBar(self.keys, self.PLACE, self.offers, id="pages")
        with Vertical(id="body"):
            yield from self.body()
        yield KeyBar(self.keys, self.PLACE, self.offers, id="keys")
        yield MessageLine(id="message")

    @abstractmethod
    def body(self) -> ComposeResult:
        """What the page shows."""

    async def load(self) -> None:
        """Ask the server for what the feed does not bring; called once, and to be called again at need."""

    def follow(self, before: State | None, state: State) -> None:
        """Show what the feed brought; `before` is what was shown, None: nothing yet."""

    def on_mount(self) -> None:
        self.show_state(self.feed.state)
        self.reload()
        self.set_interval(1.0, self.tick)

    def tick(self) -> None:
        """A second has passed."""
        self.query_one(Headlines).show(self.state, self.now(), None)

    def show_state(self, live: State) -> None:
        before, self.state, self._shown = self._shown, live, live
        with self.app.batch_update():
            self.query_one(Headlines).show(live, self.now(), None)
            if before is None or before.me is not live.me:
                self.query_one(KeyBar).show("")
            self.follow(before, live)

    def say(self, notice: Notice | None) -> None:
        super().say(notice)
        self._own = notice

    def _tell_news(self, notices: tuple[Notice, ...]) -> None:
        # What the player has just done here is not overwritten by what follows from it; the inbox has that.
        if self._own is None or self.query_one(MessageLine).notice is not self._own:
            super()._tell_news(notices)
            self._own = None

    # Asking the server --------------------------------------------------------------------------------

    @work(group="load", exclusive=True)
    async def reload(self) -> None:
        """Load again, in place of a loading that is under way."""
        await self.asked(self.load)

    async def asked(self, ask: Callable[[], Awaitable[A]]) -> A | None:
        """The answer of a call. None: it failed, which is told, or the server does not know it yet."""
        try:
            return await ask()
        except BearpitError as error:
            if error.code is not grpc.StatusCode.UNIMPLEMENTED:
                self.say(Notice(error_words(error), Tone.BAD))
            return None
        except NoMatches:
            if self.app.is_running and self.is_current:
                raise
            return None  # the page is being taken down, part by part, and nobody sees what has come

    # Leaving ------------------------------------------------------------------------------------------

    def action_open(self, name: str) -> None:
        if name == self.PLACE:
            self.dismiss()
        else:
            super().action_open(name)

    def action_leave(self) -> None:
        """One step back: the message goes, else the page."""
        if self.query_one(MessageLine).notice is not None:
            self.say(None)
        else:
            self.dismiss()

    def action_quit(self) -> None:
        """Leave the page; it takes another one on the trade screen to leave the game."""
        self.dismiss()

    def action_help(self) -> None:
        text = help_text(self.keys, "", self.PLACE, self.ABOUT)
        self.app.push_screen(ReadingScreen(f"Help: {PAGES[self.PLACE].label}", text))
