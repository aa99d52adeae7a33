"""Rates and factors are read exactly, in basis points."""

import pytest
import typer
from bearpit_admin.rates import parse_factor, parse_rate


@pytest.mark.parametrize(
    ("text", "basis_points"),
    [("5%", 500), ("-3.5%", -350), ("+0.07%", 7), ("250bps", 250), ("-1bp", -1), ("0%", 0)],
)
def test_a_rate_is_read_in_basis_points(text: str, basis_points: int) -> None:
    assert parse_rate(text) == basis_points


@pytest.mark.parametrize("text", ["", "5", "5.%", "0.005%", "%", "five%", "5 %", "2x", "٥%"])
def test_what_is_no_rate_is_a_usage_error(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="250bps"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "basis_points"),
    [("2x", 20_000), ("0.5x", 5_000), ("1.2345x", 12_345), ("150%", 15_000), ("15000bps", 15_000), ("0x", 0)],
)
def test_a_factor_is_read_in_basis_points(text: str, basis_points: int) -> None:
    assert parse_factor(text) == basis_points


@pytest.mark.parametrize("text", ["", "2", "x", "-2x", "-50%", "1.23456x", "twice"])
def test_what_is_no_factor_is_a_usage_error(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="2x"):
        parse_factor(text)
