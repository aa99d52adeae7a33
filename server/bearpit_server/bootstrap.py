"""Wires everything, once: the one place that knows all the parts."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

import grpc
from bearpit.v1 import (
    admin_pb2,
    auth_pb2,
    market_pb2,
    pricing_pb2,
    rollbacks_pb2,
    trading_pb2,
    wallet_pb2,
    windows_pb2,
)
from bearpit.v1.admin_pb2_grpc import add_AdminServiceServicer_to_server
from bearpit.v1.auth_pb2_grpc import add_AuthServiceServicer_to_server
from bearpit.v1.market_pb2_grpc import MarketServiceServicer, add_MarketServiceServicer_to_server
from bearpit.v1.pricing_pb2_grpc import add_PricingServiceServicer_to_server
from bearpit.v1.rollbacks_pb2_grpc import add_RollbackServiceServicer_to_server
from bearpit.v1.trading_pb2_grpc import TradingServiceServicer, add_TradingServiceServicer_to_server
from bearpit.v1.wallet_pb2_grpc import WalletServiceServicer, add_WalletServiceServicer_to_server
from bearpit.v1.windows_pb2_grpc import WindowServiceServicer, add_WindowServiceServicer_to_server
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from bearpit_server.events.bus import Bus
from bearpit_server.events.following import Follower
from bearpit_server.events.log import Origin
from bearpit_server.events.records import WindowChange
from bearpit_server.exchange import order_events
from bearpit_server.exchange.engine import Engine
from bearpit_server.exchange.exchange import Exchange
from bearpit_server.game.doctor_rounds import Rounds, examine
from bearpit_server.identity import sign_ins, tokens
from bearpit_server.identity.authority import Authority
from bearpit_server.identity.passwords import Passwords
from bearpit_server.identity.rates import Rates
from bearpit_server.interceptors import SERVER_OPTIONS, Gate
from bearpit_server.rollback.runner import Runner
from bearpit_server.rules.refusals import Refused
from bearpit_server.services.admin import AdminService, Desk, Vitals
from bearpit_server.services.auth import AuthService
from bearpit_server.services.market import Market
from bearpit_server.services.pricing import PricingService
from bearpit_server.services.rollbacks import RollbackService
from bearpit_server.services.streaming import (
    MarketStreams,
    OrderStreams,
    Streams,
    WalletStreams,
    WindowStreams,
    share_price_frames,
)
from bearpit_server.services.trading import Trading
from bearpit_server.services.wallet import Wallet
from bearpit_server.services.windows import Windows
from bearpit_server.storage import clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.settings import Settings
from bearpit_server.streams.orders import Recording
from bearpit_server.windows.scheduler import Scheduler

logger = logging.getLogger(__name__)

GRACE_SECONDS = 2.0
SWEEP_SECONDS = 3600.0


class MarketService(Market, MarketStreams, MarketServiceServicer):
    """All of MarketService."""

    def __init__(self, exchange: Exchange, database: Database, streams: Streams) -> None:
        Market.__init__(self, exchange, database)
        MarketStreams.__init__(self, streams)


class TradingService(Trading, OrderStreams, TradingServiceServicer):
    """All of TradingService."""

    def __init__(self, exchange: Exchange, database: Database, streams: Streams) -> None:
        Trading.__init__(self, exchange, database)
        OrderStreams.__init__(self, streams)


class WalletService(Wallet, WalletStreams, WalletServiceServicer):
    """All of WalletService."""

    def __init__(self, database: Database, bus: Bus, settings: Settings, streams: Streams) -> None:
        Wallet.__init__(self, database, bus, settings)
        WalletStreams.__init__(self, streams)


class WindowService(Windows, WindowStreams, WindowServiceServicer):
    """All of WindowService."""

    def __init__(
        self, database: Database, bus: Bus, changed: Callable[[], Awaitable[None]], streams: Streams
    ) -> None:
        Windows.__init__(self, database, bus, changed)
        WindowStreams.__init__(self, streams)


class UnusablePem(ValueError):
    """A file that TLS cannot be served with."""

    def __init__(self, field: Literal["certificate", "key"], path: Path, fault: str) -> None:
        super().__init__(f"{path} {fault}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate chain and its key, as PEM files."""

    certificate: Path
    key: Path

    def check(self) -> None:
        """Raises UnusablePem where gRPC would only say that the port cannot be had, and OSError."""
        for path in (self.certificate, self.key):
            path.read_bytes()  # tells a file that cannot be read from one that is no PEM
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_verify_locations(self.certificate)
        except ssl.SSLError as error:
            raise UnusablePem("certificate", self.certificate, "holds no certificate in PEM") from error
        try:
            # Without this word it would ask the terminal for that of an encrypted key.
            context.load_cert_chain(self.certificate, self.key, password="")
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise UnusablePem("key", self.key, f"is not the key of {self.certificate}") from error
            raise UnusablePem("key", self.key, "holds no private key in PEM, or an encrypted one") from error

    def credentials(self) -> grpc.ServerCredentials:
        """What gRPC wants of them. Raises as `check` does."""
        self.check()
        pair = (self.key.read_bytes(), self.certificate.read_bytes())
        return grpc.ssl_server_credentials([pair])


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is ready."""

    port: int
    exchange: Exchange
    engine: Engine
    settings: Settings
    bus: Bus
    scheduler: Scheduler
    rollbacks: Runner


@asynccontextmanager
async def serve(
    database: Database,
    address: str,
    tls: Tls | None = None,
    passwords: Passwords | None = None,
    renew_seconds: float = 1.0,
) -> AsyncIterator[Running]:
    """A server on a migrated database, ready when entered and stopped in good order when left.

    `address` is host:port; port 0 takes any that is free. Raises OSError when it is taken.
    """
    settings = Settings()
    bus = Bus()
    bus.start(asyncio.get_running_loop())
    passwords = passwords or Passwords()
    secret = await database.run(tokens.load_secret)
    authority = Authority(database, settings, passwords, secret)
    rates = Rates(settings)
    gate = Gate(authority, rates)
    server = grpc.aio.server(interceptors=[gate], options=SERVER_OPTIONS)
    try:
        if tls:
            port = server.add_secure_port(address, tls.credentials())
        else:
            port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"{address} cannot be listened on; is another server there?") from error
    host = address.rpartition(":")[0]
    engine = Engine(database, settings, bus, f"{host}:{port}", renew_seconds)
    exchange = Exchange(engine, database, settings)
    follower = Follower(database)
    follower.listen(engine.follow, *Engine.FOLLOWED)
    follower.listen(authority.follow, *Authority.FOLLOWED)
    recording = Recording(order_events.record_of_row, order_events.record_of)
    streams = Streams(exchange, bus, database, recording, asyncio.get_running_loop())

    async def windows_changed() -> None:
        await exchange.refresh()
        bus.publish([WindowChange()])
        scheduler.wake()

    scheduler = Scheduler(database, windows_changed, lambda: bus.publish([WindowChange()]))
    follower.listen(scheduler.follow, *Scheduler.FOLLOWED)
    ready_at: list[datetime] = []
    vitals = Vitals(lambda: ready_at[0], lambda: gate.open_streams, lambda: rates.refused)
    market = MarketService(exchange, database, streams)
    add_AuthServiceServicer_to_server(AuthService(authority), server)
    add_MarketServiceServicer_to_server(market, server)
    share_price_frames(market, server)
    add_TradingServiceServicer_to_server(TradingService(exchange, database, streams), server)
    add_WalletServiceServicer_to_server(WalletService(database, bus, settings, streams), server)
    add_WindowServiceServicer_to_server(WindowService(database, bus, windows_changed, streams), server)
    desk = Desk(database, bus, exchange, authority, settings, vitals)
    add_AdminServiceServicer_to_server(AdminService(desk), server)
    add_PricingServiceServicer_to_server(PricingService(desk, exchange), server)

    async def cancel_all(owner_id: int, instrument_id: int | None, by: Origin) -> int:
        # Without the request's id: the exchange would remember it as a request to cancel.
        return len(await exchange.cancel_all(owner_id, instrument_id, Origin(by.actor_id, by.address)))

    runner = Runner(database, bus, partial(examine, database), cancel_all, windows_changed)
    add_RollbackServiceServicer_to_server(RollbackService(database, bus, runner), server)
    healths = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healths, server)
    names = [
        module.DESCRIPTOR.services_by_name[name].full_name
        for module, name in (
            (auth_pb2, "AuthService"),
            (market_pb2, "MarketService"),
            (trading_pb2, "TradingService"),
            (wallet_pb2, "WalletService"),
            (windows_pb2, "WindowService"),
            (admin_pb2, "AdminService"),
            (pricing_pb2, "PricingService"),
            (rollbacks_pb2, "RollbackService"),
        )
    ]
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)

    await follower.start()
    await engine.start()
    await server.start()
    ready_at.append(clock.now())
    serving = health_pb2.HealthCheckResponse.SERVING
    for name in ("", *names):
        await healths.set(name, serving)
    background = asyncio.ensure_future(
        _together(
            engine.run(),
            follower.run(),
            scheduler.run(),
            runner.run(),
            gate.watch(),
            Rounds(database, settings).run(),
            _sweep(database),
        )
    )
    try:
        yield Running(port, exchange, engine, settings, bus, scheduler, runner)
    finally:
        await healths.enter_graceful_shutdown()
        streams.stop()
        gate.end_streams()
        await server.stop(GRACE_SECONDS)
        background.cancel()
        await asyncio.gather(background, return_exceptions=True)
        await engine.stop()
        passwords.close()


async def _together(*jobs: Coroutine[object, object, None]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for job in jobs:
            tasks.create_task(job)


async def _sweep(database: Database) -> None:
    """Forget sign-ins that have run out, every hour."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            await database.run(sign_ins.sweep, clock.now())
        except Refused as refused:
            logger.warning("old sign-ins stay for another hour: %s", refused)
