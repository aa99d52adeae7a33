"""The real server, in this process or in one of its own, on the real PostgreSQL, as tests use it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
from argon2 import PasswordHasher
from bearpit.client import BearpitError, Client, connect
from bearpit.v1 import admin_pb2, market_pb2, trading_pb2, wallet_pb2
from bearpit_server.bootstrap import Running, serve
from bearpit_server.events import log
from bearpit_server.game.proofs import doctor
from bearpit_server.identity.passwords import Passwords
from bearpit_server.services.first_operator import create_first_operator
from bearpit_server.storage.database import Database
from bearpit_server.storage.settings import store

from tests.orders import OPEN, traded
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
ON_DEMAND = {"ranks_seconds": "0"}
"""Ranks are counted when a test asks for it: else players are told of them at any moment."""
_numbers = count(1)  # of names that never clash


class Venue:
    """A running server: sign people in, list instruments, trade, and prove the ledger."""

    def __init__(self, running: Running, database: Database, stack: AsyncExitStack) -> None:
        self.address = f"127.0.0.1:{running.port}"
        self.running = running
        self.database = database
        self._stack = stack
        self._operator: Client | None = None

    async def client(self) -> Client:
        """A client that nobody has signed in."""
        return await self._stack.enter_async_context(connect(self.address))

    async def sign_in(self, name: str, password: str = PASSWORD) -> Client:
        """A signed-in client of somebody who exists."""
        client = await self.client()
        await client.sign_in(name, password)
        return client

    async def operator(self) -> Client:
        """The first operator's client, signed in once."""
        if self._operator is None:
            self._operator = await self.sign_in(OPERATOR)
        return self._operator

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

    async def list_instrument(
        self, symbol: str = "ACME", fee_bps: int = 0, **terms: int
    ) -> market_pb2.Instrument:
        """A new instrument."""
        operator = await self.operator()
        request = admin_pb2.CreateInstrumentRequest(symbol=symbol, name=symbol, fee_bps=fee_bps)
        for term, value in terms.items():
            setattr(request, term, value)
        return (await operator.admin.CreateInstrument(request)).instrument

    async def set_market(self, override: admin_pb2.MarketOverride) -> None:
        """Open or close by hand, and wait until every book has followed."""
        operator = await self.operator()
        await operator.admin.SetMarketOverride(admin_pb2.SetMarketOverrideRequest(override=override))
        await self.settled()

    async def open_market(self) -> None:
        """Continuous trading."""
        await self.set_market(OPEN)

    async def settled(self) -> None:
        """Wait until the matcher has done what was put before."""
        for instrument_id in tuple(self.running.exchange.quotes)[:1]:
            await self.running.exchange.depth(instrument_id, 1)

    async def logged(self) -> None:
        """Wait until readers of the event log are given all that is committed.

        They may have to wait for an older transaction that still runs, of a chore's.
        """
        [last] = await self.database.run(log.newest, 1)
        while await self.database.run(log.end) < last.position:
            pass

    async def wallet(self, client: Client) -> wallet_pb2.Wallet:
        """What a player has."""
        return (await client.wallet.GetWallet(wallet_pb2.GetWalletRequest())).wallet

    async def place(self, client: Client, spec: trading_pb2.OrderSpec) -> trading_pb2.PlaceOrderResponse:
        """Place an order with a new request id."""
        return await client.trading.PlaceOrder(trading_pb2.PlaceOrderRequest(order=spec))

    def forget_operator(self) -> None:
        """Sign in anew next time."""
        self._operator = None

    async def instrument(self, fee_bps: int = 0, **terms: int) -> str:
        """A new instrument's symbol."""
        symbol = f"T{next(_numbers)}"
        await self.list_instrument(symbol, fee_bps=fee_bps, **terms)
        await self.settled()
        return symbol

    async def trader(self, cash_cents: int = 1_000_000, **shares: int) -> Client:
        """A new player with cash and shares, signed in."""
        return await self.player(f"trader{next(_numbers)}", cash_cents, **shares)

    async def settings(self, **values: int) -> None:
        """Set settings of the game."""
        operator = await self.operator()
        texts = {key: str(value) for key, value in values.items()}
        await operator.admin.UpdateSettings(admin_pb2.UpdateSettingsRequest(values=texts))

    async def halt(self, symbol: str = "", halted: bool = True) -> None:
        """Halt or resume, and wait until the books have followed."""
        operator = await self.operator()
        await operator.admin.SetHalt(admin_pb2.SetHaltRequest(symbol=symbol, halted=halted))
        await self.settled()

    async def schedule(self, **hours: Any) -> None:
        """Set the market's hours; none given: remove them."""
        operator = await self.operator()
        wanted = admin_pb2.Schedule(**hours) if hours else None
        await operator.admin.SetSchedule(admin_pb2.SetScheduleRequest(schedule=wanted))
        await self.settled()

    async def refused(self, client: Client, spec: trading_pb2.OrderSpec, reason: str) -> BearpitError:
        """The order is refused for that reason, and nothing of the player's changes."""
        before = await self.wallet(client)
        error = await refused(self.place(client, spec))
        assert error.reason == reason
        assert await self.wallet(client) == before
        return error

    async def order(self, client: Client, order_id: int) -> trading_pb2.Order:
        """An order of a player as it is now."""
        return (await client.trading.GetOrder(trading_pb2.GetOrderRequest(order_id=order_id))).order

    async def cancel(self, client: Client, order_id: int) -> trading_pb2.Order:
        """Cancel."""
        return (await client.trading.CancelOrder(trading_pb2.CancelOrderRequest(order_id=order_id))).order

    async def amend(self, client: Client, order_id: int, **terms: int) -> trading_pb2.AmendOrderResponse:
        """Amend."""
        return await client.trading.AmendOrder(trading_pb2.AmendOrderRequest(order_id=order_id, **terms))  # type: ignore[arg-type]

    async def preview(self, client: Client, spec: trading_pb2.OrderSpec) -> trading_pb2.Preview:
        """What an order would do."""
        request = trading_pb2.PlaceOrderRequest(order=spec, validate_only=True)
        return (await client.trading.PlaceOrder(request)).preview

    async def explain(self, client: Client, order_id: int) -> trading_pb2.ExplainOrderResponse:
        """Why an order has not filled."""
        return await client.trading.ExplainOrder(trading_pb2.ExplainOrderRequest(order_id=order_id))

    async def fills(self, client: Client) -> list[trading_pb2.Fill]:
        """All fills of a player, newest first; at most a thousand."""
        return list((await client.trading.ListFills(trading_pb2.ListFillsRequest(page_size=1000))).fills)

    async def book(
        self, symbol: str, levels: int = 10
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Bids and asks as (price, shares)."""
        operator = await self.operator()
        book = (await operator.market.GetBook(market_pb2.GetBookRequest(symbol=symbol, levels=levels))).book
        return traded(book.bids), traded(book.asks)

    async def quote(self, symbol: str) -> market_pb2.Quote:
        """The latest."""
        operator = await self.operator()
        return (await operator.market.GetInstrument(market_pb2.GetInstrumentRequest(symbol=symbol))).quote

    async def transfer(self, client: Client, to: str, cents: int, **more: Any) -> wallet_pb2.TransferResponse:
        """Give cash."""
        request = wallet_pb2.TransferRequest(to_player=to, amount_cents=cents, **more)
        return await client.wallet.Transfer(request)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Straight from the database."""
        return list(self.database.execute(sql).fetchall())

    def balances_off_zero(self) -> list[tuple[Any, ...]]:
        """Assets whose balances do not sum to zero, accounts that hold something else than their orders."""
        return self.rows(
            "SELECT asset, sum(balance) FROM accounts GROUP BY 1 HAVING sum(balance) <> 0"
        ) + self.rows(
            "SELECT a.id, a.held FROM accounts a LEFT JOIN (SELECT player_id, CASE side WHEN 1 THEN 0 ELSE "
            "instrument_id END AS asset, CASE player_id WHEN 0 THEN 'treasury' ELSE 'player' END AS kind, "
            "sum(held) AS held FROM orders WHERE status <= 3 GROUP BY 1, 2, 3) o ON o.player_id = a.owner_id "
            "AND o.asset = a.asset AND o.kind = a.kind WHERE a.held <> coalesce(o.held, 0)"
        )

    def prove(self) -> None:
        """The doctor's proofs all hold."""
        prove(self.database)


async def refused(call: Awaitable[object]) -> BearpitError:
    """What a call was refused with, through our client or a bare stub."""
    with pytest.raises((BearpitError, grpc.aio.AioRpcError)) as caught:
        await call
    error = caught.value
    if isinstance(error, grpc.aio.AioRpcError):
        return BearpitError.from_rpc(error)
    assert isinstance(error, BearpitError)
    return error


@asynccontextmanager
async def serving(database: Database) -> AsyncIterator[Venue]:
    """The server in this process, on a prepared database that others may use too."""
    async with (
        serve(database, "127.0.0.1:0", passwords=Passwords(QUICK)) as running,
        AsyncExitStack() as clients,
    ):
        yield Venue(running, database, clients)


@asynccontextmanager
async def venue(postgres: Postgres) -> AsyncIterator[Venue]:
    """The server in this process, on a database of its own; the ledger is proved at the end."""
    with postgres.database() as database:
        prepare(database, **ON_DEMAND)
        async with serving(database) as made:
            yield made
        made.prove()


def prove(database: Database) -> None:
    """The doctor's proofs all hold."""
    with database.transaction():
        broken = {proof.rule: proof.violations for proof in doctor.check() if not proof.holds}
    assert not broken, broken


def prepare(database: Database, **settings: str) -> None:
    """The first operator, no limits on rates, and other settings of a game."""
    create_first_operator(database, OPERATOR, PASSWORD, QUICK)
    with database.transaction():
        store({**NO_LIMITS, **settings})


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
