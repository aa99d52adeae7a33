"""Attention: pools that players trade with, and the cash that flows between them."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from bearpit_server.rules.mechanisms import find
from bearpit_server.rules.mechanisms.attention import (
    Attention,
    AttentionGroup,
    AttentionMember,
    price_of,
    redistribute,
)
from bearpit_server.rules.mechanisms.base import NOTHING, Inputs, Offer, State
from bearpit_server.rules.orders import Side
from bearpit_server.rules.parameters import parse, texts_of
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.units import BPS, MAX_AMOUNT_CENTS, MAX_PRICE_CENTS
from hypothesis import given
from hypothesis import strategies as st

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
CLASSIC = parse(AttentionGroup, {})
DEFAULT = parse(AttentionMember, {})
POOL = replace(DEFAULT, shares=100, cash_cents=100_000)
OCEAN, BEACH, PLAINS = 11, 12, 13
ATTENTION = Attention()

pools = st.lists(
    st.tuples(
        st.integers(0, MAX_AMOUNT_CENTS) | st.integers(0, 50),
        st.integers(0, 10**8) | st.integers(0, 3),
        st.integers(0, 10**6),
    ),
    min_size=1,
    max_size=12,
)
part = st.integers(0, BPS)
limits = st.integers(0, 3_000)


def pool(cash: int, shares: int = 100, tick: int = 1, number: int = OCEAN, price: int = 0) -> State:
    return State(number, "OCEAN", tick, price, cash, shares)


def offer(state: State, side: Side, quantity: int, limit: int = 0, shares: int = 100) -> Offer:
    member = replace(DEFAULT, shares=shares)
    return ATTENTION.offer(CLASSIC, member, state, side, quantity, limit, AT)


def traded(state: State, side: Side, got: Offer) -> State:
    way = 1 if side is Side.BUY else -1
    return replace(
        state,
        till_cents=state.till_cents + way * got.quantity * got.price_cents,
        till_shares=state.till_shares - way * got.quantity,
    )


def looked(scores: dict[int, int], number: int = 1) -> Inputs:
    return Inputs(at=AT, number=number, random=random.Random, attention=scores)


def three(*cash: int) -> tuple[dict[int, AttentionMember], dict[int, State]]:
    states = {
        made: pool(cents, number=made, price=cents // 100)
        for made, cents in zip((OCEAN, BEACH, PLAINS), cash, strict=True)
    }
    return dict.fromkeys(states, POOL), states


def test_it_is_found_by_its_name_and_its_defaults_are_within_their_bounds() -> None:
    assert isinstance(find("attention"), Attention)
    assert parse(AttentionGroup, texts_of(CLASSIC)) == CLASSIC
    assert parse(AttentionMember, texts_of(DEFAULT)) == DEFAULT
    ATTENTION.check(CLASSIC, DEFAULT)


def test_a_pool_begins_with_all_its_shares_and_a_price_of_cash_over_shares() -> None:
    assert ATTENTION.opening(replace(DEFAULT, shares=300, cash_cents=1_000)) == (3, 1_000, 300)


@pytest.mark.parametrize("cash", [99, 100 * MAX_PRICE_CENTS + 1])
def test_a_pool_whose_price_cannot_be_is_refused(cash: int) -> None:
    with pytest.raises(Refused, match="cash_cents"):
        ATTENTION.check(CLASSIC, replace(DEFAULT, shares=100, cash_cents=cash))


def test_a_price_is_rounded_down_to_a_tick_and_is_at_least_one() -> None:
    assert [price_of(cash, 100, 10) for cash in (0, 1, 1_999, 2_000)] == [0, 10, 10, 20]
    assert price_of(10**15, 2, 10) == MAX_PRICE_CENTS


# Trading with a pool


def test_a_purchase_has_the_price_that_holds_after_it() -> None:
    got = offer(pool(100_000), Side.BUY, 20)
    assert got == Offer(20, 1_250)
    assert price_of(traded(pool(100_000), Side.BUY, got).till_cents, 100, 1) == 1_250


def test_a_sale_has_the_price_that_holds_after_it() -> None:
    got = offer(pool(100_000, shares=60), Side.SELL, 25)
    assert got == Offer(25, 800)
    assert price_of(traded(pool(100_000, shares=60), Side.SELL, got).till_cents, 100, 1) == 800


def test_prices_are_rounded_to_ticks_against_the_order() -> None:
    assert offer(pool(100_000, tick=50), Side.BUY, 1) == Offer(1, 1_050)
    assert offer(pool(100_000, tick=50), Side.SELL, 1) == Offer(1, 950)


def test_an_order_gets_as_many_as_its_limit_allows() -> None:
    assert offer(pool(100_000), Side.BUY, 50, 1_250) == Offer(20, 1_250)
    assert offer(pool(100_000), Side.BUY, 50, 1_010) == NOTHING
    assert offer(pool(100_000), Side.SELL, 50, 800) == Offer(25, 800)
    assert offer(pool(100_000), Side.SELL, 50, 1_000) == NOTHING


def test_a_pool_does_not_sell_what_it_has_not() -> None:
    assert offer(pool(100_000, shares=3), Side.BUY, 50).quantity == 3
    assert offer(pool(100_000, shares=0), Side.BUY, 1) == NOTHING


def test_a_pool_without_cash_or_with_less_than_a_tick_for_a_share_buys_nothing() -> None:
    assert offer(pool(0), Side.SELL, 1) == offer(pool(0), Side.BUY, 1) == NOTHING
    assert offer(pool(100), Side.SELL, 1) == NOTHING
    assert offer(pool(100), Side.BUY, 1) == Offer(1, 2)


def test_more_shares_than_there_are_cannot_be_ordered() -> None:
    with pytest.raises(Refused) as refused:
        ATTENTION.check_order(CLASSIC, POOL, pool(100_000), Side.BUY, 101, AT)
    assert (refused.value.reason, refused.value.metadata) == ("INVENTORY_LIMIT", {"allowed": "100"})
    ATTENTION.check_order(CLASSIC, POOL, pool(100_000), Side.BUY, 100, AT)
    ATTENTION.check_order(CLASSIC, POOL, pool(100_000), Side.SELL, 101, AT)


@given(
    side=st.sampled_from(Side),
    cash=st.integers(0, 20_000) | st.integers(10**9, MAX_AMOUNT_CENTS),
    shares=st.integers(2, 40),
    left=st.integers(0, 40),
    tick=st.sampled_from([1, 2, 7, 100]),
    quantity=st.integers(1, 50),
    limit=limits | st.integers(0, 2 * MAX_PRICE_CENTS),
)
def test_an_offer_is_what_trying_every_quantity_finds(
    side: Side, cash: int, shares: int, left: int, tick: int, quantity: int, limit: int
) -> None:
    def price(wanted: int) -> int:
        if side is Side.BUY:
            return -(-cash // ((shares - wanted) * tick)) * tick
        return min(cash // ((shares + wanted) * tick), MAX_PRICE_CENTS // tick) * tick

    def fits(wanted: int) -> bool:
        if side is Side.SELL:
            return price(wanted) >= max(limit, 1)
        can = wanted <= left and wanted < shares
        return can and 0 < price(wanted) <= min(limit or MAX_PRICE_CENTS, MAX_PRICE_CENTS)

    best = max((wanted for wanted in range(1, quantity + 1) if fits(wanted)), default=0)
    expected = Offer(best, price(best)) if best else NOTHING
    assert offer(pool(cash, left, tick), side, quantity, limit, shares) == expected


@given(
    cash=st.integers(0, 10**6),
    shares=st.integers(2, 1_000),
    tick=st.sampled_from([1, 3, 10]),
    orders=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(Side), st.integers(1, 400), limits)),
)
def test_players_who_end_with_the_shares_they_began_with_have_no_more_cash(
    cash: int, shares: int, tick: int, orders: list[tuple[int, Side, int, int]]
) -> None:
    # One player may earn what another has paid too much; all of them together, and so each one who
    # trades alone, earn nothing. At the end everything is sold back, as dearly as it can be.
    begin = state = pool(cash + shares * tick, shares, tick)
    holding = dict.fromkeys(range(3), 0)
    for player, side, wanted, limit in orders:
        quantity = wanted if side is Side.BUY else min(wanted, holding[player])
        got = offer(state, side, quantity, limit, shares)
        state = traded(state, side, got)
        holding[player] += got.quantity if side is Side.BUY else -got.quantity
        assert state.till_cents >= shares * tick
        assert 0 <= state.till_shares == shares - sum(holding.values())
    while (got := offer(state, Side.SELL, 1, 0, shares)).quantity and state.till_shares < shares:
        state = traded(state, Side.SELL, got)
    assert state.till_cents >= begin.till_cents


# Redistribution


@given(pools, part)
def test_not_a_cent_is_made_or_lost(given_pools: list[tuple[int, int, int]], share: int) -> None:
    cash, weights, floors = zip(*given_pools, strict=True)
    assert sum(redistribute(cash, weights, share, floors)) == sum(cash)


@given(pools, part)
def test_nobody_is_brought_below_the_floor(given_pools: list[tuple[int, int, int]], share: int) -> None:
    cash, weights, floors = zip(*given_pools, strict=True)
    for before, after, floor in zip(cash, redistribute(cash, weights, share, floors), floors, strict=True):
        assert after >= min(before, floor)


@given(pools, part)
def test_each_gets_its_part_within_a_cent(given_pools: list[tuple[int, int, int]], share: int) -> None:
    cash, weights, _ = zip(*given_pools, strict=True)
    after = redistribute(cash, weights, share, [0] * len(cash))
    taken = [cents * share // BPS for cents in cash]
    for index, weight in enumerate(weights):
        got = after[index] - cash[index] + taken[index]
        if any(weights):
            assert abs(got * sum(weights) - sum(taken) * weight) < sum(weights)
            assert weight or not got


@given(pools, part, st.data())
def test_more_attention_never_gets_less(
    given_pools: list[tuple[int, int, int]], share: int, data: st.DataObject
) -> None:
    cash, weights, floors = zip(*given_pools, strict=True)
    index = data.draw(st.integers(0, len(cash) - 1))
    more = [*weights]
    more[index] += data.draw(st.integers(1, 10**6))
    if any(weights):
        before = redistribute(cash, weights, share, floors)
        assert redistribute(cash, more, share, floors)[index] >= before[index]


@given(pools, part)
def test_the_pools_with_the_same_weight_get_the_same_but_for_a_cent_and_the_first_gets_it(
    given_pools: list[tuple[int, int, int]], share: int
) -> None:
    cash = [cents for cents, _, _ in given_pools]
    after = redistribute(cash, [7] * len(cash), share, [0] * len(cash))
    got = [new - old + old * share // BPS for new, old in zip(after, cash, strict=True)]
    assert got == sorted(got, reverse=True)
    assert got[0] - got[-1] <= 1


def test_a_quarter_of_all_the_cash_goes_where_they_look() -> None:
    assert redistribute([1_000, 1_000, 1_000], [3, 1, 0], 2_500, [0] * 3) == [1_313, 937, 750]


def test_without_attention_nothing_moves() -> None:
    assert redistribute([1_000, 1, 0], [0, 0, 0], BPS, [0] * 3) == [1_000, 1, 0]


@given(st.integers(0, MAX_AMOUNT_CENTS), st.integers(0, 10**9), part)
def test_a_pool_by_itself_gets_back_what_it_gave(cash: int, weight: int, share: int) -> None:
    assert redistribute([cash], [weight], share, [0]) == [cash]


def test_no_pools_at_all_are_no_trouble() -> None:
    assert redistribute([], [], BPS, []) == []


def test_a_pool_below_its_floor_gives_nothing_and_still_gets() -> None:
    assert redistribute([50, 1_000], [1, 0], BPS, [100, 100]) == [950, 100]


def test_a_thousand_pools_of_huge_amounts_add_up() -> None:
    dice = random.Random("pools")
    cash = [dice.randrange(10**15) for _ in range(1_000)]
    weights = [dice.randrange(10**8) for _ in cash]
    after = redistribute(cash, weights, 2_500, [10_000] * 1_000)
    assert sum(after) == sum(cash)
    assert min(after) >= 10_000


# Steps


def test_a_step_tells_the_net_flows_the_new_prices_and_the_scores_it_went_by() -> None:
    group = replace(CLASSIC, floor_cents=0)
    members, states = three(100_000, 100_000, 100_000)
    step = ATTENTION.step(group, members, states, {}, looked({OCEAN: 3, BEACH: 1}, number=9))
    assert step.flows == {OCEAN: 31_250, BEACH: -6_250, PLAINS: -25_000}
    assert step.prices == {OCEAN: 1_312, BEACH: 937, PLAINS: 750}
    assert step.memory == {"number": 9, "scores": {"11": 3, "12": 1}, "moved_cents": 31_250}
    assert json.loads(json.dumps(step.memory)) == step.memory


def test_the_estimate_is_what_the_step_then_does() -> None:
    members, states = three(100_000, 200_000, 345_678)
    group = replace(CLASSIC, floor_cents=90_000)
    scores = {OCEAN: 5, PLAINS: 7, 99: 1_000}
    expected = ATTENTION.estimate(group, members, states, scores)
    step = ATTENTION.step(group, members, states, {}, looked(scores))
    assert {made: state.price_cents for made, state in states.items()} | dict(step.prices) == expected
    assert set(step.flows) <= set(states)


def test_a_step_without_attention_changes_no_price_and_no_pool() -> None:
    members, states = three(100_000, 200_000, 300_000)
    step = ATTENTION.step(CLASSIC, members, states, {}, looked({}))
    assert (step.prices, step.flows, step.memory["scores"]) == ({}, {}, {})


def test_a_step_leaves_a_tick_a_share_even_where_the_floor_is_less() -> None:
    group = replace(CLASSIC, floor_cents=0, share_bps=BPS)
    members, states = three(100_000, 100_000, 100_000)
    states = {made: replace(state, tick_cents=5) for made, state in states.items()}
    step = ATTENTION.step(group, members, states, {}, looked({OCEAN: 1}))
    assert step.prices == {OCEAN: 2_990, BEACH: 5, PLAINS: 5}


def test_a_part_of_nothing_moves_nothing() -> None:
    members, states = three(100_000, 200_000, 300_000)
    step = ATTENTION.step(replace(CLASSIC, share_bps=0), members, states, {}, looked({OCEAN: 1}))
    assert (step.prices, step.flows) == ({}, {})
