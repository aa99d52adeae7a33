"""The operators' RPCs on orders and trades of anyone."""
# ruff: noqa: N802 - the methods are named by the contract

from bearpit.v1 import admin_pb2 as pb
from bearpit.v1 import trading_pb2

from bearpit_server.exchange.order_events import record_of_row
from bearpit_server.game.trading import instruments, listings
from bearpit_server.game.trading.listings import ListedOrder, Which
from bearpit_server.identity import players
from bearpit_server.identity.callers import origin
from bearpit_server.rules.orders import OrderStatus
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.services import translate
from bearpit_server.services.admin.desk import AtDesk, Context
from bearpit_server.services.pages import Page
from bearpit_server.storage import requests
from bearpit_server.storage.models import HOUSE


class Orders(AtDesk):
    """Looking at everybody's orders and trades, and cancelling."""

    async def ListPlayerOrders(
        self, request: pb.ListPlayerOrdersRequest, context: Context
    ) -> pb.ListPlayerOrdersResponse:
        """Orders, newest first."""
        page = Page(request)

        def read() -> list[ListedOrder]:
            which = _which(request.name, request.symbol, request.open_only)
            return listings.orders(which, page.after_id, page.limit)

        rows, token = page.close(await self._desk.database.run(read), lambda order: order.row.id)
        return pb.ListPlayerOrdersResponse(orders=map(_message, rows), next_page_token=token)

    async def CancelPlayerOrder(
        self, request: pb.CancelPlayerOrderRequest, context: Context
    ) -> pb.CancelPlayerOrderResponse:
        """Cancel somebody's order; the exchange remembers the request."""
        requests.check_id(request.request_id)
        listed = await self._desk.database.run(listings.order, request.order_id)
        _check_not_of_an_ipo(listed)
        if request.validate_only:
            if listed.row.status > OrderStatus.WORKING:
                raise Refused(
                    "ORDER_NOT_OPEN", f"order {request.order_id} has ended already", "order_id",
                    order_id=request.order_id,
                )  # fmt: skip
            return pb.CancelPlayerOrderResponse(order=_message(listed))
        record = await self._desk.exchange.cancel(
            request.order_id, origin(request.request_id), request_id=request.request_id
        )
        return pb.CancelPlayerOrderResponse(order=translate.order(record, listed.player_name))

    async def ListPlayerTrades(
        self, request: pb.ListPlayerTradesRequest, context: Context
    ) -> pb.ListPlayerTradesResponse:
        """Trades with both sides, newest first."""
        page = Page(request)

        def read() -> list[listings.ListedTrade]:
            return listings.trades(_which(request.name, request.symbol), page.after_id, page.limit)

        rows, token = page.close(await self._desk.database.run(read), lambda trade: trade.row.id)
        return pb.ListPlayerTradesResponse(trades=map(translate.trade, rows), next_page_token=token)


def _which(name: str, symbol: str, open_only: bool = False) -> Which:
    """Raises Refused NOT_FOUND for a player or an instrument that there is not."""
    return Which(
        player_id=players.get(name).id if name else None,
        instrument_id=instruments.get(symbol).id if symbol else None,
        open_only=open_only,
    )


def _check_not_of_an_ipo(listed: ListedOrder) -> None:
    """Raises Refused for the treasury's open order: without it what is unsold could never be sold.

    The shares are issued already, and an instrument has one IPO.
    """
    if listed.row.player_id == HOUSE and listed.row.status <= OrderStatus.WORKING:
        raise invalid(
            "order_id",
            f"{listed.row.id} offers the shares of the IPO of {listed.symbol}, which goes on until all are "
            f"sold; to keep them from being bought, use `bearpit-admin market halt {listed.symbol}`",
        )


def _message(listed: ListedOrder) -> trading_pb2.Order:
    return translate.order(record_of_row(listed.row, listed.symbol), listed.player_name)
