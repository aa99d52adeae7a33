"""Amounts and their bounds: points in whole cents, shares in whole shares, rates in basis points."""

MAX_PRICE_CENTS = 10**9
"""Ten million points a share; with MAX_QUANTITY every product stays inside an int64."""
MAX_QUANTITY = 10**9
MAX_AMOUNT_CENTS = 10**15
"""The most one adjustment or transfer may move; a thousand of them still fit an int64 balance."""
BPS = 10_000
"""Basis points in the whole."""


def points(cents: int) -> str:
    """An amount for people, in points: "1,234.50"."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole:,}.{rest:02}"


def fee_on(value_cents: int, fee_bps: int) -> int:
    """The fee on an order that has traded `value_cents` in all, rounded up to a whole cent.

    It is charged on the order's running total, so that splitting one order into many fills
    costs neither side a cent more or less.
    """
    return -(-value_cents * fee_bps // BPS)
