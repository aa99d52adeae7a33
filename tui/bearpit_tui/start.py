"""How the screen begins: which server, who, and whether a stored sign-in will do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bearpit.client import Client
from bearpit.v1 import auth_pb2
from bearpit_tui import sessions
from bearpit_tui.eyes import BorrowedSession, borrow
from bearpit_tui.sessions import StoredSession
from bearpit_tui.settings import Remembered, Settings

DEFAULT_SERVER = "127.0.0.1:7117"
DEFAULT_PORT = 7117


@dataclass(frozen=True, slots=True)
class Start:
    """What the screen begins with. An empty `password` means: ask."""

    server: str
    name: str = ""
    password: str = ""
    session: StoredSession | None = None


def with_port(server: str) -> str:
    """The address with the usual port, if it names none."""
    host, colon, port = server.rpartition(":")
    if not colon or server.endswith("]") or not port.isdigit() or (":" in host and not host.endswith("]")):
        return f"{server}:{DEFAULT_PORT}"
    return server


def begin(
    settings: Settings,
    remembered: Remembered,
    *,
    server: str = "",
    name: str = "",
    password: str = "",
    usual_server: str = "",
    session_file: Path | None = None,
    token: str = "",
) -> Start:
    """Choose the server: the option's, the session file's, the usual one, the last one, this machine's.

    The usual one is the environment's, or else the settings'. With a token it is the token's player, whoever
    is signed in. Raises `eyes.NoEyes`.
    """
    usual = usual_server or settings.server
    if session_file is not None and not token:
        session = sessions.open_file(session_file, with_port(server) if server else "")
        session.server = with_port(session.server or usual or DEFAULT_SERVER)
        return Start(session.server, name or session.name, password, session)
    server = with_port(server or usual or remembered.server or DEFAULT_SERVER)
    if token:
        return Start(server, session=borrow(server, token))
    return Start(server, name, password, sessions.find(server, name))


async def enter(client: Client, start: Start) -> None:
    """Sign a client in: by the stored sign-in, whose renewals are kept, or else by the password.

    Raises BearpitError.
    """
    session = start.session
    if session is None:
        await client.sign_in(start.name, start.password)
        return
    if isinstance(session, BorrowedSession):
        client.use_service_token(session.refresh_token)
        return

    def keep(tokens: auth_pb2.Tokens | None) -> None:
        if tokens is not None:
            session.save(tokens.refresh_token)

    client.on_tokens = keep
    await client.resume(session.refresh_token)
