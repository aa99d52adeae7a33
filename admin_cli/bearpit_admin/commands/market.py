"""`bearpit-admin market`: when it is open, and what is halted."""

import re
from typing import Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.options import DryRun, Output, Yes
from bearpit_admin.output import Value, moment, show_one, tell
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import run

app = typer.Typer(help="When the market is open, and what is halted.")

AnySymbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="Which instrument; or give --all.")]
All = Annotated[bool, typer.Option("--all", help="All instruments.")]

_DAY = re.compile(r"([1-7])(?:-([1-7]))?")


@app.command("open", epilog="Example: bearpit-admin market open")
def open_(dry_run: DryRun = False) -> None:
    """Open the market by hand, whatever the schedule says."""
    _override("OPEN", dry_run)


@app.command(epilog="Example: bearpit-admin market close --yes")
def close(yes: Yes = False, dry_run: DryRun = False) -> None:
    """Close the market by hand, whatever the schedule says."""
    confirm("Close the market for everybody?", yes, dry_run)
    _override("CLOSED", dry_run)


@app.command(epilog="Example: bearpit-admin market pre-open")
def pre_open(dry_run: DryRun = False) -> None:
    """Collect orders for the opening auction."""
    _override("PRE_OPEN", dry_run)


@app.command(epilog="Example: bearpit-admin market auto")
def auto(dry_run: DryRun = False) -> None:
    """Leave it to the schedule; without one the market is closed."""
    _override("NONE", dry_run)


@app.command(epilog="Example: bearpit-admin market halt ACME")
def halt(symbol: AnySymbol = "", all_: All = False, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Halt trading.

    Orders are collected until it resumes with an auction.
    """
    _check_which(symbol, all_)
    if all_:
        confirm("Halt all trading?", yes, dry_run)
    _halt(symbol, True, dry_run)


@app.command(epilog="Example: bearpit-admin market resume --all")
def resume(symbol: AnySymbol = "", all_: All = False, dry_run: DryRun = False) -> None:
    """Resume trading. What was halted by itself stays so when all are resumed."""
    _check_which(symbol, all_)
    _halt(symbol, False, dry_run)


@app.command(
    epilog="Example: bearpit-admin market schedule --days 1-5 --opens 09:00 --closes 17:30 --zone Asia/Tokyo"
)
def schedule(
    days: Annotated[
        str, typer.Option("--days", metavar="DAYS", help="Monday 1 to Sunday 7, such as 1-5 or 1,3,6.")
    ] = "",
    opens: Annotated[str, typer.Option("--opens", metavar="HH:MM", help="When it opens.")] = "",
    closes: Annotated[
        str,
        typer.Option("--closes", metavar="HH:MM", help="When it closes; not after `opens`: on the next day."),
    ] = "",
    pre_open: Annotated[
        int, typer.Option("--pre-open", metavar="MINUTES", help="How long orders are collected before.")
    ] = 0,
    zone: Annotated[str, typer.Option("--zone", metavar="ZONE", help="An IANA time zone.")] = "UTC",
    remove: Annotated[bool, typer.Option("--remove", help="Have no hours.")] = False,
    output: Output = None,
    dry_run: DryRun = False,
) -> None:
    """Show the market's hours, or with options set or remove them."""
    given = [bool(days), bool(opens), bool(closes)]
    if not any(given) and not remove:
        _show_schedule(output)
        return
    if remove == any(given) or (not remove and not all(given)):
        raise Failure("Give --days, --opens and --closes, or else --remove.", Exit.USAGE)
    request = wire.admin.SetScheduleRequest(validate_only=dry_run)
    if not remove:
        hours = wire.admin.Schedule(
            days=_days(days), opens=opens, closes=closes, pre_open_minutes=pre_open, time_zone=zone
        )
        request.schedule.CopyFrom(hours)

    held = run(lambda client: client.admin.SetSchedule(request)).status
    done = "removed the market's hours" if remove else "set the market's hours"
    tell(f"{done}; the market is {phase_of(held)}", dry_run)


@app.command(epilog="Example: bearpit-admin market status -o json")
def status(output: Output = None) -> None:
    """Show the market's phase and when it changes."""
    held = run(lambda client: client.market.GetMarketStatus(wire.market.GetMarketStatusRequest()))
    show_one(facts_of(held.status), output)


def facts_of(held: "wire.market.MarketStatus") -> list[tuple[str, Value]]:
    """The market as facts to show."""
    changes = held.HasField("next_change_at")
    return [
        ("phase", phase_of(held)),
        ("next_change_at", moment(held.next_change_at) if changes else None),
        ("next_phase", _phase(held.next_phase) if changes else None),
        ("time_zone", held.time_zone),
        ("announcements", [made.title for made in held.announcements]),
    ]


def phase_of(held: "wire.market.MarketStatus") -> str:
    """The phase in a word."""
    return _phase(held.phase)


def _phase(phase: "wire.market.Phase") -> str:
    return wire.word(wire.market.Phase.Name(phase), "PHASE_")


def _override(wanted: str, dry_run: bool) -> None:
    request = wire.admin.SetMarketOverrideRequest(override=f"MARKET_OVERRIDE_{wanted}", validate_only=dry_run)
    held = run(lambda client: client.admin.SetMarketOverride(request))
    tell(f"the market is {phase_of(held.status)}", dry_run)


def _check_which(symbol: str, everything: bool) -> None:
    if bool(symbol) == everything:
        raise Failure("Give either a symbol or --all.", Exit.USAGE)


def _halt(symbol: str, halted: bool, dry_run: bool) -> None:
    request = wire.admin.SetHaltRequest(symbol=symbol.upper(), halted=halted, validate_only=dry_run)
    run(lambda client: client.admin.SetHalt(request))
    done = "halted" if halted else "resumed"
    tell(f"{done} {symbol.upper() or 'all trading'}", dry_run)


def _show_schedule(output: Output) -> None:
    held = run(lambda client: client.admin.GetSchedule(wire.admin.GetScheduleRequest()))
    hours = held.schedule
    override = wire.word(wire.admin.MarketOverride.Name(held.override), "MARKET_OVERRIDE_")
    has_hours = held.HasField("schedule")
    facts: list[tuple[str, Value]] = [
        ("override", override),
        ("all_halted", held.all_halted),
        ("days", ",".join(map(str, hours.days)) or None),
        ("opens", hours.opens or None),
        ("closes", hours.closes or None),
        ("pre_open_minutes", hours.pre_open_minutes if has_hours else None),
        ("time_zone", hours.time_zone or None),
    ]
    show_one(facts, output)


def _days(text: str) -> list[int]:
    days: set[int] = set()
    for part in text.split(","):
        match = _DAY.fullmatch(part.strip())
        if not match:
            raise typer.BadParameter(f"{text!r} are no days; write them like 1-5 or 1,3,6")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise typer.BadParameter(f"{part.strip()!r} ends before it begins")
        days.update(range(first, last + 1))
    return sorted(days)
