"""A small server for the tests of the door: gate and AuthService before a real PostgreSQL, obedient clocks.

The other services are there without their insides: what passes the gate is answered UNIMPLEMENTED, except
for the few RPCs of `Staged` that tests steer.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import grpc
from bearpit.client import Client, connect
from bearpit.v1 import (
    admin_pb2_grpc,
    auth_pb2_grpc,
    market_pb2,
    market_pb2_grpc,
    pricing_pb2_grpc,
    rollbacks_pb2_grpc,
    trading_pb2,
    trading_pb2_grpc,
    wallet_pb2_grpc,
    windows_pb2_grpc,
)
from bearpit_server.events.log import HOUSE_ORIGIN, Logged, newest
from bearpit_server.gate import SERVER_OPTIONS, Gate
from bearpit_server.identity import players, service_tokens, tokens
from bearpit_server.identity.authority import Authority
from bearpit_server.identity.passwords import Passwords
from bearpit_server.identity.rates import Guesses, Rates
from bearpit_server.rules.roles import PLAYER
from bearpit_server.services.auth import AuthService
from bearpit_server.services.guessing import Guessing
from bearpit_server.storage.database import Database
from bearpit_server.storage.settings import Settings, store
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.reflection_pb2_grpc import add_ServerReflectionServicer_to_server

from tests.venue import PASSWORD, QUICK

OFF = {"rate_player_per_second": 0, "rate_address_per_second": 0, "rate_sign_in_per_minute": 0}


class Time:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.date = datetime(2030, 1, 1, tzinfo=UTC)
        self.seconds = 1_000.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return self.date

    def pass_by(self, **span: float) -> None:
        self.date += timedelta(**span)
        self.seconds += timedelta(**span).total_seconds()


class StagedMarket(market_pb2_grpc.MarketServiceServicer):
    """Quotes that fail as told, and a status stream that beats when told."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.reached = 0
        self.beats: asyncio.Queue[None] = asyncio.Queue()

    async def GetInstrument(  # noqa: N802
        self, request: market_pb2.GetInstrumentRequest, context: object
    ) -> market_pb2.GetInstrumentResponse:
        self.reached += 1
        if self.error is not None:
            raise self.error
        return market_pb2.GetInstrumentResponse(instrument=market_pb2.Instrument(symbol=request.symbol))

    async def StreamStatus(  # noqa: N802
        self, request: market_pb2.StreamStatusRequest, context: object
    ) -> AsyncIterator[market_pb2.StreamStatusResponse]:
        yield market_pb2.StreamStatusResponse(sequence=1, snapshot=market_pb2.MarketStatus())
        while True:
            await self.beats.get()
            if self.error is not None:
                raise self.error
            yield market_pb2.StreamStatusResponse(sequence=2, heartbeat=market_pb2.Heartbeat())


class StagedTrading(trading_pb2_grpc.TradingServiceServicer):
    """Takes every order and does nothing with it."""

    async def PlaceOrders(  # noqa: N802
        self, request: trading_pb2.PlaceOrdersRequest, context: object
    ) -> trading_pb2.PlaceOrdersResponse:
        return trading_pb2.PlaceOrdersResponse(
            results=[trading_pb2.PlaceOrderResult() for _ in request.orders]
        )

    async def EnterOrders(  # noqa: N802
        self, request_iterator: AsyncIterator[trading_pb2.EnterOrdersRequest], context: object
    ) -> AsyncIterator[trading_pb2.EnterOrdersResponse]:
        async for request in request_iterator:
            yield trading_pb2.EnterOrdersResponse(correlation=request.correlation)


class Door:
    """The server, and what tests do around it."""

    def __init__(self, database: Database, time: Time) -> None:
        self.database = database
        self.time = time
        self.settings = Settings()
        self.passwords = Passwords(QUICK)
        self.rates = Rates(self.settings, time.monotonic)
        self.market = StagedMarket()  # type: ignore[abstract]
        self.address = ""
        self._exits = AsyncExitStack()

    async def open(self) -> None:
        self.secret = await self.database.run(tokens.load_secret)
        await self.set(**OFF)
        self.authority = self.another_authority()
        self.gate = Gate(self.authority, self.rates)
        await self.serve(self.gate)

    def another_authority(self) -> Authority:
        """As another server process on the same database has one."""
        return Authority(self.database, self.settings, self.passwords, self.secret, self.time.monotonic)

    async def serve(self, gate: Gate) -> str:
        """A server behind this gate; returns its address."""
        server = grpc.aio.server(options=SERVER_OPTIONS)
        server.add_generic_rpc_handlers((gate,))
        guessing = Guessing(self.database, Guesses(self.settings, self.time.monotonic))
        auth = AuthService(self.authority, self.settings, guessing)
        auth_pb2_grpc.add_AuthServiceServicer_to_server(auth, gate.registry)
        market_pb2_grpc.add_MarketServiceServicer_to_server(self.market, gate.registry)
        trading_pb2_grpc.add_TradingServiceServicer_to_server(StagedTrading(), gate.registry)  # type: ignore[abstract]
        bare_wallet = wallet_pb2_grpc.WalletServiceServicer()  # type: ignore[abstract]
        wallet_pb2_grpc.add_WalletServiceServicer_to_server(bare_wallet, gate.registry)
        bare_admin = admin_pb2_grpc.AdminServiceServicer()  # type: ignore[abstract]
        admin_pb2_grpc.add_AdminServiceServicer_to_server(bare_admin, gate.registry)
        bare_windows = windows_pb2_grpc.WindowServiceServicer()  # type: ignore[abstract]
        windows_pb2_grpc.add_WindowServiceServicer_to_server(bare_windows, gate.registry)
        bare_pricing = pricing_pb2_grpc.PricingServiceServicer()  # type: ignore[abstract]
        pricing_pb2_grpc.add_PricingServiceServicer_to_server(bare_pricing, gate.registry)
        bare_rollbacks = rollbacks_pb2_grpc.RollbackServiceServicer()  # type: ignore[abstract]
        rollbacks_pb2_grpc.add_RollbackServiceServicer_to_server(bare_rollbacks, gate.registry)
        health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), gate.registry)
        add_ServerReflectionServicer_to_server(
            reflection.aio.ReflectionServicer(["bearpit.v1.AuthService"]), gate.registry
        )
        self.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        self._exits.push_async_callback(server.stop, None)
        return self.address

    async def close(self) -> None:
        await self._exits.aclose()
        self.passwords.close()

    async def client(self) -> Client:
        """A client that nobody has signed in."""
        client = connect(self.address, clock=lambda: self.time.date.timestamp())
        return await self._exits.enter_async_context(client)

    async def channel(self) -> grpc.aio.Channel:
        """A channel without our client's courtesies."""
        return await self._exits.enter_async_context(grpc.aio.insecure_channel(self.address))

    async def player(self, name: str, role: str = PLAYER) -> Client:
        """A signed-in client of a new player."""
        password_hash = self.passwords.hash_now(PASSWORD)
        await self.database.run(players.create_player, name, password_hash, [role], 0, HOUSE_ORIGIN)
        return await self.sign_in(name)

    async def sign_in(self, name: str) -> Client:
        """Another client of a player."""
        client = await self.client()
        await client.sign_in(name, PASSWORD)
        return client

    async def service(self, name: str, *scopes: str) -> Client:
        """A client with a new service token."""
        _, secret = await self.database.run(service_tokens.create, name, scopes, HOUSE_ORIGIN)
        client = await self.client()
        client.use_service_token(secret)
        return client

    async def set(self, **values: int | bool) -> None:
        """Set settings, as an operator would."""
        await self.database.run(store, {key: str(value).lower() for key, value in values.items()})
        await self.database.run(self.settings.load)

    async def events(self, prefix: str) -> list[Logged]:
        """Events of a type, oldest first."""
        return (await self.database.run(newest, 100, prefix))[::-1]
