"""Roles and what they grant, against a table written by hand."""

import pytest
from bearpit.v1 import auth_pb2
from bearpit_admin.roles import Role
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.roles import MEANINGS, ROLES, Permission, granting, lacking, permissions_of

GRANTS = {
    "player": "LOOK PLAY",
    "code_manager": "LOOK CREATE_CODES MANAGE_BOOTHS",
    "points_manager": "LOOK GIVE_POINTS VIEW_ALL_PLAYERS",
    "code_points_manager": "LOOK CREATE_CODES MANAGE_BOOTHS GIVE_POINTS VIEW_ALL_PLAYERS",
    "announcer": "LOOK CREATE_ANNOUNCEMENT",
    "surveillance": "LOOK VIEW_ALL_PLAYERS VIEW_AUDIT",
    "admin": (
        "LOOK PLAY VIEW_ALL_PLAYERS GIVE_POINTS CREATE_CODES CREATE_ANNOUNCEMENT MANAGE_MARKET "
        "MANAGE_WINDOWS MANAGE_PLAYERS MANAGE_BOOTHS VIEW_AUDIT ROLL_BACK APPROVE_ROLLBACK IMPERSONATE "
        "SYSTEM_ADMIN"
    ),
}


@pytest.mark.parametrize("role", GRANTS)
def test_each_role_grants_what_it_should_and_nothing_else(role: str) -> None:
    assert permissions_of([role]) == set(GRANTS[role].split())


def test_there_are_no_other_roles_in_the_table_the_contract_or_the_command_line() -> None:
    assert list(ROLES) == list(GRANTS)
    named = {
        name.removeprefix("ROLE_").lower()
        for name in auth_pb2.DESCRIPTOR.enum_types_by_name["Role"].values_by_name
    }
    assert named - {"unspecified"} == set(GRANTS)
    assert {role.value for role in Role} == set(GRANTS)


def test_several_roles_grant_what_each_of_them_does() -> None:
    both = permissions_of(["player", "announcer"])
    assert both == {"LOOK", "PLAY", "CREATE_ANNOUNCEMENT"}
    assert permissions_of(["nonsense", "house"]) == frozenset()


def test_every_role_that_is_included_is_there_and_no_role_includes_itself() -> None:
    def included(name: str, above: tuple[str, ...] = ()) -> None:
        assert name not in above
        for part in ROLES[name].includes:
            included(part, (*above, name))

    for name in ROLES:
        included(name)


@pytest.mark.parametrize("permission", Permission)
def test_every_permission_is_explained_and_somebody_has_it(permission: Permission) -> None:
    assert MEANINGS[permission]
    assert granting(permission)[-1] == "admin"


def test_the_smallest_role_that_would_do_is_named_first() -> None:
    assert granting(Permission.VIEW_ALL_PLAYERS) == [
        "points_manager", "surveillance", "code_points_manager", "admin",
    ]  # fmt: skip


def test_what_is_missing_is_named_in_the_tables_order() -> None:
    needed = {Permission.SYSTEM_ADMIN, Permission.PLAY, Permission.LOOK}
    lacking(needed, needed, "this")
    with pytest.raises(Refused, match="this needs PLAY, SYSTEM_ADMIN") as refusal:
        lacking(needed, [Permission.LOOK], "this")
    assert refusal.value.metadata == {"permission": "PLAY", "roles": "player,admin"}
