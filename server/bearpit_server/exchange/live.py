"""An open order as the exchange carries it: what the book needs, and what its owner was told."""

from dataclasses import dataclass
from datetime import datetime

from bearpit_server.events.records import OrderRecord
from bearpit_server.rules.orders import Order, OrderStatus, OrderType, Side
from bearpit_server.rules.units import fee_on


@dataclass(slots=True, eq=False, kw_only=True)
class LiveOrder(Order):
    """An order with its identity and its settled state.

    The book runs ahead of the settlement within a batch: `filled`, `value_cents` and `quantity` are
    the book's, those called `settled_…` are what has been written and told.
    """

    symbol: str
    request_id: str
    accepted_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    cash_account: int
    share_account: int
    held: int = 0
    borrowed: int = 0
    """What of that, in cents, was drawn as a loan; an order that ends gives back what it has not spent."""
    end_reason: int = 0
    settled_quantity: int = -1
    settled_filled: int = -1
    settled_value: int = -1
    settled_status: OrderStatus = OrderStatus.WORKING
    told: OrderRecord | None = None
    """What its owner was told last, if anything since the books were built."""
    deals: bool = False
    """Whether it stands for a dealer, who is on the other side of all orders: it is no order in itself."""
    window_id: int = 0
    """Of a dealer's: the trading window that is on; 0: none."""

    def __post_init__(self) -> None:
        # Slotted dataclasses are rebuilt, so super() without arguments would not find its class.
        Order.__post_init__(self)
        self.settle()

    def settle(self) -> None:
        """Take the book's state as told."""
        self.settled_quantity = self.quantity
        self.settled_filled = self.filled
        self.settled_value = self.value_cents

    @property
    def holding_account(self) -> int:
        """The account that its hold is on."""
        return self.cash_account if self.side is Side.BUY else self.share_account

    def settled_hold(self) -> int:
        """What the settled state must hold; see Order.hold."""
        remaining = self.settled_quantity - self.settled_filled
        if self.settled_status > OrderStatus.WORKING or not remaining:
            return 0
        if self.side is Side.SELL:
            return remaining
        worst = remaining * self.price_cents
        return worst + fee_on(self.settled_value + worst, self.fee_bps) - self.fee_cents

    def known(self) -> OrderRecord:
        """What its owner knows of it."""
        return self.told or self.record()

    def record(self) -> OrderRecord:
        """What its owner is to be told now."""
        status = self.settled_status
        remaining = self.settled_quantity - self.settled_filled if status <= OrderStatus.WORKING else 0
        return OrderRecord(
            self.id, self.owner_id, self.instrument_id, self.symbol, self.side, self.type, self.time_in_force,
            self.settled_quantity, self.price_cents, self.stop_price_cents, self.post_only, self.self_trade,
            status, self.end_reason, self.settled_filled, remaining, self.settled_value, self.fee_cents,
            self.held, self.request_id, self.accepted_at, self.updated_at,
        )  # fmt: skip

    def first_status(self) -> OrderStatus:
        """What an order that only waits is told to be; that it rests is never written."""
        is_stop = self.type in (OrderType.STOP, OrderType.STOP_LIMIT)
        return OrderStatus.WAITING if is_stop else OrderStatus.WORKING
