"""The fast book and the naive one do the same, whatever happens to them, and neither loses a share."""

import copy
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from bearpit_server.rules.book import Book, Ended, Fill, Outcome, Reduced, Triggered
from bearpit_server.rules.orders import EndReason, Order, OrderStatus, OrderType, SelfTrade, Side, TimeInForce
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.unit.rules.entries import AnyBook
from tests.unit.rules.naive_book import NaiveBook

# A narrow range of prices and few owners, so that orders cross and owners meet themselves all the time.
LOWEST, HIGHEST = 95, 105


@dataclass(frozen=True)
class Place:
    owner_id: int
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: int
    price_cents: int
    stop_price_cents: int
    post_only: bool
    self_trade: SelfTrade
    late: int  # how many priorities it comes too late, as when a stop triggered before it was executed


@dataclass(frozen=True)
class Cancel:
    which: int
    reason: EndReason


@dataclass(frozen=True)
class Reduce:
    which: int
    share: float


@dataclass(frozen=True)
class Replace:
    which: int
    price_cents: int
    quantity: int
    stop_price_cents: int


@dataclass(frozen=True)
class SetBands:
    lower_cents: int
    upper_cents: int


@dataclass(frozen=True)
class Halt:
    pass


@dataclass(frozen=True)
class Uncross:
    reference_cents: int


Step = Place | Cancel | Reduce | Replace | SetBands | Halt | Uncross


class Trading:
    """A book with its phase and its priorities, driven step by step."""

    def __init__(self, book: AnyBook, gives_priorities: bool) -> None:
        self.book = book
        self.matching = True
        self.ids = itertools.count(1)
        self.priority = 10
        self.all: list[Order] = []
        self.placed: dict[int, int] = {}
        if gives_priorities:
            book.priorities = self.next_priority

    def next_priority(self) -> int:
        self.priority = 10 + max([self.priority, *(order.priority for order in self.book.orders.values())])
        return self.priority

    def take(self, step: Step) -> list[Outcome]:
        match step:
            case Place():
                return self.place(step)
            case Halt():
                self.matching = False
                return []
            case Uncross(reference_cents):
                self.matching = True
                return self.book.uncross(reference_cents)
            case SetBands(lower, upper):
                self.book.lower_band_cents, self.book.upper_band_cents = lower, upper
                return []
        if not self.book.orders:
            return []
        order = self.book.orders[sorted(self.book.orders)[step.which % len(self.book.orders)]]
        match step:
            case Cancel():
                return self.book.cancel(order.id, step.reason)
            case Reduce():
                quantity = order.filled + int(order.remaining * step.share)
                return (
                    self.book.reduce(order.id, quantity) if order.filled < quantity < order.quantity else []
                )
            case Replace():
                quantity = order.filled + step.quantity
                self.placed[order.id] += quantity - order.quantity
                return self.book.replace(
                    order.id,
                    step.price_cents,
                    quantity,
                    self.next_priority(),
                    self.matching,
                    step.stop_price_cents if order.type >= OrderType.STOP else 0,
                )

    def place(self, step: Place) -> list[Outcome]:
        order = Order(
            id=next(self.ids),
            owner_id=step.owner_id,
            instrument_id=1,
            side=step.side,
            type=step.type,
            time_in_force=step.time_in_force,
            quantity=step.quantity,
            price_cents=step.price_cents,
            stop_price_cents=step.stop_price_cents if step.type >= OrderType.STOP else 0,
            post_only=step.post_only and step.type == OrderType.LIMIT,
            self_trade=step.self_trade,
            priority=self.next_priority() - 11 * step.late,
        )
        self.all.append(order)
        self.placed[order.id] = order.quantity
        return self.book.execute(order) if self.matching else self.book.collect(order)


def in_full(outcomes: list[Outcome]) -> list[str]:
    return [repr(outcome) for outcome in outcomes]


def seen(book: AnyBook, reference_cents: int) -> list[object]:
    """All that a book shows of itself but its digest."""
    working = [order.id for order in book.orders.values() if order.status is OrderStatus.WORKING]
    return [
        book.last_price_cents,
        book.best_bid,
        book.best_ask,
        book.depth(3),
        book.depth(100),
        book.indicative(reference_cents),
        {order_id: repr(order) for order_id, order in book.orders.items()},
        {order_id: book.queue_ahead(order_id) for order_id in working},
    ]


def check_conservation(trading: Trading, history: list[Outcome]) -> None:
    """Every share placed is filled, open, ended or cut; and what one bought another sold."""
    filled: dict[int, int] = {}
    value: dict[int, int] = {}
    lost: dict[int, int] = {}
    for outcome in history:
        match outcome:
            case Fill():
                assert outcome.maker.owner_id != outcome.taker.owner_id
                assert outcome.maker.side is outcome.taker.side.opposite
                for order in (outcome.maker, outcome.taker):
                    filled[order.id] = filled.get(order.id, 0) + outcome.quantity
                    value[order.id] = value.get(order.id, 0) + outcome.quantity * outcome.price_cents
            case Ended() | Reduced():
                lost[outcome.order.id] = lost.get(outcome.order.id, 0) + outcome.quantity
    for order in trading.all:
        assert order.filled == filled.get(order.id, 0)
        assert order.value_cents == value.get(order.id, 0)
        assert order.filled + order.remaining + lost.get(order.id, 0) == trading.placed[order.id]
        assert (order.id in trading.book.orders) is order.status.is_open
        assert (order.remaining > 0) is order.status.is_open
        if order.side is Side.BUY:
            assert order.value_cents <= order.filled * HIGHEST
    for side in Side:
        assert sum(o.filled for o in trading.all if o.side is side) == sum(
            outcome.quantity for outcome in history if isinstance(outcome, Fill)
        )


def check_bands(outcomes: list[Outcome], book: AnyBook) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Fill):
            assert outcome.price_cents >= book.lower_band_cents
            assert not book.upper_band_cents or outcome.price_cents <= book.upper_band_cents


def check_recovery(book: Book, shuffled: Callable[[list[Order]], list[Order]]) -> None:
    """A book made anew of the open orders, in any order, is the same book."""
    again = Book(book.last_price_cents, book.lower_band_cents, book.upper_band_cents, book.tick_cents)
    for order in shuffled(list(book.orders.values())):
        again.restore(copy.copy(order))
    assert again.digest() == book.digest()
    assert again.depth(100) == book.depth(100)


def agree(steps: Sequence[Step], tick_cents: int = 1, gives_priorities: bool = True) -> None:
    fast = Trading(Book(tick_cents=tick_cents), gives_priorities)
    naive = Trading(NaiveBook(tick_cents=tick_cents), gives_priorities)
    history: list[Outcome] = []
    for step in steps:
        before = fast.book.digest(), naive.book.digest()
        if isinstance(step, Place) and fast.matching:
            assert isinstance(naive.book, NaiveBook)
            check_preview(fast.book, naive.book, step)
        outcomes = fast.take(step)
        assert in_full(outcomes) == in_full(naive.take(step))
        history += outcomes
        assert seen(fast.book, 100) == seen(naive.book, 100)
        after = fast.book.digest(), naive.book.digest()
        assert (before[0] == after[0]) is (before[1] == after[1])
        check_bands(outcomes, fast.book)
        check_conservation(fast, history)
    assert isinstance(fast.book, Book)
    check_recovery(fast.book, lambda orders: random.Random(len(steps)).sample(orders, len(orders)))


def check_preview(fast: AnyBook, naive: NaiveBook, step: Place) -> None:
    """A preview is right about what the order itself then trades, and changes nothing."""
    order = Order(
        0,
        step.owner_id,
        1,
        step.side,
        step.type,
        step.time_in_force,
        step.quantity,
        step.price_cents,
        step.stop_price_cents if step.type >= OrderType.STOP else 0,
        step.post_only and step.type == OrderType.LIMIT,
        step.self_trade,
    )
    before = fast.digest()
    preview = fast.preview(order)
    assert fast.digest() == before
    assert preview == naive.preview(order)
    copied = copy.deepcopy(naive)
    copied.priorities = lambda: copied.highest_priority + 1
    outcomes = copied.execute(replace(order, id=10**6, priority=10**6))
    own = itertools.takewhile(lambda o: not (isinstance(o, Triggered) and o.order.id != 10**6), outcomes)
    taken: dict[int, int] = {}
    for outcome in own:
        if isinstance(outcome, Fill):
            taken[outcome.price_cents] = taken.get(outcome.price_cents, 0) + outcome.quantity
    assert preview == list(taken.items())


# Without the phase that explains a failure: it takes minutes here.
common = settings(
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)
prices = st.integers(LOWEST, HIGHEST)
places = st.builds(
    Place,
    owner_id=st.integers(1, 4),
    side=st.sampled_from(Side),
    type=st.sampled_from([OrderType.LIMIT, *OrderType]),
    time_in_force=st.sampled_from([TimeInForce.GTC, *TimeInForce]),
    quantity=st.integers(1, 12),
    price_cents=prices,
    stop_price_cents=prices,
    post_only=st.integers(0, 7).map(lambda n: n == 0),
    self_trade=st.sampled_from(SelfTrade),
    late=st.integers(0, 9).map(lambda n: int(n == 9)),
)
steps = st.one_of(
    places,
    places,
    places,
    st.builds(Cancel, st.integers(0, 50), st.sampled_from(EndReason)),
    st.builds(Reduce, st.integers(0, 50), st.floats(0, 1)),
    st.builds(Replace, st.integers(0, 50), prices, st.integers(1, 12), prices | st.just(0)),
    st.builds(SetBands, st.sampled_from([0, 98]), st.sampled_from([0, 102])),
    st.builds(Halt),
    st.builds(Uncross, prices),
)


@settings(common, max_examples=200)
@given(st.lists(steps, min_size=15, max_size=40))
def test_both_books_do_the_same(steps: list[Step]) -> None:
    agree(steps)


@settings(common, max_examples=150)
@given(st.lists(places, min_size=2, max_size=20), prices, st.sampled_from([0, 98]), st.sampled_from([0, 102]))
def test_both_books_hold_the_same_auction(
    orders: list[Place], reference: int, lower: int, upper: int
) -> None:
    agree([SetBands(lower, upper), Halt(), *orders, Uncross(reference)], tick_cents=5)


def any_step(draw: random.Random) -> Step:
    """A step for the long runs: mostly orders, the odd halt soon over."""

    def price() -> int:
        return draw.randint(LOWEST, HIGHEST)

    chance = draw.random()
    if chance < 0.62:
        return Place(
            draw.randint(1, 6),
            draw.choice(list(Side)),
            draw.choice([OrderType.LIMIT, OrderType.LIMIT, *OrderType]),
            draw.choice([TimeInForce.GTC, TimeInForce.GTC, *TimeInForce]),
            draw.randint(1, 20),
            price(),
            price(),
            draw.random() < 0.1,
            draw.choice(list(SelfTrade)),
            int(draw.random() < 0.05),
        )
    if chance < 0.76:
        return Cancel(draw.randrange(10**6), draw.choice(list(EndReason)))
    if chance < 0.82:
        return Reduce(draw.randrange(10**6), draw.random())
    if chance < 0.9:
        return Replace(draw.randrange(10**6), price(), draw.randint(1, 20), draw.choice([0, price()]))
    if chance < 0.93:
        return SetBands(draw.choice([0, 97, 99]), draw.choice([0, 101, 103]))
    return Halt() if chance < 0.95 else Uncross(price())


@pytest.mark.parametrize("seed", range(8))
def test_both_books_agree_over_a_long_day(seed: int) -> None:
    draw = random.Random(seed)
    agree([any_step(draw) for _ in range(250)], gives_priorities=seed % 2 == 0)
