"""WalletService without its stream: the caller's cash and shares, postings, transfers."""
# ruff: noqa: N802 - the methods are named by the contract

import grpc
from bearpit.v1 import wallet_pb2 as pb

from bearpit_server.events.bus import Bus
from bearpit_server.game.points import debts, transfers, wallets
from bearpit_server.game.points.debts import ComebackTerms
from bearpit_server.game.points.transfers import Terms
from bearpit_server.game.points.wallets import DEBT, EVERYTHING, Movement
from bearpit_server.game.trading import instruments
from bearpit_server.identity import players
from bearpit_server.identity.callers import origin, signed_in
from bearpit_server.services import translate
from bearpit_server.services.idempotency import Done, Once
from bearpit_server.services.market import Exchange
from bearpit_server.services.pages import Page
from bearpit_server.storage.clock import now
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import CASH, Player
from bearpit_server.storage.settings import Settings

Context = grpc.aio.ServicerContext[object, object]

CASH_NAME = "cash"
DEBT_NAME = "debt"
"""In place of a symbol; symbols are upper case."""


class Wallet:
    """The unary RPCs of WalletService."""

    def __init__(self, exchange: Exchange, database: Database, bus: Bus, settings: Settings) -> None:
        self._exchange = exchange
        self._database = database
        self._settings = settings
        self._once = Once(database, bus)

    async def GetWallet(self, request: pb.GetWalletRequest, context: Context) -> pb.GetWalletResponse:
        """Cash and positions, and what could be borrowed."""
        player_id, prices = signed_in().player_id, self._prices()
        terms = ComebackTerms.of(self._settings)

        def read() -> pb.Wallet:
            wallet = wallets.of(player_id)
            made = translate.wallet(wallet)
            owner = Player.get_by_id(player_id)
            made.credit_cents = owner.credit_cents
            made.comeback_cents = debts.comeback_on_offer(player_id, wallet, prices, terms)
            if owner.fee_off_until is not None and owner.fee_off_until > now():
                made.fee_off_bps = owner.fee_off_bps
                made.fee_off_until.CopyFrom(translate.timestamp(owner.fee_off_until))
            return made

        return pb.GetWalletResponse(wallet=await self._database.run(read))

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
            self._settings.number("transfer_fee_bps"),
            self._settings.number("transfer_minimum_cents"),
            self._settings.number("transfer_day_cents"),
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

    async def TakeComebackLoan(
        self, request: pb.TakeComebackLoanRequest, context: Context
    ) -> pb.TakeComebackLoanResponse:
        """Lend the caller enough to begin again."""
        player_id, by = signed_in().player_id, origin(request.request_id)
        prices, terms = self._prices(), ComebackTerms.of(self._settings)

        def work() -> Done[pb.TakeComebackLoanResponse]:
            debt, left, changes = debts.take_comeback(player_id, prices, terms, by)
            response = pb.TakeComebackLoanResponse(
                amount_cents=terms.amount_cents, debt_cents=debt, left=left
            )
            return Done(response, changes)

        return await self._once.run(request, by, pb.TakeComebackLoanResponse, work)

    def _prices(self) -> dict[str, int]:
        """The latest price of each instrument, in cents by symbol."""
        return {quote.symbol: quote.last_cents for quote in self._exchange.quotes.values()}


def _asset(name: str) -> int:
    """Raises Refused NOT_FOUND for an instrument that there is not."""
    if not name:
        return EVERYTHING
    if name in (CASH_NAME, DEBT_NAME):
        return CASH if name == CASH_NAME else DEBT
    return int(instruments.get(name).id)
