"""`bearpit-admin news`: headlines that move prices."""

from typing import Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.listing import listed
from bearpit_admin.options import LIMIT, DryRun, Limit, Output, Symbols, symbols_of
from bearpit_admin.output import Row, moment, moment_in, show, tell
from bearpit_admin.rates import parse_factor, parse_rate
from bearpit_admin.remote import run
from bearpit_admin.times import parse_moment, parse_span, timestamp

app = typer.Typer(help="Headlines, and how they move the prices of feeds.")

COLUMNS = (
    "id", "text", "symbols", "published_at", "ends_at", "drift_bps", "volatility_bps", "withdrawn",
)  # fmt: skip
SPARE = ("published_at", "withdrawn", "symbols", "drift_bps", "ends_at", "volatility_bps")


@app.command(
    epilog='Example: bearpit-admin news publish "Comet sighted" --symbols ACME,BOLT --drift 5% --for 2m'
)
def publish(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="1 to 140 characters, on one line.")],
    symbols: Symbols = "",
    drift: Annotated[
        str,
        typer.Option("--drift", metavar="RATE", help="By how much prices move in all: 5%, -3.5%, 250bps."),
    ] = "",
    volatility: Annotated[
        str,
        typer.Option("--volatility", metavar="FACTOR", help="What volatility is multiplied by: 2x, 150%."),
    ] = "",
    lifetime: Annotated[
        str,
        typer.Option("--for", metavar="SPAN", help="How long it works, such as 90s or 5m; else a minute."),
    ] = "",
    at: Annotated[
        str, typer.Option("--at", metavar="TIME", help="When it comes out: 2026-11-21T18:00, +5m; else now.")
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Publish a headline, now or later."""
    request = wire.pricing.PublishNewsRequest(
        text=text,
        symbols=symbols_of(symbols),
        drift_bps=parse_rate(drift) if drift else 0,
        volatility_bps=parse_factor(volatility) if volatility else None,
        lifetime_seconds=parse_span(lifetime) if lifetime else 0,
        publish_at=timestamp(parse_moment(at)) if at else None,
        validate_only=dry_run,
    )
    made = run(lambda client: client.pricing.PublishNews(request)).headline
    which = f"headline {made.news_id}" if made.news_id else "a headline"
    tell(f"published {which} at {moment(made.published_at)}, to work until {moment(made.ends_at)}", dry_run)


@app.command("list", epilog="Example: bearpit-admin news list -n 10")
def list_(limit: Limit = LIMIT, output: Output = None) -> None:
    """List headlines, newest first, also those to come."""
    headlines = listed(
        lambda client: client.pricing.ListNews,
        wire.pricing.ListNewsRequest(),
        lambda answer: answer.headlines,
        limit,
    )
    show(COLUMNS, [_row(found) for found in headlines], output, SPARE)


@app.command(epilog="Example: bearpit-admin news withdraw 12")
def withdraw(
    news_id: Annotated[int, typer.Argument(metavar="NEWS", help="The headline's id; see `news list`.")],
    dry_run: DryRun = False,
) -> None:
    """Take back a headline, or end its effect.

    One that is not out yet never comes; one that is out moves prices no longer.
    """
    request = wire.pricing.WithdrawNewsRequest(news_id=news_id, validate_only=dry_run)
    found = run(lambda client: client.pricing.WithdrawNews(request)).headline
    done = "withdrew" if found.withdrawn else "ended the effect of"
    tell(f"{done} headline {found.news_id}: {found.text}", dry_run)


def _row(found: "wire.market.Headline") -> Row:
    return (
        found.news_id,
        found.text,
        list(found.symbols),
        moment_in(found, "published_at"),
        moment_in(found, "ends_at"),
        found.drift_bps,
        found.volatility_bps,
        found.withdrawn,
    )
