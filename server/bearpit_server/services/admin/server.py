"""The operators' RPCs on the server: the event log, the ledger's proofs, how it does."""
# ruff: noqa: N802 - the methods are named by the contract

import asyncio
from importlib.metadata import version

from bearpit.v1 import admin_pb2 as pb
from peewee import fn

from bearpit_server.events import log
from bearpit_server.events.log import Logged, Position
from bearpit_server.game.proofs import doctor, doctor_rounds
from bearpit_server.game.proofs.doctor_rounds import Found
from bearpit_server.rules.candles import QUARTER
from bearpit_server.rules.orders import OrderStatus
from bearpit_server.rules.refusals import invalid
from bearpit_server.services import translate
from bearpit_server.services.admin.desk import AtDesk, Context, Desk
from bearpit_server.services.admin.market import status
from bearpit_server.services.pages import DEFAULT_SIZE, MAX_SIZE
from bearpit_server.storage import bulk
from bearpit_server.storage.models import HOUSE, Candle, Order, Player, Shard

MAX_PREFIX = 64


class Server(AtDesk):
    """Looking into the server."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._checking = asyncio.Lock()

    async def ListEvents(self, request: pb.ListEventsRequest, context: Context) -> pb.ListEventsResponse:
        """Events in their order, or the newest first."""
        if not 0 <= request.page_size <= MAX_SIZE:
            raise invalid("page_size", f"give a number from 1 to {MAX_SIZE}, or 0 for {DEFAULT_SIZE}")
        if len(request.type_prefix) > MAX_PREFIX:
            raise invalid("type_prefix", f"give at most {MAX_PREFIX} characters")
        if request.newest_first and request.after:
            raise invalid("after", "leave it out with newest_first")
        after = Position.parse(request.after)
        limit = request.page_size or DEFAULT_SIZE
        if request.newest_first:
            events, position = await self._desk.database.run(_newest, limit, request.type_prefix)
        else:
            types = (request.type_prefix,) if request.type_prefix else ()
            events, position = await self._desk.database.run(log.read, after, limit, *types)
        return pb.ListEventsResponse(events=map(translate.event, events), position=str(position))

    async def CheckLedger(self, request: pb.CheckLedgerRequest, context: Context) -> pb.CheckLedgerResponse:
        """Prove the ledger; one at a time, for each keeps the database busy for a while."""
        async with self._checking:
            proofs = await doctor_rounds.examine(self._desk.database, doctor.check)
        return pb.CheckLedgerResponse(proofs=map(translate.proof, proofs))

    async def GetServerStatus(
        self, request: pb.GetServerStatusRequest, context: Context
    ) -> pb.GetServerStatusResponse:
        """How the server does."""
        vitals = self._desk.vitals

        def read() -> pb.GetServerStatusResponse:
            return pb.GetServerStatusResponse(
                database_version=self._desk.database.server_version(),
                players=Player.select().where(Player.id != HOUSE).count(),
                open_orders=Order.select().where(Order.status <= int(OrderStatus.WORKING)).count(),
                # The candles count the trades: a few rows to add up, where trades are millions.
                trades=int(
                    Candle.select(fn.sum(Candle.trades)).where(Candle.seconds == QUARTER).scalar() or 0
                ),
                shards=[translate.shard(row) for row in Shard.select().order_by(Shard.id)],
                market=status(),
                ledger_check=_ledger_check(doctor_rounds.latest()),
            )

        response = await self._desk.database.run(read)
        response.version = version("bearpit")
        response.ready_at.CopyFrom(translate.timestamp(vitals.ready_at()))
        response.streams = vitals.open_streams()
        response.rate_limited = vitals.rate_limited()
        return response


def _ledger_check(found: Found | None) -> pb.LedgerCheck | None:
    if found is None:
        return None
    return pb.LedgerCheck(
        checked_at=translate.timestamp(found.at),
        rules=found.rules,
        broken=map(translate.proof, found.broken),
    )


def _newest(limit: int, type_prefix: str) -> tuple[list[Logged], Position]:
    """The newest events, and the place from which on `after` misses none; it may repeat some of these."""
    settled = Position(bulk.oldest_running_transaction() - 1, 2**63 - 1)
    return log.newest(limit, type_prefix), settled
