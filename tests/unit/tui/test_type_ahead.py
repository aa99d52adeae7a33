"""Keys that come all at once, as from a slow line: each does what it would have done by itself."""

from __future__ import annotations

import pytest
from bearpit_tui.app import BearpitApp
from bearpit_tui.pages.wallet import WalletPage
from bearpit_tui.screens.trade import TradeScreen
from bearpit_tui.type_ahead import LOST_SECONDS, TypeAhead
from textual import events
from textual.keys import _character_to_key

from tests.unit.tui.fake_gateway import FakeGateway
from tests.unit.tui.table import Table, opened


def at_once(table: Table, *keys: str) -> None:
    """All in one read of the terminal; a text of several characters is typed."""
    for key in keys:
        for name in key if " " in key else [key]:
            character = name if len(name) == 1 else None
            event = events.Key(_character_to_key(name) if character else name, character)
            event.set_sender(table.app)
            table.app.post_message(event)


async def test_a_line_that_comes_at_once_is_one_order_of_what_it_says(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    async with opened(app) as table:
        at_once(table, "/", "buy 10 ACME @ 12", "enter")
        await table.until(gateway.placed)
        [draft] = gateway.placed()
        assert (draft.symbol, draft.quantity, draft.price_cents) == ("ACME", 10, 1_200)
        await table.until(lambda: table.pane == "watch")


async def test_a_ticket_is_filled_in_and_left_in_one_go(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        at_once(table, "b", "7", "escape", "/", "why 17", "enter")
        await table.until(lambda: gateway.made("explain"))
        assert gateway.placed() == []


async def test_keys_go_to_the_page_that_the_first_of_them_opens(app: BearpitApp) -> None:
    async with opened(app) as table:
        at_once(table, "m", "escape", "m")
        await table.until(lambda: isinstance(app.screen, WalletPage))
        at_once(table, "escape", "t")
        await table.until(lambda: isinstance(app.screen, TradeScreen) and table.timeframe == "5m")


async def test_what_is_pasted_behind_a_slash_is_in_the_line(app: BearpitApp, gateway: FakeGateway) -> None:
    async with opened(app) as table:
        at_once(table, "/")
        pasted = events.Paste("buy 10 ACME @ 12")
        pasted.set_sender(app)
        app.post_message(pasted)
        at_once(table, "enter")
        await table.until(gateway.placed)


async def test_a_key_whose_widget_has_gone_holds_up_no_other(
    app: BearpitApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(app) as table:
        with monkeypatch.context() as patched:
            patched.setattr(TypeAhead, "on_key_handled", lambda app, message: None)
            at_once(table, "t")
            await table.until(lambda: table.timeframe == "5m")
        at_once(table, "t")
        await table.pilot.pause(LOST_SECONDS / 2)
        assert table.timeframe == "5m"
        await table.until(lambda: table.timeframe != "5m")
