"""Notifications: the stream, the list, what is read, what is wanted, what happened while away."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Protocol

from bearpit.client import Client
from bearpit.v1 import announcements_pb2, market_pb2, notifications_pb2
from bearpit_tui import wire
from bearpit_tui.inbox import CatchUp, Filled, Frame, Inbox, Kind, Notification, Passed, Preference
from bearpit_tui.model import Announcement
from bearpit_tui.wire import moment

PAGE = 100

KINDS: Mapping[Kind, notifications_pb2.NotificationKind] = {
    Kind.FILL: notifications_pb2.NOTIFICATION_KIND_FILL,
    Kind.DUEL: notifications_pb2.NOTIFICATION_KIND_DUEL,
    Kind.TRANSFER: notifications_pb2.NOTIFICATION_KIND_TRANSFER,
    Kind.CODE: notifications_pb2.NOTIFICATION_KIND_CODE,
    Kind.WINDOW: notifications_pb2.NOTIFICATION_KIND_WINDOW,
    Kind.ANNOUNCEMENT: notifications_pb2.NOTIFICATION_KIND_ANNOUNCEMENT,
    Kind.RANK: notifications_pb2.NOTIFICATION_KIND_RANK,
    Kind.BADGE: notifications_pb2.NOTIFICATION_KIND_BADGE,
    Kind.DEBT: notifications_pb2.NOTIFICATION_KIND_DEBT,
    Kind.SYSTEM: notifications_pb2.NOTIFICATION_KIND_SYSTEM,
}
_KINDS = {number: kind for kind, number in KINDS.items()}


class Letters(Protocol):
    """What is asked about notifications."""

    async def catch_up(self) -> CatchUp | None:
        """What happened while the player was away; None: nothing."""

    async def seen(self, request_id: str) -> None:
        """What happened until now has been seen."""

    async def page(self, kind: Kind | None, token: str) -> tuple[list[Notification], str]:
        """Notifications, newest first, and what leads to the next page; empty: this was the last."""

    async def read(self, up_to: int, request_id: str) -> int:
        """Mark as read; how many are left unread."""

    async def preferences(self) -> list[Preference]:
        """Where the player wants to be told of what."""

    async def prefer(self, one: Preference, request_id: str) -> list[Preference]:
        """Want another thing."""

    async def announced(self) -> list[Announcement]:
        """What the operators said to this player's team and roles, and stands; what they said to all comes
        with the market's status."""

    def follow(self) -> AsyncGenerator[Frame, None]:
        """The inbox, then every notification."""


class RemoteLetters:
    """A server's notification service."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def catch_up(self) -> CatchUp | None:
        answer = await self._client.notifications.GetCatchUp(notifications_pb2.GetCatchUpRequest())
        return None if answer.catch_up.empty else _catch_up(answer.catch_up)

    async def seen(self, request_id: str) -> None:
        await self._client.notifications.MarkSeen(notifications_pb2.MarkSeenRequest(request_id=request_id))

    async def page(self, kind: Kind | None, token: str) -> tuple[list[Notification], str]:
        request = notifications_pb2.ListNotificationsRequest(page_size=PAGE, page_token=token)
        if kind is not None:
            request.kind = KINDS[kind]
        answer = await self._client.notifications.ListNotifications(request)
        return [_notification(one) for one in answer.notifications], answer.next_page_token

    async def read(self, up_to: int, request_id: str) -> int:
        request = notifications_pb2.MarkReadRequest(up_to_sequence=up_to, request_id=request_id)
        return (await self._client.notifications.MarkRead(request)).unread.count

    async def preferences(self) -> list[Preference]:
        answer = await self._client.notifications.GetPreferences(notifications_pb2.GetPreferencesRequest())
        return [_preference(one) for one in answer.preferences if one.kind in _KINDS]

    async def prefer(self, one: Preference, request_id: str) -> list[Preference]:
        wanted = notifications_pb2.Preference(kind=KINDS[one.kind], screen=one.screen, channel=one.channel)
        request = notifications_pb2.UpdatePreferencesRequest(preferences=[wanted], request_id=request_id)
        answer = await self._client.notifications.UpdatePreferences(request)
        return [_preference(one) for one in answer.preferences if one.kind in _KINDS]

    async def announced(self) -> list[Announcement]:
        request = announcements_pb2.ListAnnouncementsRequest(standing_only=True)
        answer = await self._client.announcements.ListAnnouncements(request)
        to_some = (market_pb2.AUDIENCE_TEAM, market_pb2.AUDIENCE_ROLE)
        return [wire.announcement(one) for one in answer.announcements if one.audience in to_some]

    async def follow(self) -> AsyncGenerator[Frame, None]:
        async with aclosing(self._client.stream_notifications()) as frames:
            async for frame in frames:
                if frame.HasField("snapshot"):
                    unread = frame.snapshot.unread
                    latest = tuple(_notification(one) for one in frame.snapshot.latest)
                    yield Frame(whole=Inbox(unread.count, latest, unread.read_sequence))
                else:
                    yield Frame((_notification(frame.update),))


def _notification(message: notifications_pb2.Notification) -> Notification:
    return Notification(
        message.sequence,
        _KINDS.get(message.kind, Kind.SYSTEM),
        message.title,
        message.body,
        message.reference,
        message.priority == notifications_pb2.NOTIFICATION_PRIORITY_URGENT,
        moment(message.created_at),
        message.read,
    )


def _preference(message: notifications_pb2.Preference) -> Preference:
    return Preference(_KINDS[message.kind], message.screen, message.channel)


def _catch_up(message: notifications_pb2.CatchUp) -> CatchUp:
    return CatchUp(
        since=moment(message.since),
        until=moment(message.until),
        fills=message.fills,
        instruments=tuple(
            Filled(one.symbol, one.bought, one.bought_cents, one.sold, one.sold_cents, one.fills)
            for one in message.instruments
        ),
        realised_cents=message.realised_cents,
        headlines=tuple(message.headlines),
        headline_count=message.headline_count,
        transfers=tuple(Passed(one.player, one.amount_cents, one.note) for one in message.transfers),
        transfer_count=message.transfer_count,
        windows=tuple((one.title, one.gain_cents) for one in message.windows),
        window_count=message.window_count,
        duels=(message.duels.won, message.duels.lost, message.duels.drawn),
        duels_cents=message.duels.net_cents,
        worth_before_cents=(
            message.net_worth_before_cents if message.HasField("net_worth_before_cents") else None
        ),
        worth_cents=message.net_worth_cents,
        rank_before=message.rank_before if message.HasField("rank_before") else None,
        rank=message.rank if message.HasField("rank") else None,
        unread=message.unread,
    )
