"""The streams: what the hubs know, in the contract's frames; one mixin for each service that has streams."""
# ruff: noqa: N802 - the methods are named by the contract

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

import grpc
from bearpit.v1 import market_pb2, trading_pb2, wallet_pb2, windows_pb2

from bearpit_server.events.bus import Bus
from bearpit_server.events.records import (
    DuelChange,
    NotificationChange,
    OrderChange,
    QuoteRecord,
    StatusChange,
    TradeRecord,
    WalletChange,
    WindowChange,
)
from bearpit_server.game.duels.listing import alive
from bearpit_server.game.notices import notifications
from bearpit_server.identity.callers import signed_in
from bearpit_server.rules.refusals import invalid
from bearpit_server.services import translate, window_messages
from bearpit_server.services.duel_messages import Alive
from bearpit_server.services.duels import DuelHub
from bearpit_server.services.market import (
    Exchange,
    Status,
    book,
    find,
    looker,
    quote,
    read_status,
    trade,
    within,
)
from bearpit_server.services.notifications import notifications_frame
from bearpit_server.storage.database import Database
from bearpit_server.streams.books import BookHub, Depth
from bearpit_server.streams.notifications import NotificationHub, Reading
from bearpit_server.streams.orders import OpenOrders, OrderHub, Recording
from bearpit_server.streams.players import Watched
from bearpit_server.streams.prices import PriceHub
from bearpit_server.streams.status import StatusHub
from bearpit_server.streams.subscription import Frame, OpenStreams, Timers
from bearpit_server.streams.trades import TradeHub
from bearpit_server.streams.wallets import WalletHub

Context = grpc.aio.ServicerContext[object, object]

MAX_SYMBOLS = 1_000
MAX_LEVELS = 100
DEFAULT_LEVELS = 20


class Streams:
    """All hubs of a process. They listen to the bus as soon as they are made; `stop` ends their streams."""

    def __init__(
        self, exchange: Exchange, bus: Bus, database: Database, recording: Recording, timers: Timers
    ) -> None:
        self.exchange = exchange
        self.open = OpenStreams(timers)
        watched = Watched(bus.watched)

        def wallet_frame(frame: Frame[WalletChange]) -> wallet_pb2.StreamWalletResponse:
            return wallets_frame(frame, exchange)

        async def read() -> Status:
            return await database.run(read_status)

        async def read_windows() -> windows_pb2.Windows:
            return await database.run(window_messages.overview)

        async def read_duels() -> Alive:
            return Alive(await database.run(alive))

        self.prices = PriceHub(exchange.quotes, prices_frame, self.open)
        self.books = BookHub(exchange.depth, book_frame, self.open)
        self.trades = TradeHub(database, trades_frame, self.open)
        self.status = StatusHub(read, status_frame, self.open)
        self.windows = StatusHub(read_windows, windows_frame, self.open)
        self.notifications = NotificationHub(
            watched,
            database,
            Reading(notifications.whole, notifications.after),
            notifications_frame,
            self.open,
        )
        self.duels: DuelHub = StatusHub(read_duels, lambda frame: frame, self.open)
        self.orders = OrderHub(watched, database, recording, orders_frame, self.open)
        self.wallets = WalletHub(watched, database, wallet_frame, self.open)
        bus.subscribe(QuoteRecord, self.prices.feed)
        bus.subscribe(QuoteRecord, self.books.feed)
        bus.subscribe(TradeRecord, self.trades.feed)
        bus.subscribe(StatusChange, self.status.feed)
        bus.subscribe(WindowChange, self.windows.feed)
        bus.subscribe(DuelChange, self.duels.feed)
        bus.subscribe(OrderChange, self.orders.feed)
        bus.subscribe(WalletChange, self.wallets.feed)
        bus.subscribe(NotificationChange, self.notifications.feed)

    def stop(self) -> None:
        """End all streams with NOT_READY, so that their clients connect again."""
        self.open.stop()


class MarketStreams:
    """The streams of MarketService."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def StreamPrices(
        self, request: market_pb2.StreamPricesRequest, context: Context
    ) -> AsyncGenerator[market_pb2.StreamPricesResponse, None]:
        """Quotes as they change."""
        if len(request.symbols) > MAX_SYMBOLS:
            raise invalid("symbols", f"give at most {MAX_SYMBOLS}, or none for all")
        found = frozenset(find(self._streams.exchange, symbol).id for symbol in request.symbols)
        with self._streams.prices.subscribe(found or None) as frames:
            while True:
                yield await frames.next()

    async def StreamBook(
        self, request: market_pb2.StreamBookRequest, context: Context
    ) -> AsyncGenerator[market_pb2.StreamBookResponse, None]:
        """A book as it changes."""
        found = find(self._streams.exchange, request.symbol)
        levels = within("levels", request.levels, MAX_LEVELS, DEFAULT_LEVELS)
        with (
            self._streams.exchange.watching(looker(), found.id),
            self._streams.books.subscribe(found.id, found.symbol, levels) as frames,
        ):
            while True:
                yield await frames.next()

    async def StreamTrades(
        self, request: market_pb2.StreamTradesRequest, context: Context
    ) -> AsyncGenerator[market_pb2.StreamTradesResponse, None]:
        """Trades as they happen."""
        found = find(self._streams.exchange, request.symbol)
        with (
            self._streams.exchange.watching(looker(), found.id),
            self._streams.trades.subscribe(found.id, _after(request)) as frames,
        ):
            while True:
                yield await frames.next()

    async def StreamStatus(
        self, request: market_pb2.StreamStatusRequest, context: Context
    ) -> AsyncGenerator[market_pb2.StreamStatusResponse, None]:
        """The market's phase as it changes."""
        with self._streams.status.subscribe() as frames:
            while True:
                yield await frames.next()


class OrderStreams:
    """The stream of TradingService."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def StreamOrders(
        self, request: trading_pb2.StreamOrdersRequest, context: Context
    ) -> AsyncGenerator[trading_pb2.StreamOrdersResponse, None]:
        """The caller's orders as they change."""
        with self._streams.orders.subscribe(signed_in().player_id, _after(request)) as frames:
            while True:
                yield await frames.next()


class WalletStreams:
    """The stream of WalletService."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def StreamWallet(
        self, request: wallet_pb2.StreamWalletRequest, context: Context
    ) -> AsyncGenerator[wallet_pb2.StreamWalletResponse, None]:
        """The caller's wallet as it changes."""
        with self._streams.wallets.subscribe(signed_in().player_id, _after(request)) as frames:
            while True:
                yield await frames.next()


class WindowStreams:
    """The stream of WindowService."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def StreamWindows(
        self, request: windows_pb2.StreamWindowsRequest, context: Context
    ) -> AsyncGenerator[windows_pb2.StreamWindowsResponse, None]:
        """Windows as they change."""
        with self._streams.windows.subscribe() as frames:
            while True:
                yield await frames.next()


class Resumable(Protocol):
    """What the requests of numbered streams have in common."""

    @property
    def after_sequence(self) -> int: ...


def _after(request: Resumable) -> int:
    if request.after_sequence < 0:
        raise invalid("after_sequence", "give the number of the last frame you have, or 0 to begin anew")
    return request.after_sequence


# --- one frame is encoded once, however many are sent it -------------------------------------------


class SerializeOnce:
    """Serialises a message that many streams send: the first time it is seen, and not again."""

    KEPT = 64

    def __init__(self) -> None:
        self._kept: dict[int, tuple[market_pb2.StreamPricesResponse, bytes]] = {}

    def __call__(self, message: market_pb2.StreamPricesResponse) -> bytes:
        """Its bytes."""
        kept = self._kept.get(id(message))
        if kept is None:
            if len(self._kept) == self.KEPT:
                del self._kept[next(iter(self._kept))]
            # The message is kept with its bytes, so that its id stays its own.
            kept = self._kept[id(message)] = message, message.SerializeToString()
        return kept[1]


def share_price_frames(servicer: MarketStreams, server: grpc.aio.Server) -> None:
    """Register StreamPrices again, so that a frame that is shared is serialised once.

    Call it after `add_MarketServiceServicer_to_server`: the last registration of a method counts.
    """
    handler = grpc.unary_stream_rpc_method_handler(
        servicer.StreamPrices,
        request_deserializer=market_pb2.StreamPricesRequest.FromString,
        response_serializer=SerializeOnce(),
    )
    server.add_registered_method_handlers("bearpit.v1.MarketService", {"StreamPrices": handler})


# --- frames ----------------------------------------------------------------------------------------


def prices_frame(frame: Frame[Sequence[QuoteRecord]]) -> market_pb2.StreamPricesResponse:
    """A frame of prices."""
    made = market_pb2.StreamPricesResponse(sequence=frame.sequence, server_time=translate.timestamp(frame.at))
    if frame.content is None:
        made.heartbeat.SetInParent()
    else:
        into = made.snapshot if frame.kind == "snapshot" else made.update
        into.SetInParent()
        into.quotes.extend(map(quote, frame.content))
    return made


def book_frame(frame: Frame[Depth]) -> market_pb2.StreamBookResponse:
    """A frame of a book."""
    made = market_pb2.StreamBookResponse(sequence=frame.sequence, server_time=translate.timestamp(frame.at))
    if frame.content is None:
        made.heartbeat.SetInParent()
    else:
        into = made.snapshot if frame.kind == "snapshot" else made.update
        into.CopyFrom(book(frame.content))
    return made


def trades_frame(frame: Frame[Sequence[TradeRecord]]) -> market_pb2.StreamTradesResponse:
    """A frame of trades."""
    made = market_pb2.StreamTradesResponse(sequence=frame.sequence, server_time=translate.timestamp(frame.at))
    if frame.content is None:
        made.heartbeat.SetInParent()
    else:
        into = made.snapshot if frame.kind == "snapshot" else made.update
        into.SetInParent()
        into.trades.extend(map(trade, frame.content))
    return made


def status_frame(frame: Frame[Status]) -> market_pb2.StreamStatusResponse:
    """A frame of the market's phase."""
    made = market_pb2.StreamStatusResponse(sequence=frame.sequence, server_time=translate.timestamp(frame.at))
    if frame.content is None:
        made.heartbeat.SetInParent()
    else:
        into = made.snapshot if frame.kind == "snapshot" else made.update
        into.CopyFrom(translate.market_status(*frame.content, frame.at))
    return made


def windows_frame(frame: Frame[windows_pb2.Windows]) -> windows_pb2.StreamWindowsResponse:
    """A frame of trading windows."""
    made = windows_pb2.StreamWindowsResponse(
        sequence=frame.sequence, server_time=translate.timestamp(frame.at)
    )
    if frame.content is None:
        made.heartbeat.SetInParent()
    else:
        (made.snapshot if frame.kind == "snapshot" else made.update).CopyFrom(frame.content)
    return made


def orders_frame(frame: Frame[OpenOrders | OrderChange]) -> trading_pb2.StreamOrdersResponse:
    """A frame of a player's orders."""
    made = trading_pb2.StreamOrdersResponse(
        sequence=frame.sequence, server_time=translate.timestamp(frame.at)
    )
    if frame.content is None:
        made.heartbeat.SetInParent()
    elif isinstance(frame.content, OpenOrders):
        made.snapshot.SetInParent()
        made.snapshot.orders.extend(map(translate.order, frame.content.orders))
    else:
        made.update.order.CopyFrom(translate.order(frame.content.order))
        if frame.content.fill is not None:
            made.update.fill.CopyFrom(translate.fill(frame.content.fill))
    return made


def wallets_frame(frame: Frame[WalletChange], exchange: Exchange) -> wallet_pb2.StreamWalletResponse:
    """A frame of a player's wallet."""
    made = wallet_pb2.StreamWalletResponse(sequence=frame.sequence, server_time=translate.timestamp(frame.at))
    if frame.content is None:
        made.heartbeat.SetInParent()
    else:
        into = made.snapshot if frame.kind == "snapshot" else made.update
        into.player_id = frame.content.player_id
        into.cash_cents = frame.content.cash_cents
        into.held_cents = frame.content.held_cents
        into.debt_cents = frame.content.debt_cents or 0
        into.positions.extend(_positions(frame.content, exchange))
    return made


def _positions(change: WalletChange, exchange: Exchange) -> list[wallet_pb2.Position]:
    if not change.positions:
        return []
    named = {one.id: one.symbol for one in exchange.instruments.values()}
    positions = [
        wallet_pb2.Position(
            symbol=named.get(asset, ""),
            quantity=quantity,
            held=held,
            cost_cents=cost,
            realised_cents=realised,
        )
        for asset, quantity, held, cost, realised in change.positions
    ]
    return sorted(positions, key=lambda position: position.symbol)
