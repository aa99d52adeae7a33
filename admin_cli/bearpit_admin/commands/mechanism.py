"""`bearpit-admin mechanism`: how prices form."""

from typing import Annotated

import typer

from bearpit_admin import pushing, wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.files import read_text
from bearpit_admin.money import Points
from bearpit_admin.options import DryRun, Output, Settings
from bearpit_admin.output import Format, Part, Row, Value, chosen, moment, moment_in, show, show_one, tell
from bearpit_admin.pairs import as_pairs, parse_pairs
from bearpit_admin.remote import run

app = typer.Typer(help="How prices form: order books, feeds, windows, attention.")

MAX_BYTES = 3_000_000
"""Of an imported file."""
PATIENCE_SECONDS = 60
"""For an import, which is read and stored in one go."""
BAR = 24
"""Cells of the longest bar."""

GroupName = Annotated[str, typer.Argument(metavar="GROUP", help="The group's name; see `mechanism groups`.")]

GROUPS = (
    "name", "mechanism", "instruments", "parameters", "steps", "stepped_at", "late_steps", "refused",
)  # fmt: skip
RECORDINGS = ("name", "bars", "low", "high", "starts_at", "ends_at")


@app.command("list", epilog="Example: bearpit-admin mechanism list")
def list_(output: Output = None) -> None:
    """List mechanisms, and what can be set of each."""
    rows = [
        (
            found.name,
            found.title,
            [parameter.key for parameter in found.group_parameters],
            [parameter.key for parameter in found.instrument_parameters],
            found.description,
        )
        for found in _mechanisms()
    ]
    columns = ("name", "title", "of_a_group", "of_an_instrument", "description")
    show(columns, rows, output, ("of_an_instrument", "of_a_group", "title"))


@app.command("show", epilog="Example: bearpit-admin mechanism show feed")
def show_(
    name: Annotated[str, typer.Argument(metavar="MECHANISM", help="Its name; see `mechanism list`.")],
    output: Output = None,
) -> None:
    """Show a mechanism's parameters.

    What they are, their defaults and their bounds.
    """
    every = _mechanisms()
    found = next((made for made in every if made.name == name), None)
    if found is None:
        names = ", ".join(made.name for made in every)
        raise Failure(f"There is no mechanism {name}.", Exit.CONFLICT, f"there are {names}")
    rows: list[Row] = [
        (of, parameter.key, parameter.default_value, parameter.bounds, parameter.description)
        for of, parameters in (
            ("group", found.group_parameters),
            ("instrument", found.instrument_parameters),
        )
        for parameter in parameters
    ]
    facts: list[tuple[str, Value]] = [
        ("name", found.name),
        ("title", found.title),
        ("description", found.description),
    ]
    part = Part("parameters", ("of", "key", "default", "bounds", "description"), rows, ("bounds", "default"))
    show_one(facts, output, part)


@app.command("groups", epilog="Example: bearpit-admin mechanism groups -o json")
def groups(output: Output = None) -> None:
    """List groups, whose prices form together."""
    rows = [
        (
            found.name,
            found.mechanism,
            list(found.symbols),
            as_pairs(found.parameters),
            found.steps,
            moment_in(found, "stepped_at"),
            found.late_steps,
            as_pairs(found.refused),
        )
        for found in run(lambda client: client.pricing.ListGroups(wire.pricing.ListGroupsRequest())).groups
    ]
    show(GROUPS, rows, output, ("refused", "late_steps", "instruments", "steps", "stepped_at", "parameters"))


@app.command(
    epilog="Example: bearpit-admin mechanism create quick --mechanism feed --set interval_ms=250 --dry-run"
)
def create(
    name: Annotated[
        str, typer.Argument(metavar="GROUP", help="1 to 24 of letters, digits, `_`, `-` and `.`.")
    ],
    mechanism: Annotated[
        str, typer.Option("--mechanism", metavar="NAME", help="How its prices form; for good.")
    ],
    settings: Settings = None,
    dry_run: DryRun = False,
) -> None:
    """Make a group whose prices form together.

    Its instruments come with `instruments create --group`.
    """
    request = wire.pricing.CreateGroupRequest(
        name=name, mechanism=mechanism, parameters=parse_pairs(settings), validate_only=dry_run
    )
    made = run(lambda client: client.pricing.CreateGroup(request)).group
    tell(f"created group {made.name} of mechanism {made.mechanism}", dry_run)


@app.command("set", epilog="Example: bearpit-admin mechanism set quick --set interval_ms=500")
def set_(name: GroupName, settings: Settings = None, dry_run: DryRun = False) -> None:
    """Change a group's parameters while it runs.

    All of them are changed, or none.
    """
    wanted = parse_pairs(settings)
    if not wanted:
        raise Failure(
            "Nothing to change was given.", Exit.USAGE, "give --set KEY=VALUE; see `mechanism show NAME`"
        )
    request = wire.pricing.UpdateGroupRequest(name=name, parameters=wanted, validate_only=dry_run)
    held = run(lambda client: client.pricing.UpdateGroup(request)).group.parameters
    for key in wanted:
        tell(f"{key}={held[key]}", dry_run)


@app.command("import", epilog="Example: bearpit-admin mechanism import apple AAPL.csv --replace")
def import_(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="The recording's name; with a column of symbols, what stands before each: '' for nothing.",
        ),
    ],
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A CSV: date, open, high, low, close, volume; `-`: standard input."
        ),
    ],
    replace: Annotated[bool, typer.Option("--replace", help="Replace those of the same name.")] = False,
    dry_run: DryRun = False,
    output: Output = None,
) -> None:
    """Keep a history of prices, for a feed to play."""
    text = read_text(file)
    if len(text.encode()) > MAX_BYTES:
        raise Failure(f"{file} has more than {MAX_BYTES:,} bytes.", Exit.USAGE, "import it in parts")
    request = wire.pricing.ImportRecordingRequest(name=name, csv=text, replace=replace, validate_only=dry_run)
    kept = run(lambda client: client.pricing.ImportRecording(request, timeout=PATIENCE_SECONDS)).recordings
    show(RECORDINGS, [_recording(made) for made in kept], output)
    if dry_run:
        tell(f"would keep {len(kept)} recordings", dry_run, err=True)


@app.command("recordings", epilog="Example: bearpit-admin mechanism recordings")
def recordings(output: Output = None) -> None:
    """List histories that a feed can play."""
    kept = run(lambda client: client.pricing.ListRecordings(wire.pricing.ListRecordingsRequest()))
    show(RECORDINGS, [_recording(found) for found in kept.recordings], output)


@app.command("attention", epilog="Example: bearpit-admin mechanism attention")
def attention(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="Which; by default the first by name.")] = "",
    output: Output = None,
) -> None:
    """Show where the players look.

    `next` is what the next redistribution would make of the price.
    """
    found = run(lambda client: client.pricing.GetAttention(wire.pricing.GetAttentionRequest(group=group)))
    most = max((held.share_bps for held in found.instruments), default=0)
    is_table = chosen(output) is Format.TABLE
    rows: list[Row] = [
        (
            held.symbol,
            held.score,
            held.share_bps,
            *([_bar(held.share_bps, most)] if is_table else []),
            Points(held.price_cents),
            Points(held.next_cents),
            Points(held.pool_cents),
        )
        for held in found.instruments
    ]
    bars = ("attention",) if is_table else ()
    columns = ("symbol", "score", "share_bps", *bars, "price", "next", "pool")
    part = Part("instruments", columns, rows, ("pool", "score", *bars))
    show_one([("group", found.group), ("next_at", moment_in(found, "next_at"))], output, part)


@app.command(epilog="Example: bearpit-admin mechanism push prices.txt")
def push(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="Lines of SYMBOL PRICE [ISO time]; by default standard input."),
    ] = "-",
    output: Output = None,
) -> None:
    """Push prices, line by line as they come.

    That is until the end of the file, or ctrl+c. They go to instruments of a pushed feed.
    Ends with 1 when any was refused.
    """
    outcome = run(pushing.Push(file).stream)
    refused = dict(sorted(outcome.refused.items()))
    facts: list[tuple[str, Value]] = [("accepted", outcome.accepted), ("refused", sum(refused.values()))]
    part = Part("reasons", ("reason", "prices"), list(refused.items()))
    show_one(facts, output, part)
    for message in outcome.messages:
        tell(message, err=True)
    if refused:
        raise typer.Exit(Exit.FAILED)


def _mechanisms() -> "list[wire.pricing.Mechanism]":
    found = run(lambda client: client.pricing.ListMechanisms(wire.pricing.ListMechanismsRequest()))
    return list(found.mechanisms)


def _recording(found: "wire.pricing.Recording") -> Row:
    return (
        found.name,
        found.bars,
        Points(found.low_cents),
        Points(found.high_cents),
        moment(found.starts_at),
        moment(found.ends_at),
    )


def _bar(share: int, most: int) -> str:
    """A share as a bar; the largest fills it."""
    return "█" * (share * BAR // most) if most else ""
