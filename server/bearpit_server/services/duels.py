"""DuelService: duels as players make and play them, anybody looks at them, and operators call them off."""
# ruff: noqa: N802 - the methods are named by the contract

from collections.abc import AsyncGenerator

import grpc
from bearpit.v1 import duels_pb2 as pb

from bearpit_server.events.bus import Bus
from bearpit_server.game.duels import endings, house, listing, playing
from bearpit_server.game.duels.endings import Made
from bearpit_server.game.duels.listing import Scope, Shown
from bearpit_server.game.duels.terms import Terms
from bearpit_server.game.texts import NOTE, line
from bearpit_server.identity import players
from bearpit_server.identity.callers import origin, signed_in
from bearpit_server.rules.refusals import invalid
from bearpit_server.services import duel_messages as messages
from bearpit_server.services.idempotency import Done, Once
from bearpit_server.services.pages import Page
from bearpit_server.storage.database import Database
from bearpit_server.storage.settings import Settings
from bearpit_server.streams.status import StatusHub
from bearpit_server.streams.subscription import Frame

Context = grpc.aio.ServicerContext[object, object]
DuelHub = StatusHub[messages.Alive, Frame[messages.Alive]]


class Duels:
    """The unary RPCs of DuelService."""

    def __init__(self, database: Database, bus: Bus, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._once = Once(database, bus)

    async def GetDuelTerms(
        self, request: pb.GetDuelTermsRequest, context: Context
    ) -> pb.GetDuelTermsResponse:
        """What challenges are made under now."""
        return pb.GetDuelTermsResponse(terms=messages.terms(Terms.of(self._settings)))

    async def Challenge(self, request: pb.ChallengeRequest, context: Context) -> pb.ChallengeResponse:
        """Put up a stake."""
        player_id, by, terms = signed_in().player_id, origin(request.request_id), Terms.of(self._settings)

        def work() -> Done[pb.ChallengeResponse]:
            opponent = players.get(request.opponent) if request.opponent else None
            made = playing.challenge(player_id, opponent, request.stake_cents, request.commitment, terms, by)
            answer = pb.ChallengeResponse(
                duel=_begun(made, request.validate_only), free_cash_after_cents=made.free_cash_cents
            )
            return Done(answer, made.records)

        return await self._once.run(request, by, pb.ChallengeResponse, work)

    async def AcceptDuel(self, request: pb.AcceptDuelRequest, context: Context) -> pb.AcceptDuelResponse:
        """Put up the other stake."""
        player_id, by, terms = signed_in().player_id, origin(request.request_id), Terms.of(self._settings)

        def work() -> Done[pb.AcceptDuelResponse]:
            made = playing.accept(player_id, request.duel_id, request.commitment, terms, by)
            answer = pb.AcceptDuelResponse(duel=_shown(made), free_cash_after_cents=made.free_cash_cents)
            return Done(answer, made.records)

        return await self._once.run(request, by, pb.AcceptDuelResponse, work)

    async def DeclineDuel(self, request: pb.DeclineDuelRequest, context: Context) -> pb.DeclineDuelResponse:
        """Turn a challenge down."""
        player_id, by = signed_in().player_id, origin(request.request_id)

        def work() -> Done[pb.DeclineDuelResponse]:
            made = playing.decline(player_id, request.duel_id, by)
            return Done(pb.DeclineDuelResponse(duel=_shown(made)), made.records)

        return await self._once.run(request, by, pb.DeclineDuelResponse, work)

    async def CancelDuel(self, request: pb.CancelDuelRequest, context: Context) -> pb.CancelDuelResponse:
        """Take a challenge back."""
        player_id, by = signed_in().player_id, origin(request.request_id)

        def work() -> Done[pb.CancelDuelResponse]:
            made = playing.cancel(player_id, request.duel_id, by)
            return Done(pb.CancelDuelResponse(duel=_shown(made)), made.records)

        return await self._once.run(request, by, pb.CancelDuelResponse, work)

    async def CommitMove(self, request: pb.CommitMoveRequest, context: Context) -> pb.CommitMoveResponse:
        """Commit to a move of a further round."""
        player_id, by = signed_in().player_id, origin(request.request_id)

        def work() -> Done[pb.CommitMoveResponse]:
            made = playing.commit(player_id, request.duel_id, request.round, request.commitment, by)
            return Done(pb.CommitMoveResponse(duel=_shown(made)), made.records)

        return await self._once.run(request, by, pb.CommitMoveResponse, work)

    async def RevealMove(self, request: pb.RevealMoveRequest, context: Context) -> pb.RevealMoveResponse:
        """Tell a move. A rehearsal goes no further than the checks: it would tell the other's move."""
        player_id, by = signed_in().player_id, origin(request.request_id)

        def work() -> Done[pb.RevealMoveResponse]:
            made = playing.reveal(
                player_id,
                request.duel_id,
                request.round,
                request.move,
                request.nonce,
                by,
                only_check=request.validate_only,
            )
            return Done(pb.RevealMoveResponse(duel=_shown(made)), made.records)

        return await self._once.run(request, by, pb.RevealMoveResponse, work)

    async def OpenHouseDuel(
        self, request: pb.OpenHouseDuelRequest, context: Context
    ) -> pb.OpenHouseDuelResponse:
        """Put up a stake against chance."""
        player_id, by, terms = signed_in().player_id, origin(request.request_id), Terms.of(self._settings)

        def work() -> Done[pb.OpenHouseDuelResponse]:
            made = house.open_against_house(player_id, request.stake_cents, terms, by)
            answer = pb.OpenHouseDuelResponse(
                duel=_begun(made, request.validate_only), free_cash_after_cents=made.free_cash_cents
            )
            return Done(answer, made.records)

        return await self._once.run(request, by, pb.OpenHouseDuelResponse, work)

    async def PlayHouseDuel(
        self, request: pb.PlayHouseDuelRequest, context: Context
    ) -> pb.PlayHouseDuelResponse:
        """Name a move. A rehearsal goes no further than the checks: it would tell the house's move."""
        player_id, by = signed_in().player_id, origin(request.request_id)

        def work() -> Done[pb.PlayHouseDuelResponse]:
            made = house.play_against_house(
                player_id,
                request.duel_id,
                request.round,
                request.move,
                by,
                only_check=request.validate_only,
            )
            return Done(pb.PlayHouseDuelResponse(duel=_shown(made)), made.records)

        return await self._once.run(request, by, pb.PlayHouseDuelResponse, work)

    async def GetDuel(self, request: pb.GetDuelRequest, context: Context) -> pb.GetDuelResponse:
        """One duel."""
        found = await self._database.run(listing.get, request.duel_id)
        return pb.GetDuelResponse(duel=messages.duel(found))

    async def ListDuels(self, request: pb.ListDuelsRequest, context: Context) -> pb.ListDuelsResponse:
        """Duels, newest first."""
        caller_id = signed_in().player_id
        page = Page(request, owner=caller_id)
        scope = _scope(request.scope)
        if request.player and scope not in (Scope.FINISHED, Scope.ALL):
            raise invalid("player", "give it with FINISHED or ALL; the other lists are your own")

        def read() -> list[Shown]:
            player_id = int(players.get(request.player).id) if request.player else None
            return listing.page(scope, caller_id, player_id, page.after_id, page.limit)

        rows, token = page.close(await self._database.run(read), lambda shown: shown.duel.id)
        return pb.ListDuelsResponse(duels=map(messages.duel, rows), next_page_token=token)

    async def CallOffDuel(self, request: pb.CallOffDuelRequest, context: Context) -> pb.CallOffDuelResponse:
        """End a duel and give the stakes back."""
        by = origin(request.request_id)
        reason = line("reason", request.reason, 1, NOTE)

        def work() -> Done[pb.CallOffDuelResponse]:
            made = endings.call_off(request.duel_id, reason, by)
            return Done(pb.CallOffDuelResponse(duel=_shown(made)), made.records)

        return await self._once.run(request, by, pb.CallOffDuelResponse, work)


class DuelStreams:
    """The stream of DuelService: all duels that are alive are read once, and each caller shown its own."""

    def __init__(self, alive: DuelHub) -> None:
        self._alive = alive

    async def StreamDuels(
        self, request: pb.StreamDuelsRequest, context: Context
    ) -> AsyncGenerator[pb.StreamDuelsResponse, None]:
        """The open board and the caller's duels as they change."""
        player_id = signed_in().player_id
        shown: pb.Duels | None = None
        with self._alive.subscribe() as frames:
            while True:
                frame = await frames.next()
                content = None if frame.content is None else frame.content.seen_by(player_id)
                if content is not None and content == shown:
                    continue  # what changed is not this caller's to see
                shown = content or shown
                yield messages.frame(frame, content)


def _begun(made: Made, rehearsed: bool) -> pb.Duel:
    """A duel that was just made; one that is only rehearsed has no number."""
    shown = _shown(made)
    if rehearsed:
        shown.duel_id = 0
    return shown


def _shown(made: Made) -> pb.Duel:
    """The duel as it stands in this transaction."""
    return messages.duel(listing.get(made.duel.id))


def _scope(given: int) -> Scope:
    try:
        return Scope(given or Scope.MINE)
    except ValueError:
        raise invalid("scope", "give MINE, BOARD, FINISHED or ALL") from None
