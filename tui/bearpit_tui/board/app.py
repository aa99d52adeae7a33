"""The board as an application: it asks nothing of anybody, and repaints at most four times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import ClassVar

from bearpit.client import BearpitError
from bearpit_tui.board import paint
from bearpit_tui.board.model import Wall
from bearpit_tui.colours import Coloured
from bearpit_tui.failures import error_words
from bearpit_tui.settings import GREEN_UP
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Center, Horizontal, Middle, Vertical
from textual.content import Content, Span
from textual.widgets import Markdown, Static

FRAME_SECONDS = 0.25
WHOLE_WALL = timedelta(minutes=1)
"""How long an urgent announcement hides all else."""
Watch = Callable[[Wall, Callable[[], None]], Awaitable[None]]
"""Fills the wall and says when it has, until cancelled. Raises BearpitError when it may not."""


class BoardApp(Coloured):
    """The game on a wall."""

    TITLE = "Bearpit"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+q,ctrl+c,escape", "quit", show=False, priority=True, system=True),
    ]
    CSS = """
    BoardApp Screen { layers: base above; overflow: hidden; }
    #header { height: 1; padding: 0 1; background: $panel; }
    #middle { height: 1fr; }
    #ranks { width: 3fr; }
    #right { width: 2fr; }
    #movers { height: 3fr; }
    #words { height: 2fr; }
    #tape { height: 1; padding: 0 1; background: $panel; }
    .box { border: round $foreground 30%; border-title-style: bold; padding: 0 1; }
    .box Static { height: 1fr; }
    #urgent { layer: above; width: 100%; height: 100%; background: $background 85%; display: none; }
    #urgent.-on { display: block; }
    #urgent Vertical { width: 80%; height: auto; max-height: 90%; border: heavy $warning; padding: 1 3;
        background: $surface; }
    #urgent Static { text-style: bold; width: 100%; text-align: center; color: $text-warning; }
    #urgent Markdown { background: $surface; padding: 1 0 0 0; margin: 0; }
    """

    def __init__(
        self,
        watch: Watch,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        zone: tzinfo = UTC,
        colours: str = GREEN_UP,
        frame_seconds: float = FRAME_SECONDS,
    ) -> None:
        super().__init__()
        self.colours = colours
        self.wall = Wall()
        self.failure = ""
        """Why it ended by itself."""
        self._watch = watch
        self._clock = clock
        self._zone = zone
        self._frame_seconds = frame_seconds
        self._changed = asyncio.Event()
        self._shown: dict[str, tuple[str, Sequence[Span]]] = {}
        self._told = 0
        self._told_at = clock()

    def compose(self) -> ComposeResult:
        yield Static(id="header")
        with Horizontal(id="middle"):
            with Vertical(id="ranks", classes="box"):
                yield Static(id="ranks-text")
            with Vertical(id="right"):
                with Vertical(id="movers", classes="box"):
                    yield Static(id="movers-text")
                with Vertical(id="words", classes="box"):
                    yield Static(id="words-text")
        yield Static(id="tape")
        with Middle(id="urgent"), Center(), Vertical():
            yield Static(id="urgent-title")
            yield Markdown(id="urgent-words", open_links=False)

    def on_mount(self) -> None:
        self.query_one("#movers").border_title = "Movers"
        self.query_one("#words").border_title = "News"
        self._follow()
        self._repaint()

    @work(group="watch")
    async def _follow(self) -> None:
        try:
            await self._watch(self.wall, self._changed.set)
        except* BearpitError as errors:
            error = _first(errors)
            # In the server's words: what is wrong with a token, no sign-in mends.
            self.failure = error.message if error.reason else error_words(error)
            self.exit()

    @work(group="paint")
    async def _repaint(self) -> None:
        """Repaint what has changed; the clock goes on even when nothing else does."""
        while True:
            self._changed.clear()
            await self.paint()
            await asyncio.sleep(self._frame_seconds)
            try:
                async with asyncio.timeout(1 - self._frame_seconds):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def paint(self) -> None:
        """Show what is known now."""
        wall, now = self.wall, self._clock()
        self._show("header", lambda width, _: paint.header(wall, now, self._zone, width))
        self._show("ranks-text", lambda width, height: paint.ranks(wall, width, height))
        self._show("movers-text", lambda width, height: paint.movers(wall, width, height))
        self._show("words-text", lambda _, height: paint.words(wall, height))
        self._show("tape", lambda width, _: paint.tape(wall, width))
        box, title = self.query_one("#ranks"), paint.ranks_title(wall)
        if box.border_title != title:
            box.border_title = title
        await self._interrupt()

    def _show(self, name: str, made: Callable[[int, int], Content]) -> None:
        widget = self.query_one(f"#{name}", Static)
        size = widget.content_region.size
        content = made(size.width, size.height)
        looks = content.plain, content.spans
        if self._shown.get(name) != looks:
            self._shown[name] = looks
            widget.update(content, layout=False)

    async def _interrupt(self) -> None:
        """What is urgent takes the wall for a minute; then it stands among the news, as long as it holds."""
        one, now = self.wall.urgent, self._clock()
        is_new = one is not None and one.announcement_id != self._told
        if is_new:
            self._told_at = now
        self.query_one("#urgent").set_class(one is not None and now - self._told_at < WHOLE_WALL, "-on")
        if one is not None and is_new:
            self._told = one.announcement_id
            self.query_one("#urgent-title", Static).update(Content(one.title))
            await self.query_one("#urgent-words", Markdown).update(one.body)


def _first(errors: BaseExceptionGroup[BearpitError]) -> BearpitError:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, BearpitError)
    return error
