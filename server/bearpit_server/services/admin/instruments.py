"""The operators' RPCs on instruments, and their first sale."""
# ruff: noqa: N802 - the methods are named by the contract

from collections.abc import Sequence

from bearpit.v1 import admin_pb2 as pb
from bearpit.v1 import market_pb2

from bearpit_server.events.log import Origin
from bearpit_server.game.trading import instruments, ipo, market
from bearpit_server.game.trading.instruments import Change, Listing
from bearpit_server.services import translate
from bearpit_server.services.admin.desk import AtDesk, Context
from bearpit_server.services.idempotency import Done
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Instrument


class Instruments(AtDesk):
    """Listing and changing instruments."""

    async def CreateInstrument(
        self, request: pb.CreateInstrumentRequest, context: Context
    ) -> pb.CreateInstrumentResponse:
        """List a new instrument."""
        fee_bps = request.fee_bps if request.HasField("fee_bps") else self._desk.settings.number("fee_bps")
        wanted = Listing(
            symbol=request.symbol,
            name=request.name,
            tick_cents=request.tick_cents,
            lot=request.lot,
            min_quantity=request.min_quantity,
            max_quantity=request.max_quantity,
            fee_bps=fee_bps,
            band_bps=request.band_bps,
            reference_price_cents=request.reference_price_cents,
            mechanism=request.mechanism or instruments.ORDER_BOOK,
            group=request.group,
            parameters=dict(request.parameters),
        )

        def work(by: Origin) -> Done[pb.CreateInstrumentResponse]:
            [made] = messages([instruments.create(wanted, by)])
            return Done(pb.CreateInstrumentResponse(instrument=made))

        response = await self._desk.once(request, pb.CreateInstrumentResponse, work)
        await self._desk.refresh(request)
        return response

    async def UpdateInstrument(
        self, request: pb.UpdateInstrumentRequest, context: Context
    ) -> pb.UpdateInstrumentResponse:
        """Change what may be changed."""
        change = Change(
            name=request.name if request.HasField("name") else None,
            min_quantity=request.min_quantity if request.HasField("min_quantity") else None,
            max_quantity=request.max_quantity if request.HasField("max_quantity") else None,
            fee_bps=request.fee_bps if request.HasField("fee_bps") else None,
            band_bps=request.band_bps if request.HasField("band_bps") else None,
            reference_price_cents=(
                request.reference_price_cents if request.HasField("reference_price_cents") else None
            ),
            parameters=dict(request.parameters),
        )

        def work(by: Origin) -> Done[pb.UpdateInstrumentResponse]:
            [changed] = messages([instruments.update(request.symbol, change, by)])
            return Done(pb.UpdateInstrumentResponse(instrument=changed))

        response = await self._desk.once(request, pb.UpdateInstrumentResponse, work)
        await self._desk.refresh(request)
        return response

    async def OpenIpo(self, request: pb.OpenIpoRequest, context: Context) -> pb.OpenIpoResponse:
        """Issue shares and offer them; the exchange places the treasury's order as it refreshes."""

        def work(by: Origin) -> Done[pb.OpenIpoResponse]:
            [offered] = messages([ipo.open_ipo(request.symbol, request.price_cents, request.quantity, by)])
            return Done(pb.OpenIpoResponse(instrument=offered))

        response = await self._desk.once(request, pb.OpenIpoResponse, work)
        await self._desk.refresh(request)
        return response


def messages(rows: Sequence[Instrument]) -> list[market_pb2.Instrument]:
    """Instruments as the transaction has them, each with its phase and its shares."""
    hours, supplies, at = market.read(), instruments.supplies(rows), now()
    return [translate.instrument(row, hours.phase(at, row.halted), supplies[row.id]) for row in rows]
