"""`bearpit-admin ipo`: the first sale of an instrument."""

from typing import Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.money import Points, parse_price
from bearpit_admin.options import DryRun, Symbol, Yes
from bearpit_admin.output import tell
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import run

app = typer.Typer(help="The first sale of an instrument.")


@app.callback()
def group() -> None:
    """Keep `open` a command of its own while it is the only one."""


@app.command("open", epilog="Example: bearpit-admin ipo open ACME --price 12.40 --quantity 10000 --yes")
def open_(
    symbol: Symbol,
    price: Annotated[str, typer.Option("--price", metavar="POINTS", help="The price of each share.")],
    quantity: Annotated[int, typer.Option("--quantity", metavar="N", help="Shares to issue and offer.")],
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Issue shares to the treasury, which offers them at one price. There is one IPO for each instrument."""
    cents = parse_price(price)
    symbol = symbol.upper()
    sentence = f"{quantity} shares of {symbol} at {Points(cents)} points"
    confirm(f"Issue {sentence}? This cannot be taken back.", yes, dry_run)
    request = wire.admin.OpenIpoRequest(
        symbol=symbol, price_cents=cents, quantity=quantity, validate_only=dry_run
    )
    run(lambda client: client.admin.OpenIpo(request))
    tell(f"offered {sentence}", dry_run)
