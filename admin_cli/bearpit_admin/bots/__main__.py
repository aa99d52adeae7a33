"""`python -m bearpit_admin.bots`: the house bots in a process of their own; SIGTERM stops them."""

import argparse
import asyncio
import logging
import signal
import sys
import time
from pathlib import Path
from random import Random

from bearpit_admin.bots.accounts import Accounts, read_accounts
from bearpit_admin.bots.house import run

ISO = "%Y-%m-%dT%H:%M:%S"


def main(arguments: list[str] | None = None) -> None:
    """Understand the options, then trade until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m bearpit_admin.bots", description=__doc__)
    parser.add_argument("--server", required=True, metavar="HOST:PORT")
    parser.add_argument("--accounts", required=True, type=Path, metavar="FILE", help="as written by a demo")
    parser.add_argument("--state", required=True, type=Path, metavar="FILE", help="how far the history is")
    parser.add_argument("--tls", default="", metavar="on|FILE", help="encrypt")
    parser.add_argument("--seed", type=int, help="for the same random choices again")
    chosen = parser.parse_args(arguments)
    accounts = read_accounts(chosen.accounts)
    if accounts is None:
        parser.error(f"--accounts: {chosen.accounts} is no file of bots; load the demo first")
    tls = chosen.tls == "on" or chosen.tls if chosen.tls else False
    asyncio.run(until_signalled(chosen.server, accounts, chosen.state, Random(chosen.seed), tls))
    sys.exit(0)


async def until_signalled(
    server: str, accounts: Accounts, state: Path, random: Random, tls: bool | str
) -> None:
    """Run the bots until SIGINT or SIGTERM; their log, in UTC, goes to standard error."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(level=logging.INFO, format="%(asctime)s.%(msecs)03dZ %(message)s", datefmt=ISO)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(server, accounts, state, stop, random, tls)


if __name__ == "__main__":
    main()
