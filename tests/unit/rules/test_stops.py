"""Stop orders: what they wait for, and what happens when it comes."""

import itertools

import pytest
from bearpit_server.rules.orders import OrderStatus, OrderType, SelfTrade, TimeInForce

from tests.unit.rules.entries import AnyBook, Terms, buy, sell, told

STOP, STOP_LIMIT = OrderType.STOP, OrderType.STOP_LIMIT
numbers = itertools.count(1_000)


def stop(price_cents: int, kind: OrderType = STOP) -> Terms:
    return Terms(type=kind, stop_price_cents=price_cents)


def trade_at(book: AnyBook, price_cents: int) -> list[str]:
    """Makes one share trade at a price, between two orders of nobody else's; what followed on it."""
    book.execute(sell(next(numbers), 1, price_cents))
    return told(book.execute(buy(next(numbers), 1, price_cents)))[1:]


def test_a_stop_waits_while_nothing_has_traded(book: AnyBook) -> None:
    order = buy(1, 10, 120, **stop(110))
    assert told(book.execute(order)) == ["waiting 1"]
    assert order.status is OrderStatus.WAITING
    assert book.orders == {1: order}
    assert book.depth(5) == ([], [])


def test_a_stop_to_buy_triggers_at_its_price_and_not_below(book: AnyBook) -> None:
    book.execute(buy(1, 10, 120, **stop(110)))
    assert trade_at(book, 109) == []
    assert trade_at(book, 110) == ["triggered 1", "ended 1: 10 UNFILLED"]


def test_a_stop_to_sell_triggers_at_its_price_and_not_above(book: AnyBook) -> None:
    book.execute(sell(1, 10, 80, **stop(90)))
    assert trade_at(book, 91) == []
    assert trade_at(book, 90) == ["triggered 1", "ended 1: 10 UNFILLED"]


def test_a_stop_whose_price_is_reached_already_triggers_at_once(book: AnyBook) -> None:
    trade_at(book, 110)
    book.execute(sell(1, 4, 115))
    order = buy(2, 10, 120, **stop(105))
    assert told(book.execute(order)) == ["triggered 2", "fill 1 with 2: 4 at 115", "ended 2: 6 UNFILLED"]
    assert order.priority == 2


def test_a_triggered_stop_is_a_market_order_up_to_its_protection_price(book: AnyBook) -> None:
    book.execute(sell(1, 4, 119))
    book.execute(sell(2, 4, 121))
    book.execute(buy(3, 10, 120, **stop(110)))
    assert trade_at(book, 110) == ["triggered 3", "fill 1 with 3: 4 at 119", "ended 3: 6 UNFILLED"]


def test_a_triggered_stop_limit_rests_at_its_limit_with_a_new_priority(book: AnyBook) -> None:
    order = buy(1, 10, 112, **stop(110, STOP_LIMIT))
    book.execute(order)
    book.execute(buy(2, 10, 105))
    assert trade_at(book, 110) == ["triggered 1", "rested 1"]
    assert (order.id, order.status, order.price_cents) == (1, OrderStatus.WORKING, 112)
    assert order.priority > 1_000
    assert book.best_bid == 112


def test_a_triggered_stop_limit_goes_behind_what_rests_at_its_price(book: AnyBook) -> None:
    book.execute(buy(1, 10, 108, **stop(110, STOP_LIMIT)))
    book.execute(buy(2, 10, 108))
    trade_at(book, 110)
    assert book.queue_ahead(1) == (1, 10)


def test_the_books_owner_may_give_the_priorities(book: AnyBook) -> None:
    given = iter([7_000, 8_000])
    book.priorities = lambda: next(given)
    first, second = buy(1, 10, 112, **stop(110, STOP_LIMIT)), buy(2, 10, 112, **stop(109, STOP_LIMIT))
    book.execute(first)
    book.execute(second)
    trade_at(book, 110)
    assert (first.priority, second.priority) == (7_000, 8_000)


def test_stops_trigger_by_priority_whatever_their_prices(book: AnyBook) -> None:
    book.execute(buy(1, 1, 120, **stop(109)))
    book.execute(buy(2, 1, 120, **stop(110)))
    book.execute(buy(3, 1, 120, **stop(108)))
    triggered = [line for line in trade_at(book, 110) if line.startswith("triggered")]
    assert triggered == ["triggered 1", "triggered 2", "triggered 3"]


def test_one_stop_can_trigger_the_next(book: AnyBook) -> None:
    book.execute(buy(1, 5, 89))
    book.execute(buy(2, 5, 79))
    book.execute(sell(3, 5, 70, **stop(90)))
    book.execute(sell(4, 5, 70, **stop(89)))
    assert trade_at(book, 90) == [
        "triggered 3",
        "fill 1 with 3: 5 at 89",
        "triggered 4",
        "fill 2 with 4: 5 at 79",
    ]


def test_a_price_once_traded_is_reached_even_if_the_sweep_went_on(book: AnyBook) -> None:
    book.last_price_cents = 105
    book.execute(sell(1, 5, 100))
    book.execute(sell(2, 5, 104))
    book.execute(sell(3, 1, 50, **stop(101)))
    outcomes = told(book.execute(buy(4, 10, 104)))
    assert outcomes[2:] == ["triggered 3", "ended 3: 1 UNFILLED"]


def test_a_triggered_stop_does_not_trade_with_its_owner(book: AnyBook) -> None:
    book.execute(sell(1, 5, 112, owner_id=9))
    order = buy(2, 5, 120, owner_id=9, self_trade=SelfTrade.CANCEL_OLDEST, type=STOP, stop_price_cents=110)
    book.execute(order)
    assert trade_at(book, 110) == ["triggered 2", "ended 1: 5 SELF_TRADE", "ended 2: 5 UNFILLED"]


def test_a_waiting_stop_can_be_cancelled_and_made_smaller(book: AnyBook) -> None:
    book.execute(buy(1, 10, 120, **stop(110)))
    book.execute(buy(2, 10, 120, **stop(110)))
    assert told(book.reduce(1, 4)) == ["reduced 1: 6"]
    assert told(book.cancel(2)) == ["ended 2: 10 REQUESTED"]
    assert trade_at(book, 110) == ["triggered 1", "ended 1: 4 UNFILLED"]


def test_a_waiting_stop_gets_a_new_stop_price(book: AnyBook) -> None:
    book.execute(buy(1, 10, 120, **stop(110)))
    assert told(book.replace(1, 121, 10, 900, matching=True, stop_price_cents=112)) == ["waiting 1"]
    assert trade_at(book, 111) == []
    assert trade_at(book, 112) == ["triggered 1", "ended 1: 10 UNFILLED"]


def test_a_waiting_stop_amended_to_a_reached_price_triggers_at_once(book: AnyBook) -> None:
    trade_at(book, 108)
    book.execute(buy(1, 10, 120, **stop(110)))
    outcomes = book.replace(1, 120, 10, 9_000, matching=True, stop_price_cents=105)
    assert told(outcomes) == ["triggered 1", "ended 1: 10 UNFILLED"]


def test_a_triggered_stop_limit_is_amended_as_a_limit_order(book: AnyBook) -> None:
    book.execute(buy(1, 10, 112, **stop(110, STOP_LIMIT)))
    trade_at(book, 110)
    assert trade_at(book, 90) == []
    assert told(book.replace(1, 108, 10, 9_000, matching=True, stop_price_cents=200)) == ["rested 1"]
    assert book.orders[1].stop_price_cents == 110


def test_a_waiting_stop_is_in_no_queue(book: AnyBook) -> None:
    book.execute(buy(1, 10, 120, **stop(110)))
    with pytest.raises(KeyError):
        book.queue_ahead(1)


def test_a_stop_previews_nothing_until_its_price_is_reached(book: AnyBook) -> None:
    book.execute(sell(1, 5, 115))
    order = buy(2, 5, 120, **stop(110))
    assert book.preview(order) == []
    trade_at(book, 110)
    assert book.preview(order) == [(115, 5)]


def test_a_day_stop_waits_as_long_as_any(book: AnyBook) -> None:
    order = buy(1, 10, 120, time_in_force=TimeInForce.DAY, type=STOP, stop_price_cents=110)
    assert told(book.execute(order)) == ["waiting 1"]
