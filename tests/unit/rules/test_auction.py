"""The call auction: its price, its trades, and what it does with an owner's own orders."""

import itertools

import pytest
from bearpit_server.rules.auction import Terms, equilibrium
from bearpit_server.rules.book import Book
from bearpit_server.rules.orders import OrderStatus, OrderType, SelfTrade, TimeInForce
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rules.entries import AnyBook, buy, fills, sell, told
from tests.unit.rules.entries import Terms as OrderTerms

MARKET = OrderTerms(type=OrderType.MARKET)


def test_orders_are_collected_without_matching(book: AnyBook) -> None:
    assert told(book.collect(buy(1, 10, 105))) == ["rested 1"]
    assert told(book.collect(sell(2, 10, 95))) == ["rested 2"]
    assert (book.best_bid, book.best_ask) == (105, 95)


def test_the_price_is_the_one_that_trades_the_most(book: AnyBook) -> None:
    for order in (buy(1, 10, 105), buy(2, 10, 103), sell(3, 5, 100), sell(4, 15, 103)):
        book.collect(order)
    assert book.indicative(100) == (103, 20)
    assert fills(book.uncross(100)) == [(1, 3, 103, 5), (1, 4, 103, 5), (2, 4, 103, 10)]
    assert book.last_price_cents == 103
    assert book.orders == {}


def test_of_equal_volumes_the_price_with_the_smallest_surplus_wins(book: AnyBook) -> None:
    # 10 shares trade at 100 to 105; from 102 up 5 more are offered, at 100 20 more are wanted.
    for order in (buy(1, 10, 105), buy(2, 20, 100), sell(3, 10, 100), sell(4, 5, 102)):
        book.collect(order)
    assert book.indicative(100) == (101, 10)


def test_of_equal_surpluses_the_price_nearest_the_reference_wins(book: AnyBook) -> None:
    book.collect(buy(1, 10, 110))
    book.collect(sell(2, 10, 90))
    assert [book.indicative(reference) for reference in (80, 97, 120)] == [(90, 10), (97, 10), (110, 10)]


def test_of_two_prices_equally_near_the_lower_wins(book: AnyBook) -> None:
    for order in (buy(1, 10, 110), buy(2, 5, 100), sell(3, 10, 100), sell(4, 5, 110)):
        book.collect(order)
    book.tick_cents = 10
    assert [book.indicative(reference) for reference in (104, 105, 106)] == [(100, 10), (100, 10), (110, 10)]


def test_a_price_that_no_order_names_is_on_the_tick(book: AnyBook) -> None:
    book.collect(buy(1, 10, 110))
    book.collect(sell(2, 10, 90))
    book.tick_cents = 5
    assert book.indicative(98) == (100, 10)
    assert book.indicative(97) == (95, 10)


def test_everything_trades_at_the_one_price(book: AnyBook) -> None:
    for order in (buy(1, 10, 110), buy(2, 10, 101), sell(3, 10, 90), sell(4, 10, 99)):
        book.collect(order)
    assert {price for _, _, price, _ in fills(book.uncross(100))} == {100}


def test_the_side_with_more_fills_by_price_then_time(book: AnyBook) -> None:
    for order in (buy(1, 10, 100), buy(2, 10, 102), buy(3, 10, 100), sell(4, 15, 100)):
        book.collect(order)
    assert fills(book.uncross(100)) == [(2, 4, 100, 10), (1, 4, 100, 5)]
    assert book.depth(5) == ([(100, 15, 2)], [])


def test_the_maker_is_the_earlier_of_the_two(book: AnyBook) -> None:
    book.collect(sell(1, 5, 100))
    book.collect(buy(2, 10, 100))
    book.collect(sell(3, 5, 100))
    assert fills(book.uncross(100)) == [(1, 2, 100, 5), (2, 3, 100, 5)]


def test_a_book_that_does_not_cross_trades_nothing(book: AnyBook) -> None:
    book.collect(buy(1, 10, 99))
    book.collect(sell(2, 10, 101))
    before = book.digest()
    assert book.indicative(100) is None
    assert told(book.uncross(100)) == []
    assert book.digest() == before


def test_an_empty_book_trades_nothing(book: AnyBook) -> None:
    assert book.indicative(100) is None
    assert told(book.uncross(100)) == []


def test_an_indication_changes_nothing(book: AnyBook) -> None:
    book.collect(buy(1, 10, 105, owner_id=9))
    book.collect(sell(2, 10, 95, owner_id=9))
    book.collect(sell(3, 4, 95))
    before = book.digest()
    assert book.indicative(100) == (100, 4)
    assert book.digest() == before


def test_a_market_order_waits_for_the_auction_at_its_protection_price(book: AnyBook) -> None:
    order = buy(1, 10, 110, **MARKET)
    assert told(book.collect(order)) == ["rested 1"]
    book.collect(sell(2, 4, 100))
    assert told(book.uncross(105)) == ["fill 1 with 2: 4 at 105", "ended 1: 6 UNFILLED"]
    assert order.status is OrderStatus.CANCELLED


def test_what_cannot_wait_ends_if_a_halt_overtook_it(book: AnyBook) -> None:
    ioc, fok = TimeInForce.IOC, TimeInForce.FOK
    market = OrderType.MARKET
    assert told(book.collect(buy(1, 10, 100, time_in_force=ioc))) == ["ended 1: 10 UNFILLED"]
    assert told(book.collect(buy(2, 10, 100, time_in_force=fok))) == ["ended 2: 10 NOT_FILLABLE"]
    assert told(book.collect(buy(3, 10, 100, time_in_force=ioc, type=market))) == ["rested 3"]


def test_stops_wait_through_a_call_phase_and_follow_the_auction(book: AnyBook) -> None:
    book.last_price_cents = 100
    waiting = buy(1, 10, 120, type=OrderType.STOP, stop_price_cents=100)
    assert told(book.collect(waiting)) == ["waiting 1"]
    for order in (buy(2, 5, 104), sell(3, 5, 104), sell(4, 5, 110)):
        book.collect(order)
    assert told(book.uncross(100)) == [
        "fill 2 with 3: 5 at 104",
        "triggered 1",
        "fill 4 with 1: 5 at 110",
        "ended 1: 5 UNFILLED",
    ]


def test_market_orders_end_before_stops_follow(book: AnyBook) -> None:
    book.collect(sell(1, 10, 100, type=OrderType.STOP, stop_price_cents=104))
    for order in (buy(2, 5, 104), sell(3, 5, 104), buy(4, 5, 103, **MARKET)):
        book.collect(order)
    assert told(book.uncross(104)) == [
        "fill 2 with 3: 5 at 104",
        "ended 4: 5 UNFILLED",
        "triggered 1",
        "ended 1: 10 UNFILLED",
    ]


def test_a_stop_reached_before_the_halt_follows_an_auction_without_trades(book: AnyBook) -> None:
    book.last_price_cents = 100
    book.collect(buy(1, 10, 120, type=OrderType.STOP, stop_price_cents=100))
    assert told(book.uncross(100)) == ["triggered 1", "ended 1: 10 UNFILLED"]


# Bands


def test_the_auctions_price_is_within_the_bands(book: AnyBook) -> None:
    book.lower_band_cents, book.upper_band_cents = 95, 105
    book.collect(buy(1, 10, 120))
    book.collect(sell(2, 10, 80))
    assert [book.indicative(reference) for reference in (80, 100, 120)] == [(95, 10), (100, 10), (105, 10)]


def test_what_crosses_outside_the_bands_stays(book: AnyBook) -> None:
    book.lower_band_cents, book.upper_band_cents = 95, 105
    book.collect(buy(1, 10, 120))
    book.collect(sell(2, 10, 110))
    assert told(book.uncross(100)) == []
    assert set(book.orders) == {1, 2}


# Trades with oneself


@pytest.mark.parametrize(
    ("mode", "outcomes"),
    [
        (SelfTrade.CANCEL_NEWEST, ["ended 2: 10 SELF_TRADE", "fill 1 with 3: 4 at 100"]),
        (SelfTrade.CANCEL_OLDEST, ["ended 1: 10 SELF_TRADE"]),
        (SelfTrade.CANCEL_BOTH, ["ended 1: 10 SELF_TRADE", "ended 2: 10 SELF_TRADE"]),
        (SelfTrade.DECREMENT, ["ended 1: 10 SELF_TRADE", "ended 2: 10 SELF_TRADE"]),
    ],
)
def test_an_owners_pair_is_treated_by_the_newer_orders_mode(
    book: AnyBook, mode: SelfTrade, outcomes: list[str]
) -> None:
    book.collect(buy(1, 10, 100, owner_id=9, self_trade=SelfTrade.CANCEL_NEWEST))
    book.collect(sell(2, 10, 100, owner_id=9, self_trade=mode))
    book.collect(sell(3, 4, 100))
    assert told(book.uncross(100)) == outcomes


def test_the_price_is_formed_anew_without_an_owners_pair(book: AnyBook) -> None:
    book.collect(buy(1, 50, 110, owner_id=9))
    book.collect(sell(2, 50, 110, owner_id=9, self_trade=SelfTrade.CANCEL_BOTH))
    book.collect(buy(3, 5, 101))
    book.collect(sell(4, 5, 99))
    assert book.indicative(100) == (100, 5)
    assert told(book.uncross(100)) == [
        "ended 1: 50 SELF_TRADE",
        "ended 2: 50 SELF_TRADE",
        "fill 3 with 4: 5 at 100",
    ]


def test_decrement_cuts_only_what_would_have_traded_with_oneself(book: AnyBook) -> None:
    book.collect(buy(1, 10, 100, owner_id=9))
    book.collect(sell(2, 6, 99))
    book.collect(sell(3, 9, 100, owner_id=9, self_trade=SelfTrade.DECREMENT))
    assert told(book.uncross(100)) == ["reduced 1: 4", "reduced 3: 4", "fill 1 with 2: 6 at 99"]
    assert book.depth(5) == ([], [(100, 5, 1)])


# The price by itself

sizes = st.lists(st.tuples(st.integers(90, 110), st.integers(1, 9)), max_size=6)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(sizes, sizes, st.integers(85, 115), st.sampled_from([0, 97]), st.sampled_from([0, 103]))
def test_no_price_trades_more_than_the_auctions(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], reference: int, lower: int, upper: int
) -> None:
    def volume(price: int) -> int:
        wanted = sum(shares for limit, shares in bids if limit >= price)
        return min(wanted, sum(shares for limit, shares in asks if limit <= price))

    found = equilibrium(bids, asks, Terms(reference, lower, upper))
    allowed = range(lower or 80, (upper or 120) + 1)
    if found is None:
        assert all(volume(price) == 0 for price in allowed)
    else:
        price, traded = found
        assert price in allowed
        assert traded == volume(price) == max(volume(other) for other in allowed)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(sizes, sizes, st.integers(85, 115))
def test_no_crossed_price_is_left_after_the_auction(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], reference: int
) -> None:
    book = Book()
    numbers = itertools.count(1)
    for price, shares in bids:
        book.collect(buy(next(numbers), shares, price))
    for price, shares in asks:
        book.collect(sell(next(numbers), shares, price))
    book.uncross(reference)
    assert book.best_bid is None or book.best_ask is None or book.best_bid < book.best_ask
