"""The screen against a real server: in its own process, on a PostgreSQL of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from bearpit.client import BearpitError, Client, connect
from bearpit.client.duels import Duelist, Secrets
from bearpit.v1 import admin_pb2, codes_pb2, trading_pb2, wallet_pb2
from bearpit.v1.announcements_pb2 import AnnounceRequest, WithdrawAnnouncementRequest
from bearpit.v1.market_pb2 import PRIORITY_URGENT
from bearpit_tui.app import BearpitApp
from bearpit_tui.pages.duel_forms import MoveScreen
from bearpit_tui.pages.duels import DuelsPage
from bearpit_tui.pages.wallet import WalletPage
from bearpit_tui.panels.message_line import MessageLine
from bearpit_tui.remote import connector
from bearpit_tui.screens.form import FormScreen
from bearpit_tui.screens.sign_in import SignInScreen
from bearpit_tui.screens.trade import TradeScreen
from bearpit_tui.screens.urgent import UrgentScreen
from bearpit_tui.settings import load_settings, remember
from bearpit_tui.start import begin
from textual.pilot import Pilot
from textual.widgets import Input

OPERATOR, OPERATOR_PASSWORD = "boss", "operator horse"
PASSWORD = "correct horse"
PATIENCE_SECONDS = 30.0


class Server:
    """`bearpit-server` in a process of its own, which can be stopped and started again on its port."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._environment = {**os.environ, "BEARPIT_HOME": str(home), "BEARPIT_PASSWORD": OPERATOR_PASSWORD}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self._run("init", "--name", OPERATOR)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _run(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "bearpit_server", *arguments]
        subprocess.run(command, env=self._environment, check=True, capture_output=True)

    def start(self) -> None:
        ready = self._home / "ready"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "bearpit_server", "serve", "--address", self.address]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--ready-file", str(ready)], env=self._environment, stdout=log, stderr=log
            )
        ends = time.monotonic() + PATIENCE_SECONDS
        while not (ready.exists() and ready.read_text()):
            if self._process.poll() is not None or time.monotonic() > ends:
                raise AssertionError((self._home / "log").read_text())
            time.sleep(0.05)  # noqa: TID251 - another process tells that it is ready by a file
        self.port = int(ready.read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(PATIENCE_SECONDS)
            self._process = None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A game that is open, with ACME and KITE on sale."""
    running = Server(tmp_path_factory.mktemp("server"))
    running.start()
    try:
        asyncio.run(_open_game(running.address))
        yield running
    finally:
        running.stop()


async def _open_game(address: str) -> None:
    async with connect(address) as boss:
        await boss.sign_in(OPERATOR, OPERATOR_PASSWORD)
        admin = boss.admin
        opened = admin_pb2.MARKET_OVERRIDE_OPEN
        await admin.SetMarketOverride(admin_pb2.SetMarketOverrideRequest(override=opened))
        for symbol, name, price in (("ACME", "Acme Robotics", 12_40), ("KITE", "Kite Air", 130_00)):
            await admin.CreateInstrument(
                admin_pb2.CreateInstrumentRequest(symbol=symbol, name=name, reference_price_cents=price)
            )
            await admin.OpenIpo(admin_pb2.OpenIpoRequest(symbol=symbol, price_cents=price, quantity=100_000))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A player's own home, where the first hint was seen."""
    monkeypatch.setenv("BEARPIT_HOME", str(tmp_path))
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    remember(hint_seen=True)
    return tmp_path


class Player:
    """A person at the screen."""

    def __init__(self, app: BearpitApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def screen(self) -> TradeScreen:
        assert isinstance(self.app.screen, TradeScreen)
        return self.app.screen

    @property
    def said(self) -> str:
        notice = self.screen.query_one(MessageLine).notice
        return notice.text if notice is not None else ""

    def was_told(self, words: str) -> bool:
        return words in self.said

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, line: str) -> None:
        await self.press("slash")
        self.screen.line.input.value = line
        await self.press("enter")

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await self.pilot.pause(0.02)


@asynccontextmanager
async def at_the_door(address: str, name: str = "") -> AsyncIterator[Player]:
    start = begin(load_settings(), remember(), server=address, name=name)
    app = BearpitApp(start, connector(False))
    async with app.run_test(size=(120, 40)) as pilot:
        yield Player(app, pilot)


@asynccontextmanager
async def playing(address: str, name: str) -> AsyncIterator[Player]:
    """A new player, in the market."""
    async with at_the_door(address, name) as player:
        await player.until(lambda: isinstance(player.app.screen, SignInScreen))
        player.app.screen.query_one("#password", Input).value = PASSWORD
        await player.press("ctrl+n")
        await arrived(player)
        yield player


async def arrived(player: Player) -> None:
    await player.until(lambda: isinstance(player.app.screen, TradeScreen))
    await player.until(
        lambda: (
            player.screen.state.live
            and player.screen.state.wallet.loaded
            and player.screen.state.chart.loaded
            and player.screen.state.book.symbol
        )
    )


@asynccontextmanager
async def another(address: str, name: str) -> AsyncIterator[Client]:
    """Another player, without a screen."""
    async with connect(address) as client:
        try:
            await client.register(name, PASSWORD)
        except BearpitError:
            await client.sign_in(name, PASSWORD)
        yield client


async def test_registers_and_comes_back_without_a_password(server: Server) -> None:
    async with playing(server.address, "ada") as player:
        assert player.screen.state.player == "ada"
        assert set(player.screen.state.instruments) == {"ACME", "KITE"}
        cash = player.screen.state.wallet.free_cents
        assert cash > 0
    async with at_the_door(server.address) as player:
        await arrived(player)
        assert player.screen.state.player == "ada"
        assert player.screen.state.wallet.free_cents == cash


async def test_a_wrong_password_and_a_taken_name_are_said(server: Server) -> None:
    async with another(server.address, "taken"), at_the_door(server.address, "taken") as player:
        await player.until(lambda: isinstance(player.app.screen, SignInScreen))
        player.app.screen.query_one("#password", Input).value = "not this one"
        await player.press("enter")
        words = player.app.screen.query_one("#words")
        await player.until(lambda: "No player taken with that password" in str(words.render()))
        await player.press("ctrl+n")
        await player.until(lambda: "taken is taken" in str(words.render()))


async def test_buys_by_ticket_and_sees_the_position(server: Server) -> None:
    async with playing(server.address, "bea") as player:
        await player.press("b")
        await player.until(lambda: "at 12.40" in preview(player))
        await player.press("enter")
        await player.until(lambda: "Bought 100 ACME for 1,240.00" in player.said)
        await player.until(lambda: player.screen.state.wallet.positions.get("ACME"))
        (row,) = player.screen.board.positions.rows
        assert (row.symbol, row.quantity) == ("ACME", 100)
        (order,) = player.screen.board.orders.rows
        assert (order.status, order.filled) == ("FILLED", 100)


async def test_an_order_by_command_line_rests_is_marked_fills_and_is_told(server: Server) -> None:
    async with playing(server.address, "cleo") as player, another(server.address, "seller") as seller:
        await player.type("buy 30 ACME @ 12.00")
        await player.until(lambda: "is working" in player.said)
        await player.until(lambda: any(level.price_cents == 12_00 for level in player.screen.state.book.bids))
        own = player.screen.board.ladder._own
        assert own == {("bid", 12_00): 30}
        await seller.buy("ACME", 10, 12_40)
        await seller.sell("ACME", 10, 12_00)
        await player.until(lambda: "Bought 10 of 30 ACME at 12.00" in player.said)
        await player.until(lambda: player.screen.board.orders.rows[0].status == "PART")
        await player.until(lambda: player.screen.state.quotes["ACME"].last_cents == 12_00)
        await player.until(lambda: player.screen.state.chart.bars[-1].close_cents == 12_00)


async def test_cancels_one_and_all(server: Server) -> None:
    async with playing(server.address, "dora") as player:
        free = player.screen.state.wallet.free_cents
        for price in ("11.00", "11.10", "11.20"):
            await player.type(f"buy 5 ACME @ {price}")
            await player.until(partial(player.was_told, f"@ {price} is working"))
        await player.press("4", "x")
        await player.until(lambda: "Cancelled #" in player.said)
        await player.press("X", "y")
        await player.until(lambda: "Cancelled 2 orders" in player.said)
        await player.until(lambda: player.screen.state.wallet.free_cents == free)
        rows = player.screen.board.orders
        await player.until(lambda: [row.status for row in rows.rows] == ["CANCELLED"] * 3)


async def test_refusals_are_said_in_words(server: Server) -> None:
    async with playing(server.address, "eve") as player:
        await player.type("sell 10 KITE @ 130.00")
        await player.until(lambda: "no free shares" in player.said)
        await player.type("buy 999999 KITE @ 130.00")
        await player.until(lambda: "Not enough cash" in player.said)
        await player.type("cancel 999999")
        await player.until(lambda: "999999" in player.said)


async def test_a_stop_waits_and_why_explains(server: Server) -> None:
    async with playing(server.address, "fay") as player:
        await player.type("buy 10 KITE stop 140.00 @ 141.00")
        await player.until(lambda: "waits for its stop price" in player.said)
        await player.until(lambda: player.screen.board.orders.rows[0].status == "STOP")
        await player.press("4", "w")
        await player.until(lambda: "140" in player.said)


async def test_points_are_given_and_a_code_is_redeemed_from_the_wallet(server: Server) -> None:
    async with (
        playing(server.address, "hal") as player,
        another(server.address, "ivy") as ivy,
        connect(server.address) as boss,
    ):
        await boss.sign_in(OPERATOR, OPERATOR_PASSWORD)
        batch = codes_pb2.CreateCodesRequest(
            reward=codes_pb2.Reward(points_cents=50_00),
            use=codes_pb2.CODE_USE_SINGLE,
            count=1,
            reason="workshop",
        )
        made = (await boss.codes.CreateCodes(batch)).batch
        (code,) = (await boss.codes.GetBatch(codes_pb2.GetBatchRequest(batch_id=made.batch_id))).codes
        before = player.screen.state.wallet.cash_cents
        await player.press("m")
        await player.until(lambda: "given by the game" in terminal(player))

        await player.press("t")
        await fill(player, to="ivy", amount="25", note="for the tickets")
        await player.press("enter")
        await player.until(lambda: "Give 25.00 to ivy?" in terminal(player))
        await player.press("y")
        await player.until(lambda: "Gave 25.00 to ivy" in terminal(player))
        await player.until(lambda: "sent to a player" in terminal(player))
        received = (await ivy.wallet.ListPostings(wallet_pb2.ListPostingsRequest())).postings[0]
        assert (received.reason, received.amount, received.note) == ("transfer", 25_00, "for the tickets")

        await player.press("r")
        await fill(player, code=f"bearpit://redeem/{code.text}")
        await player.press("enter")
        await player.until(lambda: "50.00 points are yours (workshop)" in terminal(player))
        await player.until(lambda: "code redeemed" in terminal(player))
        await player.press("r")
        await fill(player, code=code.text)
        await player.press("enter")
        await player.until(lambda: "You have redeemed this code already" in terminal(player))
        await player.press("escape")
        await player.until(lambda: isinstance(player.app.screen, WalletPage))

        while not isinstance(player.app.screen, TradeScreen):
            await player.press("escape")  # each message that comes meanwhile takes one
        fee = before + 25_00 - player.screen.state.wallet.cash_cents
        assert 0 <= fee <= 1_00


async def test_an_urgent_word_interrupts_the_screen_with_its_text(server: Server) -> None:
    async with playing(server.address, "jan") as player, connect(server.address) as boss:
        await boss.sign_in(OPERATOR, OPERATOR_PASSWORD)
        said = AnnounceRequest(
            title="Into the hall", body="Take your **badge**.", priority=PRIORITY_URGENT, lifetime_seconds=60
        )
        made = (await boss.announcements.Announce(said)).announcement
        await player.until(lambda: isinstance(player.app.screen, UrgentScreen))
        # Lest it interrupts the players of the other tests.
        withdrawn = WithdrawAnnouncementRequest(announcement_id=made.announcement_id)
        await boss.announcements.WithdrawAnnouncement(withdrawn)
        await player.until(lambda: "Take your badge." in terminal(player))
        await player.until(lambda: "enter I have read it" in terminal(player))
        await player.press("enter")
        await player.until(lambda: isinstance(player.app.screen, TradeScreen))


async def test_announcements_and_the_closing_are_told(server: Server) -> None:
    async with playing(server.address, "gil") as player, connect(server.address) as boss:
        await boss.sign_in(OPERATOR, OPERATOR_PASSWORD)
        said = AnnounceRequest(title="Lunch is served.", lifetime_seconds=60)
        await boss.announcements.Announce(said)
        await player.until(lambda: any(one.title for one in player.screen.state.status.announcements))
        closed = admin_pb2.MARKET_OVERRIDE_CLOSED
        await boss.admin.SetMarketOverride(admin_pb2.SetMarketOverrideRequest(override=closed))
        await player.until(lambda: player.said == "The market is closed; orders can still be cancelled")
        await player.type("buy 10 KITE @ 130.00")
        await player.until(lambda: "The market is closed." in player.said)
        opened = admin_pb2.MARKET_OVERRIDE_OPEN
        await boss.admin.SetMarketOverride(admin_pb2.SetMarketOverrideRequest(override=opened))
        await player.until(lambda: player.screen.state.status.phase.value == "open")


async def test_a_restarted_server_is_found_again_with_all_orders(server: Server) -> None:
    async with playing(server.address, "olga") as player:
        await player.type("buy 5 ACME @ 10.00")
        await player.until(lambda: "is working" in player.said)
        await asyncio.to_thread(server.stop)
        await player.until(lambda: player.screen.query_one("#trouble").display)
        assert all(row.stale for row in player.screen.board.watch_list.rows)
        # Sent into the void: it must be there once, and only once, when the server is back.
        await player.type("buy 7 ACME @ 10.01")
        await player.until(lambda: "do not send it again" in player.said)
        await asyncio.to_thread(server.start)
        await player.until(lambda: player.screen.state.live)
        await player.until(lambda: len(player.screen.board.orders.rows) == 2)
        assert not player.screen.query_one("#trouble").display
    async with another(server.address, "olga") as olga:
        found = await olga.trading.ListOrders(trading_pb2.ListOrdersRequest())
        assert sorted(order.spec.quantity for order in found.orders) == [5, 7]


async def fill(player: Player, **fields: str) -> None:
    """Write into the fields of the box that opens, the cursor in the last of them."""
    await player.until(lambda: isinstance(player.app.screen, FormScreen))
    for name, text in fields.items():
        field = player.app.screen.query_one(f"#{name}", Input)
        field.value = text
        field.focus()


def terminal(player: Player) -> str:
    """What stands in the terminal."""
    return "\n".join(strip.text for strip in player.app.screen._compositor.render_strips())


async def test_a_duel_is_played_between_a_screen_and_a_client(server: Server, tmp_path: Path) -> None:
    async with playing(server.address, "ida") as player, another(server.address, "joe") as joe:
        duelist = Duelist(joe, Secrets(tmp_path / "joe"))
        await player.press("d")
        await player.until(lambda: isinstance(player.app.screen, DuelsPage))
        page = player.app.screen
        assert isinstance(page, DuelsPage)
        await duelist.challenge(20_00, "scissors", "ida")
        await player.until(lambda: page.open.rows)
        await player.press("a")
        await player.until(lambda: isinstance(player.app.screen, MoveScreen))
        await player.press("r")
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for frame in joe.stream_duels():
                duels = frame.snapshot if frame.HasField("snapshot") else frame.update
                await duelist.reveal_all(duels)
                if any(duel.winner_name for duel in duels.mine):
                    break
        await player.until(lambda: page.finished.rows)
        (over,) = page.finished.rows
        assert (over.winner, over.verified) == ("ida", True)
        await player.until(lambda: page.query_one(MessageLine).notice is not None)
        notice = page.query_one(MessageLine).notice
        assert notice is not None
        # Badges that come in the same moment are counted behind it.
        assert notice.text.startswith("You won +20.00: your rock beats joe's scissors · verified")


def preview(player: Player) -> str:
    return str(player.screen.query_one("#preview").render())
