"""Rates on the command line: read exactly, to the basis point."""

import re

import typer

_PERCENT = re.compile(r"([+-]?)(\d{1,6})(?:\.(\d{1,2}))?%")
_BASIS_POINTS = re.compile(r"([+-]?\d{1,8})bps?")
_TIMES = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?x")


def parse_rate(text: str) -> int:
    """The basis points in "5%", "-3.5%" or "250bps"; a usage error for anything else."""
    if (match := _BASIS_POINTS.fullmatch(text)) and text.isascii():
        return int(match[1])
    if (match := _PERCENT.fullmatch(text)) and text.isascii():
        value = int(match[2]) * 100 + int((match[3] or "").ljust(2, "0"))
        return -value if match[1] == "-" else value
    raise typer.BadParameter(f"{text!r} is no rate; write it like 5%, -3.5% or 250bps")


def parse_factor(text: str) -> int:
    """The basis points in "2x", "0.5x", "150%" or "15000bps"; a usage error for anything else."""
    if (match := _TIMES.fullmatch(text)) and text.isascii():
        return int(match[1]) * 10_000 + int((match[2] or "").ljust(4, "0"))
    if text.startswith("-") or not text.endswith(("%", "bp", "bps")):
        raise typer.BadParameter(f"{text!r} is no factor; write it like 2x, 0.5x or 150%")
    return parse_rate(text)
