"""Looking through a player's eyes: on the record, for a quarter of an hour, and never to get further."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from bearpit.client import Client
from bearpit.v1 import admin_pb2 as pb
from bearpit.v1 import auth_pb2, market_pb2, trading_pb2, wallet_pb2
from bearpit_server.events.log import HOUSE_ORIGIN, Logged, newest
from bearpit_server.identity import players, standings
from bearpit_server.identity.callers import Caller
from bearpit_server.rules.roles import Permission, permissions_of
from bearpit_server.storage.models import Event, Request
from bearpit_tui.eyes import connector

from tests.integration.door import Door
from tests.integration.floor import SHARED
from tests.orders import buy
from tests.venue import OPERATOR, PASSWORD, Venue, refused

ME = auth_pb2.GetMeRequest()


@pytest_asyncio.fixture(loop_scope="module", name="operator")
async def make_operator(floor: Venue) -> Client:
    """The floor's operator."""
    return await floor.operator()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada_and_gone(shared_floor: Venue) -> None:
    """Ada, and one who is disabled."""
    for name in ("ada", "gone"):
        await shared_floor.player(name)
    operator = await shared_floor.operator()
    await operator.admin.SetPlayerDisabled(pb.SetPlayerDisabledRequest(name="gone", disabled=True))


async def player(floor: Venue, cash_cents: int = 1_000_000) -> tuple[Client, str]:
    """A new player, signed in, and the name."""
    made = await floor.trader(cash_cents)
    assert made.player is not None
    return made, made.player.name


async def lend(operator: Client, name: str, reason: str = "cannot see her orders") -> str:
    """A token to look through a player's eyes."""
    request = pb.ImpersonateRequest(name=name, reason=reason)
    return (await operator.admin.Impersonate(request)).access_token


async def eyes(floor: Venue, token: str) -> Client:
    """A client that looks through them."""
    client = await floor.client()
    client.use_service_token(token)
    return client


async def events(floor: Venue, kind: str, name: str = "") -> list[Logged]:
    """Of a kind, oldest first; of a player or of all."""
    found = (await floor.database.run(newest, 1_000, kind))[::-1]
    if not name:
        return found
    operator = await floor.operator()
    seen = (await operator.admin.GetPlayer(pb.GetPlayerRequest(name=name))).player.player_id
    return [event for event in found if event.subject == f"player:{seen}"]


@SHARED
async def test_an_operator_sees_and_does_what_the_player_can(operator: Client, floor: Venue) -> None:
    _, name = await player(floor, 100_000)
    symbol = await floor.instrument()
    token = await lend(operator, name.upper())
    ada = await eyes(floor, token)
    me = await ada.auth.GetMe(ME)
    assert (me.player.name, me.impersonated_by) == (name, OPERATOR)
    assert list(me.player.permissions) == ["LOOK", "PLAY"]
    assert (await floor.wallet(ada)).cash_cents == 100_000
    order = (await floor.place(ada, buy(symbol, 5, 1_000))).order
    [listed] = (await ada.trading.ListOrders(trading_pb2.ListOrdersRequest())).orders
    assert listed.order_id == order.order_id
    assert (await refused(ada.admin.ListPlayers(pb.ListPlayersRequest()))).reason == "NOT_ALLOWED"


@SHARED
async def test_every_call_is_on_the_record_under_the_operators_name(operator: Client, floor: Venue) -> None:
    _, name = await player(floor, 100_000)
    _, bob = await player(floor, 0)
    ada_id = (await operator.admin.GetPlayer(pb.GetPlayerRequest(name=name))).player.player_id
    operator_id = (await operator.auth.GetMe(ME)).player.player_id
    ada = await eyes(floor, await lend(operator, name, "ticket 12"))
    await ada.auth.GetMe(ME)
    before = await events(floor, "transfer.")
    await floor.transfer(ada, bob, 500)

    [begun] = await events(floor, "impersonation.begun", name)
    assert (begun.actor_id, begun.subject) == (operator_id, f"player:{ada_id}")
    assert begun.payload == {"operator": OPERATOR, "reason": "ticket 12"}
    called = await events(floor, "impersonation.called", name)
    assert {(event.actor_id, event.subject) for event in called} == {(operator_id, f"player:{ada_id}")}
    assert [event.payload["call"] for event in called] == [
        "/bearpit.v1.AuthService/GetMe",
        "/bearpit.v1.WalletService/Transfer",
    ]
    [sent] = [event for event in (await events(floor, "transfer."))[len(before) :] if event.actor_id]
    assert sent.actor_id == operator_id


@SHARED
async def test_the_token_stands_nowhere(operator: Client, floor: Venue) -> None:
    _, name = await player(floor)
    request = pb.ImpersonateRequest(name=name, reason="x", request_id="once")
    token = (await operator.admin.Impersonate(request)).access_token
    again = await operator.admin.Impersonate(request)
    assert (again.player.name, again.access_token) == (name, "")
    assert len(await events(floor, "impersonation.begun", name)) == 1
    rows = await floor.database.run(lambda: [bytes(row.response) for row in Request.select()])
    kept = await floor.database.run(lambda: json.dumps([row.payload for row in Event.select()]))
    assert not any(token.encode() in row for row in rows)
    assert token not in kept


@SHARED
async def test_a_rehearsal_lends_nothing(operator: Client, floor: Venue) -> None:
    _, name = await player(floor)
    told = await operator.admin.Impersonate(pb.ImpersonateRequest(name=name, reason="x", validate_only=True))
    assert (told.player.name, told.access_token) == (name, "")
    assert await events(floor, "impersonation.begun", name) == []


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.ImpersonateRequest(name="nobody", reason="x"), "NOT_FOUND"),
        (pb.ImpersonateRequest(name="house", reason="x"), "NOT_FOUND"),
        (pb.ImpersonateRequest(name=OPERATOR, reason="x"), "INVALID_FIELD"),
        (pb.ImpersonateRequest(name="ada"), "INVALID_FIELD"),
        (pb.ImpersonateRequest(name="ada", reason="   "), "INVALID_FIELD"),
        (pb.ImpersonateRequest(name="ada", reason="x" * 141), "INVALID_FIELD"),
        (pb.ImpersonateRequest(name="ada", reason="a\x1fb"), "INVALID_FIELD"),
        (pb.ImpersonateRequest(name="gone", reason="x"), "NOT_POSSIBLE_NOW"),
    ],
)
@SHARED
async def test_eyes_that_cannot_be_lent(
    request_: pb.ImpersonateRequest, reason: str, operator: Client, floor: Venue, ada_and_gone: None
) -> None:
    before = await events(floor, "impersonation.begun")
    assert (await refused(operator.admin.Impersonate(request_))).reason == reason
    assert await events(floor, "impersonation.begun") == before


@SHARED
async def test_nobody_else_may_and_is_told_who_can(floor: Venue) -> None:
    ada = await floor.trader()
    error = await refused(ada.admin.Impersonate(pb.ImpersonateRequest(name=OPERATOR, reason="x")))
    assert error.metadata == {"permission": "IMPERSONATE", "roles": "admin"}


@SHARED
async def test_what_outlasts_the_eyes_is_refused_through_them(operator: Client, floor: Venue) -> None:
    await operator.admin.CreatePlayer(
        pb.CreatePlayerRequest(name="second", password=PASSWORD, roles=[auth_pb2.ROLE_ADMIN])
    )
    second = await eyes(floor, await lend(operator, "second"))
    change = auth_pb2.ChangePasswordRequest(old_password=PASSWORD, new_password="battery staple")
    roles = pb.SetRolesRequest(name="second", roles=[auth_pb2.ROLE_PLAYER])
    for call in (
        second.auth.ChangePassword(change),
        second.auth.SignOutEverywhere(auth_pb2.SignOutEverywhereRequest()),
        second.admin.SetRoles(roles),
        second.admin.ResetPassword(pb.ResetPasswordRequest(name="second")),
        second.admin.Impersonate(pb.ImpersonateRequest(name=OPERATOR, reason="x")),
    ):
        error = await refused(call)
        assert error.reason == "NOT_WHILE_IMPERSONATING"
        assert "sign in as yourself" in error.message
    await second.admin.ListPlayers(pb.ListPlayersRequest())


@SHARED
async def test_the_screen_opens_with_the_token_and_is_told_whose_eyes_they_are(
    operator: Client, floor: Venue
) -> None:
    _, name = await player(floor)
    token = await lend(operator, name)
    async with connector(tls=False)(floor.address, lambda _: None) as gateway:
        await gateway.resume(token)
        me = await gateway.me()
    assert (me.name, me.seen_by) == (name, OPERATOR)


@SHARED
async def test_an_operators_looks_do_not_count_as_the_players(
    operator: Client, floor: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name = await player(floor)
    symbol = await floor.instrument()
    looks: list[int] = []
    monkeypatch.setattr(floor.running.exchange, "glance", lambda player_id, _: looks.append(player_id))
    ada = await eyes(floor, await lend(operator, name))
    await ada.market.GetInstrument(market_pb2.GetInstrumentRequest(symbol=symbol))
    await owner.market.GetInstrument(market_pb2.GetInstrumentRequest(symbol=symbol))
    assert looks[0] == 0
    assert looks[-1] != 0


# --- how it ends -------------------------------------------------------------------------------------------


async def lent(door: Door, name: str = "ada", role: str = "player") -> tuple[Client, Client]:
    """An operator, and the client with which he looks through a new player's eyes."""
    root = await door.player("root", "admin")
    await door.player(name, role)
    assert root.tokens is not None
    caller = await door.authority.authenticate(root.tokens.access_token)
    player, operator = [await door.database.run(players.get, one) for one in (name, "root")]
    token, _ = door.authority.lend_eyes(player, operator, caller.sign_in_id)
    client = await door.client()
    client.use_service_token(token)
    await client.auth.GetMe(ME)
    return root, client


async def ended(client: Client) -> str:
    return (await refused(client.auth.GetMe(ME))).reason


async def set_roles(door: Door, name: str, *roles: str) -> None:
    done = await door.database.run(
        players.set_roles, name, roles, [], Caller(0, "", permissions_of(["admin"])), HOUSE_ORIGIN
    )
    door.authority.forget(done.player.id)


async def test_it_ends_with_the_operators_own_sign_in(door: Door) -> None:
    root, ada = await lent(door)
    again = await door.sign_in("root")
    await root.sign_out()
    assert await ended(ada) == "NOT_SIGNED_IN"
    await again.auth.GetMe(ME)


async def test_it_ends_when_the_operator_signs_out_everywhere(door: Door) -> None:
    root, ada = await lent(door)
    await root.sign_out_everywhere()
    assert await ended(ada) == "NOT_SIGNED_IN"


async def test_it_outlasts_a_refresh_of_the_operators_sign_in_and_the_players_sign_out(door: Door) -> None:
    root, ada = await lent(door)
    assert root.tokens is not None
    await root.resume(root.tokens.refresh_token)
    await (await door.sign_in("ada")).sign_out_everywhere()
    await ada.auth.GetMe(ME)


async def test_it_ends_when_the_operator_may_no_longer(door: Door) -> None:
    _, ada = await lent(door)
    await door.player("second", "admin")
    await set_roles(door, "root", "surveillance", "player")
    assert await ended(ada) == "NOT_SIGNED_IN"


async def test_it_ends_when_the_operator_is_frozen_or_disabled(door: Door) -> None:
    await door.player("second", "admin")
    _, ada = await lent(door)

    def freeze() -> int:
        return int(players.set_frozen(players.get("root"), True, "x", HOUSE_ORIGIN).id)

    def disable() -> int:
        return int(players.set_disabled(players.get("root"), True, HOUSE_ORIGIN).id)

    door.authority.forget(await door.database.run(freeze))
    assert await ended(ada) == "NOT_SIGNED_IN"
    door.authority.forget(await door.database.run(disable))
    assert await ended(ada) == "PLAYER_DISABLED"


async def test_it_ends_when_the_player_is_disabled(door: Door) -> None:
    _, ada = await lent(door)

    def disable() -> int:
        return int(players.set_disabled(players.get("ada"), True, HOUSE_ORIGIN).id)

    door.authority.forget(await door.database.run(disable))
    assert await ended(ada) == "PLAYER_DISABLED"


async def test_it_ends_when_the_player_comes_to_more_than_the_operator_has(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_if_admins_could_do_little(roles: list[str]) -> frozenset[Permission]:
        little = permissions_of(["player"]) | {Permission.IMPERSONATE}
        return little if roles == ["admin"] else permissions_of(roles)

    monkeypatch.setattr(standings, "permissions_of", as_if_admins_could_do_little)
    _, ada = await lent(door)
    await set_roles(door, "ada", "player", "announcer")
    assert await ended(ada) == "NOT_SIGNED_IN"


async def test_it_ends_after_a_quarter_of_an_hour_and_cannot_be_renewed(door: Door) -> None:
    _, ada = await lent(door)
    door.time.pass_by(minutes=14, seconds=59)
    await ada.auth.GetMe(ME)
    door.time.pass_by(seconds=1)
    assert await ended(ada) == "NOT_SIGNED_IN"


async def test_its_streams_end_with_it(door: Door) -> None:
    _, ada = await lent(door)
    frames = aiter(ada.market.StreamStatus(market_pb2.StreamStatusRequest()))
    await anext(frames)
    await door.gate.recheck()
    door.market.beats.put_nowait(None)
    await anext(frames)
    door.time.pass_by(minutes=15)
    await door.gate.recheck()
    assert (await refused(anext(frames))).reason == "NOT_SIGNED_IN"


async def test_a_frozen_players_eyes_can_look_and_do_nothing(door: Door) -> None:
    _, ada = await lent(door)

    def freeze() -> int:
        return int(players.set_frozen(players.get("ada"), True, "x", HOUSE_ORIGIN).id)

    door.authority.forget(await door.database.run(freeze))
    await ada.auth.GetMe(ME)
    assert (await refused(ada.wallet.Transfer(wallet_pb2.TransferRequest()))).reason == "PLAYER_FROZEN"


async def test_fifty_calls_at_once_are_fifty_lines_of_the_record(door: Door) -> None:
    _, ada = await lent(door)
    await asyncio.gather(*[ada.auth.GetMe(ME) for _ in range(50)])
    assert len(await door.events("impersonation.called")) == 51


async def test_entries_through_anothers_eyes_end_when_the_operator_signs_out(door: Door) -> None:
    root, ada = await lent(door)

    async def entered() -> AsyncIterator[trading_pb2.EnterOrdersRequest]:
        yield trading_pb2.EnterOrdersRequest(correlation=1)
        await asyncio.Event().wait()

    answers = aiter(ada.trading.EnterOrders(entered()))
    await anext(answers)
    await root.sign_out()
    await door.gate.recheck()
    assert (await refused(anext(answers))).reason == "NOT_SIGNED_IN"
