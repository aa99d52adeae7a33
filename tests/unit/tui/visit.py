"""Going to a page in a test: the screen, signed in, with the page opened by its key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bearpit_tui.app import BearpitApp
from bearpit_tui.pages.page import Page
from bearpit_tui.panels.message_line import MessageLine
from bearpit_tui.screens.trade import TradeScreen
from textual.pilot import Pilot
from textual.widgets import Input

from tests.unit.tui.conftest import until
from tests.unit.tui.snapshots import text_of


class Visit:
    """A running app, and what stands on its uppermost screen."""

    def __init__(self, app: BearpitApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def page(self) -> Page:
        return next(screen for screen in reversed(self.app.screen_stack) if isinstance(screen, Page))

    @property
    def text(self) -> str:
        """The whole terminal."""
        return text_of(self.app)

    @property
    def said(self) -> str:
        notice = self.page.query_one(MessageLine).notice
        return notice.text if notice is not None else ""

    @property
    def at_trade(self) -> bool:
        return isinstance(self.app.screen, TradeScreen)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def fill(self, field: str, text: str) -> None:
        """Write into a field of the uppermost screen."""
        self.app.screen.query_one(f"#{field}", Input).value = text

    async def until(self, condition: Callable[[], object]) -> None:
        await until(self.pilot, condition)

    async def sees(self, words: str) -> None:
        """Wait until words stand somewhere in the terminal."""
        await self.until(lambda: words in self.text)


@asynccontextmanager
async def visiting(app: BearpitApp, *keys: str, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Visit]:
    """The app with the trade screen loaded, after these keys."""
    async with app.run_test(size=size) as pilot:
        visit = Visit(app, pilot)
        await visit.until(lambda: visit.at_trade)
        trade = app.screen
        assert isinstance(trade, TradeScreen)
        await visit.until(lambda: trade.state.wallet.loaded and trade.state.instruments)
        await visit.press(*keys)
        yield visit
