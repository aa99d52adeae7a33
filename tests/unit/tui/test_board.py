"""The board on the wall: what it shows, how it changes, and that it only looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, timedelta

import grpc
import pytest
from bearpit.client import BearpitError
from bearpit_tui import sessions
from bearpit_tui.board import command
from bearpit_tui.board.app import BoardApp, Watch
from bearpit_tui.board.model import Board, Place, Print, Sheet, Wall
from bearpit_tui.board.source import watch
from bearpit_tui.model import Announcement, Headline, Link, LinkState, Phase, Priority, Quote, Status
from bearpit_tui.windows import Window, Windows, WindowState
from textual.pilot import Pilot

from tests.unit.tui.fake_gateway import FakeGateway
from tests.unit.tui.fakes import NOW
from tests.unit.tui.snapshots import Screens, text_of

SIZES = [(80, 24), (120, 40), (160, 48), (200, 60)]


def quote(symbol: str, last: int, close: int, volume: int = 0) -> Quote:
    return Quote(symbol, last - 5, 100, last + 5, 100, last, volume, close, Phase.OPEN)


def places(count: int, **more: int) -> tuple[Place, ...]:
    teams = ("Badgers", "Foxes", "")
    return tuple(
        Place(rank, f"player-{rank}", teams[rank % 3], 5_000_000 - rank * 31_337, risen=(rank % 5) - 2)
        for rank in range(1, count + 1)
    )


def furnish(wall: Wall) -> None:
    wall.link = Link(LinkState.LIVE, 3.0)
    wall.status = Status(
        Phase.OPEN,
        announcements=(Announcement(1, "Lunch is at noon", "root", NOW),),
        headlines=(Headline(1, "Gold found in the old mine", ("GOLD",), NOW),),
    )
    wall.windows = Windows((Window(3, "Chapter 3", "chapter", 3, WindowState.TRADING),))
    symbols = ("AAPL", "BEAR", "GOLD", "IBM", "KAPPA", "MSFT", "OIL", "WHEAT")
    wall.price([quote(s, 10_000 + 271 * n, 10_900) for n, s in enumerate(symbols)], whole=True)
    for n, symbol in enumerate(symbols):
        wall.price([quote(symbol, 10_050 + 260 * n, 10_900, 10 + n)], whole=False)
    wall.sheet = Sheet(Board.NET_WORTH, places(30), 412)


def filled(fill: Callable[[Wall], None] = furnish) -> Watch:
    """A source that knows everything at once, and stays."""

    async def stay(wall: Wall, changed: Callable[[], None]) -> None:
        fill(wall)
        changed()
        await asyncio.Event().wait()

    return stay


def board_of(source: Watch) -> BoardApp:
    return BoardApp(source, clock=lambda: NOW, zone=UTC, frame_seconds=0.0)


async def sees(pilot: Pilot[None], app: BoardApp, words: str) -> None:
    for _ in range(3_000):
        if words in text_of(app):
            return
        await pilot.pause(0.01)
    raise AssertionError(f"{words!r} never came: {text_of(app)}")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks(screens: Screens, size: tuple[int, int]) -> None:
    app = board_of(filled())
    async with app.run_test(size=size) as pilot:
        await sees(pilot, app, "WHEAT")
        await pilot.pause()
        await app.paint()
        await pilot.pause()
        screens.check(f"board_{size[0]}x{size[1]}", text_of(app))


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_what_is_urgent_takes_the_wall_while_it_stands(screens: Screens, size: tuple[int, int]) -> None:
    fire = Announcement(9, "Fire drill", "root", NOW, None, "Leave the **building** now.", Priority.URGENT)

    def urgent(wall: Wall) -> None:
        furnish(wall)
        wall.status = replace(wall.status, announcements=(fire,))

    app = board_of(filled(urgent))
    async with app.run_test(size=size) as pilot:
        await sees(pilot, app, "Leave the")
        await app.paint()
        await pilot.pause()
        screens.check(f"board_urgent_{size[0]}x{size[1]}", text_of(app))
        app.wall.status = replace(app.wall.status, announcements=())
        await app.paint()
        await sees(pilot, app, "player-1")
        assert "Fire drill" not in text_of(app)


async def test_after_a_minute_what_is_urgent_stands_among_the_news() -> None:
    fire = Announcement(9, "Fire drill", "root", NOW, None, "Leave the building.", Priority.URGENT)
    moment = [NOW]

    def urgent(wall: Wall) -> None:
        furnish(wall)
        wall.status = replace(wall.status, announcements=(fire,))

    app = BoardApp(filled(urgent), clock=lambda: moment[0], zone=UTC, frame_seconds=0.0)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, app, "Leave the building")
        moment[0] += timedelta(seconds=61)
        await app.paint()
        await sees(pilot, app, "‼ Fire drill")
        assert "Leave the building" not in text_of(app)


async def test_it_says_so_when_the_server_is_away_and_goes_on() -> None:
    def lost(wall: Wall) -> None:
        furnish(wall)
        wall.link = Link(LinkState.LOST)

    app = board_of(filled(lost))
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, app, "the server is away")
        await sees(pilot, app, "player-1")
        app.wall.link = Link(LinkState.LIVE, 2.0)
        await app.paint()
        await sees(pilot, app, "OPEN")


async def test_nothing_known_is_said_and_not_left_blank() -> None:
    app = board_of(filled(lambda wall: None))
    async with app.run_test(size=(80, 24)) as pilot:
        for words in ("Nobody is ranked yet", "No price has moved", "No trades yet", "No news"):
            await sees(pilot, app, words)


async def test_a_token_that_does_not_hold_ends_it_with_the_reason() -> None:
    async def refuse(wall: Wall, changed: Callable[[], None]) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_refuse())

    app = board_of(refuse)
    async with app.run_test():
        pass
    assert "token" in app.failure


async def _refuse() -> None:
    raise BearpitError(
        grpc.StatusCode.UNAUTHENTICATED, "NOT_SIGNED_IN", "this service token is unknown or revoked", {}
    )


async def test_q_ends_it() -> None:
    app = board_of(filled())
    async with app.run_test() as pilot:
        await pilot.press("q")
        await pilot.pause()
    assert app.return_code == 0


def test_the_tape_has_what_was_traded_since_the_last_quote() -> None:
    wall = Wall()
    wall.price([quote("AAPL", 1_000, 900, 10), quote("IBM", 500, 500, 4)], whole=True)
    wall.price([quote("AAPL", 1_010, 900, 25)], whole=False)
    wall.price([quote("IBM", 490, 500, 5), quote("AAPL", 1_010, 900, 25)], whole=False)
    assert [*wall.tape] == [Print("IBM", 490, 1, -1), Print("AAPL", 1_010, 15, 1)]


def test_what_was_missed_while_the_server_was_away_is_not_one_huge_trade() -> None:
    wall = Wall()
    wall.price([quote("AAPL", 1_000, 900, 10)], whole=True)
    wall.price([quote("AAPL", 1_200, 900, 9_000)], whole=True)
    assert not wall.tape


def test_movers_are_the_best_first_and_leave_out_what_stands_still() -> None:
    wall = Wall()
    wall.price([quote("A", 90, 100), quote("B", 120, 100), quote("C", 100, 100)], whole=True)
    assert [one.symbol for one in wall.movers] == ["B", "A"]


class Ranks:
    """Some boards, of which one is empty and one cannot be had once."""

    def __init__(self) -> None:
        self.asked: list[Board] = []

    async def top(self, board: Board) -> Sheet:
        self.asked.append(board)
        if len(self.asked) == 2:
            raise BearpitError(grpc.StatusCode.UNAVAILABLE, "", "away", {})
        return Sheet(board, () if board is Board.WINDOW else places(3), 3)


async def test_the_boards_go_round_without_the_empty_ones(gateway: FakeGateway) -> None:
    ranks, wall = Ranks(), Wall()
    shown: list[Board] = []
    done = asyncio.Event()

    def changed() -> None:
        if wall.sheet.places and (not shown or shown[-1] is not wall.sheet.board):
            shown.append(wall.sheet.board)
        if len(shown) == 7:
            done.set()

    async def run(work: Awaitable[None]) -> None:
        await work

    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(run(watch(gateway, ranks, wall, changed, seconds=0.0)))
        async with asyncio.timeout(10):
            await done.wait()
        following.cancel()
    assert shown[:2] == [Board.NET_WORTH, Board.DAY]
    assert Board.WINDOW not in shown


def test_without_a_token_it_tells_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--server", "127.0.0.1:1"])
    assert "bearpit-admin token create board --scope market.read" in capsys.readouterr().err


def test_with_a_token_it_leaves_the_stored_sign_in_to_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions.create("camp:1", "ada", "stored").release()
    monkeypatch.setenv("BEARPIT_TOKEN", "a service's")
    monkeypatch.setattr(BoardApp, "run", lambda board: None)
    command.main(["--server", "camp:1"])
    assert sessions.find("camp:1") is not None
