"""The inbox, and what interrupts: the summary after an absence, and urgent announcements."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from bearpit_tui.app import BearpitApp
from bearpit_tui.inbox import Kind
from bearpit_tui.model import Announcement, LinkState, Priority
from bearpit_tui.pages.inbox import InboxPage
from bearpit_tui.screens.away import AwayScreen
from bearpit_tui.screens.trade import TradeScreen
from bearpit_tui.screens.urgent import UrgentScreen
from bearpit_tui.settings import load_remembered
from textual.widgets import Input

from tests.unit.tui.conftest import STILL
from tests.unit.tui.fake_gateway import FakeGateway, error
from tests.unit.tui.fakes import NOW
from tests.unit.tui.snapshots import SIZES, Screens
from tests.unit.tui.visit import Visit, visiting

SIZED = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")

STORM = Announcement(
    7,
    "Everybody into the main hall now",
    "Lena",
    NOW - timedelta(seconds=20),
    None,
    "A storm comes up.\n\n- Leave the **tents**\n- Take your *badge*\n\nTrading is halted meanwhile. "
    "[Map](https://camp.example/map)",
    Priority.URGENT,
)


def inbox_of(visit: Visit) -> InboxPage:
    assert isinstance(visit.page, InboxPage)
    return visit.page


class Watch:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch(app: BearpitApp) -> Watch:
    watch = Watch()
    app.surroundings = replace(STILL, monotonic=watch)
    return watch


# The inbox ----------------------------------------------------------------------------------------------


@SIZED
async def test_looks(app: BearpitApp, gateway: FakeGateway, screens: Screens, size: tuple[int, int]) -> None:
    gateway.letters.with_some()
    async with visiting(app, "i", size=size) as visit:
        await visit.sees("4 not read")
        await visit.press("down", "down", "down")
        await visit.sees("Accept within five minutes")
        screens.check(f"inbox_{size[0]}x{size[1]}", visit.text)


async def test_what_comes_is_counted_told_and_listed(app: BearpitApp, gateway: FakeGateway) -> None:
    async with visiting(app) as visit:
        await visit.until(lambda: gateway.made("stream letters"))
        gateway.letters.come(Kind.TRANSFER, "bob gave you 25.00")
        await visit.sees("1 new")
        await visit.sees("✓ bob gave you 25.00")
        gateway.letters.come(Kind.FILL, "Bought 120 ACME")
        await visit.sees("2 new")
        await visit.press("i")
        await visit.sees("Bought 120 ACME")
        await visit.press("escape")
        await visit.until(lambda: gateway.made("read") == [2])
        await visit.until(lambda: " new" not in visit.text)


async def test_r_marks_as_read_and_f_filters(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.letters.with_some()
    async with visiting(app, "i") as visit:
        await visit.sees("4 not read")
        await visit.press("f")
        await visit.sees("Inbox: fills")
        assert [row.kind for row in inbox_of(visit).table.rows] == [Kind.FILL]
        await visit.press("r")
        await visit.until(lambda: gateway.made("read") == [6])
        await visit.until(lambda: "not read" not in visit.text)


async def test_more_is_loaded_below(app: BearpitApp, gateway: FakeGateway) -> None:
    for place in range(70):
        gateway.letters.come(Kind.SYSTEM, f"Word {place}")
    async with visiting(app, "i") as visit:
        await visit.sees("70 not read")
        for _ in range(5):
            await visit.press("end")
            await visit.pilot.pause()
        await visit.until(lambda: len(inbox_of(visit).table.rows) == 70)


async def test_a_refused_marking_leaves_the_count(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.letters.with_some()
    gateway.fail("read", error("RATE_LIMITED"))
    async with visiting(app, "i") as visit:
        await visit.sees("4 not read")
        await visit.press("r")
        await visit.until(lambda: gateway.made("read"))
        await visit.pilot.pause()
        assert "4 not read" in visit.text
        await visit.press("r")
        await visit.until(lambda: "not read" not in visit.text)


# While you were away ------------------------------------------------------------------------------------


@SIZED
async def test_the_summary_looks(
    app: BearpitApp, gateway: FakeGateway, screens: Screens, size: tuple[int, int]
) -> None:
    gateway.letters.was_away()
    async with app.run_test(size=size) as pilot:
        visit = Visit(app, pilot)
        await visit.sees("While you were away")
        await visit.sees("12 → 9")
        await visit.until(lambda: trade(visit).state.wallet.loaded and trade(visit).state.chart.loaded)
        await visit.until(lambda: trade(visit).state.tape is not None and trade(visit).state.book.bids)
        await visit.until(lambda: len(trade(visit).state.sparks) == 24)
        await pilot.pause()
        screens.check(f"away_{size[0]}x{size[1]}", visit.text)


def trade(visit: Visit) -> TradeScreen:
    return next(screen for screen in visit.app.screen_stack if isinstance(screen, TradeScreen))


async def test_one_key_closes_the_summary_and_it_is_not_told_again(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    gateway.letters.was_away()
    async with app.run_test(size=(120, 40)) as pilot:
        visit = Visit(app, pilot)
        await visit.until(lambda: isinstance(app.screen, AwayScreen))
        assert gateway.made("seen") == []
        await visit.press("enter")
        await visit.until(lambda: visit.at_trade and gateway.made("seen"))
        gateway.set_link(LinkState.LOST)
        gateway.set_link(LinkState.LIVE, 10.0)
        await pilot.pause()
        assert visit.at_trade
        await visit.press("i", "a")
        await visit.until(lambda: isinstance(app.screen, AwayScreen))


async def test_there_is_no_summary_of_a_moment(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.letters.was_away()
    assert gateway.letters.away is not None
    gateway.letters.away = replace(gateway.letters.away, since=NOW - timedelta(seconds=50))
    async with visiting(app, "i") as visit:
        await visit.until(lambda: gateway.made("stream letters"))
        assert visit.page is app.screen
        await visit.press("a")
        await visit.until(lambda: isinstance(app.screen, AwayScreen))


async def test_there_is_no_summary_when_nothing_happened(app: BearpitApp, gateway: FakeGateway) -> None:
    async with visiting(app) as visit:
        await visit.until(lambda: gateway.made("stream letters"))
        assert visit.at_trade
        assert gateway.calls.index(("catch_up", None)) < gateway.calls.index(("stream letters", None))


# Urgent announcements -----------------------------------------------------------------------------------


def announce(gateway: FakeGateway, *said: Announcement) -> None:
    gateway.status = replace(gateway.status, announcements=said)
    gateway.send("status", gateway.status)


@SIZED
async def test_the_interruption_looks(
    app: BearpitApp, gateway: FakeGateway, screens: Screens, watch: Watch, size: tuple[int, int]
) -> None:
    async with visiting(app, "i", size=size) as visit:
        announce(gateway, STORM, replace(STORM, announcement_id=8, title="Later"))
        await visit.sees("Map (https://camp.example/map)")
        watch.seconds += 2
        await visit.sees("enter I have read it")
        screens.check(f"urgent_{size[0]}x{size[1]}", visit.text)


async def test_it_interrupts_any_page_and_only_enter_after_a_pause_leads_back(
    app: BearpitApp, gateway: FakeGateway, watch: Watch
) -> None:
    async with visiting(app, "m") as visit:
        announce(gateway, STORM)
        await visit.until(lambda: isinstance(app.screen, UrgentScreen))
        await visit.press("escape", "q", "enter")
        assert isinstance(app.screen, UrgentScreen)
        watch.seconds += 0.5
        await visit.press("enter")
        watch.seconds += 0.7
        await visit.press("enter")  # the pause begins with the last key
        assert isinstance(app.screen, UrgentScreen)
        watch.seconds += 1.1
        await visit.press("enter")
        await visit.until(lambda: app.screen is visit.page)


async def test_an_order_being_typed_is_neither_sent_nor_lost(
    app: BearpitApp, gateway: FakeGateway, watch: Watch
) -> None:
    async with visiting(app, "b", "5") as visit:
        screen = trade(visit)
        await visit.until(lambda: screen.query_one("#quantity", Input).value.endswith("5"))
        before = screen.query_one("#quantity", Input).value
        announce(gateway, STORM)
        await visit.until(lambda: isinstance(app.screen, UrgentScreen))
        await visit.press("0", "0", "enter", "enter")
        assert isinstance(app.screen, UrgentScreen)
        watch.seconds += 2
        await visit.press("enter")
        await visit.until(lambda: visit.at_trade)
        assert screen.query_one("#quantity", Input).value == before
        assert screen.query_one("#quantity", Input).has_focus
        assert gateway.placed() == []


async def test_several_are_told_one_after_another_and_each_only_once(
    app: BearpitApp, gateway: FakeGateway, watch: Watch
) -> None:
    second = replace(STORM, announcement_id=8, title="The storm is over", created_at=NOW)
    async with visiting(app) as visit:
        announce(gateway, STORM, second)
        await visit.sees("1 more to read")
        assert "Everybody into the main hall" in visit.text
        watch.seconds += 2
        await visit.press("enter")
        await visit.sees("The storm is over")
        watch.seconds += 2
        await visit.press("enter")
        await visit.until(lambda: visit.at_trade)
        gateway.set_link(LinkState.LOST)
        gateway.set_link(LinkState.LIVE, 10.0)
        announce(gateway, STORM, second)
        await visit.pilot.pause()
        assert visit.at_trade
        assert len(load_remembered().acknowledged) == 2


async def test_one_for_the_players_team_interrupts_too_and_comes_before_the_summary(
    app: BearpitApp, gateway: FakeGateway, watch: Watch
) -> None:
    gateway.letters.was_away()
    gateway.letters.told = [replace(STORM, title="Team owls: come to the lake")]
    async with app.run_test(size=(120, 40)) as pilot:
        visit = Visit(app, pilot)
        await visit.until(lambda: isinstance(app.screen, UrgentScreen | AwayScreen))
        for _ in range(2):
            watch.seconds += 2
            await visit.press("enter")
            await pilot.pause()
            await visit.until(lambda: isinstance(app.screen, UrgentScreen | AwayScreen | TradeScreen))
        await visit.until(lambda: visit.at_trade)
        assert len(load_remembered().acknowledged) == 1


async def test_what_is_not_urgent_does_not_interrupt(app: BearpitApp, gateway: FakeGateway) -> None:
    async with visiting(app) as visit:
        announce(gateway, replace(STORM, priority=Priority.IMPORTANT))
        await visit.sees("Everybody into the main hall")
        assert visit.at_trade
