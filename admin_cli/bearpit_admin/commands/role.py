"""`bearpit-admin role`: who may do what."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.options import DryRun, Output, PlayerName, Yes
from bearpit_admin.output import Part, Value, show, show_one, tell
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import run
from bearpit_admin.roles import Role, names_of, to_wire

if TYPE_CHECKING:
    from bearpit.client import Client

app = typer.Typer(help="Who may do what.")

Roles = Annotated[list[Role], typer.Argument(metavar="ROLE", help="One or more; see `role list`.")]


@app.command("list", epilog="Example: bearpit-admin role list -o json")
def list_(output: Output = None) -> None:
    """List the roles, with all that each may do."""
    rows: list[tuple[Value, ...]] = [
        (terms.name, names_of(terms.includes), list(terms.permissions), terms.description)
        for terms in _table().roles
    ]
    show(("role", "includes", "permissions", "description"), rows, output, ("description", "includes"))


@app.command("show", epilog="Example: bearpit-admin role show code_manager")
def show_(
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="Which; see `role list`.")],
    output: Output = None,
) -> None:
    """Show a role, and what each of its permissions means."""
    table = _table()
    meanings = {permission.name: permission.description for permission in table.permissions}
    terms = next((one for one in table.roles if one.name == role), None)
    if terms is None:
        raise Failure(f"This server knows no role {role.value}.", Exit.CONFLICT, "bearpit-admin role list")
    facts: list[tuple[str, Value]] = [
        ("role", terms.name),
        ("description", terms.description),
        ("includes", names_of(terms.includes)),
    ]
    permissions = [(name, meanings.get(name, "")) for name in terms.permissions]
    show_one(facts, output, Part("permissions", ("permission", "meaning"), permissions))


@app.command(epilog="Example: bearpit-admin role grant ada code_manager announcer")
def grant(name: PlayerName, roles: Roles, dry_run: DryRun = False) -> None:
    """Give a player roles beside those there are. It holds at once, without signing in again."""
    _change(name, dry_run, lambda has: has | {role.value for role in roles})


@app.command(epilog="Example: bearpit-admin role revoke ada announcer --yes")
def revoke(name: PlayerName, roles: Roles, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Take roles from a player. It holds at once; who has none left is a player."""
    confirm(f"Take {', '.join(roles)} from {name}?", yes, dry_run)

    def without(has: set[str]) -> set[str]:
        if missing := [role.value for role in roles if role.value not in has]:
            raise Failure(
                f"{name} is no {' and no '.join(missing)}, but {', '.join(sorted(has))}.",
                Exit.CONFLICT,
                f"see `bearpit-admin player show {name}`; what another role includes stays",
            )
        return has - {role.value for role in roles} or {Role.PLAYER.value}

    _change(name, dry_run, without)


def _change(name: str, dry_run: bool, changed: Callable[[set[str]], set[str]]) -> None:
    """Set the roles to what they come to. Refused if another operator has changed them meanwhile."""

    async def work(client: "Client") -> "wire.admin.SetRolesResponse":
        found = await client.admin.GetPlayer(wire.admin.GetPlayerRequest(name=name))
        request = wire.admin.SetRolesRequest(
            name=name,
            roles=to_wire(sorted(changed(set(names_of(found.player.roles))))),
            expected_roles=found.player.roles,
            validate_only=dry_run,
        )
        return await client.admin.SetRoles(request)

    done = run(work)
    tell(f"{done.player.name} is {', '.join(names_of(done.player.roles))}", dry_run)
    if done.gained_permissions:
        tell(f"  may now {', '.join(done.gained_permissions)}")
    if done.lost_permissions:
        tell(f"  may no longer {', '.join(done.lost_permissions)}")


def _table() -> "wire.auth.ListRolesResponse":
    return run(lambda client: client.auth.ListRoles(wire.auth.ListRolesRequest()))
