"""What the operators' RPCs work with, and the few steps that they share."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

import grpc

from bearpit_server.events.bus import Bus
from bearpit_server.events.log import Origin
from bearpit_server.events.records import OrderRecord, StatusChange
from bearpit_server.identity.authority import Authority
from bearpit_server.identity.callers import Caller, origin
from bearpit_server.rules.orders import EndReason
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.roles import Permission
from bearpit_server.services.idempotency import Done, Mutation, Once, Response
from bearpit_server.storage.database import Database
from bearpit_server.storage.settings import Settings

Context = grpc.aio.ServicerContext[object, object]
R = TypeVar("R", bound=Response)


class Exchange(Protocol):
    """What operators need of the exchange; all on the event loop."""

    async def refresh(self) -> None:
        """Read instruments, the market's row and the settings again, and act on what changed."""

    async def cancel(
        self, order_id: int, origin: Origin, owner_id: int | None = None, request_id: str = ""
    ) -> OrderRecord:
        """Cancel an order; `owner_id` None: whosever it is."""
        ...

    async def cancel_all(
        self, owner_id: int, instrument_id: int | None, origin: Origin, reason: EndReason
    ) -> list[OrderRecord]:
        """Cancel all open orders of a player."""
        ...


@dataclass(frozen=True, slots=True)
class Vitals:
    """How this process does."""

    ready_at: Callable[[], datetime]
    open_streams: Callable[[], int]
    rate_limited: Callable[[], int]
    """Calls refused for their rate since the start."""


class Desk:
    """The operators' desk: what every RPC of theirs has at hand."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        exchange: Exchange,
        authority: Authority,
        settings: Settings,
        vitals: Vitals,
    ) -> None:
        self.database = database
        self.bus = bus
        self.exchange = exchange
        self.authority = authority
        self.settings = settings
        self.vitals = vitals
        self._once = Once(database, bus)

    async def once(
        self,
        request: Mutation,
        answer: type[R],
        work: Callable[[Origin], Done[R]],
        body: bytes | None = None,
    ) -> R:
        """Do a mutation once, for the caller of this call; see `idempotency.Once.run`."""
        by = origin(request.request_id)
        return await self._once.run(request, by, answer, lambda: work(by), body)

    async def refresh(self, request: Mutation) -> None:
        """Let the exchange act on what a mutation changed, and the screens show it.

        After a repetition too: the first run may have ended between its commit and this.
        """
        if not request.validate_only:
            await self.exchange.refresh()
            self.bus.publish([StatusChange()])


def check_another(caller: Caller, player_id: int) -> None:
    """Who gives points gives them to others; who runs the whole game may do anything. Raises Refused."""
    if player_id == caller.player_id and not caller.may(Permission.SYSTEM_ADMIN):
        raise Refused("NOT_ALLOWED", "not to yourself; ask somebody else who may do this", "name")


class AtDesk:
    """The operators' RPCs on one noun."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
