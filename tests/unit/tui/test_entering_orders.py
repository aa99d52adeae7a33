"""Writing, sending and cancelling orders on the trade screen, with a server in memory."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from bearpit_tui.app import BearpitApp
from bearpit_tui.drafts import Draft, Kind, Side
from bearpit_tui.gateway import Placed
from bearpit_tui.model import OrderStatus, Preview
from bearpit_tui.notices import Tone
from bearpit_tui.panels.message_line import MessageLine
from bearpit_tui.screens.ask import AskScreen

from tests.unit.tui.fake_gateway import LOST, FakeGateway, error
from tests.unit.tui.table import opened

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


async def test_a_line_that_was_entered_has_no_completions_over_what_is_said_of_it(app: BearpitApp) -> None:
    async with opened(app) as table:
        await table.press("slash", *"buy", "space", *"10", "space", "A", "C")
        completions = table.screen.query_one("#completions")
        await table.until(lambda: completions.display)
        await table.press("enter")
        await table.until(lambda: table.said and not completions.display)
        await table.press("M")
        await table.until(lambda: completions.display)


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
