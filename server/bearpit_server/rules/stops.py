"""Stop orders that wait for their price."""

from bisect import bisect_left, insort
from itertools import takewhile

from bearpit_server.rules.orders import Order, Side

_Entry = tuple[int, int, Order]


def is_reached(order: Order, price_cents: int) -> bool:
    """Whether a trade at this price triggers the stop: a buy from its stop upwards, a sale downwards."""
    if order.side == Side.BUY:
        return price_cents >= order.stop_price_cents
    return price_cents <= order.stop_price_cents


class Stops:
    """The waiting stops of a book, sorted on each side so that the next to be reached is the last."""

    __slots__ = ("buys", "sells")

    def __init__(self) -> None:
        self.buys: list[_Entry] = []  # by minus the stop price, then id
        self.sells: list[_Entry] = []  # by the stop price, then id

    def add(self, order: Order) -> None:
        if order.side == Side.BUY:
            insort(self.buys, (-order.stop_price_cents, order.id, order))
        else:
            insort(self.sells, (order.stop_price_cents, order.id, order))

    def remove(self, order: Order) -> None:
        if order.side == Side.BUY:
            entries, key = self.buys, -order.stop_price_cents
        else:
            entries, key = self.sells, order.stop_price_cents
        index = bisect_left(entries, (key, order.id))
        assert entries[index][2] is order, f"stop order {order.id} is not where its price is"
        del entries[index]

    def reached(self, price_cents: int) -> list[Order]:
        """Every stop that a trade at this price triggers, in no particular order; they stay."""
        found = []
        for entries, key in ((self.buys, -price_cents), (self.sells, price_cents)):
            found += [order for _, _, order in takewhile(lambda entry: entry[0] >= key, reversed(entries))]  # noqa: B023 - used at once
        return found

    def take_reached(self, price_cents: int) -> list[Order]:
        """Takes out every stop that a trade at this price triggers, in no particular order."""
        reached = []
        for entries, key in ((self.buys, -price_cents), (self.sells, price_cents)):
            while entries and entries[-1][0] >= key:
                reached.append(entries.pop()[2])
        return reached
