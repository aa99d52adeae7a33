"""The feed: what the house offers, how simulated and recorded prices move, which pushed ones are taken."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import exp, log
from statistics import correlation, fmean, stdev
from typing import Any

import pytest
from bearpit_server.rules.mechanisms import MECHANISMS, Counterparty
from bearpit_server.rules.mechanisms.base import NOTHING, Bar, Inputs, Memory, News, Offer, State
from bearpit_server.rules.mechanisms.feed import (
    Feed,
    FeedGroup,
    FeedMember,
    accept_push,
    last_push,
    on_tick,
    pushed,
    quotes,
)
from bearpit_server.rules.orders import Side
from bearpit_server.rules.parameters import parse, schema, texts_of
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.units import MAX_PRICE_CENTS
from hypothesis import given, settings
from hypothesis import strategies as st


def a_group(**given: Any) -> FeedGroup:
    return FeedGroup(**given)


def a_member(**given: Any) -> FeedMember:
    return FeedMember(**given)


FEED = Feed()
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PUSHED = a_group(source="pushed", max_age_ms=10_000, band_bps=1_000)
RECORDED = a_group(source="recorded", interval_ms=1_000, day_ms=10_000)
OF_RECORDING = a_member(recording="r")

ticks = st.sampled_from([1, 5, 10, 25, 100])
prices = st.integers(1, MAX_PRICE_CENTS)
sides = st.sampled_from(Side)


def state(number: int = 1, price_cents: int = 10_000, tick_cents: int = 1, sold: int = 0) -> State:
    return State(number, f"S{number}", tick_cents, price_cents, 0, -sold)


class Market:
    """A group that is stepped as the server would step it: its memory is written as JSON in between."""

    def __init__(
        self,
        group: FeedGroup,
        members: Mapping[int, FeedMember],
        bars: Mapping[str, Sequence[Bar]] | None = None,
        tick_cents: int = 1,
    ) -> None:
        self.group, self.members, self.bars = group, dict(members), bars or {}
        self.states = {
            number: state(number, FEED.opening(member)[0], tick_cents)
            for number, member in self.members.items()
        }
        self.memory: Memory = {}
        self.number = 0
        self.at = NOW

    def step(self, news: Sequence[News] = (), late: timedelta = timedelta()) -> dict[int, int]:
        self.number += 1
        self.at += timedelta(milliseconds=self.group.interval_ms) + late
        inputs = Inputs(self.at, self.number, random.Random, news=news, bars=self.bars)
        made = FEED.step(self.group, self.members, self.states, self.memory, inputs)
        assert not made.flows
        self.memory = json.loads(json.dumps(made.memory, allow_nan=False))
        for number, price in made.prices.items():
            self.states[number] = replace(self.states[number], price_cents=price)
        return {number: state.price_cents for number, state in self.states.items()}

    def path(self, steps: int, number: int = 1) -> list[int]:
        return [self.step()[number] for _ in range(steps)]


# What it is


def test_it_is_registered() -> None:
    assert MECHANISMS["feed"].counterparty is Counterparty.HOUSE
    assert MECHANISMS["feed"].rests


@pytest.mark.parametrize("kind", [FeedGroup, FeedMember])
def test_its_defaults_are_within_their_bounds(kind: type) -> None:
    made = kind()
    assert parse(kind, texts_of(made)) == made
    assert all(parameter.description for parameter in schema(kind))


@pytest.mark.parametrize("source", ["simulated", "pushed"])
def test_its_defaults_do_not_contradict_themselves(source: str) -> None:
    FEED.check(a_group(source=source), a_member())


@pytest.mark.parametrize(
    ("group", "member", "field"),
    [
        (RECORDED, a_member(), "recording"),
        (a_group(), OF_RECORDING, "recording"),
        (PUSHED, OF_RECORDING, "recording"),
        (a_group(source="recorded", starts_on="2026-02-30"), OF_RECORDING, "starts_on"),
        (a_group(), a_member(reversion_bps=1), "level_cents"),
        (a_group(), a_member(reversion_bps=1, level_cents=1, drift_bps=1), "drift_bps"),
        (a_group(), a_member(jumps_per_day_bps=1, jump_bps=0), "jump_bps"),
    ],
)
def test_contradictions_are_refused_by_the_name_of_the_field(
    group: FeedGroup, member: FeedMember, field: str
) -> None:
    with pytest.raises(Refused) as refused:
        FEED.check(group, member)
    assert (refused.value.reason, refused.value.field) == ("INVALID_FIELD", field)


def test_pushed_prices_do_not_move_by_themselves() -> None:
    assert FEED.interval_ms(PUSHED) == 0
    assert FEED.interval_ms(a_group(interval_ms=250)) == 250
    assert Market(PUSHED, {1: a_member()}).step() == {1: 10_000}


# What the house offers


@pytest.mark.parametrize(
    ("price", "spread", "tick", "bid", "ask"),
    [
        (10_000, 0, 1, 10_000, 10_000),
        (10_000, 100, 1, 9_950, 10_050),
        (10_000, 1, 1, 9_999, 10_001),
        (10_000, 100, 25, 9_950, 10_050),
        (10_000, 100, 100, 9_900, 10_100),
        (10_003, 0, 5, 10_000, 10_005),
        (1, 10_000, 1, 1, 2),
        (MAX_PRICE_CENTS, 100, 1, 995_000_000, MAX_PRICE_CENTS),
    ],
)
def test_the_spread_is_rounded_outward(price: int, spread: int, tick: int, bid: int, ask: int) -> None:
    assert quotes(price, spread, tick) == (bid, ask)


def test_buyers_pay_the_ask_and_sellers_get_the_bid() -> None:
    member, here = a_member(spread_bps=200), state(sold=50)
    assert FEED.offer(a_group(), member, here, Side.BUY, 10, 0, NOW) == Offer(10, 10_100)
    assert FEED.offer(a_group(), member, here, Side.SELL, 10, 0, NOW) == Offer(10, 9_900)
    assert FEED.offer(a_group(), member, here, Side.BUY, 10, 10_099, NOW) == NOTHING
    assert FEED.offer(a_group(), member, here, Side.SELL, 10, 9_901, NOW) == NOTHING


@settings(deadline=None, derandomize=True)
@given(
    sides, prices, ticks, st.integers(0, 10_000), st.integers(1, 10**9), st.integers(0, MAX_PRICE_CENTS),
    st.integers(1, 10**9), st.integers(0, 10**9),
)  # fmt: skip
def test_an_offer_is_within_limit_stock_and_ticks(
    side: Side, price: int, tick: int, spread: int, quantity: int, limit: int, inventory: int, sold: int
) -> None:
    member = a_member(spread_bps=spread, inventory=inventory)
    here = state(price_cents=on_tick(price, tick), tick_cents=tick, sold=sold)
    offer = FEED.offer(a_group(), member, here, side, quantity, limit, NOW)
    if offer == NOTHING:
        return
    assert 0 < offer.quantity <= quantity
    assert offer.quantity <= (inventory - sold if side is Side.BUY else sold)
    assert offer.price_cents % tick == 0
    assert tick <= offer.price_cents <= MAX_PRICE_CENTS
    if side is Side.BUY:
        assert here.price_cents <= offer.price_cents
        assert not limit or offer.price_cents <= limit
    else:
        assert limit <= offer.price_cents <= here.price_cents


def test_the_house_sells_no_more_than_its_inventory() -> None:
    with pytest.raises(Refused) as refused:
        FEED.check_order(a_group(), a_member(inventory=100), state(sold=90), Side.BUY, 11, NOW)
    assert (refused.value.reason, refused.value.metadata["allowed"]) == ("INVENTORY_LIMIT", "10")
    FEED.check_order(a_group(), a_member(inventory=100), state(sold=90), Side.BUY, 10, NOW)


@pytest.mark.parametrize(
    ("group", "price", "priced_at", "there"),
    [
        (a_group(), 100, None, True),
        (a_group(), 0, None, False),
        (PUSHED, 100, None, False),
        (PUSHED, 0, NOW, False),
        (PUSHED, 100, NOW, True),
        (PUSHED, 100, NOW - 10 * SECOND, True),
        (PUSHED, 100, NOW - 10.001 * SECOND, False),
        (PUSHED, 100, NOW + SECOND, True),
    ],
)
def test_nobody_trades_without_a_price_or_at_an_old_one(
    group: FeedGroup, price: int, priced_at: datetime | None, there: bool
) -> None:
    here = State(1, "S1", 1, price, 0, -10, priced_at)
    for side in Side:
        assert (FEED.offer(group, a_member(), here, side, 5, 0, NOW) != NOTHING) is there
        if there:
            FEED.check_order(group, a_member(), here, side, 5, NOW)
            continue
        with pytest.raises(Refused) as refused:
            FEED.check_order(group, a_member(), here, side, 5, NOW)
        assert refused.value.reason == "NO_PRICE"


# Simulated


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.builds(
        FeedMember,
        price_cents=prices,
        drift_bps=st.integers(-10_000, 10_000),
        volatility_bps=st.integers(0, 100_000),
        reversion_bps=st.sampled_from([0, 1, 10_000, 1_000_000]),
        level_cents=st.integers(1, MAX_PRICE_CENTS),
        jumps_per_day_bps=st.sampled_from([0, 10_000, 1_000_000]),
        jump_bps=st.integers(1, 10_000),
        common_bps=st.integers(-50_000, 50_000),
    ),
    st.integers(100, 3_600_000), st.integers(100, 10**6), ticks, st.integers(-10**6, 10**6),
)  # fmt: skip
def test_a_price_is_always_a_whole_tick_within_bounds(
    member: FeedMember, interval: int, day: int, tick: int, drift: int
) -> None:
    group = a_group(interval_ms=interval, day_ms=day, common_volatility_bps=100_000, seed="s")
    market = Market(group, {1: member}, tick_cents=tick)
    news = [News(1, drift, 1_000_000, NOW, NOW + timedelta(hours=1))]
    for _ in range(10):
        (price,) = market.step(news).values()
        assert tick <= price <= MAX_PRICE_CENTS
        assert price % tick == 0


def test_the_same_seed_gives_the_same_prices_and_another_others() -> None:
    members = {1: a_member(jumps_per_day_bps=5_000), 2: a_member(volatility_bps=300)}
    runs = [Market(a_group(seed=seed), members) for seed in ("a", "a", "b")]
    first, second, other = [[run.step() for _ in range(40)] for run in runs]
    assert first == second
    assert first != other


def test_a_members_prices_do_not_depend_on_who_else_there_is() -> None:
    group = a_group(seed="a", common_volatility_bps=200)
    alone = Market(group, {2: a_member()})
    among = Market(group, {number: a_member(volatility_bps=50 * number) for number in (1, 2, 3)})
    assert alone.path(40, 2) == among.path(40, 2)


def test_a_member_may_join_later_and_one_may_be_left_out() -> None:
    market = Market(a_group(seed="a"), {1: a_member()})
    market.path(5)
    market.members[2], market.states[2] = a_member(price_cents=500), state(2, 500)
    assert 450 < market.step()[2] < 550
    left_out = market.states.pop(1)
    market.step()
    market.states[1] = left_out
    assert market.step()[1] == pytest.approx(left_out.price_cents, rel=0.05)


def test_only_new_prices_are_told() -> None:
    member = a_member(volatility_bps=0)
    inputs = Inputs(NOW, 1, random.Random)
    assert FEED.step(a_group(), {1: member}, {1: state()}, {}, inputs).prices == {}


def test_less_than_a_tick_adds_up() -> None:
    slow = a_member(price_cents=100, drift_bps=10, volatility_bps=0)
    assert Market(a_group(day_ms=1_000), {1: slow}).path(100)[-1] == 111


def test_a_price_that_somebody_else_has_set_is_gone_on_from() -> None:
    market = Market(a_group(seed="a"), {1: a_member(volatility_bps=10)})
    market.path(5)
    market.states[1] = replace(market.states[1], price_cents=5_000)
    assert market.step()[1] == pytest.approx(5_000, rel=0.01)


def test_drift_and_volatility_are_those_that_were_set() -> None:
    group = a_group(seed="sample", interval_ms=1_000, day_ms=1_000)
    path = Market(group, {1: a_member(price_cents=10**6, drift_bps=20, volatility_bps=200)}).path(3_000)
    changes = [log(after / before) for before, after in pairwise(path)]
    assert stdev(changes) == pytest.approx(0.02, rel=0.05)
    assert fmean(changes) == pytest.approx(0.002 - 0.02**2 / 2, abs=3 * 0.02 / 3_000**0.5)


@pytest.mark.parametrize(("beta", "least", "most"), [(0, -0.1, 0.1), (20_000, 0.7, 1), (-20_000, -1, -0.7)])
def test_members_that_follow_what_all_share_move_together(beta: int, least: float, most: float) -> None:
    group = a_group(seed="c", common_volatility_bps=150, day_ms=1_000)
    members = {
        1: a_member(price_cents=10**6, common_bps=20_000),
        2: a_member(price_cents=10**6, common_bps=beta),
    }
    market = Market(group, members)
    made = [market.step() for _ in range(800)]
    changes = [
        [log(after[number] / before[number]) for before, after in pairwise(made)] for number in members
    ]
    assert least <= correlation(*changes) <= most


def test_a_reverting_price_goes_to_its_level_and_stays_about_it() -> None:
    member = a_member(price_cents=40_000, reversion_bps=5_000, level_cents=10_000, volatility_bps=100)
    path = Market(a_group(seed="r", day_ms=1_000), {1: member}).path(400)
    assert path[0] > 20_000
    assert all(9_000 < price < 11_000 for price in path[20:])


def test_without_volatility_a_reverting_price_falls_by_its_rate() -> None:
    member = a_member(price_cents=20_000, reversion_bps=10_000, level_cents=10_000, volatility_bps=0)
    assert Market(a_group(day_ms=1_000), {1: member}).step() == {1: round(10_000 * 2 ** exp(-1))}


def test_a_price_at_one_tick_can_rise_again() -> None:
    group, member = a_group(seed="f", day_ms=1_000), a_member(price_cents=1, volatility_bps=30_000)
    path = Market(group, {1: member}).path(300)
    assert min(path) == 1
    assert max(path[path.index(1) :]) > 10


# News


def headline(drift: int, start: float, end: float, volatility: int = 10_000) -> News:
    return News(1, drift, volatility, NOW + start * SECOND, NOW + end * SECOND)


CALM = a_member(price_cents=100_000, volatility_bps=0)


@pytest.mark.parametrize(
    "news", [headline(500, 0, 10), headline(500, 2.3, 2.4), headline(500, 3, 3), headline(500, -5, 5)]
)
@pytest.mark.parametrize("late", [timedelta(), 2.7 * SECOND])
def test_a_headlines_drift_arrives_as_a_whole_however_the_steps_fall(news: News, late: timedelta) -> None:
    market = Market(a_group(), {1: CALM})
    market.memory = {"at": (NOW - 5 * SECOND).isoformat()}
    for _ in range(12):
        market.step([news], late)
    assert market.states[1].price_cents == 105_000


def test_a_headline_works_evenly_over_its_time() -> None:
    market = Market(a_group(), {1: CALM})
    path = [market.step([headline(-1_900, 0, 2)])[1] for _ in range(3)]
    assert path == [90_000, 81_000, 81_000]


def test_a_headline_works_on_its_own_instrument_only() -> None:
    market = Market(a_group(), {1: CALM, 2: CALM})
    assert market.step([headline(500, 0, 1)]) == {1: 105_000, 2: 100_000}


@pytest.mark.parametrize(("end", "times"), [(1, 3.0), (0.5, 5**0.5), (0, 1.0), (-1, 1.0)])
def test_a_headline_multiplies_the_volatility_while_it_works(end: float, times: float) -> None:
    group = a_group(seed="n", day_ms=10_000_000)
    member = a_member(price_cents=10**8, volatility_bps=1_000)
    quiet = log(Market(group, {1: member}).step()[1] / 10**8)
    stirred = log(Market(group, {1: member}).step([headline(0, -2, end, 30_000)])[1] / 10**8)
    assert stirred == pytest.approx(times * quiet, rel=0.01)


def test_the_worst_of_news_leaves_a_price() -> None:
    assert Market(a_group(), {1: CALM}).step([headline(-20_000, 0, 1)]) == {1: 10}


def test_news_lasts_on_a_recording() -> None:
    market = Market(RECORDED, {1: OF_RECORDING}, {"r": WEEK})
    for _ in range(10):
        market.step([headline(1_000, 0, 10)])
    assert market.states[1].price_cents == round(1.1 * WEEK[0].close_cents)
    for _ in range(10):
        market.step()
    assert market.states[1].price_cents == round(1.1 * WEEK[1].close_cents)


# Recorded


def bar(number: float, open_: int, high: int, low: int, close: int) -> Bar:
    return Bar(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number), open_, high, low, close, 1)


WEEK = [
    bar(0, 1_000, 1_200, 900, 1_100),
    bar(1, 1_150, 1_300, 1_050, 1_060),
    bar(2, 1_060, 1_070, 400, 410),
    bar(3, 410, 410, 410, 410),
    bar(4, 500, 700, 450, 650),
]


def test_a_bar_is_opened_touched_at_both_ends_and_closed() -> None:
    path = Market(RECORDED, {1: OF_RECORDING}, {"r": WEEK}).path(50)
    for index, played in enumerate(WEEK):
        seen = path[10 * index : 10 * index + 10]
        assert (seen[0], max(seen), min(seen), seen[-1]) == (
            played.open_cents, played.high_cents, played.low_cents, played.close_cents,
        )  # fmt: skip
    assert path[:10].index(900) < path[:10].index(1_200)
    assert path[20:30].index(1_070) < path[20:30].index(400)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    st.lists(st.lists(st.integers(1, 5_000), min_size=4, max_size=4), min_size=1, max_size=5),
    st.integers(100, 2_000), st.integers(3, 12), st.text(max_size=4),
)  # fmt: skip
def test_every_bar_with_room_for_it_touches_high_and_low_and_ends_at_its_close(
    drawn: list[list[int]], interval: int, steps: int, seed: str
) -> None:
    made = []
    for index, (open_, other, third, close) in enumerate(drawn):
        prices = (open_, other, third, close)
        made.append(bar(index, open_, max(prices), min(prices), close))
    group = a_group(source="recorded", interval_ms=interval, day_ms=interval * steps, seed=seed)
    path = Market(group, {1: OF_RECORDING}, {"r": made}).path(steps * len(made))
    for index, played in enumerate(made):
        seen = path[steps * index : steps * (index + 1)]
        assert (max(seen), min(seen), seen[-1]) == (played.high_cents, played.low_cents, played.close_cents)


def test_steps_that_do_not_divide_a_bar_still_end_it_at_its_close() -> None:
    group = a_group(source="recorded", interval_ms=700, day_ms=10_000)
    path = Market(group, {1: OF_RECORDING}, {"r": WEEK}).path(72)
    ends = [int(10_000 * day / 700) for day in range(1, 6)]
    assert [path[end - 1] for end in ends] == [played.close_cents for played in WEEK]


def test_a_step_over_many_bars_shows_the_last() -> None:
    group = a_group(source="recorded", interval_ms=30_000, day_ms=10_000)
    assert Market(group, {1: OF_RECORDING}, {"r": WEEK}).path(3) == [410, 650, 650]


def test_a_recording_that_is_over_keeps_its_last_price() -> None:
    assert Market(RECORDED, {1: OF_RECORDING}, {"r": WEEK}).path(80)[49:] == [650] * 31


def test_a_recording_may_begin_again() -> None:
    group = a_group(source="recorded", day_ms=10_000, when_over="repeat")
    path = Market(group, {1: OF_RECORDING}, {"r": WEEK}).path(110)
    for index in (49, 99):
        assert path[index] == 650
    assert path[50] == path[100] == 1_000


def test_it_begins_on_the_day_that_was_set_and_again_when_another_is() -> None:
    group = a_group(source="recorded", day_ms=10_000, starts_on="2026-01-03")
    market = Market(group, {1: OF_RECORDING}, {"r": WEEK})
    assert market.step() == {1: 1_060}
    market.group = a_group(source="recorded", day_ms=10_000, starts_on="2026-01-05")
    assert market.step() == {1: 500}


@pytest.mark.parametrize("when_over", ["stop", "repeat"])
def test_it_may_begin_after_its_end(when_over: str) -> None:
    group = a_group(source="recorded", when_over=when_over, starts_on="2027-01-01")
    assert Market(group, {1: OF_RECORDING}, {"r": WEEK}).path(3) == [650] * 3


def test_recordings_play_the_same_day_and_one_that_has_not_begun_has_no_price() -> None:
    later = [bar(2, 50, 60, 40, 55), bar(3, 55, 55, 55, 55)]
    members = {1: OF_RECORDING, 2: a_member(recording="later")}
    market = Market(RECORDED, members, {"r": WEEK, "later": later})
    assert [market.step()[2] for _ in range(20)] == [0] * 20
    assert market.step() == {1: 1_060, 2: 50}


def test_a_member_that_joins_later_is_at_once_where_the_others_are() -> None:
    market = Market(RECORDED, {1: OF_RECORDING}, {"r": WEEK})
    market.path(15)
    market.members[2], market.states[2] = a_member(recording="r", scale_bps=20_000), state(2, 0)
    assert 2 * 1_050 <= market.step()[2] <= 2 * 1_300
    for _ in range(4):
        market.step()
    assert market.states[2].price_cents == 2 * 1_060


def test_over_a_weekend_a_price_stays() -> None:
    days = [bar(number, 100, 120, 90, 110 + number) for number in (0, 1, 4, 5)]
    path = Market(RECORDED, {1: OF_RECORDING}, {"r": days}).path(60)
    assert path[19:40] == [111] * 21
    assert path[49] == 114


def test_over_its_first_weekend_a_price_stays_too() -> None:
    days = [bar(number, 100, 120, 90, 110 + number) for number in (0, 3, 4)]
    path = Market(RECORDED, {1: OF_RECORDING}, {"r": days}).path(50)
    assert path[9:30] == [110] * 21
    assert path[39] == 113


def test_a_recording_that_is_not_there_makes_no_price() -> None:
    assert Market(RECORDED, {1: OF_RECORDING}).path(3) == [0, 0, 0]
    assert Market(RECORDED, {1: OF_RECORDING}, {"r": []}).path(3) == [0, 0, 0]


def test_an_empty_interval_changes_nothing() -> None:
    for group in (a_group(interval_ms=0), a_group(source="recorded", interval_ms=0)):
        assert Market(group, {1: a_member()}, {"r": WEEK}).step() == {1: 10_000}


# Pushed


@pytest.mark.parametrize(
    ("last_price", "last_at", "price", "at", "reason", "metadata"),
    [
        (0, None, 1, NOW, "", {}),
        (100, None, 10_000, NOW, "", {}),
        (10_000, NOW - SECOND, 11_000, NOW, "", {}),
        (10_000, NOW - SECOND, 9_000, NOW, "", {}),
        (10_000, NOW - SECOND, 10_000, NOW + 5 * SECOND, "", {}),
        (10_000, NOW - 60 * SECOND, 10_000, NOW - 10 * SECOND, "", {}),
        (10_000, NOW, 0, NOW, "INVALID_FIELD", {}),
        (10_000, NOW, MAX_PRICE_CENTS + 1, NOW, "INVALID_FIELD", {}),
        (10_000, NOW, 10_000, NOW + 5.001 * SECOND, "INVALID_FIELD", {}),
        (10_000, None, 10_000, NOW.replace(tzinfo=None), "INVALID_FIELD", {}),
        (10_000, NOW, 10_001, NOW, "PRICE_OUT_OF_ORDER", {}),
        (10_000, NOW, 10_001, NOW - SECOND, "PRICE_OUT_OF_ORDER", {}),
        (
            10_000,
            None,
            10_001,
            NOW - 10.001 * SECOND,
            "PRICE_STALE",
            {"limit_ms": "10000", "age_ms": "10001"},
        ),
        (10_000, NOW - SECOND, 11_001, NOW, "PRICE_ABSURD", {"lower_cents": "9000", "upper_cents": "11000"}),
        (10_000, NOW - SECOND, 8_999, NOW, "PRICE_ABSURD", {"lower_cents": "9000", "upper_cents": "11000"}),
        (1, NOW - SECOND, 2, NOW, "PRICE_ABSURD", {"lower_cents": "1", "upper_cents": "1"}),
    ],
)
def test_a_pushed_price_is_taken_or_refused(
    last_price: int, last_at: datetime | None, price: int, at: datetime, reason: str, metadata: dict[str, str]
) -> None:
    if not reason:
        accept_push(PUSHED, a_member(), last_price, last_at, price, at, NOW)
        return
    with pytest.raises(Refused) as refused:
        accept_push(PUSHED, a_member(), last_price, last_at, price, at, NOW)
    assert (refused.value.reason, refused.value.metadata) == (reason, metadata)


def test_without_a_band_no_price_is_absurd() -> None:
    accept_push(a_group(source="pushed", band_bps=0), a_member(), 1, NOW - SECOND, 10**9, NOW, NOW)


@pytest.mark.parametrize("source", ["simulated", "recorded"])
def test_nobody_pushes_prices_that_are_made_otherwise(source: str) -> None:
    with pytest.raises(Refused) as refused:
        accept_push(a_group(source=source), a_member(), 0, None, 100, NOW, NOW)
    assert (refused.value.reason, refused.value.metadata) == ("NOT_POSSIBLE_NOW", {"state": source})


def test_the_last_push_of_each_is_remembered() -> None:
    assert last_push({}, 1) == (0, None)
    memory = pushed(pushed({"other": 1}, 1, 100, NOW), 2, 200, NOW + SECOND)
    memory = json.loads(json.dumps(pushed(memory, 1, 101, NOW + SECOND)))
    assert last_push(memory, 1) == (101, NOW + SECOND)
    assert last_push(memory, 2) == (200, NOW + SECOND)
    assert memory["other"] == 1


# Ticks


@settings(deadline=None, derandomize=True)
@given(st.floats(0, 1e19), ticks)
def test_any_price_is_put_on_a_tick(price: float, tick: int) -> None:
    made = on_tick(price, tick)
    assert made % tick == 0
    assert tick <= made <= MAX_PRICE_CENTS
    if tick <= price <= MAX_PRICE_CENTS - tick:
        assert abs(made - price) <= tick / 2
