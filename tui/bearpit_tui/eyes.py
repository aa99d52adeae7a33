"""Looking through a player's eyes: with an operator's token, from `bearpit-admin player sudo`."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bearpit.client import connect
from bearpit.v1 import auth_pb2
from bearpit_tui.gateway import Connector, Gateway
from bearpit_tui.remote import Remote
from bearpit_tui.sessions import StoredSession


class NoEyes(ValueError):
    """A token that is none of a player."""


@dataclass(slots=True)
class BorrowedSession(StoredSession):
    """A sign-in that ends with its token, and is kept nowhere."""

    def save(self, refresh_token: str, name: str = "") -> None:
        """Nothing comes that could be kept."""

    def forget(self) -> None:
        """There is nothing to remove."""
        self.refresh_token = ""


def borrow(server: str, token: str) -> BorrowedSession:
    """The session that a token opens. The name in it is shown until the server has told who it is.

    Raises NoEyes for what is no access token.
    """
    try:
        body = token.split(".")[1]
        name = str(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["name"])
    except (IndexError, ValueError, KeyError, TypeError):
        raise NoEyes("it is no player's token; get one by `bearpit-admin player sudo NAME`") from None
    return BorrowedSession(Path(), server, name, token)


def connector(tls: bool | str) -> Connector:
    """Opens gateways that go on with a token in place of a stored sign-in."""

    @asynccontextmanager
    async def open_gateway(server: str, on_refresh_token: Callable[[str], None]) -> AsyncIterator[Gateway]:
        async with connect(server, tls=tls) as client:
            yield _Eyes(client)

    return open_gateway


class _Eyes(Remote):
    """One server, with a token that neither is renewed nor can be signed out."""

    async def resume(self, refresh_token: str) -> None:
        self._client.use_service_token(refresh_token)
        await self._client.auth.GetMe(auth_pb2.GetMeRequest())
