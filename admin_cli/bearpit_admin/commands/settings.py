"""`bearpit-admin settings`: the game's settings."""

from typing import Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.options import DryRun, Output
from bearpit_admin.output import show, tell
from bearpit_admin.pairs import parse_pairs
from bearpit_admin.remote import run

app = typer.Typer(help="The game's settings.")


@app.command("list", epilog="Example: bearpit-admin settings list")
def list_(output: Output = None) -> None:
    """List all settings, what they are and what they would be by default."""
    held = run(lambda client: client.admin.GetSettings(wire.admin.GetSettingsRequest()))
    rows = [
        (setting.key, setting.value, setting.default_value, setting.description) for setting in held.settings
    ]
    show(("key", "value", "default", "description"), rows, output)


@app.command(
    "set", epilog="Example: bearpit-admin settings set registration_open=false starting_cash_cents=5000.00"
)
def set_(
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE",
            help="Whole numbers, true or false. Cents may be written as points, with a point: 12.40 is 1240.",
        ),
    ],
    dry_run: DryRun = False,
) -> None:
    """Change settings, all or none of them."""
    wanted = parse_pairs(values, "registration_open=false")
    request = wire.admin.UpdateSettingsRequest(values=wanted, validate_only=dry_run)
    changed = run(lambda client: client.admin.UpdateSettings(request), in_cents=True)
    held = {setting.key: setting.value for setting in changed.settings}
    for key in wanted:
        tell(f"{key}={held[key]}", dry_run)
