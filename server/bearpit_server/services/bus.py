"""BusService: who listens to the event log, how far each has come, and telling one again."""
# ruff: noqa: N802 - the methods are named by the contract

import grpc
from bearpit.v1 import bus_pb2 as pb

from bearpit_server.events import replaying
from bearpit_server.events.bus import Bus
from bearpit_server.events.delivery import Delivery
from bearpit_server.events.replaying import Standing
from bearpit_server.identity.callers import origin
from bearpit_server.services.idempotency import Done, Once
from bearpit_server.services.pages import Page
from bearpit_server.services.translate import timestamp
from bearpit_server.storage.database import Database
from bearpit_server.storage.models.notices import ListenerFailure
from bearpit_server.storage.settings import Settings

Context = grpc.aio.ServicerContext[object, object]


class BusService:
    """All of BusService."""

    def __init__(self, database: Database, bus: Bus, settings: Settings, delivery: Delivery) -> None:
        self._database = database
        self._settings = settings
        self._once = Once(database, bus)
        self._known = {listener.name: listener.prefixes for listener in delivery.listeners.values()}

    async def ListListeners(
        self, request: pb.ListListenersRequest, context: Context
    ) -> pb.ListListenersResponse:
        """All listeners, by name."""
        found = await self._database.run(replaying.standings, self._known)
        return pb.ListListenersResponse(listeners=map(_listener, found))

    async def ReplayListener(
        self, request: pb.ReplayListenerRequest, context: Context
    ) -> pb.ReplayListenerResponse:
        """Tell a listener again."""
        by, farthest = origin(request.request_id), self._settings.number("listener_replay_events")

        def work() -> Done[pb.ReplayListenerResponse]:
            standing, count = replaying.replay(
                request.listener, request.from_event, farthest, self._known, by
            )
            return Done(pb.ReplayListenerResponse(listener=_listener(standing), events=count))

        return await self._once.run(request, by, pb.ReplayListenerResponse, work)

    async def ListListenerFailures(
        self, request: pb.ListListenerFailuresRequest, context: Context
    ) -> pb.ListListenerFailuresResponse:
        """Events that were passed over, newest first."""
        page = Page(request)
        found = await self._database.run(replaying.failures, request.listener, page.after_id, page.limit)
        rows, token = page.close(found, lambda row: row.id)
        return pb.ListListenerFailuresResponse(failures=map(_failure, rows), next_page_token=token)


def _listener(standing: Standing) -> pb.Listener:
    return pb.Listener(
        name=standing.name,
        type_prefixes=standing.prefixes or (),
        position=str(standing.position),
        published=standing.published,
        delivered=standing.delivered,
        failed=standing.failed,
        retried=standing.retried,
        last_error=standing.last_error,
        retry_at=timestamp(standing.retry_at) if standing.retry_at else None,
        waiting=standing.waiting,
        known=standing.prefixes is not None,
    )


def _failure(row: ListenerFailure) -> pb.ListenerFailure:
    return pb.ListenerFailure(
        failure_id=row.id,
        listener=row.listener,
        position=f"{row.event_xid}-{row.event_id}",
        type=row.type,
        error=row.error,
        failed_at=timestamp(row.failed_at),
    )
