"""`bearpit`: the game in the terminal. Slow imports wait until the options are understood."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from bearpit_tui.options import existing, opening, parser_of, tls_of

COMMANDS = ("board", "verify")
"""What can stand in front of the options: each is a module with a `main` of its own."""

EPILOG = """\
examples:
  bearpit                                 the server played on last, or this machine's
  bearpit --server camp.example:7117      another one
  bearpit --server camp.example --tls --name ada
  bearpit board                           the game on a wall, for a projector
  bearpit verify 17                       compute a finished duel again

The password is asked for on the screen, or taken from BEARPIT_PASSWORD. BEARPIT_SERVER is the server
where --server is not given. With BEARPIT_TOKEN, from `bearpit-admin player sudo`, operators look through a
player's eyes. Settings are read from settings.toml in the config folder, or in BEARPIT_HOME. Inside, press
? for help.
"""


def options() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = parser_of("bearpit", "Bearpit: trade against each other in the terminal.", EPILOG)
    parser.add_argument(
        "--session",
        metavar="FILE",
        type=existing,
        help='use a sign-in kept in a file: {"server", "refresh_token"}',
    )
    parser.add_argument(
        "--settings", action="store_true", help="tell where the settings are, with an example"
    )
    parser.add_argument("--version", action="store_true", help="say which version this is")
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Understand the options, then open the screen."""
    given = sys.argv[1:] if arguments is None else arguments
    if given and given[0] in COMMANDS:
        import_module(f"bearpit_tui.{given[0]}").main(given[1:])
        return
    parser = options()
    chosen = parser.parse_args(given)
    if chosen.version:
        from importlib.metadata import version

        sys.stdout.write(f"bearpit {version('bearpit')}\n")
        return
    if chosen.settings:
        from bearpit_tui.settings import EXAMPLE, settings_path

        sys.stdout.write(f"{settings_path()}\n\n{EXAMPLE}")
        return
    token = os.environ.get("BEARPIT_TOKEN", "")
    settings, start = opening(parser, chosen, token=token, session_file=chosen.session)

    from bearpit_tui import eyes, remote
    from bearpit_tui.app import BearpitApp, Surroundings
    from bearpit_tui.widgets.pauses import shorten_pauses

    connector = eyes.connector(tls_of(chosen)) if token else remote.connector(tls_of(chosen))
    BearpitApp(start, connector, settings, Surroundings(when_open=shorten_pauses)).run()


if __name__ == "__main__":
    main()
