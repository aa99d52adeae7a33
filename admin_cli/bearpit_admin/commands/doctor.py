"""`bearpit-admin doctor`: the ledger's proofs."""

import sys

import typer

from bearpit_admin import wire
from bearpit_admin.exits import Exit
from bearpit_admin.options import Output
from bearpit_admin.output import show, tell
from bearpit_admin.remote import run

PATIENCE_SECONDS = 900
"""Millions of rows take a while."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: bearpit-admin doctor && echo the books are right")(doctor)


def doctor(output: Output = None) -> None:
    """Prove the ledger. Ends with 0 when every rule holds, with 1 when one is broken."""
    if sys.stderr.isatty():
        tell("proving the ledger; with millions of postings this takes minutes", err=True)
    request = wire.admin.CheckLedgerRequest()
    proofs = run(lambda client: client.admin.CheckLedger(request, timeout=PATIENCE_SECONDS)).proofs
    rows = [(proof.holds, proof.rule, proof.checked, list(proof.violations)) for proof in proofs]
    show(("holds", "rule", "checked", "violations"), rows, output)
    broken = sum(not proof.holds for proof in proofs)
    if broken:
        tell(
            f"{broken} of {len(proofs)} rules are broken; stop the game and keep a copy of the database",
            err=True,
        )
        raise typer.Exit(Exit.FAILED)
    if sys.stderr.isatty():
        tell(f"all {len(proofs)} rules hold", err=True)
