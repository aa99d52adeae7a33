"""Points on the command line: read exactly, to the cent, and written so."""

import re

import typer

_POINTS = re.compile(r"([+-]?)(\d{1,17})(?:\.(\d{1,2}))?")


class Points(int):
    """Cents that are shown as points: 1240 is "12.40"."""

    def __str__(self) -> str:
        whole, cents = divmod(abs(self), 100)
        return f"{'-' if self < 0 else ''}{whole}.{cents:02d}"


def parse_price(text: str) -> int:
    """The cents of a price, which is more than nothing; a usage error for anything else."""
    if (cents := parse_points(text)) <= 0:
        raise typer.BadParameter(f"{text} is no price; it has to be more than 0")
    return cents


def parse_points(text: str) -> int:
    """The cents in "12.40", "12.4", "12" or "-0.05"; a usage error for anything else."""
    match = _POINTS.fullmatch(text)
    if not match or not text.isascii():
        raise typer.BadParameter(f"{text!r} is no amount of points; write it like 12.40")
    sign, whole, cents = match.groups()
    value = int(whole) * 100 + int((cents or "").ljust(2, "0"))
    return -value if sign == "-" else value
