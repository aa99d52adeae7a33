"""The book against the pure-Python books on the index: operations a second on the same mixed flow.

`python -m tests.bench.book` prints what `run` returns. Each engine is given plain numbers and makes its
own order objects, on the clock. Ours has all its rules on: bands, stops, self-trade prevention.
"""

import gc
import random
from statistics import median
from time import perf_counter
from typing import NamedTuple, Protocol, TypedDict

import lightmatchingengine.lightmatchingengine as light
import pyorderbook
from bearpit_server.rules.book import Book
from bearpit_server.rules.orders import Order, OrderType, Side, TimeInForce

SEED = 20120621
RESTING = 5_000  # orders in the book before the clock starts: some hundred players with a dozen each
OPERATIONS = 40_000
ROUNDS = 9
TARGET = 3.0

MIDDLE_CENTS = 58_500
DISTANCE_CENTS = 50  # of a resting order from the middle, on average: some 250 levels a side

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
    """Plays the flow through every engine in turn, several times over, and compares the medians."""
    resting, flow = make_flow()
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
    yardstick = max(median(rates[engine]) for engine in engines[1:])
    ratio = value / yardstick
    return [
        {
            "name": "book",
            "value": value,
            "unit": "operations/s",
            "yardstick": yardstick,
            "ratio": ratio,
            "target": TARGET,
            "met": ratio >= TARGET,
        }
    ]


def make_flow() -> tuple[Flow, Flow]:
    """What fills the book, and what is timed: in ten, one order that takes, five that rest, four cancels.

    Cancels are the more likely the more orders rest, which keeps the book at its size. The flow is played
    through a book as it is made, so that a cancel always names an order that rests.
    """
    draw = random.Random(SEED)
    ours = Ours()
    middle = MIDDLE_CENTS
    live: list[int] = []
    flow: Flow = []
    number = 0
    while len(flow) < RESTING + OPERATIONS:
        takes = number >= RESTING and draw.random() < 0.1
        if takes or number < RESTING or draw.random() * 2 * RESTING > len(ours.book.orders):
            number += 1
            middle += draw.choice((-1, 0, 0, 0, 0, 1))
            live.append(number)
            operation = _add(draw, number, middle, takes)
        else:
            operation = Operation(_any_live(draw, live, ours.book))
        ours.play([operation])
        flow.append(operation)
    return flow[:RESTING], flow[RESTING:]


def _any_live(draw: random.Random, live: list[int], book: Book) -> int:
    """Takes one of the numbers out of `live`, at random, until it is one that rests."""
    while True:
        chosen = draw.randrange(len(live))
        live[chosen], live[-1] = live[-1], live[chosen]
        if (number := live.pop()) in book.orders:
            return number


def _add(draw: random.Random, number: int, middle: int, takes: bool) -> Operation:
    is_buy = draw.random() < 0.5
    better = 3 if takes else -1 - int(draw.expovariate(1 / DISTANCE_CENTS))
    price = middle + better if is_buy else middle - better
    return Operation(number, is_buy, price, draw.choice((1, 5, 10, 10, 25, 100)))


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


if __name__ == "__main__":
    for measurement in run():
        print(measurement)
