"""The open orders of an instrument in which one party deals with everybody: the house, or a pool.

They never meet each other. Each is executed against what the dealer offers at the moment, or waits for
the dealer's price to reach it. When it does, orders are dealt with by priority.
"""

from typing import Protocol

from bearpit_server.rules.lifecycle import end, trade
from bearpit_server.rules.mechanisms.base import Offer
from bearpit_server.rules.open_orders import OpenOrders
from bearpit_server.rules.orders import EndReason, Order, OrderStatus, OrderType, Side, TimeInForce
from bearpit_server.rules.outcomes import Fill, Outcome, Triggered
from bearpit_server.rules.stops import is_reached
from bearpit_server.rules.units import MAX_QUANTITY


class Dealer(Protocol):
    """Who is on the other side of every order."""

    @property
    def price_cents(self) -> int:
        """The price now, which triggers stops; 0: none."""
        ...

    @property
    def rests(self) -> bool:
        """Whether orders may wait for a better price."""
        ...

    @property
    def lot(self) -> int:
        """What quantities are multiples of."""
        ...

    def offer(self, side: Side, quantity: int, limit_cents: int) -> Offer:
        """What an order of this side gets now; with a limit of 0 at any price."""
        ...

    def order(self, side: Side) -> Order:
        """The dealer's own order on this side, as the maker of a fill."""
        ...

    def dealt(self, side: Side, quantity: int, price_cents: int) -> None:
        """Hear of a fill of an order of this side, so that the next offer follows from it."""
        ...


class DealerBook(OpenOrders):
    """Open orders, and how they are executed with the dealer."""

    __slots__ = ("_dealer", "_has_collected")

    def __init__(self, dealer: Dealer) -> None:
        super().__init__()
        self._dealer = dealer
        self._has_collected = False

    def execute(self, order: Order) -> list[Outcome]:
        """Takes an order: it waits, or is executed and rests or ends with what is left."""
        self._admit(order)
        if order.type < OrderType.STOP:
            return self._work(order, [])
        if self._dealer.price_cents and is_reached(order, self._dealer.price_cents):
            return self._work(order, [Triggered(order)])
        return [self._wait(order)]

    def preview(self, order: Order) -> list[tuple[int, int]]:
        """What the order would get if executed now: (price in cents, shares)."""
        if order.type >= OrderType.STOP and not is_reached(order, self._dealer.price_cents):
            return []
        offer = self._offer(order)
        return [(offer.price_cents, offer.quantity)] if offer.quantity and not order.post_only else []

    def resting_after(self, order: Order) -> int:
        """How many of the order's shares would rest or wait if it were executed now."""
        if order.type >= OrderType.STOP and not is_reached(order, self._dealer.price_cents):
            return order.remaining
        filled = self._offer(order).quantity
        if (filled and order.post_only) or not order.rests or not self._dealer.rests:
            return 0
        return order.remaining - filled

    def best_offer(self, side: Side) -> int:
        """The price of one lot for an order of this side; 0: nothing is offered."""
        offer = self._dealer.offer(side, self._dealer.lot, 0)
        return offer.price_cents if offer.quantity >= self._dealer.lot else 0

    def reached(self, most: int) -> list[Order]:
        """Open orders that can be executed now, at most so many.

        Stops go first, then market orders that were collected, bids, asks; each by priority.
        """
        found = self.reached_stops(self._dealer.price_cents) if self._dealer.price_cents else []
        if self._has_collected:
            found += [order for order in self.orders.values() if order.type == OrderType.MARKET]
        for side in Side:
            best = self.best_offer(side)
            if best and len(found) < most:
                facing = self.facing(side.opposite, best, MAX_QUANTITY)
                found += [order for order in facing if order.type != OrderType.MARKET]
        return found[:most]

    def collect(self, order: Order) -> list[Outcome]:
        """Takes an order while the market is not open: it waits, a market order for the opening."""
        self._has_collected = self._has_collected or order.type == OrderType.MARKET
        return super().collect(order)

    def deal(self, orders: list[Order]) -> list[Outcome]:
        """Executes open orders whose price is reached, in this order."""
        outcomes: list[Outcome] = []
        for order in orders:
            if order.id not in self.orders:
                continue
            self._withdraw(order)
            if order.status == OrderStatus.WAITING:
                order.priority = self.priorities()
                self._newest = max(self._newest, order.priority)
                outcomes.append(Triggered(order))
            self._work(order, outcomes)
        return outcomes

    def _work(self, order: Order, outcomes: list[Outcome]) -> list[Outcome]:
        offer = self._offer(order)
        if offer.quantity and order.post_only:
            outcomes.append(end(order, EndReason.WOULD_TAKE))
            return outcomes
        if order.time_in_force == TimeInForce.FOK and offer.quantity < order.remaining:
            outcomes.append(end(order, EndReason.NOT_FILLABLE))
            return outcomes
        if offer.quantity:
            trade(order, offer.price_cents, offer.quantity)
            self._dealer.dealt(order.side, offer.quantity, offer.price_cents)
            house = self._dealer.order(order.side.opposite)
            outcomes.append(Fill(house, order, offer.price_cents, offer.quantity))
        if order.remaining:
            may_rest = order.rests and self._dealer.rests
            outcomes.append(self._rest(order) if may_rest else end(order, EndReason.UNFILLED))
        return outcomes

    def _offer(self, order: Order) -> Offer:
        """What it gets now, in whole lots; what is left of a lot is dealt in as well."""
        offer = self._dealer.offer(order.side, order.remaining, order.price_cents)
        if offer.quantity == order.remaining:
            return offer
        lots = offer.quantity // self._dealer.lot * self._dealer.lot
        return self._dealer.offer(order.side, lots, order.price_cents) if lots else Offer(0, 0)
