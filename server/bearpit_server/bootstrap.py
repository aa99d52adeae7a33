"""Wires everything, once: the one place that knows all the parts."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib import import_module

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.reflection_pb2_grpc import add_ServerReflectionServicer_to_server

from bearpit_server.channels.addresses import Addresses
from bearpit_server.channels.outbox import Outbox
from bearpit_server.channels.telegram import Telegram, bot_of
from bearpit_server.channels.webhook import Webhook
from bearpit_server.events.bus import Bus
from bearpit_server.events.delivery import Delivery
from bearpit_server.events.following import Follower
from bearpit_server.events.log import Origin
from bearpit_server.events.records import DuelChange, StatusChange, WindowChange
from bearpit_server.exchange import order_events
from bearpit_server.exchange.engine import Engine
from bearpit_server.exchange.exchange import Exchange
from bearpit_server.game.chores import Chore, run_all
from bearpit_server.game.duels import limits
from bearpit_server.game.duels.limits import Limits
from bearpit_server.game.notices import announcements, notifications
from bearpit_server.game.points import debts
from bearpit_server.game.proofs.doctor_rounds import Rounds, examine
from bearpit_server.game.ranks import ranks
from bearpit_server.gate import SERVER_OPTIONS, Gate
from bearpit_server.identity import sign_ins, tokens
from bearpit_server.identity.authority import Authority
from bearpit_server.identity.passwords import Passwords
from bearpit_server.identity.rates import Guesses, Rates
from bearpit_server.listeners import find as find_listeners
from bearpit_server.rollback.runner import Runner
from bearpit_server.rules.channels import Kind as ChannelKind
from bearpit_server.services.admin import AdminService, Desk, Vitals
from bearpit_server.services.announcements import AnnouncementService
from bearpit_server.services.arcade import ArcadeService
from bearpit_server.services.auth import AuthService
from bearpit_server.services.booths import BoothService
from bearpit_server.services.bus import BusService
from bearpit_server.services.channels import ChannelService
from bearpit_server.services.codes import CodeService
from bearpit_server.services.guessing import GUESSES_SECONDS, Guessing
from bearpit_server.services.notifications import WRITE_SECONDS, NotificationService
from bearpit_server.services.pricing import PricingService
from bearpit_server.services.ranks import RankService
from bearpit_server.services.rollbacks import RollbackService
from bearpit_server.services.streamed import (
    DuelService,
    MarketService,
    TradingService,
    WalletService,
    WindowService,
)
from bearpit_server.services.streaming import Streams, share_price_frames
from bearpit_server.services.teams import TeamService
from bearpit_server.storage import clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.settings import Settings
from bearpit_server.streams.orders import Recording
from bearpit_server.tls import Tls
from bearpit_server.windows.scheduler import Scheduler

GRACE_SECONDS = 2.0
SWEEP_SECONDS = 3600.0
TRIM_SECONDS = 60.0


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
    listeners: Delivery


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
    guessing = Guessing(database, Guesses(settings))
    gate = Gate(authority, rates)
    server = grpc.aio.server(options=SERVER_OPTIONS)
    server.add_generic_rpc_handlers((gate,))
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

    async def duels_changed(_: object) -> None:
        bus.publish([DuelChange()])

    follower.listen(duels_changed, "duel.")
    listeners = Delivery(database, bus, settings, find_listeners())

    async def announced(_: object) -> None:
        bus.publish([StatusChange()])

    follower.listen(announced, "announcement.")
    ready_at: list[datetime] = []
    vitals = Vitals(lambda: ready_at[0], lambda: gate.open_streams, lambda: rates.refused)
    market = MarketService(exchange, database, streams)
    desk = Desk(database, bus, exchange, authority, settings, vitals)

    async def cancel_all(owner_id: int, instrument_id: int | None, by: Origin) -> int:
        # Without the request's id: the exchange would remember it as a request to cancel.
        return len(await exchange.cancel_all(owner_id, instrument_id, Origin(by.actor_id, by.address)))

    addresses = Addresses()
    outbox = Outbox(
        database,
        settings,
        {
            ChannelKind.WEBHOOK: Webhook(addresses, lambda: settings.switch("webhook_private_addresses")),
            ChannelKind.TELEGRAM: Telegram(bot_of()),
        },
    )
    notices = NotificationService(database, bus, exchange, streams.notifications)
    runner = Runner(database, bus, partial(examine, database), cancel_all, windows_changed)
    names = _add_services(
        gate.registry,
        auth=AuthService(authority, settings, guessing),
        market=market,
        trading=TradingService(exchange, database, streams),
        wallet=WalletService(exchange, database, bus, settings, streams),
        duels=DuelService(database, bus, settings, streams),
        windows=WindowService(database, bus, windows_changed, streams),
        admin=AdminService(desk),
        pricing=PricingService(desk, exchange),
        rollbacks=RollbackService(database, bus, runner),
        ranks=RankService(database, bus, settings),
        announcements=AnnouncementService(database, bus),
        channels=ChannelService(database, bus, settings, outbox),
        codes=CodeService(desk, guessing),
        notifications=notices,
        bus=BusService(database, bus, settings, listeners),
        teams=TeamService(database, bus, settings, guessing),
        booths=BoothService(database, bus, settings, passwords, rates),
        arcade=ArcadeService(database, bus, settings),
    )
    share_price_frames(market, gate.registry)
    chores: list[Chore] = [
        Chore("keeping the limits of duels", limits.SECONDS, Limits(database, bus).keep),
        Chore("logging wrong codes", GUESSES_SECONDS, guessing.log),
        Chore("forgetting old sign-ins", SWEEP_SECONDS, partial(_sweep, database)),
        Chore("noting who is there", WRITE_SECONDS, notices.note_who_is_there),
        Chore("dropping old notifications", TRIM_SECONDS, partial(_trim, database, settings)),
        Chore("counting ranks", ranks.LOOK_SECONDS, partial(ranks.keep_up, database, settings)),
        Chore("charging interest", debts.LOOK_SECONDS, partial(debts.charge, database, bus, settings)),
        Chore("forgetting old deliveries", SWEEP_SECONDS, outbox.sweep),
        Chore("announcing", announcements.LOOK_SECONDS, partial(announcements.publish, database, bus)),
    ]
    healths = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healths, gate.registry)
    reflected = reflection.aio.ReflectionServicer([*names, health.SERVICE_NAME, reflection.SERVICE_NAME])
    add_ServerReflectionServicer_to_server(reflected, gate.registry)

    await follower.start()
    await listeners.start()
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
            listeners.run(),
            outbox.run(),
            scheduler.run(),
            runner.run(),
            gate.watch(),
            Rounds(database, settings).run(),
            run_all(chores),
        )
    )
    try:
        yield Running(port, exchange, engine, settings, bus, scheduler, runner, listeners)
    finally:
        await healths.enter_graceful_shutdown()
        streams.stop()
        gate.end_streams()
        await server.stop(GRACE_SECONDS)
        background.cancel()
        await asyncio.gather(background, return_exceptions=True)
        await outbox.close()
        await engine.stop()
        passwords.close()


async def _together(*jobs: Coroutine[object, object, None]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for job in jobs:
            tasks.create_task(job)


def _add_services(server: grpc.aio.Server, **servicers: object) -> list[str]:
    """Register the servicers, each by the name of its proto file; returns the services' full names."""
    names = []
    for noun, servicer in servicers.items():
        [service] = import_module(f"bearpit.v1.{noun}_pb2").DESCRIPTOR.services_by_name.values()
        stubs = import_module(f"bearpit.v1.{noun}_pb2_grpc")
        getattr(stubs, f"add_{service.name}Servicer_to_server")(servicer, server)
        names.append(service.full_name)
    return names


async def _trim(database: Database, settings: Settings) -> None:
    """Drop notifications beyond those that are kept."""
    await database.run(notifications.trim, settings.number("notifications_kept"))


async def _sweep(database: Database) -> None:
    """Forget sign-ins that have run out."""
    await database.run(sign_ins.sweep, clock.now())
