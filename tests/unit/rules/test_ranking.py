"""Ranks with ties, and a return that gifts do not change."""

from bearpit_server.rules.ranking import (
    HIGHEST,
    LOWEST,
    ONE,
    Board,
    competition_ranks,
    drawdown_bps,
    next_level,
    return_bps,
    value,
)
from hypothesis import given
from hypothesis import strategies as st

FLOOR = 100_000
CENTS = st.integers(-(10**15), 10**15)


def test_equal_keys_share_a_rank_and_the_ranks_after_are_left_out() -> None:
    assert competition_ranks([9, 7, 7, 7, 5], 1, 1) == [1, 2, 2, 2, 5]
    assert competition_ranks([7, 7, 5], 101, 98) == [98, 98, 103]
    assert competition_ranks([], 1, 1) == []


@given(st.lists(st.integers(0, 5)))
def test_a_rank_is_one_more_than_there_are_better_ones(keys: list[int]) -> None:
    keys = sorted(keys, reverse=True)
    ranks = competition_ranks(keys, 1, 1)
    assert ranks == [1 + sum(other > key for other in keys) for key in keys]


def test_a_gain_is_counted_over_what_there_was() -> None:
    level = next_level(ONE, 1_000_000, 1_100_000, 0, FLOOR)
    assert return_bps(level) == 1_000
    assert return_bps(next_level(level, 1_100_000, 990_000, 0, FLOOR)) == -100


@given(CENTS, st.integers(-(10**12), 10**12), st.integers(LOWEST, HIGHEST))
def test_what_comes_in_or_is_given_away_changes_no_return(before: int, received: int, level: int) -> None:
    assert next_level(level, before, before + received, received, FLOOR) == level


@given(CENTS, CENTS, st.integers(0, 10**12))
def test_a_gift_never_raises_the_return_of_what_was_gained_besides(
    before: int, gained: int, gift: int
) -> None:
    without = next_level(ONE, before, before + gained, 0, FLOOR)
    given_too = next_level(ONE, before, before + gained + gift, gift, FLOOR)
    assert abs(given_too - ONE) <= abs(without - ONE)


def test_on_next_to_nothing_no_great_return_is_made() -> None:
    assert return_bps(next_level(ONE, 1, 10_001, 0, FLOOR)) == 1_000


@given(CENTS, CENTS, CENTS, st.integers(LOWEST, HIGHEST))
def test_a_level_has_bounds(before: int, now: int, received: int, level: int) -> None:
    assert LOWEST <= next_level(level, before, now, received, FLOOR) <= HIGHEST


def test_who_has_lost_everything_can_rise_again() -> None:
    lost = next_level(ONE, 1_000_000, -5, 0, FLOOR)
    assert return_bps(lost) == -9_990
    assert next_level(lost, -5, 200_000, 0, FLOOR) > lost


@given(st.integers(LOWEST, HIGHEST), st.integers(0, HIGHEST))
def test_a_drawdown_is_a_part_of_the_peak(level: int, above: int) -> None:
    assert 0 <= drawdown_bps(level, level + above) <= 10_000


def test_boards_show_cents_or_basis_points() -> None:
    assert value(Board.RETURN, ONE * 3 // 2) == 5_000
    assert value(Board.DRAWDOWN, -120) == 120
    assert value(Board.NET_WORTH, -7) == -7
