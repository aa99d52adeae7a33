"""Announcements: how loud, for whom, what may stand in one, and where it is in its life."""

from datetime import datetime, timedelta
from enum import IntEnum

from bearpit_server.rules.refusals import invalid

MAX_TITLE = 140
MAX_BODY = 8_000
MAX_LINES = 200
LONGEST = timedelta(days=366)
"""How far ahead one may be planned, and how long it may stand."""
_ALLOWED = frozenset("\n\t\u00a0\u200d")
"""What Markdown needs beside what is printable: breaks, tabs, and what joins words and emoji."""


class Priority(IntEnum):
    """How loud one is; the numbers are the contract's."""

    INFO = 1
    IMPORTANT = 2
    URGENT = 3


class Audience(IntEnum):
    """Whom one is for; the numbers are the contract's."""

    ALL = 1
    TEAM = 2
    ROLE = 3


class State(IntEnum):
    """Where one is in its life; the numbers are the contract's."""

    SCHEDULED = 1
    STANDING = 2
    EXPIRED = 3
    WITHDRAWN = 4


def state_at(
    at: datetime, public_at: datetime | None, expires_at: datetime | None, withdrawn_at: datetime | None
) -> State:
    """Where one is at a moment."""
    if withdrawn_at is not None:
        return State.WITHDRAWN
    if expires_at is not None and expires_at <= at:
        return State.EXPIRED
    return State.SCHEDULED if public_at is None else State.STANDING


def check_body(text: str) -> str:
    """The text, if it is Markdown that may be shown. Raises Refused INVALID_FIELD.

    Control characters, and marks that turn the direction of what follows, are kept out: terminals obey.
    """
    if len(text) > MAX_BODY:
        raise invalid("body", f"give at most {MAX_BODY} characters; this has {len(text)}")
    if text.count("\n") >= MAX_LINES:
        raise invalid("body", f"give at most {MAX_LINES} lines")
    if not all(character.isprintable() or character in _ALLOWED for character in text):
        raise invalid("body", "give printable characters, line breaks and tabs only")
    return text


def times(
    now: datetime, starts_at: datetime | None, lifetime_seconds: int | None, expires_at: datetime | None
) -> tuple[datetime, datetime | None]:
    """When it comes out and when it ends; None: with the next one. Raises Refused INVALID_FIELD."""
    start = now if starts_at is None else starts_at
    if not timedelta() <= start - now <= LONGEST:
        raise invalid("starts_at", "give a time to come, within a year, or none for now")
    if lifetime_seconds is not None:
        if not 1 <= lifetime_seconds <= LONGEST.total_seconds():
            raise invalid(
                "lifetime_seconds",
                f"give a number from 1 to {int(LONGEST.total_seconds())}, or leave it out: it then stands "
                "until the next one",
            )
        return start, start + timedelta(seconds=lifetime_seconds)
    if expires_at is not None and not timedelta() < expires_at - start <= LONGEST:
        raise invalid("expires_at", "give a time after it comes out, within a year of that")
    return start, expires_at
