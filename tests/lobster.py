"""A replay of real order flow, from LOBSTER's public sample, against anything that keeps an order book.

`replay` is a generator: it yields what to do next, is sent what came of it, and returns a `Report`.
So a book in memory (`drive`) and a server behind a network (`drive_async`) take the same replay.
How the files are read, and what they leave out, is told in the data's README.
"""

import csv
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

from bearpit_server.rules.orders import Side

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "lobster"
LEVELS = 10

Levels = list[tuple[int, int]]
"""(price in cents, shares), best first."""
Depth = tuple[Levels, Levels]
"""Bids and asks."""


@dataclass(frozen=True, slots=True)
class Place:
    """Rest a limit order. Answer: None. An id may come again after its Cancel; seeds have negative ones."""

    order_id: int
    side: Side
    price_cents: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take an order out. Answer: None."""

    order_id: int


@dataclass(frozen=True, slots=True)
class Reduce:
    """Make an order smaller, to `quantity` shares in all, filled ones included. Answer: None."""

    order_id: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Take:
    """Send an immediate-or-cancel order. Answer: the ids of the orders it traded with, in order."""

    side: Side
    price_cents: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Look:
    """Show the ten best levels. Answer: a Depth."""


Action = Place | Cancel | Reduce | Take | Look
Answer = None | list[int] | Depth
Replay = Generator[Action, Answer, "Report"]


@dataclass(slots=True)
class Report:
    """How far the replayed book and the published one agree."""

    rows: int = 0
    equal_rows: int = 0
    executions: int = 0
    known_executions: int = 0
    """Those that name an order which the file has also shown coming in."""
    exact_executions: int = 0
    """Those of them that traded with exactly that order, and no other."""
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Message:
    """One event: see the data's README for the kinds."""

    kind: int
    order_id: int
    quantity: int
    price_cents: int
    side: Side


@dataclass(slots=True)
class _Resting:
    """What the replay knows of an order that it has placed."""

    order_id: int
    side: Side
    price_cents: int
    total: int
    left: int


def read_messages() -> list[Message]:
    with (DATA / "AAPL_message_10.csv").open() as lines:
        return [
            Message(
                kind=int(kind),
                order_id=int(order_id),
                quantity=int(size),
                price_cents=int(price) // 100,
                side=Side.BUY if direction == "1" else Side.SELL,
            )
            for _, kind, order_id, size, price, direction in csv.reader(lines)
        ]


def read_rows() -> list[Depth]:
    with (DATA / "AAPL_orderbook_10.csv").open() as lines:
        return [_depth([int(cell) for cell in row]) for row in csv.reader(lines)]


def _depth(cells: list[int]) -> Depth:
    levels = [cells[n : n + 4] for n in range(0, len(cells), 4)]
    bids = [(price // 100, size) for _, _, price, size in levels]
    asks = [(price // 100, size) for price, size, _, _ in levels]
    return bids, asks


def replay() -> Replay:
    """Seeds the book from the first row, plays every later message and compares every later row."""
    messages, rows = read_messages(), read_rows()
    state = _State()
    yield from state.seed(rows[0], messages[0])
    for number, (message, row) in enumerate(zip(messages[1:], rows[1:], strict=True), start=2):
        yield from state.play(message, number)
        yield from state.match_view(row)
        seen = yield Look()
        state.report.rows += 1
        if seen == row:
            state.report.equal_rows += 1
        else:
            state.report.differences.append(f"row {number}: {seen} instead of {row}")
    return state.report


def drive(steps: Replay, do: Callable[[Action], Answer]) -> Report:
    """Runs a replay against a venue that answers at once."""
    try:
        action = next(steps)
        while True:
            action = steps.send(do(action))
    except StopIteration as stop:
        report: Report = stop.value
        return report


async def drive_async(steps: Replay, do: Callable[[Action], Awaitable[Answer]]) -> Report:
    """Runs a replay against a venue that answers in time."""
    try:
        action = next(steps)
        while True:
            action = steps.send(await do(action))
    except StopIteration as stop:
        report: Report = stop.value
        return report


Steps = Generator[Action, Answer, None]


class _State:
    """What rests where, so that levels can be seeded, reduced and dropped as the view moves."""

    def __init__(self) -> None:
        self.report = Report()
        self._orders: dict[int, _Resting] = {}
        self._levels: dict[Side, dict[int, list[_Resting]]] = {Side.BUY: {}, Side.SELL: {}}
        self._dropped: dict[tuple[Side, int], list[tuple[int, int]]] = {}  # (order id, shares) by level
        self._seeds = 0

    def seed(self, row: Depth, first: Message) -> Steps:
        """Places each level of the first row; the first message's order is in it, the last at its price."""
        for side, levels in zip((Side.BUY, Side.SELL), row, strict=True):
            for price, size in levels:
                if (side, price) != (first.side, first.price_cents):
                    yield from self._seed_level(side, price, size)
                    continue
                if size > first.quantity:
                    yield from self._seed_level(side, price, size - first.quantity)
                yield from self._place(first.order_id, side, price, first.quantity)

    def play(self, message: Message, number: int) -> Steps:
        match message.kind:
            case 1:
                yield from self._place(message.order_id, message.side, message.price_cents, message.quantity)
            case 2 | 3:
                yield from self._shrink(self._find(message), message.quantity)
            case 4:
                yield from self._execute(message, number)
            case 5:
                pass  # a hidden order: the visible book does not change
            case _:
                raise ValueError(f"message {number} is of kind {message.kind}")

    def match_view(self, row: Depth) -> Steps:
        """Drops levels that left the ten best, and seeds those that come into view from below.

        A level that comes back with the size it left with has the same orders, in their order.
        """
        for side, published in zip((Side.BUY, Side.SELL), row, strict=True):
            levels = self._levels[side]
            best_first = sorted(levels, reverse=side is Side.BUY)
            for price in best_first[LEVELS:]:
                self._dropped[side, price] = [(order.order_id, order.left) for order in levels[price]]
                for order in list(levels[price]):
                    yield from self._shrink(order, order.left)
            shown = len(best_first[:LEVELS])
            for price, size in published[shown:]:
                dropped = self._dropped.pop((side, price), [])
                if sum(left for _, left in dropped) != size:
                    yield from self._seed_level(side, price, size)
                    continue
                for order_id, left in dropped:
                    yield from self._place(order_id, side, price, left)

    def _execute(self, message: Message, number: int) -> Steps:
        expected = self._find(message)
        makers = yield Take(message.side.opposite, message.price_cents, message.quantity)
        self.report.executions += 1
        if message.order_id in self._orders:
            self.report.known_executions += 1
            if makers == [message.order_id]:
                self.report.exact_executions += 1
            else:
                self.report.differences.append(f"message {number}: {makers}, not {message.order_id}")
        self._forget(expected, message.quantity)

    def _find(self, message: Message) -> _Resting:
        """The order a message is about; one from before the file began is in the level's seed."""
        known = self._orders.get(message.order_id)
        return known or self._levels[message.side][message.price_cents][0]

    def _place(self, order_id: int, side: Side, price: int, quantity: int) -> Steps:
        order = _Resting(order_id, side, price, quantity, quantity)
        self._orders[order_id] = order
        self._levels[side].setdefault(price, []).append(order)
        yield Place(order_id, side, price, quantity)

    def _seed_level(self, side: Side, price: int, size: int) -> Steps:
        self._seeds -= 1  # ids of seeds are negative: the file's are not
        yield from self._place(self._seeds, side, price, size)

    def _shrink(self, order: _Resting, quantity: int) -> Steps:
        self._forget(order, quantity)
        if order.left:
            order.total -= quantity
            yield Reduce(order.order_id, order.total)
        else:
            yield Cancel(order.order_id)

    def _forget(self, order: _Resting, quantity: int) -> None:
        order.left -= quantity
        if not order.left:
            del self._orders[order.order_id]
            level = self._levels[order.side][order.price_cents]
            level.remove(order)
            if not level:
                del self._levels[order.side][order.price_cents]
