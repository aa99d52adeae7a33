"""The market that the screen's measurement shows: it moves by chance, and a real gRPC server streams it.

Ten conflated frames a second, as a real server would send them; the book and the trades of the first
instrument come at the same pace, and it trades in every frame.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import grpc
from bearpit.client.contract import METHODS
from bearpit.v1 import auth_pb2, market_pb2, trading_pb2, wallet_pb2
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

INSTRUMENTS, TICKS_PER_SECOND, FRAMES_PER_SECOND = 500, 2_000, 10
LEVELS = 40
HELD, ORDERS = 8, 20
PLAYER = "ada"

Place = tuple[str, int]
"""A side of the book and a price."""


class Market:
    """Instruments that trade by chance, the first of them in every frame: its chart has no rest."""

    def __init__(self) -> None:
        self._rng = random.Random(1)
        self.opened = [self._rng.randint(1_000, 50_000) for _ in range(INSTRUMENTS)]
        self.lasts, self.volumes = list(self.opened), [0] * INSTRUMENTS
        self._depth: dict[int, int] = {}
        self._traded = 0

    def tick(self) -> list[int]:
        """Trades as often as in one frame's time; who traded."""
        each = min(TICKS_PER_SECOND // FRAMES_PER_SECOND, INSTRUMENTS)
        changed = [0, *self._rng.sample(range(1, INSTRUMENTS), each - 1)]
        for at in changed:
            self.lasts[at] = max(self.lasts[at] + self._rng.randint(-20, 20), 100)
            self.volumes[at] += self._rng.randint(1, 500)
        return changed

    def quote(self, at: int) -> market_pb2.Quote:
        last = self.lasts[at]
        return market_pb2.Quote(
            instrument_id=at + 1,
            symbol=f"S{at:03}",
            bid_cents=last - 1,
            bid_quantity=self._rng.randint(1, 900),
            ask_cents=last + 1,
            ask_quantity=self._rng.randint(1, 900),
            last_cents=last,
            volume=self.volumes[at],
            previous_close_cents=self.opened[at],
            phase=market_pb2.PHASE_OPEN,
            high_cents=max(last, self.opened[at]),
            low_cents=min(last, self.opened[at]),
        )

    def book(self) -> dict[Place, int]:
        """Shares by place around the first instrument's last price, some of them other than before."""
        last = self.lasts[0]
        prices = [price for step in range(1, LEVELS + 1) for price in (last - step, last + step)]
        for price in (*self._rng.sample(prices, 8), *(price for price in prices if price not in self._depth)):
            self._depth[price] = self._rng.randint(50, 900)
        return {("bid" if price < last else "ask", price): self._depth[price] for price in prices}

    def levels(self, book: Mapping[Place, int]) -> market_pb2.Book:
        sides: dict[str, list[market_pb2.Level]] = {"bid": [], "ask": []}
        for (side, price), shares in book.items():
            sides[side].append(market_pb2.Level(price_cents=price, quantity=shares, orders=3))
        return market_pb2.Book(symbol="S000", last_cents=self.lasts[0], bids=sides["bid"], asks=sides["ask"])

    def trade(self) -> market_pb2.Trade:
        self._traded += 1
        return market_pb2.Trade(
            trade_id=self._traded,
            symbol="S000",
            price_cents=self.lasts[0],
            quantity=self._rng.randint(1, 200),
            executed_at=_now(),
        )

    def candles(self, symbol: str, count: int) -> list[market_pb2.Candle]:
        """Minutes up to now, walked backwards from the last price."""
        minute, close = int(time.time()) // 60, self.lasts[int(symbol[1:])]
        walked = []
        for step in range(count):
            opened = max(close + self._rng.randint(-30, 30), 100)
            walked.append(
                market_pb2.Candle(
                    start=Timestamp(seconds=60 * (minute - step)),
                    open_cents=opened,
                    high_cents=max(opened, close) + 20,
                    low_cents=min(opened, close) - 20,
                    close_cents=close,
                    volume=self._rng.randint(100, 999),
                )
            )
            close = opened
        return walked[::-1]


def _now() -> Timestamp:
    stamp = Timestamp()
    stamp.FromNanoseconds(time.time_ns())
    return stamp


async def _beats() -> AsyncIterator[int]:
    """Numbers from 2, as many a second as there are frames; a frame that came late is followed sooner."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    number = 1
    while True:
        number += 1
        await asyncio.sleep(max(begun + number / FRAMES_PER_SECOND - loop.time(), 0))
        yield number


async def _prices(market: Market) -> AsyncIterator[Message]:
    everything = market_pb2.Quotes(quotes=map(market.quote, range(INSTRUMENTS)))
    yield market_pb2.StreamPricesResponse(sequence=1, server_time=_now(), snapshot=everything)
    async for number in _beats():
        changed = market_pb2.Quotes(quotes=map(market.quote, market.tick()))
        yield market_pb2.StreamPricesResponse(sequence=number, server_time=_now(), update=changed)


async def _book(market: Market) -> AsyncIterator[Message]:
    sent = market.book()
    yield market_pb2.StreamBookResponse(sequence=1, server_time=_now(), snapshot=market.levels(sent))
    async for number in _beats():
        book = market.book()
        changed = dict.fromkeys(sent.keys() - book.keys(), 0)
        changed |= {place: shares for place, shares in book.items() if sent.get(place) != shares}
        sent = book
        update = market.levels(changed)
        yield market_pb2.StreamBookResponse(sequence=number, server_time=_now(), update=update)


async def _trades(market: Market) -> AsyncIterator[Message]:
    yield market_pb2.StreamTradesResponse(server_time=_now(), snapshot=market_pb2.Trades())
    async for number in _beats():
        traded = market_pb2.Trades(trades=[market.trade() for _ in range(1 + number % 3)])
        yield market_pb2.StreamTradesResponse(
            sequence=traded.trades[-1].trade_id, server_time=_now(), update=traded
        )


async def _still(frame: Message) -> AsyncIterator[Message]:
    yield frame
    await asyncio.Event().wait()


class Server(grpc.GenericRpcHandler):
    """Answers what the screen asks at its start, and streams the market."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Message, Message] | None:
        method = METHODS.get(details.method)
        if method is None:
            return None  # the client also asks for the health, which only says how far away a server is
        reads = GetMessageClass(method.input_type).FromString
        if method.server_streaming:

            async def stream(request: Message, context: object) -> AsyncIterator[Message]:
                async for frame in self._stream(method.name):
                    yield frame

            return grpc.unary_stream_rpc_method_handler(stream, reads, _wired)

        async def answer(request: Message, context: object) -> Message:
            return self._answer(request)

        return grpc.unary_unary_rpc_method_handler(answer, reads, _wired)

    def _stream(self, name: str) -> AsyncIterator[Message]:
        market = self._market
        match name:
            case "StreamPrices":
                return _prices(market)
            case "StreamBook":
                return _book(market)
            case "StreamTrades":
                return _trades(market)
            case "StreamStatus":
                status = market_pb2.MarketStatus(phase=market_pb2.PHASE_OPEN, time_zone="UTC")
                return _still(market_pb2.StreamStatusResponse(sequence=1, snapshot=status))
            case "StreamOrders":
                orders = trading_pb2.OrdersSnapshot(orders=map(self._order, range(ORDERS)))
                return _still(trading_pb2.StreamOrdersResponse(sequence=1, snapshot=orders))
        held = [
            wallet_pb2.Position(symbol=f"S{at:03}", quantity=100, cost_cents=100 * market.opened[at])
            for at in range(HELD)
        ]
        wallet = wallet_pb2.Wallet(cash_cents=10_000_00, positions=held)
        return _still(wallet_pb2.StreamWalletResponse(sequence=1, snapshot=wallet))

    def _answer(self, request: Message) -> Message:
        market = self._market
        match request:
            case auth_pb2.SignInRequest():
                ends = Timestamp(seconds=int(time.time()) + 3600)
                return auth_pb2.SignInResponse(
                    player=auth_pb2.Player(name=PLAYER),
                    tokens=auth_pb2.Tokens(
                        access_token="a", access_expires_at=ends, refresh_token="r", refresh_expires_at=ends
                    ),
                )
            case market_pb2.ListInstrumentsRequest():
                return market_pb2.ListInstrumentsResponse(
                    instruments=[market_pb2.Instrument(symbol=f"S{at:03}") for at in range(INSTRUMENTS)],
                    quotes=map(market.quote, range(INSTRUMENTS)),
                )
            case market_pb2.ListCandlesRequest():
                return market_pb2.ListCandlesResponse(candles=market.candles(request.symbol, request.limit))
        return trading_pb2.ListOrdersResponse()

    def _order(self, at: int) -> trading_pb2.Order:
        """An order of the player's; some stand in the book on show."""
        spec = trading_pb2.OrderSpec(
            symbol=f"S{at % 5:03}",
            side=trading_pb2.SIDE_BUY,
            quantity=100,
            price_cents=self._market.opened[at % 5] - at,
        )
        return trading_pb2.Order(
            order_id=at + 1, spec=spec, status=trading_pb2.ORDER_STATUS_WORKING, remaining_quantity=100
        )


def _wired(message: Message) -> bytes:
    return message.SerializeToString()


@asynccontextmanager
async def serving(market: Market) -> AsyncIterator[str]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Server(market),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)
