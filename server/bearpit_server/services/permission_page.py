"""The page of who may do what, written from the tables: `make permissions`; a test tells when it is old."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from bearpit_server.rules.roles import MEANINGS, ROLES, Permission, granting, permissions_of
from bearpit_server.services.permissions import ACCESS, Access

PAGE = Path(__file__).parents[2] / "PERMISSIONS.md"

_HEAD = """# Who may do what

Written by `make permissions` from `rules/roles.py` and `services/permissions.py`; change those, not this.
The server checks it at every call, and `bearpit-admin role list` reads it from a running server.
"""

_CALLS = """An RPC that is not here is refused to everybody. A service is let in by a scope of its token.
A frozen player is let in where LOOK is enough. *In person*: not through another's eyes, which
`bearpit-admin player sudo` lends.
"""


def markdown() -> str:
    """The page: roles, what each may do, and what each call takes."""
    return "\n".join(
        [_HEAD, "## Roles\n", _roles(), "\n## Permissions\n", _permissions(), "\n## Calls\n", _calls()]
    )


def _roles() -> str:
    rows = (
        (f"`{role.name}`", role.description, ", ".join(f"`{name}`" for name in role.includes))
        for role in ROLES.values()
    )
    return _table(("role", "who", "includes"), rows)


def _permissions() -> str:
    rows = (
        (
            permission.value,
            MEANINGS[permission],
            *("✓" if permission in permissions_of([name]) else "" for name in ROLES),
        )
        for permission in Permission
    )
    return _table(("permission", "what it allows", *(f"`{name}`" for name in ROLES)), rows)


def _calls() -> str:
    parts = [_CALLS]
    services = dict.fromkeys(path.split("/")[1] for path in ACCESS)
    for service in services:
        rows = (
            (path.rpartition("/")[2], *_terms(access))
            for path, access in ACCESS.items()
            if path.split("/")[1] == service
        )
        columns = ("call", "permission", "scope of a service", "roles", "")
        parts.append(f"### {service.rpartition('.')[2]}\n\n{_table(columns, rows)}\n")
    return "\n".join(parts)


def _terms(access: Access) -> tuple[str, str, str, str]:
    if access.permission is None:
        return "everybody", "", "", ""
    scope = {"": "", "*": "any"}.get(access.scope, f"`{access.scope}`")
    roles = granting(access.permission)
    who = "every role" if len(roles) == len(ROLES) else ", ".join(f"`{name}`" for name in roles)
    return access.permission.value, scope, who, "in person" if access.in_person else ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(markdown(), encoding="utf-8")
