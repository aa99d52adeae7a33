"""The real server, in this process or in one of its own, on the real PostgreSQL, as tests use it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from argon2 import PasswordHasher
from bearpit.client import Client, connect
from bearpit.v1 import admin_pb2, trading_pb2, wallet_pb2
from bearpit_server.bootstrap import Running, serve
from bearpit_server.game import doctor
from bearpit_server.identity.passwords import Passwords
from bearpit_server.services.first_operator import create_first_operator
from bearpit_server.storage.database import Database
from bearpit_server.storage.settings import store

from tests.postgres import Postgres

OPERATOR = "operator"
PASSWORD = "correct horse"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
NO_LIMITS = {
    "rate_player_per_second": "0",
    "rate_address_per_second": "0",
    "rate_sign_in_per_minute": "0",
    "rate_orders_per_second": "0",
    "max_open_orders": "0",
}


class Venue:
    """A running server: sign people in, list instruments, trade, and prove the ledger."""

    def __init__(self, address: str, database: Database, stack: AsyncExitStack) -> None:
        self.address = address
        self.database = database
        self.running: Running | None = None
        self._stack = stack

    async def sign_in(self, name: str, password: str = PASSWORD) -> Client:
        """A signed-in client of somebody who exists."""
        client = await self._stack.enter_async_context(connect(self.address))
        await client.sign_in(name, password)
        return client

    async def operator(self) -> Client:
        """The first operator's client."""
        return await self.sign_in(OPERATOR)

    async def player(self, name: str, cash_cents: int = 1_000_000, **shares: int) -> Client:
        """A new player with cash and shares, signed in."""
        operator = await self.operator()
        request = admin_pb2.CreatePlayerRequest(name=name, password=PASSWORD, cash_cents=cash_cents)
        await operator.admin.CreatePlayer(request)
        for symbol, quantity in shares.items():
            await operator.admin.AdjustBalance(
                admin_pb2.AdjustBalanceRequest(name=name, symbol=symbol, amount=quantity, reason="test")
            )
        return await self.sign_in(name)

    async def list_instrument(self, symbol: str, fee_bps: int = 0, **terms: int) -> None:
        """A new instrument."""
        operator = await self.operator()
        request = admin_pb2.CreateInstrumentRequest(symbol=symbol, name=symbol, fee_bps=fee_bps)
        for term, value in terms.items():
            setattr(request, term, value)
        await operator.admin.CreateInstrument(request)

    async def set_market(self, override: admin_pb2.MarketOverride) -> None:
        """Open or close by hand, and wait until every book has followed."""
        operator = await self.operator()
        await operator.admin.SetMarketOverride(admin_pb2.SetMarketOverrideRequest(override=override))
        await self.settled()

    async def open_market(self) -> None:
        """Continuous trading."""
        await self.set_market(admin_pb2.MARKET_OVERRIDE_OPEN)

    async def settled(self) -> None:
        """Wait until the matcher has done what was put before; in-process only."""
        if self.running is not None:
            await self.running.exchange.depth(next(iter(self.running.exchange.quotes), 0), 1)

    async def wallet(self, client: Client) -> wallet_pb2.Wallet:
        """What a player has."""
        return (await client.wallet.GetWallet(wallet_pb2.GetWalletRequest())).wallet

    async def place(self, client: Client, spec: trading_pb2.OrderSpec) -> trading_pb2.PlaceOrderResponse:
        """Place an order with a new request id."""
        return await client.trading.PlaceOrder(trading_pb2.PlaceOrderRequest(order=spec))

    def prove(self) -> None:
        """The doctor's proofs all hold."""
        broken = {proof.rule: proof.violations for proof in doctor.check() if not proof.holds}
        assert not broken, broken


@asynccontextmanager
async def venue(postgres: Postgres) -> AsyncIterator[Venue]:
    """The server in this process, on a database of its own; the ledger is proved at the end."""
    with postgres.database() as database:
        prepare(database)
        async with (
            serve(database, "127.0.0.1:0", passwords=Passwords(QUICK)) as running,
            AsyncExitStack() as clients,
        ):
            made = Venue(f"127.0.0.1:{running.port}", database, clients)
            made.running = running
            yield made
        made.prove()


def prepare(database: Database) -> None:
    """The first operator, and no limits on rates."""
    create_first_operator(database, OPERATOR, PASSWORD)
    with database.transaction():
        store(NO_LIMITS)


class ServerProcess:
    """`bearpit-server serve` as a process of its own, that a test may kill, pause and start again."""

    def __init__(self, url: str, folder: Path, port: int = 0) -> None:
        self._url = url
        self._folder = folder
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    async def start(self, timeout_seconds: float = 30) -> None:
        """Start it and wait until it is ready; on the same port as before."""
        ready = self._folder / "ready"
        ready.unlink(missing_ok=True)
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
                [
                    sys.executable, "-m", "bearpit_server", "serve",
                    "--address", f"127.0.0.1:{self.port}", "--ready-file", str(ready),
                ],
                env={**os.environ, "BEARPIT_DATABASE_URL": self._url, "BEARPIT_HOME": str(self._folder)},
                stdout=log,
                stderr=log,
            )  # fmt: skip
        async with asyncio.timeout(timeout_seconds):
            while not (ready.exists() and ready.read_text()):
                assert self._process.poll() is None, (self._folder / "server.log").read_text()[-3000:]
                await asyncio.sleep(0.02)
        self.port = int(ready.read_text())

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal: SIGKILL, SIGSTOP, SIGCONT, SIGTERM."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it in good order."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=20)
            self._process = None
