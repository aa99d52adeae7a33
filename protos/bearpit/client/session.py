"""The client's side of being signed in: the tokens, and their renewal without anybody's asking."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import grpc

from bearpit.client.errors import BearpitError
from bearpit.v1.auth_pb2 import Player, Tokens

MIN_TOKEN_AGE = 60.0
"""A token younger than this is not renewed ahead of time: the two clocks may disagree about the date."""


class Session:
    """Who the client is to the server. Renewals by many calls at once are one renewal."""

    def __init__(
        self,
        refresh: Callable[[str], Awaitable[Tokens]],
        refresh_ahead: float,
        on_tokens: Callable[[Tokens | None], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.player: Player | None = None
        self.tokens: Tokens | None = None
        self.on_tokens = on_tokens
        self._refresh = refresh
        self._refresh_ahead = refresh_ahead
        self._clock = clock
        self._taken_at = 0.0
        self._service_secret = ""
        self._renewal: asyncio.Task[None] | None = None

    def take(self, tokens: Tokens | None, player: Player | None = None) -> None:
        """Go on with these tokens; None: signed out. Tells `on_tokens`."""
        self.tokens = tokens
        self._taken_at = self._clock()
        if tokens is None:
            self.player = None
        elif player is not None:
            self.player = player
        if self.on_tokens is not None:
            self.on_tokens(tokens)

    def use_service_token(self, secret: str) -> None:
        """Call as a service; its secret neither ends nor is renewed. Line breaks around it do not count.

        Raises BearpitError NOT_SIGNED_IN for what can be no secret: gRPC would fail on it without a word.
        """
        secret = secret.strip()
        if not (secret.isascii() and secret.isprintable()):
            raise BearpitError(
                grpc.StatusCode.UNAUTHENTICATED, "NOT_SIGNED_IN", "this is no token; copy it once more, whole"
            )
        self._service_secret = secret

    @property
    def can_renew(self) -> bool:
        return self.tokens is not None and not self._service_secret

    async def bearer(self) -> str:
        """What goes into the metadata of a call; empty when not signed in. Renews what is about to end."""
        if self._service_secret or self.tokens is None:
            return self._service_secret
        now = self._clock()
        ends = self.tokens.access_expires_at.seconds
        if ends - now < self._refresh_ahead and now - self._taken_at >= MIN_TOKEN_AGE:
            try:
                await self.renew(self.tokens.access_token)
            except BearpitError as error:
                # While the old token still holds, a server that is away is the call's business.
                if error.code is grpc.StatusCode.UNAUTHENTICATED:
                    raise
        return self.tokens.access_token if self.tokens is not None else ""

    async def renew(self, stale: str) -> None:
        """Replace the access token `stale`; nothing to do if somebody has replaced it already.

        Raises BearpitError UNAUTHENTICATED when the sign-in is void.
        """
        if self.tokens is None or self.tokens.access_token != stale:
            return
        if self._renewal is None:
            self._renewal = asyncio.get_running_loop().create_task(self._renew(self.tokens.refresh_token))
            self._renewal.add_done_callback(self._renewed)
        # Shielded: the refresh token is good once, so a renewal must not die with the call that began it.
        await asyncio.shield(self._renewal)

    async def _renew(self, refresh_token: str) -> None:
        try:
            tokens = await self._refresh(refresh_token)
        except BearpitError as error:
            if error.code is grpc.StatusCode.UNAUTHENTICATED:
                self.take(None)
            raise
        self.take(tokens)

    def _renewed(self, task: asyncio.Task[None]) -> None:
        self._renewal = None
        if not task.cancelled():
            task.exception()  # read, or asyncio complains when every caller was cancelled meanwhile

    async def close(self) -> None:
        """Let a renewal under way finish, so that its tokens reach `on_tokens`."""
        if self._renewal is not None:
            await asyncio.wait([self._renewal])
