"""The wallet under a person's fingers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bearpit_tui.app import BearpitApp
from bearpit_tui.camp.wallet import REASONS, Gift, Kind, Posting, Standing
from bearpit_tui.gateway import WalletFrame
from bearpit_tui.pages.page import Page
from bearpit_tui.pages.redeem import RedeemScreen
from bearpit_tui.pages.transfer import TransferScreen
from bearpit_tui.pages.wallet import WalletPage
from textual.widgets import Input

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


# Giving -------------------------------------------------------------------------------------------------


async def write_transfer(visit: Visit, to: str = "bob", amount: str = "25", note: str = "pizza") -> None:
    await visit.press("t")
    await visit.until(lambda: isinstance(visit.app.screen, TransferScreen))
    for field, text in (("to", to), ("amount", amount), ("note", note)):
        await visit.fill(field, text)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_transfer_looks(app: BearpitApp, screens: Screens, size: tuple[int, int]) -> None:
    async with visiting(app, "m", size=size) as visit:
        await visit.sees("code redeemed")
        await write_transfer(visit)
        await visit.sees("Free after it")
        screens.check(f"transfer_{size[0]}x{size[1]}", visit.text)
        visit.app.screen.query_one("#note", Input).focus()
        await visit.press("enter")
        await visit.sees("Give 25.00 to bob?")
        screens.check(f"transfer_asked_{size[0]}x{size[1]}", visit.text)


async def test_a_transfer_tells_its_cost_and_is_made_only_after_y(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    async with visiting(app, "m") as visit:
        await visit.sees("code redeemed")
        await write_transfer(visit)
        await visit.sees("25.25")
        assert "9,874.75" in visit.text
        visit.app.screen.query_one("#note", Input).focus()
        await visit.press("enter")
        await visit.sees("Give 25.00 to bob?")
        await visit.press("enter")  # pressed twice: no is what enter says there
        await visit.until(lambda: isinstance(visit.app.screen, TransferScreen))
        assert gateway.made("give") == []
        await visit.press("enter")
        await visit.sees("Give 25.00 to bob?")
        await visit.press("y")
        await visit.until(lambda: visit.said == "Gave 25.00 to bob")
        assert gateway.made("give") == [(Gift("bob", 25_00, "pizza"), "request-1")]


async def test_a_lost_answer_is_asked_for_with_the_same_id_and_nothing_is_given_twice(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    gateway.purse.lose_answer = True
    async with visiting(app, "m") as visit:
        await visit.sees("code redeemed")
        await write_transfer(visit)
        visit.app.screen.query_one("#note", Input).focus()
        await visit.press("enter")
        await visit.sees("Give 25.00 to bob?")
        await visit.press("y")
        await visit.until(lambda: visit.said == "Gave 25.00 to bob")
        assert len(gateway.made("give")) == 2
        assert len(gateway.purse.given) == 1


@pytest.mark.parametrize(
    ("to", "amount", "words"),
    [
        ("ada", "5", "That is you"),
        ("nobody", "5", "no player nobody"),
        ("bob", "1000000", "Not enough cash"),
        ("bob", "much", "Type points such as 25"),
    ],
)
async def test_what_cannot_be_given_is_told_before_anything_is_sent(
    app: BearpitApp, gateway: FakeGateway, to: str, amount: str, words: str
) -> None:
    async with visiting(app, "m") as visit:
        await visit.sees("code redeemed")
        await write_transfer(visit, to, amount)
        await visit.sees(words)
        visit.app.screen.query_one("#note", Input).focus()
        await visit.press("enter")
        await visit.pilot.pause()
        assert isinstance(visit.app.screen, TransferScreen)
        await visit.press("escape")
        await visit.until(lambda: isinstance(visit.app.screen, WalletPage))
        assert gateway.made("give") == []


async def test_names_are_completed(app: BearpitApp, gateway: FakeGateway) -> None:
    async with visiting(app, "m") as visit:
        await visit.sees("code redeemed")
        await visit.press("t")
        await visit.until(lambda: visit.app.screen.query_one("#to", Input).suggester is not None)
        await visit.press("c", "l")
        await visit.sees("clara")
        await visit.press("right")
        assert visit.app.screen.query_one("#to", Input).value == "Clara"


# Codes and loans ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("BEAR", "50.00 points are yours (opening party)"),
        ("https://bear.example/FEES", "Trading fees are 50.00% lower until Tue 14:31"),
        ("GIFT", "3 KITE are yours (prize)"),
        ("CLARA", "Clara brought you along; after your first trade 20.00 points are yours"),
    ],
)
async def test_a_code_tells_what_it_brought(
    app: BearpitApp, gateway: FakeGateway, code: str, words: str
) -> None:
    gateway.codes.lose_answer = True
    async with visiting(app, "m") as visit:
        await visit.sees("code redeemed")
        await visit.press("r")
        await visit.until(lambda: isinstance(visit.app.screen, RedeemScreen))
        await visit.fill("code", code)
        await visit.press("enter")
        await visit.until(lambda: visit.said == words)
        assert len(set(gateway.made("redeem"))) == 1


async def test_a_wrong_code_is_told_and_can_be_mended(
    app: BearpitApp, gateway: FakeGateway, screens: Screens
) -> None:
    async with visiting(app, "m", "r") as visit:
        await visit.until(lambda: isinstance(visit.app.screen, RedeemScreen))
        await visit.fill("code", "WRONG")
        await visit.press("enter")
        await visit.sees("There is no such code.")
        await visit.fill("code", "BEAR")
        await visit.press("enter")
        await visit.until(lambda: "50.00 points" in visit.said)


async def test_a_loan_is_taken_after_asking_where_it_is_offered(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    async with visiting(app, "m") as visit:
        await visit.sees("code redeemed")
        await visit.press("L")
        await visit.until(lambda: "No loan is offered" in visit.said)
        gateway.purse.now = Standing(comeback_cents=100_00)
        visit.page.reload()
        await visit.sees("Loan to begin again")
        await visit.press("L")
        await visit.sees("Borrow 100.00 to begin again?")
        await visit.press("y")
        await visit.until(lambda: visit.said == "Borrowed 100.00; 1 more such loans")
        assert gateway.made("borrow") == ["request-1"]


async def test_who_may_only_look_is_offered_nothing_to_do(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.who = replace(gateway.who, permissions=frozenset({"LOOK"}))
    async with visiting(app) as visit:
        await visit.until(lambda: "Buy" not in visit.text)
        await visit.press("b")
        await visit.press("m")
        await visit.sees("code redeemed")
        assert "Transfer" not in visit.text
        await visit.press("t")
        await visit.pilot.pause()
        assert isinstance(visit.app.screen, WalletPage)
        assert "Transfer" not in [name.split("  ")[0] for name, _, _ in visit.page.offered()]


def test_every_reason_has_words() -> None:
    for reason in REASONS:
        for amount in (1, -1):
            assert Posting(1, "", amount, 0, reason).words
    assert Posting(1, "", 1, 0, "trade").words == "sold"
    assert Posting(1, "AAPL", 1, 0, "trade").words == "bought"
    assert Posting(1, "", 1, 0, "some_new_thing").words == "some new thing"


@pytest.mark.parametrize("key", ["m", "i", "p", "comma"])
@pytest.mark.parametrize("size", [(18, 4), (40, 12), (300, 90)])
async def test_every_page_stands_any_size(app: BearpitApp, key: str, size: tuple[int, int]) -> None:
    async with visiting(app, key, size=size) as visit:
        await visit.until(lambda: isinstance(app.screen, Page))
        await visit.press("down", "end", "home")
        await visit.press("escape")
        await visit.until(lambda: visit.at_trade)


async def test_a_page_is_opened_by_its_name_too(app: BearpitApp) -> None:
    async with visiting(app, "slash", *"wallet", "enter") as visit:
        await visit.until(lambda: isinstance(app.screen, WalletPage))
