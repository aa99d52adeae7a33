"""New prices: within their bounds, explained to the last basis point, and the same on every machine."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from bearpit_server.rules.parameters import parse, schema, texts_of
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.settling import (
    ALGORITHMS,
    Algorithm,
    Settled,
    Summary,
    Trading,
    by_variant,
    find,
    variant_of,
)
from bearpit_server.rules.settling.arithmetic import divide, percent, signed_percent
from bearpit_server.rules.units import BPS, MAX_PRICE_CENTS, MAX_QUANTITY
from hypothesis import given, settings
from hypothesis import strategies as st

CROWDS = ["linear", "logarithmic", "elastic"]

QUIET = Trading(
    symbol="LUFFY", previous_cents=10_000, anchor_cents=0, tick_cents=1, buys=0, sells=0, buyers=0, sellers=0,
    players=0, top_bps=0, outstanding=50_000,
)  # fmt: skip
BUSY = replace(QUIET, buys=1_240, sells=310, buyers=40, sellers=20, players=57, top_bps=3_100)


def settle(name: str, trading: Trading, **given: object) -> Settled:
    algorithm = find(name)
    texts = {key: str(value) for key, value in given.items()}
    return algorithm.settle(parse(algorithm.parameters, texts), trading)


def price(name: str, trading: Trading, **given: object) -> int:
    return settle(name, trading, **given).price_cents


# What the algorithms say


def test_linear_demand_moves_by_its_sensitivity_for_each_measure() -> None:
    for buys, expected in [(1_000, 10_500), (2_000, 11_000), (500, 10_250)]:
        assert price("linear", replace(QUIET, buys=buys, players=9)) == expected


def test_logarithmic_demand_moves_once_more_for_each_doubling() -> None:
    for buys, expected in [(1_000, 10_500), (3_000, 11_000), (7_000, 11_500)]:
        assert price("logarithmic", replace(QUIET, buys=buys, players=9)) == expected


def test_elastic_demand_is_relative_to_the_shares_held_before() -> None:
    trading = replace(QUIET, buys=5_000, players=9, outstanding=55_000)
    assert price("elastic", trading, elasticity_bps=10_000) == 11_000  # a tenth more shares, elasticity one
    assert price("elastic", trading, elasticity_bps=20_000) == 10_500
    assert price("elastic", trading, elasticity_bps=20_000, depth_shares=500_000) == 10_050


def test_without_trading_the_elastic_price_goes_back_by_its_part_of_the_way() -> None:
    assert price("elastic", replace(QUIET, anchor_cents=9_000)) == 9_900
    assert price("elastic", replace(QUIET, anchor_cents=11_000), reversion_bps=5_000) == 10_500
    assert price("elastic", replace(QUIET, anchor_cents=11_000), reversion_bps=0) == 10_000


def test_a_fixed_price_stays_or_moves_as_was_said() -> None:
    assert price("fixed", BUSY) == 10_000
    assert price("fixed", BUSY, move_bps=-250) == 9_750


def test_a_manual_price_is_taken_to_the_cent() -> None:
    trading = replace(BUSY, previous_cents=99_999_999)
    assert price("manual", trading, price_cents=100_000_001) == 100_000_001


def test_a_manual_price_that_is_not_known_asks_for_it() -> None:
    with pytest.raises(Refused) as refused:
        settle("manual", BUSY)
    assert refused.value.reason == "NOT_POSSIBLE_NOW"
    assert "price_cents" in refused.value.message


@pytest.mark.parametrize("name", CROWDS)
def test_one_players_demand_is_damped_by_its_share(name: str) -> None:
    alone = replace(BUSY, top_bps=BPS)
    assert price(name, alone, concentration_bps=BPS) == 10_000
    crowd, mostly = replace(BUSY, top_bps=0), replace(BUSY, top_bps=5_000)
    assert 10_000 < price(name, mostly) < price(name, crowd)


@pytest.mark.parametrize("name", CROWDS)
def test_demand_of_too_few_players_moves_nothing(name: str) -> None:
    trading = replace(BUSY, players=2)
    few = settle(name, trading, min_players=3)
    assert (few.price_cents, few.move_bps) == (10_000, 0)
    assert "only 2 players of the 3 that it takes" in few.explanation
    assert price(name, trading, min_players=2) > 10_000


def test_the_explanation_is_one_line_with_the_numbers() -> None:
    assert settle("linear", BUSY).explanation == (
        "+3.93 %: 1,240 bought and 310 sold by 57 players: demand +4.65 %, one player had 31 % of it −0.72 %"
    )
    bound = settle("linear", BUSY, max_move_bps=100)
    assert bound.explanation.endswith("one player had 31 % of it −0.72 %, bound of 1 % −2.93 %")
    assert bound.was_bounded
    assert settle("fixed", QUIET).explanation == "±0 %: nothing was traded: the price stays"
    back = settle("elastic", replace(QUIET, anchor_cents=9_500)).explanation
    assert back == "−0.5 %: nothing was traded: back towards 95.00 points −0.5 %"


def test_the_tick_is_a_factor_of_its_own() -> None:
    rounded = settle("fixed", replace(QUIET, tick_cents=100), move_bps=240)
    assert (rounded.price_cents, rounded.move_bps, rounded.was_bounded) == (10_200, 200, False)
    assert [(factor.name, factor.bps) for factor in rounded.factors] == [("fixed", 240), ("tick", -40)]


def test_a_tick_that_reaches_over_the_bound_is_not_taken() -> None:
    coarse = replace(QUIET, tick_cents=1_000)
    assert price("fixed", coarse, move_bps=800, max_move_bps=900) == 10_000  # 10,800 is nearest to 11,000


def test_a_price_never_falls_below_one_tick() -> None:
    low = settle(
        "fixed", replace(QUIET, previous_cents=10, tick_cents=5), move_bps=-BPS, max_move_bps=100_000
    )
    assert (low.price_cents, low.was_bounded) == (5, True)
    assert "never below one tick" in low.explanation


def test_a_price_off_the_tick_is_put_on_it_first() -> None:
    assert price("fixed", replace(QUIET, previous_cents=10_004, tick_cents=10), max_move_bps=0) == 10_000


@pytest.mark.parametrize(
    "wrong", [{"previous_cents": 0}, {"tick_cents": 0}, {"top_bps": 10_001}, {"buys": -1}, {"players": -1}]
)
def test_trading_that_cannot_be_is_not_settled(wrong: dict[str, int]) -> None:
    with pytest.raises(AssertionError):
        replace(QUIET, **wrong)  # type: ignore[arg-type]


def test_algorithms_are_found_by_their_names() -> None:
    assert list(ALGORITHMS) == ["linear", "logarithmic", "elastic", "fixed", "manual"]
    with pytest.raises(Refused, match="there is no algorithm tarot"):
        find("tarot")


# What holds of any of them, with any parameters and any trading

quantities = st.one_of(st.integers(0, 5_000), st.integers(0, MAX_QUANTITY))


@st.composite
def tradings(draw: st.DrawFn) -> Trading:
    tick = draw(st.sampled_from([1, 1, 5, 7, 100, 10_000]))
    ticks = draw(st.one_of(st.integers(1, 30), st.integers(1, MAX_PRICE_CENTS // tick)))
    buys, sells = draw(quantities), draw(quantities)
    return replace(
        QUIET, previous_cents=ticks * tick, tick_cents=tick,
        anchor_cents=draw(st.one_of(st.just(0), st.integers(1, MAX_PRICE_CENTS))),
        buys=buys, sells=sells, players=draw(st.integers(0, 500)), top_bps=draw(st.integers(0, BPS)),
        outstanding=draw(quantities),
    )  # fmt: skip


@st.composite
def settings_of(draw: st.DrawFn, names: list[str]) -> tuple[Algorithm[Any], Any]:
    """An algorithm and its parameters, near their defaults or anywhere within their bounds."""
    algorithm = find(draw(st.sampled_from(names)))
    texts = {}
    for each in schema(algorithm.parameters):
        assert isinstance(each.default, int)
        lowest = 1 if each.key == "price_cents" else each.lowest
        near = st.integers(max(lowest, each.default // 2), min(each.highest, each.default * 2 + 10))
        texts[each.key] = str(draw(st.one_of(near, st.integers(lowest, each.highest))))
    return algorithm, parse(algorithm.parameters, texts)


check = settings(deadline=None, derandomize=True, max_examples=300)
anyone = settings_of(list(ALGORITHMS))
crowds = settings_of(CROWDS)


@check
@given(anyone, tradings())
def test_a_price_is_whole_ticks_within_its_bounds(
    chosen: tuple[Algorithm[Any], Any], trading: Trading
) -> None:
    algorithm, p = chosen
    new = algorithm.settle(p, trading).price_cents
    assert new % trading.tick_cents == 0
    assert trading.tick_cents <= new <= MAX_PRICE_CENTS
    assert abs(new - trading.previous_cents) * BPS <= p.max_move_bps * trading.previous_cents


@check
@given(anyone, tradings())
def test_the_factors_add_up_to_the_move(chosen: tuple[Algorithm[Any], Any], trading: Trading) -> None:
    algorithm, p = chosen
    settled = algorithm.settle(p, trading)
    assert sum(factor.bps for factor in settled.factors) == settled.move_bps
    change = settled.price_cents - trading.previous_cents
    assert settled.move_bps == divide(change * BPS, trading.previous_cents)
    before = [factor for factor in settled.factors if factor.name not in ("bound", "tick")]
    assert before == [factor for factor in algorithm.factors(p, trading) if factor.bps]
    for factor in settled.factors:
        assert f"{factor.words} {signed_percent(factor.bps)}" in settled.explanation


@check
@given(anyone, tradings())
def test_the_same_trading_gives_the_same_price(chosen: tuple[Algorithm[Any], Any], trading: Trading) -> None:
    algorithm, p = chosen
    stored = parse(algorithm.parameters, texts_of(p))
    assert algorithm.settle(stored, replace(trading)) == algorithm.settle(p, trading)


@check
@given(anyone, tradings(), st.one_of(st.integers(1, 100), quantities))
def test_more_buying_never_lowers_a_price(
    chosen: tuple[Algorithm[Any], Any], trading: Trading, more: int
) -> None:
    algorithm, p = chosen
    fewer = algorithm.settle(p, trading).price_cents
    assert algorithm.settle(p, replace(trading, buys=trading.buys + more)).price_cents >= fewer
    assert algorithm.settle(p, replace(trading, sells=trading.sells + more)).price_cents <= fewer


@check
@given(crowds, tradings())
def test_as_much_bought_as_sold_moves_nothing(chosen: tuple[Algorithm[Any], Any], trading: Trading) -> None:
    algorithm, p = chosen
    even = replace(trading, sells=trading.buys, anchor_cents=0)
    settled = algorithm.settle(p, even)
    assert (settled.price_cents, settled.factors) == (trading.previous_cents, ())


@check
@given(settings_of(["linear", "logarithmic"]), tradings())
def test_buying_and_selling_weigh_the_same(chosen: tuple[Algorithm[Any], Any], trading: Trading) -> None:
    algorithm, p = chosen
    swapped = replace(trading, buys=trading.sells, sells=trading.buys)
    there, back = algorithm.factors(p, trading), algorithm.factors(p, swapped)
    assert [factor.bps for factor in there] == [-factor.bps for factor in back]


# Numbers in words


@pytest.mark.parametrize(
    ("dividend", "expected"), [(5, 0), (15, 2), (25, 2), (-5, 0), (-15, -2), (-25, -2), (26, 3), (-24, -2)]
)
def test_halves_go_to_the_even_side(dividend: int, expected: int) -> None:
    assert divide(dividend, 10) == expected


@pytest.mark.parametrize(
    ("bps", "text"), [(720, "+7.2 %"), (-725, "−7.25 %"), (100_000, "+1,000 %"), (1, "+0.01 %"), (0, "±0 %")]
)
def test_basis_points_are_read_as_per_cent(bps: int, text: str) -> None:
    assert signed_percent(bps) == text
    assert percent(abs(bps)) == text[1:]


# Variants

SYMBOLS = [f"S{number}" for number in range(10_000)]


def test_variants_are_assigned_for_ever() -> None:
    weights = {"a": 1, "b": 1}
    # Written down: a change of the hash would move instruments between the variants of a running experiment.
    assigned = [variant_of("spring", symbol, weights) for symbol in ("LUFFY", "ZORO", "NAMI", "SANJI")]
    assert assigned == ["b", "a", "b", "b"]
    assert assigned == [
        variant_of("spring", symbol, {"b": 50, "a": 50}) for symbol in ("LUFFY", "ZORO", "NAMI", "SANJI")
    ]


def test_variants_get_about_their_weight_of_the_instruments() -> None:
    counts = Counter(variant_of("spring", symbol, {"a": 1, "b": 2, "c": 7, "d": 0}) for symbol in SYMBOLS)
    assert counts["d"] == 0
    for variant, expected in [("a", 1_000), ("b", 2_000), ("c", 7_000)]:
        assert abs(counts[variant] - expected) < 150


def test_another_experiment_mixes_the_instruments_anew() -> None:
    weights = {"a": 1, "b": 1}
    both = Counter(
        (variant_of("spring", symbol, weights), variant_of("autumn", symbol, weights)) for symbol in SYMBOLS
    )
    assert min(both.values()) > 2_300
    assert len(both) == 4


@pytest.mark.parametrize("weights", [{}, {"a": 0}, {"a": 2, "b": -1}])
def test_weights_that_cannot_be_are_refused(weights: dict[str, int]) -> None:
    with pytest.raises(Refused) as refused:
        variant_of("spring", "LUFFY", weights)
    assert (refused.value.reason, refused.value.field) == ("INVALID_FIELD", "weights")


def test_results_are_summed_up_by_variant() -> None:
    def move(bps: int) -> Settled:
        return settle("fixed", QUIET, move_bps=bps)

    results = [("b", move(100)), ("a", move(0)), ("b", move(-50)), ("b", move(5_000))]
    assert by_variant(results) == [
        Summary("a", count=1, mean_move_bps=0, up=0, down=0, unchanged=1, bounded=0),
        Summary("b", count=3, mean_move_bps=683, up=2, down=1, unchanged=0, bounded=1),
    ]
    assert by_variant([]) == []
