"""`make play` without its screen: what it starts, what it leaves behind, and that it goes on where it was."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from bearpit.client import BearpitError, Client, connect
from bearpit.v1 import market_pb2, wallet_pb2

PATIENCE_SECONDS = 180.0
STOCKS = ("AAPL", "GOOG", "IBM", "MSFT")


class Game:
    """One `bearpit-admin play`, in a folder of its own."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "play"
        self._home = home
        self._process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "BEARPIT_HOME": str(self._home)}

    def start(self, *options: str) -> None:
        self.end()  # what a test that failed has left
        command = [sys.executable, "-m", "bearpit_admin", "play", "--headless", "--name", "ada", *options]
        self._process = subprocess.Popen(
            command, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )

    def wait_until_open(self) -> str:
        """The address to play at."""
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("playing at "):
                return line.split()[2].rstrip(";")
        raise AssertionError((self.folder / "server.log").read_text()[-2000:])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it, and wait until it has gone; its exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Let it end by itself; its exit status."""
        assert self._process is not None
        self._process.communicate(timeout=PATIENCE_SECONDS)
        status = self._process.returncode
        self._process = None
        return status

    def end(self) -> None:
        """Whatever a test has left running."""
        if self._process is not None:
            self.stop()

    def processes(self) -> list[str]:
        """The command lines, and working folders, of all that runs in this folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(self._home) in line:
                    found.append(line)
        return found

    def content(self, name: str) -> dict[str, object]:
        path = self.folder / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        content = json.loads(path.read_text())
        assert isinstance(content, dict)
        return content


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Game]:
    game = Game(tmp_path_factory.mktemp("home"))
    try:
        yield game
    finally:
        game.end()


async def as_player(game: Game, address: str, work: Callable[[Client], Awaitable[None]]) -> None:
    async with connect(address) as client:
        await client.sign_in("ada", str(game.content("player-ada.json")["password"]))
        await work(client)


async def quotes(client: Client) -> dict[str, market_pb2.Quote]:
    answer = await client.market.ListInstruments(market_pb2.ListInstrumentsRequest())
    return {quote.symbol: quote for quote in answer.quotes}


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        with contextlib.suppress(BearpitError):
            if await holds():
                return
        assert time.monotonic() < ends, "it did not come to that"
        await asyncio.sleep(0.2)


@pytest.mark.timeout(400)
def test_a_game_opens_trades_survives_its_server_and_goes_on_where_it_was(game: Game) -> None:
    game.start()
    address = game.wait_until_open()

    async def first(client: Client) -> None:
        async def stocks_trade() -> bool:
            seen = await quotes(client)
            return all(seen[symbol].volume > 0 for symbol in (*STOCKS, "BEAR"))

        async def prices_move() -> bool:
            seen = await quotes(client)
            moved = {symbol for symbol in seen if seen[symbol].high_cents > seen[symbol].low_cents}
            return bool({"GOLD", "AAPL-08"} <= moved and {"OCEAN", "SNOW"} & moved)

        async def a_chapter_trades() -> bool:
            return (await quotes(client))["RONIN"].phase == market_pb2.PHASE_OPEN

        await until(stocks_trade)
        await until(prices_move)
        await until(a_chapter_trades)
        for symbol in STOCKS:
            book = (await client.market.GetBook(market_pb2.GetBookRequest(symbol=symbol, levels=10))).book
            assert len(book.bids) >= 3
            assert len(book.asks) >= 3
        await client.buy("BEAR", 10, price_cents=2_500)
        # The bots and the server are killed: both come back by themselves.
        signal_one(game, "bearpit_admin.bots", signal.SIGKILL)
        signal_one(game, "bearpit_server", signal.SIGKILL)
        volumes: list[int] = []

        async def trades_again() -> bool:
            volumes.append(sum(quote.volume for quote in (await quotes(client)).values()))
            return volumes[-1] > volumes[0] > 0

        await until(trades_again)

    asyncio.run(as_player(game, address, first))
    weeks = game.content("history.json")["weeks"]
    assert isinstance(weeks, float)
    assert game.stop() == 128 + signal.SIGTERM
    assert game.processes() == []
    later = game.content("history.json")["weeks"]
    assert isinstance(later, float)
    assert later >= weeks

    game.start()
    address = game.wait_until_open()

    async def second(client: Client) -> None:
        wallet = (await client.wallet.GetWallet(wallet_pb2.GetWalletRequest())).wallet
        assert [(one.symbol, one.quantity) for one in wallet.positions if one.quantity] == [("BEAR", 10)]
        instrument = (
            await client.market.GetInstrument(market_pb2.GetInstrumentRequest(symbol="BEAR"))
        ).instrument
        assert instrument.ipo.quantity == instrument.shares_issued == 100_000
        assert instrument.ipo.remaining < 100_000

    asyncio.run(as_player(game, address, second))
    command = [sys.executable, "-m", "bearpit_admin", "--server", address, "doctor"]
    proved = subprocess.run(command, env=game.environment, capture_output=True, text=True, check=False)
    assert proved.returncode == 0, proved.stdout + proved.stderr
    resumed = game.content("history.json")["weeks"]
    assert isinstance(resumed, float)
    assert resumed >= later
    second_try = subprocess.run(
        [sys.executable, "-m", "bearpit_admin", "play", "--headless"],
        env=game.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert second_try.returncode == 3
    assert address in second_try.stderr
    assert game.stop(signal.SIGINT) == 128 + signal.SIGINT
    assert game.processes() == []


def test_ends_by_itself_after_the_given_seconds(game: Game) -> None:
    game.start("--seconds", "1")
    game.wait_until_open()
    assert game.wait() == 0
    assert game.processes() == []


def test_a_server_that_cannot_start_says_why_and_nothing_of_earlier_games(tmp_path: Path) -> None:
    (tmp_path / "play").mkdir()
    (tmp_path / "play" / "server.log").write_text("words of an earlier game\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = subprocess.run(
            [sys.executable, "-m", "bearpit_admin", "play", "--headless", "--address", address],
            env={**os.environ, "BEARPIT_HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    assert refused.returncode == 1
    assert f"{address} cannot be listened on" in refused.stderr
    assert "earlier game" not in refused.stderr


def signal_one(game: Game, word: str, number: signal.Signals) -> None:
    """Send a signal to the game's process of that kind."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
            if str(game.folder) in line and word in line:
                os.kill(int(entry.name), number)
                return
    raise AssertionError(f"no {word} runs")
