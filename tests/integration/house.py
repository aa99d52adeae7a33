"""A small house for tests: the services around the exchange, an exchange that only cancels."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace

import grpc
import pytest
from bearpit.client import BearpitError, Client, connect
from bearpit.v1 import admin_pb2 as pb
from bearpit.v1 import auth_pb2, market_pb2
from bearpit.v1.admin_pb2_grpc import add_AdminServiceServicer_to_server
from bearpit.v1.auth_pb2_grpc import add_AuthServiceServicer_to_server
from bearpit.v1.market_pb2_grpc import MarketServiceServicer, add_MarketServiceServicer_to_server
from bearpit.v1.wallet_pb2_grpc import WalletServiceServicer, add_WalletServiceServicer_to_server
from bearpit_server.events import log
from bearpit_server.events.bus import Bus
from bearpit_server.events.log import HOUSE_ORIGIN, Origin
from bearpit_server.events.records import OrderRecord, QuoteRecord, WalletChange
from bearpit_server.exchange.order_events import record_of_row
from bearpit_server.game import doctor, listings
from bearpit_server.identity import players, tokens
from bearpit_server.identity.authority import Authority
from bearpit_server.identity.callers import Role
from bearpit_server.identity.passwords import Passwords
from bearpit_server.identity.rates import Rates
from bearpit_server.interceptors import SERVER_OPTIONS, Gate
from bearpit_server.ledger import accounts
from bearpit_server.ledger.journal import Journal
from bearpit_server.rules.orders import EndReason, OrderStatus, Side
from bearpit_server.rules.refusals import Refused
from bearpit_server.services.admin import AdminService, Desk, Vitals
from bearpit_server.services.auth import AuthService
from bearpit_server.services.market import Market
from bearpit_server.services.wallet import Wallet
from bearpit_server.storage.clock import now
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import CASH, Instrument, Order
from bearpit_server.storage.settings import Settings
from bearpit_server.streams.books import Level
from google.protobuf.message import Message

from tests.postgres import Postgres, close
from tests.venue import OPERATOR, PASSWORD, QUICK


class Exchange:
    """Stands in for the exchange: knows the instruments, cancels orders in the database, matches nothing."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self.refreshed = 0
        self.cancelled: list[tuple[int, EndReason]] = []
        self.instruments: dict[str, SimpleNamespace] = {}
        self.quotes: dict[int, QuoteRecord] = {}

    async def refresh(self) -> None:
        self.refreshed += 1
        await self._database.run(self._settings.load)
        for row in await self._database.run(lambda: list(Instrument.select())):
            self.instruments[row.symbol] = SimpleNamespace(id=row.id, symbol=row.symbol)
            self.quotes[row.id] = QuoteRecord(row.id, row.symbol)

    async def cancel(
        self, order_id: int, origin: Origin, owner_id: int | None = None, request_id: str = ""
    ) -> OrderRecord:
        return await self._database.run(self._cancel, order_id, EndReason.REQUESTED)

    async def cancel_all(
        self, owner_id: int, instrument_id: int | None, origin: Origin, reason: EndReason
    ) -> list[OrderRecord]:
        which = listings.Which(player_id=owner_id, instrument_id=instrument_id, open_only=True)
        found = await self._database.run(listings.orders, which, None, 1_000)
        return [await self._database.run(self._cancel, listed.row.id, reason) for listed in found]

    async def depth(self, instrument_id: int, levels: int) -> tuple[list[Level], list[Level], int]:
        return [], [], 0

    def _cancel(self, order_id: int, reason: EndReason) -> OrderRecord:
        listed = listings.order(order_id)
        row = listed.row
        if row.status > OrderStatus.WORKING:
            raise Refused("ORDER_NOT_OPEN", "this order has ended")
        account = accounts.open_account(row.player_id, CASH if row.side == Side.BUY else row.instrument_id)
        journal = Journal(now())
        journal.lock({account, accounts.open_account(row.player_id, CASH)})
        journal.hold(account, -row.held)
        journal.write()
        row.status, row.end_reason, row.held = int(OrderStatus.CANCELLED), int(reason), 0
        row.save(only=[Order.status, Order.end_reason, Order.held])
        self.cancelled.append((order_id, reason))
        return record_of_row(row, listed.symbol)


class _Market(Market, MarketServiceServicer):
    """Without its streams."""


class _Wallet(Wallet, WalletServiceServicer):
    """Without its stream."""


@dataclass
class House:
    """A running server and what is behind it."""

    address: str
    database: Database
    exchange: Exchange
    wallets: list[WalletChange]


@asynccontextmanager
async def serving(database: Database) -> AsyncIterator[House]:
    """A server on this loop, with one operator."""
    settings, bus = Settings(), Bus()
    heard: list[WalletChange] = []
    bus.start(asyncio.get_running_loop())
    bus.subscribe(WalletChange, heard.extend)
    passwords = Passwords(QUICK)
    with database.transaction():
        secret = tokens.load_secret()
        players.create_player(OPERATOR, passwords.hash_now(PASSWORD), Role.ADMIN, 0, HOUSE_ORIGIN)
        settings.load()
    authority = Authority(database, settings, passwords, secret)
    exchange = Exchange(database, settings)
    gate = Gate(authority, Rates(settings))
    ready_at = now()
    vitals = Vitals(lambda: ready_at, lambda: gate.open_streams, lambda: 0)
    server = grpc.aio.server(interceptors=[gate], options=SERVER_OPTIONS)
    desk = Desk(database, bus, exchange, authority, settings, vitals)
    add_AuthServiceServicer_to_server(AuthService(authority), server)
    add_AdminServiceServicer_to_server(AdminService(desk), server)
    add_MarketServiceServicer_to_server(_Market(exchange, database), server)  # type: ignore[abstract]
    add_WalletServiceServicer_to_server(_Wallet(database, bus, settings), server)  # type: ignore[abstract]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield House(f"127.0.0.1:{port}", database, exchange, heard)
    finally:
        await server.stop(None)
        passwords.close()


@contextmanager
def serving_beside(url: str) -> Iterator[str]:
    """The same in a process of its own, on the database at `url`; gives the server's address.

    For tests whose own process runs one event loop after another: gRPC serves no two of them well.
    """
    command = [sys.executable, "-m", "tests.integration.house", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


async def _serve(url: str) -> None:
    """Serve until standard input ends."""
    database = Database(url)
    async with serving(database) as house:
        print(house.address, flush=True)  # noqa: T201 - for whoever started us
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    close(database)


@pytest.fixture(name="house")
async def make_house(postgres: Postgres) -> AsyncIterator[House]:
    """A house of one's own; when the test is over its ledger must still add up."""
    with postgres.database() as database:
        async with serving(database) as house:
            yield house
        with database.transaction():
            assert [proof for proof in doctor.check() if not proof.holds] == []


@pytest.fixture(name="operator")
async def make_operator(house: House) -> AsyncIterator[Client]:
    """The operator, signed in."""
    async with connect(house.address) as client:
        await client.sign_in(OPERATOR, PASSWORD)
        yield client


async def make_player(operator: Client, name: str = "ada", cash: int = 100_000) -> auth_pb2.Player:
    request = pb.CreatePlayerRequest(name=name, password=PASSWORD, cash_cents=cash)
    return (await operator.admin.CreatePlayer(request)).player


async def make_instrument(operator: Client, symbol: str = "ACME", **more: int) -> market_pb2.Instrument:
    request = pb.CreateInstrumentRequest(symbol=symbol, name="Acme Ltd", **more)  # type: ignore[arg-type]
    return (await operator.admin.CreateInstrument(request)).instrument


async def refused(call: Awaitable[Message]) -> BearpitError:
    with pytest.raises(BearpitError) as error:
        await call
    return error.value


def place_buy(player_id: int, quantity: int, price: int, symbol: str = "ACME") -> int:
    """An open order without a fee, as accepting one leaves it."""
    cash = accounts.open_account(player_id, 0)
    journal = Journal(now())
    journal.lock([cash])
    journal.hold(cash, quantity * price)
    journal.next_order_sequence(player_id)
    journal.write()
    order_id: int = 1 + Order.select().count()
    Order.create(
        force_insert=True, id=order_id, player_id=player_id,
        instrument_id=Instrument.get(Instrument.symbol == symbol).id, side=1, type=2, time_in_force=1,
        quantity=quantity, price_cents=price, stop_price_cents=0, post_only=False, self_trade=1, fee_bps=0,
        priority=order_id, held=quantity * price, status=1, request_id=f"order-{order_id}",
        request_hash=b"", accepted_at=journal.at, updated_at=journal.at,
    )  # fmt: skip
    log.append([log.Event("order.accepted", f"order:{order_id}", Origin(player_id), {}, player_id, 1)])
    return order_id


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
