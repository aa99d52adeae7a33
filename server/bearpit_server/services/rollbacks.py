"""RollbackService: undoing trades and prices, with an approval where it is a whole window."""
# ruff: noqa: N802 - the methods are named by the contract

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import grpc
from bearpit.v1 import rollbacks_pb2 as pb
from bearpit.v1.rollbacks_pb2_grpc import RollbackServiceServicer

from bearpit_server.events.bus import Bus
from bearpit_server.events.log import Origin
from bearpit_server.events.records import Record
from bearpit_server.game.texts import NOTE, line
from bearpit_server.game.trading import listings
from bearpit_server.identity import players
from bearpit_server.identity.callers import origin, signed_in
from bearpit_server.rollback import records, scope, survey, work
from bearpit_server.rollback.effects import SHOWN, Effects
from bearpit_server.rollback.records import OVER, POLICIES, Asked, State
from bearpit_server.rollback.runner import Runner
from bearpit_server.rollback.scope import Level, Scope
from bearpit_server.rules.refusals import Refused, invalid, not_found
from bearpit_server.services import rollback_messages as messages
from bearpit_server.services import window_messages
from bearpit_server.services.idempotency import Done, Once
from bearpit_server.services.pages import Page
from bearpit_server.storage import requests, reversals
from bearpit_server.storage.clock import now
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Rollback, Window

Context = grpc.aio.ServicerContext[object, object]

DEFAULT_LIFETIME = 3_600
MAX_LIFETIME = 7 * 24 * 3_600
WATCH_SECONDS = 0.25
_LEVELS = {int(level): level for level in Level}


class RollbackService(RollbackServiceServicer):
    """All of RollbackService."""

    def __init__(self, database: Database, bus: Bus, runner: Runner) -> None:
        self._database = database
        self._runner = runner
        self._once = Once(database, bus)

    async def RequestRollback(
        self, request: pb.RequestRollbackRequest, context: Context
    ) -> pb.RequestRollbackResponse:
        """Reverse, or ask for it where another operator must approve, or tell what that would do."""
        requests.check_id(request.request_id)
        by = origin(request.request_id)
        asked = await self._database.run(_asked, request)
        if request.validate_only:
            return await self._runner.alone(lambda: _rehearsed(asked, by))
        cancelled = 0
        if asked.scope.level is not Level.WINDOW:
            cancelled = await self._clear_way(asked.scope, asked.policy, by)

        def act() -> Done[pb.RequestRollbackResponse]:
            row = records.request(asked, by)
            did, told = _begun(row, by, cancelled)
            response = pb.RequestRollbackResponse(
                rollback=messages.rollback(records.told([row])[0]), effects=_effects(row, did)
            )
            return Done(response, told)

        response = await self._once.run(request, by, pb.RequestRollbackResponse, act)
        await self._follow(response.rollback)
        return response

    async def ApproveRollback(
        self, request: pb.ApproveRollbackRequest, context: Context
    ) -> pb.ApproveRollbackResponse:
        """Let another operator's request be done, and do it."""
        requests.check_id(request.request_id)
        by = origin(request.request_id)
        await self._database.run(records.expire)
        row = await self._database.run(records.get, request.rollback_id)
        asked = Scope.of(row)
        if request.validate_only:
            return await self._runner.alone(lambda: _rehearsed_approval(request.rollback_id, by))
        cancelled = 0
        if row.state == State.REQUESTED and row.requested_by != by.actor_id:
            cancelled = await self._clear_way(asked, row.policy, by)

        def act() -> Done[pb.ApproveRollbackResponse]:
            row = records.get(request.rollback_id, lock=True)
            records.check_waiting(row)
            survey.check_window(Scope.of(row))
            records.approve(row, by)
            did, told = _begun(row, by, cancelled)
            response = pb.ApproveRollbackResponse(
                rollback=messages.rollback(records.told([row])[0]), effects=_effects(row, did)
            )
            return Done(response, told)

        response = await self._once.run(request, by, pb.ApproveRollbackResponse, act)
        await self._follow(response.rollback)
        return response

    async def RejectRollback(
        self, request: pb.RejectRollbackRequest, context: Context
    ) -> pb.RejectRollbackResponse:
        """Turn a request down."""
        by = origin(request.request_id)
        await self._database.run(records.expire)

        def act() -> Done[pb.RejectRollbackResponse]:
            row = records.get(request.rollback_id, lock=True)
            records.reject(row, by)
            return Done(pb.RejectRollbackResponse(rollback=messages.rollback(records.told([row])[0])))

        return await self._once.run(request, by, pb.RejectRollbackResponse, act)

    async def ListRollbacks(
        self, request: pb.ListRollbacksRequest, context: Context
    ) -> pb.ListRollbacksResponse:
        """Requests and what became of them, newest first."""
        page = Page(request)
        found = await self._database.run(records.listed, request.waiting_only, page.after_id, page.limit)
        rows, token = page.close(found, lambda told: told.row.id)
        return pb.ListRollbacksResponse(rollbacks=map(messages.rollback, rows), next_page_token=token)

    async def GetRollback(self, request: pb.GetRollbackRequest, context: Context) -> pb.GetRollbackResponse:
        """One with what it did, or would do now."""
        signed_in()
        return await self._runner.alone(lambda: _looked_up(request.rollback_id))

    async def WatchRollback(
        self, request: pb.WatchRollbackRequest, context: Context
    ) -> AsyncGenerator[pb.WatchRollbackResponse, None]:
        """How far one is, at each change, until it is over."""

        def read() -> tuple[bool, pb.Rollback]:
            row = records.get(request.rollback_id)
            return State(row.state) in OVER, messages.rollback(records.told([row])[0])

        last = None
        while True:
            over, rollback = await self._database.run(read)
            if rollback != last:
                last = rollback
                yield pb.WatchRollbackResponse(rollback=rollback)
            if over:
                return
            await asyncio.sleep(WATCH_SECONDS)

    async def _follow(self, rollback: pb.Rollback) -> None:
        """Let a large one begin, and the exchange know other prices; after a repetition too."""
        if rollback.state == pb.ROLLBACK_STATE_RUNNING:
            self._runner.wake()
        elif rollback.level in (pb.ROLLBACK_LEVEL_WINDOW, pb.ROLLBACK_LEVEL_PRICES):
            await self._runner.changed()

    async def _clear_way(self, asked: Scope, policy: int, by: Origin) -> int:
        """Of a large one the runner does it, right before it begins."""
        if await self._database.run(work.is_large, asked):
            return 0
        return await self._runner.clear_way(asked, POLICIES[policy], by)


def _begun(row: Rollback, by: Origin, cancelled: int) -> tuple[Effects | None, list[Record]]:
    """Do it now, unless it waits for somebody or takes long; then None. Raises Refused."""
    asked = Scope.of(row)
    if row.state != State.RUNNING or work.is_large(asked):
        if asked.level is not Level.WINDOW:
            scope.check_some_left(asked)
        else:
            survey.check_window(asked)
        return None, []
    return work.whole(row, by, cancelled)


def _asked(request: pb.RequestRollbackRequest) -> Asked:
    """What is asked for. Raises Refused INVALID_FIELD or NOT_FOUND."""
    if request.level not in _LEVELS:
        raise invalid("level", "give TRADE, PLAYER, WINDOW or PRICES")
    level = _LEVELS[request.level]
    asked = Scope(level)
    if level is Level.TRADE:
        if request.trade_id < 1:
            raise invalid("trade_id", "give a trade's")
        asked = Scope(level, trade_id=request.trade_id)
    elif level is Level.PLAYER:
        since = _since(request) if request.HasField("since") else None
        if (since is None) == (not request.window_id):
            raise invalid("since", "give a time or a window, one of them")
        asked = Scope(level, 0, players.get(request.player).id, request.window_id, since)
    else:
        asked = Scope(level, window_id=request.window_id)
    if (level in (Level.WINDOW, Level.PRICES) or asked.window_id) and not (
        asked.window_id > 0 and Window.select().where(Window.id == asked.window_id).count()
    ):
        raise not_found("window", asked.window_id)
    if not 0 <= request.lifetime_seconds <= MAX_LIFETIME:
        raise invalid("lifetime_seconds", f"give 1 to {MAX_LIFETIME}, or 0 for {DEFAULT_LIFETIME}")
    policy = request.policy or pb.SHORTAGE_POLICY_REFUSE
    if policy not in POLICIES:
        raise invalid("policy", "give REFUSE, DEBT or HOUSE")
    return Asked(
        asked,
        policy,
        line("reason", request.reason, 1, NOTE),
        now() + timedelta(seconds=request.lifetime_seconds or DEFAULT_LIFETIME),
        window_messages.plan(request.plan).as_json() if request.HasField("plan") else None,
        dict(request.prices) or None,
    )


def _since(request: pb.RequestRollbackRequest) -> datetime:
    try:
        return request.since.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise invalid("since", "give a time that a calendar has") from None


def _rehearsed(asked: Asked, by: Origin) -> pb.RequestRollbackResponse:
    """What a request would do. Looks only, so there is nothing to be taken back."""
    reversals.patient()
    row = asked.row(by)
    would = survey.foresee(asked.scope, POLICIES[asked.policy], row)
    row.total = would.trades or len(would.prices)
    return pb.RequestRollbackResponse(
        rollback=messages.rollback(records.told([row])[0]), effects=_effects(row, would)
    )


def _rehearsed_approval(rollback_id: int, by: Origin) -> pb.ApproveRollbackResponse:
    reversals.patient()
    row = records.get(rollback_id)
    records.check_waiting(row)
    records.check_second(row, by)
    would = survey.foresee(Scope.of(row), POLICIES[row.policy], row)
    return pb.ApproveRollbackResponse(
        rollback=messages.rollback(records.told([row])[0]), effects=_effects(row, would)
    )


def _looked_up(rollback_id: int) -> pb.GetRollbackResponse:
    reversals.patient()
    row = records.get(rollback_id)
    did = None
    if row.effects is not None:
        did = Effects.parse(row.effects)
    elif State(row.state) not in OVER:
        try:
            did = survey.foresee(Scope.of(row), POLICIES[row.policy], row)
        except Refused:
            did = None  # it cannot be done as things are; who approves it is told why
    return pb.GetRollbackResponse(
        rollback=messages.rollback(records.told([row])[0]), effects=_effects(row, did)
    )


def _effects(row: Rollback, told: Effects | None) -> pb.Effects | None:
    """With the newest of its trades; inside a transaction."""
    if told is None:
        return None
    listed = []
    if row.level != Level.PRICES:
        begun = row.id if row.effects is not None else None
        listed = listings.by_ids(scope.shown(begun, Scope.of(row), SHOWN))
    return messages.effects(told, listed)
