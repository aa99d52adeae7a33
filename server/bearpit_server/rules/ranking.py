"""Ranks, and what they are by: net worth, return since joining, drawdown. Whole numbers throughout.

The refresh carries these rules out in SQL, for all players at once; the functions here say what they are,
and the tests hold the SQL to them.

The return is that of a fund (time-weighted; "unit price", as in the Global Investment Performance
Standards): every player has a level, which begins at one and rises by what was gained since the last
edition, over what there was to gain it with. What comes in from outside or is given away (grants, gifts,
codes, prizes, shares that are given) is no gain and no loss, so a transfer changes neither side's return:
who is given much has more to gain with, but must gain more for the same return. A quotient of gain and all
that ever came in would not do: friends who pool their cash in one account would multiply its return.

What was there to gain with is never counted as less than `floor_cents`: on next to nothing a return of
any size could be made by one trade with a friend.
"""

from collections.abc import Sequence
from enum import IntEnum

from bearpit_server.rules.units import BPS

ONE = 10**9
"""A level of one: where everybody begins. So fine that rounding down every half a minute stays small."""
LOWEST, HIGHEST = ONE // 1_000, ONE * 100_000
"""Who has lost everything can begin again, from a thousandth; a hundred-thousandfold is the end."""
PAGE = 100
"""Players on a stored page of a board."""
LEADERS = 10
"""Those whose changes are told to everybody."""


class Board(IntEnum):
    """What players are ranked by. The numbers are those of the protos."""

    NET_WORTH = 1
    RETURN = 2
    REALISED = 3
    DRAWDOWN = 4
    DAY = 5
    WINDOW = 6


IN_BPS = frozenset({Board.RETURN, Board.DRAWDOWN})
"""The boards whose values are basis points; the others' are cents."""


class PeriodKind(IntEnum):
    """Why final ranks are kept."""

    CHANGE = 1  # for the change of rank; only the latest
    DAY = 2
    WINDOW = 3


def competition_ranks(keys: Sequence[int], first_position: int, first_rank: int) -> list[int]:
    """The ranks of a part of a board, whose first line stands at `first_position` with `first_rank`.

    Standard competition ranking: 1, 2, 2, 4. Keys fall, or stay the same, from line to line.
    """
    ranks: list[int] = []
    for at, key in enumerate(keys):
        if at == 0:
            ranks.append(first_rank)
        else:
            assert key <= keys[at - 1], "a board is in order"
            ranks.append(ranks[-1] if key == keys[at - 1] else first_position + at)
    return ranks


def next_level(level: int, before_cents: int, now_cents: int, received_cents: int, floor_cents: int) -> int:
    """A level after net worth went from `before_cents` to `now_cents`, `received_cents` of it from outside.

    What came in could be used to gain with; what was given away could be, until it was.
    """
    gained = now_cents - before_cents - received_cents
    capital = max(before_cents + max(received_cents, 0), floor_cents)
    return min(max(level + _towards_zero(level * gained, capital), LOWEST), HIGHEST)


def return_bps(level: int) -> int:
    """The return that a level stands for, rounded down; -10,000 is all."""
    return (level - ONE) * BPS // ONE


def drawdown_bps(level: int, peak: int) -> int:
    """How far a level is below its peak, rounded down."""
    return (peak - level) * BPS // peak


def value(board: Board, key: int) -> int:
    """What a board shows for what it sorts by: cents or basis points."""
    if board is Board.RETURN:
        return return_bps(key)
    return -key if board is Board.DRAWDOWN else key


def _towards_zero(amount: int, divisor: int) -> int:
    """As PostgreSQL divides: a loss is not rounded up, so that a gain and the same loss are as large."""
    return amount // divisor if amount >= 0 else -(-amount // divisor)
