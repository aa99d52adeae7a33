"""The operators' RPCs on the market's hours and halts."""
# ruff: noqa: N802 - the methods are named by the contract

from typing import cast

from bearpit.v1 import admin_pb2 as pb
from bearpit.v1 import market_pb2

from bearpit_server.events.log import Origin
from bearpit_server.game.notices import announcements
from bearpit_server.game.trading import market, news
from bearpit_server.services import translate
from bearpit_server.services.admin.desk import AtDesk, Context
from bearpit_server.services.admin.instruments import messages
from bearpit_server.services.idempotency import Done
from bearpit_server.storage.clock import now


class Market(AtDesk):
    """Opening, closing, halting."""

    async def SetMarketOverride(
        self, request: pb.SetMarketOverrideRequest, context: Context
    ) -> pb.SetMarketOverrideResponse:
        """Open or close by hand, or leave it to the schedule."""

        def work(by: Origin) -> Done[pb.SetMarketOverrideResponse]:
            market.set_override(request.override, by)
            return Done(pb.SetMarketOverrideResponse(status=status()))

        response = await self._desk.once(request, pb.SetMarketOverrideResponse, work)
        await self._desk.refresh(request)
        return response

    async def SetHalt(self, request: pb.SetHaltRequest, context: Context) -> pb.SetHaltResponse:
        """Halt or resume."""

        def work(by: Origin) -> Done[pb.SetHaltResponse]:
            concerned = market.halt(request.symbol, request.halted, by)
            return Done(pb.SetHaltResponse(instruments=messages(concerned)))

        response = await self._desk.once(request, pb.SetHaltResponse, work)
        await self._desk.refresh(request)
        return response

    async def SetSchedule(self, request: pb.SetScheduleRequest, context: Context) -> pb.SetScheduleResponse:
        """Set or remove the market's hours."""
        hours = None
        if request.HasField("schedule"):
            wanted = request.schedule
            hours = market.make_schedule(
                tuple(wanted.days), wanted.opens, wanted.closes, wanted.pre_open_minutes, wanted.time_zone
            )

        def work(by: Origin) -> Done[pb.SetScheduleResponse]:
            market.set_schedule(hours, by)
            return Done(pb.SetScheduleResponse(status=status()))

        response = await self._desk.once(request, pb.SetScheduleResponse, work)
        await self._desk.refresh(request)
        return response

    async def GetSchedule(self, request: pb.GetScheduleRequest, context: Context) -> pb.GetScheduleResponse:
        """The market's hours and override."""
        held = await self._desk.database.run(market.read)
        return pb.GetScheduleResponse(
            schedule=None if held.schedule is None else translate.schedule(held.schedule),
            override=cast(pb.MarketOverride, held.override),
            all_halted=held.all_halted,
        )


def status() -> market_pb2.MarketStatus:
    """The market as the transaction has it."""
    at = now()
    return translate.market_status(market.read(), announcements.standing(at), news.latest(), at)
