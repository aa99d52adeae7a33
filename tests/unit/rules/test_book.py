"""Continuous trading, rule by rule."""

import copy

import pytest
from bearpit_server.rules.book import Book
from bearpit_server.rules.orders import EndReason, OrderStatus, OrderType, SelfTrade, Side, TimeInForce

from tests.unit.rules.entries import AnyBook, Terms, buy, entry, fills, sell, told

MARKET = Terms(type=OrderType.MARKET)
IOC = Terms(time_in_force=TimeInForce.IOC)
FOK = Terms(time_in_force=TimeInForce.FOK)
POST_ONLY = Terms(post_only=True)


# Price and time


def test_an_order_that_does_not_cross_rests(book: AnyBook) -> None:
    order = buy(1, 10, 100)
    assert told(book.execute(order)) == ["rested 1"]
    assert order.status is OrderStatus.WORKING
    assert book.orders == {1: order}
    assert (book.best_bid, book.best_ask) == (100, None)


def test_a_later_bid_never_fills_before_an_earlier_one_at_the_same_price(book: AnyBook) -> None:
    for order_id in (1, 2, 3):
        book.execute(buy(order_id, 10, 100))
    assert fills(book.execute(sell(4, 25, 100))) == [(1, 4, 100, 10), (2, 4, 100, 10), (3, 4, 100, 5)]


def test_a_later_ask_never_fills_before_an_earlier_one_at_the_same_price(book: AnyBook) -> None:
    for order_id in (1, 2, 3):
        book.execute(sell(order_id, 10, 100))
    assert fills(book.execute(buy(4, 25, 100))) == [(1, 4, 100, 10), (2, 4, 100, 10), (3, 4, 100, 5)]


def test_a_better_price_goes_before_an_earlier_order(book: AnyBook) -> None:
    book.execute(sell(1, 10, 102))
    book.execute(sell(2, 10, 101))
    assert fills(book.execute(buy(3, 15, 102))) == [(2, 3, 101, 10), (1, 3, 102, 5)]


def test_the_price_is_the_resting_orders(book: AnyBook) -> None:
    book.execute(buy(1, 10, 105))
    assert fills(book.execute(sell(2, 10, 95))) == [(1, 2, 105, 10)]
    assert book.last_price_cents == 105


def test_an_order_does_not_trade_past_its_limit(book: AnyBook) -> None:
    book.execute(sell(1, 10, 100))
    book.execute(sell(2, 10, 101))
    assert told(book.execute(buy(3, 20, 100))) == ["fill 1 with 3: 10 at 100", "rested 3"]
    assert (book.best_bid, book.best_ask) == (100, 101)


def test_a_partial_fill_leaves_the_rests_limit_price(book: AnyBook) -> None:
    book.execute(sell(1, 4, 99))
    order = buy(2, 10, 101)
    book.execute(order)
    assert (order.price_cents, order.quantity, order.filled, order.remaining) == (101, 10, 4, 6)
    assert book.depth(5) == ([(101, 6, 1)], [])


def test_a_partly_filled_order_keeps_its_place(book: AnyBook) -> None:
    book.execute(buy(1, 10, 100))
    book.execute(buy(2, 10, 100))
    book.execute(sell(3, 4, 100))
    assert fills(book.execute(sell(4, 10, 100))) == [(1, 4, 100, 6), (2, 4, 100, 4)]


def test_a_fill_is_booked_on_both_orders_and_their_fees_are_left_alone(book: AnyBook) -> None:
    maker, taker = sell(1, 10, 100), buy(2, 4, 100)
    book.execute(maker)
    book.execute(taker)
    assert (maker.filled, maker.remaining, maker.value_cents, maker.status) == (
        4,
        6,
        400,
        OrderStatus.WORKING,
    )
    assert (taker.filled, taker.remaining, taker.value_cents, taker.status) == (4, 0, 400, OrderStatus.FILLED)
    assert (maker.fee_cents, taker.fee_cents) == (0, 0)


def test_a_filled_order_is_not_in_the_book(book: AnyBook) -> None:
    book.execute(sell(1, 10, 100))
    book.execute(buy(2, 10, 100))
    assert book.orders == {}
    assert book.depth(5) == ([], [])
    with pytest.raises(KeyError):
        book.cancel(1)


def test_an_order_that_comes_late_is_queued_by_its_priority(book: AnyBook) -> None:
    book.execute(buy(1, 10, 100, priority=10))
    book.execute(buy(2, 10, 100, priority=30))
    book.execute(buy(3, 10, 100, priority=20))
    assert book.queue_ahead(3) == (1, 10)
    assert fills(book.execute(sell(4, 30, 100))) == [(1, 4, 100, 10), (3, 4, 100, 10), (2, 4, 100, 10)]


# Market orders, IOC, FOK, post-only


def test_a_market_sell_into_an_empty_book_makes_no_money(book: AnyBook) -> None:
    order = sell(1, 10, 1, **MARKET)
    assert told(book.execute(order)) == ["ended 1: 10 UNFILLED"]
    assert (order.filled, order.value_cents, order.status) == (0, 0, OrderStatus.CANCELLED)
    assert book.last_price_cents is None


def test_a_market_order_reports_no_more_than_it_filled(book: AnyBook) -> None:
    book.execute(sell(1, 4, 100))
    order = buy(2, 10, 110, **MARKET)
    assert told(book.execute(order)) == ["fill 1 with 2: 4 at 100", "ended 2: 6 UNFILLED"]
    assert (order.filled, order.value_cents, order.remaining) == (4, 400, 0)


def test_a_market_order_stops_at_its_protection_price(book: AnyBook) -> None:
    book.execute(sell(1, 4, 100))
    book.execute(sell(2, 4, 111))
    outcomes = book.execute(buy(3, 8, 110, **MARKET))
    assert told(outcomes) == ["fill 1 with 3: 4 at 100", "ended 3: 4 UNFILLED"]


def test_an_ioc_order_never_rests(book: AnyBook) -> None:
    book.execute(sell(1, 4, 100))
    assert told(book.execute(buy(2, 10, 100, **IOC))) == ["fill 1 with 2: 4 at 100", "ended 2: 6 UNFILLED"]
    assert book.orders == {}


def test_a_fok_order_fills_in_full(book: AnyBook) -> None:
    book.execute(sell(1, 4, 100))
    book.execute(sell(2, 6, 101))
    assert fills(book.execute(buy(3, 10, 101, **FOK))) == [(1, 3, 100, 4), (2, 3, 101, 6)]


def test_a_fok_order_that_cannot_fill_in_full_leaves_the_book_as_it_was(book: AnyBook) -> None:
    book.execute(sell(1, 4, 100))
    before = book.digest()
    assert told(book.execute(buy(2, 5, 100, **FOK))) == ["ended 2: 5 NOT_FILLABLE"]
    assert book.digest() == before


def test_a_fok_order_into_an_empty_book_ends(book: AnyBook) -> None:
    assert told(book.execute(buy(1, 5, 100, **FOK))) == ["ended 1: 5 NOT_FILLABLE"]


def test_a_fok_order_does_not_count_on_its_owners_orders(book: AnyBook) -> None:
    book.execute(sell(1, 5, 100, owner_id=9))
    book.execute(sell(2, 5, 100))
    for order_id, mode in enumerate(SelfTrade, start=3):
        order = buy(order_id, 10, 100, owner_id=9, self_trade=mode, time_in_force=TimeInForce.FOK)
        assert told(book.execute(order)) == [f"ended {order_id}: 10 NOT_FILLABLE"]
    assert set(book.orders) == {1, 2}


def test_a_fok_order_takes_what_lies_behind_its_owners_when_those_are_cancelled(book: AnyBook) -> None:
    book.execute(sell(1, 5, 100, owner_id=9))
    book.execute(sell(2, 5, 100))
    outcomes = book.execute(
        buy(3, 5, 100, owner_id=9, self_trade=SelfTrade.CANCEL_OLDEST, time_in_force=TimeInForce.FOK)
    )
    assert told(outcomes) == ["ended 1: 5 SELF_TRADE", "fill 2 with 3: 5 at 100"]


def test_a_post_only_order_that_would_take_ends(book: AnyBook) -> None:
    book.execute(sell(1, 5, 100))
    assert told(book.execute(buy(2, 5, 100, **POST_ONLY))) == ["ended 2: 5 WOULD_TAKE"]


def test_a_post_only_order_that_would_take_only_its_owners_ends_too(book: AnyBook) -> None:
    book.execute(sell(1, 5, 100, owner_id=9))
    order = buy(2, 5, 100, owner_id=9, self_trade=SelfTrade.CANCEL_OLDEST, post_only=True)
    assert told(book.execute(order)) == ["ended 2: 5 WOULD_TAKE"]
    assert set(book.orders) == {1}


def test_a_post_only_order_that_would_not_take_rests(book: AnyBook) -> None:
    book.execute(sell(1, 5, 101))
    assert told(book.execute(buy(2, 5, 100, **POST_ONLY))) == ["rested 2"]


# Trades with oneself


def test_self_trade_prevention_does_not_skip_the_order_for_everyone_behind(book: AnyBook) -> None:
    book.execute(sell(1, 5, 100, owner_id=9))
    book.execute(sell(2, 5, 100))
    book.execute(buy(3, 5, 100, owner_id=9))
    assert book.queue_ahead(1) == (0, 0)
    assert fills(book.execute(buy(4, 8, 100))) == [(1, 4, 100, 5), (2, 4, 100, 3)]


def test_cancel_newest_ends_the_incoming_order_with_what_it_has_left(book: AnyBook) -> None:
    book.execute(sell(1, 4, 99))
    book.execute(sell(2, 5, 100, owner_id=9))
    outcomes = book.execute(buy(3, 10, 100, owner_id=9, self_trade=SelfTrade.CANCEL_NEWEST))
    assert told(outcomes) == ["fill 1 with 3: 4 at 99", "ended 3: 6 SELF_TRADE"]
    assert set(book.orders) == {2}


def test_cancel_oldest_ends_the_resting_order_and_goes_on(book: AnyBook) -> None:
    book.execute(sell(1, 5, 100, owner_id=9))
    book.execute(sell(2, 5, 100))
    outcomes = book.execute(buy(3, 10, 100, owner_id=9, self_trade=SelfTrade.CANCEL_OLDEST))
    assert told(outcomes) == ["ended 1: 5 SELF_TRADE", "fill 2 with 3: 5 at 100", "rested 3"]


def test_cancel_both_ends_both(book: AnyBook) -> None:
    book.execute(sell(1, 5, 100, owner_id=9))
    book.execute(sell(2, 5, 100))
    outcomes = book.execute(buy(3, 10, 100, owner_id=9, self_trade=SelfTrade.CANCEL_BOTH))
    assert told(outcomes) == ["ended 1: 5 SELF_TRADE", "ended 3: 10 SELF_TRADE"]
    assert set(book.orders) == {2}


def test_decrement_takes_the_smaller_off_both_without_a_fill(book: AnyBook) -> None:
    resting = sell(1, 5, 100, owner_id=9)
    book.execute(resting)
    order = buy(2, 8, 100, owner_id=9, self_trade=SelfTrade.DECREMENT)
    assert told(book.execute(order)) == ["ended 1: 5 SELF_TRADE", "reduced 2: 5", "rested 2"]
    assert (order.quantity, order.filled, order.remaining) == (3, 0, 3)
    assert resting.status is OrderStatus.CANCELLED
    assert book.last_price_cents is None


def test_decrement_of_a_larger_resting_order_leaves_the_rest_in_its_place(book: AnyBook) -> None:
    book.execute(sell(1, 8, 100, owner_id=9))
    book.execute(sell(2, 5, 100))
    outcomes = book.execute(buy(3, 5, 100, owner_id=9, self_trade=SelfTrade.DECREMENT))
    assert told(outcomes) == ["reduced 1: 5", "ended 3: 5 SELF_TRADE"]
    assert book.depth(1) == ([], [(100, 8, 2)])
    assert fills(book.execute(buy(4, 4, 100))) == [(1, 4, 100, 3), (2, 4, 100, 1)]


def test_decrement_of_equals_ends_both(book: AnyBook) -> None:
    book.execute(sell(1, 5, 100, owner_id=9))
    outcomes = book.execute(buy(2, 5, 100, owner_id=9, self_trade=SelfTrade.DECREMENT))
    assert told(outcomes) == ["ended 1: 5 SELF_TRADE", "ended 2: 5 SELF_TRADE"]
    assert book.orders == {}


# Cancel and amend


def test_a_cancelled_order_is_gone(book: AnyBook) -> None:
    order = buy(1, 10, 100)
    book.execute(order)
    assert told(book.cancel(1)) == ["ended 1: 10 REQUESTED"]
    assert (order.status, order.remaining) == (OrderStatus.CANCELLED, 0)
    assert book.orders == {}
    assert book.best_bid is None


def test_a_day_order_expires(book: AnyBook) -> None:
    order = buy(1, 10, 100, time_in_force=TimeInForce.DAY)
    book.execute(order)
    assert told(book.cancel(1, EndReason.DAY_ENDED)) == ["ended 1: 10 DAY_ENDED"]
    assert order.status is OrderStatus.EXPIRED


def test_cancelling_what_is_not_there_is_a_key_error(book: AnyBook) -> None:
    with pytest.raises(KeyError):
        book.cancel(1)


def test_an_order_made_smaller_keeps_its_place(book: AnyBook) -> None:
    book.execute(buy(1, 10, 100))
    book.execute(buy(2, 10, 100))
    book.execute(sell(3, 2, 100))
    assert told(book.reduce(1, 5)) == ["reduced 1: 5"]
    assert book.depth(1) == ([(100, 13, 2)], [])
    assert fills(book.execute(sell(4, 5, 100))) == [(1, 4, 100, 3), (2, 4, 100, 2)]


def test_an_order_made_larger_loses_its_place(book: AnyBook) -> None:
    book.execute(buy(1, 10, 100))
    book.execute(buy(2, 10, 100))
    assert told(book.replace(1, 100, 11, priority=3, matching=True)) == ["rested 1"]
    assert book.queue_ahead(1) == (1, 10)
    assert fills(book.execute(sell(4, 12, 100))) == [(2, 4, 100, 10), (1, 4, 100, 2)]


def test_an_order_at_a_new_price_loses_its_place_even_when_it_comes_back(book: AnyBook) -> None:
    book.execute(buy(1, 10, 100))
    book.execute(buy(2, 10, 100))
    book.replace(1, 99, 10, priority=3, matching=True)
    book.replace(1, 100, 10, priority=4, matching=True)
    assert book.queue_ahead(1) == (1, 10)


def test_an_amended_order_trades_at_once_if_it_now_crosses(book: AnyBook) -> None:
    book.execute(sell(1, 4, 101))
    order = buy(2, 10, 100)
    book.execute(order)
    outcomes = book.replace(2, 101, 10, priority=3, matching=True)
    assert told(outcomes) == ["fill 1 with 2: 4 at 101", "rested 2"]
    assert (order.priority, order.filled, order.remaining) == (3, 4, 6)


def test_an_amended_order_keeps_what_it_filled(book: AnyBook) -> None:
    book.execute(buy(1, 10, 100))
    book.execute(sell(2, 4, 100))
    book.replace(1, 99, 12, priority=3, matching=True)
    order = book.orders[1]
    assert (order.quantity, order.filled, order.remaining, order.value_cents) == (12, 4, 8, 400)


def test_an_order_amended_in_a_call_phase_does_not_trade(book: AnyBook) -> None:
    book.execute(sell(1, 4, 101))
    book.execute(buy(2, 10, 100))
    assert told(book.replace(2, 101, 10, priority=3, matching=False)) == ["rested 2"]


def test_a_post_only_order_amended_to_take_ends(book: AnyBook) -> None:
    book.execute(sell(1, 4, 101))
    book.execute(buy(2, 10, 100, **POST_ONLY))
    assert told(book.replace(2, 101, 10, priority=3, matching=True)) == ["ended 2: 10 WOULD_TAKE"]


# Bands


@pytest.mark.parametrize(("side", "inside", "outside"), [(Side.SELL, 110, 111), (Side.BUY, 90, 89)])
def test_nothing_trades_outside_the_bands(book: AnyBook, side: Side, inside: int, outside: int) -> None:
    book.lower_band_cents, book.upper_band_cents = 90, 110
    book.execute(entry(1, side, 5, inside))
    book.execute(entry(2, side, 5, outside))
    outcomes = book.execute(entry(3, side.opposite, 10, outside))
    assert told(outcomes) == [f"fill 1 with 3: 5 at {inside}", "rested 3"]


def test_a_best_price_outside_the_bands_stops_matching(book: AnyBook) -> None:
    book.execute(sell(1, 5, 80))
    book.execute(sell(2, 5, 100))
    book.lower_band_cents, book.upper_band_cents = 90, 110
    assert told(book.execute(buy(3, 10, 105))) == ["rested 3"]


def test_a_post_only_order_may_rest_against_a_price_outside_the_bands(book: AnyBook) -> None:
    book.execute(sell(1, 5, 80))
    book.lower_band_cents, book.upper_band_cents = 90, 110
    assert told(book.execute(buy(2, 10, 105, **POST_ONLY))) == ["rested 2"]


# What the book shows


def test_depth_counts_shares_and_orders_best_first(book: AnyBook) -> None:
    for order in (
        buy(1, 10, 99),
        buy(2, 5, 100),
        buy(3, 7, 100),
        buy(4, 1, 98),
        sell(5, 3, 101),
        sell(6, 2, 103),
    ):
        book.execute(order)
    assert book.depth(2) == ([(100, 12, 2), (99, 10, 1)], [(101, 3, 1), (103, 2, 1)])
    assert book.depth(0) == ([], [])


def test_queue_ahead_counts_better_prices_and_earlier_orders(book: AnyBook) -> None:
    for order in (buy(1, 10, 99), buy(2, 5, 100), buy(3, 7, 99), sell(4, 3, 101)):
        book.execute(order)
    assert [book.queue_ahead(order_id) for order_id in (2, 1, 3, 4)] == [(0, 0), (1, 5), (2, 15), (0, 0)]


def test_a_preview_changes_nothing(book: AnyBook) -> None:
    book.execute(sell(1, 4, 100))
    book.execute(sell(2, 4, 101))
    order = buy(3, 6, 101)
    before = book.digest()
    assert book.preview(order) == [(100, 4), (101, 2)]
    assert book.digest() == before
    assert (order.filled, order.remaining, order.status) == (0, 6, OrderStatus.QUEUED)


def test_a_preview_leaves_out_the_owners_orders(book: AnyBook) -> None:
    book.execute(sell(1, 4, 100, owner_id=9))
    book.execute(sell(2, 4, 101))
    previews = {mode: book.preview(buy(3, 6, 101, owner_id=9, self_trade=mode)) for mode in SelfTrade}
    assert previews == {
        SelfTrade.CANCEL_NEWEST: [],
        SelfTrade.CANCEL_OLDEST: [(101, 4)],
        SelfTrade.CANCEL_BOTH: [],
        SelfTrade.DECREMENT: [(101, 2)],
    }


# State and recovery


def test_a_restored_book_is_the_same_book(book: AnyBook) -> None:
    for order in (buy(1, 10, 100), buy(2, 10, 100), sell(3, 4, 100), sell(4, 5, 101)):
        book.execute(order)
    book.execute(sell(5, 5, 90, type=OrderType.STOP, stop_price_cents=95))
    again = type(book)(book.last_price_cents)
    for order in book.orders.values():
        again.restore(copy.copy(order))
    assert again.digest() == book.digest()
    assert again.depth(9) == book.depth(9)
    assert fills(again.execute(sell(9, 20, 100))) == [(1, 9, 100, 6), (2, 9, 100, 10)]


def test_the_digest_tells_books_apart(book: AnyBook) -> None:
    book.execute(buy(1, 10, 100))
    digests = {book.digest()}
    book.execute(buy(2, 10, 100))
    digests.add(book.digest())
    book.reduce(2, 9)
    digests.add(book.digest())
    book.replace(2, 100, 9, priority=3, matching=True)
    digests.add(book.digest())
    assert len(digests) == 4


@pytest.mark.parametrize("misuse", ["twice", "nothing left", "grown by reduce", "less than filled"])
def test_the_book_stops_rather_than_go_on_wrong(misuse: str) -> None:
    book = Book()
    order = buy(1, 10, 100)
    book.execute(order)
    book.execute(sell(2, 4, 100))
    spent = buy(3, 10, 100)
    spent.remaining = 0
    with pytest.raises(AssertionError):
        {
            "twice": lambda: book.execute(order),
            "nothing left": lambda: book.execute(spent),
            "grown by reduce": lambda: book.reduce(1, 11),
            "less than filled": lambda: book.replace(1, 100, 4, priority=9, matching=True),
        }[misuse]()
