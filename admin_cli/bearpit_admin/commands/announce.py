"""`bearpit-admin announce`: tell everybody."""

from typing import TYPE_CHECKING, Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.options import DryRun
from bearpit_admin.output import tell
from bearpit_admin.remote import run
from bearpit_admin.times import parse_span

if TYPE_CHECKING:
    from bearpit.client import Client


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
        text=text, lifetime_seconds=parse_span(lifetime) if lifetime else 0, validate_only=dry_run
    )

    async def work(client: "Client") -> "wire.admin.AnnounceResponse":
        return await client.admin.Announce(request)

    tell(f"announced: {run(work).announcement.text}", dry_run)
