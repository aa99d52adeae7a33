"""The operators' RPCs on freezing, credit lines and debts."""
# ruff: noqa: N802 - the methods are named by the contract

from bearpit.v1 import admin_pb2 as pb

from bearpit_server.events.log import Origin
from bearpit_server.game import players as game_players
from bearpit_server.game.points import debts, wallets
from bearpit_server.game.points.wallets import DEBT, Movement
from bearpit_server.game.texts import NOTE, line
from bearpit_server.identity import players
from bearpit_server.identity.callers import origin, signed_in
from bearpit_server.rules.orders import EndReason
from bearpit_server.rules.refusals import invalid
from bearpit_server.services import translate
from bearpit_server.services.admin.desk import AtDesk, Context, check_another
from bearpit_server.services.idempotency import Done
from bearpit_server.services.pages import Page


class Debts(AtDesk):
    """Freezing players, and what they owe."""

    async def SetFrozen(self, request: pb.SetFrozenRequest, context: Context) -> pb.SetFrozenResponse:
        """Freeze a player, or let him play again."""
        line("reason", request.reason, 1, NOTE)
        caller_id = signed_in().player_id

        def work(by: Origin) -> Done[pb.SetFrozenResponse]:
            player = players.get(request.name)
            cancelled = 0
            if request.frozen:
                if player.id == caller_id:
                    raise invalid("name", "you cannot freeze yourself; ask another operator")
                game_players.lock_out(player.id)
                cancelled = game_players.count_open_orders(player.id)
            player = players.set_frozen(player, request.frozen, request.reason, by)
            made = pb.SetFrozenResponse(player=translate.player(player), cancelled_orders=cancelled)
            return Done(made)

        response = await self._desk.once(request, pb.SetFrozenResponse, work)
        if not request.validate_only:
            self._desk.authority.forget(response.player.player_id)
            player = await self._desk.database.run(players.by_id, response.player.player_id)
            if player.frozen:  # by now: this may be a late repetition
                by = origin(request.request_id)
                await self._desk.exchange.cancel_all(player.id, None, by, EndReason.DISABLED)
        return response

    async def SetCredit(self, request: pb.SetCreditRequest, context: Context) -> pb.SetCreditResponse:
        """Set a credit line."""
        caller = signed_in()

        def work(by: Origin) -> Done[pb.SetCreditResponse]:
            player = players.get(request.name)
            check_another(caller, player.id)
            debt = debts.set_credit(player, request.credit_cents, request.reason, by)
            return Done(pb.SetCreditResponse(credit_cents=request.credit_cents, debt_cents=debt))

        return await self._desk.once(request, pb.SetCreditResponse, work)

    async def SetDebt(self, request: pb.SetDebtRequest, context: Context) -> pb.SetDebtResponse:
        """Set what a player owes."""
        caller = signed_in()

        def work(by: Origin) -> Done[pb.SetDebtResponse]:
            player = players.get(request.name)
            check_another(caller, player.id)
            before, changes = debts.set_debt(player, request.debt_cents, request.reason, by)
            return Done(pb.SetDebtResponse(before_cents=before, debt_cents=request.debt_cents), changes)

        return await self._desk.once(request, pb.SetDebtResponse, work)

    async def ListDebts(self, request: pb.ListDebtsRequest, context: Context) -> pb.ListDebtsResponse:
        """Who owes the house."""
        page = Page(request)
        found = await self._desk.database.run(debts.owed, page.after_numbers(2), page.limit)
        rows, token = page.close(found, lambda row: f"{row.debt_cents}-{row.account_id}")
        return pb.ListDebtsResponse(
            debts=[
                pb.Debt(name=row.name, debt_cents=row.debt_cents, credit_cents=row.credit_cents)
                for row in rows
            ],
            next_page_token=token,
        )

    async def ListDebtPostings(
        self, request: pb.ListDebtPostingsRequest, context: Context
    ) -> pb.ListDebtPostingsResponse:
        """The history of a player's debt."""
        page = Page(request)

        def read() -> list[Movement]:
            return wallets.movements(players.get(request.name).id, DEBT, page.after_id, page.limit)

        rows, token = page.close(await self._desk.database.run(read), lambda movement: movement.posting_id)
        return pb.ListDebtPostingsResponse(postings=map(translate.posting, rows), next_page_token=token)
