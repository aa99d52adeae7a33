"""Times as people say them: how long yet, how long ago."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

SOON = timedelta(minutes=10)
"""Up to here the time that is left is counted down; beyond it, the clock is named."""


def countdown(left: timedelta) -> str:
    """What is left as `1:32` or `2:05:10`; nothing is `0:00`."""
    seconds = max(int(left.total_seconds()), 0)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def when(at: datetime, now: datetime, zone: tzinfo, soon: timedelta = SOON) -> str:
    """A time to come as `in 1:32`, `17:00` or `Sun 17:00`, the nearer the more exact."""
    left = at - now
    if timedelta(0) <= left < soon:
        return f"in {countdown(left)}"
    return f"{at.astimezone(zone):%H:%M}" if left < timedelta(hours=20) else f"{at.astimezone(zone):%a %H:%M}"


def ago(past: timedelta) -> str:
    """How long ago: `0.4 s`, `12 s`, `3 min`, `2 h`."""
    seconds = max(past.total_seconds(), 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds) // size} {unit}"
    return f"{int(seconds)} s"
