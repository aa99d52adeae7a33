"""ArcadeService: plays and scores for machines, and the machines for those who run them."""
# ruff: noqa: N802 - the methods are named by the contract

from typing import cast

import grpc
from bearpit.v1 import arcade_pb2 as pb
from bearpit.v1.arcade_pb2_grpc import ArcadeServiceServicer

from bearpit_server.events.bus import Bus
from bearpit_server.game.camp import arcade, machines
from bearpit_server.game.camp.arcade import Told, Wanted
from bearpit_server.game.camp.machines import Listed
from bearpit_server.identity import players, service_tokens
from bearpit_server.identity.callers import origin, signed_in
from bearpit_server.identity.service_tokens import ARCADE_PLAY
from bearpit_server.rules.arcade import DAYS, LIMITS, MAX_DAYS, Kind
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.services import translate
from bearpit_server.services.idempotency import Done, Once
from bearpit_server.services.pages import Page
from bearpit_server.storage.database import Database
from bearpit_server.storage.settings import Settings

Context = grpc.aio.ServicerContext[object, object]


class ArcadeService(ArcadeServiceServicer):
    """All of ArcadeService."""

    def __init__(self, database: Database, bus: Bus, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._once = Once(database, bus)

    # --- for machines ---------------------------------------------------------------------------

    async def TakePoints(self, request: pb.TakePointsRequest, context: Context) -> pb.TakePointsResponse:
        """Take points for a play."""
        wanted = Wanted(Kind.TAKE, request.amount_cents, request.transaction_id, note=request.note)
        done = await self._transact(request.player, wanted, request.validate_only)
        return pb.TakePointsResponse(transaction=done)

    async def GivePoints(self, request: pb.GivePointsRequest, context: Context) -> pb.GivePointsResponse:
        """Give points for a score."""
        wanted = Wanted(Kind.GIVE, request.amount_cents, request.transaction_id, request.score, request.note)
        done = await self._transact(request.player, wanted, request.validate_only)
        return pb.GivePointsResponse(transaction=done)

    async def _transact(self, player_name: str, wanted: Wanted, rehearsal: bool) -> pb.Transaction:
        machine, by = _own_name(), origin(wanted.transaction_id)

        def work() -> Done[pb.Transaction]:
            player = players.get(player_name)
            told, changes = arcade.transact(machine, player, wanted, self._settings.number, by)
            made = _transaction(told)
            if rehearsal and not changes:
                return Done(made)  # it has been done before
            if rehearsal:
                made.number = 0
            return Done(made, changes)

        return await self._once.remembered(work, rehearsal)

    # --- looking --------------------------------------------------------------------------------

    async def GetTransaction(
        self, request: pb.GetTransactionRequest, context: Context
    ) -> pb.GetTransactionResponse:
        """A transaction by the machine's id of it."""
        machine = _whose(request.machine)
        if not machine:
            raise invalid("machine", "say whose transaction it is; see `bearpit-admin arcade list`")
        told = await self._database.run(arcade.transaction, machine, request.transaction_id)
        return pb.GetTransactionResponse(transaction=_transaction(told))

    async def ListTransactions(
        self, request: pb.ListTransactionsRequest, context: Context
    ) -> pb.ListTransactionsResponse:
        """Transactions, newest first."""
        machine = _whose(request.machine)
        page = Page(request)

        def read() -> list[Told]:
            machine_id = machines.get(machine).id if machine else None
            player_id = players.get(request.player).id if request.player else None
            return arcade.transactions(machine_id, player_id, page.after_id, page.limit)

        rows, token = page.close(await self._database.run(read), lambda told: told.row.id)
        return pb.ListTransactionsResponse(transactions=map(_transaction, rows), next_page_token=token)

    async def GetStatement(
        self, request: pb.GetStatementRequest, context: Context
    ) -> pb.GetStatementResponse:
        """Transactions added up by day."""
        machine = _whose(request.machine)
        if not 0 <= request.days <= MAX_DAYS:
            raise invalid("days", f"give a number from 1 to {MAX_DAYS}, or 0 for {DAYS}")

        def read() -> pb.GetStatementResponse:
            machine_id = machines.get(machine).id if machine else None
            days, zone = arcade.statement(machine_id, request.days or DAYS)
            told = [
                pb.StatementDay(
                    date=day.date.isoformat(),
                    takes=day.takes,
                    taken_cents=day.taken_cents,
                    gives=day.gives,
                    given_cents=day.given_cents,
                    players=day.players,
                    voided=day.voided,
                )
                for day in days
            ]
            return pb.GetStatementResponse(days=told, time_zone=zone)

        return await self._database.run(read)

    async def GetMachine(self, request: pb.GetMachineRequest, context: Context) -> pb.GetMachineResponse:
        """One machine."""
        name = _whose(request.name)

        def read() -> Listed:
            [found] = machines.with_today([machines.get(name)])
            return found

        return pb.GetMachineResponse(machine=self._machine(await self._database.run(read)))

    async def ListMachines(
        self, request: pb.ListMachinesRequest, context: Context
    ) -> pb.ListMachinesResponse:
        """Machines by name."""
        page = Page(request)
        found = await self._database.run(machines.listed, page.after, page.limit)
        rows, token = page.close(found, lambda listed: listed.row.name)
        return pb.ListMachinesResponse(machines=map(self._machine, rows), next_page_token=token)

    # --- for those who run them -----------------------------------------------------------------

    async def VoidTransaction(
        self, request: pb.VoidTransactionRequest, context: Context
    ) -> pb.VoidTransactionResponse:
        """Undo a transaction."""
        by = origin(request.request_id)

        def work() -> Done[pb.VoidTransactionResponse]:
            told, changes = arcade.void(request.machine, request.transaction_id, request.reason, by)
            return Done(pb.VoidTransactionResponse(transaction=_transaction(told)), changes)

        return await self._once.run(request, by, pb.VoidTransactionResponse, work)

    async def CreateMachine(
        self, request: pb.CreateMachineRequest, context: Context
    ) -> pb.CreateMachineResponse:
        """Make a machine and its service token."""
        by = origin(request.request_id)

        def work() -> Done[pb.CreateMachineResponse]:
            _, secret = service_tokens.create(request.name, [ARCADE_PLAY], by)
            made = machines.create(request.name, _given(request.limits), by)
            machine = self._machine(Listed(made))
            kept = pb.CreateMachineResponse(machine=machine)
            if request.validate_only:
                kept.machine.machine_id = 0
                return Done(kept)
            return Done(pb.CreateMachineResponse(machine=machine, secret=secret), kept=kept)

        return await self._once.run(request, by, pb.CreateMachineResponse, work)

    async def UpdateMachine(
        self, request: pb.UpdateMachineRequest, context: Context
    ) -> pb.UpdateMachineResponse:
        """Change a machine's limits, close or open it."""
        by = origin(request.request_id)
        active = request.active if request.HasField("active") else None

        def work() -> Done[pb.UpdateMachineResponse]:
            changed = machines.change(request.name, _given(request.limits), request.clear_limits, active, by)
            [listed] = machines.with_today([changed])
            return Done(pb.UpdateMachineResponse(machine=self._machine(listed)))

        return await self._once.run(request, by, pb.UpdateMachineResponse, work)

    def _machine(self, listed: Listed) -> pb.Machine:
        row = listed.row
        limits = machines.limits_of(row, self._settings.number)
        own = {limit: getattr(row, limit) for limit in LIMITS}
        return pb.Machine(
            machine_id=row.id,
            name=row.name,
            active=row.active,
            limits=pb.MachineLimits(**{limit: getattr(limits, limit) for limit in LIMITS}),
            own_limits=pb.MachineLimits(**own),
            created_at=translate.timestamp(row.created_at),
            taken_today_cents=listed.taken_cents,
            given_today_cents=listed.given_cents,
            last_transaction_at=None if listed.last_at is None else translate.timestamp(listed.last_at),
        )


def _own_name() -> str:
    """The machine that calls. Raises Refused NOT_FOUND for a person."""
    caller = signed_in()
    if not caller.is_service:
        raise Refused("NOT_FOUND", "you are no arcade machine; machines call with their service token")
    return caller.name


def _whose(wanted: str) -> str:
    """The machine that a question is about; empty: all. Raises Refused NOT_ALLOWED for another machine's."""
    caller = signed_in()
    if not caller.is_service:
        return wanted
    if wanted and wanted.lower() != caller.name.lower():
        raise Refused("NOT_ALLOWED", "a machine sees its own things only; leave the name empty", "machine")
    return caller.name


def _given(limits: pb.MachineLimits) -> dict[str, int]:
    return {limit: getattr(limits, limit) for limit in LIMITS if limits.HasField(limit)}


def _transaction(told: Told) -> pb.Transaction:
    row = told.row
    return pb.Transaction(
        machine=told.machine,
        transaction_id=row.transaction_id,
        number=row.id,
        player=told.player,
        kind=cast(pb.TransactionKind, row.kind),
        amount_cents=row.amount_cents,
        score=row.score,
        note=row.note,
        at=translate.timestamp(row.at),
        voided_at=None if row.voided_at is None else translate.timestamp(row.voided_at),
    )
