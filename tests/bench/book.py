"""The book against the pure-Python books on the index: operations a second on the same mixed flow.

`book` plays it at the touch of a book with as many orders as one of the `restart` figure, `book_top` on the
orders at the touch alone. `python -m tests.bench.book` prints what `run` returns. Each engine is given plain
numbers and makes its own order objects, on the clock. Ours has all its rules on: bands, stops, self-trade
prevention.
"""

import gc
import random
from itertools import count
from statistics import fmean, median
from time import perf_counter
from typing import NamedTuple, Protocol, TypedDict

import lightmatchingengine.lightmatchingengine as light
import pyorderbook
from bearpit_server.rules.book import Book
from bearpit_server.rules.orders import Order, OrderType, Side, TimeInForce

from tests.bench.arena import SYMBOLS
from tests.bench.load import PRICES
from tests.bench.restart import OPEN_ORDERS

SEED = 20120621
OPERATIONS = 40_000
ROUNDS = 9
TARGET = 3.0

# The flow is that of LOBSTER's sample: AAPL on NASDAQ, 2012-06-21, 9:30:00 to 9:30:49, 999 messages and the
# ten best levels after each. 471 are new limit orders, 369 full cancels, none partial cancels, 98 executions
# of visible orders (63 by time and side: as many orders that took), 61 of hidden ones, which are left out.
TAKES = 63 / (471 + 369 + 63)
CANCELS = 369 / (471 + 369)  # of what does not take
CANCELS_OF_ANY = 5 / 369  # of orders that came in before the sample began: nothing tells their age

# An estimate: the sample has ten levels a side, and no order that came before it. A level that left them,
# or came up from below, is taken to have rested all along: 18.7 bid and 19.7 ask levels, on average. Each
# is taken to have the 1.3 orders of those levels at which all are known. What was never in view is not in it.
RESTING = 50

# The middles of the sample's twenty quantiles: each value is as likely as the next.
# Cents from the best price of an order's own side to a new order, below 0 if it is better.
DISTANCES_CENTS = (-10, -3, -3, -3, -2, -1, -1, -1, 0, 0, 1, 1, 1, 2, 2, 3, 3, 9, 13, 30)
# Not measured: no order makes the spread narrower, chosen so that its median is the sample's, 22 cents.
SPREAD_CENTS = 20
# Shares of a new order.
RESTING_SHARES = (2, 6, 10, 15, 18, 18, 18, 18, 18, 18, 18, 18, 18, 19, 50, 100, 100, 100, 100, 320)
# Shares of an order that took.
TAKEN_SHARES = (1, 4, 10, 18, 22, 26, 28, 34, 44, 50, 65, 70, 83, 100, 100, 100, 100, 136, 200, 300)
# How many later orders still rested when an order was cancelled.
YOUNGER_ORDERS = (0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 6, 8, 11)

MIDDLE_CENTS = 58_550

# The sample does not see what rests behind the ten best levels. `book` adds as many orders as `restart` has
# in a book, over so many prices a side behind all that the flow at the touch ever reaches. The ratio hangs
# on the prices: LightMatchingEngine looks at each for the best, and is the faster yardstick where they are
# fewer, at 250 already.
DEEP_ORDERS = OPEN_ORDERS // len(SYMBOLS)
# Of all operations, half of them new orders at any of these prices, half cancels of any order there. An
# estimate: as many as fall on the two farthest levels in view, the ninth and the tenth. The best has 387.
DEEP = (10 + 7) / (471 + 369 + 63)

_BUY, _SELL, _LIMIT, _GTC = Side.BUY, Side.SELL, OrderType.LIMIT, TimeInForce.GTC


class Operation(NamedTuple):
    """A limit order, numbered from 1 as they come; or, without a quantity, the cancel of that number."""

    number: int
    is_buy: bool = False
    price_cents: int = 0
    quantity: int = 0


Flow = list[Operation]


class Measurement(TypedDict):
    """A line of the benchmarks' table."""

    name: str
    value: float
    unit: str
    yardstick: float
    ratio: float
    target: float
    met: bool
    detail: str


class Engine(Protocol):
    def play(self, flow: Flow) -> None: ...

    def shares_left(self) -> int:
        """All shares that rest at the end: the same for every engine that plays by price and time."""


class Ours:
    def __init__(self) -> None:
        self.book = Book(MIDDLE_CENTS, 1, 2 * MIDDLE_CENTS)

    def play(self, flow: Flow) -> None:
        execute, cancel = self.book.execute, self.book.cancel
        for number, is_buy, price, quantity in flow:
            if quantity:
                side = _BUY if is_buy else _SELL
                execute(Order(number, number, 1, side, _LIMIT, _GTC, quantity, price, priority=number))
            else:
                cancel(number)

    def shares_left(self) -> int:
        return sum(order.remaining for order in self.book.orders.values())


class LightMatchingEngine:
    """It numbers orders from 1, as the flow does."""

    def __init__(self) -> None:
        self.engine = light.LightMatchingEngine()

    def play(self, flow: Flow) -> None:
        add_order, cancel_order = self.engine.add_order, self.engine.cancel_order
        buy, sell = light.Side.BUY, light.Side.SELL
        for number, is_buy, price, quantity in flow:
            if quantity:
                add_order("AAPL", price, quantity, buy if is_buy else sell)
            else:
                cancel_order(number, "AAPL")

    def shares_left(self) -> int:
        book = self.engine.order_books["AAPL"]
        levels = [*book.bids.values(), *book.asks.values()]
        return sum(order.leaves_qty for level in levels for order in level)


class PyOrderBook:
    def __init__(self) -> None:
        self.book = pyorderbook.Book()
        self.orders: dict[int, pyorderbook.Order] = {}

    def play(self, flow: Flow) -> None:
        match, cancel, orders = self.book.match, self.book.cancel, self.orders
        bid, ask = pyorderbook.bid, pyorderbook.ask
        for number, is_buy, price, quantity in flow:
            if quantity:
                order = orders[number] = (bid if is_buy else ask)("AAPL", price, quantity)
                match(order)
            else:
                cancel(orders[number])

    def shares_left(self) -> int:
        return sum(order.quantity for order in self.book.order_map.values())


def run() -> list[Measurement]:
    """The deep book, then the touch alone."""
    top = make_flow()
    return [_compare("book", *deepen(*top)), _compare("book_top", *top)]


def _compare(name: str, resting: Flow, flow: Flow) -> Measurement:
    """Plays the flow through every engine in turn, several times over, and compares the medians."""
    engines: tuple[type[Engine], ...] = (Ours, LightMatchingEngine, PyOrderBook)
    rates: dict[type[Engine], list[float]] = {engine: [] for engine in engines}
    for _ in range(ROUNDS):
        left = set()
        for engine in engines:
            rate, shares = _measure(engine(), resting, flow)
            rates[engine].append(rate)
            left.add(shares)
        assert len(left) == 1, f"the engines did not do the same: {left}"
    value = median(rates[Ours])
    others = {engine.__name__: median(rates[engine]) for engine in engines[1:]}
    yardstick = max(others.values())
    ratio = value / yardstick
    orders, levels = _mean_size(resting, flow)
    return {
        "name": name,
        "value": value,
        "unit": "operations/s",
        "yardstick": yardstick,
        "ratio": ratio,
        "target": TARGET,
        "met": ratio >= TARGET,
        "detail": f"{orders:,.0f} resting orders on {levels:,.0f} levels a side, on average; "
        f"{len(flow):,} operations, median of {ROUNDS}; the yardstick is the faster of "
        + " and ".join(f"{other} ({rate:,.0f})" for other, rate in others.items()),
    }


def make_flow() -> tuple[Flow, Flow]:
    """What fills the book, and what is timed.

    Cancels are the more likely the more orders rest, which keeps the book at its size. The flow is played
    through a book as it is made, so that prices follow its best, a cancel always names an order that rests,
    and an order that takes finds all it wants.
    """
    draw = random.Random(SEED)
    ours = Ours()
    book = ours.book
    flow: Flow = []
    number = 0
    while len(flow) < RESTING + OPERATIONS:
        fills = number < RESTING
        if not fills and draw.random() < TAKES:
            number += 1
            operation = _take(draw, number, book)
        elif fills or draw.random() * RESTING > CANCELS * len(book.orders):
            number += 1
            operation = _rest(draw, number, book)
        else:
            operation = _cancel(draw, book)
        ours.play([operation])
        flow.append(operation)
    return flow[:RESTING], flow[RESTING:]


def deepen(resting: Flow, flow: Flow) -> tuple[Flow, Flow]:
    """The same flow before a deep book: these orders come first, and some of the flow falls on them."""
    draw = random.Random(SEED)
    prices = [operation.price_cents for operation in (*resting, *flow) if operation.quantity]
    bid, ask = min(prices), max(prices)
    numbers = count(1)
    renumbered: dict[int, int] = {}

    def touch(operation: Operation) -> Operation:
        if operation.quantity:
            renumbered[operation.number] = next(numbers)
        return operation._replace(number=renumbered[operation.number])

    def rest(at: int) -> Operation:
        away, is_buy = 1 + at // 2 % PRICES, at % 2 == 0
        return Operation(
            next(numbers), is_buy, bid - away if is_buy else ask + away, draw.choice(RESTING_SHARES)
        )

    filling = [rest(at) for at in range(DEEP_ORDERS)]
    deep = [operation.number for operation in filling]
    filling += map(touch, resting)
    mixed: Flow = []
    for operation in flow:
        while draw.random() < DEEP:
            if draw.random() < 0.5:
                mixed.append(rest(draw.randrange(2 * PRICES)))
                deep.append(mixed[-1].number)
            else:
                mixed.append(Operation(deep.pop(draw.randrange(len(deep)))))
        mixed.append(touch(operation))
    return filling, mixed


def _is_buy(draw: random.Random, book: Book) -> bool:
    """The more likely the fewer bids there are: buying adds to them, or takes from the asks."""
    bids = sum(orders for _, _, orders in book.depth(RESTING)[0])
    return draw.random() * len(book.orders) >= bids


def _rest(draw: random.Random, number: int, book: Book) -> Operation:
    """An order as far from its side's best as leaves the spread its width."""
    is_buy = _is_buy(draw, book)
    ask = book.best_ask or (book.best_bid or MIDDLE_CENTS) + SPREAD_CENTS
    bid = book.best_bid or ask - SPREAD_CENTS
    nearest = SPREAD_CENTS - (ask - bid)
    away = draw.choice([cents for cents in DISTANCES_CENTS if cents >= nearest])
    return Operation(number, is_buy, bid - away if is_buy else ask + away, draw.choice(RESTING_SHARES))


def _take(draw: random.Random, number: int, book: Book) -> Operation:
    """An order at the worst price that it trades at, over what is there to be had."""
    is_buy = _is_buy(draw, book)
    side, limit = (_BUY, 2 * MIDDLE_CENTS) if is_buy else (_SELL, 1)
    levels = book.preview(Order(number, number, 1, side, _LIMIT, _GTC, draw.choice(TAKEN_SHARES), limit))
    return Operation(number, is_buy, levels[-1][0], sum(shares for _, shares in levels))


def _cancel(draw: random.Random, book: Book) -> Operation:
    """The youngest but so many, or any: the book's dict has its orders in the order they came."""
    numbers = list(book.orders)
    younger = draw.choice(YOUNGER_ORDERS)
    if draw.random() < CANCELS_OF_ANY or younger >= len(numbers):
        return Operation(draw.choice(numbers))
    return Operation(numbers[-1 - younger])


def _measure(engine: Engine, resting: Flow, flow: Flow) -> tuple[float, int]:
    """Operations a second, and the shares left. Without garbage collection, as `timeit` does it."""
    engine.play(resting)
    gc.collect()
    gc.disable()
    try:
        start = perf_counter()
        engine.play(flow)
        seconds = perf_counter() - start
    finally:
        gc.enable()
    return len(flow) / seconds, engine.shares_left()


def _mean_size(resting: Flow, flow: Flow) -> tuple[float, float]:
    """The orders that rest while the flow is played, and the levels of a side."""
    ours = Ours()
    ours.play(resting)
    sizes = []
    for at in range(0, len(flow), 100):
        bids, asks = ours.book.depth(len(ours.book.orders))
        sizes.append((len(ours.book.orders), (len(bids) + len(asks)) / 2))
        ours.play(flow[at : at + 100])
    orders, levels = zip(*sizes, strict=True)
    return fmean(orders), fmean(levels)


if __name__ == "__main__":
    for measurement in run():
        print(measurement)
