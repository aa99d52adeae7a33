"""`bearpit-admin context`: which server to talk to."""

from pathlib import Path
from typing import Annotated

import typer

from bearpit_admin import session
from bearpit_admin.options import Output, Yes
from bearpit_admin.output import Row, show, tell
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import SERVER_VARIABLE, choice, here, server_for_once
from bearpit_admin.session import Context, Contexts, address_of

app = typer.Typer(help="Which server to talk to.")


def _names(incomplete: str) -> list[str]:
    return [context.name for context in Contexts().all() if context.name.startswith(incomplete)]


ContextName = Annotated[
    str, typer.Argument(metavar="NAME", help="The context's name.", autocompletion=_names)
]


@app.command("list", epilog="Example: bearpit-admin context list")
def list_(output: Output = None) -> None:
    """List contexts, which one holds, and who is signed in there."""
    contexts = Contexts()
    current = choice.context or contexts.current
    rows: list[Row] = []
    for context in contexts.all():
        sign_in = session.load(context)
        rows.append(
            (
                context.name == current,
                context.name,
                context.server,
                context.tls,
                sign_in.name if sign_in else None,
            )
        )
    show(("current", "name", "server", "tls", "signed_in_as"), rows, output)
    if server_for_once():
        held = here()
        sign_in = session.load(held)
        who = f"signed in as {sign_in.name}" if sign_in else "not signed in"
        tell(f"--server or {SERVER_VARIABLE} leads to {held.server} instead; {who} there", err=True)


@app.command(epilog="Example: bearpit-admin context use camp")
def use(name: ContextName) -> None:
    """Talk to this server from now on."""
    Contexts().use(name)
    tell(f"using {name}")


@app.command(epilog="Example: bearpit-admin context add camp play.example.org:7117 --tls")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    server: Annotated[str, typer.Argument(metavar="HOST[:PORT]", help="Where the server is.")],
    tls: Annotated[bool, typer.Option("--tls", help="Encrypt, and trust the usual authorities.")] = False,
    authority: Annotated[
        str,
        typer.Option("--ca", metavar="FILE", help="Encrypt, and trust the authority in this PEM file."),
    ] = "",
) -> None:
    """Remember a server under a name."""
    if authority and not Path(authority).is_file():
        raise typer.BadParameter(f"there is no file {authority}", param_hint="--ca")
    trusted = str(Path(authority).resolve()) if authority else "on" if tls else ""
    Contexts().add(Context(name, address_of(server), trusted))
    tell(f"added {name}; use it with `bearpit-admin context use {name}`")


@app.command(epilog="Example: bearpit-admin context remove camp --yes")
def remove(name: ContextName, yes: Yes = False) -> None:
    """Forget a server, and the sign-in there."""
    contexts = Contexts()
    contexts.get(name)
    confirm(f"Forget {name} and its sign-in?", yes)
    contexts.remove(name)
    tell(f"removed {name}")
