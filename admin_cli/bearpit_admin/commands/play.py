"""`bearpit-admin play`: a game on this machine, with everything it takes."""

import os
import re
from typing import Annotated

import typer

from bearpit_admin.beside import need_server
from bearpit_admin.exits import Exit, Failure

ADDRESS = "127.0.0.1"
PLAYER_NAME = re.compile(r"[A-Za-z0-9_.-]{3,24}")
"""Looked at before a server is started to refuse it; the server's rule may be stricter."""
NAME_HINT = "give --name with 3 to 24 of letters, digits, `_`, `-` and `.`"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: bearpit-admin play --name ada")(play)


def play(
    address: Annotated[
        str,
        typer.Option("--address", metavar="HOST[:PORT]", help="Where to listen; 0.0.0.0 lets friends in."),
    ] = ADDRESS,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Who plays; by default you.")] = "",
    headless: Annotated[bool, typer.Option("--headless", help="Without the screen.")] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, metavar="N", help="End after so long; 0: when you do.")
    ] = 0,
) -> None:
    """Play the demo game on this machine.

    This runs a server, loads the demo, lets its house bots trade and opens the screen; all ends with the
    screen. The next time the game goes on where it was.
    """
    need_server()
    # Before gRPC is loaded: it would print a warning for each process we start.
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"
    from bearpit.client import BearpitError

    from bearpit_admin.play import Wishes
    from bearpit_admin.play import play as begin

    host, _, port = (
        address.rpartition(":") if address.count(":") == 1 or "]:" in address else (address, "", "")
    )
    if port and not (port.isdecimal() and int(port) < 2**16):
        raise Failure(f"{address} is no HOST:PORT.", Exit.USAGE, "give --address 0.0.0.0:7117")
    if name and not PLAYER_NAME.fullmatch(name):
        raise Failure(f"{name} is no name for a player.", Exit.USAGE, NAME_HINT)
    try:
        status = begin(Wishes(host, int(port or 0), name, headless, seconds))
    except BearpitError as error:
        raise Failure(f"The game could not be opened: {error.message}") from error
    raise typer.Exit(status)
