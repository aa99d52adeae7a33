"""The open orders of one instrument: those that work, on two ladders, and the stops that wait.

How they trade is `book`'s. Order and outcome objects are shared with the caller.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from hashlib import sha256

from bearpit_server.rules.ladder import Ladder
from bearpit_server.rules.lifecycle import cut, end, fingerprint
from bearpit_server.rules.orders import EndReason, Order, OrderStatus, OrderType, Side, TimeInForce
from bearpit_server.rules.outcomes import Outcome, Rested, Waiting
from bearpit_server.rules.stops import Stops

# An enum's member costs five times as much to look up as a module's name.
_BUY = Side.BUY
_WAITING = OrderStatus.WAITING
_WORKING = OrderStatus.WORKING

Depth = tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]
"""Bids and asks, best first: (price in cents, shares, orders)."""


class OpenOrders(ABC):
    """What is in a book: to be seen, restored, cancelled and made smaller.

    `orders` holds all of it by id. `last_price_cents` is the price of the last trade, None before the first.
    `priorities` gives a triggered stop its new time priority; by default one more than any seen.
    An order is queued at its price by its priority, whenever it arrives.
    """

    __slots__ = ("_asks", "_bids", "_newest", "_stops", "last_price_cents", "orders", "priorities")

    def __init__(self, last_price_cents: int | None = None) -> None:
        self.last_price_cents = last_price_cents
        self.orders: dict[int, Order] = {}
        self.priorities: Callable[[], int] = lambda: self._newest + 1
        self._bids = Ladder(Side.BUY)
        self._asks = Ladder(Side.SELL)
        self._stops = Stops()
        self._newest = 0  # the highest priority seen

    def restore(self, order: Order) -> None:
        """Puts an order back as it was, on recovery: to its place by priority, without matching."""
        self._admit(order)
        if order.status == _WAITING:
            self._wait(order)
        else:
            assert order.status == _WORKING, f"order {order.id} is {order.status.name}"
            self._rest(order)

    def cancel(self, order_id: int, reason: EndReason = EndReason.REQUESTED) -> list[Outcome]:
        """Ends an order. KeyError if it is not in the book."""
        order = self.orders[order_id]
        self._withdraw(order)
        return [end(order, reason)]

    def reduce(self, order_id: int, quantity: int) -> list[Outcome]:
        """Makes an order smaller, to `quantity` shares in all, more than are filled; it keeps its place.

        KeyError if it is not in the book.
        """
        order = self.orders[order_id]
        assert order.filled < quantity < order.quantity, f"order {order_id} cannot shrink to {quantity}"
        return [self._cut(order, order.quantity - quantity)]

    def collect(self, order: Order) -> list[Outcome]:
        """Takes an order in a call phase: it rests without matching, a market order at its protection price.

        Stops wait, even if their price is reached. An IOC limit order or a FOK order, which is refused in
        such a phase but may have been accepted just before it, ends.
        """
        self._admit(order)
        if order.type >= OrderType.STOP:
            return [self._wait(order)]
        if order.time_in_force == TimeInForce.FOK:
            return [end(order, EndReason.NOT_FILLABLE)]
        if order.time_in_force == TimeInForce.IOC and order.type == OrderType.LIMIT:
            return [end(order, EndReason.UNFILLED)]
        return [self._rest(order)]

    def replace(
        self,
        order_id: int,
        price_cents: int,
        quantity: int,
        priority: int,
        matching: bool,
        stop_price_cents: int = 0,
    ) -> list[Outcome]:
        """Amends an order so that it loses its place, as if withdrawn and entered anew; what it filled stays.

        A stop that waits, waits on, at `stop_price_cents` (0: as it is), unless that is reached.
        A post-only order that would now trade ends. KeyError if it is not in the book.
        """
        order = self.orders[order_id]
        assert quantity > order.filled, f"order {order_id} has filled {order.filled} of {quantity}"
        self._withdraw(order)
        order.price_cents = price_cents
        order.quantity = quantity
        order.remaining = quantity - order.filled
        order.priority = priority
        self._newest = max(self._newest, priority)
        if order.status == _WAITING:
            order.stop_price_cents = stop_price_cents or order.stop_price_cents
            return self.execute(order) if matching else [self._wait(order)]
        return self._work(order, []) if matching else [self._rest(order)]

    @property
    def best_bid(self) -> int | None:
        return self._bids.best_cents

    @property
    def best_ask(self) -> int | None:
        return self._asks.best_cents

    def depth(self, levels: int) -> Depth:
        """So many of the best levels of each side."""
        return self._bids.depth(levels), self._asks.depth(levels)

    def queue_ahead(self, order_id: int) -> tuple[int, int]:
        """How many orders, and how many shares, trade before this one on its side.

        KeyError if it is not working in the book; a waiting stop is in no queue.
        """
        order = self.orders[order_id]
        if order.status != _WORKING:
            raise KeyError(order_id)
        orders = shares = 0
        for level in self._ladder(order).best_first():
            if level.price_cents == order.price_cents:
                break
            orders += len(level.queue)
            shares += level.shares
        for other in level.queue.values():
            if other is order:
                break
            orders += 1
            shares += other.remaining
        return orders, shares

    def digest(self) -> str:
        """A hash of the last price and every open order in priority: equal if and only if the books are."""
        digest = sha256(f"{self.last_price_cents}".encode())
        stops = [order for order in self.orders.values() if order.status == _WAITING]
        stops.sort(key=lambda order: order.priority)
        for orders in (self._bids.orders(), self._asks.orders(), stops):
            digest.update(b"|")
            for order in orders:
                digest.update(fingerprint(order).encode())
        return digest.hexdigest()

    def facing(self, side: Side, price_cents: int, quantity: int) -> Iterator[Order]:
        """The orders that one of this side, price and size would meet, best first; a last one in part."""
        opposite = self._asks if side == _BUY else self._bids
        limit = opposite.sign * price_cents
        for key in reversed(opposite.keys):
            if key < limit:
                return
            for order in opposite.levels[key].queue.values():
                if quantity <= 0:
                    return
                quantity -= order.remaining
                yield order

    def reached_stops(self, price_cents: int) -> list[Order]:
        """The waiting stops that a price triggers, by priority; they stay."""
        return sorted(self._stops.reached(price_cents), key=lambda order: order.priority)

    # For the book

    @abstractmethod
    def execute(self, order: Order) -> list[Outcome]:
        """Takes an order while the market is open."""

    @abstractmethod
    def preview(self, order: Order) -> list[tuple[int, int]]:
        """What the order would trade if executed now: (price in cents, shares)."""

    @abstractmethod
    def resting_after(self, order: Order) -> int:
        """How many of the order's shares would rest or wait if it were executed now."""

    @abstractmethod
    def _work(self, order: Order, outcomes: list[Outcome]) -> list[Outcome]:
        """Trades what an order can get now, and rests or ends what is left."""

    def _ladder(self, order: Order) -> Ladder:
        return self._bids if order.side == _BUY else self._asks

    def _admit(self, order: Order) -> None:
        assert order.remaining > 0, f"order {order.id} wants nothing"
        assert order.id not in self.orders, f"order {order.id} is in the book already"
        if order.priority > self._newest:
            self._newest = order.priority

    def _wait(self, order: Order) -> Waiting:
        order.status = _WAITING
        self.orders[order.id] = order
        self._stops.add(order)
        return Waiting(order)

    def _rest(self, order: Order) -> Rested:
        order.status = _WORKING
        self.orders[order.id] = order
        if order.priority >= self._newest:
            self._ladder(order).append(order)
        else:
            self._ladder(order).insert(order)
        return Rested(order)

    def _withdraw(self, order: Order) -> None:
        del self.orders[order.id]
        if order.status == _WAITING:
            self._stops.remove(order)
        else:
            (self._bids if order.side == _BUY else self._asks).remove(order)

    def _cut(self, order: Order, quantity: int) -> Outcome:
        """Takes shares off an order in the book; if that is all it had left, a self-trade ended it."""
        if quantity == order.remaining:
            self._withdraw(order)
        elif order.status == _WORKING:
            self._ladder(order).level_of(order).shares -= quantity
        return cut(order, quantity)
