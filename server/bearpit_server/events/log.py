"""Writing events, and reading them in an order in which none is ever skipped."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import peewee as pw

from bearpit_server.rules.record import record
from bearpit_server.rules.refusals import invalid
from bearpit_server.storage import bulk
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Event as EventRow
from bearpit_server.storage.models import database

Payload = Mapping[str, object]


@record
class Origin:
    """Who asks, from where, with which request. The house itself is actor 0."""

    actor_id: int
    address: str = ""
    request_id: str = ""


HOUSE_ORIGIN = Origin(0)


@dataclass(slots=True)
class Event:
    """One state change to be written.

    `type` such as "order.accepted"; `subject` what it concerns, such as "order:17". Changes of a
    player's orders carry that player and the number in its stream.
    """

    type: str
    subject: str
    origin: Origin
    payload: Payload | str = field(default_factory=dict)
    """What changed; a text is JSON already."""
    owner_id: int | None = None
    owner_sequence: int | None = None


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the log. Events are ordered by their transaction, then by their id.

    Ids alone would not do: a transaction that took a lower id may commit after one that took a higher.
    """

    xid: int = 0
    id: int = 0

    def __str__(self) -> str:
        return f"{self.xid}-{self.id}"

    @classmethod
    def parse(cls, text: str, field: str = "after") -> "Position":
        """The place that `text` names; empty: the beginning. Raises Refused INVALID_FIELD."""
        if not text:
            return cls()
        xid, _, id_ = text.partition("-")
        if not (xid.isascii() and xid.isdigit() and id_.isascii() and id_.isdigit()) or len(text) > 40:
            raise invalid(field, "give a position as an event carries it")
        position = cls(int(xid), int(id_))
        if max(position.xid, position.id) >= 2**63:
            raise invalid(field, "give a position as an event carries it")
        return position


@dataclass(frozen=True, slots=True)
class Logged:
    """An event as it stands in the log."""

    position: Position
    type: str
    subject: str
    actor_id: int
    owner_id: int | None
    owner_sequence: int | None
    address: str
    request_id: str
    payload: dict[str, object]
    created_at: datetime


_encode = json.JSONEncoder(separators=(",", ":")).encode


def append(events: Iterable[Event], at: datetime | None = None) -> None:
    """Write events; inside the transaction of the change they tell of."""
    with bulk.written() as writes:
        add(writes, list(events), at or now())


def add(writes: bulk.Writes, rows: Sequence[Event], at: datetime) -> None:
    """Let events be written with the rest of a transaction."""
    if rows:
        bulk.insert_events(
            writes,
            [event.type for event in rows],
            [event.subject for event in rows],
            [event.origin.actor_id for event in rows],
            [event.owner_id for event in rows],
            [event.owner_sequence for event in rows],
            [event.origin.address for event in rows],
            [event.origin.request_id for event in rows],
            [event.payload if isinstance(event.payload, str) else _encode(event.payload) for event in rows],
            at,
        )


_COLUMNS = (
    EventRow.xid, EventRow.id, EventRow.type, EventRow.subject, EventRow.actor_id, EventRow.owner_id,
    EventRow.owner_sequence, EventRow.address, EventRow.request_id, EventRow.payload, EventRow.created_at,
)  # fmt: skip


def _logged(rows: Iterable[tuple[Any, ...]]) -> list[Logged]:
    return [Logged(Position(row[0], row[1]), *row[2:]) for row in rows]


def read(after: Position, limit: int, *type_prefixes: str) -> tuple[list[Logged], Position]:
    """The next events after a place, and the place up to which the log has been read.

    With prefixes only the events whose type begins with one of them. Events of transactions that may
    have older ones still running are left for the next call: what is behind the returned place never
    changes.
    """
    settled = bulk.oldest_running_transaction()
    found = _logged(_ahead(_COLUMNS, after, settled, limit, type_prefixes).tuples())
    last = found[-1].position if found else after
    return found, _read_up_to(len(found), last, after, settled, limit)


@dataclass(frozen=True, slots=True)
class Ahead:
    """What comes next in the log, counted."""

    count: int
    unseen: int
    """Of those, how many stand behind another place."""
    last: Position
    """Where the last of them stands."""
    until: Position
    """The place up to which the log has been read."""


def ahead(after: Position, seen: Position, limit: int, *type_prefixes: str) -> Ahead:
    """As `read`, for who wants to know only how much there is: it is counted where it stands."""
    settled = bulk.oldest_running_transaction()
    found = _ahead((EventRow.xid, EventRow.id), after, settled, limit, type_prefixes).alias("found")
    unseen = pw.SQL("count(*) FILTER (WHERE (xid, id) > (%s, %s))", (seen.xid, seen.id))
    last = pw.SQL("(array_agg(xid ORDER BY xid DESC))[1], (array_agg(id ORDER BY xid DESC, id DESC))[1]")
    [(count, unseen_count, xid, id_)] = (
        pw.Select((found,), (pw.fn.count(pw.SQL("*")), unseen, last)).tuples().execute(database)
    )
    at = Position(xid, id_) if count else after
    return Ahead(count, unseen_count, at, _read_up_to(count, at, after, settled, limit))


def latest_positions(limit: int) -> list[Position]:
    """Where the latest events that are settled stand, newest first."""
    rows = (
        EventRow.select(EventRow.xid, EventRow.id)
        .where(EventRow.xid < bulk.oldest_running_transaction())
        .order_by(EventRow.xid.desc(), EventRow.id.desc())
        .limit(limit)
    )
    return [Position(*row) for row in rows.tuples()]


def _ahead(
    columns: Iterable[pw.Field], after: Position, settled: int, limit: int, type_prefixes: Iterable[str]
) -> pw.ModelSelect:
    query = (
        EventRow.select(*columns)
        .where(bulk.after_position(after.xid, after.id), EventRow.xid < settled)
        .order_by(EventRow.xid, EventRow.id)
        .limit(limit)
    )
    if type_prefixes:
        query = query.where(_of_types(type_prefixes))
    return query


def _read_up_to(count: int, last: Position, after: Position, settled: int, limit: int) -> Position:
    if count == limit:
        return last
    # Not the transaction that is settled: one that a crash undid may give its number to another.
    return max(after, _last(EventRow.xid < settled))


def type_at(position: Position) -> str:
    """The type of the event that stands there."""
    row: EventRow = EventRow.get(EventRow.xid == position.xid, EventRow.id == position.id)
    return str(row.type)


def end() -> Position:
    """The place behind all events that are settled now."""
    return _last(EventRow.xid < bulk.oldest_running_transaction())


def _last(*where: pw.Expression) -> Position:
    row = (
        EventRow.select(EventRow.xid, EventRow.id)
        .where(*where)
        .order_by(EventRow.xid.desc(), EventRow.id.desc())
        .limit(1)
        .tuples()
        .first()
    )
    return Position(*row) if row else Position()


def _of_types(prefixes: Iterable[str]) -> pw.SQL:
    return pw.SQL("type ^@ ANY(%s)", ([*prefixes],))  # begins with


def newest(limit: int, type_prefix: str = "") -> list[Logged]:
    """The latest events, newest first; for people who look, not for those who must miss nothing."""
    query = EventRow.select(*_COLUMNS).order_by(EventRow.xid.desc(), EventRow.id.desc()).limit(limit)
    if type_prefix:
        query = query.where(_of_types([type_prefix]))
    return _logged(query.tuples())


def of_owner(owner_id: int, after_sequence: int, limit: int) -> Sequence[Logged]:
    """A player's own order events after a number, in order."""
    return _logged(
        EventRow.select(*_COLUMNS)
        .where(EventRow.owner_id == owner_id, EventRow.owner_sequence > after_sequence)
        .order_by(EventRow.owner_sequence)
        .limit(limit)
        .tuples()
    )
