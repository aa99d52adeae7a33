"""Orders and phases in short words, as tests say them."""

from typing import Any

from bearpit.v1 import admin_pb2, errors_pb2
from bearpit.v1 import trading_pb2 as pb

OPEN = admin_pb2.MARKET_OVERRIDE_OPEN
CLOSED = admin_pb2.MARKET_OVERRIDE_CLOSED
PRE_OPEN = admin_pb2.MARKET_OVERRIDE_PRE_OPEN
BY_SCHEDULE = admin_pb2.MARKET_OVERRIDE_NONE

BUY, SELL = pb.SIDE_BUY, pb.SIDE_SELL
GTC, DAY = pb.TIME_IN_FORCE_GTC, pb.TIME_IN_FORCE_DAY
IOC, FOK = pb.TIME_IN_FORCE_IOC, pb.TIME_IN_FORCE_FOK
WAITING, WORKING = pb.ORDER_STATUS_WAITING, pb.ORDER_STATUS_WORKING
FILLED, CANCELLED, EXPIRED = pb.ORDER_STATUS_FILLED, pb.ORDER_STATUS_CANCELLED, pb.ORDER_STATUS_EXPIRED


def buy(symbol: str, quantity: int, price: int = 0, **more: Any) -> pb.OrderSpec:
    """A bid; without a price a market order, unless `type` says otherwise."""
    return spec(BUY, symbol, quantity, price, **more)


def sell(symbol: str, quantity: int, price: int = 0, **more: Any) -> pb.OrderSpec:
    """An offer; without a price a market order, unless `type` says otherwise."""
    return spec(SELL, symbol, quantity, price, **more)


def spec(side: pb.Side, symbol: str, quantity: int, price: int = 0, **more: Any) -> pb.OrderSpec:
    """A bid or an offer."""
    more.setdefault("type", pb.ORDER_TYPE_LIMIT if price else pb.ORDER_TYPE_MARKET)
    return pb.OrderSpec(symbol=symbol, side=side, quantity=quantity, price_cents=price, **more)


def traded(fills: Any) -> list[tuple[int, int]]:
    """Price and quantity of each fill."""
    return [(fill.price_cents, fill.quantity) for fill in fills]


def reason_of(refusal: pb.Refusal) -> str:
    """Why, as errors.proto names it, without its prefix."""
    return errors_pb2.Reason.Name(refusal.reason).removeprefix("REASON_")
