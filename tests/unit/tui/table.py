"""The trade screen in a test: opened and loaded, and what can be seen on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bearpit_tui.app import BearpitApp
from bearpit_tui.panels.banner import Banner
from bearpit_tui.panels.command_line import CommandLine
from bearpit_tui.panels.message_line import MessageLine
from bearpit_tui.panels.ticket import Ticket
from bearpit_tui.screens.trade import TradeScreen
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.unit.tui.conftest import until


class Table:
    """A running screen, and what can be seen on it."""

    def __init__(self, app: BearpitApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def screen(self) -> TradeScreen:
        return next(screen for screen in self.app.screen_stack if isinstance(screen, TradeScreen))

    @property
    def ticket(self) -> Ticket:
        return self.screen.query_one(Ticket)

    def field(self, name: str) -> Input:
        return self.screen.query_one(f"#{name}", Input)

    @property
    def timeframe(self) -> str:
        return self.screen.state.chart.timeframe.value

    @property
    def preview(self) -> str:
        return str(self.screen.query_one("#preview", Static).content)

    @property
    def said(self) -> str:
        notice = self.screen.query_one(MessageLine).notice
        return notice.text if notice is not None else ""

    def banner(self, name: str) -> str:
        banner = self.screen.query_one(f"#{name}", Banner)
        return str(banner.content) if banner.display else ""

    @property
    def pane(self) -> str:
        return self.screen.board.pane_of(self.screen.focused)

    def shows_price(self, symbol: str, cents: int) -> bool:
        return self.screen.state.quotes[symbol].last_cents == cents

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, line: str) -> None:
        """A whole line into the command line."""
        await self.press("slash")
        self.screen.query_one(CommandLine).input.value = line
        await self.press("enter")

    async def until(self, condition: Callable[[], object]) -> None:
        await until(self.pilot, condition)


@asynccontextmanager
async def opened(app: BearpitApp, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Table]:
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, TradeScreen))
        table = Table(app, pilot)
        await until(
            pilot,
            lambda: (
                table.screen.state.chart.loaded
                and table.screen.state.wallet.loaded
                and len(table.screen.state.sparks) == 24
            ),
        )
        yield table
