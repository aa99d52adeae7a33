"""`bearpit-admin demo`: the demo game on any server, and its house bots."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from bearpit_admin.exits import Exit, Failure
from bearpit_admin.options import Output, Yes
from bearpit_admin.output import show, tell
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import here, run, tls_of

if TYPE_CHECKING:
    from bearpit.client import Client

    from bearpit_admin.bots.accounts import Accounts

app = typer.Typer(help="The demo game, more scenarios, and house bots.")


@app.command("load", epilog="Example: bearpit-admin demo load --yes")
def load(yes: Yes = False) -> None:
    """List the demo's stocks and make its bots.

    Its IPO is offered, and the market opened, too. Doing it again is safe.
    """
    from bearpit_admin.bots import demo, history
    from bearpit_admin.bots.accounts import read_accounts, write_accounts
    from bearpit_admin.play import data_folder

    confirm(f"Load the demo game at {here().server}?", yes)
    path = data_folder() / "bots.json"

    async def work(client: "Client") -> "Accounts":
        return await demo.load(client, history.load(), read_accounts(path))

    write_accounts(path, run(work))
    tell("loaded the demo game; `bearpit-admin demo run` lets its bots trade")


@app.command("scenarios", epilog="Example: bearpit-admin demo scenarios -o json")
def scenarios_(output: Output = None) -> None:
    """List what a game can be furnished with beside the demo's stocks."""
    from bearpit_admin.bots.scenarios import SCENARIOS

    rows = [
        (one.name, one.title, one.mechanism, " ".join(made.symbol for made in one.instruments))
        for one in SCENARIOS.values()
    ]
    show(("scenario", "title", "mechanism", "symbols"), rows, output)


@app.command("scenario", epilog="Example: bearpit-admin demo scenario crash-2008 --yes")
def scenario(
    name: Annotated[str, typer.Argument(metavar="SCENARIO", help="One that `demo scenarios` lists.")],
    yes: Yes = False,
) -> None:
    """Furnish the game with a scenario.

    Such as the crash of 2008, to be traded in an hour. Doing it again is safe.
    """
    from bearpit_admin.bots.scenarios import SCENARIOS, furnish

    chosen = SCENARIOS.get(name)
    if chosen is None:
        raise Failure(f"There is no scenario {name}.", Exit.USAGE, "bearpit-admin demo scenarios")
    confirm(f"Furnish the game at {here().server} with {chosen.title}?", yes)
    made = run(lambda client: furnish(client, chosen))
    tell(f"listed {', '.join(made)}" if made else "all of it is there already")


@app.command("run", epilog="Example: bearpit-admin demo run --seed 7")
def run_bots(
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="The same choices again.")] = None,
) -> None:
    """Let the house bots trade until you interrupt them. Load the demo first, from this machine."""
    from random import Random

    from bearpit_admin.bots.__main__ import until_signalled
    from bearpit_admin.bots.accounts import read_accounts
    from bearpit_admin.play import data_folder

    folder = data_folder()
    accounts = read_accounts(folder / "bots.json")
    if accounts is None:
        raise Failure("There are no bots here.", Exit.CONFLICT, "bearpit-admin demo load")
    context = here()
    tell(f"the house bots trade at {context.server}; end them with ctrl+c")
    asyncio.run(
        until_signalled(context.server, accounts, folder / "history.json", Random(seed), tls_of(context))
    )
