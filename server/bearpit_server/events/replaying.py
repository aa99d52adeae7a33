"""How listeners stand, and telling them again; inside the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin, Position
from bearpit_server.rules.refusals import Refused, invalid, not_found
from bearpit_server.storage.models.notices import ListenerFailure, ListenerRow

MOST_WAITING = 10_000
"""How far waiting events are counted."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A listener as its row has it. `prefixes` None: this server has no such listener."""

    name: str
    prefixes: tuple[str, ...] | None
    position: Position
    published: int
    delivered: int
    failed: int
    retried: int
    last_error: str
    retry_at: datetime | None
    waiting: int


Known = Mapping[str, tuple[str, ...]]
"""The listeners that a server has: what the types of their events begin with."""


def standings(known: Known) -> list[Standing]:
    """All listeners that there have been, by name."""
    return [_standing(row, known) for row in ListenerRow.select().order_by(ListenerRow.name)]


def replay(name: str, from_event: str, farthest: int, known: Known, origin: Origin) -> tuple[Standing, int]:
    """Send a listener back, to hear from an event on again; says how many of its events these are.

    Waits while the listener is being told a batch. Raises Refused NOT_FOUND; INVALID_FIELD for an event
    that there is not, or that it has yet to hear; RESUME_TOO_OLD if more than `farthest` events have come
    since.
    """
    row: ListenerRow | None = ListenerRow.select().where(ListenerRow.name == name).for_update().first()
    if row is None or name not in known:
        raise not_found("listener", name[:40])
    before = _before(from_event, farthest)
    heard = Position(row.xid, row.id)
    if before > heard:
        raise invalid(
            "from_event", f"{name} has heard up to {heard} and will hear what comes after it anyway"
        )
    again = log.ahead(before, heard, farthest, *known[name])
    count = again.count - again.unseen
    row.xid, row.id = row.seen_xid, row.seen_id = before.xid, before.id
    # What has been put before it and not been taken in is put before it anew.
    row.published = row.delivered + row.failed
    row.attempts, row.careful, row.retry_at = 0, False, None
    row.save()
    log.append(
        [Event("listener.replayed", f"listener:{name}", origin, {"after": str(before), "events": count})]
    )
    return _standing(row, known), count


def failures(listener: str, before_id: int | None, limit: int) -> Sequence[ListenerFailure]:
    """Events that were passed over, of one listener or of all (""), newest first, those before an id."""
    rows = ListenerFailure.select().order_by(ListenerFailure.id.desc()).limit(limit)
    if listener:
        rows = rows.where(ListenerFailure.listener == listener)
    if before_id is not None:
        rows = rows.where(ListenerFailure.id < before_id)
    return list(rows)


def _before(from_event: str, farthest: int) -> Position:
    """The place right before an event. Raises Refused INVALID_FIELD or RESUME_TOO_OLD."""
    latest = log.latest_positions(farthest)
    if "-" in from_event:
        first = Position.parse(from_event, "from_event")
        wanted = Position(first.xid, first.id - 1)
    elif from_event.isascii() and from_event.isdigit() and len(from_event) < 20:
        wanted = _numbered(int(from_event), latest, farthest)
    else:
        raise invalid("from_event", "give an event's position, or its number, the part behind the dash")
    if len(latest) == farthest and Position(wanted.xid, wanted.id + 1) < latest[-1]:
        raise _too_old(from_event, farthest)
    return wanted


def _numbered(number: int, latest: Sequence[Position], farthest: int) -> Position:
    """The place right before the event of a number; 0: the log's beginning."""
    if not number:
        return Position()
    for position in latest:
        if position.id == number:
            return Position(position.xid, number - 1)
    if len(latest) == farthest and number < latest[0].id:
        raise _too_old(str(number), farthest)
    raise invalid("from_event", f"there is no event {number}; `events` lists them")


def _too_old(from_event: str, farthest: int) -> Refused:
    return Refused(
        "RESUME_TOO_OLD",
        f"more than {farthest} events have come since {from_event}; begin later, or "
        "raise listener_replay_events",
        "from_event",
        farthest=farthest,
    )


def _standing(row: ListenerRow, known: Known) -> Standing:
    prefixes = known.get(row.name)
    place, waiting = Position(row.xid, row.id), 0
    if prefixes is not None:
        waiting = log.ahead(place, place, MOST_WAITING, *prefixes).count
    return Standing(
        row.name, prefixes, place, row.published, row.delivered, row.failed, row.retried, row.last_error,
        row.retry_at, waiting,
    )  # fmt: skip
