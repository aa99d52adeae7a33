"""`bearpit-admin approve`: let another operator's rollback be done, or turn it down."""

from typing import TYPE_CHECKING, Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.options import DryRun, Output, RollbackId, Yes
from bearpit_admin.output import tell
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import run
from bearpit_admin.undoing import PATIENCE_SECONDS, undo, what_of

if TYPE_CHECKING:
    from bearpit.client import Client


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: bearpit-admin approve 4 --dry-run")(approve)


def approve(
    rollback_id: RollbackId,
    reject: Annotated[bool, typer.Option("--reject", help="Turn it down instead.")] = False,
    yes: Yes = False,
    output: Output = None,
    dry_run: DryRun = False,
) -> None:
    """Let another operator's rollback be done.

    Its effects are shown first, and its end is waited for.
    """
    if reject:
        _reject(rollback_id, yes, dry_run)
        return

    async def ask(client: "Client", only_tell: bool) -> "wire.rollbacks.ApproveRollbackResponse":
        request = wire.rollbacks.ApproveRollbackRequest(rollback_id=rollback_id, validate_only=only_tell)
        return await client.rollbacks.ApproveRollback(request, timeout=PATIENCE_SECONDS)

    undo(ask, f"Let rollback {rollback_id} be done?", output, yes, dry_run)


def _reject(rollback_id: int, yes: bool, dry_run: bool) -> None:
    confirm(f"Turn rollback {rollback_id} down?", yes, dry_run)
    request = wire.rollbacks.RejectRollbackRequest(rollback_id=rollback_id, validate_only=dry_run)
    found = run(lambda client: client.rollbacks.RejectRollback(request)).rollback
    tell(f"rejected rollback {found.rollback_id}, of {what_of(found)}", dry_run)
