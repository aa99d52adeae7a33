import pytest
from bearpit_tui.widgets.scale import DAY, HOUR, MINUTE, Scale, round_step, time_step
from hypothesis import example, given
from hypothesis import strategies as st

INT64 = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    ("least", "step"), [(-5, 1), (0, 1), (1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (51, 100), (100, 100)]
)
def test_steps_are_round(least: int, step: int) -> None:
    assert round_step(least) == step


@pytest.mark.parametrize(
    ("least", "step"),
    [(0, MINUTE), (61, 2 * MINUTE), (700, 15 * MINUTE), (1801, HOUR), (13 * HOUR, DAY), (3 * DAY, 5 * DAY)],
)
def test_times_are_counted_as_people_count_them(least: int, step: int) -> None:
    assert time_step(least) == step


def test_the_highest_price_is_on_top_and_the_lowest_at_the_bottom() -> None:
    scale = Scale(100, 200, 11)
    assert [scale.row(200), scale.row(150), scale.row(100)] == [0, 5, 10]


def test_ticks_are_multiples_of_a_round_step_within_the_axis() -> None:
    assert Scale(10_333, 11_187, 24).ticks() == [11_000, 10_800, 10_600, 10_400]


@given(INT64, INT64, st.integers(1, 200))
def test_every_price_of_any_axis_has_a_row_of_it(one: int, other: int, rows: int) -> None:
    scale = Scale.around(min(one, other), max(one, other), rows)
    for price in (one, other, (one + other) // 2):
        assert 0 <= scale.row(price) < rows
        assert 0 <= scale.part(price, 4) < rows * 4


@given(INT64, INT64, st.integers(1, 200))
@example(0, 9, 30)
def test_ticks_are_few_apart_and_on_the_axis(one: int, other: int, rows: int) -> None:
    scale = Scale.around(min(one, other), max(one, other), rows)
    ticks = scale.ticks()
    assert len(ticks) <= rows // 4 + 2
    assert all(scale.low <= tick <= scale.high for tick in ticks)
