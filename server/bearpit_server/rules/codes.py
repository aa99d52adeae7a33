"""The text of codes, and whose discount counts: what can be said of a code without asking anybody.

A code is 12 symbols of Crockford's base 32 (https://www.crockford.com/base32.html) and a 13th that checks
them: 60 bits that nobody guesses, and no two symbols that look alike. The check is of GF(32), where, unlike
with a sum, every single wrong symbol and every swap of two is found, and the check is a symbol like others.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from bearpit_server.rules.refusals import Refused

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SYMBOLS = 12
"""Without the check."""
NUMBERS = len(ALPHABET) ** SYMBOLS
"""So many codes can be."""
LINK = "bearpit://redeem/"
MAX_INPUT = 200
"""Characters that are looked at; nothing longer is a code or a link with one."""
LONGEST_DISCOUNT = timedelta(days=3_660)
"""How far ahead coupons that are put together may reach."""

_READ = {symbol: value for value, symbol in enumerate(ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_VALUES = _READ | {symbol.lower(): value for symbol, value in _READ.items()}
_BETWEEN = re.compile(r"[\s\-\u2010-\u2015\u2212_.]+")
"""What people, and the programs they paste from, put between groups."""
_GROUPS = (4, 8)
_FIELD = 0b100101
"""x⁵ + x² + 1, primitive over GF(2): x generates all 31 that are not 0."""


class Kind(IntEnum):
    """What a code brings."""

    POINTS = 1
    FEE_COUPON = 2
    SHARES = 3


class Use(IntEnum):
    """How often a code can be redeemed; by one player never more than once."""

    SINGLE = 1
    LIMITED = 2
    PER_PLAYER = 3


@dataclass(frozen=True, slots=True)
class Discount:
    """A part of the trading fees that is not charged, until a time."""

    off_bps: int
    until: datetime


def text_of(number: int) -> str:
    """The code of a number from 0 to NUMBERS - 1: 13 symbols, without hyphens."""
    assert 0 <= number < NUMBERS, "a code has 60 bits"
    values = [number >> 5 * place & 31 for place in reversed(range(SYMBOLS))]
    return "".join(ALPHABET[value] for value in (*values, _check(values)))


def grouped(text: str) -> str:
    """A code as it is printed: ABCD-EFGH-JKMNP."""
    first, second = _GROUPS
    return f"{text[:first]}-{text[first:second]}-{text[second:]}"


def link_to(text: str) -> str:
    """A link that brings a code along."""
    return LINK + grouped(text)


def normalise(text: str, field: str = "code") -> str:
    """The 13 symbols in what somebody typed or pasted: a code in any case and spacing, or a link with one.

    Raises Refused CODE_MISTYPED when it can be no code.
    """
    bare = text[: MAX_INPUT + 1].strip()
    if bare.lower().startswith(LINK):
        bare = bare[len(LINK) :].rstrip("/")
    symbols = _BETWEEN.sub("", bare)
    values = [_VALUES.get(symbol, -1) for symbol in symbols]
    if -1 in values:
        wrong = symbols[values.index(-1)]
        shown = f"{wrong!r} is not" if wrong.isprintable() else "something is there that is not"
        raise _mistyped(field, f"{shown} in any code; look again")
    if len(values) != SYMBOLS + 1:
        raise _mistyped(field, f"a code has {SYMBOLS + 1} characters, this has {len(values)}; look again")
    if _check(values[:SYMBOLS]) != values[SYMBOLS]:
        raise _mistyped(
            field, "a character is wrong, or two have changed places; compare it with what is printed"
        )
    return "".join(ALPHABET[value] for value in values)


def discounted(running: Discount | None, off_bps: int, lifetime_seconds: int, at: datetime) -> Discount:
    """What holds after a coupon is redeemed, when `running` did before: the better of the two counts.

    A better one takes the place of what is left of the other, and one as good adds its time. Raises
    Refused NOT_POSSIBLE_NOW for a worse one, so that it stays good until the other has run out.
    """
    span = timedelta(seconds=lifetime_seconds)
    if running is None or running.until <= at or running.off_bps < off_bps:
        return Discount(off_bps, at + span)
    if running.off_bps > off_bps:
        raise Refused(
            "NOT_POSSIBLE_NOW",
            f"your discount of {_percent(running.off_bps)} is better than {_percent(off_bps)}; "
            f"redeem this code when that has run out, at {running.until:%Y-%m-%d %H:%M} UTC",
            "code",
            state="discounted",
            off_bps=running.off_bps,
            until=running.until.isoformat(),
        )
    if running.until + span > at + LONGEST_DISCOUNT:
        raise Refused(
            "NOT_POSSIBLE_NOW",
            "your discount runs for ten years as it is; redeem this code later",
            "code",
            state="discounted",
            off_bps=running.off_bps,
            until=running.until.isoformat(),
        )
    return Discount(off_bps, running.until + span)


def unknown(field: str) -> Refused:
    """The refusal of a code that there is not."""
    return Refused("CODE_UNKNOWN", f"{field}: there is no such code; compare it with what is printed", field)


def _percent(bps: int) -> str:
    whole, rest = divmod(bps, 100)
    return f"{whole}.{rest:02d} %" if rest else f"{whole} %"


def _check(values: list[int]) -> int:
    """The symbol that makes the sum of all, each times another power of x, zero."""
    total = 0
    for value in values:
        total = (total ^ value) << 1
        if total & 32:
            total ^= _FIELD
    return total


def _mistyped(field: str, message: str) -> Refused:
    return Refused("CODE_MISTYPED", f"{field}: {message}", field)
