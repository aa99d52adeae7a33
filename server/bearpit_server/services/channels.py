"""ChannelService: where else the caller's notifications go."""
# ruff: noqa: N802 - the methods are named by the contract

from typing import cast
from urllib.parse import urlsplit

import grpc
from bearpit.v1 import channels_pb2 as pb
from bearpit.v1 import notifications_pb2
from bearpit.v1.channels_pb2_grpc import ChannelServiceServicer

from bearpit_server.channels import deliveries, targets
from bearpit_server.channels.base import Failure
from bearpit_server.channels.deliveries import DeadLetter
from bearpit_server.channels.outbox import Outbox
from bearpit_server.channels.targets import Added, Limits, Listed
from bearpit_server.events.bus import Bus
from bearpit_server.identity import players
from bearpit_server.identity.callers import Caller, origin, signed_in
from bearpit_server.rules.channels import Kind, State
from bearpit_server.rules.notices import Kind as NoticeKind
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.roles import Permission
from bearpit_server.services import translate
from bearpit_server.services.idempotency import Done, Once
from bearpit_server.services.pages import Page
from bearpit_server.storage.database import Database
from bearpit_server.storage.models.channels import ChannelTarget
from bearpit_server.storage.settings import Settings

Context = grpc.aio.ServicerContext[object, object]

EVERYBODY = "*"
MASKED = "…"


class ChannelService(ChannelServiceServicer):
    """All of ChannelService."""

    def __init__(self, database: Database, bus: Bus, settings: Settings, outbox: Outbox) -> None:
        self._database = database
        self._settings = settings
        self._outbox = outbox
        self._once = Once(database, bus)

    async def AddChannel(self, request: pb.AddChannelRequest, context: Context) -> pb.AddChannelResponse:
        """Add a channel; to a chat the code is sent after the commit."""
        caller, by = signed_in(), origin(request.request_id)
        if not request.kind:
            raise invalid("kind", "give WEBHOOK or TELEGRAM")
        kind = Kind(request.kind)
        address = self._outbox.channel(kind).check(request.address)
        kinds = targets.check_kinds(request.kinds, {int(known) for known in NoticeKind})
        limits = Limits(self._settings.number("channels_most"), self._settings.number("channels_day_most"))
        done: list[Added] = []

        def work() -> Done[pb.AddChannelResponse]:
            added = targets.add(caller.player_id, kind, address, kinds, limits, by)
            message = _channel(targets.listed(added.row))
            if request.validate_only:
                message.channel_id = 0
                return Done(pb.AddChannelResponse(channel=message))
            done.append(added)
            told = pb.AddChannelResponse(channel=message, secret=added.row.secret)
            return Done(told, kept=pb.AddChannelResponse(channel=message))

        response = await self._once.run(request, by, pb.AddChannelResponse, work)
        if done and done[0].code:
            response.channel.last_error = await self._try(done[0].row, done[0].code)
        return response

    async def ConfirmChannel(
        self, request: pb.ConfirmChannelRequest, context: Context
    ) -> pb.ConfirmChannelResponse:
        """Prove that a channel is the caller's."""
        player_id, by = signed_in().player_id, origin(request.request_id)
        row = await self._database.run(targets.get, request.channel_id, player_id)
        by_code = row.kind == int(Kind.TELEGRAM)
        if not request.validate_only and row.state != int(State.CONFIRMED):
            if by_code:
                await self._database.run(targets.count_try, row.id, player_id)
            else:
                await self._prove(await self._turn(row.id, player_id))

        def work() -> Done[pb.ConfirmChannelResponse]:
            row = targets.get(request.channel_id, player_id, for_update=True)
            if by_code and row.state != int(State.CONFIRMED):
                targets.check_code(row, request.code)
            confirmed = targets.confirm(row, by)
            return Done(pb.ConfirmChannelResponse(channel=_channel(targets.listed(confirmed))))

        return await self._once.run(request, by, pb.ConfirmChannelResponse, work)

    async def ListChannels(
        self, request: pb.ListChannelsRequest, context: Context
    ) -> pb.ListChannelsResponse:
        """The caller's channels, or those of others."""
        caller = signed_in()
        page = Page(request, owner=caller.player_id)

        def read() -> list[Listed]:
            return targets.page(_whose(caller, request.player), page.limit, page.after_id)

        rows, token = page.close(await self._database.run(read), lambda listed: listed.row.id)
        messages = [_channel(found, mine=found.row.player_id == caller.player_id) for found in rows]
        return pb.ListChannelsResponse(channels=messages, next_page_token=token)

    async def RemoveChannel(
        self, request: pb.RemoveChannelRequest, context: Context
    ) -> pb.RemoveChannelResponse:
        """End a channel."""
        player_id, by = signed_in().player_id, origin(request.request_id)

        def work() -> Done[pb.RemoveChannelResponse]:
            message = _channel(targets.listed(targets.get(request.channel_id, player_id)))
            targets.remove(request.channel_id, player_id, by)
            return Done(pb.RemoveChannelResponse(channel=message))

        return await self._once.run(request, by, pb.RemoveChannelResponse, work)

    async def TestChannel(self, request: pb.TestChannelRequest, context: Context) -> pb.TestChannelResponse:
        """Send a test now; to a chat that is not confirmed, a new code."""
        player_id, by = signed_in().player_id, origin(request.request_id)
        turn: list[tuple[ChannelTarget, str]] = []

        def work() -> Done[pb.TestChannelResponse]:
            row = targets.take_turn(
                request.channel_id, player_id, self._settings.number("channel_test_seconds")
            )
            by_code = row.kind == int(Kind.TELEGRAM) and row.state != int(State.CONFIRMED)
            code = targets.renew_code(row) if by_code else ""
            if not request.validate_only:
                turn.append((row, code))
            kept = pb.TestChannelResponse(error="this test was sent before; ask again with a new request_id")
            return Done(pb.TestChannelResponse(), kept=kept)

        response = await self._once.run(request, by, pb.TestChannelResponse, work)
        if not turn:
            return response
        error = await self._try(*turn[0])
        return pb.TestChannelResponse(delivered=not error, error=error)

    async def ListDeadLetters(
        self, request: pb.ListDeadLettersRequest, context: Context
    ) -> pb.ListDeadLettersResponse:
        """What was given up: the caller's, or that of others."""
        caller = signed_in()
        page = Page(request, owner=caller.player_id)

        def read() -> list[DeadLetter]:
            return deliveries.dead(_whose(caller, request.player), page.limit, page.after_id)

        rows, token = page.close(await self._database.run(read), lambda letter: letter.row.id)
        return pb.ListDeadLettersResponse(dead_letters=map(_dead_letter, rows), next_page_token=token)

    async def RetryDeadLetter(
        self, request: pb.RetryDeadLetterRequest, context: Context
    ) -> pb.RetryDeadLetterResponse:
        """Try one again."""
        caller, by = signed_in(), origin(request.request_id)
        whose = None if caller.may(Permission.SYSTEM_ADMIN) else caller.player_id

        def work() -> Done[pb.RetryDeadLetterResponse]:
            letter = deliveries.retry(request.delivery_id, whose, by)
            return Done(pb.RetryDeadLetterResponse(dead_letter=_dead_letter(letter)))

        return await self._once.run(request, by, pb.RetryDeadLetterResponse, work)

    async def _turn(self, channel_id: int, player_id: int) -> ChannelTarget:
        pause = self._settings.number("channel_test_seconds")
        return await self._database.run(targets.take_turn, channel_id, player_id, pause)

    async def _prove(self, row: ChannelTarget) -> None:
        """Raises Refused CHANNEL_UNREACHABLE unless a test arrives."""
        error = await self._try(row)
        if error:
            raise Refused("CHANNEL_UNREACHABLE", f"the test did not arrive: {error}; mend that and try again")

    async def _try(self, row: ChannelTarget, code: str = "") -> str:
        """Send a test or a code; why it did not arrive, empty: it did."""
        letter = (
            targets.code_letter(code)
            if code
            else targets.trial(
                "A test from Bearpit", "If you can read this, your notifications will come here."
            )
        )
        try:
            await self._outbox.send(Kind(row.kind), letter, targets.target_of(row))
            error = ""
        except Failure as failure:
            error = failure.reason
        await self._database.run(targets.note, row.id, error)
        return error


def _whose(caller: Caller, name: str) -> int | None:
    """Of which player is asked; None: of all. Raises Refused NOT_ALLOWED or NOT_FOUND."""
    if not name or name.lower() == caller.name.lower():
        return caller.player_id
    if not (caller.may(Permission.VIEW_AUDIT) or caller.may(Permission.SYSTEM_ADMIN)):
        raise Refused(
            "NOT_ALLOWED", "others' channels take VIEW_AUDIT; leave player out to see your own", "player",
            permission=Permission.VIEW_AUDIT,
        )  # fmt: skip
    return None if name == EVERYBODY else int(players.get(name).id)


def _channel(found: Listed, mine: bool = True) -> pb.Channel:
    row = found.row
    return pb.Channel(
        channel_id=row.id,
        player_name=found.player_name,
        kind=cast(pb.ChannelKind, row.kind),
        address=row.address if mine else _masked(row),
        kinds=cast(list[notifications_pb2.NotificationKind], row.kinds),
        state=cast(pb.ChannelState, row.state),
        delivered=row.delivered,
        waiting=found.waiting,
        dead=found.dead,
        last_error=row.last_error,
        created_at=translate.timestamp(row.created_at),
        delivered_at=None if row.delivered_at is None else translate.timestamp(row.delivered_at),
    )


def _masked(row: ChannelTarget) -> str:
    """What others see of an address: paths and queries hold secrets, and a chat is a person."""
    if row.kind != int(Kind.WEBHOOK):
        return MASKED
    parts = urlsplit(row.address)
    return f"{parts.scheme}://{parts.hostname}/{MASKED}"


def _dead_letter(letter: DeadLetter) -> pb.DeadLetter:
    row = letter.row
    return pb.DeadLetter(
        delivery_id=row.id,
        channel_id=letter.target.id,
        player_name=letter.player_name,
        kind=cast(pb.ChannelKind, letter.target.kind),
        notification_sequence=row.sequence,
        title=letter.title,
        attempts=row.attempts,
        last_error=row.last_error,
        died_at=translate.timestamp(row.ended_at),
    )
