"""`bearpit verify 17`: take a finished duel apart, without trusting the server's word on who has won."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bearpit.client import Client
    from bearpit.v1 import auth_pb2, duels_pb2
    from bearpit_tui.sessions import StoredSession

EPILOG = """\
examples:
  bearpit verify 17                            on the server played on last
  bearpit verify 17 --server camp.example --name ada

Every hash is computed again, and each round, the ending and the money are checked; moves that were made on
this machine are compared with what it kept. Ends with 0 if all is as it must be, else with 1.

It takes the stored sign-in, unless the screen is open with it, or else BEARPIT_PASSWORD, or asks.
"""


def options() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="bearpit verify",
        description="Verify a finished duel.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("duel", type=int, metavar="DUEL", help="the duel's number")
    parser.add_argument("--server", metavar="HOST[:PORT]", help="default: the last one, or 127.0.0.1:7117")
    parser.add_argument("--name", default="", help="who to sign in as")
    parser.add_argument("--tls", action="store_true", help="encrypt, trusting the usual authorities")
    parser.add_argument(
        "--ca", metavar="FILE", type=Path, help="encrypt, trusting the authority in a PEM file"
    )
    return parser


def main(arguments: list[str]) -> None:
    """Understand the options, fetch the duel, tell what was found."""
    parser = options()
    chosen = parser.parse_args(arguments)
    if chosen.ca is not None and not chosen.ca.is_file():
        parser.error(f"--ca: there is no file {chosen.ca}")

    from bearpit.client import BearpitError
    from bearpit_tui.failures import error_words
    from bearpit_tui.settings import SettingsError, load_remembered, load_settings
    from bearpit_tui.start import begin

    try:
        settings = load_settings()
    except SettingsError as error:
        parser.exit(2, f"bearpit: {error}\n")
    start = begin(
        settings,
        load_remembered(),
        server=chosen.server or "",
        name=chosen.name,
        password=os.environ.get("BEARPIT_PASSWORD", ""),
    )
    tls: bool | str = str(chosen.ca) if chosen.ca is not None else bool(chosen.tls)
    session, name, password = start.session, start.name, start.password
    if session is None and not name:
        name = input("Name: ") if sys.stdin.isatty() else parser.error("give --name: no sign-in is stored")
    if session is None and not password:
        if not sys.stdin.isatty():
            parser.error("the password is missing: set BEARPIT_PASSWORD")
        password = getpass.getpass(f"Password of {name}: ")
    try:
        duel = asyncio.run(_fetch(start.server, tls, session, name, password, chosen.duel))
    except BearpitError as error:
        parser.exit(1, f"bearpit: {error_words(error)}\n")
    sys.exit(0 if report(duel) else 1)


async def _fetch(
    server: str, tls: bool | str, session: StoredSession | None, name: str, password: str, duel_id: int
) -> duels_pb2.Duel:
    from bearpit.client import connect
    from bearpit.v1 import duels_pb2

    def on_tokens(tokens: auth_pb2.Tokens | None) -> None:
        if session is not None and tokens is not None:
            session.save(tokens.refresh_token)

    async with connect(server, tls=tls, on_tokens=on_tokens) as client:
        await _sign_in(client, session, name, password)
        answer = await client.duels.GetDuel(duels_pb2.GetDuelRequest(duel_id=duel_id))
        if session is None:
            await client.sign_out()
        return answer.duel


async def _sign_in(client: Client, session: StoredSession | None, name: str, password: str) -> None:
    if session is None:
        await client.sign_in(name, password)
    else:
        await client.resume(session.refresh_token)


def report(duel: duels_pb2.Duel) -> bool:
    """Print what was found; whether all holds."""
    from bearpit.client.duels import Secrets, verify

    findings = verify(duel, Secrets())
    stake = f"{duel.stake_cents // 100}.{duel.stake_cents % 100:02d}"
    other = duel.opponent_name or "whoever accepts"
    lines = [f"duel {duel.duel_id}: {duel.challenger_name} against {other}, {stake} points each"]
    lines += [f"  {'ok   ' if found.holds else 'WRONG'}  {found.text}" for found in findings]
    wrong = sum(not found.holds for found in findings)
    right = f"is NOT as it must be: {wrong} of {len(findings)}" if wrong else "went as it must"
    lines.append(f"duel {duel.duel_id} {right}")
    sys.stdout.write("\n".join(lines) + "\n")
    return not wrong
