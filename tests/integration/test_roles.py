"""Roles: granted and taken while the game runs, never more than one has, never the last admin's."""

import asyncio
from collections.abc import Awaitable

import grpc
import pytest
from bearpit.client import BearpitError, Client
from bearpit.v1 import admin_pb2 as pb
from bearpit.v1 import auth_pb2, market_pb2, trading_pb2
from bearpit_server.events.log import HOUSE_ORIGIN, newest
from bearpit_server.identity import players
from bearpit_server.identity.callers import Caller
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.roles import Permission, permissions_of
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Player

from tests.integration.door import Door
from tests.venue import OPERATOR, PASSWORD, Venue, refused

PLAYER, ADMIN = auth_pb2.ROLE_PLAYER, auth_pb2.ROLE_ADMIN
ANNOUNCER, SURVEILLANCE = auth_pb2.ROLE_ANNOUNCER, auth_pb2.ROLE_SURVEILLANCE
ME = auth_pb2.GetMeRequest()
ALL = pb.ListPlayersRequest()


async def admin(venue: Venue, name: str) -> Client:
    """Another admin, signed in."""
    operator = await venue.operator()
    await operator.admin.CreatePlayer(pb.CreatePlayerRequest(name=name, password=PASSWORD, roles=[ADMIN]))
    return await venue.sign_in(name)


async def roles_of(operator: Client, name: str) -> list[auth_pb2.Role]:
    return list((await operator.admin.GetPlayer(pb.GetPlayerRequest(name=name))).player.roles)


async def test_the_table_is_told_to_anybody_who_is_signed_in(venue: Venue) -> None:
    ada = await venue.player("ada")
    table = await ada.auth.ListRoles(auth_pb2.ListRolesRequest())
    terms = {one.name: one for one in table.roles}
    assert list(terms) == [
        "player", "code_manager", "points_manager", "code_points_manager", "announcer", "surveillance",
        "admin",
    ]  # fmt: skip
    assert list(terms["code_points_manager"].permissions) == [
        "LOOK", "VIEW_ALL_PLAYERS", "GIVE_POINTS", "CREATE_CODES", "MANAGE_BOOTHS",
    ]  # fmt: skip
    assert list(terms["code_points_manager"].includes) == [
        auth_pb2.ROLE_CODE_MANAGER,
        auth_pb2.ROLE_POINTS_MANAGER,
    ]
    assert {one.name for one in table.permissions} == set(Permission)
    assert list(terms["admin"].permissions) == [one.name for one in table.permissions]
    assert all(one.description for one in table.roles)
    assert all(one.description for one in table.permissions)


async def test_a_role_holds_at_the_next_call_without_a_new_sign_in(operator: Client, venue: Venue) -> None:
    ada = await venue.player("ada")
    assert (await refused(ada.admin.ListPlayers(ALL))).reason == "NOT_ALLOWED"
    done = await operator.admin.SetRoles(pb.SetRolesRequest(name="ada", roles=[PLAYER, SURVEILLANCE]))
    assert list(done.player.roles) == [PLAYER, SURVEILLANCE]
    assert list(done.gained_permissions) == ["VIEW_ALL_PLAYERS", "VIEW_AUDIT"]
    assert list(done.lost_permissions) == []
    await ada.admin.ListPlayers(ALL)
    me = (await ada.auth.GetMe(ME)).player
    assert list(me.permissions) == ["LOOK", "PLAY", "VIEW_ALL_PLAYERS", "VIEW_AUDIT"]

    done = await operator.admin.SetRoles(pb.SetRolesRequest(name="ada", roles=[ANNOUNCER]))
    assert list(done.gained_permissions) == ["CREATE_ANNOUNCEMENT"]
    assert list(done.lost_permissions) == ["PLAY", "VIEW_ALL_PLAYERS", "VIEW_AUDIT"]
    assert (await refused(ada.admin.ListPlayers(ALL))).reason == "NOT_ALLOWED"
    transfer = trading_pb2.PlaceOrderRequest()
    assert (await refused(ada.trading.PlaceOrder(transfer))).metadata["permission"] == "PLAY"


async def test_a_change_of_roles_is_an_event_and_no_change_is_none(operator: Client, venue: Venue) -> None:
    await venue.player("ada")
    operator_id = (await operator.auth.GetMe(ME)).player.player_id
    for _ in range(2):
        await operator.admin.SetRoles(pb.SetRolesRequest(name="ADA", roles=[ANNOUNCER, PLAYER, PLAYER]))
    [event] = await venue.database.run(newest, 100, "player.roles_changed")
    assert event.actor_id == operator_id
    assert event.payload == {
        "before": ["player"],
        "roles": ["announcer", "player"],
        "gained": ["CREATE_ANNOUNCEMENT"],
        "lost": [],
    }


async def test_a_rehearsal_tells_and_changes_nothing(operator: Client, venue: Venue) -> None:
    await venue.player("ada")
    told = await operator.admin.SetRoles(pb.SetRolesRequest(name="ada", roles=[ADMIN], validate_only=True))
    assert "SYSTEM_ADMIN" in told.gained_permissions
    assert await roles_of(operator, "ada") == [PLAYER]


async def test_a_change_that_is_sent_twice_is_made_once(operator: Client, venue: Venue) -> None:
    await venue.player("ada")
    first = pb.SetRolesRequest(name="ada", roles=[ANNOUNCER], request_id="first")
    done = await operator.admin.SetRoles(first)
    await operator.admin.SetRoles(pb.SetRolesRequest(name="ada", roles=[SURVEILLANCE]))
    assert await operator.admin.SetRoles(first) == done
    assert await roles_of(operator, "ada") == [SURVEILLANCE]


async def test_of_two_operators_neither_undoes_what_the_other_has_done(
    operator: Client, venue: Venue
) -> None:
    await venue.player("ada")
    requests = [
        pb.SetRolesRequest(name="ada", roles=[PLAYER, role], expected_roles=[PLAYER])
        for role in (ANNOUNCER, SURVEILLANCE) * 10
    ]
    answers = await asyncio.gather(*map(operator.admin.SetRoles, requests), return_exceptions=True)
    late = [answer.reason for answer in answers if isinstance(answer, BearpitError)]
    assert late == ["NOT_POSSIBLE_NOW"] * 19
    assert len(await roles_of(operator, "ada")) == 2


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.SetRolesRequest(name="ada"), "INVALID_FIELD"),
        (pb.SetRolesRequest(name="ada", roles=[auth_pb2.ROLE_UNSPECIFIED]), "INVALID_FIELD"),
        (pb.SetRolesRequest(name="ada", roles=[PLAYER, 99]), "INVALID_FIELD"),  # type: ignore[list-item]
        (pb.SetRolesRequest(name="nobody", roles=[PLAYER]), "NOT_FOUND"),
        (pb.SetRolesRequest(name="house", roles=[ADMIN]), "NOT_FOUND"),
        (pb.SetRolesRequest(name=OPERATOR, roles=[PLAYER]), "LAST_ADMIN"),
    ],
)
async def test_changes_that_cannot_be(
    request_: pb.SetRolesRequest, reason: str, operator: Client, venue: Venue
) -> None:
    await venue.player("ada")
    assert (await refused(operator.admin.SetRoles(request_))).reason == reason
    assert await roles_of(operator, "ada") == [PLAYER]
    assert await roles_of(operator, OPERATOR) == [ADMIN]


async def test_a_player_is_made_with_several_roles(operator: Client, venue: Venue) -> None:
    both = [auth_pb2.ROLE_CODE_MANAGER, ANNOUNCER]
    made = await operator.admin.CreatePlayer(
        pb.CreatePlayerRequest(name="staff", password=PASSWORD, roles=both)
    )
    assert sorted(made.player.roles) == sorted(both)
    assert list(made.player.permissions) == [], "what one may do is told to nobody else"
    staff = await venue.sign_in("staff")
    assert staff.player is not None
    assert list(staff.player.permissions) == ["LOOK", "CREATE_CODES", "CREATE_ANNOUNCEMENT", "MANAGE_BOOTHS"]


def by(*roles: str) -> Caller:
    return Caller(1, "somebody", permissions_of(roles))


def test_nobody_grants_what_he_may_not_do_himself(database: Database) -> None:
    with database.transaction():
        players.create_player("root", "", ["admin"], 0, HOUSE_ORIGIN)
        players.create_player("ada", "", ["surveillance"], 0, HOUSE_ORIGIN)
        with pytest.raises(Refused) as refusal:
            players.set_roles("ada", ["points_manager"], [], by("code_manager", "surveillance"), HOUSE_ORIGIN)
        assert refusal.value.reason == "NOT_ALLOWED"
        assert refusal.value.metadata["permission"] == "GIVE_POINTS"
        done = players.set_roles("ada", ["announcer"], [], by("announcer"), HOUSE_ORIGIN)
        assert done.lost == [Permission.VIEW_ALL_PLAYERS, Permission.VIEW_AUDIT]


# --- the last admin ----------------------------------------------------------------------------------------


async def test_the_last_admin_who_can_act_stays_one(operator: Client, venue: Venue) -> None:
    second, third = await admin(venue, "second"), await admin(venue, "third")
    await operator.admin.SetFrozen(pb.SetFrozenRequest(name="second", frozen=True, reason="x"))
    await operator.admin.SetPlayerDisabled(pb.SetPlayerDisabledRequest(name="third", disabled=True))
    demote = pb.SetRolesRequest(name=OPERATOR, roles=[PLAYER])
    assert (await refused(operator.admin.SetRoles(demote))).reason == "LAST_ADMIN"
    await operator.admin.SetFrozen(pb.SetFrozenRequest(name="second", frozen=False, reason="x"))
    await operator.admin.SetRoles(demote)
    assert (await refused(operator.admin.ListPlayers(ALL))).reason == "NOT_ALLOWED"
    await second.admin.ListPlayers(ALL)
    await third.close()


async def test_of_admins_who_all_go_for_each_other_at_once_one_is_left(
    operator: Client, venue: Venue
) -> None:
    names = [OPERATOR, *(f"admin{number}" for number in range(4))]
    clients = [operator, *[await admin(venue, name) for name in names[1:]]]

    def attacks(client: Client, own: str) -> list[Awaitable[object]]:
        """Ten demotions, four freezings and four disablings."""
        desk, others = client.admin, [name for name in names if name != own]
        demotions = [pb.SetRolesRequest(name=name, roles=[PLAYER]) for name in names * 2]
        freezings = [pb.SetFrozenRequest(name=name, frozen=True, reason="x") for name in others]
        disablings = [pb.SetPlayerDisabledRequest(name=name, disabled=True) for name in others]
        return [
            *map(desk.SetRoles, demotions),
            *map(desk.SetFrozen, freezings),
            *map(desk.SetPlayerDisabled, disablings),
        ]

    calls = [call for pair in zip(*map(attacks, clients, names), strict=True) for call in pair]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    reasons = {answer.reason for answer in answers if isinstance(answer, BearpitError)}
    assert reasons <= {"LAST_ADMIN", "NOT_ALLOWED", "PLAYER_FROZEN", "PLAYER_DISABLED", "NOT_SIGNED_IN"}
    able = Player.roles.contains("admin") & ~Player.disabled & ~Player.frozen
    left = await venue.database.run(lambda: Player.select().where(able).count())
    assert left == 1


# --- streams -----------------------------------------------------------------------------------------------


async def set_roles(door: Door, name: str, *roles: str) -> None:
    done = await door.database.run(players.set_roles, name, roles, [], by("admin"), HOUSE_ORIGIN)
    door.authority.forget(done.player.id)


async def test_a_change_of_roles_ends_only_streams_that_need_what_is_gone(door: Door) -> None:
    ada = await door.player("ada")
    looking = aiter(ada.market.StreamStatus(market_pb2.StreamStatusRequest()))
    await anext(looking)
    entries: asyncio.Queue[trading_pb2.EnterOrdersRequest] = asyncio.Queue()

    async def entered() -> object:
        while True:
            yield await entries.get()

    playing = aiter(ada.trading.EnterOrders(entered()))  # type: ignore[arg-type]
    entries.put_nowait(trading_pb2.EnterOrdersRequest(correlation=1))
    await anext(playing)

    await set_roles(door, "ada", "player", "announcer")
    await door.gate.recheck()
    entries.put_nowait(trading_pb2.EnterOrdersRequest(correlation=2))
    assert (await anext(playing)).correlation == 2

    await set_roles(door, "ada", "announcer")
    await door.gate.recheck()
    with pytest.raises(BearpitError) as ended:
        await anext(playing)
    assert (ended.value.code, ended.value.reason) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_ALLOWED")
    assert ended.value.metadata["permission"] == "PLAY"
    door.market.beats.put_nowait(None)
    await anext(looking)


async def test_what_another_process_grants_holds_here_when_the_log_is_followed(door: Door) -> None:
    ada = await door.player("ada")
    await ada.auth.GetMe(ME)
    done = await door.database.run(players.set_roles, "ada", ["admin"], [], by("admin"), HOUSE_ORIGIN)
    [event] = await door.events("player.roles_changed")
    await door.authority.follow([event])
    assert "SYSTEM_ADMIN" in (await ada.auth.GetMe(ME)).player.permissions
    assert done.gained
