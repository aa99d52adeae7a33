"""Who may do what: permissions, and the roles that grant them. A role may include other roles."""

from collections.abc import Collection, Iterable
from enum import StrEnum
from functools import cache

from bearpit_server.rules.record import record
from bearpit_server.rules.refusals import Refused


class Permission(StrEnum):
    """Something that somebody may be allowed to do."""

    LOOK = "LOOK"
    PLAY = "PLAY"
    VIEW_ALL_PLAYERS = "VIEW_ALL_PLAYERS"
    GIVE_POINTS = "GIVE_POINTS"
    CREATE_CODES = "CREATE_CODES"
    CREATE_ANNOUNCEMENT = "CREATE_ANNOUNCEMENT"
    MANAGE_MARKET = "MANAGE_MARKET"
    MANAGE_WINDOWS = "MANAGE_WINDOWS"
    MANAGE_PLAYERS = "MANAGE_PLAYERS"
    MANAGE_BOOTHS = "MANAGE_BOOTHS"
    VIEW_AUDIT = "VIEW_AUDIT"
    ROLL_BACK = "ROLL_BACK"
    APPROVE_ROLLBACK = "APPROVE_ROLLBACK"
    IMPERSONATE = "IMPERSONATE"
    SYSTEM_ADMIN = "SYSTEM_ADMIN"


MEANINGS: dict[Permission, str] = {
    Permission.LOOK: "see prices, books, windows, news, ranks, and one's own things",
    Permission.PLAY: "trade, transfer, duel, redeem",
    Permission.VIEW_ALL_PLAYERS: "see every player's wallet, orders and trades",
    Permission.GIVE_POINTS: "give and take points and shares, set debts and credit lines",
    Permission.CREATE_CODES: "make codes, print them, see who redeemed them",
    Permission.CREATE_ANNOUNCEMENT: "announce, and publish headlines that do not move prices",
    Permission.MANAGE_MARKET: "list instruments, set how prices form, open, close and halt the market",
    Permission.MANAGE_WINDOWS: "plan trading windows and settle them",
    Permission.MANAGE_PLAYERS: "make, freeze and disable players, reset passwords, assign teams",
    Permission.MANAGE_BOOTHS: "make booths and arcade machines, and their passwords, tokens and limits",
    Permission.VIEW_AUDIT: "read the event log, the proofs of the ledger, failed deliveries",
    Permission.ROLL_BACK: "take back trades, and ask for what takes two",
    Permission.APPROVE_ROLLBACK: "approve a rollback that somebody else has asked for",
    Permission.IMPERSONATE: "see and do, for a quarter of an hour and on the record, what a player can",
    Permission.SYSTEM_ADMIN: "grant roles, change settings, make service tokens, replay events",
}
"""What each allows, in words."""


@record
class Role:
    """A name for permissions, its own and those of the roles that it includes."""

    name: str
    description: str
    grants: frozenset[Permission]
    includes: tuple[str, ...] = ()


_ALL = (
    Role("player", "takes part", frozenset({Permission.LOOK, Permission.PLAY})),
    Role(
        "code_manager", "makes codes and runs booths",
        frozenset({Permission.LOOK, Permission.CREATE_CODES, Permission.MANAGE_BOOTHS}),
    ),
    Role(
        "points_manager", "gives and takes points",
        frozenset({Permission.LOOK, Permission.GIVE_POINTS, Permission.VIEW_ALL_PLAYERS}),
    ),
    Role(
        "code_points_manager", "makes codes, runs booths, gives and takes points",
        frozenset(), ("code_manager", "points_manager"),
    ),
    Role("announcer", "speaks to everybody", frozenset({Permission.LOOK, Permission.CREATE_ANNOUNCEMENT})),
    Role(
        "surveillance", "watches for cheating, and changes nothing",
        frozenset({Permission.LOOK, Permission.VIEW_ALL_PLAYERS, Permission.VIEW_AUDIT}),
    ),
    Role(
        "admin", "runs the game",
        frozenset(Permission),
        ("player", "code_points_manager", "announcer", "surveillance"),
    ),
)  # fmt: skip
ROLES: dict[str, Role] = {role.name: role for role in _ALL}
"""Every role by its name; `players.roles` holds these names."""
PLAYER, ADMIN = "player", "admin"


def permissions_of(roles: Iterable[str]) -> frozenset[Permission]:
    """All that these roles allow; a name that is none allows nothing."""
    return _permissions_of(frozenset(roles))


@cache
def _permissions_of(roles: frozenset[str]) -> frozenset[Permission]:
    found: set[Permission] = set()
    for name in roles & ROLES.keys():
        found |= ROLES[name].grants | permissions_of(ROLES[name].includes)
    return frozenset(found)


def lacking(needed: Collection[Permission], has: Collection[Permission], deed: str) -> None:
    """Raises Refused NOT_ALLOWED with what is missing for a deed, such as "granting these roles"."""
    missing = [permission for permission in Permission if permission in needed and permission not in has]
    if missing:
        raise not_allowed(f"{deed} needs {', '.join(missing)}, which you have not got yourself", missing[0])


def not_allowed(message: str, permission: Permission) -> Refused:
    """The refusal of who lacks a permission, with the roles that have it."""
    roles = granting(permission)
    return Refused(
        "NOT_ALLOWED",
        f"{message}; {', '.join(roles)} would do: ask an admin",
        permission=permission,
        roles=",".join(roles),
    )


def granting(permission: Permission) -> list[str]:
    """The roles that allow something, by name, from the smallest on."""
    names = [name for name in ROLES if permission in permissions_of([name])]
    return sorted(names, key=lambda name: (len(permissions_of([name])), name))
