"""The gateway to a real server: `bearpit.client` in the screen's words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

import grpc
from bearpit.client import BearpitError, Client, Connection, connect
from bearpit.v1 import auth_pb2, market_pb2, trading_pb2
from bearpit_tui import wire
from bearpit_tui.camp.codes import RemoteCodes
from bearpit_tui.camp.duels import RemoteDuels
from bearpit_tui.camp.inbox import RemoteLetters
from bearpit_tui.camp.news import RemoteNewsroom
from bearpit_tui.camp.people import RemotePeople
from bearpit_tui.camp.ranks import RemoteRankings
from bearpit_tui.camp.teams import RemoteTeams
from bearpit_tui.camp.wallet import RemotePurse
from bearpit_tui.commands import Amend
from bearpit_tui.drafts import Draft
from bearpit_tui.gateway import (
    BookFrame,
    Connector,
    Gateway,
    OrdersFrame,
    Placed,
    PricesFrame,
    TicksFrame,
    WalletFrame,
)
from bearpit_tui.model import (
    Bar,
    Fill,
    Instrument,
    Link,
    LinkState,
    Me,
    Order,
    Preview,
    Quote,
    Status,
    Timeframe,
)
from bearpit_tui.windows import Windows

PAGE = 500
BOOK_LEVELS = 40
LATEST_ORDERS = 50
LATEST_FILLS = 200


def connector(tls: bool | str) -> Connector:
    """Opens gateways with or without TLS; a text is the file of the certificate authority to trust."""

    @asynccontextmanager
    async def open_gateway(server: str, on_refresh_token: Callable[[str], None]) -> AsyncIterator[Gateway]:
        def on_tokens(tokens: auth_pb2.Tokens | None) -> None:
            on_refresh_token(tokens.refresh_token if tokens is not None else "")

        async with connect(server, tls=tls, on_tokens=on_tokens) as client:
            yield Remote(client)

    return open_gateway


class Remote:
    """One server, through the client that everybody shares."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.purse = RemotePurse(client)
        self.codes = RemoteCodes(client)
        self.people = RemotePeople(client)
        self.rankings = RemoteRankings(client)
        self.duels = RemoteDuels(client)
        self.newsroom = RemoteNewsroom(client)
        self.letters = RemoteLetters(client)
        self.teams = RemoteTeams(client)

    @property
    def player(self) -> str:
        return self._client.player.name if self._client.player is not None else ""

    def new_request_id(self) -> str:
        return self._client.new_request_id()

    def watch_link(self, callback: Callable[[Link], None]) -> Callable[[], None]:
        def tell(connection: Connection) -> None:
            callback(Link(LinkState(connection.state), connection.latency_ms))

        tell(self._client.connection)
        return self._client.connection.subscribe(tell)

    async def sign_in(self, name: str, password: str) -> None:
        await self._client.sign_in(name, password)

    async def register(self, name: str, password: str) -> None:
        await self._client.register(name, password)

    async def resume(self, refresh_token: str) -> None:
        await self._client.resume(refresh_token)

    async def sign_out(self) -> None:
        await self._client.sign_out()

    async def me(self) -> Me:
        return wire.me(await self._client.auth.GetMe(auth_pb2.GetMeRequest()))

    async def change_password(self, old: str, new: str) -> None:
        await self._client.change_password(old, new)

    async def sign_out_everywhere(self) -> None:
        await self._client.sign_out_everywhere()

    async def instruments(self) -> tuple[list[Instrument], list[Quote]]:
        instruments: list[Instrument] = []
        quotes: list[Quote] = []
        token = ""
        while True:
            request = market_pb2.ListInstrumentsRequest(page_size=PAGE, page_token=token)
            page = await self._client.market.ListInstruments(request)
            instruments += [wire.instrument(one) for one in page.instruments]
            quotes += [wire.quote(one) for one in page.quotes]
            token = page.next_page_token
            if not token:
                return instruments, quotes

    async def bars(self, symbol: str, timeframe: Timeframe, limit: int) -> list[Bar]:
        request = market_pb2.ListCandlesRequest(symbol=symbol, period=wire.PERIODS[timeframe], limit=limit)
        return [wire.bar(one) for one in (await self._client.market.ListCandles(request)).candles]

    async def orders(self) -> list[Order]:
        request = trading_pb2.ListOrdersRequest(page_size=LATEST_ORDERS)
        return [wire.order(one) for one in (await self._client.trading.ListOrders(request)).orders]

    async def fills(self) -> list[Fill]:
        request = trading_pb2.ListFillsRequest(page_size=LATEST_FILLS)
        return [wire.fill(one) for one in (await self._client.trading.ListFills(request)).fills]

    async def preview(self, draft: Draft) -> Preview:
        # The id of a preview is never used again; the contract asks for one all the same.
        request = trading_pb2.PlaceOrderRequest(
            order=wire.spec(draft), request_id=self.new_request_id(), validate_only=True
        )
        return wire.preview((await self._client.trading.PlaceOrder(request)).preview)

    async def place(self, draft: Draft, request_id: str) -> Placed:
        request = trading_pb2.PlaceOrderRequest(order=wire.spec(draft), request_id=request_id)
        answer = await self._client.trading.PlaceOrder(request)
        return Placed(wire.order(answer.order), tuple(wire.fill(one) for one in answer.fills))

    async def amend(self, change: Amend, request_id: str) -> Placed:
        request = trading_pb2.AmendOrderRequest(
            order_id=change.order_id,
            quantity=change.quantity,
            price_cents=change.price_cents,
            stop_price_cents=change.stop_cents,
            request_id=request_id,
        )
        answer = await self._client.trading.AmendOrder(request)
        return Placed(wire.order(answer.order), tuple(wire.fill(one) for one in answer.fills))

    async def cancel(self, order_id: int, request_id: str) -> Order:
        request = trading_pb2.CancelOrderRequest(order_id=order_id, request_id=request_id)
        return wire.order((await self._client.trading.CancelOrder(request)).order)

    async def cancel_all(self, symbol: str, request_id: str) -> list[Order]:
        request = trading_pb2.CancelAllOrdersRequest(symbol=symbol, request_id=request_id)
        return [wire.order(one) for one in (await self._client.trading.CancelAllOrders(request)).orders]

    async def order_of_request(self, request_id: str) -> Order | None:
        try:
            answer = await self._client.trading.GetOrder(trading_pb2.GetOrderRequest(request_id=request_id))
        except BearpitError as error:
            if error.code is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        return wire.order(answer.order)

    async def explain(self, order_id: int) -> str:
        request = trading_pb2.ExplainOrderRequest(order_id=order_id)
        return (await self._client.trading.ExplainOrder(request)).message

    async def stream_prices(self) -> AsyncGenerator[PricesFrame, None]:
        async with aclosing(self._client.stream_prices()) as frames:
            async for frame in frames:
                whole = frame.HasField("snapshot")
                quotes = frame.snapshot.quotes if whole else frame.update.quotes
                known = tuple(wire.quote(one) for one in quotes)
                yield PricesFrame(known, wire.moment(frame.server_time), whole)

    async def stream_book(self, symbol: str) -> AsyncGenerator[BookFrame, None]:
        async with aclosing(self._client.stream_book(symbol, BOOK_LEVELS)) as frames:
            async for frame in frames:
                whole = frame.HasField("snapshot")
                yield BookFrame(wire.book(frame.snapshot if whole else frame.update), whole)

    async def stream_ticks(self, symbol: str) -> AsyncGenerator[TicksFrame, None]:
        async with aclosing(self._client.stream_trades(symbol)) as frames:
            async for frame in frames:
                whole = frame.HasField("snapshot")
                trades = frame.snapshot.trades if whole else frame.update.trades
                yield TicksFrame(tuple(wire.tick(one) for one in trades), whole)

    async def stream_status(self) -> AsyncGenerator[Status, None]:
        async with aclosing(self._client.stream_status()) as frames:
            async for frame in frames:
                yield wire.status(frame.snapshot if frame.HasField("snapshot") else frame.update)

    async def stream_windows(self) -> AsyncGenerator[Windows, None]:
        async with aclosing(self._client.stream_windows()) as frames:
            async for frame in frames:
                yield wire.windows(frame.snapshot if frame.HasField("snapshot") else frame.update)

    async def stream_orders(self) -> AsyncGenerator[OrdersFrame, None]:
        async with aclosing(self._client.stream_orders()) as frames:
            async for frame in frames:
                if frame.HasField("snapshot"):
                    yield OrdersFrame(tuple(wire.order(one) for one in frame.snapshot.orders), whole=True)
                else:
                    update = frame.update
                    fill = wire.fill(update.fill) if update.HasField("fill") else None
                    yield OrdersFrame((wire.order(update.order),), fill)

    async def stream_wallet(self) -> AsyncGenerator[WalletFrame, None]:
        async with aclosing(self._client.stream_wallet()) as frames:
            async for frame in frames:
                whole = frame.HasField("snapshot")
                yield WalletFrame(wire.wallet(frame.snapshot if whole else frame.update), whole)
