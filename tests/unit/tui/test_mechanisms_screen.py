"""Every mechanism on the trade screen: what its detail, the ticket, the headlines and the results say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from bearpit_tui.app import BearpitApp
from bearpit_tui.drafts import Draft, Kind, Life, Side
from bearpit_tui.gateway import PricesFrame, TicksFrame, WalletFrame
from bearpit_tui.model import Fill, Tick
from bearpit_tui.panels.choice import Choice
from bearpit_tui.screens.reading import ReadingScreen
from bearpit_tui.windows import WindowState
from textual.widgets import Static

from tests.unit.tui.conftest import STILL
from tests.unit.tui.fake_gateway import FakeGateway, error
from tests.unit.tui.fakes import NOW
from tests.unit.tui.snapshots import text_of
from tests.unit.tui.table import Table, opened


class Clock:
    """The time of day, which moves when a test says so."""

    def __init__(self, app: BearpitApp) -> None:
        self.now = NOW
        app.surroundings = replace(STILL, clock=self)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(app: BearpitApp) -> Clock:
    return Clock(app)


@pytest.fixture(autouse=True)
def _mechanisms(gateway: FakeGateway) -> None:
    gateway.with_mechanisms()


@asynccontextmanager
async def showing(app: BearpitApp, symbol: str, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Table]:
    async with opened(app, size) as table:
        table.screen.select(symbol)
        await table.until(
            lambda: table.screen.state.windows.windows and table.screen.state.chart.symbol == symbol
        )
        await table.press("3")
        yield table


def detail(table: Table) -> str:
    return "\n".join(line.rstrip() for line in table.screen.board.detail.facts.lines)


def reading(table: Table) -> str:
    screen = table.app.screen
    return screen.text.plain if isinstance(screen, ReadingScreen) else ""


def other_side(table: Table) -> str:
    line = table.screen.query_one("#with", Static)
    return str(line.content) if line.display else ""


# The detail ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "title", "words"),
    [
        ("FLUX", "3 Feed", "House sells"),
        ("KITE", "3 Attention", "▸KITE"),
        ("NOVA", "3 Window", "▶ TRADING  1:32"),
    ],
)
async def test_the_detail_shows_what_makes_the_price(
    app: BearpitApp, gateway: FakeGateway, symbol: str, title: str, words: str
) -> None:
    async with showing(app, symbol) as table:
        assert words in detail(table)
        assert table.screen.board.detail.border_title == title
        assert not table.screen.board.ladder.display
        assert table.pane == "book"
        await table.until(lambda: gateway.read(f"book {symbol}"))


async def test_a_detail_that_was_out_of_sight_is_shown_from_its_beginning(app: BearpitApp) -> None:
    async with opened(app, (80, 24)) as table:
        await table.until(lambda: table.screen.state.windows.windows)
        table.screen.select("NOVA")
        await table.pilot.pause()
        await table.press("3")
        await table.pilot.pause()
        assert "◷ Chapter 12" in text_of(app).splitlines()[2]


async def test_the_ladder_comes_back_with_a_book_and_keeps_the_focus(app: BearpitApp) -> None:
    async with showing(app, "FLUX") as table:
        table.screen.select("AAPL")
        assert table.screen.board.ladder.display
        assert table.pane == "book"
        assert table.screen.board.detail.border_title == "3 Book"


async def test_the_age_of_a_price_grows_until_the_next_one(
    app: BearpitApp, gateway: FakeGateway, clock: Clock
) -> None:
    async with showing(app, "FLUX") as table:
        assert "Priced  0.4 s ago" in detail(table)
        clock.now += timedelta(seconds=5)
        table.screen.tick()
        assert "Priced  5.4 s ago" in detail(table)
        clock.now += timedelta(seconds=20)
        table.screen.tick()
        assert "! Old: priced 25 s ago" in detail(table)
        fresh = replace(gateway.quotes["FLUX"], priced_at_ms=int(clock.now.timestamp() * 1000))
        gateway.send("prices", PricesFrame((fresh,), clock.now))
        await table.until(lambda: "Priced  0.0 s ago" in detail(table))


async def test_the_age_is_told_by_the_servers_clock(
    app: BearpitApp, gateway: FakeGateway, clock: Clock
) -> None:
    clock.now -= timedelta(minutes=3)
    async with showing(app, "FLUX") as table:
        assert "Priced  0.4 s ago" in detail(table)


async def test_the_countdown_ticks(app: BearpitApp, clock: Clock) -> None:
    async with showing(app, "NOVA") as table:
        assert "In 1:32 trading ends" in detail(table)
        clock.now += timedelta(seconds=1)
        table.screen.tick()
        assert "In 1:31 trading ends" in detail(table)
        await table.pilot.pause()
        assert "◷ trading 1:31" in text_of(app)


async def test_a_window_that_settles_shows_the_result(app: BearpitApp, gateway: FakeGateway) -> None:
    async with showing(app, "NOVA") as table:
        assert "Why +7.2 %: demand +8.1 %" in detail(table)
        settled = gateway.window(state=WindowState.SETTLED, settled=5, next_change_at=None)
        prices = (replace(gateway.results()[0], move_bps=-100, explanation="−1 %: sold by 4 players"),)
        gateway.send("windows", replace(gateway.windows, windows=(settled,), prices=prices))
        await table.until(lambda: "Result of Chapter 12 · The long night" in detail(table).replace("\n", " "))
        assert "Why −1 %: sold by 4 players" in detail(table).replace("\n", " ")
        assert "the new prices hold" in table.said


async def test_attention_that_shifts_changes_the_bars(app: BearpitApp, gateway: FakeGateway) -> None:
    async with showing(app, "KITE") as table:
        assert detail(table).index("KELP") < detail(table).index("KITE")
        more = replace(gateway.quotes["KITE"], attention_bps=60_00)
        gateway.send("prices", PricesFrame((more,), NOW))
        await table.until(lambda: "60.00%" in detail(table))
        assert detail(table).index("KITE") < detail(table).index("KELP")


async def test_reversed_trades_are_marked_on_the_tape(app: BearpitApp, gateway: FakeGateway) -> None:
    async with showing(app, "FLUX") as table:
        await table.until(lambda: "362.84     80 reversed" in detail(table))
        assert "362.92    160 reversed" not in detail(table)
        tick = Tick("FLUX", 362_92, 160, NOW - timedelta(seconds=33), 4, reversed=True)
        gateway.send("ticks FLUX", TicksFrame((tick,)))
        await table.until(lambda: "362.92    160 reversed" in detail(table))


async def test_reversed_fills_are_marked_in_the_orders(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.with_orders()
    gateway.fills_known = [Fill(4, 19, "ORBX", Side.BUY, 48_10, 500, reversed=True)]
    async with opened(app, (160, 48)) as table:
        await table.until(lambda: table.screen.state.fills)
        await table.until(lambda: "REVERSED" in {row.status for row in table.screen.board.orders.rows})
        row = next(row for row in table.screen.board.orders.rows if row.status == "REVERSED")
        assert (row.order_id, row.note) == ("19", "500 reversed")


async def test_a_debt_is_told_while_there_is_one(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.wallet = replace(gateway.wallet, debt_cents=250_00)
    async with opened(app, (80, 24)) as table:
        await table.pilot.pause()
        assert "Debt 250.00" in text_of(app)
        gateway.send("wallet", WalletFrame(replace(gateway.wallet, debt_cents=0)))
        await table.until(lambda: table.screen.state.wallet.debt_cents == 0)
        await table.pilot.pause()
        assert "Debt" not in text_of(app)


# Headlines ----------------------------------------------------------------------------------------------


async def test_a_fresh_headline_stands_out_and_then_calms_down(
    app: BearpitApp, gateway: FakeGateway, clock: Clock
) -> None:
    async with opened(app) as table:
        assert table.banner("headline") == ""
        gateway.send("status", gateway.with_headlines().status)
        await table.until(lambda: table.banner("headline"))
        assert table.banner("headline").startswith("▶ NEWS 14:31:04 [FLUX ECHO] Flux finds oil")
        assert table.banner("headline").endswith("n shows all")
        clock.now += timedelta(seconds=10)
        table.screen.tick()
        assert table.banner("headline").startswith("▷ 14:31:04 [FLUX ECHO]")
        clock.now += timedelta(minutes=10)
        table.screen.tick()
        assert table.banner("headline") == ""


async def test_escape_puts_headlines_away_and_n_still_has_them(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.with_headlines()
    async with opened(app) as table:
        await table.until(lambda: table.banner("headline"))
        await table.press("escape")
        table.screen.tick()
        assert table.banner("headline") == ""
        await table.press("n")
        await table.until(lambda: "moves FLUX, ECHO" in text_of(app))
        assert text_of(app).index("Flux finds") < text_of(app).index("Rain is expected")


# Results and windows ------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["key", "command", "palette"])
async def test_the_results_are_a_key_a_command_and_in_the_palette(app: BearpitApp, by: str) -> None:
    async with opened(app) as table:
        await table.until(lambda: table.screen.state.windows.windows)
        if by == "key":
            await table.press("r")
        elif by == "command":
            await table.type("results")
        else:
            next(run for name, _, run in table.screen.offered() if name.startswith("Results"))()
        await table.until(lambda: "Chapter 11 · Homecoming" in reading(table))
        assert "2 rose, 2 fell, 1 stayed" in reading(table)
        await table.press("r")
        assert reading(table) == ""


async def test_windows_are_listed_by_key_and_command(app: BearpitApp) -> None:
    async with opened(app) as table:
        await table.until(lambda: table.screen.state.windows.windows)
        await table.press("W")
        assert "trading  → trading is over in 1:32" in reading(table)
        await table.press("escape")
        await table.type("windows")
        await table.until(lambda: "Chapter 12" in reading(table))


async def test_the_help_explains_the_marks(app: BearpitApp) -> None:
    async with opened(app) as table:
        await table.press("question_mark")
        for mark in ("≡ book", "~ feed", "◉ attention", "◷ window"):
            assert mark in reading(table)


# The ticket ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "key", "words"),
    [
        ("AAPL", "b", ""),
        ("FLUX", "b", "With    the house at 363.05"),
        ("FLUX", "s", "With    the house at 362.69"),
        ("KITE", "b", "With    its pool at 130.84; price moves with size"),
        ("NOVA", "b", "With    the house at 396.82"),
    ],
)
async def test_the_ticket_says_who_is_on_the_other_side(
    app: BearpitApp, symbol: str, key: str, words: str
) -> None:
    async with showing(app, symbol) as table:
        await table.press(key)
        assert other_side(table) == words


async def test_the_other_sides_price_follows_the_feed(app: BearpitApp, gateway: FakeGateway) -> None:
    async with showing(app, "FLUX") as table:
        await table.press("b")
        moved = replace(gateway.quotes["FLUX"], ask_cents=364_00)
        gateway.send("prices", PricesFrame((moved,), NOW))
        await table.until(lambda: other_side(table) == "With    the house at 364.00")


async def test_a_window_offers_no_order_that_would_have_to_wait(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    async with showing(app, "NOVA") as table:
        await table.press("b")
        kind, life = table.screen.query_one("#kind", Choice), table.screen.query_one("#life", Choice)
        seen = set()
        for _ in range(4):
            seen.add(str(kind.render()))
            kind.action_step(1)
        assert {one.strip("‹› ") for one in seen} == {"limit", "market"}
        assert str(life.render()) == "‹ now or cancel ›"
        await table.press("enter")
        await table.until(lambda: gateway.placed())
        assert gateway.placed() == [Draft(Side.BUY, 100, "NOVA", Kind.LIMIT, 396_82, life=Life.IOC)]


async def test_a_book_offers_all_orders_again(app: BearpitApp, gateway: FakeGateway) -> None:
    async with showing(app, "NOVA") as table:
        await table.press("b", "escape")
        table.screen.select("AAPL")
        await table.press("b")
        table.screen.query_one("#kind", Choice).index = 3
        await table.pilot.pause()
        table.field("stop").value = "13"
        assert table.ticket.draft().kind is Kind.STOP_LIMIT
        assert table.ticket.draft().life is Life.DEFAULT


async def test_a_window_that_takes_no_orders_says_when_it_will(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.fail("place", error("WINDOW_NOT_TRADING", next_open="2026-03-08T18:00:00+00:00"))
    async with showing(app, "NOVA") as table:
        await table.type("buy 10 NOVA mkt")
        await table.until(lambda: "taken again at" in table.said)
        assert "on Sunday" in table.said


# Small terminals, few colours ---------------------------------------------------------------------------


@pytest.mark.parametrize("symbol", ["FLUX", "KITE", "NOVA"])
@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light", "textual-light"])
async def test_details_are_drawn_in_any_theme(app: BearpitApp, symbol: str, theme: str) -> None:
    async with showing(app, symbol, (80, 24)) as table:
        app.theme = theme
        await table.pilot.pause()
        assert detail(table)
        assert "3 " in text_of(app)
