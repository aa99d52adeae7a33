"""`bearpit-admin status`: how the server does."""

import typer

from bearpit_admin import wire
from bearpit_admin.commands.market import facts_of
from bearpit_admin.options import Output
from bearpit_admin.output import Value, moment, show_one
from bearpit_admin.remote import here, run


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: bearpit-admin status -o json")(status)


def status(output: Output = None) -> None:
    """Show how the server and the market do."""
    found = run(lambda client: client.admin.GetServerStatus(wire.admin.GetServerStatusRequest()))
    facts: list[tuple[str, Value]] = [
        ("server", here().server),
        ("version", found.version),
        ("ready_at", moment(found.ready_at)),
        ("database_version", found.database_version),
        ("players", found.players),
        ("open_orders", found.open_orders),
        ("trades", found.trades),
        ("streams", found.streams),
        ("rate_limited", found.rate_limited),
        (
            "shards",
            [
                f"{number} at {owner}" if owner else f"{number} free"
                for owner, number in _owners(found).items()
            ],
        ),
    ]
    check = found.ledger_check if found.HasField("ledger_check") else None
    facts += [
        ("ledger_checked_at", moment(check.checked_at) if check else None),
        ("ledger", _ledger(check) if check else "not checked yet"),
    ]
    facts += [(f"market_{key}", value) for key, value in facts_of(found.market)]
    show_one(facts, output)


def _ledger(check: "wire.admin.LedgerCheck") -> Value:
    """That all is well, or each broken rule with what breaks it."""
    if not check.broken:
        return f"{check.rules} rules hold"
    return [f"BROKEN: {proof.rule}: {'; '.join(proof.violations)}" for proof in check.broken]


def _owners(found: "wire.admin.GetServerStatusResponse") -> dict[str, int]:
    owners: dict[str, int] = {}
    for shard in found.shards:
        owners[shard.owner] = owners.get(shard.owner, 0) + 1
    return owners
