"""`bearpit`: the game in the terminal. Slow imports wait until the options are understood."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path

COMMANDS = ("board", "verify")
"""What can stand in front of the options: each is a module with a `main` of its own."""

EPILOG = """\
examples:
  bearpit                                 the server played on last, or this machine's
  bearpit --server camp.example:7117      another one
  bearpit --server camp.example --tls --name ada
  bearpit board                           the game on a wall, for a projector
  bearpit verify 17                       compute a finished duel again

The password is asked for on the screen, or taken from BEARPIT_PASSWORD. With BEARPIT_TOKEN, from
`bearpit-admin player sudo`, operators look through a player's eyes. Settings are read from settings.toml
in the config folder, or in BEARPIT_HOME. Inside, press ? for help.
"""


def options() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = argparse.ArgumentParser(
        prog="bearpit",
        description="Bearpit: trade against each other in the terminal.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--server", metavar="HOST[:PORT]", help="default: the last one, or 127.0.0.1:7117")
    parser.add_argument("--name", default="", help="who to sign in as")
    parser.add_argument("--tls", action="store_true", help="encrypt, trusting the usual authorities")
    parser.add_argument(
        "--ca", metavar="FILE", type=Path, help="encrypt, trusting the authority in a PEM file"
    )
    parser.add_argument(
        "--session",
        metavar="FILE",
        type=Path,
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
    if chosen.ca is not None and not chosen.ca.is_file():
        parser.error(f"--ca: there is no file {chosen.ca}")
    if chosen.session is not None and not chosen.session.is_file():
        parser.error(f"--session: there is no file {chosen.session}")

    from bearpit_tui.settings import SettingsError, load_remembered, load_settings
    from bearpit_tui.start import begin

    try:
        settings = load_settings()
    except SettingsError as error:
        parser.exit(2, f"bearpit: {error}\n")

    from bearpit_tui import eyes, remote
    from bearpit_tui.app import BearpitApp, Surroundings
    from bearpit_tui.widgets.pauses import shorten_pauses

    token = os.environ.get("BEARPIT_TOKEN", "")
    try:
        start = begin(
            settings,
            load_remembered(),
            server=chosen.server or "",
            name=chosen.name,
            password=os.environ.get("BEARPIT_PASSWORD", ""),
            session_file=chosen.session,
            token=token,
        )
    except eyes.NoEyes as error:
        parser.error(f"BEARPIT_TOKEN: {error}")
    tls: bool | str = str(chosen.ca) if chosen.ca is not None else bool(chosen.tls)
    connector = eyes.connector(tls) if token else remote.connector(tls)
    BearpitApp(start, connector, settings, Surroundings(when_open=shorten_pauses)).run()


if __name__ == "__main__":
    main()
