"""NotificationService: the caller's inbox, as it is and as it fills; and what happened while he was away."""
# ruff: noqa: N802 - the methods are named by the contract

from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import grpc
from bearpit.v1 import notifications_pb2 as pb

from bearpit_server.events.bus import Bus
from bearpit_server.events.records import InboxRecord, NotificationChange
from bearpit_server.game.notices import catch_up, notifications
from bearpit_server.game.notices.catch_up import CatchUp
from bearpit_server.identity.callers import origin, signed_in
from bearpit_server.rules.notices import Kind, Preference, Unread
from bearpit_server.rules.refusals import invalid
from bearpit_server.services.idempotency import Done, Once
from bearpit_server.services.market import Exchange
from bearpit_server.services.pages import Page
from bearpit_server.services.translate import timestamp
from bearpit_server.storage.clock import now
from bearpit_server.storage.database import Database
from bearpit_server.streams.notifications import NotificationHub
from bearpit_server.streams.subscription import Frame

Context = grpc.aio.ServicerContext[object, object]

WRITE_SECONDS = 5.0
"""How often it is written who has gone."""
STILL_THERE = timedelta(minutes=1)
"""How often it is written of those who stay."""


class Presence:
    """Who is there: whose notifications are streamed by this server."""

    def __init__(self) -> None:
        self._streams: Counter[int] = Counter()
        self._seen: dict[int, datetime] = {}
        """Those who were there since it was last written, and when."""
        self._written: dict[int, datetime] = {}

    @contextmanager
    def there(self, player_id: int) -> Iterator[None]:
        """A player is there for the length of the block."""
        self._streams[player_id] += 1
        self._written.setdefault(player_id, now())
        try:
            yield
        finally:
            self._streams[player_id] -= 1
            self._seen[player_id] = now()
            if not self._streams[player_id]:
                del self._streams[player_id], self._written[player_id]

    def seen_at(self, player_id: int) -> datetime | None:
        """When a player was last there, if that is not written yet."""
        return now() if player_id in self._streams else self._seen.get(player_id)

    def to_write(self) -> dict[int, datetime]:
        """What has to be written now; it is forgotten by `written`."""
        at = now()
        staying = [id_ for id_, written in self._written.items() if at - written >= STILL_THERE]
        return self._seen | dict.fromkeys(staying, at)

    def written(self, seen: Mapping[int, datetime]) -> None:
        """It has been."""
        for player_id, at in seen.items():
            if self._seen.get(player_id) == at:
                del self._seen[player_id]
            if player_id in self._written:
                self._written[player_id] = at


class NotificationService:
    """All of NotificationService."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        exchange: Exchange,
        hub: NotificationHub[pb.StreamNotificationsResponse],
    ) -> None:
        self.presence = Presence()
        self._database = database
        self._exchange = exchange
        self._hub = hub
        self._once = Once(database, bus)

    async def note_who_is_there(self) -> None:
        """Write when players were last there; a chore."""
        seen = self.presence.to_write()
        if seen:
            await self._database.run(catch_up.saw, seen, self._prices())
            self.presence.written(seen)

    async def ListNotifications(
        self, request: pb.ListNotificationsRequest, context: Context
    ) -> pb.ListNotificationsResponse:
        """The caller's notifications, newest first."""
        player_id = signed_in().player_id
        page = Page(request, owner=player_id)
        kind = _kind(request.kind) if request.kind else None
        found, read = await self._database.run(
            notifications.page, player_id, page.after_id, page.limit, request.unread_only, kind
        )
        rows, token = page.close(found, lambda row: row.sequence)
        return pb.ListNotificationsResponse(
            notifications=[_notification(row, read) for row in rows], next_page_token=token
        )

    async def GetUnread(self, request: pb.GetUnreadRequest, context: Context) -> pb.GetUnreadResponse:
        """How much the caller has not read."""
        unread = await self._database.run(notifications.unread, signed_in().player_id)
        return pb.GetUnreadResponse(unread=_unread(unread))

    async def MarkRead(self, request: pb.MarkReadRequest, context: Context) -> pb.MarkReadResponse:
        """Mark all up to a number as read."""
        player_id = signed_in().player_id

        def work() -> Done[pb.MarkReadResponse]:
            unread = notifications.mark_read(player_id, request.up_to_sequence)
            return Done(pb.MarkReadResponse(unread=_unread(unread)))

        return await self._once.run(request, origin(request.request_id), pb.MarkReadResponse, work)

    async def StreamNotifications(
        self, request: pb.StreamNotificationsRequest, context: Context
    ) -> AsyncGenerator[pb.StreamNotificationsResponse, None]:
        """The caller's notifications as they come."""
        if request.after_sequence < 0:
            raise invalid("after_sequence", "give the number of the last frame you have, or 0 to begin anew")
        caller = signed_in()
        with self._hub.subscribe(caller.player_id, request.after_sequence) as frames:
            if caller.operator_id:  # who looks through a player's eyes is not that player
                while True:
                    yield await frames.next()
            with self.presence.there(caller.player_id):
                while True:
                    yield await frames.next()

    async def GetPreferences(
        self, request: pb.GetPreferencesRequest, context: Context
    ) -> pb.GetPreferencesResponse:
        """Where the caller wants to be told of what."""
        found = await self._database.run(notifications.preferences, signed_in().player_id)
        return pb.GetPreferencesResponse(preferences=_preferences(found))

    async def UpdatePreferences(
        self, request: pb.UpdatePreferencesRequest, context: Context
    ) -> pb.UpdatePreferencesResponse:
        """Change some."""
        player_id, by = signed_in().player_id, origin(request.request_id)
        wanted = {_kind(one.kind): Preference(one.screen, one.channel) for one in request.preferences}
        if len(wanted) < len(request.preferences):
            raise invalid("preferences", "give each kind once")

        def work() -> Done[pb.UpdatePreferencesResponse]:
            changed = notifications.prefer(player_id, wanted, by)
            return Done(pb.UpdatePreferencesResponse(preferences=_preferences(changed)))

        return await self._once.run(request, by, pb.UpdatePreferencesResponse, work)

    async def GetCatchUp(self, request: pb.GetCatchUpRequest, context: Context) -> pb.GetCatchUpResponse:
        """What happened while the caller was away."""
        player_id = signed_in().player_id
        since = request.since.ToDatetime(UTC) if request.HasField("since") else None
        seen_at = self.presence.seen_at(player_id)
        found = await self._database.run(catch_up.catch_up, player_id, since, seen_at, self._prices())
        return pb.GetCatchUpResponse(catch_up=_catch_up(found))

    async def MarkSeen(self, request: pb.MarkSeenRequest, context: Context) -> pb.MarkSeenResponse:
        """The caller has seen everything."""
        player_id, prices = signed_in().player_id, self._prices()

        def work() -> Done[pb.MarkSeenResponse]:
            at = now()
            catch_up.saw({player_id: at}, prices)
            return Done(pb.MarkSeenResponse(seen_at=timestamp(at)))

        return await self._once.run(request, origin(request.request_id), pb.MarkSeenResponse, work)

    def _prices(self) -> dict[str, int]:
        """The latest price of each instrument, in cents by symbol."""
        return {quote.symbol: quote.last_cents for quote in self._exchange.quotes.values()}


def _kind(given: int) -> Kind:
    """Raises Refused INVALID_FIELD."""
    try:
        return Kind(given)
    except ValueError:
        raise invalid("kind", "give one of the kinds of notifications") from None


# --- to the contract's messages --------------------------------------------------------------------


def _notification(row: NotificationChange, read_sequence: int) -> pb.Notification:
    return pb.Notification(
        sequence=row.sequence,
        kind=pb.NotificationKind.Name(row.kind),
        title=row.title,
        body=row.body,
        reference=row.reference,
        priority=pb.NotificationPriority.Name(row.priority),
        created_at=timestamp(row.created_at),
        read=row.sequence <= read_sequence,
        data_json=row.data,
    )


def _unread(unread: Unread) -> pb.Unread:
    by_kind = [
        pb.UnreadOfKind(kind=pb.NotificationKind.Name(kind), count=count)
        for kind, count in unread.by_kind.items()
    ]
    return pb.Unread(
        count=unread.count,
        by_kind=by_kind,
        last_sequence=unread.last_sequence,
        read_sequence=unread.read_sequence,
    )


def notifications_frame(
    frame: Frame[InboxRecord | NotificationChange],
) -> pb.StreamNotificationsResponse:
    """A frame of an inbox."""
    made = pb.StreamNotificationsResponse(sequence=frame.sequence, server_time=timestamp(frame.at))
    if frame.content is None:
        made.heartbeat.SetInParent()
    elif isinstance(frame.content, InboxRecord):
        made.snapshot.unread.CopyFrom(_unread(frame.content.unread))
        made.snapshot.latest.extend(_notification(row, 0) for row in frame.content.latest)
    else:
        made.update.CopyFrom(_notification(frame.content, 0))
    return made


def _preferences(found: Mapping[Kind, Preference]) -> list[pb.Preference]:
    return [
        pb.Preference(
            kind=pb.NotificationKind.Name(kind), screen=preference.screen, channel=preference.channel
        )
        for kind, preference in sorted(found.items())
    ]


def _catch_up(found: CatchUp) -> pb.CatchUp:
    duels = found.duels
    made = pb.CatchUp(
        since=timestamp(found.since),
        until=timestamp(found.until),
        empty=found.is_empty,
        fills=sum(traded.fills for traded in found.traded),
        fills_cut=found.fills_cut,
        realised_cents=sum(traded.realised_cents for traded in found.traded),
        headlines=found.headlines,
        headline_count=found.headline_count,
        received_cents=found.received_cents,
        sent_cents=found.sent_cents,
        transfer_count=found.transfer_count,
        window_count=found.window_count,
        duels=pb.CaughtDuels(won=duels.won, lost=duels.lost, drawn=duels.drawn, net_cents=duels.net_cents),
        net_worth_before_cents=found.before.worth_cents,
        net_worth_cents=found.now.worth_cents,
        rank_before=found.before.rank,
        rank=found.now.rank,
        notifications=found.notifications,
        unread=found.unread,
    )
    made.instruments.extend(
        pb.FilledInstrument(
            symbol=one.symbol,
            bought=one.bought,
            bought_cents=one.bought_cents,
            sold=one.sold,
            sold_cents=one.sold_cents,
            fills=one.fills,
            fee_cents=one.fee_cents,
        )
        for one in found.traded[: catch_up.SHOWN]
    )
    made.transfers.extend(
        pb.CaughtTransfer(
            player=one.player,
            amount_cents=one.amount_cents,
            note=one.note,
            created_at=timestamp(one.created_at),
        )
        for one in found.transfers
    )
    made.windows.extend(
        pb.CaughtWindow(window_id=one.window_id, title=one.title, gain_cents=one.gain_cents)
        for one in found.windows
    )
    return made
