"""A stage for the streams: their services and hubs, a bus, a PostgreSQL; tests play the exchange."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, TypeVar, cast

import grpc
from bearpit.v1.market_pb2_grpc import (
    MarketServiceServicer,
    MarketServiceStub,
    add_MarketServiceServicer_to_server,
)
from bearpit.v1.trading_pb2_grpc import (
    TradingServiceServicer,
    TradingServiceStub,
    add_TradingServiceServicer_to_server,
)
from bearpit.v1.wallet_pb2_grpc import (
    WalletServiceServicer,
    WalletServiceStub,
    add_WalletServiceServicer_to_server,
)
from bearpit_server.events import log
from bearpit_server.events.bus import Bus
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.events.records import OrderChange, QuoteRecord, TradeRecord, WalletChange
from bearpit_server.exchange import order_events
from bearpit_server.gate import SERVER_OPTIONS, Gate
from bearpit_server.identity.authority import Authority
from bearpit_server.identity.callers import Caller
from bearpit_server.identity.rates import Rates
from bearpit_server.ledger.accounts import open_account
from bearpit_server.ledger.journal import Journal
from bearpit_server.rules.orders import OrderStatus
from bearpit_server.rules.roles import PLAYER, permissions_of
from bearpit_server.services.market import Market
from bearpit_server.services.streaming import (
    MarketStreams,
    OrderStreams,
    Streams,
    WalletStreams,
    share_price_frames,
)
from bearpit_server.storage import bulk, candles
from bearpit_server.storage.clock import now
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import CASH, HOUSE, Account, Instrument, Order, Player
from bearpit_server.storage.settings import Settings
from bearpit_server.streams.books import Level
from bearpit_server.streams.orders import Recording
from google.protobuf.message import Message

Q = TypeVar("Q")
F = TypeVar("F")

if TYPE_CHECKING:
    from bearpit.v1.market_pb2_grpc import MarketServiceAsyncStub
    from bearpit.v1.trading_pb2_grpc import TradingServiceAsyncStub
    from bearpit.v1.wallet_pb2_grpc import WalletServiceAsyncStub


@dataclass(frozen=True)
class Listed:
    """An instrument."""

    id: int
    symbol: str


class Exchange:
    """What the streams ask of an exchange, set by the test."""

    def __init__(self) -> None:
        self.instruments: dict[str, Listed] = {}
        self.quotes: dict[int, QuoteRecord] = {}
        self.bids: tuple[Level, ...] = ()
        self.asks: tuple[Level, ...] = ()
        self.last_cents = 0

    def watching(self, player_id: int, instrument_id: int) -> AbstractContextManager[None]:
        return nullcontext()

    def glance(self, player_id: int, instrument_id: int) -> None:
        pass

    async def depth(self, instrument_id: int, levels: int) -> tuple[Sequence[Level], Sequence[Level], int]:
        return self.bids[:levels], self.asks[:levels], self.last_cents


class _Door:
    """Believes everyone: a token is a player's id."""

    def recognise(self, token: str) -> Caller:
        return Caller(int(token), f"player {token}", permissions_of([PLAYER]))


class _MarketService(Market, MarketStreams, MarketServiceServicer):
    def __init__(self, exchange: Exchange, database: Database, streams: Streams) -> None:
        Market.__init__(self, exchange, database)
        MarketStreams.__init__(self, streams)


class _TradingService(OrderStreams, TradingServiceServicer):
    """Only its stream; what is not here answers UNIMPLEMENTED."""


class _WalletService(WalletStreams, WalletServiceServicer):
    """Only its stream."""


class Stage:
    """A running server, and what a test does around it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.bus = Bus()
        self.bus.start(asyncio.get_running_loop())
        self.exchange = Exchange()
        recording = Recording(order_events.record_of_row, order_events.record_of)
        self.streams = Streams(self.exchange, self.bus, database, recording, asyncio.get_running_loop())
        settings = Settings()
        self.gate = Gate(cast(Authority, _Door()), Rates(settings))
        self.server = grpc.aio.server(options=SERVER_OPTIONS)
        self.server.add_generic_rpc_handlers((self.gate,))
        market = _MarketService(self.exchange, database, self.streams)
        add_MarketServiceServicer_to_server(market, self.gate.registry)
        share_price_frames(market, self.gate.registry)
        add_TradingServiceServicer_to_server(_TradingService(self.streams), self.gate.registry)  # type: ignore[abstract]
        add_WalletServiceServicer_to_server(_WalletService(self.streams), self.gate.registry)  # type: ignore[abstract]
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.exits = AsyncExitStack()
        self._ids = count(1)

    async def list_instrument(self, symbol: str) -> Listed:
        """List an instrument."""
        row = await self.database.run(_instrument, symbol)
        listed = Listed(int(row.id), symbol)
        self.exchange.instruments[symbol] = listed
        self.exchange.quotes[listed.id] = QuoteRecord(listed.id, symbol, phase=3)
        return listed

    async def player(self, cash_cents: int = 0) -> int:
        """A player's id."""
        return await self.database.run(_player, cash_cents)

    async def market(self, **options: int) -> "MarketServiceAsyncStub":
        """A client of MarketService, on a channel of its own."""
        return MarketServiceStub(await self.channel(**options))

    async def trading(self, **options: int) -> "TradingServiceAsyncStub":
        """A client of TradingService."""
        return TradingServiceStub(await self.channel(**options))

    async def wallet(self) -> "WalletServiceAsyncStub":
        """A client of WalletService."""
        return WalletServiceStub(await self.channel())

    async def channel(self, **options: int) -> grpc.aio.Channel:
        """A channel of its own; options as gRPC's, with _ for the dots."""
        given = [(f"grpc.{key}".replace("__", "."), value) for key, value in options.items()]
        channel = grpc.aio.insecure_channel(
            self.address, options=[*given, ("grpc.use_local_subchannel_pool", 1)]
        )
        return await self.exits.enter_async_context(channel)

    # --- the exchange's part ----------------------------------------------------------------------

    async def trade(
        self, listed: Listed, cents: int, quantity: int = 1, at: datetime | None = None, told: bool = True
    ) -> TradeRecord:
        """Commit a trade; tell the bus unless it is to be lost."""
        record = TradeRecord(next(self._ids), listed.id, listed.symbol, cents, quantity, 1, at or now())
        await self.database.run(commit_trades, [record])
        if told:
            self.bus.publish([record])
        return record

    async def order(self, player_id: int, listed: Listed, told: bool = True) -> OrderChange:
        """Accept an order; tell the bus unless it is to be lost."""
        change = await self.database.run(_order, next(self._ids), player_id, listed)
        if told:
            self.publish([change])
        return change

    async def change(self, order_id: int, count: int) -> list[OrderChange]:
        """Fill an order's shares one by one, and tell nobody."""
        return await self.database.run(_fill, order_id, count)

    async def pay(self, player_id: int, cents: int, told: bool = True) -> WalletChange:
        """Give a player cash; tell the bus unless it is to be lost."""
        (change,) = await self.database.run(_pay, player_id, cents)
        if told:
            self.publish([change])
        return change

    def publish(self, changes: Sequence[OrderChange | WalletChange]) -> None:
        """Tell the bus, as the exchange does: only of players whom somebody watches."""
        self.bus.publish([change for change in changes if change.player_id in self.bus.watched])


@asynccontextmanager
async def staged(database: Database) -> AsyncIterator[Stage]:
    """A stage on this loop."""
    stage = Stage(database)
    await stage.server.start()
    try:
        async with stage.exits:
            yield stage
    finally:
        stage.streams.stop()
        await stage.server.stop(None)


def token(player_id: int) -> tuple[tuple[str, str], ...]:
    """The metadata of a player's calls."""
    return (("authorization", f"Bearer {player_id}"),)


def commit_trades(trades: Sequence[TradeRecord]) -> None:
    """Write trades and their candles."""
    by_moment: dict[datetime, list[TradeRecord]] = {}
    for trade in trades:
        by_moment.setdefault(trade.executed_at, []).append(trade)
    for at, batch in by_moment.items():
        rows = [
            (t.trade_id, t.instrument_id, t.price_cents, t.quantity, t.aggressor, 1, 2, 1, 2, 0, 0, 0, 0)
            for t in batch
        ]
        with bulk.written() as writes:
            bulk.insert_trades(writes, list(zip(*rows, strict=True)), at)
    with bulk.written() as writes:
        candles.record(writes, trades)


def _instrument(symbol: str) -> Instrument:
    row: Instrument = Instrument.create(
        symbol=symbol, name=symbol, mechanism="order_book", shard=0, tick_cents=1, lot=1, min_quantity=1,
        max_quantity=1_000, fee_bps=0, band_bps=0, reference_price_cents=0, phase=3, created_at=now(),
    )  # fmt: skip
    for kind in ("issuer", "treasury"):
        open_account(HOUSE, row.id, kind)
    return row


_names = count(1)


def _player(cash_cents: int) -> int:
    row = Player.create(name=f"player{next(_names)}", password_hash="", roles=["player"], created_at=now())
    open_account(row.id, CASH)
    if cash_cents:
        _pay(row.id, cash_cents)
    return int(row.id)


def _pay(player_id: int, cents: int) -> list[WalletChange]:
    journal = Journal(now())
    account, issuer = open_account(player_id, CASH), open_account(HOUSE, CASH, "issuer")
    journal.lock({account, issuer})
    journal.post(issuer, account, cents, "grant", f"player:{player_id}", HOUSE_ORIGIN)
    return journal.write()


def _order(order_id: int, player_id: int, listed: Listed) -> OrderChange:
    at = now()
    row = Order.create(
        id=order_id, player_id=player_id, instrument_id=listed.id, side=1, type=2, time_in_force=1,
        quantity=1_000_000, price_cents=10, stop_price_cents=0, post_only=False, self_trade=1, fee_bps=0,
        priority=order_id, held=0, status=1, request_id=f"r{order_id}", request_hash=b"", accepted_at=at,
        updated_at=at,
    )  # fmt: skip
    journal = Journal(at)
    account = open_account(player_id, CASH)
    journal.lock({account})
    record = order_events.record_of_row(row, listed.symbol)
    sequence = journal.next_order_sequence(player_id)
    log.append([order_events.event_of(order_events.ACCEPTED, record, HOUSE_ORIGIN, sequence)], at)
    journal.write()
    return OrderChange(player_id, sequence, record, None)


def _fill(order_id: int, fills: int) -> list[OrderChange]:
    row = Order.get_by_id(order_id)
    symbol = Instrument.get_by_id(row.instrument_id).symbol
    record = order_events.record_of_row(row, symbol)
    at = now()
    journal = Journal(at)
    journal.lock({open_account(row.player_id, CASH)})
    changes, events = [], []
    for _ in range(fills):
        filled = record.filled + 1
        record = replace(
            record,
            filled=filled,
            remaining=record.quantity - filled,
            status=OrderStatus.WORKING,
            updated_at=at,
        )
        sequence = journal.next_order_sequence(row.player_id)
        changes.append(OrderChange(row.player_id, sequence, record, None))
        events.append(order_events.event_of(order_events.REDUCED, record, HOUSE_ORIGIN, sequence))
    log.append(events, at)
    journal.write()
    Order.update(filled=record.filled, updated_at=at).where(Order.id == order_id).execute()
    return changes


def order_sequence(player_id: int) -> int:
    """The player's latest number."""
    return int(Account.get((Account.owner == player_id) & (Account.asset == CASH)).order_sequence)


async def read(call: "grpc.aio.UnaryStreamCall[Q, F]") -> F:
    """The stream's next frame."""
    async with asyncio.timeout(10):
        frame = await call.read()
    assert isinstance(frame, Message), "the stream goes on"
    return cast(F, frame)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that gRPC notices by and by, and tells nobody."""
    for _ in range(1_000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError
