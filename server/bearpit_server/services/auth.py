"""AuthService: who somebody is."""
# ruff: noqa: N802 - the methods are named by the contract

from functools import partial

import grpc
from bearpit.v1 import auth_pb2 as pb
from bearpit.v1.auth_pb2_grpc import AuthServiceServicer

from bearpit_server.game.codes import referrals
from bearpit_server.game.codes.referrals import Terms
from bearpit_server.identity.authority import Authority, SignedIn
from bearpit_server.identity.callers import origin, signed_in
from bearpit_server.rules.codes import normalise
from bearpit_server.rules.roles import MEANINGS, ROLES, Permission, permissions_of
from bearpit_server.services import translate
from bearpit_server.services.guessing import Guessing
from bearpit_server.storage.models import Player
from bearpit_server.storage.settings import Settings

Context = grpc.aio.ServicerContext[object, object]


class AuthService(AuthServiceServicer):
    """Translates between the contract and the Authority."""

    def __init__(self, authority: Authority, settings: Settings, guessing: Guessing) -> None:
        self._authority = authority
        self._settings = settings
        self._guessing = guessing

    async def Register(self, request: pb.RegisterRequest, context: Context) -> pb.RegisterResponse:
        """Make a player and sign it in."""
        by = origin(request.request_id)
        register = partial(self._authority.register, request.name, request.password, request.request_id, by)
        if request.referral:
            text, terms = normalise(request.referral, "referral"), Terms.of(self._settings)
            async with self._guessing.one(by):
                done = await register(lambda newcomer: referrals.introduce(newcomer, text, terms, by))
        else:
            done = await register()
        return pb.RegisterResponse(player=_oneself(done.player), tokens=_tokens(done))

    async def SignIn(self, request: pb.SignInRequest, context: Context) -> pb.SignInResponse:
        """Check a name and a password."""
        done = await self._authority.sign_in(request.name, request.password, origin())
        return pb.SignInResponse(player=_oneself(done.player), tokens=_tokens(done))

    async def RefreshToken(
        self, request: pb.RefreshTokenRequest, context: Context
    ) -> pb.RefreshTokenResponse:
        """Trade a refresh token for a new pair."""
        done = await self._authority.refresh(request.refresh_token, origin())
        return pb.RefreshTokenResponse(tokens=_tokens(done))

    async def SignOut(self, request: pb.SignOutRequest, context: Context) -> pb.SignOutResponse:
        """Void the sign-in of a refresh token."""
        await self._authority.sign_out(request.refresh_token, origin())
        return pb.SignOutResponse()

    async def SignOutEverywhere(
        self, request: pb.SignOutEverywhereRequest, context: Context
    ) -> pb.SignOutEverywhereResponse:
        """Void all sign-ins of the caller."""
        await self._authority.sign_out_everywhere(signed_in().player_id, origin())
        return pb.SignOutEverywhereResponse()

    async def ChangePassword(
        self, request: pb.ChangePasswordRequest, context: Context
    ) -> pb.ChangePasswordResponse:
        """Set a new password."""
        done = await self._authority.change_password(
            signed_in().player_id, request.old_password, request.new_password, origin()
        )
        return pb.ChangePasswordResponse(tokens=_tokens(done))

    async def GetMe(self, request: pb.GetMeRequest, context: Context) -> pb.GetMeResponse:
        """Tell who the caller is."""
        caller = signed_in()
        if caller.is_service:
            return pb.GetMeResponse(player=pb.Player(name=caller.name), scopes=sorted(caller.scopes))
        player = await self._authority.player(caller.player_id)
        return pb.GetMeResponse(player=_oneself(player), impersonated_by=caller.operator)

    async def ListRoles(self, request: pb.ListRolesRequest, context: Context) -> pb.ListRolesResponse:
        """The table of roles and permissions."""
        return pb.ListRolesResponse(
            roles=[
                pb.RoleTerms(
                    role=translate.ROLES[role.name],
                    name=role.name,
                    description=role.description,
                    includes=[translate.ROLES[name] for name in role.includes],
                    permissions=[one for one in Permission if one in permissions_of([role.name])],
                )
                for role in ROLES.values()
            ],
            permissions=[pb.PermissionTerms(name=one, description=MEANINGS[one]) for one in Permission],
        )


def _oneself(player: Player) -> pb.Player:
    """A player, told to itself."""
    return translate.player(player, permissions_of(player.roles))


def _tokens(done: SignedIn) -> pb.Tokens:
    return pb.Tokens(
        access_token=done.access_token,
        access_expires_at=translate.timestamp(done.access_expires_at),
        refresh_token=done.refresh_token,
        refresh_expires_at=translate.timestamp(done.refresh_expires_at),
    )
