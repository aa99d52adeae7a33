"""What a booth may be worth, and how many visits it may count in a minute."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil

from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.units import MAX_AMOUNT_CENTS

MINUTE = timedelta(minutes=1)


def check_reward(reward_cents: int) -> int | None:
    """A booth's own reward; None for 0: the game's setting. Raises Refused INVALID_FIELD."""
    if not 0 <= reward_cents <= MAX_AMOUNT_CENTS:
        raise invalid(
            "reward_cents", f"give a number from 1 to {MAX_AMOUNT_CENTS}, or 0 for the game's setting"
        )
    return reward_cents or None


def check_pace(latest: Sequence[datetime], per_minute: int, at: datetime) -> None:
    """Whether one more visit may be counted; `latest`: when the last `per_minute` were, newest first.

    Raises Refused RATE_LIMITED; `per_minute` 0: any number.
    """
    if not per_minute or len(latest) < per_minute:
        return
    wait = latest[per_minute - 1] + MINUTE - at
    if wait > timedelta():
        after_ms = ceil(wait / timedelta(milliseconds=1))
        raise Refused(
            "RATE_LIMITED",
            f"this booth counts {per_minute} visits a minute; try again in {after_ms} ms",
            retry_after_ms=after_ms,
        )
