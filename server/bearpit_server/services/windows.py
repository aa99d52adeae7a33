"""WindowService: windows as operators make and move them, and what they do to prices."""
# ruff: noqa: N802 - the methods are named by the contract

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

import grpc
from bearpit.v1 import windows_pb2 as pb

from bearpit_server.events.bus import Bus
from bearpit_server.events.log import Origin
from bearpit_server.events.records import WindowChange
from bearpit_server.game.texts import line
from bearpit_server.identity.callers import origin, signed_in
from bearpit_server.rules.refusals import Refused, not_found
from bearpit_server.rules.roles import Permission
from bearpit_server.rules.windows import WindowKind, WindowState
from bearpit_server.services import window_messages as messages
from bearpit_server.services.idempotency import Done, Mutation, Once, Response
from bearpit_server.services.pages import Page
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Window
from bearpit_server.windows import lifecycle, settlement
from bearpit_server.windows.lifecycle import Change, Wanted

Context = grpc.aio.ServicerContext[object, object]
R = TypeVar("R", bound=Response)

MAX_TITLE = 80
MAX_REASON = 140
PROGRESS_SECONDS = 0.1
"""How often somebody who watches a settlement is told."""


class Windows:
    """All of it but the stream."""

    def __init__(self, database: Database, bus: Bus, changed: Callable[[], Awaitable[None]]) -> None:
        """`changed` lets this process act on what a call has done to a window."""
        self._database = database
        self._once = Once(database, bus)
        self._changed = changed

    async def ListWindows(self, request: pb.ListWindowsRequest, context: Context) -> pb.ListWindowsResponse:
        """Windows, newest first."""
        page, for_operators = Page(request), _is_operator()

        def work() -> pb.ListWindowsResponse:
            query = Window.select().order_by(Window.id.desc()).limit(page.limit)
            if page.after_id is not None:
                query = query.where(Window.id < page.after_id)
            if request.current_only:
                query = query.where(Window.state < int(WindowState.CLOSED))
            if not for_operators:
                query = query.where(Window.state > int(WindowState.CREATED))
            rows, token = page.close(list(query), lambda row: row.id)
            return pb.ListWindowsResponse(
                windows=messages.windows(rows, for_operators), next_page_token=token
            )

        return await self._database.run(work)

    async def GetWindow(self, request: pb.GetWindowRequest, context: Context) -> pb.GetWindowResponse:
        """One window with what it did to prices."""
        for_operators = _is_operator()

        def work() -> pb.GetWindowResponse:
            row = lifecycle.get(request.window_id)
            if row.state == WindowState.CREATED and not for_operators:
                raise not_found("window", request.window_id)
            [window] = messages.windows([row], for_operators)
            return pb.GetWindowResponse(window=window, prices=messages.prices_of(row.id))

        return await self._database.run(work)

    async def CreateWindow(
        self, request: pb.CreateWindowRequest, context: Context
    ) -> pb.CreateWindowResponse:
        """Make a window."""
        wanted = Wanted(
            title=line("title", request.title, 1, MAX_TITLE),
            kind=WindowKind(request.kind or WindowKind.CHAPTER),
            number=request.number,
            symbols=list(request.symbols),
            times=messages.times(request.times),
            recurrence=request.recurrence,
            time_zone=request.time_zone,
            plan=messages.plan(request.plan),
            scheduled=request.scheduled,
        )

        def work(by: Origin) -> Done[pb.CreateWindowResponse]:
            made = pb.CreateWindowResponse(window=_message(lifecycle.create(wanted, by)))
            return Done(made, [WindowChange()])

        return await self._mutate(request, pb.CreateWindowResponse, work)

    async def UpdateWindow(
        self, request: pb.UpdateWindowRequest, context: Context
    ) -> pb.UpdateWindowResponse:
        """Change a window that has not settled."""
        change = Change(
            title=line("title", request.title, 1, MAX_TITLE) if request.HasField("title") else None,
            times=messages.times(request.times) if request.HasField("times") else None,
            recurrence=request.recurrence if request.HasField("recurrence") else None,
            plan=messages.plan(request.plan) if request.HasField("plan") else None,
        )

        def work(by: Origin) -> Done[pb.UpdateWindowResponse]:
            made = pb.UpdateWindowResponse(window=_message(lifecycle.update(request.window_id, change, by)))
            return Done(made, [WindowChange()])

        return await self._mutate(request, pb.UpdateWindowResponse, work)

    async def MoveWindow(self, request: pb.MoveWindowRequest, context: Context) -> pb.MoveWindowResponse:
        """Bring a window into another state."""
        reason = line("reason", request.reason, 0, MAX_REASON)
        to = messages.state(request.state)

        def work(by: Origin) -> Done[pb.MoveWindowResponse]:
            row = lifecycle.move(request.window_id, to, by, reason)
            return Done(pb.MoveWindowResponse(window=_message(row)), [WindowChange()])

        return await self._mutate(request, pb.MoveWindowResponse, work)

    async def SettleWindow(
        self, request: pb.SettleWindowRequest, context: Context
    ) -> AsyncGenerator[pb.SettleWindowResponse, None]:
        """Settle a window, or go on where that stopped, and tell how far it is."""
        if request.validate_only:
            found = await self._database.run(settlement.simulate, request.window_id)
            yield pb.SettleWindowResponse(
                total=len(found),
                prices=[messages.found_price(each) for _, each in found],
                step="this is what would come of it; nothing has changed",
            )
            return

        def work(by: Origin) -> Done[pb.SettleWindowResponse]:
            row = lifecycle.resume(request.window_id)
            if row.state != WindowState.SETTLING:
                lifecycle.move(row.id, WindowState.SETTLING, by)
            return Done(pb.SettleWindowResponse(), [WindowChange()])

        await self._mutate(request, pb.SettleWindowResponse, work)
        seen = 0
        told: pb.SettleWindowResponse | None = None
        while True:
            now, last, stopped = await self._database.run(_progress, request.window_id, seen)
            if told is None or now.prices or now.step != told.step:
                yield now
            told, seen = now, last
            if stopped is not None:
                raise stopped
            if now.step != messages.SETTLING:
                return
            await asyncio.sleep(PROGRESS_SECONDS)

    async def SimulateSettlement(
        self, request: pb.SimulateSettlementRequest, context: Context
    ) -> pb.SimulateSettlementResponse:
        """Try any plan on a past window."""
        plan = messages.plan(request.plan)

        def work() -> pb.SimulateSettlementResponse:
            pairs = settlement.simulate(request.window_id, plan)
            return pb.SimulateSettlementResponse(
                prices=[
                    pb.SimulatedPrice(
                        settled=None if row is None else messages.price(row, found.traded.symbol),
                        simulated=messages.found_price(found),
                    )
                    for row, found in pairs
                ]
            )

        return await self._database.run(work)

    async def CompareVariants(
        self, request: pb.CompareVariantsRequest, context: Context
    ) -> pb.CompareVariantsResponse:
        """What the variants of a window's experiment came to."""
        results = await self._database.run(settlement.compare, request.window_id)
        return pb.CompareVariantsResponse(variants=[messages.variant(result) for result in results])

    async def ListAlgorithms(
        self, request: pb.ListAlgorithmsRequest, context: Context
    ) -> pb.ListAlgorithmsResponse:
        """How prices can be settled."""
        return pb.ListAlgorithmsResponse(algorithms=messages.algorithms())

    async def _mutate(self, request: Mutation, answer: type[R], work: Callable[[Origin], Done[R]]) -> R:
        by = origin(request.request_id)
        response = await self._once.run(request, by, answer, lambda: work(by))
        if not request.validate_only:
            # After a repetition too: the first run may have ended between its commit and this.
            await self._changed()
        return response


def _is_operator() -> bool:
    return signed_in().may(Permission.MANAGE_WINDOWS)


def _message(row: Window) -> pb.Window:
    [made] = messages.windows([row], True)
    return made


def _progress(window_id: int, seen: int) -> tuple[pb.SettleWindowResponse, int, Refused | None]:
    """How far a settlement is, the last price that is told of it, and why it stands still, if it does."""
    row = lifecycle.get(window_id)
    found = settlement.prices(window_id, seen, holding_only=True)
    symbols = messages.symbols_of([window_id]).get(window_id, [])
    now = pb.SettleWindowResponse(
        done=len(symbols) - len(lifecycle.unsettled(window_id)),
        total=len(symbols),
        prices=messages.prices(found),
        step=messages.step(row),
    )
    stopped = None
    if row.stopped:
        stopped = Refused("NOT_POSSIBLE_NOW", row.stopped, state=WindowState(row.state).name)
    return now, found[-1].id if found else seen, stopped
