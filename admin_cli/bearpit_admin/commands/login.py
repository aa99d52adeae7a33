"""`bearpit-admin login` and `logout`."""

from typing import TYPE_CHECKING, Annotated

import typer

from bearpit_admin import session, wire
from bearpit_admin.options import PasswordFile
from bearpit_admin.output import tell
from bearpit_admin.prompts import own_password, required
from bearpit_admin.remote import here, keep, run
from bearpit_admin.roles import names_of

if TYPE_CHECKING:
    from bearpit.client import Client

EVERYBODYS = {"LOOK", "PLAY"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: bearpit-admin login ada")(login)
    app.command(epilog="Example: bearpit-admin logout")(logout)


def login(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who you are; asked for if missing.")] = "",
    password_file: PasswordFile = "",
) -> None:
    """Sign in. The password is asked for, or comes from BEARPIT_PASSWORD or a file."""
    name = required(name, "Name", "the NAME")
    player = sign_in(name, own_password(password_file))
    tell(f"signed in at {here().server} as {player.name}, {' and '.join(names_of(player.roles))}")
    if set(player.permissions) <= EVERYBODYS:
        tell(f"{player.name} is not of the staff; most commands will be refused", err=True)


def sign_in(name: str, password: str) -> "wire.auth.Player":
    """Sign in, and keep the sign-in for the commands to come. Raises Failure."""

    async def work(client: "Client") -> "wire.auth.Player":
        keep(client, here(), name)
        return await client.sign_in(name, password)

    return run(work, signed_in=False)


def logout() -> None:
    """Sign out, here and on the server."""
    context = here()
    stored = session.load(context)
    if stored is None:
        tell(f"nobody was signed in at {context.server}")
        return

    async def work(client: "Client") -> None:
        request = wire.auth.SignOutRequest(refresh_token=stored.refresh_token)
        await client.auth.SignOut(request)

    session.forget(context)
    run(work, signed_in=False)
    tell(f"signed out {stored.name} at {context.server}")
