"""`bearpit-admin player credit`, `debt` and `debts`: what players owe, and how far they may."""

from typing import Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.listing import listed
from bearpit_admin.money import Points, parse_points
from bearpit_admin.options import LIMIT, DryRun, Limit, Output, PlayerName, Yes
from bearpit_admin.output import moment, show, tell
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import run

HISTORY = ("at", "reason", "reference", "amount", "owed", "note")
SPARE = ("reference", "note")


def credit(
    name: PlayerName,
    points: Annotated[
        str, typer.Argument(metavar="POINTS", help="How far buying may go beyond the cash; 0: not at all.")
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes into the event log.")],
    dry_run: DryRun = False,
) -> None:
    """Set a player's credit line. What is owed already stays owed."""
    request = wire.admin.SetCreditRequest(
        name=name, credit_cents=parse_points(points), reason=reason, validate_only=dry_run
    )
    done = run(lambda client: client.admin.SetCredit(request))
    tell(f"{name} may owe {Points(done.credit_cents)} points, and owes {Points(done.debt_cents)}", dry_run)


def debt(
    name: PlayerName,
    owed: Annotated[
        str, typer.Option("--set", metavar="POINTS", help="What the player shall owe; with --reason.")
    ] = "",
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with the posting.")
    ] = "",
    limit: Limit = LIMIT,
    yes: Yes = False,
    dry_run: DryRun = False,
    output: Output = None,
) -> None:
    """Show the history of a player's debt, or set what is owed.

    Setting it leaves the cash as it is; what comes in from then on repays the debt first.
    """
    if bool(owed) != bool(reason):
        raise Failure("Give --set together with --reason, or neither.", Exit.USAGE)
    if owed:
        _set(name, parse_points(owed), reason, yes, dry_run)
        return

    postings = listed(
        lambda client: client.admin.ListDebtPostings,
        wire.admin.ListDebtPostingsRequest(name=name),
        lambda answer: answer.postings,
        limit,
    )
    rows = [
        (
            moment(posting.created_at),
            posting.reason,
            posting.reference,
            Points(-posting.amount),
            Points(-posting.balance_after),
            posting.note,
        )
        for posting in postings
    ]
    show(HISTORY, rows, output, SPARE)


def _set(name: str, cents: int, reason: str, yes: bool, dry_run: bool) -> None:
    confirm(f"Let {name} owe {Points(cents)} points?", yes, dry_run)
    request = wire.admin.SetDebtRequest(name=name, debt_cents=cents, reason=reason, validate_only=dry_run)
    done = run(lambda client: client.admin.SetDebt(request))
    tell(f"{name} owes {Points(done.debt_cents)} points, {Points(done.before_cents)} before", dry_run)


def debts(limit: Limit = LIMIT, output: Output = None) -> None:
    """List who owes the house, those who owe most first."""
    debts = listed(
        lambda client: client.admin.ListDebts,
        wire.admin.ListDebtsRequest(),
        lambda answer: answer.debts,
        limit,
    )
    rows = [(found.name, Points(found.debt_cents), Points(found.credit_cents)) for found in debts]
    show(("name", "owed", "credit"), rows, output, ())


def register(app: typer.Typer) -> None:
    """Add them to the commands on players."""
    app.command(epilog='Example: bearpit-admin player credit ada 500 --reason "may buy on credit"')(credit)
    app.command(epilog='Example: bearpit-admin player debt ada --set 250 --reason "a broken lamp"')(debt)
    app.command(epilog="Example: bearpit-admin player debts -o csv")(debts)
