"""Roles as people write them, and as the contract does."""

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from bearpit_admin import wire

if TYPE_CHECKING:
    from bearpit.v1 import auth_pb2


class Role(StrEnum):
    """What a person may be; `role list` tells what each may do."""

    PLAYER = "player"
    CODE_MANAGER = "code_manager"
    POINTS_MANAGER = "points_manager"
    CODE_POINTS_MANAGER = "code_points_manager"
    ANNOUNCER = "announcer"
    SURVEILLANCE = "surveillance"
    ADMIN = "admin"


def to_wire(roles: Iterable[str]) -> list[str]:
    """As the contract names them."""
    return [f"ROLE_{role.upper()}" for role in roles]


def name_of(role: "auth_pb2.Role") -> str:
    """As people write it; of a role that a newer server has, too."""
    if role not in wire.auth.Role.values():
        return str(int(role))
    return wire.auth.Role.Name(role).removeprefix("ROLE_").lower()


def names_of(roles: "Iterable[auth_pb2.Role]") -> list[str]:
    """As people write them, in the contract's order."""
    return [name_of(role) for role in sorted(roles)]
