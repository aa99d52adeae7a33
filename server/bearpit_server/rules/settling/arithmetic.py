"""Whole numbers, divided and in words."""


def divide(dividend: int, divisor: int) -> int:
    """The quotient, rounded half to even. `divisor` must be positive."""
    quotient, rest = divmod(dividend, divisor)
    over = 2 * rest - divisor
    return quotient + (over > 0 or (over == 0 and quotient % 2 == 1))


def percent(bps: int) -> str:
    """Basis points as people read them: 725 is 7.25 %."""
    digits = f"{abs(bps) // 100:,}.{abs(bps) % 100:02}".rstrip("0").rstrip(".")
    return f"{'−' if bps < 0 else ''}{digits} %"


def signed_percent(bps: int) -> str:
    """The same with a sign, `+`, `−` or, for nothing, `±`."""
    return percent(bps) if bps < 0 else f"{'+' if bps else '±'}{percent(bps)}"


def counted(number: int, noun: str) -> str:
    """One player, two players."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
