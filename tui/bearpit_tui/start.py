"""How the screen begins: which server, who, and whether a stored sign-in will do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bearpit_tui import sessions
from bearpit_tui.eyes import borrow
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
    session_file: Path | None = None,
    token: str = "",
) -> Start:
    """Choose the server: the option's, the session file's, the settings', the last one, this machine's.

    With a token it is the token's player, whoever is signed in. Raises `eyes.NoEyes`.
    """
    if token:
        server = with_port(server or settings.server or remembered.server or DEFAULT_SERVER)
        return Start(server, session=borrow(server, token))
    if session_file is not None:
        session = sessions.open_file(session_file, with_port(server) if server else "")
        session.server = with_port(session.server or settings.server or DEFAULT_SERVER)
        return Start(session.server, name or session.name, password, session)
    server = with_port(server or settings.server or remembered.server or DEFAULT_SERVER)
    return Start(server, name, password, sessions.find(server, name))
