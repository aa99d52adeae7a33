"""What players are told of what happens, and their inboxes; inside the caller's transaction.

`WORDS` says of each type of event whom it tells what. Fills, and what concerns everybody or all who hold
something, are written by `storage.notices`.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import Event, Logged, Origin
from bearpit_server.events.records import InboxRecord, NotificationChange
from bearpit_server.game.notices import wording
from bearpit_server.rules import notices
from bearpit_server.rules.notices import Kind, Notice, Preference, Priority, Unread
from bearpit_server.rules.refusals import invalid
from bearpit_server.storage import bulk, clock
from bearpit_server.storage import notices as written
from bearpit_server.storage.models import Player
from bearpit_server.storage.models.announcements import Announcement
from bearpit_server.storage.models.notices import Inbox, NotificationRow, SpreadEvent
from bearpit_server.storage.notices import Place, Told

LATEST = 20
"""How many a stream's snapshot has."""
MAX_BODY = 2_000
"""Characters of an announcement that go into a notification."""
YOUNGEST_MINUTES = 10
"""What is younger is not dropped, however many there are: events that were told late would be told again."""


def changes(told: Iterable[Told]) -> list[NotificationChange]:
    """What the bus is told of notifications that were written."""
    return [NotificationChange(*row) for row in told]


def tell(
    notes: Iterable[Notice], event_key: str, at: datetime, watched: Iterable[int]
) -> list[NotificationChange]:
    """Write what an event tells players, each once however often it is called with that key."""
    by_player = {note.player_id: note for note in notes}
    rows = [
        (
            note.player_id, int(note.kind), int(note.priority), note.title, note.body, note.reference,
            json.dumps(note.data),
        )
        for note in by_player.values()
    ]  # fmt: skip
    return changes(written.write(rows, event_key, at, watched))


def tell_words(event: Logged, names: wording.Names, watched: Iterable[int]) -> list[NotificationChange]:
    """Write what `wording` finds for an event."""
    return tell(wording.WORDS[event.type](event, names), str(event.position), event.created_at, watched)


def tell_announcement(event: Logged, watched: Iterable[int]) -> list[NotificationChange]:
    """Tell those whom an announcement is for, unless it was taken back since."""
    announcement: Announcement | None = Announcement.get_or_none(
        Announcement.id == wording.number(event, "announcement_id"), Announcement.withdrawn_at.is_null()
    )
    if announcement is None:
        return []
    told = written.write_to_all(
        int(Kind.ANNOUNCEMENT), announcement.priority, announcement.title, announcement.body[:MAX_BODY],
        event.subject, json.dumps({"announcement_id": announcement.id}), str(event.position),
        event.created_at, watched, announcement.team_id, announcement.role,
    )  # fmt: skip
    return changes(told)


def tell_window(event: Logged, watched: Iterable[int]) -> list[NotificationChange]:
    """Tell everybody that a window takes orders, and who holds what it has settled what that did."""
    window_id = int(event.subject.partition(":")[2])
    title, key = wording.text(event, "title"), str(event.position)
    if event.type == "window.settled":
        return changes(written.write_settled(window_id, title, key, event.created_at, watched))
    told = written.write_to_all(
        int(Kind.WINDOW), int(Priority.NORMAL), f"{title} is open for trading", "", event.subject,
        json.dumps({"window_id": window_id}), key, event.created_at, watched,
    )  # fmt: skip
    return changes(told)


def tell_reversed(event: Logged, watched: Iterable[int]) -> list[NotificationChange]:
    """Tell whose trades a rollback has reversed."""
    rollback_id = int(event.subject.partition(":")[2])
    reason, key = wording.text(event, "reason"), str(event.position)
    return changes(written.write_reversed(rollback_id, reason, key, event.created_at, watched))


SPREAD: dict[str, Callable[[Logged, Iterable[int]], list[NotificationChange]]] = {
    "announcement.made": tell_announcement,
    "window.trading": tell_window,
    "window.settled": tell_window,
    "rollback.done": tell_reversed,
}
"""By the event's type: what concerns many at once."""


def tell_all(events: Sequence[Logged], watched: Iterable[int]) -> list[NotificationChange]:
    """Write what events tell players; such as tell nobody anything are passed over."""
    names = _names(events)
    told: list[NotificationChange] = []
    for event in events:
        if event.type in SPREAD:
            told += SPREAD[event.type](event, watched) if _is_new(event) else []
        elif event.type in wording.WORDS:
            told += tell_words(event, names, watched)
    return told


def _is_new(event: Logged) -> bool:
    """Whether nobody has been told of an event that concerns many; from now on they have."""
    made = (
        SpreadEvent.insert(event_key=str(event.position), told_at=clock.now())
        .on_conflict_ignore()
        .returning(SpreadEvent.event_key)
        .execute()
    )
    return bool(list(made))


def _names(events: Sequence[Logged]) -> wording.Names:
    ids = sorted({id_ for event in events for id_ in wording.players_of(event)})
    rows = Player.select(Player.id, Player.name).where(Player.id << ids).tuples()
    return defaultdict(lambda: "somebody", rows)


def of_fills(after: Place, until: Place, watched: Iterable[int]) -> list[NotificationChange]:
    """Write what the fills in a part of the log tell players."""
    return changes(written.write_fills(after, until, watched))


def _of(player_id: int) -> Inbox:
    found: Inbox | None = Inbox.get_or_none(Inbox.player_id == player_id)
    return found or Inbox(player_id=player_id, last_sequence=0, read_sequence=0, preferences={}, kept_from=1)


def _locked(player_id: int) -> Inbox:
    Inbox.insert(player_id=player_id).on_conflict_ignore().execute()
    row: Inbox = Inbox.select().where(Inbox.player_id == player_id).for_update().get()
    return row


def unread(player_id: int) -> Unread:
    """How much a player has not read."""
    inbox = _of(player_id)
    rows = (
        NotificationRow.select(NotificationRow.kind, pw.fn.count(NotificationRow.sequence))
        .where(NotificationRow.player_id == player_id, NotificationRow.sequence > inbox.read_sequence)
        .group_by(NotificationRow.kind)
        .order_by(NotificationRow.kind)
        .tuples()
    )
    by_kind = {Kind(kind): int(count) for kind, count in rows}
    return Unread(sum(by_kind.values()), by_kind, inbox.last_sequence, inbox.read_sequence)


def page(
    player_id: int, before: int | None, limit: int, unread_only: bool = False, kind: Kind | None = None
) -> tuple[list[NotificationChange], int]:
    """A player's notifications, newest first, those before a number; and up to which number all is read."""
    inbox = _of(player_id)
    rows = _rows(player_id).order_by(NotificationRow.sequence.desc()).limit(limit)
    if before is not None:
        rows = rows.where(NotificationRow.sequence < before)
    if unread_only:
        rows = rows.where(NotificationRow.sequence > inbox.read_sequence)
    if kind is not None:
        rows = rows.where(NotificationRow.kind == int(kind))
    return _records(rows), inbox.read_sequence


def after(player_id: int, sequence: int, limit: int) -> list[NotificationChange]:
    """A player's notifications after a number, in order; those that have been dropped are missing."""
    rows = _rows(player_id).where(NotificationRow.sequence > sequence)
    return _records(rows.order_by(NotificationRow.sequence).limit(limit))


def whole(player_id: int) -> InboxRecord:
    """An inbox as a stream begins; both as of one moment, so that the next number follows."""
    bulk.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    latest, _ = page(player_id, None, LATEST, unread_only=True)
    return InboxRecord(unread(player_id), tuple(latest))


def mark_read(player_id: int, up_to: int) -> Unread:
    """Mark all up to a number as read. Raises Refused INVALID_FIELD."""
    if up_to < 0:
        raise invalid("up_to_sequence", "give the number of a notification")
    inbox = _locked(player_id)
    inbox.read_sequence = max(inbox.read_sequence, min(up_to, inbox.last_sequence))
    inbox.save(only=[Inbox.read_sequence])
    return unread(player_id)


def preferences(player_id: int) -> dict[Kind, Preference]:
    """Where a player wants to be told of what."""
    return notices.preferences(_of(player_id).preferences)


def prefer(player_id: int, wanted: Mapping[Kind, Preference], origin: Origin) -> dict[Kind, Preference]:
    """Change some of a player's preferences. Raises Refused INVALID_FIELD."""
    inbox = _locked(player_id)
    before = notices.preferences(inbox.preferences)
    merged = before | dict(wanted)
    inbox.preferences = notices.stored(merged)
    inbox.save(only=[Inbox.preferences])
    if merged != before:
        payload = {"player_id": player_id, "preferences": inbox.preferences}
        log.append([Event("notifications.preferred", f"player:{player_id}", origin, payload)])
    return merged


def trim(kept: int) -> None:
    """Keep so many notifications of each player."""
    written.trim(kept, clock.now() - timedelta(minutes=YOUNGEST_MINUTES))


def _rows(player_id: int) -> pw.ModelSelect:
    return NotificationRow.select(
        NotificationRow.player_id, NotificationRow.sequence, NotificationRow.kind, NotificationRow.priority,
        NotificationRow.title, NotificationRow.body, NotificationRow.reference,
        NotificationRow.data.cast("text"), NotificationRow.created_at,
    ).where(NotificationRow.player_id == player_id)  # fmt: skip


def _records(rows: pw.ModelSelect) -> list[NotificationChange]:
    return changes(rows.tuples())
