"""The trade screen under a person's fingers, with a server in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
from bearpit_tui.actions import actions_on
from bearpit_tui.app import BearpitApp, usual_theme
from bearpit_tui.drafts import Draft, Kind, Side
from bearpit_tui.gateway import Placed
from bearpit_tui.keymap import keymap
from bearpit_tui.model import Announcement, LinkState, OrderStatus, Preview
from bearpit_tui.notices import Notice, Tone
from bearpit_tui.palette import ActionProvider
from bearpit_tui.panels.banner import Banner
from bearpit_tui.panels.command_line import CommandLine
from bearpit_tui.panels.message_line import MessageLine
from bearpit_tui.panels.ticket import Ticket
from bearpit_tui.screens.ask import AskScreen
from bearpit_tui.screens.reading import ReadingScreen
from bearpit_tui.screens.trade import TradeScreen
from bearpit_tui.settings import Settings
from textual.command import CommandPalette, DiscoveryHit
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.unit.tui.conftest import STILL, until
from tests.unit.tui.fake_gateway import LOST, FakeGateway, error
from tests.unit.tui.fakes import NOW


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


async def test_opens_on_the_watch_list_with_the_first_instrument(app: BearpitApp) -> None:
    async with opened(app) as table:
        assert table.pane == "watch"
        assert table.screen.state.selected == "AAPL"
        assert table.screen.state.player == "ada"


# Writing orders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "side", "price"), [("b", 0, "12.41"), ("s", 1, "12.39")])
async def test_b_and_s_write_a_ticket_and_send_nothing(
    app: BearpitApp, gateway: FakeGateway, key: str, side: int, price: str
) -> None:
    async with opened(app) as table:
        await table.press(key)
        await table.until(lambda: gateway.made("preview"))
        assert table.pane == "ticket"
        assert table.screen.query_one("#side").index == side  # type: ignore[attr-defined]
        assert (table.field("quantity").value, table.field("price").value) == ("100", price)
        assert gateway.made("place") == []


async def test_the_ticket_shows_what_the_order_would_do(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        await table.press("b")
        await table.until(lambda: "60 at 12.3950" in table.preview)
        assert "743.70" in table.preview
        assert "40 at 12.41" in table.preview
        assert "8,659.00 free after" in table.preview


async def test_the_ticket_shows_what_it_would_be_refused_for(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.preview_answer = Preview(refusals=("Not enough cash.", "Prices go in steps of 0.05."))
    async with opened(app) as table:
        await table.press("b")
        await table.until(lambda: "✗ Not enough cash.\n✗ Prices go" in table.preview)


async def test_typing_asks_for_one_preview_of_the_last_state(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        await table.press("b")
        await table.press("2", "5", "0")
        await table.until(lambda: gateway.made("preview"))
        assert [draft.quantity for draft in gateway.made("preview")] == [250]  # type: ignore[attr-defined]


async def test_enter_sends_the_ticket_once(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        await table.press("b", "enter", "enter", "enter")
        await table.until(lambda: "working" in table.said)
        assert gateway.placed() == [Draft(Side.BUY, 100, "AAPL", price_cents=12_41)]
        assert table.pane == "watch"
        assert table.field("quantity").value == ""
        await table.until(lambda: table.screen.board.orders.rows)
        assert table.screen.board.orders.rows[0].order_id == "17"


async def test_a_refused_ticket_stays_to_be_mended(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.fail("place", error("INSUFFICIENT_FUNDS", needed_cents="124000", free_cents="80000"))
    async with opened(app) as table:
        await table.press("b", "enter")
        await table.until(lambda: "Not enough cash" in table.said)
        assert table.pane == "ticket"
        assert table.field("quantity").value == "100"
        assert len(gateway.placed()) == 1
        await table.press("enter")
        await table.until(lambda: "working" in table.said)


async def test_an_incomplete_ticket_says_what_is_missing(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        await table.press("b", "backspace", "enter")
        assert "Type how many shares" in table.preview
        assert gateway.made("place") == []


async def test_the_type_decides_which_prices_are_asked_for(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        await table.press("b", "shift+tab", "right")
        assert table.field("price").disabled
        assert table.field("stop").disabled
        await table.press("right")
        assert not table.field("stop").disabled
        table.field("stop").value = "13"
        await table.press("enter")
        await table.until(lambda: gateway.made("place"))
        assert gateway.placed()[0].kind is Kind.STOP


async def test_escape_leaves_the_ticket_without_sending(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app, (80, 24)) as table:
        await table.press("b")
        assert "ticket" in table.screen.board.visible_panes
        await table.press("escape")
        assert table.pane == "watch"
        assert "chart" in table.screen.board.visible_panes
        assert gateway.made("place") == []


async def test_a_price_of_the_book_is_taken_over(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        await table.until(lambda: table.screen.state.book.bids)
        await table.press("3", "up", "up", "enter")
        assert (table.pane, table.field("price").value) == ("ticket", "12.42")
        await table.press("escape", "3", "s")
        assert table.field("price").value == "12.42"
        assert gateway.made("place") == []


# The command line ---------------------------------------------------------------------------------------


async def test_an_order_is_typed(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        await table.type("buy 50 KITE @ 130.00")
        await table.until(lambda: gateway.made("place"))
        assert gateway.placed() == [Draft(Side.BUY, 50, "KITE", price_cents=130_00)]
        await table.until(lambda: "#17 buy 50 KITE @ 130.00 is working" in table.said)


async def test_what_is_not_understood_stays_and_says_what_to_type(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    async with opened(app) as table:
        await table.type("buy 100")
        assert "At what price? Type buy 100 AAPL @ 12.40" in table.said
        table.screen.line.input.value = "buy 100 KITE"
        await table.press("enter")
        assert "At what price? Type buy 100 KITE @ 130.78" in table.said
        table.screen.line.input.value = "buy 100"
        await table.press("enter")
        assert table.screen.line.input.value == "buy 100"
        assert gateway.made("place") == []


async def test_a_refused_line_comes_back(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.fail("place", error("INSUFFICIENT_FUNDS"))
    async with opened(app) as table:
        await table.type("buy 50 @ 12")
        await table.until(lambda: "Not enough free cash" in table.said)
        await table.until(lambda: table.screen.line.input.value == "buy 50 @ 12")
        await table.press("q", "backspace", "backspace", "1", "enter")
        await table.until(lambda: len(gateway.placed()) == 2)
        assert gateway.placed()[1].price_cents == 11_00


@pytest.mark.parametrize("line", ["buy 50 @ 12", "amend 17 @ 106.30", "cancel 17", "cancel all", "why 17"])
async def test_once_a_command_is_done_the_keys_work_again(
    app: BearpitApp, gateway: FakeGateway, line: str
) -> None:
    gateway.with_orders()
    async with opened(app) as table:
        await table.press("4")
        await table.type(line)
        await table.until(lambda: table.pane == "orders")
        assert table.said
        await table.press("q")
    assert app.return_code == 0


@pytest.mark.parametrize("line", ["cancel 99", "amend 17 @ 106.30", "why 17"])
async def test_a_refused_command_stays_to_be_mended(app: BearpitApp, gateway: FakeGateway, line: str) -> None:
    gateway.with_orders()
    gateway.fail("amend", error("OFF_TICK", tick_cents="5"))
    gateway.fail("explain", LOST)
    async with opened(app) as table:
        await table.type(line)
        await table.until(lambda: table.screen.line.input.value == line)
        assert table.screen.line.input.has_focus
        notice = table.screen.query_one(MessageLine).notice
        assert notice is not None
        assert notice.tone is Tone.BAD


async def test_enter_pressed_twice_sends_a_line_once(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        await table.press("slash", *"buy", "space", *"50", "space", *"at", "space", *"12", "enter", "enter")
        await table.until(lambda: "working" in table.said)
        assert len(gateway.placed()) == 1


async def test_who_types_the_next_line_meanwhile_is_not_disturbed(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    answers = asyncio.Event()
    place = gateway.place

    async def place_slowly(draft: Draft, request_id: str) -> Placed:
        await answers.wait()
        return await place(draft, request_id)

    gateway.place = place_slowly  # type: ignore[method-assign]
    async with opened(app) as table:
        await table.type("buy 50 @ 12")
        await table.press(*"sell")
        answers.set()
        await table.until(lambda: "working" in table.said)
        await table.press("space", "5")
        assert table.screen.line.input.value == "sell 5"


async def test_a_symbol_alone_is_shown(app: BearpitApp) -> None:
    async with opened(app) as table:
        await table.type("kite")
        assert table.screen.state.selected == "KITE"
        assert table.pane == "watch"
        assert table.screen.board.watch_list.key == "KITE"


async def test_slash_finds_an_instrument_by_a_part_of_its_name(app: BearpitApp) -> None:
    async with opened(app) as table:
        await table.press("slash", "r", "o", "b", "o")
        await table.until(lambda: table.screen.query_one("#completions").display)
        await table.press("enter")
        assert table.screen.state.selected == "ACME"


async def test_tab_completes_the_last_word(app: BearpitApp) -> None:
    async with opened(app) as table:
        await table.press("slash", *"buy", "space", "5", "space", *"ki")
        await table.press("tab")
        assert table.screen.line.input.value == "buy 5 KITE"


async def test_up_brings_back_what_was_typed(app: BearpitApp) -> None:
    async with opened(app) as table:
        await table.type("why 99")
        await table.type("buy 1 @ 1")
        await table.until(lambda: table.pane == "watch")
        await table.press("slash", "up", "up")
        assert table.screen.line.input.value == "why 99"
        await table.press("down", "down")
        assert table.screen.line.input.value == ""


async def test_the_example_in_the_empty_line_follows_the_choice_but_not_every_trade(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    async with opened(app) as table:
        example = table.screen.line.input
        for cents, shown in ((12_40, "12.40"), (12_45, "12.40"), (12_60, "12.60")):
            gateway.move("AAPL", cents)
            await table.until(partial(table.shows_price, "AAPL", cents))
            assert example.placeholder.startswith(f"buy 100 AAPL @ {shown}")
        await table.press("down")
        assert example.placeholder.startswith("buy 100 ACME @ 106.48")


async def test_amends_and_explains(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.with_orders()
    async with opened(app) as table:
        await table.type("amend 17 @ 106.30")
        await table.until(lambda: "106.30" in table.said)
        await table.type("why 17")
        await table.until(lambda: "2 orders for 300 shares go first" in table.said)


# Cancelling ---------------------------------------------------------------------------------------------


async def test_x_cancels_the_chosen_order(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.with_orders()
    async with opened(app) as table:
        await table.press("4", "down", "x")
        await table.until(lambda: gateway.made("cancel") == [18])
        await table.until(lambda: "Cancelled #18 sell 150 ACME @ 106.55 after 40 traded" in table.said)


async def test_x_shows_the_orders_first_where_they_cannot_be_seen(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    gateway.with_orders()
    async with opened(app, (80, 24)) as table:
        await table.press("x")
        assert (table.pane, gateway.made("cancel")) == ("orders", [])
        await table.press("x")
        await table.until(lambda: gateway.made("cancel") == [20])


async def test_x_on_an_ended_order_or_none_says_so(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        await table.press("x")
        assert "no order to cancel" in table.said
        gateway.with_orders()
        await table.type("cancel 99")
        await table.until(lambda: "You have no order 99." in table.said)


async def test_capital_x_asks_before_it_cancels_all(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.with_orders()
    async with opened(app) as table:
        await table.until(lambda: len(table.screen.state.orders) == 5)
        await table.press("X")
        assert isinstance(app.screen, AskScreen)
        assert app.screen.question == "Cancel all 3 open orders?"
        await table.press("enter")
        await table.press("X", "n")
        assert gateway.made("cancel_all") == []
        await table.press("X", "y")
        await table.until(lambda: gateway.made("cancel_all") == [""])
        await table.until(lambda: "Cancelled 3 orders" in table.said)


@pytest.mark.parametrize("by", ["line", "ticket"])
async def test_x_takes_back_what_was_just_placed(app: BearpitApp, gateway: FakeGateway, by: str) -> None:
    gateway.with_orders()
    async with opened(app) as table:
        await table.press("4", "down", "1")
        if by == "line":
            await table.type("buy 50 @ 12")
        else:
            await table.press("b", "enter")
        await table.until(lambda: gateway.placed() and table.pane == "watch")
        await table.press("4", "x")
        await table.until(lambda: gateway.made("cancel") == [22])


async def test_one_open_order_is_asked_about_as_one(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        await table.type("buy 50 @ 12")
        await table.until(lambda: table.pane == "watch")
        await table.press("X")
        assert isinstance(app.screen, AskScreen)
        assert "cancel it" in app.screen.answers


async def test_completions_leave_a_message_to_be_read(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.with_orders()
    async with opened(app) as table:
        await table.type("buy 50 @ 12")
        await table.until(lambda: table.pane == "watch" and table.said)
        await table.press("slash", *"amend", "space", "2")
        completions = table.screen.query_one("#completions")
        await table.until(lambda: completions.display and completions.region.height)
        assert completions.region.bottom <= table.screen.query_one(MessageLine).region.y


async def test_the_chosen_order_stays_chosen_when_others_come_and_go(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    gateway.with_orders()
    async with opened(app) as table:
        await table.press("4", "down")
        assert table.screen.board.orders.key == "18"
        await gateway.cancel(20, "")
        await table.until(lambda: table.screen.state.orders[20].status is OrderStatus.CANCELLED)
        assert table.screen.board.orders.key == "18"


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
