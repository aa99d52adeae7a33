"""TradingService: translate, call the exchange, translate back."""
# ruff: noqa: N802 - the methods are named by the contract

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import cast

import grpc
from bearpit.v1 import market_pb2
from bearpit.v1 import trading_pb2 as pb

from bearpit_server.events.records import OrderRecord
from bearpit_server.exchange import orders
from bearpit_server.exchange.commands import Placed, Result
from bearpit_server.exchange.exchange import Ask, Exchange
from bearpit_server.identity.callers import Caller, origin, signed_in
from bearpit_server.rules.limits import Wish
from bearpit_server.rules.orders import OrderType, SelfTrade, Side, TimeInForce
from bearpit_server.rules.refusals import Refused, invalid, not_found
from bearpit_server.services import translate, wire
from bearpit_server.services.errors import as_message, refusal_of
from bearpit_server.services.pages import Page
from bearpit_server.services.translate import fill, order
from bearpit_server.storage.database import Database
from bearpit_server.storage.requests import body_hash, check_id

Context = grpc.aio.ServicerContext[object, object]

MAX_ORDERS = 1_000
IN_FLIGHT = 1_000
"""Entries of one EnterOrders stream that may wait for their answer."""

_SIDES = {int(side): side for side in Side}
_TYPES = {0: OrderType.LIMIT} | {int(type_): type_ for type_ in OrderType}
_TIMES = {0: TimeInForce.GTC} | {int(time): time for time in TimeInForce}
_SELF_TRADES = {0: SelfTrade.CANCEL_NEWEST} | {int(mode): mode for mode in SelfTrade}


class Trading:
    """The RPCs of TradingService but StreamOrders."""

    def __init__(self, exchange: Exchange, database: Database) -> None:
        self._exchange = exchange
        self._database = database

    async def PlaceOrder(self, request: pb.PlaceOrderRequest, context: Context) -> pb.PlaceOrderResponse:
        """One order, or what it would do."""
        return await self._place(request, signed_in())

    async def PlaceOrders(self, request: pb.PlaceOrdersRequest, context: Context) -> pb.PlaceOrdersResponse:
        """Many orders, a result each."""
        if not 1 <= len(request.orders) <= MAX_ORDERS:
            raise invalid("orders", f"give 1 to {MAX_ORDERS}")
        caller = signed_in()
        asks: list[Ask | Refused] = []
        previews: dict[int, pb.PlaceOrderResult] = {}
        for place, one in enumerate(request.orders):
            if one.validate_only:
                previews[place] = await self._previewed(one, caller)
                asks.append(invalid("validate_only", "previewed"))
            else:
                asks.append(_checked(one))
        results = await self._exchange.place(caller.player_id, asks, origin())
        response = pb.PlaceOrdersResponse()
        for place, result in enumerate(results):
            into = response.results.add()
            if place in previews:
                into.CopyFrom(previews[place])
            else:
                _write_result(into, result)
        return response

    async def EnterOrders(
        self, requests: AsyncIterator[pb.EnterOrdersRequest], context: Context
    ) -> AsyncGenerator[pb.EnterOrdersResponse, None]:
        """Entries as they come, answered in their order; up to a thousand are under way at once.

        Orders in a row go on together, cancels in a row too; else an entry waits for those before it, so
        that an order may count on what the cancel ahead of it sets free.
        """
        caller = signed_in()
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[asyncio.Task[pb.EnterOrdersResponse] | Exception | None]
        waiting = asyncio.Queue(IN_FLIGHT)
        under_way: set[asyncio.Task[pb.EnterOrdersResponse]] = set()

        async def read() -> None:
            last = None
            try:
                async for request in requests:
                    kind = request.WhichOneof("entry")
                    if under_way and (kind != last or kind == "amend"):
                        await asyncio.wait(under_way)
                    last = kind
                    task = loop.create_task(self._enter(request, caller))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                    await waiting.put(task)
            except Exception as error:
                await waiting.put(error)
            else:
                await waiting.put(None)

        reader = loop.create_task(read())
        try:
            while (entry := await waiting.get()) is not None:
                if isinstance(entry, Exception):
                    raise entry
                yield await entry
        finally:
            # Without a task group: it would turn the end of a generator into a group of exceptions.
            reader.cancel()
            for task in [*under_way]:
                task.cancel()

    async def _enter(self, request: pb.EnterOrdersRequest, caller: Caller) -> pb.EnterOrdersResponse:
        answer = pb.EnterOrdersResponse(correlation=request.correlation)
        try:
            wire.check(request)
            match request.WhichOneof("entry"):
                case "place":
                    answer.placed.CopyFrom(await self._place(request.place, caller))
                case "cancel":
                    answer.cancelled.order.CopyFrom(order(await self._cancel(request.cancel, caller)))
                case "amend":
                    answer.amended.CopyFrom(await self._amend(request.amend, caller))
                case _:
                    raise invalid("entry", "give place, cancel or amend")
        except Exception as error:
            answer.refusal.CopyFrom(as_message(refusal_of(error, "EnterOrders")))
        return answer

    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Context) -> pb.CancelOrderResponse:
        """Cancel one of the caller's."""
        return pb.CancelOrderResponse(order=order(await self._cancel(request, signed_in())))

    async def CancelAllOrders(
        self, request: pb.CancelAllOrdersRequest, context: Context
    ) -> pb.CancelAllOrdersResponse:
        """Cancel all of the caller's."""
        check_id(request.request_id)
        cancelled = await self._exchange.cancel_all(
            signed_in().player_id, self._instrument(request.symbol), origin(request.request_id)
        )
        return pb.CancelAllOrdersResponse(orders=map(order, cancelled))

    async def AmendOrder(self, request: pb.AmendOrderRequest, context: Context) -> pb.AmendOrderResponse:
        """Change one of the caller's."""
        return await self._amend(request, signed_in())

    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.GetOrderResponse:
        """One of the caller's, by its id or by its request's."""
        owner = signed_in().player_id

        def read() -> pb.GetOrderResponse:
            if request.request_id and not request.order_id:
                found = orders.by_request(owner, request.request_id)
                if found is None:
                    raise not_found("order of request", request.request_id[:64])
                record = found.record
            else:
                record = orders.by_id(request.order_id, owner)
            return pb.GetOrderResponse(order=order(record), fills=map(fill, orders.fills_of(record)))

        return await self._database.run(read)

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Context) -> pb.ListOrdersResponse:
        """The caller's, newest first."""
        owner = signed_in().player_id
        page = Page(request, owner)
        found = await self._database.run(
            orders.listed,
            owner,
            self._instrument(request.symbol),
            request.open_only,
            page.after_id,
            page.limit,
        )
        rows, token = page.close(found, lambda record: record.order_id)
        return pb.ListOrdersResponse(orders=map(order, rows), next_page_token=token)

    async def ListFills(self, request: pb.ListFillsRequest, context: Context) -> pb.ListFillsResponse:
        """The caller's, newest first."""
        owner = signed_in().player_id
        page = Page(request, owner)
        found = await self._database.run(
            orders.fills, owner, self._instrument(request.symbol), page.after_id, page.limit
        )
        rows, token = page.close(found, lambda record: record.trade_id)
        return pb.ListFillsResponse(fills=map(fill, rows), next_page_token=token)

    async def ExplainOrder(
        self, request: pb.ExplainOrderRequest, context: Context
    ) -> pb.ExplainOrderResponse:
        """Why one of the caller's has not filled."""
        why = await self._exchange.explain(request.order_id, signed_in().player_id)
        return pb.ExplainOrderResponse(
            obstacle=cast(pb.ExplainOrderResponse.Obstacle, int(why.obstacle)),
            message=why.message,
            orders_ahead=why.orders_ahead,
            shares_ahead=why.shares_ahead,
            distance_cents=why.distance_cents,
            order=order(why.order),
        )

    def _instrument(self, symbol: str) -> int | None:
        return self._exchange.listings.find(symbol).id if symbol else None

    async def _place(self, request: pb.PlaceOrderRequest, caller: Caller) -> pb.PlaceOrderResponse:
        ask = _ask(request)
        if request.validate_only:
            return pb.PlaceOrderResponse(preview=await self._preview(ask, caller))
        (result,) = await self._exchange.place(caller.player_id, [ask], origin(request.request_id))
        if isinstance(result, Refused):
            raise result
        return _placed(result)

    async def _preview(self, ask: Ask, caller: Caller) -> pb.Preview:
        return _preview(await self._exchange.preview(caller.player_id, ask))

    async def _previewed(self, request: pb.PlaceOrderRequest, caller: Caller) -> pb.PlaceOrderResult:
        ask = _checked(request)
        try:
            if isinstance(ask, Refused):
                raise ask
            placed = pb.PlaceOrderResponse(preview=await self._preview(ask, caller))
            return pb.PlaceOrderResult(placed=placed)
        except Refused as refused:
            return pb.PlaceOrderResult(refusal=as_message(refused))

    async def _cancel(self, request: pb.CancelOrderRequest, caller: Caller) -> OrderRecord:
        check_id(request.request_id)
        return await self._exchange.cancel(request.order_id, origin(), caller.player_id, request.request_id)

    async def _amend(self, request: pb.AmendOrderRequest, caller: Caller) -> pb.AmendOrderResponse:
        check_id(request.request_id)
        amended = await self._exchange.amend(
            request.order_id, caller.player_id, request.quantity, request.price_cents,
            request.stop_price_cents, origin(request.request_id),
        )  # fmt: skip
        return pb.AmendOrderResponse(order=order(amended.order), fills=map(fill, amended.fills))


def _checked(request: pb.PlaceOrderRequest) -> Ask | Refused:
    try:
        wire.check(request)
        return _ask(request)
    except Refused as refused:
        return refused


def _ask(request: pb.PlaceOrderRequest) -> Ask:
    """What is asked for. Raises Refused INVALID_FIELD."""
    spec = request.order
    side = _SIDES.get(spec.side)
    if side is None:
        raise invalid("order.side", "give BUY or SELL")
    if not request.validate_only:
        check_id(request.request_id)
    wish = Wish(
        side, _TYPES[spec.type], _TIMES[spec.time_in_force], spec.quantity, spec.price_cents,
        spec.stop_price_cents, spec.post_only, _SELF_TRADES[spec.self_trade],
    )  # fmt: skip
    digest = body_hash(spec.SerializeToString(deterministic=True))
    return Ask(spec.symbol, wish, request.request_id or "preview", digest)


def _placed(placed: Placed) -> pb.PlaceOrderResponse:
    made = pb.PlaceOrderResponse()
    _write_placed(made, placed)
    return made


def _write_placed(into: pb.PlaceOrderResponse, placed: Placed) -> None:
    translate.write_order(into.order, placed.order)
    for told in placed.fills:
        translate.write_fill(into.fills.add(), told)


def _write_result(into: pb.PlaceOrderResult, result: Result) -> None:
    if isinstance(result, Refused):
        into.refusal.CopyFrom(as_message(result))
    else:
        _write_placed(into.placed, result)


def _preview(seen: orders.Preview) -> pb.Preview:
    average = seen.filled_value_cents * 100 // seen.filled_quantity if seen.filled_quantity else 0
    return pb.Preview(
        fills=[market_pb2.Level(price_cents=price, quantity=quantity) for price, quantity in seen.fills],
        filled_quantity=seen.filled_quantity,
        filled_value_cents=seen.filled_value_cents,
        average_price_e4=average,
        fee_cents=seen.fee_cents,
        resting_quantity=seen.resting_quantity,
        free_cash_after_cents=seen.free_cash_after_cents,
        free_shares_after=seen.free_shares_after,
        hold=seen.hold,
        borrowed_cents=seen.borrowed_cents,
        worst_price_cents=seen.worst_price_cents,
        refusals=map(as_message, seen.refusals),
    )
