"""An order, and what it holds while it waits. The numbers of the enums are those of the protos."""

from dataclasses import dataclass
from enum import IntEnum

from bearpit_server.rules.units import fee_on


class Side(IntEnum):
    """Which way an order trades."""

    BUY = 1
    SELL = 2

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(IntEnum):
    """How an order's price is meant."""

    MARKET = 1
    LIMIT = 2
    STOP = 3
    STOP_LIMIT = 4


class TimeInForce(IntEnum):
    """How long an order works."""

    GTC = 1
    DAY = 2
    IOC = 3
    FOK = 4


class SelfTrade(IntEnum):
    """What happens when an order would trade with its own owner's resting order."""

    CANCEL_NEWEST = 1
    CANCEL_OLDEST = 2
    CANCEL_BOTH = 3
    DECREMENT = 4


class OrderStatus(IntEnum):
    """Where an order is in its life. Only QUEUED, WAITING and WORKING orders hold anything."""

    QUEUED = 1  # accepted and durable, not yet executed
    WAITING = 2  # a stop whose price has not been reached
    WORKING = 3  # in the book
    FILLED = 4
    CANCELLED = 5
    EXPIRED = 6

    @property
    def is_open(self) -> bool:
        return self <= OrderStatus.WORKING


class EndReason(IntEnum):
    """Why an order ended with shares left."""

    REQUESTED = 1  # its owner or an operator cancelled it
    UNFILLED = 2  # IOC or market: nothing more to be had at its price
    NOT_FILLABLE = 3  # FOK: not all of it could be had at once
    WOULD_TAKE = 4  # post-only: it would have traded at once
    SELF_TRADE = 5  # self-trade prevention
    DAY_ENDED = 6
    DISABLED = 7  # its owner was disabled


@dataclass(slots=True, eq=False)
class Order:
    """One order on its way through the book. Mutable: the book and the settlement fill it in.

    `price_cents` is the worst price it may trade at: the limit, or for market and stop orders the
    protection price. `stop_price_cents` is 0 unless the type is STOP or STOP_LIMIT.
    `priority` is its time priority at its price: lower goes first; unique in an instrument.
    """

    id: int
    owner_id: int
    instrument_id: int
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: int
    price_cents: int
    stop_price_cents: int = 0
    post_only: bool = False
    self_trade: SelfTrade = SelfTrade.CANCEL_NEWEST
    fee_bps: int = 0
    priority: int = 0
    filled: int = 0
    value_cents: int = 0
    """What has been traded so far, in cents, without fees."""
    fee_cents: int = 0
    """What has been charged so far."""
    status: OrderStatus = OrderStatus.QUEUED
    remaining: int = -1
    """Shares still wanted: quantity − filled while open, 0 once ended."""

    def __post_init__(self) -> None:
        if self.remaining < 0:
            self.remaining = self.quantity - self.filled

    @property
    def rests(self) -> bool:
        """Whether what cannot trade at once stays in the book."""
        return self.time_in_force <= TimeInForce.DAY and self.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)

    @property
    def hold(self) -> int:
        """What the order must hold now: shares for a sale, cents for a purchase.

        A purchase holds its worst price for every remaining share, and the fee that its total
        would then come to beyond what has been charged.
        """
        if self.side is Side.SELL:
            return self.remaining
        if not self.remaining:
            return 0
        worst = self.remaining * self.price_cents
        return worst + fee_on(self.value_cents + worst, self.fee_bps) - self.fee_cents
