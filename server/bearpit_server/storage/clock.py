"""The clock that everything on the server reads; tests put another in its place."""

from collections.abc import Callable
from datetime import UTC, datetime


def _system() -> datetime:
    return datetime.now(UTC)


_clock: Callable[[], datetime] = _system


def now() -> datetime:
    """The time, aware, in UTC."""
    return _clock()


def use(clock: Callable[[], datetime] | None) -> None:
    """Put another clock in place; None puts the system's back."""
    global _clock
    _clock = clock or _system
