"""`bearpit verify 17`: take a finished duel apart, without trusting the server's word on who has won."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from bearpit_tui.options import opening, parser_of, tls_of

if TYPE_CHECKING:
    from bearpit.v1 import duels_pb2
    from bearpit_tui.start import Start

EPILOG = """\
examples:
  bearpit verify 17                            on the server played on last
  bearpit verify 17 --server camp.example --name ada

Every hash is computed again, and each round, the ending and the money are checked; moves that were made on
this machine are compared with what it kept. Ends with 0 if all is as it must be, else with 1.

It takes BEARPIT_TOKEN, or the stored sign-in, unless the screen is open with it: a sign-in is renewed by one
at a time. Otherwise it signs in for itself, with BEARPIT_PASSWORD or the password that it asks for.
"""


def options() -> argparse.ArgumentParser:
    """The command's options."""
    parser = parser_of("bearpit verify", "Verify a finished duel.", EPILOG)
    parser.add_argument("duel", type=int, metavar="DUEL", help="the duel's number")
    return parser


def main(arguments: list[str]) -> None:
    """Understand the options, fetch the duel, tell what was found."""
    parser = options()
    chosen = parser.parse_args(arguments)
    _, start = opening(parser, chosen, token=os.environ.get("BEARPIT_TOKEN", ""))

    from bearpit.client import BearpitError
    from bearpit_tui.failures import error_words

    if start.session is None:
        start = _asked(parser, start)
    try:
        duel = asyncio.run(_fetch(start, tls_of(chosen), chosen.duel))
    except BearpitError as error:
        parser.exit(1, f"bearpit: {error_words(error)}\n")
    sys.exit(0 if report(duel) else 1)


def _asked(parser: argparse.ArgumentParser, start: Start) -> Start:
    """Ask for the name and the password where they are missing and somebody is there to be asked."""
    there, name, password = sys.stdin.isatty(), start.name, start.password
    if not name:
        name = input("Name: ") if there else parser.error("give --name: no sign-in is stored")
    if not password:
        if not there:
            parser.error("the password is missing: set BEARPIT_PASSWORD")
        password = getpass.getpass(f"Password of {name}: ")
    return replace(start, name=name, password=password)


async def _fetch(start: Start, tls: bool | str, duel_id: int) -> duels_pb2.Duel:
    from bearpit.client import connect
    from bearpit.v1 import duels_pb2
    from bearpit_tui.start import enter

    async with connect(start.server, tls=tls) as client:
        await enter(client, start)
        answer = await client.duels.GetDuel(duels_pb2.GetDuelRequest(duel_id=duel_id))
        if start.session is None:
            await client.sign_out()
        return answer.duel


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
