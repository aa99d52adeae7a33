"""Instruments that trade by windows, and windows as tests make and move them."""

from datetime import UTC, datetime, timedelta
from zlib import crc32

from bearpit.client import Client
from bearpit.v1 import windows_pb2 as pb
from bearpit_server.ledger.accounts import open_account
from bearpit_server.storage import clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import CASH, HOUSE, Instrument
from google.protobuf.timestamp_pb2 import Timestamp

from tests.venue import Venue

State = pb.WindowState
SCHEDULED, OPEN, TRADING = pb.WINDOW_STATE_SCHEDULED, pb.WINDOW_STATE_OPEN, pb.WINDOW_STATE_TRADING
PAUSED, TRADE_CLOSE = pb.WINDOW_STATE_PAUSED, pb.WINDOW_STATE_TRADE_CLOSE
SETTLING, SETTLED = pb.WINDOW_STATE_SETTLING, pb.WINDOW_STATE_SETTLED
CLOSED, CANCELLED = pb.WINDOW_STATE_CLOSED, pb.WINDOW_STATE_CANCELLED


def insert_instruments(database: Database, *symbols: str, price_cents: int = 1_000) -> None:
    """Instruments of the mechanism "window", with the house's accounts of them."""
    with database.transaction():
        for symbol in symbols:
            row = Instrument.create(
                symbol=symbol, name=symbol, mechanism="window", shard=crc32(symbol.encode()) % 16,
                tick_cents=1, lot=1, min_quantity=1, max_quantity=1_000_000, fee_bps=0, band_bps=0,
                reference_price_cents=0, parameters={"price_cents": str(price_cents)},
                price_cents=price_cents, created_at=clock.now(),
            )  # fmt: skip
            for kind in ("issuer", "treasury"):
                open_account(HOUSE, row.id, kind)
            open_account(HOUSE, CASH, "dealer", row.id)


async def list_by_window(venue: Venue, *symbols: str, price_cents: int = 1_000) -> None:
    """The same, and the exchange knows of them."""
    insert_instruments(venue.database, *symbols, price_cents=price_cents)
    await venue.running.exchange.refresh()


def times(**given: datetime) -> pb.WindowTimes:
    """Times of a window: opens_at, trades_at, trading_ends_at, settles_at, closes_at."""
    made = pb.WindowTimes()
    for name, at in given.items():
        getattr(made, name).FromDatetime(at.astimezone(UTC))
    return made


def moments(begin: datetime, step: timedelta) -> dict[str, datetime]:
    """All five times, one step after the other."""
    names = ("opens_at", "trades_at", "trading_ends_at", "settles_at", "closes_at")
    return {name: begin + number * step for number, name in enumerate(names)}


def moment(message: Timestamp) -> datetime:
    """A time in a message."""
    return message.ToDatetime(UTC)


async def create(operator: Client, *symbols: str, **more: object) -> pb.Window:
    """A window, SCHEDULED unless told otherwise."""
    wanted: dict[str, object] = {"title": "A window", "kind": pb.WINDOW_KIND_WEEK, "scheduled": True, **more}
    request = pb.CreateWindowRequest(symbols=symbols, **wanted)  # type: ignore[arg-type]
    return (await operator.windows.CreateWindow(request)).window


async def move(operator: Client, window: pb.Window, *states: State, reason: str = "") -> pb.Window:
    """Bring a window through these states."""
    for state in states:
        request = pb.MoveWindowRequest(window_id=window.window_id, state=state, reason=reason)
        window = (await operator.windows.MoveWindow(request)).window
    return window


async def get(client: Client, window: pb.Window) -> pb.GetWindowResponse:
    """A window as it is now, with its prices."""
    return await client.windows.GetWindow(pb.GetWindowRequest(window_id=window.window_id))


async def settle(operator: Client, window: pb.Window) -> list[pb.SettleWindowResponse]:
    """Settle it, and all that is told meanwhile."""
    call = operator.windows.SettleWindow(pb.SettleWindowRequest(window_id=window.window_id))
    return [frame async for frame in call]


def prices(frames: list[pb.SettleWindowResponse]) -> dict[str, int]:
    """By symbol: the new prices that these told of."""
    return {price.symbol: price.price_cents for frame in frames for price in frame.prices}
