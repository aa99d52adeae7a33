"""The command: which server, with which token or sign-in; then the wall."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bearpit_tui.options import existing, opening, parser_of, tls_of

if TYPE_CHECKING:
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
    parser = parser_of("bearpit board", "The game on a wall: ranks, movers, tape, announcements.", EPILOG)
    parser.add_argument("--token-file", metavar="FILE", type=existing, help="a file that holds the token")
    return parser


def main(arguments: list[str]) -> None:
    """Understand the options, then show the wall."""
    parser = options()
    chosen = parser.parse_args(arguments)
    # A service's token, so it is not the one that `opening` takes, which is a player's.
    token = os.environ.get("BEARPIT_TOKEN", "")
    if chosen.token_file is not None:
        token = chosen.token_file.read_text().strip()
    settings, start = opening(parser, chosen)
    if token and start.session is not None:
        # The screen on the same machine has use for it.
        start.session.release()
    if not token and not (chosen.name and (start.password or start.session)):
        parser.error(WITHOUT)

    from bearpit_tui.board.app import BoardApp
    from bearpit_tui.settings import GREEN_UP

    zone = datetime.now().astimezone().tzinfo or UTC
    watcher = _watcher(start, tls_of(chosen), token)
    app = BoardApp(watcher, zone=zone, colours=settings.colours or GREEN_UP)
    app.run()
    if app.failure:
        sys.exit(f"bearpit: {app.failure}")


def _watcher(start: Start, tls: bool | str, token: str) -> Watch:
    from bearpit.client import connect
    from bearpit_tui.board.source import RemoteRanks, watch
    from bearpit_tui.remote import Remote
    from bearpit_tui.start import enter

    async def follow(wall: Wall, changed: Callable[[], None]) -> None:
        async with connect(start.server, tls=tls) as client:
            if token:
                client.use_service_token(token)
            else:
                await enter(client, start)
            await watch(Remote(client), RemoteRanks(client), wall, changed)

    return follow
