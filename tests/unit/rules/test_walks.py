"""Random walks against the moments that their papers give them, with seeds that do not change."""

import math
import random
from statistics import correlation, fmean, stdev

import pytest
from bearpit_server.rules.walks import Shocks, Walk, advance, follow, poisson, turns
from hypothesis import given, settings
from hypothesis import strategies as st

SAMPLES = 4_000


def shocks(source: random.Random) -> Shocks:
    return Shocks(source.gauss(0, 1), source.gauss(0, 1), source.random(), source.gauss(0, 1))


def changes(walk: Walk, days: float, seed: int = 1) -> list[float]:
    source = random.Random(seed)
    return [advance(0.0, walk, days, shocks(source)) for _ in range(SAMPLES)]


def test_a_price_without_drift_or_volatility_stays() -> None:
    assert advance(3.5, Walk(), 10, Shocks(own=2, common=2, jump=2)) == 3.5


def test_no_time_changes_nothing() -> None:
    assert advance(3.5, Walk(drift=1, volatility=1, jumps=1, jump=1), 0, Shocks(own=2)) == 3.5


def test_the_volatility_of_a_step_grows_with_the_root_of_its_days() -> None:
    walk = Walk(volatility=0.02)
    assert stdev(changes(walk, 1)) == pytest.approx(0.02, rel=0.05)
    assert stdev(changes(walk, 9)) == pytest.approx(0.06, rel=0.05)


def test_own_and_common_volatility_add_up_as_variances() -> None:
    assert stdev(changes(Walk(volatility=0.03, common_volatility=-0.04), 1)) == pytest.approx(0.05, rel=0.05)


@pytest.mark.parametrize(
    "walk",
    [
        Walk(drift=0.01, volatility=0.1),
        Walk(drift=0.01, volatility=0.05, common_volatility=0.1),
        Walk(drift=0.01, jumps=0.5, jump=0.1),
    ],
)
def test_the_expected_price_grows_by_the_drift_alone(walk: Walk) -> None:
    grown = fmean(math.exp(change) for change in changes(walk, 4))
    assert grown == pytest.approx(math.exp(0.04), abs=0.01)


def test_jumps_come_as_often_as_they_should() -> None:
    moved = sum(change != 0 for change in changes(Walk(jumps=0.1, jump=0.05), 1, seed=3))
    quiet = advance(0.0, Walk(jumps=0.1, jump=0.05), 1, Shocks(chance=0))
    assert quiet < 0  # the compensation of jumps that did not come
    jumped = sum(change != quiet for change in changes(Walk(jumps=0.1, jump=0.05), 1, seed=3))
    assert moved == SAMPLES
    assert jumped / SAMPLES == pytest.approx(1 - math.exp(-0.1), rel=0.15)


@pytest.mark.parametrize("mean", [0.0, 0.3, 5.0, 49.0])
def test_events_are_counted_by_poissons_law(mean: float) -> None:
    source = random.Random(5)
    drawn = [poisson(mean, source.random()) for _ in range(SAMPLES)]
    assert fmean(drawn) == pytest.approx(mean, rel=0.1)
    assert stdev(drawn) == pytest.approx(math.sqrt(mean), rel=0.1)


def test_of_many_events_there_are_as_many_as_expected() -> None:
    assert poisson(1e6, 0.99) == 1e6


def test_a_reverting_price_comes_back_to_its_level() -> None:
    walk = Walk(reversion=1.0, level=5.0)
    assert advance(7.0, walk, 1, Shocks()) == pytest.approx(5 + 2 / math.e)
    assert advance(7.0, walk, 100, Shocks()) == pytest.approx(5.0)


def test_a_reverting_price_spreads_no_further_than_its_stationary_law() -> None:
    walk = Walk(reversion=2.0, level=0.0, volatility=0.1)
    assert stdev(changes(walk, 1_000)) == pytest.approx(0.1 / math.sqrt(4), rel=0.05)


def test_many_short_steps_of_a_reversion_make_one_long_one() -> None:
    walk, price = Walk(reversion=0.7, level=1.0), 3.0
    for _ in range(10):
        price = advance(price, walk, 0.25, Shocks())
    assert price == pytest.approx(advance(3.0, walk, 2.5, Shocks()))


def test_stirring_multiplies_the_volatility() -> None:
    walk, shock = Walk(volatility=0.01, reversion=1e-9), Shocks(own=1)
    assert advance(0, walk, 1, shock, 3) == pytest.approx(3 * advance(0, walk, 1, shock))


def test_two_walks_that_share_shocks_move_together() -> None:
    source = random.Random(7)
    walk = Walk(volatility=0.01, common_volatility=0.03)
    pairs = []
    for _ in range(SAMPLES):
        common = source.gauss(0, 1)
        pairs.append([advance(0, walk, 1, Shocks(own=source.gauss(0, 1), common=common)) for _ in range(2)])
    assert correlation(*map(list, zip(*pairs, strict=True))) == pytest.approx(0.9, abs=0.02)


@settings(deadline=None, derandomize=True)
@given(
    st.floats(-7, 21), st.floats(-1, 1), st.floats(0, 10), st.floats(-50, 50), st.floats(0, 100),
    st.floats(0, 100), st.floats(0, 1), st.floats(0, 36_000), st.integers(), st.floats(0, 100_000),
)  # fmt: skip
def test_every_step_ends_at_a_number(
    price: float, drift: float, volatility: float, common: float, reversion: float, jumps: float,
    jump: float, days: float, seed: int, stirred: float,
) -> None:  # fmt: skip
    walk = Walk(drift, volatility, common, reversion, 9.0, jumps, jump)
    assert math.isfinite(advance(price, walk, days, shocks(random.Random(seed)), stirred))


bars = st.lists(st.integers(1, 10_000), min_size=4, max_size=4).map(sorted).flatmap(
    lambda made: st.permutations(made[1:3]).map(lambda inner: (inner[0], made[3], made[0], inner[1]))
)  # fmt: skip


@settings(deadline=None, derandomize=True)
@given(bars, st.integers(1, 60), st.integers(1, 20_000), st.integers())
def test_a_path_through_a_bar_touches_its_turns_and_leaves_its_range_never(
    bar: tuple[int, int, int, int], steps: int, before: int, seed: int
) -> None:
    open_, high, low, close = bar
    path, source, price, seen = turns(*bar, steps), random.Random(seed), float(before), []
    for step in range(1, steps + 1):
        price = follow(price, path, step, source.gauss(0, 1))
        seen.append(price)
    assert seen[-1] == close
    assert all(low <= made <= high for made in seen)
    if steps >= 3:
        assert {high, low} <= set(seen)
    if steps >= 4:
        assert seen[0] == open_
        assert (seen.index(low) <= seen.index(high)) or open_ > close or low in (open_, close)


def test_a_bar_that_closes_up_is_low_before_it_is_high() -> None:
    assert turns(10, 20, 5, 15, 10) == [(1, 10), (4, 5), (7, 20), (10, 15)]


def test_a_bar_that_closes_down_is_high_before_it_is_low() -> None:
    assert turns(15, 20, 5, 10, 10) == [(1, 15), (4, 20), (7, 5), (10, 10)]


def test_a_short_bar_shows_what_there_is_room_for() -> None:
    assert turns(10, 20, 5, 15, 1) == [(1, 15)]
    assert turns(10, 20, 5, 15, 2) == [(1, 20), (2, 15)]
    assert turns(10, 20, 5, 15, 3) == [(1, 5), (2, 20), (3, 15)]
