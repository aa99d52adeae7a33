"""The operators' RPCs on tokens for other services."""
# ruff: noqa: N802 - the methods are named by the contract

from bearpit.v1 import admin_pb2 as pb

from bearpit_server.events.log import Origin
from bearpit_server.identity import service_tokens
from bearpit_server.services import translate
from bearpit_server.services.admin.desk import AtDesk, Context
from bearpit_server.services.idempotency import Done


class Tokens(AtDesk):
    """Making, listing, revoking service tokens."""

    async def CreateServiceToken(
        self, request: pb.CreateServiceTokenRequest, context: Context
    ) -> pb.CreateServiceTokenResponse:
        """Make a token; its secret is told once."""

        def work(by: Origin) -> Done[pb.CreateServiceTokenResponse]:
            made, secret = service_tokens.create(request.name, request.scopes, by)
            kept = pb.CreateServiceTokenResponse(service_token=translate.service_token(made))
            if request.validate_only:
                return Done(kept)
            told = pb.CreateServiceTokenResponse(service_token=kept.service_token, secret=secret)
            return Done(told, kept=kept)

        return await self._desk.once(request, pb.CreateServiceTokenResponse, work)

    async def ListServiceTokens(
        self, request: pb.ListServiceTokensRequest, context: Context
    ) -> pb.ListServiceTokensResponse:
        """All tokens, without their secrets."""
        found = await self._desk.database.run(service_tokens.list_all)
        return pb.ListServiceTokensResponse(service_tokens=map(translate.service_token, found))

    async def RevokeServiceToken(
        self, request: pb.RevokeServiceTokenRequest, context: Context
    ) -> pb.RevokeServiceTokenResponse:
        """End a token."""

        def work(by: Origin) -> Done[pb.RevokeServiceTokenResponse]:
            revoked = service_tokens.revoke(request.name, by)
            return Done(pb.RevokeServiceTokenResponse(service_token=translate.service_token(revoked)))

        response = await self._desk.once(request, pb.RevokeServiceTokenResponse, work)
        self._desk.authority.forget_services()
        return response
