"""The wallet under a person's fingers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bearpit_tui.app import BearpitApp
from bearpit_tui.camp.wallet import REASONS, Kind, Posting, Standing
from bearpit_tui.gateway import WalletFrame
from bearpit_tui.pages.wallet import WalletPage

from tests.unit.tui.fake_gateway import LOST, FakeGateway
from tests.unit.tui.fakes import NOW
from tests.unit.tui.snapshots import SIZES, Screens
from tests.unit.tui.visit import Visit, visiting


def wallet_of(visit: Visit) -> WalletPage:
    assert isinstance(visit.page, WalletPage)
    return visit.page


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks(app: BearpitApp, gateway: FakeGateway, screens: Screens, size: tuple[int, int]) -> None:
    gateway.wallet = replace(gateway.wallet, debt_cents=250_00)
    gateway.purse.now = Standing(500_00, 100_00, 2_500, NOW)
    async with visiting(app, "m", size=size) as visit:
        await visit.sees("code redeemed")
        screens.check(f"wallet_{size[0]}x{size[1]}", visit.text)


async def test_m_opens_it_and_escape_q_and_m_lead_back(app: BearpitApp) -> None:
    async with visiting(app) as visit:
        for key in ("escape", "q", "m"):
            await visit.press("m")
            await visit.sees("code redeemed")
            await visit.press(key)
            await visit.until(lambda: visit.at_trade)


async def test_more_is_loaded_as_the_cursor_goes_down(app: BearpitApp) -> None:
    async with visiting(app, "m") as visit:
        await visit.until(lambda: len(wallet_of(visit).history.rows) >= 30)
        for _ in range(4):
            await visit.press("end")
            await visit.pilot.pause()
        await visit.until(lambda: len(wallet_of(visit).history.rows) == 90)
        assert "90" in str(wallet_of(visit).history.border_subtitle)


async def test_f_and_a_filter_by_kind_and_by_asset(app: BearpitApp, gateway: FakeGateway) -> None:
    async with visiting(app, "m") as visit:
        await visit.sees("code redeemed")
        history = wallet_of(visit).history
        await visit.press("f")
        await visit.sees("History: trades")
        assert {row.kind for row in history.rows} == {Kind.TRADES}
        await visit.press("a")
        await visit.sees("History: trades, cash")
        await visit.until(lambda: history.rows and all(not row.symbol for row in history.rows))
        assert ("cash", "") in gateway.made("postings")


async def test_a_kind_that_is_rare_is_looked_for_on_later_pages(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    old = Posting(0, "", -5_00, 1_00, "arcade_take", "play:1", "", NOW)
    gateway.purse.history = [
        *(one for one in gateway.purse.history if one.kind is not Kind.GAMES),
        old,
    ]
    async with visiting(app, "m") as visit:
        await visit.sees("code redeemed")
        page = wallet_of(visit)
        page.kind = Kind.REWARDS
        await visit.press("f")
        await visit.until(lambda: [row.words for row in page.history.rows] == ["played at a machine"])


async def test_a_new_posting_comes_by_itself_and_what_was_loaded_stays(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    async with visiting(app, "m") as visit:
        await visit.sees("code redeemed")
        page = wallet_of(visit)
        await visit.press("end")
        await visit.until(lambda: len(page.history.rows) > 40)
        known = len(page.history.rows)
        gateway.purse.history.insert(0, Posting(91, "", 5_00, 5_00, "referral", "", "Clara", NOW))
        gateway.send("wallet", WalletFrame(replace(gateway.wallet, cash_cents=10_005_00), whole=True))
        await visit.until(lambda: page.history.rows[0].words == "brought a player along")
        assert len(page.history.rows) == known + 1


async def test_a_failure_is_told_and_the_sums_stay(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.fail("standing", LOST)
    async with visiting(app, "m") as visit:
        await visit.until(lambda: "cannot be reached" in visit.said)
        assert "Net worth" in visit.text


def test_every_reason_has_words() -> None:
    for reason in REASONS:
        for amount in (1, -1):
            assert Posting(1, "", amount, 0, reason).words
    assert Posting(1, "", 1, 0, "trade").words == "sold"
    assert Posting(1, "AAPL", 1, 0, "trade").words == "bought"
    assert Posting(1, "", 1, 0, "some_new_thing").words == "some new thing"
