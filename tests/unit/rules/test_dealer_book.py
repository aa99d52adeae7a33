"""Orders against one dealer: executed at what is offered at the moment, or waiting for its price."""

from dataclasses import dataclass, field
from itertools import count

from bearpit_server.rules.dealer_book import DealerBook
from bearpit_server.rules.mechanisms.base import NOTHING, Offer
from bearpit_server.rules.orders import EndReason, Order, OrderStatus, OrderType, Side, TimeInForce
from bearpit_server.rules.outcomes import Ended, Fill, Outcome, Rested, Triggered, Waiting
from hypothesis import given
from hypothesis import strategies as st

_ids = count(1)


@dataclass
class House:
    """Deals at one price, a cent above and below it, with so many shares in stock and out."""

    price_cents: int = 100
    stock: int = 1_000
    out: int = 1_000
    rests: bool = True
    lot: int = 1
    dealings: list[tuple[Side, int, int]] = field(default_factory=list)

    def offer(self, side: Side, quantity: int, limit_cents: int) -> Offer:
        price = self.price_cents + 1 if side is Side.BUY else self.price_cents - 1
        within = not limit_cents or (price <= limit_cents if side is Side.BUY else price >= limit_cents)
        shares = min(quantity, self.stock if side is Side.BUY else self.out)
        return Offer(shares, price) if within and shares else NOTHING

    def order(self, side: Side) -> Order:
        return Order(0, 0, 1, side, OrderType.LIMIT, TimeInForce.GTC, 1, 1)

    def dealt(self, side: Side, quantity: int, price_cents: int) -> None:
        self.dealings.append((side, quantity, price_cents))
        sign = 1 if side is Side.BUY else -1
        self.stock -= sign * quantity
        self.out += sign * quantity


def order(
    side: Side = Side.BUY,
    quantity: int = 10,
    price: int = 200,
    type_: OrderType = OrderType.LIMIT,
    time: TimeInForce = TimeInForce.GTC,
    stop: int = 0,
    post_only: bool = False,
) -> Order:
    id_ = next(_ids)
    return Order(id_, 7, 1, side, type_, time, quantity, price, stop, post_only, priority=id_)


def fills(outcomes: list[Outcome]) -> list[tuple[int, int]]:
    return [(made.price_cents, made.quantity) for made in outcomes if isinstance(made, Fill)]


def test_an_order_gets_what_the_dealer_offers_and_not_its_own_limit() -> None:
    book = DealerBook(House())
    bought = order(price=150)
    assert fills(book.execute(bought)) == [(101, 10)]
    assert bought.status is OrderStatus.FILLED
    assert not book.orders


def test_an_order_out_of_reach_waits_and_is_dealt_with_when_the_price_comes() -> None:
    house = House()
    book = DealerBook(house)
    waits = order(price=95)
    assert [type(made) for made in book.execute(waits)] == [Rested]
    assert book.reached(10) == []
    house.price_cents = 94
    assert book.reached(10) == [waits]
    assert fills(book.deal([waits])) == [(95, 10)]


def test_orders_never_meet_each_other() -> None:
    book = DealerBook(House())
    book.execute(order(Side.BUY, price=100))
    outcomes = book.execute(order(Side.SELL, price=100))
    assert [type(made) for made in outcomes] == [Rested]


def test_where_nothing_may_wait_what_is_left_ends() -> None:
    book = DealerBook(House(rests=False, stock=4))
    outcomes = book.execute(order(quantity=10))
    assert fills(outcomes) == [(101, 4)]
    assert isinstance(outcomes[-1], Ended)
    assert outcomes[-1].reason is EndReason.UNFILLED


def test_all_or_nothing_gets_nothing_of_too_little() -> None:
    house = House(stock=4)
    outcomes = DealerBook(house).execute(order(quantity=10, time=TimeInForce.FOK))
    assert [made.reason for made in outcomes if isinstance(made, Ended)] == [EndReason.NOT_FILLABLE]
    assert house.stock == 4


def test_a_post_only_order_that_could_be_had_at_once_ends() -> None:
    outcomes = DealerBook(House()).execute(order(post_only=True))
    assert [made.reason for made in outcomes if isinstance(made, Ended)] == [EndReason.WOULD_TAKE]


def test_a_stop_waits_for_the_price_and_then_takes_what_is_offered() -> None:
    house = House()
    book = DealerBook(house)
    stop = order(Side.SELL, price=1, type_=OrderType.STOP, stop=90)
    assert [type(made) for made in book.execute(stop)] == [Waiting]
    house.price_cents = 80
    assert book.reached(10) == [stop]
    outcomes = book.deal([stop])
    assert [type(made) for made in outcomes] == [Triggered, Fill]
    assert fills(outcomes) == [(79, 10)]


def test_a_market_order_that_was_collected_is_dealt_with_at_the_opening_or_ends() -> None:
    house = House(stock=3)
    book = DealerBook(house)
    collected = order(price=120, type_=OrderType.MARKET, time=TimeInForce.IOC)
    book.collect(collected)
    assert book.reached(10) == [collected]
    outcomes = book.deal([collected])
    assert fills(outcomes) == [(101, 3)]
    assert [made.reason for made in outcomes if isinstance(made, Ended)] == [EndReason.UNFILLED]
    assert not book.orders


def test_lots_are_not_broken() -> None:
    house = House(stock=25, lot=10)
    outcomes = DealerBook(house).execute(order(quantity=40))
    assert fills(outcomes) == [(101, 20)]


def test_a_preview_says_what_then_happens() -> None:
    book = DealerBook(House(stock=4))
    wanted = order(quantity=10)
    assert book.preview(wanted) == [(101, 4)]
    assert book.resting_after(wanted) == 6
    book.execute(wanted)
    assert wanted.remaining == 6


@st.composite
def wishes(draw: st.DrawFn) -> Order:
    type_ = draw(st.sampled_from(OrderType))
    priced = type_ in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    is_stop = type_ >= OrderType.STOP
    time = TimeInForce.GTC if is_stop else draw(st.sampled_from(TimeInForce))
    return order(
        draw(st.sampled_from(Side)),
        draw(st.integers(1, 300)),
        draw(st.integers(80, 120)),
        type_,
        time if type_ is not OrderType.MARKET else TimeInForce.IOC,
        draw(st.integers(80, 120)) if is_stop else 0,
        post_only=priced and not is_stop and time <= TimeInForce.DAY and draw(st.booleans()),
    )


@given(st.lists(st.tuples(wishes(), st.integers(85, 115)), max_size=30))
def test_no_fill_is_worse_than_its_limit_and_what_waits_could_not_be_had(
    steps: list[tuple[Order, int]],
) -> None:
    house = House()
    book = DealerBook(house)
    shares = house.stock + house.out
    placed: list[Order] = []
    for wanted, price in steps:
        house.price_cents = price
        placed.append(wanted)
        outcomes = book.execute(wanted)
        while reached := book.reached(100):  # one that buys may be what others who sell have waited for
            dealt = book.deal(reached)
            assert dealt, "whoever is reached gets something"
            outcomes += dealt
        for made in outcomes:
            if isinstance(made, Fill):
                better = made.price_cents - made.taker.price_cents
                assert better <= 0 if made.taker.side is Side.BUY else better >= 0
        assert house.stock >= 0
        assert house.out >= 0
        assert house.stock + house.out == shares
        assert all(made.filled + made.remaining == made.quantity for made in book.orders.values())
        for waiting in book.orders.values():
            if waiting.status is OrderStatus.WORKING:
                assert not book.preview(waiting)
    traded = sum(made.filled for made in placed)
    assert traded == sum(quantity for _, quantity, _ in house.dealings)
