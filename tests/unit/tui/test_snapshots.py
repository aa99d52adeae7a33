"""Screens as plain text, at three sizes; `pytest --snapshot-update` writes them anew, to be looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bearpit_tui.app import BearpitApp
from bearpit_tui.model import Announcement, LinkState
from bearpit_tui.screens.sign_in import SignInScreen
from bearpit_tui.start import Start

from tests.unit.tui.conftest import SERVER, STILL, until
from tests.unit.tui.fake_gateway import FakeGateway
from tests.unit.tui.fakes import NOW
from tests.unit.tui.snapshots import SIZES, Screens, text_of
from tests.unit.tui.table import Table, opened

Doing = Callable[[Table, FakeGateway], Awaitable[None]]


async def plain(table: Table, gateway: FakeGateway) -> None:
    """Nothing."""


async def with_ticket(table: Table, gateway: FakeGateway) -> None:
    await table.press("s")
    await table.until(lambda: "60 at" in table.preview)


async def with_orders(table: Table, gateway: FakeGateway) -> None:
    await table.press("down", "4", "down")
    await table.until(lambda: table.screen.state.book.bids and table.screen.state.chart.loaded)


async def lost_and_frozen(table: Table, gateway: FakeGateway) -> None:
    await table.press("space")
    gateway.set_link(LinkState.LOST)
    await table.until(lambda: "No connection" in table.banner("trouble"))


async def with_news(table: Table, gateway: FakeGateway) -> None:
    said = Announcement(1, "Trading stops at 12:30 for lunch and goes on at 13:30.", "Lena", NOW)
    gateway.send("status", replace(gateway.status, announcements=(said,)))
    await table.type("buy 100")
    await table.until(lambda: "Trading stops" in table.banner("news"))


async def with_help(table: Table, gateway: FakeGateway) -> None:
    await table.press("4", "question_mark")


async def with_completions(table: Table, gateway: FakeGateway) -> None:
    await table.press("slash", "e")
    await table.until(lambda: table.screen.query_one("#completions").display)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    "doing", [plain, with_ticket, with_orders, lost_and_frozen, with_news, with_help, with_completions]
)
async def test_trade_screen(
    app: BearpitApp, gateway: FakeGateway, screens: Screens, size: tuple[int, int], doing: Doing
) -> None:
    gateway.with_orders()
    async with opened(app, size) as table:
        await table.until(lambda: table.screen.state.book.bids and len(table.screen.state.orders) == 5)
        await doing(table, gateway)
        await table.pilot.pause()
        screens.check(f"{doing.__name__}_{size[0]}x{size[1]}", text_of(app))


def chosen(symbol: str, *keys: str) -> Doing:
    """An instrument of another mechanism, and what is pressed then."""

    async def doing(table: Table, gateway: FakeGateway) -> None:
        table.screen.select(symbol)
        await table.until(lambda: table.screen.state.chart.loaded and gateway.read(f"book {symbol}"))
        await table.until(lambda: table.screen.state.tape or symbol not in gateway.ticks)
        await table.press(*keys)

    return doing


MECHANISMS = {
    "feed": chosen("FLUX", "3"),
    "attention": chosen("KITE", "3"),
    "window": chosen("NOVA", "3"),
    "window_ticket": chosen("NOVA", "b"),
    "results": chosen("NOVA", "r"),
    "windows": chosen("NOVA", "W"),
    "headlines": chosen("AAPL"),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", MECHANISMS)
async def test_mechanisms(
    app: BearpitApp, gateway: FakeGateway, screens: Screens, size: tuple[int, int], name: str
) -> None:
    gateway.with_mechanisms()
    if name == "headlines":
        gateway.with_headlines()
    async with opened(app, size) as table:
        await table.until(lambda: table.screen.state.windows.windows)
        await MECHANISMS[name](table, gateway)
        await table.until(lambda: name != "window_ticket" or "60 at" in table.preview)
        await table.pilot.pause()
        screens.check(f"{name}_{size[0]}x{size[1]}", text_of(app))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_sign_in(gateway: FakeGateway, home: Path, screens: Screens, size: tuple[int, int]) -> None:
    app = BearpitApp(Start(SERVER, "ada"), gateway.connector(), surroundings=STILL)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, SignInScreen))
        await pilot.pause()
        screens.check(f"sign_in_{size[0]}x{size[1]}", text_of(app))
