"""The options that `bearpit` and its commands share: which server, the way to it, and as whom."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bearpit_tui.settings import Settings
    from bearpit_tui.start import Start


def parser_of(prog: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """The parser of a command, to which it adds what is its own."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--server",
        metavar="HOST[:PORT]",
        default="",
        help="default: BEARPIT_SERVER, the settings', the last one, or 127.0.0.1:7117",
    )
    parser.add_argument("--name", default="", help="who to sign in as")
    parser.add_argument("--tls", action="store_true", help="encrypt, trusting the usual authorities")
    parser.add_argument(
        "--ca", metavar="FILE", type=existing, help="encrypt, trusting the authority in a PEM file"
    )
    return parser


def existing(written: str) -> Path:
    """A file that is there, as the type of an option."""
    path = Path(written)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {path}")
    return path


def tls_of(chosen: argparse.Namespace) -> bool | str:
    """Whether to encrypt, as the client takes it; a text is the file of the authority to trust."""
    return str(chosen.ca) if chosen.ca is not None else bool(chosen.tls)


def opening(
    parser: argparse.ArgumentParser,
    chosen: argparse.Namespace,
    *,
    token: str = "",
    session_file: Path | None = None,
) -> tuple[Settings, Start]:
    """The settings, and what to begin with, by the options and the environment.

    `token`: of the player to be, as `bearpit-admin player sudo` gives it; empty: sign-ins are gone by.
    Exits with 2, and says why, where the settings or the token will not do.
    """
    # What follows imports the wire; `--help` does without it.
    from bearpit_tui.eyes import NoEyes
    from bearpit_tui.settings import SettingsError, load_remembered, load_settings
    from bearpit_tui.start import begin

    try:
        settings = load_settings()
    except SettingsError as error:
        parser.exit(2, f"bearpit: {error}\n")
    try:
        start = begin(
            settings,
            load_remembered(),
            server=chosen.server,
            name=chosen.name,
            password=os.environ.get("BEARPIT_PASSWORD", ""),
            usual_server=os.environ.get("BEARPIT_SERVER", ""),
            session_file=session_file,
            token=token,
        )
    except NoEyes as error:
        parser.error(f"BEARPIT_TOKEN: {error}")
    return settings, start
