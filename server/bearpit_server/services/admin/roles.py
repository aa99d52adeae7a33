"""The operators' RPCs on what players are, and on looking through their eyes."""
# ruff: noqa: N802 - the methods are named by the contract

from collections.abc import Iterable

from bearpit.v1 import admin_pb2 as pb
from bearpit.v1 import auth_pb2

from bearpit_server.events.log import Origin
from bearpit_server.game.texts import line
from bearpit_server.identity import impersonation, players
from bearpit_server.identity.callers import signed_in
from bearpit_server.rules import roles
from bearpit_server.rules.refusals import invalid
from bearpit_server.services import translate
from bearpit_server.services.admin.desk import AtDesk, Context
from bearpit_server.services.idempotency import Done

_NAMES = {value: name for name, value in translate.ROLES.items()}
MAX_REASON = 140


class Roles(AtDesk):
    """Granting and taking roles, and lending a player's eyes."""

    async def SetRoles(self, request: pb.SetRolesRequest, context: Context) -> pb.SetRolesResponse:
        """Say what a player is from now on."""
        caller, wanted = signed_in(), named(request.roles)
        expected = named(request.expected_roles, "expected_roles") if request.expected_roles else []

        def work(by: Origin) -> Done[pb.SetRolesResponse]:
            done = players.set_roles(request.name, wanted, expected, caller, by)
            return Done(
                pb.SetRolesResponse(
                    player=translate.player(done.player),
                    gained_permissions=done.gained,
                    lost_permissions=done.lost,
                )
            )

        response = await self._desk.once(request, pb.SetRolesResponse, work)
        self._desk.authority.forget(response.player.player_id)
        return response

    async def Impersonate(self, request: pb.ImpersonateRequest, context: Context) -> pb.ImpersonateResponse:
        """Lend an operator a player's eyes."""
        caller, reason = signed_in(), line("reason", request.reason, 1, MAX_REASON)

        def work(by: Origin) -> Done[pb.ImpersonateResponse]:
            player, operator = impersonation.begin(request.name, caller, reason, by)
            kept = pb.ImpersonateResponse(player=translate.player(player))
            if request.validate_only:
                return Done(kept)
            token, ends = self._desk.authority.lend_eyes(player, operator, caller.sign_in_id)
            lent = pb.ImpersonateResponse(
                player=kept.player, access_token=token, access_expires_at=translate.timestamp(ends)
            )
            return Done(lent, kept=kept)

        return await self._desk.once(request, pb.ImpersonateResponse, work)


def named(wanted: "Iterable[auth_pb2.Role]", field: str = "roles") -> list[str]:
    """The names of these roles, each once. Raises Refused INVALID_FIELD for none, or one that is not."""
    given = set(wanted)
    if not given or not given <= _NAMES.keys():
        raise invalid(field, f"give some of {', '.join(roles.ROLES)}")
    return sorted(_NAMES[role] for role in given)
