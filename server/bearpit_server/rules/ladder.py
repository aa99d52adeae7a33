"""One side of a book: price levels, each a queue of orders in time priority."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import takewhile

from bearpit_server.rules.orders import Order, Side


class Level:
    """All orders of one side at one price, first come first."""

    __slots__ = ("price_cents", "queue", "shares")

    def __init__(self, price_cents: int) -> None:
        self.price_cents = price_cents
        self.shares = 0
        # By order id. To find its first, a dict walks over what has been taken out before it since it
        # last grew: a nanosecond each. An OrderedDict would not, but is slower at all else.
        self.queue: dict[int, Order] = {}

    def insert(self, order: Order) -> None:
        """Puts an order in its place by priority, before all that are later."""
        later = list(takewhile(lambda other: other.priority > order.priority, reversed(self.queue.values())))
        for other in later:
            del self.queue[other.id]
        self.queue[order.id] = order
        for other in reversed(later):
            self.queue[other.id] = other


class Ladder:
    """The levels of one side, the best last.

    A level's key is its price for bids and minus its price for asks, so that on both sides the
    greater key is the better price, and sorted keys end with the best.
    """

    __slots__ = ("keys", "levels", "sign")

    def __init__(self, side: Side) -> None:
        self.sign = 1 if side is Side.BUY else -1
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}

    @property
    def best_cents(self) -> int | None:
        return abs(self.keys[-1]) if self.keys else None

    def best_first(self) -> Iterator[Level]:
        levels = self.levels
        return (levels[key] for key in reversed(self.keys))

    def orders(self) -> Iterator[Order]:
        """Every order in price-time priority."""
        return (order for level in self.best_first() for order in level.queue.values())

    def level_of(self, order: Order) -> Level:
        return self.levels[self.sign * order.price_cents]

    def append(self, order: Order) -> None:
        """Adds an order that is newer than all others."""
        key = self.sign * order.price_cents
        level = self.levels.get(key) or self._open(key)
        level.queue[order.id] = order
        level.shares += order.remaining

    def insert(self, order: Order) -> None:
        """Adds an order wherever in the queue at its price its priority belongs."""
        key = self.sign * order.price_cents
        level = self.levels.get(key) or self._open(key)
        level.insert(order)
        level.shares += order.remaining

    def remove(self, order: Order) -> None:
        """Takes an order out, and its level with it if no other is there."""
        key = self.sign * order.price_cents
        level = self.levels[key]
        level.shares -= order.remaining
        del level.queue[order.id]
        if not level.queue:
            self.close(key)

    def close(self, key: int) -> None:
        """Takes out a level at which no order is left."""
        level = self.levels.pop(key)
        assert level.shares == 0, f"{level.shares} shares without an order at {level.price_cents}"
        if self.keys[-1] == key:
            self.keys.pop()
        else:
            del self.keys[bisect_left(self.keys, key)]

    def depth(self, levels: int) -> list[tuple[int, int, int]]:
        """The best levels: (price in cents, shares, orders), best first."""
        best = (self.levels[key] for key in self.keys[: -levels - 1 : -1])
        return [(level.price_cents, level.shares, len(level.queue)) for level in best]

    def _open(self, key: int) -> Level:
        insort(self.keys, key)
        level = self.levels[key] = Level(abs(key))
        return level
