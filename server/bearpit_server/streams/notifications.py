"""Notifications: how much is unread, then every one as it comes, from any number that is kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

import peewee as pw

from bearpit_server.events.records import InboxRecord, NotificationChange
from bearpit_server.storage import bulk
from bearpit_server.storage.database import Database
from bearpit_server.storage.models.notices import Inbox
from bearpit_server.streams.feed import FARTHEST, PAGE, Numbered, too_old
from bearpit_server.streams.players import PlayerFeed, PlayerHub, Watched
from bearpit_server.streams.subscription import Encode, F, OpenStreams, heartbeat, snapshot, update

AUDIT_SECONDS = 0.4
"""How often inboxes are compared with the database's: another server may have written to them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the game reads inboxes: its `notifications`."""

    whole: Callable[[int], InboxRecord]
    after: Callable[[int, int, int], list[NotificationChange]]


class NotificationHub(PlayerHub[NotificationChange, F]):
    """Feeds those who follow their inboxes. Numbers are the inbox's, one more each time."""

    def __init__(
        self,
        watched: Watched,
        database: Database,
        reading: Reading,
        encode: Encode[InboxRecord | NotificationChange, F],
        open_streams: OpenStreams,
    ) -> None:
        super().__init__(watched, database, open_streams, Inbox.last_sequence, AUDIT_SECONDS)
        self.reading = reading
        self.encode = encode

    def _make(self, player_id: int) -> "_NotificationFeed[F]":
        return _NotificationFeed(self, player_id)

    def _numbers(self, players: Sequence[int]) -> dict[int, int]:
        among = pw.SQL("player_id = ANY(%s::int8[])", (bulk.ints(players),))
        return dict(Inbox.select(Inbox.player_id, Inbox.last_sequence).where(among).tuples())


class _NotificationFeed(PlayerFeed[NotificationChange, F], Generic[F]):
    def __init__(self, hub: NotificationHub[F], player_id: int) -> None:
        super().__init__(hub, player_id)
        self._inboxes = hub

    async def open(self, after: int) -> tuple[int, Sequence[Numbered[F]]]:
        run, reading = self._inboxes.database.run, self._inboxes.reading
        if after:
            first, last = await run(_kept, self.player_id)
            if not max(first - 1, last - FARTHEST) <= after <= last:
                raise too_old(after)
            self.begin(last)
            return after, []
        inbox = await run(reading.whole, self.player_id)
        last = inbox.unread.last_sequence
        self.begin(last)
        return last, [(last, self._inboxes.encode(snapshot(last, inbox)))]

    async def read(self, after: int) -> tuple[Sequence[Numbered[F]], bool]:
        reading = self._inboxes.reading
        changes = await self._inboxes.database.run(reading.after, self.player_id, after, PAGE)
        if changes and changes[0].sequence != after + 1:
            raise too_old(after)
        self.hear(changes)  # the feed itself may have missed some
        frames = [(change.sequence, self._encode(change)) for change in changes]
        return frames, len(changes) < PAGE

    def heartbeat(self, number: int) -> F:
        return self._inboxes.encode(heartbeat(number))

    def _encode(self, record: NotificationChange) -> F:
        return self._inboxes.encode(update(record.sequence, record))


def _kept(player_id: int) -> tuple[int, int]:
    """The first and the last number of an inbox that are kept."""
    found = Inbox.get_or_none(Inbox.player_id == player_id)
    return (1, 0) if found is None else (int(found.kept_from), int(found.last_sequence))
