"""MarketService without its streams: instruments, books, trades, candles, the market's phase."""
# ruff: noqa: N802 - the methods are named by the contract

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, cast
from zoneinfo import ZoneInfo

import grpc
from bearpit.v1 import market_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from bearpit_server.events.records import QuoteRecord, TradeRecord
from bearpit_server.game.notices import announcements
from bearpit_server.game.notices.announcements import Announced
from bearpit_server.game.trading import instruments, market, news
from bearpit_server.game.trading.instruments import Supply
from bearpit_server.game.trading.market import Market as Hours
from bearpit_server.game.trading.news import Headline
from bearpit_server.identity.callers import signed_in
from bearpit_server.rules.candles import PERIODS, Candle
from bearpit_server.rules.refusals import invalid, not_found
from bearpit_server.rules.roles import Permission
from bearpit_server.rules.sessions import Phase
from bearpit_server.services import translate
from bearpit_server.services.pages import Page
from bearpit_server.storage import candles
from bearpit_server.storage.clock import now
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Instrument
from bearpit_server.streams import trades
from bearpit_server.streams.books import Depth, Level

Context = grpc.aio.ServicerContext[object, object]

MAX_LEVELS = 1_000
DEFAULT_LEVELS = 10
MAX_CANDLES = 1_000
DEFAULT_CANDLES = 200
DEFAULT_INSTRUMENTS = 500
MAX_SYMBOL = 12
MAX_SEARCH = 64
FOUND = 5
"""Instruments that a search may find at most to be a look at each of them."""
HOUSE_BOTS = "house-"
"""Begins the names of the house's own bots."""

_PERIODS = {
    pb.PERIOD_1M: PERIODS["1m"],
    pb.PERIOD_5M: PERIODS["5m"],
    pb.PERIOD_15M: PERIODS["15m"],
    pb.PERIOD_1H: PERIODS["1h"],
    pb.PERIOD_1D: PERIODS["1d"],
}


class Named(Protocol):
    """What tells an instrument."""

    @property
    def id(self) -> int: ...

    @property
    def symbol(self) -> str: ...


class Exchange(Protocol):
    """What is asked of the exchange here."""

    @property
    def instruments(self) -> Mapping[str, Named]:
        """All instruments by symbol."""
        ...

    @property
    def quotes(self) -> Mapping[int, QuoteRecord]:
        """The latest quotes by instrument id."""
        ...

    def watching(self, player_id: int, instrument_id: int) -> AbstractContextManager[None]:
        """A player has an instrument before him while the block lasts."""
        ...

    def glance(self, player_id: int, instrument_id: int) -> None:
        """A player has looked an instrument up."""
        ...

    async def depth(self, instrument_id: int, levels: int) -> tuple[Sequence[Level], Sequence[Level], int]:
        """A book's best bids and asks, and the last price."""
        ...


Status = tuple[Hours, Sequence[Announced], Sequence[Headline]]
"""What the operators have said of the market, the announcements that hold, and the latest headlines."""


def find(exchange: Exchange, symbol: str) -> Named:
    """The instrument of that symbol. Raises Refused NOT_FOUND."""
    found = exchange.instruments.get(symbol)
    if found is None:
        raise not_found("instrument", symbol[:MAX_SYMBOL])
    return found


def looker() -> int:
    """Whose look the current call is, by id; 0: nobody's.

    Only players look. Services and operators watch over the game, and the house's bots quote in it: they
    have every instrument before them all the time, and would drown what the players look at. Their names
    are all that tells them from players; who takes such a name only gives away his own looks.
    """
    caller = signed_in()
    if (
        caller.operator_id
        or not caller.may(Permission.PLAY)
        or caller.may(Permission.MANAGE_MARKET)
        or caller.name.lower().startswith(HOUSE_BOTS)
    ):
        return 0
    return caller.player_id


def within(field: str, value: int, highest: int, default: int) -> int:
    """A count of 1 to `highest`; 0 stands for the default. Raises Refused INVALID_FIELD."""
    if not 0 <= value <= highest:
        raise invalid(field, f"give a number from 1 to {highest}, or 0 for {default}")
    return value or default


class Market:
    """The unary RPCs of MarketService."""

    def __init__(self, exchange: Exchange, database: Database) -> None:
        self._exchange = exchange
        self._database = database

    async def ListInstruments(
        self, request: pb.ListInstrumentsRequest, context: Context
    ) -> pb.ListInstrumentsResponse:
        """What is traded, by symbol."""
        page = Page(request, default_size=DEFAULT_INSTRUMENTS)
        if len(request.search) > MAX_SEARCH:
            raise invalid("search", f"give at most {MAX_SEARCH} characters")

        def read() -> tuple[Sequence[Instrument], str, dict[int, Supply]]:
            query = Instrument.select().order_by(Instrument.symbol).limit(page.limit)
            if page.after:
                query = query.where(Instrument.symbol > page.after)
            if request.search:
                named = Instrument.symbol.contains(request.search) | Instrument.name.contains(request.search)
                query = query.where(named)
            rows, token = page.close(list(query), lambda row: row.symbol)
            return rows, token, instruments.supplies(rows)

        rows, token, supplies = await self._database.run(read)
        if request.search and not page.after and len(rows) <= FOUND and not token:
            for row in rows:
                self._exchange.glance(looker(), row.id)
        quotes = [self._quote(row) for row in rows]
        return pb.ListInstrumentsResponse(
            instruments=[
                translate.instrument(row, Phase(latest.phase), supplies[row.id])
                for row, latest in zip(rows, quotes, strict=True)
            ],
            quotes=map(quote, quotes),
            next_page_token=token,
        )

    async def GetInstrument(
        self, request: pb.GetInstrumentRequest, context: Context
    ) -> pb.GetInstrumentResponse:
        """One instrument with its quote."""

        def read() -> tuple[Instrument, Supply]:
            row = instruments.get(request.symbol)
            return row, instruments.supplies([row])[row.id]

        row, supply = await self._database.run(read)
        self._exchange.glance(looker(), row.id)
        latest = self._quote(row)
        return pb.GetInstrumentResponse(
            instrument=translate.instrument(row, Phase(latest.phase), supply), quote=quote(latest)
        )

    async def GetBook(self, request: pb.GetBookRequest, context: Context) -> pb.GetBookResponse:
        """A book's best levels."""
        found = find(self._exchange, request.symbol)
        levels = within("levels", request.levels, MAX_LEVELS, DEFAULT_LEVELS)
        self._exchange.glance(looker(), found.id)
        bids, asks, last_cents = await self._exchange.depth(found.id, levels)
        return pb.GetBookResponse(book=book(Depth(found.symbol, tuple(bids), tuple(asks), last_cents)))

    async def ListTrades(self, request: pb.ListTradesRequest, context: Context) -> pb.ListTradesResponse:
        """Public trades, newest first."""
        page = Page(request)
        instrument_id = find(self._exchange, request.symbol).id if request.symbol else None
        found = await self._database.run(trades.newest, page.limit, page.after_id, instrument_id)
        rows, token = page.close(found, lambda row: row.trade_id)
        return pb.ListTradesResponse(trades=map(trade, rows), next_page_token=token)

    async def ListCandles(self, request: pb.ListCandlesRequest, context: Context) -> pb.ListCandlesResponse:
        """The latest candles, oldest first."""
        period = _PERIODS.get(request.period)
        if period is None:
            raise invalid("period", "give one of 1M, 5M, 15M, 1H and 1D")
        found = find(self._exchange, request.symbol)
        limit = within("limit", request.limit, MAX_CANDLES, DEFAULT_CANDLES)
        before = _seconds(request.before) if request.HasField("before") else None
        self._exchange.glance(looker(), found.id)

        def read() -> list[Candle]:
            return candles.read(found.id, period, limit, before, ZoneInfo(market.read().time_zone))

        return pb.ListCandlesResponse(candles=map(candle, await self._database.run(read)))

    async def GetVolume(self, request: pb.GetVolumeRequest, context: Context) -> pb.GetVolumeResponse:
        """What was traded, by symbol; instruments without a trade too."""
        known = self._exchange.instruments
        asked = [find(self._exchange, request.symbol)] if request.symbol else list(known.values())
        start = int(_seconds(request.start) // 1) if request.HasField("start") else 0
        end = -int(-_seconds(request.end) // 1) if request.HasField("end") else int(now().timestamp()) + 1
        if end < start:
            raise invalid("end", "give a time that is not before the start")
        totals = await self._database.run(candles.totals, [one.id for one in asked], start, end)
        nothing = candles.Total(0, 0, 0)
        by_symbol = sorted((one.symbol, totals.get(one.id, nothing)) for one in asked)
        return pb.GetVolumeResponse(
            volumes=[
                pb.Volume(
                    symbol=symbol, quantity=total.quantity, value_cents=total.value_cents, trades=total.trades
                )
                for symbol, total in by_symbol
            ]
        )

    async def GetMarketStatus(
        self, request: pb.GetMarketStatusRequest, context: Context
    ) -> pb.GetMarketStatusResponse:
        """The market's phase, and when it changes."""
        status = await self._database.run(read_status)
        return pb.GetMarketStatusResponse(status=translate.market_status(*status, now()))

    def _quote(self, row: Instrument) -> QuoteRecord:
        """The latest; of an instrument the exchange has not met yet, what its row tells."""
        return self._exchange.quotes.get(row.id) or QuoteRecord(row.id, row.symbol, phase=row.phase)


def read_status() -> Status:
    """The market as operators have set it; inside a transaction."""
    return market.read(), announcements.standing(now()), news.latest()


def quote(record: QuoteRecord) -> pb.Quote:
    """The latest of an instrument."""
    return pb.Quote(
        instrument_id=record.instrument_id,
        symbol=record.symbol,
        bid_cents=record.bid_cents,
        bid_quantity=record.bid_quantity,
        ask_cents=record.ask_cents,
        ask_quantity=record.ask_quantity,
        last_cents=record.last_cents,
        volume=record.volume,
        previous_close_cents=record.previous_close_cents,
        phase=cast(pb.Phase, record.phase),
        high_cents=record.high_cents,
        low_cents=record.low_cents,
        indicative_cents=record.indicative_cents,
        indicative_quantity=record.indicative_quantity,
        priced_at_ms=record.priced_at_ms,
        attention_bps=record.attention_bps,
    )


def book(depth: Depth) -> pb.Book:
    """A book's levels."""
    return pb.Book(
        symbol=depth.symbol,
        bids=map(_level, depth.bids),
        asks=map(_level, depth.asks),
        last_cents=depth.last_cents,
    )


def _level(level: Level) -> pb.Level:
    price_cents, quantity, orders = level
    return pb.Level(price_cents=price_cents, quantity=quantity, orders=orders)


def trade(record: TradeRecord) -> pb.Trade:
    """A public trade."""
    return pb.Trade(
        trade_id=record.trade_id,
        symbol=record.symbol,
        price_cents=record.price_cents,
        quantity=record.quantity,
        aggressor=cast(pb.Aggressor, record.aggressor),
        executed_at=translate.timestamp(record.executed_at),
        reversed=record.reversed,
    )


def candle(span: Candle) -> pb.Candle:
    """What a span of trading came to."""
    return pb.Candle(
        start=Timestamp(seconds=span.start),
        open_cents=span.open_cents,
        high_cents=span.high_cents,
        low_cents=span.low_cents,
        close_cents=span.close_cents,
        volume=span.volume,
        value_cents=span.value_cents,
        trades=span.trades,
    )


def _seconds(at: Timestamp) -> float:
    return at.seconds + at.nanos / 1e9
