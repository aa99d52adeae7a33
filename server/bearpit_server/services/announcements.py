"""AnnouncementService: words from the operators."""
# ruff: noqa: N802 - the methods are named by the contract

from datetime import UTC

import grpc
from bearpit.v1 import announcements_pb2 as pb
from bearpit.v1.announcements_pb2_grpc import AnnouncementServiceServicer

from bearpit_server.events.bus import Bus
from bearpit_server.events.records import StatusChange
from bearpit_server.game.notices import announcements
from bearpit_server.game.notices.announcements import Announced, Draft
from bearpit_server.identity.callers import Caller, origin, signed_in
from bearpit_server.rules.announcements import Audience, Priority
from bearpit_server.rules.roles import Permission
from bearpit_server.services import translate
from bearpit_server.services.idempotency import Done, Once
from bearpit_server.services.pages import Page
from bearpit_server.storage.database import Database

Context = grpc.aio.ServicerContext[object, object]


class AnnouncementService(AnnouncementServiceServicer):
    """All of AnnouncementService."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._once = Once(database, bus)

    async def Announce(self, request: pb.AnnounceRequest, context: Context) -> pb.AnnounceResponse:
        """Say something, now or later."""
        draft, by = _draft(request), origin(request.request_id)

        def work() -> Done[pb.AnnounceResponse]:
            made = announcements.announce(draft, by)
            message = translate.announcement(made)
            if request.validate_only:
                message.announcement_id = 0
            return Done(pb.AnnounceResponse(announcement=message), [StatusChange()])

        return await self._once.run(request, by, pb.AnnounceResponse, work)

    async def ListAnnouncements(
        self, request: pb.ListAnnouncementsRequest, context: Context
    ) -> pb.ListAnnouncementsResponse:
        """Those that stand for the caller, or all."""
        caller = signed_in()
        everything = _sees_all(caller) and not request.standing_only
        page = Page(request, owner=caller.player_id)

        def read() -> list[Announced]:
            if everything:
                return announcements.page(page.limit, page.after_id)
            return announcements.standing_for(caller.player_id, page.limit, page.after_id)

        rows, token = page.close(await self._database.run(read), lambda made: made.announcement_id)
        return pb.ListAnnouncementsResponse(
            announcements=map(translate.announcement, rows), next_page_token=token
        )

    async def GetAnnouncement(
        self, request: pb.GetAnnouncementRequest, context: Context
    ) -> pb.GetAnnouncementResponse:
        """One that the caller may see."""
        caller = signed_in()
        viewer = None if _sees_all(caller) else caller.player_id
        found = await self._database.run(announcements.get, request.announcement_id, viewer)
        return pb.GetAnnouncementResponse(announcement=translate.announcement(found))

    async def WithdrawAnnouncement(
        self, request: pb.WithdrawAnnouncementRequest, context: Context
    ) -> pb.WithdrawAnnouncementResponse:
        """Take one back."""
        by = origin(request.request_id)

        def work() -> Done[pb.WithdrawAnnouncementResponse]:
            found = announcements.withdraw(request.announcement_id, by)
            response = pb.WithdrawAnnouncementResponse(announcement=translate.announcement(found))
            return Done(response, [StatusChange()])

        return await self._once.run(request, by, pb.WithdrawAnnouncementResponse, work)


def _sees_all(caller: Caller) -> bool:
    return caller.may(Permission.CREATE_ANNOUNCEMENT)


def _draft(request: pb.AnnounceRequest) -> Draft:
    end = request.WhichOneof("end")
    return Draft(
        title=request.title,
        body=request.body,
        priority=Priority(request.priority or Priority.INFO),
        audience=Audience(request.audience or Audience.ALL),
        team=request.team,
        role=request.role,
        starts_at=request.starts_at.ToDatetime(UTC) if request.HasField("starts_at") else None,
        lifetime_seconds=request.lifetime_seconds if end == "lifetime_seconds" else None,
        expires_at=request.expires_at.ToDatetime(UTC) if end == "expires_at" else None,
    )
