"""The gateway to a real server, against one that has all its answers ready."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

import grpc
import pytest
from bearpit.client.contract import METHODS
from bearpit.v1 import auth_pb2, market_pb2, trading_pb2, wallet_pb2, windows_pb2
from bearpit_tui.commands import Amend
from bearpit_tui.drafts import Draft, Side
from bearpit_tui.gateway import Gateway
from bearpit_tui.model import Link, LinkState, OrderStatus, Phase, Timeframe
from bearpit_tui.remote import connector
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

pytestmark = pytest.mark.real_time

F = TypeVar("F")
Context = grpc.aio.ServicerContext[Message, Message]
DRAFT = Draft(Side.BUY, 100, "AAPL", price_cents=1240)
ORDER = trading_pb2.Order(
    order_id=7,
    spec=trading_pb2.OrderSpec(symbol="AAPL", side=trading_pb2.SIDE_BUY, quantity=100, price_cents=1240),
    status=trading_pb2.ORDER_STATUS_WORKING,
    remaining_quantity=100,
)
QUOTES = market_pb2.Quotes(quotes=[market_pb2.Quote(symbol="AAA", last_cents=6)])
BOOK = market_pb2.Book(symbol="AAA", bids=[market_pb2.Level(price_cents=5, quantity=6, orders=1)])
TRADES = market_pb2.Trades(trades=[market_pb2.Trade(symbol="AAA", price_cents=5, quantity=2)])
FILL = trading_pb2.Fill(trade_id=3, quantity=5)


def wired(message: Message) -> bytes:
    return message.SerializeToString()


def page(symbol: str, more: str) -> market_pb2.ListInstrumentsResponse:
    return market_pb2.ListInstrumentsResponse(
        instruments=[market_pb2.Instrument(symbol=symbol, lot=1)],
        quotes=[market_pb2.Quote(symbol=symbol, last_cents=5)],
        next_page_token=more,
    )


ANSWERS: dict[str, list[Message]] = {
    "SignIn": [
        auth_pb2.SignInResponse(
            player=auth_pb2.Player(name="ada"),
            tokens=auth_pb2.Tokens(access_token="a", refresh_token="r"),
        )
    ],
    "ListInstruments": [page("AAA", "next"), page("BBB", "")],
    "ListCandles": [market_pb2.ListCandlesResponse(candles=[market_pb2.Candle(close_cents=30)])],
    "StreamPrices": [
        market_pb2.StreamPricesResponse(sequence=1, snapshot=QUOTES),
        market_pb2.StreamPricesResponse(sequence=2, heartbeat=market_pb2.Heartbeat()),
        market_pb2.StreamPricesResponse(sequence=3, update=QUOTES),
    ],
    "StreamBook": [
        market_pb2.StreamBookResponse(sequence=1, snapshot=BOOK),
        market_pb2.StreamBookResponse(sequence=2, update=BOOK),
    ],
    "StreamTrades": [
        market_pb2.StreamTradesResponse(sequence=1, snapshot=TRADES),
        market_pb2.StreamTradesResponse(sequence=2, update=TRADES),
    ],
    "StreamStatus": [
        market_pb2.StreamStatusResponse(update=market_pb2.MarketStatus(phase=market_pb2.PHASE_CLOSED)),
        market_pb2.StreamStatusResponse(update=market_pb2.MarketStatus(phase=market_pb2.PHASE_OPEN)),
    ],
    "PlaceOrder": [
        trading_pb2.PlaceOrderResponse(order=ORDER, fills=[FILL], preview=trading_pb2.Preview(fee_cents=9))
    ],
    "AmendOrder": [trading_pb2.AmendOrderResponse(order=ORDER)],
    "CancelOrder": [trading_pb2.CancelOrderResponse(order=ORDER)],
    "CancelAllOrders": [trading_pb2.CancelAllOrdersResponse(orders=[ORDER, ORDER])],
    "GetOrder": [trading_pb2.GetOrderResponse(order=ORDER)],
    "ListOrders": [trading_pb2.ListOrdersResponse(orders=[ORDER])],
    "ListFills": [trading_pb2.ListFillsResponse(fills=[FILL])],
    "StreamWindows": [
        windows_pb2.StreamWindowsResponse(
            sequence=1, snapshot=windows_pb2.Windows(windows=[windows_pb2.Window(window_id=1)])
        ),
        windows_pb2.StreamWindowsResponse(sequence=2, heartbeat=market_pb2.Heartbeat()),
        windows_pb2.StreamWindowsResponse(
            sequence=3, update=windows_pb2.Windows(windows=[windows_pb2.Window(window_id=2)])
        ),
    ],
    "ExplainOrder": [trading_pb2.ExplainOrderResponse(message="It is first.")],
    "StreamOrders": [
        trading_pb2.StreamOrdersResponse(sequence=1, snapshot=trading_pb2.OrdersSnapshot(orders=[ORDER])),
        trading_pb2.StreamOrdersResponse(sequence=2, update=trading_pb2.OrderUpdate(order=ORDER, fill=FILL)),
    ],
    "StreamWallet": [
        wallet_pb2.StreamWalletResponse(sequence=1, snapshot=wallet_pb2.Wallet(cash_cents=5)),
        wallet_pb2.StreamWalletResponse(sequence=2, update=wallet_pb2.Wallet(cash_cents=4)),
    ],
}


class Server(grpc.GenericRpcHandler):
    """Answers every RPC of the contract from the table, and keeps what it was asked."""

    def __init__(self, answers: Mapping[str, list[Message]]) -> None:
        self.answers = answers
        self.asked: list[Message] = []
        self.lacks = ""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Message, Message] | None:
        method = METHODS[details.method]
        if method.name == self.lacks:
            return None
        answers = self.answers[method.name]
        reads = GetMessageClass(method.input_type).FromString
        if method.server_streaming:

            async def stream(request: Message, context: Context) -> AsyncIterator[Message]:
                for answer in answers:
                    yield answer

            return grpc.unary_stream_rpc_method_handler(stream, reads, wired)
        return grpc.unary_unary_rpc_method_handler(self._once(answers), reads, wired)

    def _once(self, answers: list[Message]) -> Callable[[Message, Context], Awaitable[Message]]:
        async def answer(request: Message, context: Context) -> Message:
            self.asked.append(request)
            if getattr(request, "request_id", "") == "unknown":
                await context.abort(grpc.StatusCode.NOT_FOUND, "no such order")
            return answers[1 if getattr(request, "page_token", "") else 0]

        return answer


@asynccontextmanager
async def signed_in(
    answers: Mapping[str, list[Message]] = ANSWERS,
) -> AsyncIterator[tuple[Gateway, Server]]:
    server = grpc.aio.server()
    answering = Server(answers)
    server.add_generic_rpc_handlers((answering,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    tokens: list[str] = []
    try:
        async with connector(False)(f"127.0.0.1:{port}", tokens.append) as gateway:
            await gateway.sign_in("ada", "correct horse")
            assert (gateway.player, tokens) == ("ada", ["r"])
            yield gateway, answering
    finally:
        await server.stop(0)


async def first(frames: AsyncGenerator[F, None], count: int) -> list[F]:
    seen: list[F] = []
    async with aclosing(frames) as reading:
        async for frame in reading:
            seen.append(frame)
            if len(seen) == count:
                break
    return seen


async def test_reads_all_pages_of_instruments() -> None:
    async with signed_in() as (gateway, _):
        instruments, quotes = await gateway.instruments()
        assert [one.symbol for one in instruments] == ["AAA", "BBB"]
        assert [one.last_cents for one in quotes] == [5, 5]


async def test_reads_candles_and_orders() -> None:
    async with signed_in() as (gateway, _):
        assert [bar.close_cents for bar in await gateway.bars("AAA", Timeframe.H1, 30)] == [30]
        assert [order.order_id for order in await gateway.orders()] == [7]
        assert [fill.trade_id for fill in await gateway.fills()] == [3]


async def test_places_under_the_given_id_and_previews_under_none_of_ours() -> None:
    async with signed_in() as (gateway, server):
        assert (await gateway.preview(DRAFT)).fee_cents == 9
        placed = await gateway.place(DRAFT, "mine")
        assert (placed.order.order_id, placed.fills[0].trade_id) == (7, 3)
        _, preview, place = server.asked
        assert isinstance(preview, trading_pb2.PlaceOrderRequest)
        assert isinstance(place, trading_pb2.PlaceOrderRequest)
        assert (preview.validate_only, place.validate_only) == (True, False)
        assert preview.request_id not in ("", "mine")
        assert place.request_id == "mine"


async def test_changes_and_cancels_and_asks() -> None:
    async with signed_in() as (gateway, _):
        assert (await gateway.amend(Amend(7, 50, 1230), "a")).order.status is OrderStatus.WORKING
        assert (await gateway.cancel(7, "b")).order_id == 7
        assert len(await gateway.cancel_all("", "c")) == 2
        assert await gateway.explain(7) == "It is first."


async def test_an_order_that_never_arrived_is_none() -> None:
    async with signed_in() as (gateway, _):
        assert await gateway.order_of_request("unknown") is None
        order = await gateway.order_of_request("known")
        assert order is not None
        assert order.order_id == 7


@pytest.mark.parametrize("name", ["prices", "book", "ticks", "orders", "wallet"])
async def test_a_stream_begins_whole_and_goes_on_in_parts(name: str) -> None:
    async with signed_in() as (gateway, _):
        stream = getattr(gateway, f"stream_{name}")
        frames = await first(stream("AAA") if name in ("book", "ticks") else stream(), 2)
        assert [getattr(frame, "whole", None) for frame in frames] == [True, False]


async def test_the_phase_is_streamed() -> None:
    async with signed_in() as (gateway, _):
        frames = await first(gateway.stream_status(), 2)
        assert [getattr(frame, "phase", None) for frame in frames] == [Phase.CLOSED, Phase.OPEN]


async def test_the_windows_are_streamed() -> None:
    async with signed_in() as (gateway, _):
        frames = await first(gateway.stream_windows(), 2)
        assert [frame.windows[0].window_id for frame in frames] == [1, 2]


async def test_the_connection_is_watched() -> None:
    async with signed_in() as (gateway, _):
        links: list[Link] = []
        unwatch = gateway.watch_link(links.append)
        unwatch()
        assert isinstance(links[0].state, LinkState)
