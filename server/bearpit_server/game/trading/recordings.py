"""Histories of prices that feeds play; inside the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.game.trading.pricing import NAME
from bearpit_server.rules import recordings
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.storage import bulk
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Bar, Recording

MAX_BYTES = 3_000_000


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording, summed up; prices in cents."""

    name: str
    bars: int
    starts_at: datetime
    ends_at: datetime
    low_cents: int
    high_cents: int


def import_csv(name: str, text: str, replace: bool, origin: Origin) -> list[Recorded]:
    """Keep the histories in a CSV file, one a symbol; see pricing.proto for their names.

    One that is replaced is another recording of that name: who plays it reads it again. Raises Refused
    INVALID_FIELD, which names line and column, or ALREADY_EXISTS.
    """
    if len(text.encode()) > MAX_BYTES:
        raise invalid("csv", f"give at most {MAX_BYTES} bytes; import the symbols one by one")
    found = {_name(name, symbol): bars for symbol, bars in recordings.parse(text).items()}
    lower = {made.lower() for made in found}
    if len(lower) < len(found):
        raise invalid("csv", "two symbols differ only in upper and lower case; their names would be the same")
    earlier = Recording.select().where(pw.fn.lower(Recording.name) << list(lower)).order_by(Recording.name)
    if not replace and (taken := [row.name for row in earlier]):
        raise _taken(taken[0])
    Recording.delete().where(pw.fn.lower(Recording.name) << list(lower)).execute()
    at = now()
    for made, bars in found.items():
        row = {"name": made, "created_at": at}
        kept = next(iter(Recording.insert(row).on_conflict_ignore().returning(Recording).execute()), None)
        if kept is None:  # somebody has imported it at the same time
            raise _taken(made)
        prices = [
            (bar.open_cents, bar.high_cents, bar.low_cents, bar.close_cents, bar.volume) for bar in bars
        ]
        bulk.insert_bars(kept.id, [bar.at for bar in bars], prices)
    events = [
        Event("recording.imported", f"recording:{made}", origin, {"bars": len(bars)})
        for made, bars in found.items()
    ]
    log.append(events, at)
    return [one for one in list_all() if one.name in found]


def list_all() -> list[Recorded]:
    """All recordings, by name."""
    rows: Sequence[tuple[str, int, datetime, datetime, int, int]] = list(
        Recording.select(
            Recording.name,
            pw.fn.count(Bar.at),
            pw.fn.min(Bar.at),
            pw.fn.max(Bar.at),
            pw.fn.min(Bar.low_cents),
            pw.fn.max(Bar.high_cents),
        )
        .join(Bar, on=(Bar.recording == Recording.id))
        .group_by(Recording.id, Recording.name)
        .order_by(Recording.name)
        .tuples()
    )
    return [Recorded(*row) for row in rows]


def _name(given: str, symbol: str) -> str:
    """What a symbol's recording is called. Raises Refused INVALID_FIELD."""
    name = ".".join(part for part in (given, symbol) if part)
    if not name:
        raise invalid("name", "give a name; the file has no column of symbols")
    if not NAME.fullmatch(name):
        raise invalid("name", f"{name[:48]!r} would not be 1 to 24 of letters, digits, `_`, `-` and `.`")
    return name


def _taken(name: str) -> Refused:
    return Refused(
        "ALREADY_EXISTS",
        f"there is a recording {name} already; replace it, or choose another name",
        "name",
        name=name,
    )
