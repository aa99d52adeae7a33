"""WalletService without its stream: the caller's cash and shares, postings, transfers."""
# ruff: noqa: N802 - the methods are named by the contract

import grpc
from bearpit.v1 import wallet_pb2 as pb

from bearpit_server.events.bus import Bus
from bearpit_server.game import instruments, transfers, wallets
from bearpit_server.game.transfers import Terms
from bearpit_server.game.wallets import EVERYTHING, Movement
from bearpit_server.identity import players
from bearpit_server.identity.callers import origin, signed_in
from bearpit_server.services import translate
from bearpit_server.services.idempotency import Done, Once
from bearpit_server.services.pages import Page
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import CASH
from bearpit_server.storage.settings import Settings

Context = grpc.aio.ServicerContext[object, object]

CASH_NAME = "cash"
"""In place of a symbol; symbols are upper case."""


class Wallet:
    """The unary RPCs of WalletService."""

    def __init__(self, database: Database, bus: Bus, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._once = Once(database, bus)

    async def GetWallet(self, request: pb.GetWalletRequest, context: Context) -> pb.GetWalletResponse:
        """Cash and positions."""
        wallet = await self._database.run(wallets.of, signed_in().player_id)
        return pb.GetWalletResponse(wallet=translate.wallet(wallet))

    async def ListPostings(
        self, request: pb.ListPostingsRequest, context: Context
    ) -> pb.ListPostingsResponse:
        """What moved cash or shares, newest first."""
        player_id = signed_in().player_id
        page = Page(request, owner=player_id)

        def read() -> list[Movement]:
            return wallets.movements(player_id, _asset(request.asset), page.after_id, page.limit)

        rows, token = page.close(await self._database.run(read), lambda movement: movement.posting_id)
        return pb.ListPostingsResponse(postings=map(translate.posting, rows), next_page_token=token)

    async def Transfer(self, request: pb.TransferRequest, context: Context) -> pb.TransferResponse:
        """Give cash to another player."""
        sender_id, by = signed_in().player_id, origin(request.request_id)
        terms = Terms(
            self._settings.number("transfer_fee_bps"), self._settings.number("transfer_minimum_cents")
        )

        def work() -> Done[pb.TransferResponse]:
            recipient = players.get(request.to_player)
            sent = transfers.send(sender_id, recipient, request.amount_cents, request.note, terms, by)
            response = pb.TransferResponse(
                transfer_id=0 if request.validate_only else sent.transfer_id,
                amount_cents=request.amount_cents,
                fee_cents=sent.fee_cents,
                free_cash_after_cents=sent.free_cash_after_cents,
            )
            return Done(response, sent.changes)

        return await self._once.run(request, by, pb.TransferResponse, work)


def _asset(name: str) -> int:
    """Raises Refused NOT_FOUND for an instrument that there is not."""
    if not name:
        return EVERYTHING
    return CASH if name == CASH_NAME else int(instruments.get(name).id)
