"""The operators' RPCs on players."""
# ruff: noqa: N802 - the methods are named by the contract

from bearpit.v1 import admin_pb2 as pb
from bearpit.v1 import auth_pb2

from bearpit_server.events.log import Origin
from bearpit_server.game import players as game_players
from bearpit_server.game.points import adjustments, wallets
from bearpit_server.identity import players, sign_ins
from bearpit_server.identity.callers import origin, signed_in
from bearpit_server.identity.names import check_name, check_password
from bearpit_server.identity.passwords import make_up
from bearpit_server.rules.orders import EndReason
from bearpit_server.rules.refusals import invalid
from bearpit_server.rules.roles import lacking, permissions_of
from bearpit_server.rules.units import MAX_AMOUNT_CENTS
from bearpit_server.services import translate
from bearpit_server.services.admin.desk import AtDesk, Context, check_another
from bearpit_server.services.admin.roles import named
from bearpit_server.services.idempotency import Done, without_secret
from bearpit_server.services.pages import Page
from bearpit_server.storage.models.teams import Team


class Players(AtDesk):
    """Making, finding, changing players."""

    async def CreatePlayer(
        self, request: pb.CreatePlayerRequest, context: Context
    ) -> pb.CreatePlayerResponse:
        """Make a player, or one of the staff."""
        check_name(request.name)
        cash = request.cash_cents
        if not request.HasField("cash_cents"):
            cash = self._desk.settings.number("starting_cash_cents")
        if not 0 <= cash <= MAX_AMOUNT_CENTS:
            raise invalid("cash_cents", f"give a number from 0 to {MAX_AMOUNT_CENTS}")
        wanted = named(request.roles or [auth_pb2.ROLE_PLAYER])
        lacking(permissions_of(wanted), signed_in().permissions, "granting this")
        made_up, password_hash = await self._password(request.password, request.validate_only)

        def work(by: Origin) -> Done[pb.CreatePlayerResponse]:
            adjustments.require_cash(cash, "cash_cents")
            made = players.create_player(request.name, password_hash, wanted, cash, by)
            kept = pb.CreatePlayerResponse(player=translate.player(made))
            return Done(pb.CreatePlayerResponse(player=kept.player, password=made_up), kept=kept)

        bare = pb.CreatePlayerRequest()
        bare.CopyFrom(request)
        bare.password = ""
        body = await without_secret(bare, request.password)
        return await self._desk.once(request, pb.CreatePlayerResponse, work, body)

    async def ListPlayers(self, request: pb.ListPlayersRequest, context: Context) -> pb.ListPlayersResponse:
        """List players by id."""
        page = Page(request)
        found = await self._desk.database.run(
            game_players.search, request.search, page.after_id or 0, page.limit
        )
        rows, token = page.close(found, lambda summary: summary.player.id)
        return pb.ListPlayersResponse(players=map(translate.summary, rows), next_page_token=token)

    async def GetPlayer(self, request: pb.GetPlayerRequest, context: Context) -> pb.GetPlayerResponse:
        """A player with the wallet."""

        def read() -> pb.GetPlayerResponse:
            player = players.get(request.name)
            wallet = translate.wallet(wallets.of(player.id))
            wallet.credit_cents = player.credit_cents
            team = Team.get_or_none(Team.id == player.team_id)
            return pb.GetPlayerResponse(
                player=translate.player(player), wallet=wallet, team_name=team.name if team else ""
            )

        return await self._desk.database.run(read)

    async def SetPlayerDisabled(
        self, request: pb.SetPlayerDisabledRequest, context: Context
    ) -> pb.SetPlayerDisabledResponse:
        """Disable or enable a player."""
        caller_id = signed_in().player_id

        def work(by: Origin) -> Done[pb.SetPlayerDisabledResponse]:
            player = players.get(request.name)
            cancelled = 0
            if request.disabled:
                if player.id == caller_id:
                    raise invalid("name", "you cannot disable yourself; ask another operator")
                game_players.lock_out(player.id)
                cancelled = game_players.count_open_orders(player.id)
            player = players.set_disabled(player, request.disabled, by)
            if request.disabled:
                sign_ins.end_all(player.id, by)
            return Done(
                pb.SetPlayerDisabledResponse(player=translate.player(player), cancelled_orders=cancelled)
            )

        response = await self._desk.once(request, pb.SetPlayerDisabledResponse, work)
        if not request.validate_only:
            await self._after_disabling(response.player.player_id, origin(request.request_id))
        return response

    async def _after_disabling(self, player_id: int, by: Origin) -> None:
        """Cancel the orders of a player who is disabled by now: this may be a late repetition."""
        self._desk.authority.forget(player_id)
        player = await self._desk.database.run(players.by_id, player_id)
        if player.disabled:
            await self._desk.exchange.cancel_all(player_id, None, by, EndReason.DISABLED)

    async def ResetPassword(
        self, request: pb.ResetPasswordRequest, context: Context
    ) -> pb.ResetPasswordResponse:
        """Set somebody's password and sign out everywhere."""
        made_up, password_hash = await self._password(request.password, request.validate_only)

        def work(by: Origin) -> Done[pb.ResetPasswordResponse]:
            player = players.get(request.name)
            lacking(permissions_of(player.roles), permissions, f"a new password for {player.name}")
            players.set_password(player.id, password_hash, by)
            sign_ins.end_all(player.id, by)
            changed.append(player.id)
            return Done(pb.ResetPasswordResponse(password=made_up), kept=pb.ResetPasswordResponse())

        permissions = signed_in().permissions
        changed: list[int] = []
        bare = pb.ResetPasswordRequest()
        bare.CopyFrom(request)
        bare.password = ""
        body = await without_secret(bare, request.password)
        response = await self._desk.once(request, pb.ResetPasswordResponse, work, body)
        for player_id in changed:
            self._desk.authority.forget(player_id)
        return response

    async def AdjustBalance(
        self, request: pb.AdjustBalanceRequest, context: Context
    ) -> pb.AdjustBalanceResponse:
        """Give or take cash or shares."""
        caller = signed_in()

        def work(by: Origin) -> Done[pb.AdjustBalanceResponse]:
            player = players.get(request.name)
            check_another(caller, player.id)
            movement, changes = adjustments.adjust(
                player.id, request.symbol, request.amount, request.reason, by
            )
            return Done(pb.AdjustBalanceResponse(posting=translate.posting(movement)), changes)

        return await self._desk.once(request, pb.AdjustBalanceResponse, work)

    async def _password(self, given: str, rehearsal: bool) -> tuple[str, str]:
        """The password that was made up, if none was given, and the hash of the one that holds."""
        if given:
            check_password(given)
        if rehearsal:
            return "", ""
        made_up = "" if given else make_up()
        return made_up, await self._desk.authority.passwords.hash(given or made_up)
