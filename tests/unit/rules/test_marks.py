"""Marks: nobody moves one with less than half of the weight, nor has that by trading with a friend."""

from itertools import combinations

import pytest
from bearpit_server.rules import marks
from bearpit_server.rules.marks import Source, Thickness, Traded, capped, highest_part, weighted_median
from hypothesis import given
from hypothesis import strategies as st

THICK = Thickness(trades=50, pairs=5, seconds=900)


def traded(price: int, quantity: int = 1, buyer: int = 1, seller: int = 2, age: int = 0) -> Traded:
    return Traded(price, quantity, buyer, seller, age)


def by_pairs(count: int, price: int = 1_000, age: int = 0) -> list[Traded]:
    """A trade each of so many different pairs."""
    return [traded(price, 10, 100 + 2 * n, 101 + 2 * n, age) for n in range(count)]


def test_two_accounts_that_trade_one_share_at_an_absurd_price_move_nothing() -> None:
    before = marks.book(by_pairs(6), 900, THICK)
    after = marks.book([traded(10**9), *by_pairs(6)], 900, THICK)
    assert (before.cents, after.cents) == (1_000, 1_000)
    assert marks.book([traded(10**9)] * 50, 900, THICK) == marks.Mark(900, Source.REFERENCE)


def test_two_accounts_that_trade_a_million_shares_to_and_fro_move_nothing_either() -> None:
    washed = [traded(10**9, 10**9, *pair) for pair in ((1, 2), (2, 1)) * 10]
    assert marks.book([*washed, *by_pairs(6)], 900, THICK).cents == 1_000


def test_what_was_hardly_traded_lately_counts_by_its_longer_history() -> None:
    mark = marks.book([traded(5_000), *by_pairs(6, 1_200, age=10_000)], 900, THICK)
    assert (mark.cents, mark.source, mark.pairs) == (1_200, Source.LONGER_HISTORY, 7)
    assert "hardly" in mark.explanation


def test_only_the_latest_trades_count_while_there_are_enough() -> None:
    mark = marks.book([*by_pairs(50, 1_500), *by_pairs(450, 100)], 900, THICK)
    assert (mark.cents, mark.source, mark.trades) == (1_500, Source.LATEST_TRADES, 50)


def test_what_nobody_has_traded_counts_at_its_reference_price_or_not_at_all() -> None:
    assert marks.book([], 700, THICK) == marks.Mark(700, Source.REFERENCE)
    assert marks.book([], 0, THICK) == marks.Mark(0, Source.NONE)
    assert marks.dealing(0, 700).source is Source.REFERENCE
    assert marks.dealing(800, 700) == marks.Mark(800, Source.DEALING)
    assert marks.pool(0).source is Source.NONE


def test_who_bought_and_who_sold_makes_no_other_pair() -> None:
    assert marks.book([traded(5, 1, 1, 2), traded(5, 1, 2, 1)] * 3, 9, Thickness(50, 2, 900)).cents == 9


def test_a_holding_of_a_pool_counts_at_what_the_pool_could_pay() -> None:
    assert marks.holding_cents(10, 1_000) == 10_000
    assert marks.holding_cents(10_000, 1_000, 1, 10_000_000, 10_000) == 10_000 * 500
    assert marks.holding_cents(1, 1_000, 5, 10_000_000, 10_000) == 995
    assert marks.holding_cents(0, 0, 5, 0, 10_000) == 0


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=12), st.integers(1, 6))
def test_under_the_cap_nothing_is_more_than_its_part(amounts: list[int], parts: int) -> None:
    cap = highest_part(amounts, parts)
    fine = [min(amount, cap) for amount in amounts]
    if len(amounts) < parts:
        assert len(set(fine)) == 1
    else:
        assert max(fine) * parts <= sum(fine) + parts
        assert cap >= min(amounts) // parts


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 100)), min_size=1))
def test_the_median_has_half_of_the_weight_on_either_side(rows: list[tuple[int, int]]) -> None:
    prices, weights = [price for price, _ in rows], [weight for _, weight in rows]
    if not any(weights):
        with pytest.raises(AssertionError):
            weighted_median(prices, weights)
        return
    median = weighted_median(prices, weights)
    assert 2 * sum(w for p, w in rows if p < median) <= sum(weights)
    assert 2 * sum(w for p, w in rows if p > median) <= sum(weights)


@st.composite
def markets(draw: st.DrawFn) -> tuple[list[Traded], list[Traded]]:
    """Honest trades, and those of a coalition: any prices and quantities, by players of its own."""
    honest_pairs = draw(st.lists(st.sampled_from([*combinations(range(12), 2)]), min_size=3, max_size=12))
    coalition_pairs = [*combinations(range(100, 104), 2)]
    honest = [
        traded(draw(st.integers(900, 1_100)), draw(st.integers(1, 1_000)), *pair) for pair in honest_pairs
    ]
    colluding = [
        traded(
            draw(st.integers(1, 10**9)), draw(st.integers(1, 10**9)), *draw(st.sampled_from(coalition_pairs))
        )
        for _ in range(draw(st.integers(1, 20)))
    ]
    return honest, colluding


@given(markets())
def test_a_coalition_with_less_than_half_of_the_capped_weight_moves_no_mark_out_of_the_honest_range(
    market: tuple[list[Traded], list[Traded]],
) -> None:
    honest, colluding = market
    weights = capped([*honest, *colluding])
    if 2 * sum(weights[len(honest) :]) >= sum(weights):
        return
    mark = marks.book([*honest, *colluding], 0, Thickness(100, 1, 900))
    assert min(trade.price_cents for trade in honest) <= mark.cents
    assert mark.cents <= max(trade.price_cents for trade in honest)


@given(markets())
def test_two_pairs_among_five_or_more_never_have_half_of_the_weight(
    market: tuple[list[Traded], list[Traded]],
) -> None:
    honest, _ = market
    if len({(trade.buyer_id, trade.seller_id) for trade in honest}) < 3:
        return
    colluding = [traded(1, 10**9, 100, 101), traded(10**9, 10**9, 102, 103)]
    weights = capped([*honest, *colluding])
    assert 2 * sum(weights[-2:]) < sum(weights)
