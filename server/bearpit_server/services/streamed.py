"""Services of which a part streams: their calls and their streams in one, as the contract has them."""

from collections.abc import Awaitable, Callable

from bearpit.v1.market_pb2_grpc import MarketServiceServicer
from bearpit.v1.trading_pb2_grpc import TradingServiceServicer
from bearpit.v1.wallet_pb2_grpc import WalletServiceServicer
from bearpit.v1.windows_pb2_grpc import WindowServiceServicer

from bearpit_server.events.bus import Bus
from bearpit_server.exchange.exchange import Exchange
from bearpit_server.services.duels import Duels, DuelStreams
from bearpit_server.services.market import Market
from bearpit_server.services.streaming import (
    MarketStreams,
    OrderStreams,
    Streams,
    WalletStreams,
    WindowStreams,
)
from bearpit_server.services.trading import Trading
from bearpit_server.services.wallet import Wallet
from bearpit_server.services.windows import Windows
from bearpit_server.storage.database import Database
from bearpit_server.storage.settings import Settings


class MarketService(Market, MarketStreams, MarketServiceServicer):
    """All of MarketService."""

    def __init__(self, exchange: Exchange, database: Database, streams: Streams) -> None:
        Market.__init__(self, exchange, database)
        MarketStreams.__init__(self, streams)


class TradingService(Trading, OrderStreams, TradingServiceServicer):
    """All of TradingService."""

    def __init__(self, exchange: Exchange, database: Database, streams: Streams) -> None:
        Trading.__init__(self, exchange, database)
        OrderStreams.__init__(self, streams)


class WalletService(Wallet, WalletStreams, WalletServiceServicer):
    """All of WalletService."""

    def __init__(
        self, exchange: Exchange, database: Database, bus: Bus, settings: Settings, streams: Streams
    ) -> None:
        Wallet.__init__(self, exchange, database, bus, settings)
        WalletStreams.__init__(self, streams)


class WindowService(Windows, WindowStreams, WindowServiceServicer):
    """All of WindowService."""

    def __init__(
        self, database: Database, bus: Bus, changed: Callable[[], Awaitable[None]], streams: Streams
    ) -> None:
        Windows.__init__(self, database, bus, changed)
        WindowStreams.__init__(self, streams)


class DuelService(Duels, DuelStreams):
    """All of DuelService."""

    def __init__(self, database: Database, bus: Bus, settings: Settings, streams: Streams) -> None:
        Duels.__init__(self, database, bus, settings)
        DuelStreams.__init__(self, streams.duels)
