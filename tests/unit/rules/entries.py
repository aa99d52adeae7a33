"""Orders for tests of the book, in few words: an order's priority is its id, and so is its owner."""

from typing import TypedDict, Unpack

from bearpit_server.rules.book import Book, Ended, Fill, Outcome, Reduced, Rested, Triggered, Waiting
from bearpit_server.rules.orders import Order, OrderType, SelfTrade, Side, TimeInForce

from tests.unit.rules.naive_book import NaiveBook

AnyBook = Book | NaiveBook


class Terms(TypedDict, total=False):
    owner_id: int
    type: OrderType
    time_in_force: TimeInForce
    stop_price_cents: int
    post_only: bool
    self_trade: SelfTrade
    priority: int


def entry(order_id: int, side: Side, quantity: int, price_cents: int, **terms: Unpack[Terms]) -> Order:
    return Order(
        id=order_id,
        owner_id=terms.get("owner_id", order_id),
        instrument_id=1,
        side=side,
        type=terms.get("type", OrderType.LIMIT),
        time_in_force=terms.get("time_in_force", TimeInForce.GTC),
        quantity=quantity,
        price_cents=price_cents,
        stop_price_cents=terms.get("stop_price_cents", 0),
        post_only=terms.get("post_only", False),
        self_trade=terms.get("self_trade", SelfTrade.CANCEL_NEWEST),
        priority=terms.get("priority", order_id),
    )


def buy(order_id: int, quantity: int, price_cents: int, **terms: Unpack[Terms]) -> Order:
    return entry(order_id, Side.BUY, quantity, price_cents, **terms)


def sell(order_id: int, quantity: int, price_cents: int, **terms: Unpack[Terms]) -> Order:
    return entry(order_id, Side.SELL, quantity, price_cents, **terms)


def fills(outcomes: list[Outcome]) -> list[tuple[int, int, int, int]]:
    """Every fill among the outcomes: (maker, taker, price in cents, shares)."""
    return [
        (outcome.maker.id, outcome.taker.id, outcome.price_cents, outcome.quantity)
        for outcome in outcomes
        if isinstance(outcome, Fill)
    ]


def told(outcomes: list[Outcome]) -> list[str]:
    """The outcomes in short, such as "fill 1 with 2: 10 at 100"."""
    return [_told(outcome) for outcome in outcomes]


def _told(outcome: Outcome) -> str:
    match outcome:
        case Fill(maker, taker, price, quantity):
            return f"fill {maker.id} with {taker.id}: {quantity} at {price}"
        case Ended(order, quantity, reason):
            return f"ended {order.id}: {quantity} {reason.name}"
        case Reduced(order, quantity):
            return f"reduced {order.id}: {quantity}"
        case Rested(order):
            return f"rested {order.id}"
        case Waiting(order):
            return f"waiting {order.id}"
        case Triggered(order):
            return f"triggered {order.id}"
