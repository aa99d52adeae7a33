"""`bearpit-admin announce`: tell everybody."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.options import DryRun
from bearpit_admin.output import tell
from bearpit_admin.remote import run

if TYPE_CHECKING:
    from bearpit.client import Client

_SPAN = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog='Example: bearpit-admin announce "Lunch until one" --for 45m')(announce)


def announce(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="1 to 280 characters, on one line.")],
    lifetime: Annotated[
        str,
        typer.Option(
            "--for", metavar="SPAN", help="How long it stands, such as 90s, 45m, 2h; else: until the next."
        ),
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Show a text to everybody."""
    request = wire.admin.AnnounceRequest(
        text=text, lifetime_seconds=_seconds(lifetime) if lifetime else 0, validate_only=dry_run
    )

    async def work(client: "Client") -> "wire.admin.AnnounceResponse":
        return await client.admin.Announce(request)

    tell(f"announced: {run(work).announcement.text}", dry_run)


def _seconds(text: str) -> int:
    match = _SPAN.fullmatch(text)
    if not match:
        raise typer.BadParameter(f"{text!r} is no span of time; write it like 90s, 45m, 2h or 1d")
    return int(match[1]) * _SECONDS[match[2]]
