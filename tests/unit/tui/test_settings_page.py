"""Settings changed on the screen: they hold at once, everywhere, and in the file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from bearpit_tui.app import BearpitApp
from bearpit_tui.inbox import Kind
from bearpit_tui.pages.settings import SettingsPage, ZoneScreen
from bearpit_tui.screens.press import PressScreen
from bearpit_tui.screens.trade import TradeScreen
from bearpit_tui.sessions import StoredSession
from bearpit_tui.settings import GREEN_UP, RED_UP, Settings, SettingsError, load_settings, settings_path
from bearpit_tui.settings_file import write_keys, write_setting
from bearpit_tui.start import Start

from tests.unit.tui.conftest import SERVER, STILL
from tests.unit.tui.fake_gateway import FakeGateway
from tests.unit.tui.snapshots import SIZES, Screens
from tests.unit.tui.visit import Visit, visiting

WRITTEN = """\
# My settings. Do not touch.
server = "camp.example:7117"   # the camp's

[keys]
# I am left-handed.
sell = "v"
"""


def settings_of(visit: Visit) -> SettingsPage:
    assert isinstance(visit.page, SettingsPage)
    return visit.page


async def choose(visit: Visit, key: str) -> None:
    """Go to a line and press enter."""
    page = settings_of(visit)
    await visit.until(lambda: page.table.move_to(key))
    await visit.press("enter")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks(app: BearpitApp, screens: Screens, size: tuple[int, int]) -> None:
    async with visiting(app, "comma", size=size) as visit:
        await visit.sees("Announcements")
        screens.check(f"settings_{size[0]}x{size[1]}", visit.text)


async def test_a_time_zone_is_completed_holds_everywhere_and_is_kept(app: BearpitApp) -> None:
    async with visiting(app, "comma") as visit:
        await choose(visit, "time_zone")
        await visit.until(lambda: isinstance(app.screen, ZoneScreen))
        await visit.press(*"tokyo")
        await visit.sees("Asia/Tokyo")
        await visit.press("enter")
        await visit.sees("23:31:07")  # the clock above
        await visit.sees("Asia/Tokyo, 23:31")
        assert load_settings().time_zone == "Asia/Tokyo"
        await visit.press("escape")
        await visit.until(lambda: visit.at_trade and "23:31:07" in visit.text)
        await visit.press("comma")
        settings_of(visit).table.move_to("time_zone")
        await visit.press("u")
        await visit.sees("as this machine, 14:31")
        assert load_settings().time_zone == ""


async def test_a_zone_that_is_none_or_several_is_not_taken(app: BearpitApp) -> None:
    async with visiting(app, "comma") as visit:
        await choose(visit, "time_zone")
        await visit.until(lambda: isinstance(app.screen, ZoneScreen))
        await visit.fill("zone", "Europe")
        await visit.press("enter")
        await visit.sees("more")
        await visit.fill("zone", "Atlantis")
        await visit.press("enter")
        await visit.sees("There is no such zone")
        await visit.press("escape")
        assert not settings_path().exists()


async def test_red_up_recolours_every_price_at_once(app: BearpitApp) -> None:
    async with visiting(app) as visit:
        trade = app.screen
        assert isinstance(trade, TradeScreen)
        watch = trade.board.watch_list
        up, down = watch.tone("up"), watch.tone("down")
        assert up != down
        await visit.press("comma")
        await choose(visit, "colours")
        await visit.sees("rising red")
        assert load_settings().colours == RED_UP
        await visit.press("escape")
        await visit.until(lambda: visit.at_trade)
        assert (watch.tone("up"), watch.tone("down")) == (down, up)
        assert app.theme_variables["text-up"] == app.theme_variables["text-error"]


async def test_red_up_in_the_file_holds_from_the_beginning(
    gateway: FakeGateway, session: StoredSession
) -> None:
    tones = {}
    for colours in (GREEN_UP, RED_UP):
        start = Start(SERVER, session=session)
        app = BearpitApp(start, gateway.connector(), Settings(colours=colours), STILL)
        async with visiting(app):
            assert isinstance(app.screen, TradeScreen)
            watch = app.screen.board.watch_list
            tones[colours] = watch.tone("up"), watch.tone("down")
    assert tones[RED_UP] == tones[GREEN_UP][::-1]


async def test_a_key_is_chosen_by_pressing_it_and_works_at_once(app: BearpitApp) -> None:
    settings_path().write_text(WRITTEN)
    app.use(load_settings())
    async with visiting(app, "comma") as visit:
        await choose(visit, "key wallet")
        await visit.until(lambda: isinstance(app.screen, PressScreen))
        await visit.press("b")
        await visit.sees('b is given to both "buy" and "wallet"')
        await visit.press("up")
        await visit.sees("it moves about")
        await visit.press("z")
        await visit.sees("z  (usually m)")
        kept = settings_path().read_text()
        assert kept.startswith(WRITTEN.rstrip())
        assert 'wallet = "z"' in kept
        await visit.sees("z Wallet")
        await visit.press("z")
        await visit.sees("code redeemed")
        await visit.press("m")
        assert not visit.at_trade
        await visit.press("z")
        await visit.until(lambda: visit.at_trade and "z Wallet" in visit.text)
        await visit.press("comma")
        settings_of(visit).table.move_to("key wallet")
        await visit.press("u")
        await visit.sees("m Wallet")
        assert settings_path().read_text() == WRITTEN


async def test_escape_leaves_a_key_as_it_is(app: BearpitApp) -> None:
    async with visiting(app, "comma") as visit:
        await choose(visit, "key buy")
        await visit.until(lambda: isinstance(app.screen, PressScreen))
        await visit.press("escape")
        await visit.until(lambda: isinstance(app.screen, SettingsPage))
        assert not settings_path().exists()


async def test_enter_goes_round_where_one_wants_to_be_told(app: BearpitApp, gateway: FakeGateway) -> None:
    async with visiting(app, "comma") as visit:
        for words in ("and sent on", "not told", "on the screen"):
            await choose(visit, "kind FILL")
            await visit.until(partial(says, visit, "kind FILL", words))
        assert gateway.letters.wanted[Kind.FILL].screen


def says(visit: Visit, key: str, words: str) -> bool:
    return any(one.key == key and words in one.now for one in settings_of(visit).table.rows)


async def test_a_file_that_cannot_be_written_is_told(app: BearpitApp) -> None:
    settings_path().mkdir()
    async with visiting(app, "comma") as visit:
        await choose(visit, "colours")
        await visit.until(lambda: "cannot be changed" in visit.said)


def test_a_change_that_would_break_the_file_is_refused_and_nothing_is_written(home: Path) -> None:
    settings_path().write_text(WRITTEN)
    with pytest.raises(SettingsError, match="given to both"):
        write_keys("buy", ("v",))
    with pytest.raises(SettingsError, match="no time zone"):
        write_setting("time_zone", "Atlantis/Town")
    assert settings_path().read_text() == WRITTEN


def test_several_keys_and_no_keys_are_written_too(home: Path) -> None:
    settings_path().write_text(WRITTEN)
    assert write_keys("find", ("slash", "ctrl+f")).keymap.keys["find"] == ("slash", "ctrl+f")
    assert write_keys("find", ()).keymap.keys["find"] == ("slash",)
    assert settings_path().read_text() == WRITTEN


def test_a_broken_file_stays_as_it_is(home: Path) -> None:
    settings_path().write_text("server = ")
    with pytest.raises(SettingsError, match="cannot be changed"):
        write_setting("colours", RED_UP)
    assert settings_path().read_text() == "server = "
