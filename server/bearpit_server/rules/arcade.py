"""How much may pass through an arcade machine: for a play, for a player's day, for the machine's day."""

from collections.abc import Callable, Container
from dataclasses import fields
from enum import IntEnum

from bearpit_server.rules.record import record
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.units import MAX_AMOUNT_CENTS, points

MAX_TRANSACTION_ID = 64
MAX_DAYS = 366
DAYS = 7
"""Of a statement, unless told otherwise."""


class Kind(IntEnum):
    """Which way points go; the contract has the same numbers."""

    TAKE = 1
    GIVE = 2


@record
class Limits:
    """All limits of a machine as they hold, in cents; 0: nothing may pass."""

    play_take_cents: int
    play_give_cents: int
    player_day_take_cents: int
    player_day_give_cents: int
    day_take_cents: int
    day_give_cents: int


LIMITS = tuple(made.name for made in fields(Limits))
"""The limits' names; the settings that hold where a machine has none of its own have arcade_ in front."""


@record
class Used:
    """What has passed one way on a day, in cents, this one not counted."""

    by_player: int
    by_all: int


def limits_of(own: Callable[[str], int | None], setting: Callable[[str], int]) -> Limits:
    """The limits that hold: a machine's own where it has one, else the game's."""
    found = {name: own(name) for name in LIMITS}
    return Limits(
        **{name: setting(f"arcade_{name}") if value is None else value for name, value in found.items()}
    )


def check(kind: Kind, amount_cents: int, limits: Limits, used: Used) -> None:
    """Whether so much may pass. Raises Refused LIMIT_EXCEEDED, with what is allowed and used."""
    taking = kind is Kind.TAKE
    way = "take" if taking else "give"
    for name, allowed, so_far, whose in (
        (f"play_{way}_cents", limits.play_take_cents if taking else limits.play_give_cents, 0, "one play"),
        (
            f"player_day_{way}_cents",
            limits.player_day_take_cents if taking else limits.player_day_give_cents,
            used.by_player,
            "a player's day",
        ),
        (
            f"day_{way}_cents",
            limits.day_take_cents if taking else limits.day_give_cents,
            used.by_all,
            "the machine's day",
        ),
    ):
        if so_far + amount_cents > allowed:
            left = max(0, allowed - so_far)
            raise Refused(
                "LIMIT_EXCEEDED",
                f"of {whose} {points(left)} points are left on this machine; {way} that or less, or ask an "
                f"operator to raise {name}",
                "amount_cents",
                limit=name,
                allowed=allowed,
                used=so_far,
            )


def check_transaction(transaction_id: str, amount_cents: int) -> None:
    """Raises Refused INVALID_FIELD for an id or an amount that cannot be."""
    if not 1 <= len(transaction_id) <= MAX_TRANSACTION_ID or not transaction_id.isprintable():
        raise invalid(
            "transaction_id", f"give 1 to {MAX_TRANSACTION_ID} printable characters, new for each play"
        )
    if not 1 <= amount_cents <= MAX_AMOUNT_CENTS:
        raise invalid("amount_cents", f"give a number from 1 to {MAX_AMOUNT_CENTS}")


def check_limit(name: str, value: int) -> int:
    """A limit that may be set. Raises Refused INVALID_FIELD."""
    if not 0 <= value <= MAX_AMOUNT_CENTS:
        raise invalid(f"limits.{name}", f"give a number from 0 to {MAX_AMOUNT_CENTS}")
    return value


def check_cleared(name: str, limits: Container[str]) -> str:
    """The name of a limit that shall be the game's again. Raises Refused INVALID_FIELD."""
    if name not in LIMITS:
        raise invalid("clear_limits", f"give some of {', '.join(LIMITS)}")
    if name in limits:
        raise invalid("clear_limits", f"{name} is set by limits as well; do one of the two")
    return name
