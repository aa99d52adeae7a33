"""The boards: any page of a hundred thousand players, and one's own place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bearpit_tui.app import BearpitApp
from bearpit_tui.camp.ranks import Board
from bearpit_tui.pages import ranks
from bearpit_tui.pages.marks import MarksScreen
from bearpit_tui.pages.rank_panes import value_cell
from bearpit_tui.pages.ranks import FindScreen, RanksPage
from bearpit_tui.settings import Settings

from tests.unit.tui.fake_gateway import LOST, FakeGateway
from tests.unit.tui.fakes.ranks import CHAPTER
from tests.unit.tui.snapshots import SIZES, Screens
from tests.unit.tui.visit import Visit, visiting

SIZED = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def ranks_of(visit: Visit) -> RanksPage:
    assert isinstance(visit.page, RanksPage)
    return visit.page


def positions(visit: Visit) -> range:
    rows = ranks_of(visit).table.rows
    return range(rows[0].position, rows[-1].position + 1) if rows else range(0)


def at(visit: Visit) -> int:
    chosen = ranks_of(visit).table.chosen
    return chosen.position if chosen is not None else 0


@SIZED
async def test_looks(app: BearpitApp, screens: Screens, size: tuple[int, int]) -> None:
    async with visiting(app, "l", size=size) as visit:
        await visit.sees("player-4")
        await visit.press("a")
        await visit.sees("First profit" if size[1] > 24 else "Drawdown")
        screens.check(f"ranks_{size[0]}x{size[1]}", visit.text)


@SIZED
async def test_the_marks_look(app: BearpitApp, screens: Screens, size: tuple[int, int]) -> None:
    async with visiting(app, "l", size=size) as visit:
        await visit.sees("player-4")
        await visit.press("w")
        await visit.until(lambda: isinstance(visit.app.screen, MarksScreen))
        await visit.press("down")
        await visit.sees("Only one pair")
        screens.check(f"marks_{size[0]}x{size[1]}", visit.text)
        await visit.press("escape")
        await visit.until(lambda: visit.app.screen is visit.page)


async def test_any_page_is_asked_for_by_itself(app: BearpitApp, gateway: FakeGateway) -> None:
    async with visiting(app, "l") as visit:
        await visit.sees("player-4")
        lines = ranks_of(visit).table.lines
        await visit.press("end")
        await visit.until(lambda: positions(visit) == range(100_001 - lines, 100_001))
        assert at(visit) == 100_000
        await visit.press("pageup")
        await visit.until(lambda: at(visit) == 100_000 - lines + 1)
        await visit.press("pageup")
        await visit.until(lambda: positions(visit).start == 100_000 - 2 * (lines - 1))
        await visit.press("home")
        await visit.until(lambda: positions(visit) == range(1, lines + 1) and at(visit) == 1)
        asked = [what for what in gateway.made("ranks") if isinstance(what, tuple)]
        assert {size for _, _, size in asked} == {lines}


async def test_the_cursor_goes_beyond_the_lower_edge(app: BearpitApp) -> None:
    async with visiting(app, "l", size=(80, 24)) as visit:
        await visit.sees("player-4")
        lines = ranks_of(visit).table.lines
        for _ in range(lines + 4):
            await visit.press("down")
        await visit.until(lambda: at(visit) == lines + 5)
        await visit.until(lambda: positions(visit) == range(6, lines + 6))


async def test_arrows_and_b_choose_the_board(app: BearpitApp) -> None:
    async with visiting(app, "l") as visit:
        await visit.sees("player-4")
        await visit.press("right")
        await visit.until(lambda: ranks_of(visit).table.board is Board.RETURN)
        await visit.sees("+89.99%")
        await visit.press("b", "b")
        await visit.until(lambda: ranks_of(visit).table.board is Board.DRAWDOWN)
        await visit.press("left", "left", "left", "left")
        await visit.until(lambda: ranks_of(visit).table.board is Board.TEAM)
        await visit.sees("11 players")
        await visit.sees("Average net worth")
        await visit.press("left")
        await visit.sees("nobody is on this board yet")


async def test_a_goes_to_oneself_and_stays_with_it_as_it_rises(
    app: BearpitApp, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "FOLLOW_SECONDS", 0.05)
    async with visiting(app, "l") as visit:
        await visit.sees("player-4")
        await visit.press("a")
        await visit.until(lambda: at(visit) == 50_007)
        await visit.sees("Holdings at their marks")
        gateway.rankings.count(312)
        await visit.until(lambda: at(visit) == 312)
        assert 312 in positions(visit)
        await visit.press("up")
        await visit.until(lambda: at(visit) == 311)
        gateway.rankings.count(90_000)
        await visit.until(lambda: ranks_of(visit).edition == gateway.rankings.edition)
        assert at(visit) == 311


async def test_on_the_teams_board_a_goes_to_ones_team(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.rankings.mine = 50_004
    async with visiting(app, "l", "left") as visit:
        await visit.sees("Kitchen")
        await visit.press("a")
        await visit.until(lambda: at(visit) == 2)


async def test_who_is_not_ranked_is_told_so(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.rankings.mine = 0
    async with visiting(app, "l") as visit:
        await visit.sees("player-4")
        await visit.press("a")
        await visit.until(lambda: visit.said == "You are not on this board yet")


async def test_f_finds_a_player(app: BearpitApp) -> None:
    async with visiting(app, "l") as visit:
        await visit.sees("player-4")
        await visit.press("f")
        await visit.until(lambda: isinstance(visit.app.screen, FindScreen))
        await visit.fill("name", "nobody")
        await visit.press("enter")
        await visit.sees("There is no player nobody.")
        await visit.fill("name", "player-777")
        await visit.press("enter")
        await visit.until(lambda: at(visit) == 777)


async def test_ranks_not_counted_yet_and_a_failure_are_told(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.fail("ranks", LOST)
    gateway.rankings.players = 0
    gateway.rankings.mine = 0
    async with visiting(app, "l") as visit:
        await visit.until(lambda: "cannot be reached" in visit.said)
        await visit.press("right")
        await visit.sees("nobody is on this board yet")


async def test_only_what_changed_is_painted_when_ranks_are_followed(
    app: BearpitApp, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "FOLLOW_SECONDS", 0.02)
    async with visiting(app, "l") as visit:
        await visit.sees("player-4")
        await visit.until(lambda: len(gateway.made("badges of")) == 1)
        await visit.pilot.pause()
        painted: list[object] = []
        table = ranks_of(visit).table
        monkeypatch.setattr(table, "refresh", lambda *regions, **more: painted.append(regions))
        asked = len(gateway.made("ranks"))
        await visit.until(lambda: len(gateway.made("ranks")) > asked + 3)
        assert painted == []


async def test_red_up_is_for_ranks_too(app: BearpitApp) -> None:
    app.use(replace(Settings(), colours="red-up"))
    assert value_cell(Board.DAY, 5)[1] == ("up",)
    async with visiting(app, "l") as visit:
        await visit.sees("▲")


# Days and windows that are over --------------------------------------------------------------------------


@SIZED
async def test_a_day_that_is_over_looks(app: BearpitApp, screens: Screens, size: tuple[int, int]) -> None:
    async with visiting(app, "l", size=size) as visit:
        await visit.sees("player-4")
        await visit.press("e", "e")
        await visit.sees("These are the final ranks of Sunday 01 March 2026 · esc back to now")
        await visit.sees("That day   1")
        lines = ranks_of(visit).table.lines
        await visit.until(lambda: positions(visit) == range(1, lines + 1))
        await visit.sees(f"1 to {lines} of 50")
        screens.check(f"ranks_past_{size[0]}x{size[1]}", visit.text)


async def test_e_goes_back_and_capital_e_forward_to_now(app: BearpitApp) -> None:
    async with visiting(app, "l") as visit:
        await visit.sees("player-4")
        await visit.press("E")
        await visit.until(lambda: visit.said == "These are the ranks of now")
        await visit.press("e")
        await visit.sees("These are the final ranks of the window Chapter 12, Mon 02 Mar 12:30")
        await visit.sees("Dora")
        await visit.press("e")
        await visit.sees("These are the final ranks of Sunday 01 March 2026")
        await visit.press("e")
        await visit.until(lambda: visit.said == "No earlier ranks are kept")
        await visit.press("E")
        await visit.sees("These are the final ranks of the window Chapter 12")
        await visit.press("E")
        await visit.sees("player-4")
        assert "These are" not in visit.text


async def test_escape_leads_back_to_now_and_only_then_off_the_page(app: BearpitApp) -> None:
    async with visiting(app, "l") as visit:
        await visit.sees("player-4")
        await visit.press("e", "e")
        await visit.sees("These are the final ranks of Sunday 01 March 2026")
        await visit.press("escape")
        await visit.sees("player-4")
        assert ranks_of(visit).shown is None
        await visit.press("escape")
        await visit.until(lambda: visit.at_trade)


async def test_what_is_told_of_the_chosen_player_is_of_the_same_time(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    async with visiting(app, "l", "a") as visit:
        await visit.sees("First profit")
        await visit.press("e")
        await visit.until(lambda: at(visit) == 20)
        await visit.sees("+8,859.80")
        assert "First profit" not in visit.text
        assert "Holdings" not in visit.text
        await visit.press("escape")
        await visit.until(lambda: at(visit) == 50_007)
        await visit.sees("First profit")


async def test_the_keys_of_the_board_work_on_what_is_over_too(app: BearpitApp, gateway: FakeGateway) -> None:
    async with visiting(app, "l", "e") as visit:
        await visit.sees("Dora")
        await visit.press("a")
        await visit.until(lambda: at(visit) == 20)
        await visit.press("f")
        await visit.until(lambda: isinstance(visit.app.screen, FindScreen))
        await visit.fill("name", "veteran-50")
        await visit.press("enter")
        await visit.until(lambda: at(visit) == 50)
        await visit.press("f")
        await visit.until(lambda: isinstance(visit.app.screen, FindScreen))
        await visit.fill("name", "player-777")
        await visit.press("enter")
        await visit.until(lambda: visit.said == "player-777 was not on this board then")
        await visit.press("left", "left")
        await visit.sees("nobody was on this board then")
        assert set(gateway.made("standing then")) == {CHAPTER}


async def test_where_fewer_were_ranked_the_cursor_is_on_the_last(app: BearpitApp) -> None:
    async with visiting(app, "l", size=(80, 24)) as visit:
        await visit.sees("player-4")
        await visit.press("end")
        await visit.until(lambda: at(visit) == 100_000)
        await visit.press("e")
        await visit.until(lambda: at(visit) == 50)
        lines = ranks_of(visit).table.lines
        await visit.until(lambda: positions(visit) == range(51 - lines, 51))
        await visit.sees("veteran-50")


async def test_while_nothing_is_over_that_is_told(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.rankings.kept = []
    async with visiting(app, "l") as visit:
        await visit.sees("player-4")
        await visit.press("e")
        await visit.until(lambda: visit.said == "No day and no window is over yet")
        assert ranks_of(visit).period is None


async def test_a_failure_is_told_and_nothing_is_shown_under_a_wrong_title(
    app: BearpitApp, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with visiting(app, "l") as visit:
        await visit.sees("player-4")
        gateway.fail("periods", LOST)
        await visit.press("e")
        await visit.until(lambda: "cannot be reached" in visit.said)
        assert ranks_of(visit).period is None
        monkeypatch.setattr(ranks, "FOLLOW_SECONDS", 0.05)
        gateway.fail("ranks then", *[LOST] * 1_000)
        await visit.press("e")
        await visit.sees("Asking for the final ranks of the window Chapter 12")
        assert "player-4" in visit.text
        gateway.faults["ranks then"].clear()
        await visit.sees("These are the final ranks of the window Chapter 12")
        await visit.sees("Dora")
