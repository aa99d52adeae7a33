"""One press of `q` leaves, whatever went before."""

from __future__ import annotations

import asyncio

import pytest
from bearpit_tui.app import BearpitApp
from bearpit_tui.drafts import Draft
from bearpit_tui.gateway import Placed
from bearpit_tui.model import LinkState, Preview

from tests.unit.tui.fake_gateway import LOST, FakeGateway, error
from tests.unit.tui.table import opened

LINES = ["buy 50 @ 12", "amend 17 @ 106.30", "cancel 17", "cancel all", "why 17"]


@pytest.mark.parametrize("line", LINES)
async def test_after_a_refused_command_that_was_left(
    app: BearpitApp, gateway: FakeGateway, line: str
) -> None:
    gateway.with_orders()
    for call in ("place", "amend", "cancel", "cancel_all", "explain"):
        gateway.fail(call, error("OFF_TICK"))
    async with opened(app) as table:
        await table.type(line)
        await table.until(lambda: table.screen.line.input.value == line)
        await table.press("escape", "q")
    assert app.return_code == 0


@pytest.mark.parametrize("pane", ["1", "2", "3", "4", "5", "b"])
@pytest.mark.parametrize("size", [(80, 24), (120, 30), (60, 12)])
async def test_after_a_resize(app: BearpitApp, pane: str, size: tuple[int, int]) -> None:
    async with opened(app, (160, 48)) as table:
        await table.press(pane)
        await table.pilot.resize_terminal(*size)
        await table.pilot.pause()
        await table.press("q")
    assert app.return_code == 0


@pytest.mark.parametrize("back", [True, False])
async def test_with_the_connection_lost_and_back(app: BearpitApp, gateway: FakeGateway, back: bool) -> None:
    async with opened(app) as table:
        gateway.set_link(LinkState.LOST)
        await table.until(lambda: "No connection" in table.banner("trouble"))
        if back:
            gateway.set_link(LinkState.LIVE, 9.0)
            await table.until(lambda: table.screen.state.live)
        await table.press("q")
    assert app.return_code == 0


async def test_while_a_preview_is_on_its_way(app: BearpitApp, gateway: FakeGateway) -> None:
    asked = asyncio.Event()

    async def preview(draft: Draft) -> Preview:
        asked.set()
        await asyncio.Event().wait()
        raise LOST

    gateway.preview = preview  # type: ignore[method-assign]
    async with opened(app) as table:
        await table.press("b")
        await table.until(asked.is_set)
        await table.press("q")
    assert app.return_code == 0


async def test_while_a_ticket_is_being_sent(app: BearpitApp, gateway: FakeGateway) -> None:
    async def place(draft: Draft, request_id: str) -> Placed:
        await asyncio.Event().wait()
        raise LOST

    gateway.place = place  # type: ignore[method-assign]
    async with opened(app) as table:
        await table.press("b", "enter")
        assert table.ticket.busy
        await table.press("q")
    assert app.return_code == 0


@pytest.mark.parametrize("before", ["slash", "b", "question_mark", "X"])
async def test_right_after_escape(app: BearpitApp, gateway: FakeGateway, before: str) -> None:
    gateway.with_orders()
    async with opened(app) as table:
        await table.press(before, "alt+q")
    assert app.return_code == 0
