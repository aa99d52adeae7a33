"""The command: which server, with which token or sign-in; then the wall."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bearpit.client import Client
    from bearpit.v1 import auth_pb2
    from bearpit_tui.board.app import Watch
    from bearpit_tui.board.model import Wall
    from bearpit_tui.start import Start

EPILOG = """\
examples:
  bearpit board                                       with BEARPIT_TOKEN, on the server played on last
  bearpit board --server camp.example --tls --token-file board.token
  bearpit board --name ada                            with a sign-in; the password from BEARPIT_PASSWORD

Made for a projector: ranks, movers, the tape and what the operators announce. It cannot trade. Its token
is made by an operator, once:

  bearpit-admin token create board --scope market.read > board.token

q ends it.
"""
WITHOUT = """no token: set BEARPIT_TOKEN, or give --token-file or --name. An operator makes a token with
  bearpit-admin token create board --scope market.read"""


def options() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="bearpit board",
        description="The game on a wall: ranks, movers, tape, announcements.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--server", metavar="HOST[:PORT]", help="default: the last one, or 127.0.0.1:7117")
    parser.add_argument("--tls", action="store_true", help="encrypt, trusting the usual authorities")
    parser.add_argument(
        "--ca", metavar="FILE", type=Path, help="encrypt, trusting the authority in a PEM file"
    )
    parser.add_argument("--token-file", metavar="FILE", type=Path, help="a file that holds the token")
    parser.add_argument("--name", default="", help="sign in as somebody instead")
    return parser


def main(arguments: list[str]) -> None:
    """Understand the options, then show the wall."""
    parser = options()
    chosen = parser.parse_args(arguments)
    for name in ("ca", "token_file"):
        path = getattr(chosen, name)
        if path is not None and not path.is_file():
            parser.error(f"--{name.replace('_', '-')}: there is no file {path}")
    token = os.environ.get("BEARPIT_TOKEN", "")
    if chosen.token_file is not None:
        token = chosen.token_file.read_text().strip()

    from bearpit_tui.settings import GREEN_UP, SettingsError, load_remembered, load_settings
    from bearpit_tui.start import begin

    try:
        settings = load_settings()
    except SettingsError as error:
        parser.exit(2, f"bearpit: {error}\n")
    password = os.environ.get("BEARPIT_PASSWORD", "")
    start = begin(
        settings, load_remembered(), server=chosen.server or "", name=chosen.name, password=password
    )
    if not token and not (chosen.name and (password or start.session)):
        parser.error(WITHOUT)

    from bearpit_tui.board.app import BoardApp

    tls: bool | str = str(chosen.ca) if chosen.ca is not None else bool(chosen.tls)
    zone = datetime.now().astimezone().tzinfo or UTC
    app = BoardApp(_watcher(start, tls, token), zone=zone, colours=settings.colours or GREEN_UP)
    app.run()
    if app.failure:
        sys.exit(f"bearpit: {app.failure}")


def _watcher(start: Start, tls: bool | str, token: str) -> Watch:
    from bearpit.client import connect
    from bearpit_tui.board.source import RemoteRanks, watch
    from bearpit_tui.remote import Remote

    async def follow(wall: Wall, changed: Callable[[], None]) -> None:
        async with connect(start.server, tls=tls) as client:
            await _enter(client, start, token)
            await watch(Remote(client), RemoteRanks(client), wall, changed)

    return follow


async def _enter(client: Client, start: Start, token: str) -> None:
    if token:
        client.use_service_token(token)
    elif (session := start.session) is not None:

        def keep(tokens: auth_pb2.Tokens | None) -> None:
            if tokens is not None:
                session.save(tokens.refresh_token)

        client.on_tokens = keep
        await client.resume(session.refresh_token)
    else:
        await client.sign_in(start.name, start.password)
