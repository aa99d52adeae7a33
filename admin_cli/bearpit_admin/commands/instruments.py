"""`bearpit-admin instruments`: what is traded."""

from typing import Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.listing import listed
from bearpit_admin.money import Points, parse_price
from bearpit_admin.options import LIMIT, DryRun, Limit, Output, Settings, Symbol
from bearpit_admin.output import show, tell
from bearpit_admin.pairs import parse_pairs
from bearpit_admin.remote import run

app = typer.Typer(help="What is traded.")

MinQuantity = Annotated[
    int | None, typer.Option("--min-quantity", metavar="N", min=1, help="The smallest order.")
]
MaxQuantity = Annotated[
    int | None, typer.Option("--max-quantity", metavar="N", min=1, help="The largest order.")
]
FeeBps = Annotated[
    int | None,
    typer.Option("--fee-bps", metavar="N", help="The fee for each side, in basis points, 0 to 1000."),
]
BandBps = Annotated[
    int | None,
    typer.Option("--band-bps", metavar="N", help="How far prices may be from the reference; 0: anywhere."),
]
Reference = Annotated[
    str, typer.Option("--reference", metavar="POINTS", help="What the band is measured from.")
]

COLUMNS = (
    "symbol", "name", "phase", "last", "bid", "ask", "tick", "lot", "min_quantity", "max_quantity", "fee_bps",
    "band_bps", "reference", "shares_issued", "ipo_price", "ipo_remaining", "mechanism", "group",
)  # fmt: skip
SPARE = (
    "mechanism", "group", "ipo_remaining", "ipo_price", "reference", "tick", "fee_bps", "band_bps", "lot",
    "shares_issued", "max_quantity", "min_quantity",
)  # fmt: skip


@app.command("list", epilog="Example: bearpit-admin instruments list -o csv")
def list_(limit: Limit = LIMIT, output: Output = None) -> None:
    """List instruments with their quotes."""
    quoted = listed(
        lambda client: client.market.ListInstruments,
        wire.market.ListInstrumentsRequest(),
        lambda answer: list(zip(answer.instruments, answer.quotes, strict=True)),
        limit,
    )
    rows = [
        (
            found.symbol,
            found.name,
            wire.word(wire.market.Phase.Name(found.phase), "PHASE_"),
            _price(quote.last_cents),
            _price(quote.bid_cents),
            _price(quote.ask_cents),
            Points(found.tick_cents),
            found.lot,
            found.min_quantity,
            found.max_quantity,
            found.fee_bps,
            found.band_bps,
            _price(found.reference_price_cents),
            found.shares_issued,
            _price(found.ipo.price_cents),
            found.ipo.remaining if found.HasField("ipo") else None,
            found.mechanism,
            found.group,
        )
        for found, quote in quoted
    ]
    show(COLUMNS, rows, output, SPARE)


@app.command(
    epilog='Example: bearpit-admin instruments create ACME --name "Acme Ltd" --tick 0.05 --band-bps 1000'
)
def create(
    symbol: Symbol,
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="Its name, for people.")],
    tick: Annotated[
        str, typer.Option("--tick", metavar="POINTS", help="Prices are multiples of it.")
    ] = "0.01",
    lot: Annotated[
        int, typer.Option("--lot", metavar="N", min=1, help="Quantities are multiples of it.")
    ] = 1,
    min_quantity: MinQuantity = None,
    max_quantity: MaxQuantity = None,
    fee_bps: FeeBps = None,
    band_bps: BandBps = None,
    reference: Reference = "",
    mechanism: Annotated[
        str,
        typer.Option("--mechanism", metavar="NAME", help="How its price forms; by default in an order book."),
    ] = "",
    group: Annotated[
        str,
        typer.Option(
            "--group", metavar="NAME", help="Whose prices form together with it; or one of its own."
        ),
    ] = "",
    settings: Settings = None,
    dry_run: DryRun = False,
) -> None:
    """List a new instrument.

    In an order book, shares come with `ipo open`. A feed or a window sells its own, from a first price:
    --mechanism feed --set price_cents=12.40
    """
    request = wire.admin.CreateInstrumentRequest(
        symbol=symbol.upper(),
        name=name,
        tick_cents=parse_price(tick),
        lot=lot,
        min_quantity=min_quantity or 0,
        max_quantity=max_quantity or 0,
        fee_bps=fee_bps,
        band_bps=band_bps or 0,
        reference_price_cents=parse_price(reference) if reference else 0,
        validate_only=dry_run,
        mechanism=mechanism,
        group=group,
        parameters=parse_pairs(settings),
    )
    made = run(lambda client: client.admin.CreateInstrument(request)).instrument
    tell(f"created instrument {made.symbol}", dry_run)


@app.command(epilog="Example: bearpit-admin instruments update ACME --fee-bps 25 --set volatility_bps=200")
def update(
    symbol: Symbol,
    name: Annotated[str | None, typer.Option("--name", metavar="TEXT", help="Its name, for people.")] = None,
    min_quantity: MinQuantity = None,
    max_quantity: MaxQuantity = None,
    fee_bps: FeeBps = None,
    band_bps: BandBps = None,
    reference: Reference = "",
    settings: Settings = None,
    dry_run: DryRun = False,
) -> None:
    """Change an instrument; what is not given stays as it is."""
    given = (name, min_quantity, max_quantity, fee_bps, band_bps, reference or None, settings)
    if all(value is None for value in given):
        raise Failure(
            "Nothing to change was given.", Exit.USAGE, "see `bearpit-admin instruments update --help`"
        )
    request = wire.admin.UpdateInstrumentRequest(
        symbol=symbol.upper(),
        name=name,
        min_quantity=min_quantity,
        max_quantity=max_quantity,
        fee_bps=fee_bps,
        band_bps=band_bps,
        reference_price_cents=parse_price(reference) if reference else None,
        validate_only=dry_run,
        parameters=parse_pairs(settings),
    )
    changed = run(lambda client: client.admin.UpdateInstrument(request)).instrument
    tell(f"updated instrument {changed.symbol}", dry_run)


def _price(cents: int) -> Points | None:
    return Points(cents) if cents else None
