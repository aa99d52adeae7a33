"""Points on the command line are read exactly and written back the same."""

import pytest
import typer
from bearpit_admin.money import Points, parse_points
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("12.40", 1240),
        ("12.4", 1240),
        ("12", 1200),
        ("0.05", 5),
        ("-0.05", -5),
        ("+3", 300),
        ("0", 0),
        ("007.10", 710),
        ("90071992547409.93", 9_007_199_254_740_993),  # beyond what a float could tell apart
    ],
)
def test_reads_points_as_cents(text: str, cents: int) -> None:
    assert parse_points(text) == cents


@pytest.mark.parametrize(
    "text",
    ["", ".", "1.", ".5", "1.234", "1,5", "1e3", "--1", "NaN", " 1", "1 ", "0x10", "١٢", "1_000", "1" * 18],
)
def test_refuses_what_is_no_amount(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write it like"):
        parse_points(text)


@given(st.integers(min_value=-(10**18), max_value=10**18))
def test_what_is_written_reads_back_the_same(cents: int) -> None:
    assert parse_points(str(Points(cents))) == cents


@pytest.mark.parametrize(("cents", "text"), [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (-1240, "-12.40")])
def test_writes_two_decimals(cents: int, text: str) -> None:
    assert str(Points(cents)) == text
