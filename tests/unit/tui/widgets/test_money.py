import pytest
from bearpit_tui.widgets.money import (
    arrow,
    compact,
    compact_money,
    fit_count,
    fit_money,
    fit_signed_money,
    money,
    percent,
    signed_money,
    signed_percent,
)
from hypothesis import given
from hypothesis import strategies as st

HIGHEST, LOWEST = 2**63 - 1, -(2**63)
INT64 = st.integers(LOWEST, HIGHEST)


@pytest.mark.parametrize(
    ("cents", "text"),
    [
        (0, "0.00"),
        (1, "0.01"),
        (-1, "−0.01"),
        (99, "0.99"),
        (100, "1.00"),
        (-12_345, "−123.45"),
        (123_456, "1,234.56"),
        (HIGHEST, "92,233,720,368,547,758.07"),
        (LOWEST, "−92,233,720,368,547,758.08"),
    ],
)
def test_money_has_two_decimals_and_grouped_thousands(cents: int, text: str) -> None:
    assert money(cents) == text


@given(INT64)
def test_money_can_be_read_back(cents: int) -> None:
    digits = money(cents).replace(",", "").replace(".", "").replace("−", "-")
    assert int(digits) == cents


@pytest.mark.parametrize(("cents", "text"), [(120_410, "+1,204.10"), (-300, "−3.00"), (0, "0.00")])
def test_gains_and_losses_carry_their_sign(cents: int, text: str) -> None:
    assert signed_money(cents) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1k"),
        (2_431, "2.4k"),
        (22_000, "22k"),
        (22_980, "22.9k"),
        (99_999, "99.9k"),
        (100_500, "100k"),
        (999_999, "999k"),
        (1_000_000, "1M"),
        (5_250_000_000, "5.2B"),
        (HIGHEST, "9.2E"),
        (LOWEST, "−9.2E"),
        (-2_431, "−2.4k"),
    ],
)
def test_compact_cuts_and_never_says_more_than_there_is(number: int, text: str) -> None:
    assert compact(number) == text


@given(INT64)
def test_compact_takes_at_most_six_cells(number: int) -> None:
    assert len(compact(number)) <= 6


@pytest.mark.parametrize(
    ("cents", "text"),
    [(99_999, "999.99"), (6_123_456, "61.2k"), (-6_123_456, "−61.2k"), (-99_999, "−999.99")],
)
def test_compact_money_is_full_below_a_thousand(cents: int, text: str) -> None:
    assert compact_money(cents) == text


@pytest.mark.parametrize(
    ("width", "text"), [(8, "1,234.56"), (7, "1,234"), (5, "1,234"), (4, "1.2k"), (3, "###"), (0, "")]
)
def test_money_that_does_not_fit_gets_shorter_and_never_misleads(width: int, text: str) -> None:
    assert fit_money(123_456, width) == text


@given(INT64, st.integers(0, 30))
def test_what_is_fitted_fits(number: int, width: int) -> None:
    assert len(fit_money(number, width)) <= width
    assert len(fit_count(number, width)) <= width
    assert len(fit_signed_money(number, width)) <= max(width, 1)


@pytest.mark.parametrize(
    ("bps", "text"),
    [(192, "1.92%"), (-192, "1.92%"), (0, "0.00%"), (99_999, "999.99%"), (100_000, "1k%"), (5, "0.05%")],
)
def test_percent_leaves_the_sign_to_the_arrow(bps: int, text: str) -> None:
    assert percent(bps) == text


@pytest.mark.parametrize(("bps", "text"), [(192, "+1.92%"), (-192, "−1.92%"), (0, "0.00%")])
def test_signed_percent_carries_it(bps: int, text: str) -> None:
    assert signed_percent(bps) == text


@pytest.mark.parametrize(("change", "sign"), [(3, "▲"), (-3, "▼"), (0, " ")])
def test_arrows_tell_the_way(change: int, sign: str) -> None:
    assert arrow(change) == sign
