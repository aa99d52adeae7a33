"""The permission table knows every RPC there is, and nothing else."""

import pytest
from bearpit.client import contract
from bearpit_server.identity.service_tokens import ARCADE_PLAY, PRICES_PUSH, SCOPES
from bearpit_server.rules.roles import ADMIN, PLAYER, permissions_of
from bearpit_server.services.permission_page import PAGE, markdown
from bearpit_server.services.permissions import ACCESS, Rate
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

SERVICES: list[ServiceDescriptor] = [
    *contract.SERVICES.values(),
    *(
        service
        for file in (health_pb2, reflection_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
    ),
]
PATHS = [f"/{service.full_name}/{method.name}" for service in SERVICES for method in service.methods]


def test_every_rpc_is_in_the_table_and_nothing_else() -> None:
    assert sorted(ACCESS) == sorted(PATHS)


@pytest.mark.parametrize("path", [path for path in PATHS if "/bearpit" not in path])
def test_health_and_reflection_are_public(path: str) -> None:
    assert ACCESS[path].public


def test_of_ours_only_the_door_is_public() -> None:
    public = {path.rpartition("/")[2] for path in PATHS if "/bearpit" in path and ACCESS[path].public}
    assert public == {"Register", "SignIn", "RefreshToken", "SignOut", "VisitBooth"}


@pytest.mark.parametrize("path", [path for path in PATHS if not ACCESS[path].public])
def test_operators_may_all_that_players_may(path: str) -> None:
    assert ACCESS[path].permission in permissions_of([ADMIN])


@pytest.mark.parametrize("path", [path for path in PATHS if "AdminService" in path])
def test_nothing_of_the_operators_is_open_to_players(path: str) -> None:
    assert ACCESS[path].permission not in permissions_of([PLAYER])


@pytest.mark.parametrize("path", PATHS)
def test_a_service_only_ever_reads_but_for_its_own_trade(path: str) -> None:
    permission, name = ACCESS[path], path.rpartition("/")[2]
    assert permission.scope in ("", "*", *SCOPES)
    trade = {PRICES_PUSH: {"PushPrices"}, ARCADE_PLAY: {"TakePoints", "GivePoints"}}
    if permission.scope and name not in trade.get(permission.scope, ()):
        assert name.startswith(("Get", "List", "Stream", "Check", "Watch", "Simulate", "Compare"))


@pytest.mark.parametrize("path", PATHS)
def test_what_costs_a_password_hash_counts_as_a_sign_in(path: str) -> None:
    costly = path.rpartition("/")[2] in ("Register", "SignIn", "ChangePassword")
    assert (ACCESS[path].rate is Rate.SIGN_IN) == costly


def test_the_page_of_who_may_do_what_is_as_new_as_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), "write it anew with `make permissions`"
