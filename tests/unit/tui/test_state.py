"""The state, carried on from frame to frame."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from bearpit_tui.drafts import Kind, Side
from bearpit_tui.layout import visible_panes
from bearpit_tui.model import (
    Bar,
    Book,
    Fill,
    Instrument,
    Level,
    Link,
    LinkState,
    Order,
    OrderStatus,
    Position,
    Quote,
    Spark,
    Tick,
    Timeframe,
    Wallet,
)
from bearpit_tui.state import (
    MOST_ENDED_ORDERS,
    State,
    bar_start,
    equity_cents,
    free_shares,
    frozen_view,
    gain_cents,
    listed_orders,
    mark_cents,
    own_at_price,
    reversed_shares,
    select,
    unrealised_cents,
    with_bars,
    with_book,
    with_fills,
    with_instruments,
    with_levels,
    with_link,
    with_marks,
    with_open_orders,
    with_orders,
    with_quotes,
    with_server_time,
    with_tape,
    with_ticks,
    with_timeframe,
    with_wallet,
    with_wallet_change,
)
from bearpit_tui.views import changed_symbols, grown_bars, order_row, watch_row

NOW = datetime(2026, 3, 2, 14, 31, 7, tzinfo=UTC)


def market() -> State:
    listed = [
        Instrument("BBB", ipo_price_cents=5_00),
        Instrument("AAA"),
        Instrument("CCC", reference_cents=7_00),
    ]
    return with_instruments(State(), listed, [Quote("AAA", 9_90, 10, 10_10, 10, 10_00)])


def order(order_id: int, status: OrderStatus = OrderStatus.WORKING, **changes: object) -> Order:
    plain = Order(order_id, "AAA", Side.BUY, Kind.LIMIT, 100, status, 9_90, remaining=100, updated_at=NOW)
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_instruments_are_by_symbol_and_the_first_is_chosen() -> None:
    state = market()
    assert list(state.instruments) == ["AAA", "BBB", "CCC"]
    assert (state.selected, state.book.symbol, state.chart.symbol) == ("AAA", "AAA", "AAA")


def test_a_list_that_comes_again_keeps_the_choice_and_newer_quotes() -> None:
    state = with_quotes(select(market(), "BBB"), [Quote("AAA", last_cents=11_00)], NOW)
    state = with_instruments(state, [Instrument("AAA"), Instrument("BBB")], [Quote("AAA", last_cents=10_00)])
    assert state.selected == "BBB"
    assert state.quotes["AAA"].last_cents == 11_00


@pytest.mark.parametrize(
    ("last", "close", "bps"), [(101, 100, 100), (99, 100, -100), (1, 3, -6666), (5, 0, 0)]
)
def test_change_is_in_basis_points_towards_zero(last: int, close: int, bps: int) -> None:
    assert Quote("AAA", last_cents=last, previous_close_cents=close).change_bps == bps


def test_a_sparkline_keeps_the_last_price_of_each_minute() -> None:
    spark = Spark().with_price(1, 10).with_price(1, 11).with_price(2, 12).with_price(1, 13)
    assert spark.prices == (11, 13)
    for minute in range(100):
        spark = spark.with_price(minute + 3, minute + 1)
    assert len(spark.prices) == Spark.LENGTH


def test_only_the_lines_that_changed_are_drawn_again() -> None:
    before = market()
    after = with_quotes(replace(before, caught_up=True), [Quote("AAA", last_cents=9_00)], NOW)
    assert list(changed_symbols(replace(before, caught_up=True), after)) == ["AAA"]
    assert list(changed_symbols(None, after)) == ["AAA", "BBB", "CCC"]


def test_quotes_are_old_from_the_loss_of_the_connection_until_the_next_ones() -> None:
    state = with_quotes(with_link(market(), Link(LinkState.LIVE)), [], NOW)
    assert state.live
    state = with_link(state, Link(LinkState.LOST))
    assert not state.live
    assert watch_row(state, "AAA").stale
    state = with_link(state, Link(LinkState.LIVE))
    assert not state.live
    assert with_quotes(state, [], NOW).live


def test_book_levels_change_come_and_go() -> None:
    state = with_book(market(), Book("AAA", (Level(990, 10), Level(980, 5)), (Level(1010, 7),)))
    state = with_levels(state, Book("AAA", (Level(990, 0), Level(985, 3)), (Level(1000, 1),)))
    assert [(one.price_cents, one.quantity) for one in state.book.bids] == [(985, 3), (980, 5)]
    assert [one.price_cents for one in state.book.asks] == [1000, 1010]


def test_frames_of_another_instrument_are_passed_over() -> None:
    state = select(market(), "BBB")
    assert with_book(state, Book("AAA", (Level(1, 1),))) is state
    assert with_levels(state, Book("AAA", (Level(1, 1),))) is state
    assert with_bars(state, "AAA", Timeframe.M1, []) is state


def bars(*closes: int) -> list[Bar]:
    start = NOW.replace(second=0) - timedelta(minutes=len(closes) - 1)
    return [
        Bar(start + timedelta(minutes=place), close, close, close, close, 10)
        for place, close in enumerate(closes)
    ]


def test_trades_carry_the_last_candle_on_and_begin_the_next() -> None:
    state = with_bars(market(), "AAA", Timeframe.M1, bars(100, 110))
    state = with_ticks(state, [Tick("AAA", 120, 5, NOW), Tick("AAA", 90, 5, NOW), Tick("BBB", 1, 1, NOW)])
    last = state.chart.bars[-1]
    assert (last.open_cents, last.high_cents, last.low_cents, last.close_cents, last.volume) == (
        110,
        120,
        90,
        90,
        20,
    )
    state = with_ticks(state, [Tick("AAA", 95, 5, NOW + timedelta(minutes=1))])
    assert len(state.chart.bars) == 3
    assert state.chart.bars[-1].open_cents == 95


def test_trades_before_the_last_candle_or_before_any_was_loaded_are_passed_over() -> None:
    late = Tick("AAA", 120, 5, NOW - timedelta(minutes=5))
    state = with_bars(market(), "AAA", Timeframe.M1, bars(100, 110))
    assert with_ticks(state, [late]).chart.bars == state.chart.bars
    assert with_ticks(market(), [late]).chart.bars == ()


def test_newer_candles_replace_the_end_only() -> None:
    state = with_bars(market(), "AAA", Timeframe.M1, bars(100, 110, 120))
    state = with_bars(state, "AAA", Timeframe.M1, bars(111, 121))
    assert [bar.close_cents for bar in state.chart.bars] == [100, 111, 121]


def test_the_chart_is_told_what_grew_or_that_all_is_new() -> None:
    old, new = tuple(bars(100, 110)), tuple(bars(100, 110))
    assert grown_bars(old, new) == ()
    changed = (new[0], replace(new[1], close_cents=111), replace(new[1], start=NOW))
    assert grown_bars(old, changed) == changed[1:]
    assert grown_bars(old, (replace(new[0], volume=1), new[1])) is None
    assert grown_bars((), new) is None


def test_days_start_at_midnight_where_the_market_is() -> None:
    assert bar_start(NOW, Timeframe.M15, "UTC").minute == 30
    assert bar_start(NOW, Timeframe.D1, "America/New_York").isoformat() == "2026-03-02T05:00:00+00:00"
    assert bar_start(NOW, Timeframe.D1, "Nowhere/At_All").isoformat() == "2026-03-02T00:00:00+00:00"


def test_another_timeframe_empties_the_chart() -> None:
    state = with_timeframe(with_bars(market(), "AAA", Timeframe.M1, bars(1, 2)), Timeframe.H1)
    assert (state.chart.bars, state.chart.loaded) == ((), False)


def test_timeframes_go_round() -> None:
    assert [one.after().value for one in Timeframe] == ["5m", "15m", "1h", "1d", "1m"]


def test_an_older_word_about_an_order_never_replaces_a_newer_one() -> None:
    newer = order(1, OrderStatus.FILLED, filled=100, remaining=0, updated_at=NOW + timedelta(seconds=1))
    state = with_orders(market(), [newer])
    assert with_orders(state, [order(1)]).orders[1] == newer


def test_of_two_words_of_one_moment_the_one_with_more_traded_stands() -> None:
    state = with_orders(market(), [order(1, filled=40, remaining=60)])
    assert with_orders(state, [order(1)]).orders[1].filled == 40


def test_orders_that_ended_unseen_are_no_longer_open() -> None:
    state = with_orders(market(), [order(1), order(2, OrderStatus.FILLED)])
    assert set(with_open_orders(state, [order(3)]).orders) == {2, 3}


def test_open_orders_come_first_each_newest_first() -> None:
    ended = [order(one, OrderStatus.FILLED) for one in (1, 4)]
    state = with_orders(market(), [*ended, order(2), order(3)])
    assert [one.order_id for one in listed_orders(state)] == [3, 2, 4, 1]


def test_only_the_last_ended_orders_are_kept() -> None:
    state = with_orders(market(), [order(one, OrderStatus.FILLED) for one in range(1, 100)])
    assert len(state.orders) == MOST_ENDED_ORDERS
    assert max(state.orders) == 99


def test_ones_own_orders_are_marked_by_side_and_price() -> None:
    orders = [order(1), order(2, remaining=40), order(3, OrderStatus.WAITING), order(4, side=Side.SELL)]
    assert own_at_price(with_orders(market(), orders), "AAA") == {(Side.BUY, 990): 140, (Side.SELL, 990): 100}


def test_equity_is_cash_and_positions_at_their_marks() -> None:
    positions = {
        "AAA": Position("AAA", 10, 4, 90_00, 5_00),
        "BBB": Position("BBB", 2, 0, 8_00),
        "CCC": Position("CCC", 0, 0, 0, -1_00),
    }
    state = with_wallet(market(), Wallet(1000_00, 100_00, positions))
    assert equity_cents(state) == 1000_00 + 10 * 10_00 + 2 * 5_00
    assert unrealised_cents(state, positions["AAA"]) == 10_00
    assert gain_cents(state) == 10_00 + 5_00 + 2_00 - 1_00
    assert state.wallet.free_cents == 900_00
    assert free_shares(state) == {"AAA": 6, "BBB": 2}


def test_a_share_counts_for_its_last_price_else_the_middle_else_the_reference() -> None:
    state = with_quotes(market(), [Quote("BBB", bid_cents=400, ask_cents=501)], NOW)
    assert mark_cents(state, "AAA") == 10_00
    assert mark_cents(state, "BBB") == 450
    assert mark_cents(state, "CCC") == 7_00
    assert mark_cents(state, "DDD") == 0


def test_a_change_of_the_wallet_keeps_the_other_positions() -> None:
    state = with_wallet(market(), Wallet(1, 0, {"AAA": Position("AAA", 1), "BBB": Position("BBB", 2)}))
    state = with_wallet_change(state, Wallet(2, 1, {"AAA": Position("AAA", 3)}))
    assert (state.wallet.cash_cents, state.wallet.held_cents) == (2, 1)
    assert {one.symbol: one.quantity for one in state.wallet.positions.values()} == {"AAA": 3, "BBB": 2}


def test_frozen_quotes_stand_still_while_orders_and_cash_do_not() -> None:
    frozen = with_bars(with_book(market(), Book("AAA", (Level(1, 1),))), "AAA", Timeframe.M1, bars(1))
    live = with_quotes(frozen, [Quote("AAA", last_cents=99)], NOW)
    live = with_orders(with_book(live, Book("AAA", (Level(2, 2),))), [order(1)])
    shown = frozen_view(frozen, live)
    assert (shown.quotes, shown.book, shown.chart) == (frozen.quotes, frozen.book, frozen.chart)
    assert shown.orders == live.orders


def test_an_instrument_chosen_while_frozen_is_shown_as_of_then() -> None:
    frozen = market()
    live = with_book(select(frozen, "BBB"), Book("BBB", (Level(1, 1),)))
    shown = frozen_view(frozen, live)
    assert shown.book == live.book
    assert frozen_view(shown, with_book(live, Book("BBB", (Level(2, 2),)))).book == live.book


def test_what_is_listed_while_frozen_is_shown() -> None:
    frozen = market()
    live = with_instruments(
        frozen, [*frozen.instruments.values(), Instrument("DDD")], [Quote("DDD", last_cents=5)]
    )
    assert frozen_view(frozen, live).quotes["DDD"].last_cents == 5


def test_an_order_is_told_in_words() -> None:
    row = order_row(order(7, OrderStatus.WAITING, stop_cents=13_00, kind=Kind.STOP), UTC, NOW)
    assert (row.status, row.price_cents, row.note, row.live) == ("STOP", 13_00, "stop 13.00", True)
    assert order_row(order(7, filled=5), UTC, NOW).status == "PART"
    ended = order(7, OrderStatus.CANCELLED, end_reason="its day ended", accepted_at=NOW - timedelta(days=2))
    assert (order_row(ended, UTC, NOW).note, order_row(ended, UTC, NOW).time) == ("its day ended", "28 Feb")


@pytest.mark.parametrize(
    ("width", "height", "recent", "panes"),
    [
        (80, 24, ["chart"], {"watch", "chart"}),
        (80, 24, ["watch", "orders", "chart"], {"watch", "orders"}),
        (100, 60, ["ticket"], {"watch", "ticket"}),
        (120, 30, ["ticket", "positions"], {"watch", "chart", "positions", "ticket"}),
        (120, 40, [], {"watch", "chart", "book", "orders", "positions", "ticket"}),
        (40, 20, ["book", "watch"], {"book"}),
    ],
)
def test_panes_are_shown_as_room_allows(width: int, height: int, recent: list[str], panes: set[str]) -> None:
    assert visible_panes(width, height, recent) == panes


# Mechanisms and rollbacks -------------------------------------------------------------------------------


def test_lists_by_mechanism_and_group_so_that_neighbours_belong_together() -> None:
    listed = [
        Instrument("D", mechanism="window"),
        Instrument("C", mechanism="feed", group="b"),
        Instrument("B", mechanism="feed", group="a"),
        Instrument("A", mechanism="feed", group="b"),
        Instrument("E"),
        Instrument("F", mechanism="unheard-of"),
    ]
    assert list(with_instruments(State(), listed, []).instruments) == ["E", "B", "A", "C", "D", "F"]


def test_a_price_that_a_mechanism_makes_counts_more_than_the_last_trade() -> None:
    made = Quote(
        "AAA", bid_cents=990, ask_cents=1010, last_cents=500, previous_close_cents=800, priced_at_ms=1
    )
    state = with_quotes(market(), [made], NOW)
    assert mark_cents(state, "AAA") == 1000
    assert made.change_bps == 25_00
    assert replace(made, priced_at_ms=0).price_cents == 500


def test_the_tape_is_newest_first_and_what_is_reversed_keeps_its_place() -> None:
    first, second = (Tick("AAA", 100 + at, 1, NOW, trade_id=at) for at in (1, 2))
    state = with_tape(select(market(), "AAA"), [first, Tick("BBB", 1, 1, NOW), second], whole=True)
    assert state.tape == (second, first)
    back = replace(first, reversed=True)
    assert with_tape(state, [back], whole=False).tape == (second, back)
    assert with_tape(state, [first], whole=True).tape == (first,)
    assert select(state, "BBB").tape == ()


def test_a_reversed_trade_moves_no_candle() -> None:
    state = with_bars(select(market(), "AAA"), "AAA", Timeframe.M1, [])
    assert with_ticks(state, [Tick("AAA", 100, 1, NOW, reversed=True)]).chart.bars == ()


def test_a_reversed_fill_stays_reversed_and_its_order_says_so() -> None:
    fill = Fill(5, 17, "AAA", Side.BUY, 100, 40)
    state = with_fills(State(), [fill])
    assert reversed_shares(state) == {}
    state = with_fills(with_fills(state, [replace(fill, reversed=True)]), [fill])
    assert reversed_shares(state) == {17: 40}
    order = Order(17, "AAA", Side.BUY, Kind.LIMIT, 40, OrderStatus.FILLED, filled=40)
    row = order_row(order, UTC, NOW, 40)
    assert (row.status, row.note) == ("REVERSED", "40 reversed")


def test_a_debt_lessens_the_equity() -> None:
    state = with_wallet(State(), Wallet(100_00, debt_cents=30_00))
    assert equity_cents(state) == 70_00
    assert with_wallet_change(state, Wallet(100_00, debt_cents=10_00)).wallet.debt_cents == 10_00


def test_clocks_that_nearly_agree_are_left_alone() -> None:
    assert with_server_time(State(), NOW + timedelta(milliseconds=80), NOW).ahead == timedelta(0)
    assert with_server_time(State(), NOW + timedelta(seconds=40), NOW).ahead == timedelta(seconds=40)


def test_a_price_that_forms_without_a_trade_carries_the_candle_on() -> None:
    begins = bar_start(NOW, Timeframe.M1, "UTC")
    state = with_timeframe(select(market(), "AAA"), Timeframe.M1)
    state = with_bars(state, "AAA", Timeframe.M1, [Bar(begins, 100, 110, 90, 100, 7)])
    at_ms = int(NOW.timestamp() * 1000)
    state = with_marks(state, [Quote("AAA", last_cents=125, priced_at_ms=at_ms), Quote("BBB", last_cents=1)])
    assert state.chart.bars == (Bar(begins, 100, 125, 90, 125, 7),)
    state = with_marks(state, [Quote("AAA", last_cents=130, priced_at_ms=at_ms + 60_000)])
    assert state.chart.bars[-1] == Bar(begins + timedelta(minutes=1), 130, 130, 130, 130, 0)
    assert with_marks(state, [Quote("AAA", last_cents=99)]) is state
