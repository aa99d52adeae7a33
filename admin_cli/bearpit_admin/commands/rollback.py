"""`bearpit-admin rollback`: undo trades, windows and prices, by new postings."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.listing import listed
from bearpit_admin.money import parse_price
from bearpit_admin.options import (
    LIMIT,
    Algorithm,
    DryRun,
    Limit,
    Output,
    PlanFile,
    PlayerName,
    Reason,
    RollbackId,
    Settings,
    WindowId,
    Yes,
)
from bearpit_admin.output import show
from bearpit_admin.plans import plan_of
from bearpit_admin.remote import run
from bearpit_admin.times import parse_moment, parse_span, timestamp
from bearpit_admin.undoing import PATIENCE_SECONDS, facts_of, show_rollback, undo

if TYPE_CHECKING:
    from bearpit.client import Client

app = typer.Typer(help="Undo trades, windows and prices.")

SPARE = (
    "reason", "requested_by", "decided_by", "requested_at", "done", "total", "policy", "failure",
    "expires_at", "decided_at", "done_at", "proof",
)  # fmt: skip


class Shortage(StrEnum):
    """What happens where somebody has less than must be given back."""

    REFUSE = "refuse"
    DEBT = "debt"
    HOUSE = "house"


Policy = Annotated[
    Shortage,
    typer.Option(
        "--policy",
        help="Where somebody has less than must be given back: refuse, leave a debt, or let the house pay.",
    ),
]


@app.command("trade", epilog='Example: bearpit-admin rollback trade 4711 --reason "wrong price" --dry-run')
def trade(
    trade_id: Annotated[int, typer.Argument(metavar="TRADE", help="The trade's id; see `trades list`.")],
    reason: Reason,
    policy: Policy = Shortage.REFUSE,
    yes: Yes = False,
    output: Output = None,
    dry_run: DryRun = False,
) -> None:
    """Reverse one trade."""
    request = wire.rollbacks.RequestRollbackRequest(
        level=wire.rollbacks.ROLLBACK_LEVEL_TRADE, trade_id=trade_id, policy=_policy(policy), reason=reason
    )
    _undo(request, f"Reverse trade {trade_id}?", output, yes, dry_run)


@app.command(
    "player",
    epilog='Example: bearpit-admin rollback player mallory --since -2h --reason "a bug" --policy debt',
)
def player(
    name: PlayerName,
    reason: Reason,
    window: Annotated[
        int | None, typer.Option("--window", metavar="ID", min=1, help="Those in this window.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Those since then: 2026-11-21T18:00 or -2h.")
    ] = "",
    policy: Policy = Shortage.REFUSE,
    yes: Yes = False,
    output: Output = None,
    dry_run: DryRun = False,
) -> None:
    """Reverse a player's trades, newest first.

    Those of a window, or since a time.
    """
    if (window is None) == (not since):
        raise Failure("Give either --window or --since.", Exit.USAGE)
    request = wire.rollbacks.RequestRollbackRequest(
        level=wire.rollbacks.ROLLBACK_LEVEL_PLAYER,
        player=name,
        window_id=window,
        since=timestamp(parse_moment(since)) if since else None,
        policy=_policy(policy),
        reason=reason,
    )
    where = f"in window {window}" if window else f"since {since}"
    _undo(request, f"Reverse the trades of {name} {where}?", output, yes, dry_run)


@app.command(
    "window", epilog='Example: bearpit-admin rollback window 7 --reason "wrong chapter" --expires 2h'
)
def window(
    window_id: WindowId,
    reason: Reason,
    expires: Annotated[
        str,
        typer.Option(
            "--expires", metavar="SPAN", help="How long it may be approved, such as 30m; else an hour."
        ),
    ] = "",
    policy: Policy = Shortage.REFUSE,
    yes: Yes = False,
    output: Output = None,
    dry_run: DryRun = False,
) -> None:
    """Ask to bring a window back to its snapshot.

    Its prices, too. Another operator has to approve it.
    """
    request = wire.rollbacks.RequestRollbackRequest(
        level=wire.rollbacks.ROLLBACK_LEVEL_WINDOW,
        window_id=window_id,
        lifetime_seconds=parse_span(expires) if expires else 0,
        policy=_policy(policy),
        reason=reason,
    )
    _undo(request, f"Ask for window {window_id} to be rolled back?", output, yes, dry_run)


@app.command(
    "prices", epilog='Example: bearpit-admin rollback prices 7 --price ACME=12.40 --reason "a typo" --dry-run'
)
def prices(
    window_id: WindowId,
    reason: Reason,
    given: Annotated[
        list[str] | None,
        typer.Option("--price", metavar="SYMBOL=POINTS", help="A right price; repeat for more."),
    ] = None,
    plan: PlanFile = "",
    algorithm: Algorithm = "",
    settings: Settings = None,
    yes: Yes = False,
    output: Output = None,
    dry_run: DryRun = False,
) -> None:
    """Find a window's settled prices anew.

    No trade is reversed. Prices that are given hold; the others come from the plan, by default the
    window's own.
    """
    request = wire.rollbacks.RequestRollbackRequest(
        level=wire.rollbacks.ROLLBACK_LEVEL_PRICES,
        window_id=window_id,
        plan=plan_of(plan, algorithm, settings),
        prices=_prices(given or []),
        reason=reason,
    )
    _undo(request, f"Correct the prices of window {window_id}?", output, yes, dry_run)


@app.command("list", epilog="Example: bearpit-admin rollback list --waiting")
def list_(
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait for approval.")] = False,
    limit: Limit = LIMIT,
    output: Output = None,
) -> None:
    """List rollbacks and what became of them, newest first."""
    rollbacks = listed(
        lambda client: client.rollbacks.ListRollbacks,
        wire.rollbacks.ListRollbacksRequest(waiting_only=waiting),
        lambda answer: answer.rollbacks,
        limit,
    )
    columns = [key for key, _ in facts_of(wire.rollbacks.Rollback())]
    show(columns, [[value for _, value in facts_of(found)] for found in rollbacks], output, SPARE)


@app.command("show", epilog="Example: bearpit-admin rollback show 4")
def show_(rollback_id: RollbackId, output: Output = None) -> None:
    """Show a rollback with what it did, or what it would do now."""
    request = wire.rollbacks.GetRollbackRequest(rollback_id=rollback_id)
    found = run(lambda client: client.rollbacks.GetRollback(request, timeout=PATIENCE_SECONDS))
    show_rollback(found, output)


def _undo(
    request: "wire.rollbacks.RequestRollbackRequest",
    question: str,
    output: Output,
    yes: bool,
    dry_run: bool,
) -> None:
    async def ask(client: "Client", only_tell: bool) -> "wire.rollbacks.RequestRollbackResponse":
        request.validate_only = only_tell
        return await client.rollbacks.RequestRollback(request, timeout=PATIENCE_SECONDS)

    undo(ask, question, output, yes, dry_run)


def _policy(policy: Shortage) -> str:
    return f"SHORTAGE_POLICY_{policy.name}"


def _prices(texts: list[str]) -> dict[str, int]:
    """The cents by symbol in "acme=12.40"; a usage error for anything else."""
    found: dict[str, int] = {}
    for text in texts:
        symbol, separator, points = text.partition("=")
        if not separator or not symbol.strip():
            raise typer.BadParameter(f"{text!r} is no price; write it like ACME=12.40")
        if symbol.strip().upper() in found:
            raise typer.BadParameter(f"{symbol.strip().upper()} is given twice; give each once")
        found[symbol.strip().upper()] = parse_price(points)
    return found
