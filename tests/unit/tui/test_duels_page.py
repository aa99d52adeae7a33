"""Duels under a person's fingers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bearpit_tui.app import BearpitApp
from bearpit_tui.duels import Duel, Duels, Ending, Stage, news, told
from bearpit_tui.gateway import WalletFrame
from bearpit_tui.pages.duel_forms import ChallengeScreen, HouseScreen, MoveScreen
from bearpit_tui.pages.duels import DuelsPage
from bearpit_tui.screens.ask import AskScreen

from tests.unit.tui.fake_gateway import LOST, FakeGateway, error
from tests.unit.tui.snapshots import SIZES, Screens
from tests.unit.tui.visit import Visit, visiting

SIZED = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def duels_of(visit: Visit) -> DuelsPage:
    assert isinstance(visit.page, DuelsPage)
    return visit.page


def showing(visit: Visit, screen: type) -> bool:
    return isinstance(visit.app.screen, screen)


@SIZED
async def test_looks(app: BearpitApp, gateway: FakeGateway, screens: Screens, size: tuple[int, int]) -> None:
    gateway.duels.with_some()
    async with visiting(app, "d", size=size) as visit:
        await visit.sees("1 waits for you")
        await visit.until(lambda: len(duels_of(visit).finished.rows) == 3 and duels_of(visit).terms)
        await visit.pilot.pause()
        screens.check(f"duels_{size[0]}x{size[1]}", visit.text)
        await visit.press("tab")
        await visit.sees("verified by this machine")
        screens.check(f"duels_over_{size[0]}x{size[1]}", visit.text)


@SIZED
async def test_the_move_looks(
    app: BearpitApp, gateway: FakeGateway, screens: Screens, size: tuple[int, int]
) -> None:
    gateway.duels.with_some()
    async with visiting(app, "d", size=size) as visit:
        await visit.sees("1 waits for you")
        await visit.until(lambda: len(duels_of(visit).finished.rows) == 3 and duels_of(visit).terms)
        await visit.press("enter")
        await visit.sees("left to choose")
        screens.check(f"duel_move_{size[0]}x{size[1]}", visit.text)


async def challenge(visit: Visit, amount: str, opponent: str) -> None:
    await visit.press("t")
    await visit.until(lambda: showing(visit, ChallengeScreen))
    await visit.fill("amount", amount)
    await visit.fill("opponent", opponent)
    await visit.sees("stay free")
    await visit.press("enter", "enter")
    await visit.until(lambda: showing(visit, MoveScreen))


async def test_a_challenge_is_accepted_and_won_wherever_one_is(app: BearpitApp, gateway: FakeGateway) -> None:
    async with visiting(app, "d") as visit:
        await visit.until(lambda: duels_of(visit).terms)
        await challenge(visit, "20", "Clara")
        await visit.press("r")
        await visit.until(lambda: gateway.made("challenge") == [("Clara", 20_00, "rock", "request-1")])
        await visit.sees("waits to be accepted")
        await visit.press("escape", "escape")
        await visit.until(lambda: visit.at_trade)
        gateway.duels.accept_by(1, "Clara", "scissors")
        await visit.sees("You won +19.00: your rock beats Clara's scissors · verified")


async def test_a_challenge_whose_answer_is_lost_is_made_once(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.duels.lose_answer = True
    async with visiting(app, "d") as visit:
        await visit.until(lambda: duels_of(visit).terms)
        await challenge(visit, "20", "")
        await visit.press("2")
        await visit.sees("Challenged whoever accepts for 20.00")
        assert gateway.made("challenge") == [("", 20_00, "paper", "request-1")] * 2
        assert len(gateway.duels.kept) == 1


async def test_a_challenge_is_told_the_terms_as_they_are_now(app: BearpitApp, gateway: FakeGateway) -> None:
    async with visiting(app, "d") as visit:
        await visit.until(lambda: duels_of(visit).terms)
        gateway.duels.plays_on = True  # an operator changes it while the page is open
        await visit.press("t")
        await visit.until(lambda: showing(visit, ChallengeScreen))
        await visit.fill("amount", "20")
        await visit.sees("played again")


async def test_a_challenge_is_refused_in_words(app: BearpitApp) -> None:
    async with visiting(app, "d") as visit:
        await visit.until(lambda: duels_of(visit).terms)
        await visit.press("t")
        await visit.fill("amount", "0.10")
        await visit.sees("A stake is from 1.00 to 100.00 points.")
        await visit.fill("amount", "20")
        await visit.fill("opponent", "nobody")
        await visit.sees("There is no player nobody.")
        await visit.press("escape")
        await visit.until(lambda: visit.app.screen is visit.page)


async def test_a_challenge_comes_is_told_accepted_and_played_on_after_a_draw(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    async with visiting(app) as visit:
        await visit.until(lambda: gateway.made("stream duels"))
        await visit.pilot.pause()
        gateway.duels.offer("Clara", 20_00, "ada")
        await visit.sees("Clara challenges you to a duel for 20.00")
        await visit.press("d")
        await visit.sees("accept it, or decline")
        await visit.press("a", "p")
        await visit.until(lambda: gateway.made("accept") == [(1, "paper")])
        gateway.duels.answer(1, "paper")
        await visit.until(lambda: showing(visit, MoveScreen))
        await visit.sees("Both played paper: a draw.")
        await visit.press("s")
        await visit.until(lambda: gateway.made("commit") == [(1, 2, "scissors")])
        gateway.duels.answer(1, "rock")
        await visit.sees("You lost, −20.00: Clara's rock beats your scissors · verified")
        await visit.sees("✓ verified by this machine")


async def test_a_move_put_off_is_asked_for_by_a_key_and_not_again_by_itself(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    gateway.duels.offer("Clara", 20_00, "ada")
    async with visiting(app, "d") as visit:
        await visit.sees("accept it, or decline")
        await visit.press("enter", "p")
        await visit.until(lambda: gateway.made("accept"))
        gateway.duels.answer(1, "paper")
        await visit.until(lambda: showing(visit, MoveScreen))
        await visit.press("escape")
        await visit.until(lambda: visit.app.screen is visit.page)
        await visit.sees("round 2: your move")
        await visit.press("a")
        await visit.until(lambda: showing(visit, MoveScreen))


async def test_against_the_house(app: BearpitApp, gateway: FakeGateway) -> None:
    async with visiting(app, "d") as visit:
        await visit.until(lambda: duels_of(visit).terms)
        await visit.press("h")
        await visit.until(lambda: showing(visit, HouseScreen))
        await visit.fill("amount", "10")
        await visit.sees("is bound before you move")
        await visit.press("enter")
        await visit.until(lambda: showing(visit, MoveScreen))
        await visit.sees("3f3f3f")
        await visit.press("s")
        await visit.until(lambda: gateway.made("play house") == [(1, 1, "scissors")])
        await visit.sees("You won +9.50: your scissors beats the house's paper · verified")


@pytest.mark.parametrize(
    ("challenger", "to", "call"), [("Clara", "ada", "decline"), ("ada", "Clara", "cancel duel")]
)
async def test_x_declines_or_takes_back_after_asking(
    app: BearpitApp, gateway: FakeGateway, challenger: str, to: str, call: str
) -> None:
    gateway.duels.offer(challenger, 20_00, to)
    async with visiting(app, "d") as visit:
        await visit.until(lambda: duels_of(visit).open.rows)
        await visit.press("x")
        await visit.until(lambda: showing(visit, AskScreen))
        await visit.press("y")
        await visit.until(lambda: gateway.made(call) == [1])
        await visit.until(lambda: not duels_of(visit).open.rows)


async def test_somebody_was_faster(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.duels.offer("Clara", 20_00)
    gateway.fail("accept", error("DUEL_TAKEN"))
    async with visiting(app, "d") as visit:
        await visit.sees("open to anybody")
        await visit.press("a", "r")
        await visit.until(lambda: "The server says DUEL_TAKEN" in visit.said)


async def test_an_answer_that_is_lost_is_asked_for_again(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.duels.offer("Clara", 20_00)
    gateway.fail("accept", LOST)
    async with visiting(app, "d") as visit:
        await visit.sees("open to anybody")
        await visit.press("a", "r")
        await visit.until(lambda: gateway.made("accept") == [(1, "rock")] * 2)


async def test_everybodys_are_shown_by_a_key(app: BearpitApp, gateway: FakeGateway) -> None:
    async with visiting(app, "d") as visit:
        await visit.sees("Over: yours")
        await visit.press("f")
        await visit.sees("Over: everybody's")
        await visit.sees("bob → Clara")
        assert gateway.made("finished") == ["ada", ""]


async def test_a_duel_that_went_wrong_is_told_loudly(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.duels.with_some()
    async with visiting(app, "d") as visit:
        await visit.until(lambda: len(duels_of(visit).finished.rows) == 3)
        gateway.duels.cheat(1)
        await visit.sees("1 WENT WRONG: tell the operators")
        await visit.press("tab")
        await visit.sees("IT DID NOT GO AS IT MUST")
        await visit.sees("rock is not what")


async def test_in_debt_it_says_why_not(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.wallet = replace(gateway.wallet, debt_cents=250_00)
    gateway.duels.offer("Clara", 20_00)
    async with visiting(app, "d") as visit:
        await visit.sees("You owe the house 250.00: no duels until it is repaid.")
        for key in ("t", "h", "a"):
            await visit.press(key)
            await visit.until(lambda: "You owe the house" in visit.said)
            assert visit.app.screen is visit.page
            await visit.press("escape")
        gateway.send("wallet", WalletFrame(replace(gateway.wallet, debt_cents=0), whole=True))
        await visit.until(lambda: "You owe" not in visit.text)


async def test_the_frozen_see_why_and_are_offered_nothing(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.who = replace(gateway.who, frozen=True)
    async with visiting(app, "d") as visit:
        await visit.sees("You can only look at the moment, and not duel.")
        assert "Challenge" not in visit.text
        await visit.press("t")
        assert visit.app.screen is visit.page


# What is told --------------------------------------------------------------------------------------------

PLAYED = Duel(7, "ada", "Clara", 20_00, Stage.OVER, Ending.WON, "ada", 39_00, findings=((True, "right"),))


@pytest.mark.parametrize("ending", [one for one in Ending if one is not Ending.NONE])
@pytest.mark.parametrize("me", ["ada", "Clara"])
@pytest.mark.parametrize("winner", ["ada", "Clara"])
def test_every_ending_has_words(ending: Ending, me: str, winner: str) -> None:
    assert told(replace(PLAYED, ending=ending, winner=winner), me)


def test_what_has_ended_is_told_once_and_not_at_the_beginning() -> None:
    going = Duels(mine=(replace(PLAYED, stage=Stage.REVEALING),), loaded=True)
    over = Duels(mine=(PLAYED,), loaded=True)
    assert len(list(news(going, over, "ada"))) == 1
    assert list(news(over, over, "ada")) == []
    assert list(news(Duels(), over, "ada")) == []


def test_what_went_wrong_is_told_as_bad() -> None:
    wrong = replace(PLAYED, findings=((False, "not what was committed to"),))
    going = Duels(mine=(replace(PLAYED, stage=Stage.REVEALING),), loaded=True)
    ((words, how),) = news(going, Duels(mine=(wrong,), loaded=True), "ada")
    assert how == "bad"
    assert "VERIFICATION FAILED" in words


def test_a_move_that_is_on_another_machine_is_told() -> None:
    revealing = replace(PLAYED, stage=Stage.REVEALING, elsewhere=True)
    ((words, how),) = news(Duels(loaded=True), Duels(mine=(revealing,), loaded=True), "ada")
    assert how == "bad"
    assert "another machine" in words
