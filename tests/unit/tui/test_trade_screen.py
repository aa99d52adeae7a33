"""The trade screen under a person's fingers, with a server in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bearpit_tui.actions import actions_on
from bearpit_tui.app import BearpitApp, usual_theme
from bearpit_tui.keymap import keymap
from bearpit_tui.model import Announcement, LinkState
from bearpit_tui.notices import Notice, Tone
from bearpit_tui.palette import ActionProvider
from bearpit_tui.panels.message_line import MessageLine
from bearpit_tui.screens.reading import ReadingScreen
from bearpit_tui.screens.trade import TradeScreen
from bearpit_tui.settings import Settings
from textual.command import CommandPalette, DiscoveryHit

from tests.unit.tui.conftest import STILL
from tests.unit.tui.fake_gateway import LOST, FakeGateway
from tests.unit.tui.fakes import NOW
from tests.unit.tui.table import opened


async def test_opens_on_the_watch_list_with_the_first_instrument(app: BearpitApp) -> None:
    async with opened(app) as table:
        assert table.pane == "watch"
        assert table.screen.state.selected == "AAPL"
        assert table.screen.state.player == "ada"


# Looking ------------------------------------------------------------------------------------------------


async def test_t_goes_through_the_timeframes(app: BearpitApp) -> None:
    async with opened(app) as table:
        await table.press("t")
        assert table.timeframe == "5m"
        await table.press("t", "t", "t", "t")
        assert table.timeframe == "1m"
        await table.until(lambda: table.screen.state.chart.loaded)


async def test_plus_and_minus_zoom_from_any_pane(app: BearpitApp) -> None:
    async with opened(app) as table:
        before = table.screen.board.chart._zoom
        await table.press("4", "plus")
        assert table.screen.board.chart._zoom == before + 1
        await table.press("2", "minus", "minus")
        assert table.screen.board.chart._zoom == before - 1


async def test_numbers_go_to_the_panes(app: BearpitApp) -> None:
    async with opened(app, (80, 24)) as table:
        for key, pane in (("2", "chart"), ("3", "book"), ("4", "orders"), ("5", "positions"), ("1", "watch")):
            await table.press(key)
            assert table.pane == pane
            assert pane in table.screen.board.visible_panes


async def test_space_freezes_the_quotes_and_goes_on_to_the_present(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    gateway.with_orders()
    async with opened(app) as table:
        await table.press("space")
        assert "FROZEN at 14:31:07" in table.banner("trouble")
        gateway.move("AAPL", 99_00)
        await gateway.cancel(17, "")
        await table.until(lambda: table.screen.feed.state.quotes["AAPL"].last_cents == 99_00)
        await table.until(lambda: not table.screen.state.orders[17].open)
        assert table.screen.state.quotes["AAPL"].last_cents == 12_40
        assert table.screen.board.watch_list.rows[0].last_cents == 12_40
        await table.press("space")
        assert table.screen.state.quotes["AAPL"].last_cents == 99_00
        assert table.screen.board.watch_list.rows[0].last_cents == 99_00
        assert table.banner("trouble") == ""


async def test_moving_in_the_watch_list_moves_the_other_panes(app: BearpitApp) -> None:
    async with opened(app) as table:
        await table.press("down")
        assert table.screen.state.selected == "ACME"
        await table.until(lambda: table.screen.state.chart.loaded and table.screen.state.book.bids)
        assert table.screen.state.book.symbol == "ACME"


async def test_a_held_arrow_key_ends_where_it_was_let_go(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        for step in range(8):
            table.screen.board.watch_list.action_move(1)
            gateway.move("AAPL", 12_50 + step)
            await table.pilot.pause(0.0)
        await table.until(lambda: table.screen.state.selected == "KELP" and table.screen.state.book.bids)
        assert table.screen.board.watch_list.key == table.screen.state.book.symbol == "KELP"


async def test_question_mark_helps_with_what_has_the_focus(app: BearpitApp) -> None:
    async with opened(app) as table:
        await table.press("4", "question_mark")
        assert isinstance(app.screen, ReadingScreen)
        text = app.screen.text.plain
        assert "Your orders, newest first" in text
        assert (
            text.index("Keys here") < text.index("Cancel the chosen order.") < text.index("Keys everywhere")
        )
        await table.press("escape")
        assert isinstance(app.screen, TradeScreen)


async def test_the_palette_offers_the_actions_and_does_them(app: BearpitApp) -> None:
    async with opened(app) as table:
        await table.press("ctrl+p")
        assert isinstance(app.screen, CommandPalette)
        await table.press(*"timefr")
        await table.pilot.pause(0.5)
        await table.press("enter")
        await table.until(lambda: table.timeframe == "5m")


async def test_the_palette_names_every_action_with_its_keys(app: BearpitApp) -> None:
    async with opened(app) as table:
        provider = ActionProvider(table.screen)
        found = [hit async for hit in provider.discover()]
        names = [str(hit.prompt) for hit in found if isinstance(hit, DiscoveryHit)]
        for action in actions_on(""):
            if action.id not in ("palette", "leave"):
                assert any(name.startswith(f"{action.label}  (") for name in names), action.id


async def test_the_palette_leads_to_the_themes(app: BearpitApp) -> None:
    async with opened(app) as table:
        await table.press("ctrl+p", *"theme")
        await table.pilot.pause(0.5)
        await table.press("enter")
        await table.pilot.pause(0.2)
        await table.press(*"dracula")
        await table.pilot.pause(0.5)
        await table.press("enter")
        await table.until(lambda: app.theme == "dracula")


async def test_q_quits(app: BearpitApp) -> None:
    async with opened(app) as table:
        await table.press("q")
    assert app.return_code == 0


async def test_announcements_stand_until_dismissed(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        said = Announcement(1, "Lunch is served.", "Lena", NOW)
        gateway.send("status", replace(gateway.status, announcements=(said,)))
        await table.until(lambda: "◆ Lena: Lunch is served." in table.banner("news"))
        await table.press("escape")
        assert table.banner("news") == ""


async def test_a_fill_is_told(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.with_orders()
    async with opened(app) as table:
        gateway.fill(17, 200)
        await table.until(lambda: "Bought 200 ACME at 106.40 (#17)" in table.said)


# The connection -----------------------------------------------------------------------------------------


async def test_a_lost_connection_is_told_and_quotes_are_greyed(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        gateway.set_link(LinkState.LOST)
        await table.until(lambda: "No connection to 127.0.0.1:7117" in table.banner("trouble"))
        assert all(row.stale for row in table.screen.board.watch_list.rows)
        assert table.screen.board.ladder.stale
        gateway.set_link(LinkState.LIVE, 9.0)
        await table.until(lambda: table.screen.state.live)
        assert table.banner("trouble") == ""
        assert not any(row.stale for row in table.screen.board.watch_list.rows)


async def test_a_lost_answer_is_asked_after(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.lose_answer = True
    async with opened(app) as table:
        gateway.set_link(LinkState.LOST)
        await table.type("buy 50 @ 12")
        await table.until(lambda: "do not send it again" in table.said)
        assert gateway.made("order_of_request") == []
        gateway.set_link(LinkState.LIVE)
        await table.until(lambda: "#17 buy 50 AAPL @ 12.00 is working" in table.said)
        assert len(gateway.made("place")) == 1
        assert len(gateway.orders_known) == 1


async def test_failures_of_other_calls_are_told(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.with_orders()
    gateway.fail("cancel", LOST)
    async with opened(app) as table:
        await table.press("4", "x")
        await table.until(lambda: "cannot be reached" in table.said)


async def test_bad_news_stays_and_escape_takes_it_away(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        await table.type("buy")
        notice = table.screen.query_one(MessageLine).notice
        assert notice is not None
        assert notice.tone is Tone.BAD
        await table.press("escape", "escape")
        assert table.said == ""


# Sizes, colours, keys -----------------------------------------------------------------------------------


async def test_panes_follow_the_size_of_the_terminal(app: BearpitApp) -> None:
    async with opened(app, (160, 48)) as table:
        board = table.screen.board
        assert len(board.visible_panes) == 6
        await table.pilot.resize_terminal(80, 24)
        await table.until(lambda: board.visible_panes == {"watch", "chart"})
        await table.pilot.resize_terminal(120, 30)
        await table.until(lambda: board.visible_panes == {"watch", "chart", "orders", "book"})
        await table.pilot.resize_terminal(120, 40)
        await table.until(lambda: len(board.visible_panes) == 6)


@pytest.mark.parametrize("theme", ["textual-light", "nord", "ansi-dark", "ansi-light"])
async def test_any_theme_will_do(app: BearpitApp, theme: str, gateway: FakeGateway) -> None:
    gateway.with_orders()
    async with opened(app) as table:
        app.theme = theme
        await table.press("b", "4", "space")
        await table.pilot.pause()


def test_sixteen_colours_get_a_theme_of_sixteen_colours() -> None:
    assert [usual_theme(system) for system in ("standard", "256", "truecolor", None)] == [
        "ansi-dark",
        "textual-dark",
        "textual-dark",
        "textual-dark",
    ]


async def test_the_theme_is_remembered(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        app.theme = "nord"
        await table.pilot.pause()
    again = BearpitApp(app.start, gateway.connector(), Settings(), STILL)
    async with opened(again):
        assert again.theme == "nord"


async def test_without_colour_everything_is_still_told(
    monkeypatch: pytest.MonkeyPatch, app: BearpitApp
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    plain = BearpitApp(app.start, FakeGateway().with_orders().connector(), Settings(), STILL)
    async with opened(plain) as table:
        assert plain.no_color
        await table.press("4")
        text = "\n".join(strip.text for strip in plain.screen._compositor.render_strips())
        for sign in ("▲BUY", "▼SELL", "● LIVE", "▲1", "+120.00", "−92.20"):
            assert sign in text


async def test_sixteen_colours_without_colour_are_the_terminals_own(
    monkeypatch: pytest.MonkeyPatch, app: BearpitApp
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    plain = BearpitApp(app.start, FakeGateway().connector(), Settings(theme="ansi-dark"), STILL)
    async with opened(plain):
        styles = [piece.style for line in plain.screen._compositor.render_strips() for piece in line]
        colours = [colour for style in styles if style for colour in (style.color, style.bgcolor)]
        assert all(colour is None or colour.is_default for colour in colours)


async def test_remapped_keys_replace_the_usual_ones(gateway: FakeGateway, app: BearpitApp) -> None:
    settings = Settings(keymap=keymap({"buy": ("g",), "quit": ("Q",), "find": ("f",)}))
    remapped = BearpitApp(app.start, gateway.connector(), settings, STILL)
    async with opened(remapped) as table:
        await table.press("b", "q", "slash")
        assert table.pane == "watch"
        await table.press("g")
        assert table.pane == "ticket"
        await table.press("escape", "f")
        assert table.screen.line.input.has_focus


async def test_a_badge_takes_the_place_of_no_other_notice(app: BearpitApp) -> None:
    async with opened(app) as table:
        screen, line = table.screen, table.screen.query_one(MessageLine)
        badge = Notice("Badge: In the pit", Tone.GOOD, aside=True)
        screen._tell_news((Notice("Bought 5 of 10", Tone.GOOD), badge))
        assert line.notice == Notice("Bought 5 of 10 (and 1 more)", Tone.GOOD)
        screen._tell_news((badge,))
        assert line.notice == Notice("Bought 5 of 10 (and 1 more)", Tone.GOOD)
        screen.say(None)
        screen._tell_news((badge,))
        assert line.notice == badge
        screen._tell_news((Notice("Sold 5", Tone.GOOD),))
        assert line.notice == Notice("Sold 5", Tone.GOOD)
