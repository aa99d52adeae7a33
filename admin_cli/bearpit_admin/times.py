"""Spans and moments on the command line: read as people write them, sent as the contract has them."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from google.protobuf.timestamp_pb2 import Timestamp

_PART = re.compile(r"(\d{1,6})([smhd])")
_SPAN = re.compile(r"(?:\d{1,6}[smhd])+")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def parse_span(text: str) -> int:
    """The seconds in "90s", "45m", "1h30m" or "1d"; a usage error for anything else."""
    if not _SPAN.fullmatch(text) or not text.isascii():
        raise typer.BadParameter(f"{text!r} is no span of time; write it like 90s, 45m, 2h or 1d")
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def write_span(seconds: int) -> str:
    """So many seconds as `parse_span` reads them: "1h30m"."""
    parts = []
    for unit, size in reversed(_SECONDS.items()):
        count, seconds = divmod(seconds, size)
        parts += [f"{count}{unit}"] * (count > 0)
    return "".join(parts) or "0s"


def parse_moment(text: str, zone: str = "", now: datetime | None = None) -> datetime:
    """The moment in "+5m", "-2h", "now" or "2026-11-21T18:00"; a usage error for anything else.

    One without an offset is meant in `zone`, or where this machine is.
    """
    now = now or datetime.now(UTC)
    if text == "now":
        return now
    if text[:1] in ("+", "-") and _SPAN.fullmatch(text[1:]):
        span = timedelta(seconds=parse_span(text[1:]))
        return now - span if text[0] == "-" else now + span
    try:
        read = datetime.fromisoformat(text)
        if read.tzinfo is None and zone:
            read = read.replace(tzinfo=parse_zone(zone))
        return read.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no moment; write it like 2026-11-21T18:00, +5m or -2h"
        ) from None


def parse_zone(name: str) -> "ZoneInfo":
    """The IANA zone of that name; a usage error if there is none."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a folder of zones, a path, no such zone
        raise typer.BadParameter(f"{name!r} is no time zone; write it like Europe/Vienna") from None


def timestamp(at: datetime) -> "Timestamp":
    """The moment as a message."""
    from google.protobuf.timestamp_pb2 import Timestamp

    made = Timestamp()
    made.FromDatetime(at)
    return made
