"""Signing in, staying signed in, and being signed out."""

import asyncio
from typing import Any

import grpc
import pytest
from argon2 import PasswordHasher
from bearpit.client import BearpitError, Client
from bearpit.v1 import auth_pb2 as pb
from bearpit_server.events.following import Follower
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.identity import players, service_tokens, sign_ins
from bearpit_server.identity.authority import Authority
from bearpit_server.identity.passwords import Passwords
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.roles import ADMIN
from bearpit_server.storage.models import TABLES, Account, Player, SignIn

from tests.integration.door import Door
from tests.venue import PASSWORD, QUICK


async def refused(call: Any) -> BearpitError:
    with pytest.raises(BearpitError) as caught:
        await call
    return caught.value


async def me(client: Client) -> pb.Player:
    return (await client.auth.GetMe(pb.GetMeRequest())).player


def register(name: str = "ada", password: str = PASSWORD, request_id: str = "r1") -> pb.RegisterRequest:
    return pb.RegisterRequest(name=name, password=password, request_id=request_id)


def cash_of(player_id: int) -> int:
    return int(Account.get((Account.owner == player_id) & (Account.kind == "player")).balance)


# --- registering ----------------------------------------------------------------------------------


async def test_a_new_player_is_signed_in_and_has_the_starting_cash(door: Door) -> None:
    await door.set(starting_cash_cents=12_345)
    client = await door.client()
    player = await client.register("Ada", PASSWORD)
    assert await me(client) == player == client.player
    assert (player.name, list(player.roles), player.disabled) == ("Ada", [pb.ROLE_PLAYER], False)
    assert list(player.permissions) == ["LOOK", "PLAY"]
    assert await door.database.run(cash_of, player.player_id) == 12_345


async def test_registering_is_in_the_event_log_with_who_and_from_where(door: Door) -> None:
    client = await door.client()
    await client.auth.Register(register())
    made, begun = await door.events("player.created"), await door.events("sign_in.begun")
    assert [(event.subject, event.address, event.request_id) for event in made + begun] == [
        ("player:1", "127.0.0.1", "r1"),
        ("player:1", "127.0.0.1", "r1"),
    ]


async def test_registering_twice_with_one_id_makes_one_player_and_signs_it_in_anew(door: Door) -> None:
    client = await door.client()
    first = await client.auth.Register(register())
    again = await client.auth.Register(register())
    assert again.player == first.player
    assert again.tokens.refresh_token != first.tokens.refresh_token
    assert len(await door.events("player.created")) == 1


async def test_two_like_registrations_at_once_make_one_player(door: Door) -> None:
    client = await door.client()
    answers = await asyncio.gather(*[client.auth.Register(register()) for _ in range(6)])
    assert len({answer.player.player_id for answer in answers}) == 1
    assert len(await door.events("player.created")) == 1


@pytest.mark.parametrize("other", [register(name="eve"), register(password="wrong horse")])
async def test_an_id_that_comes_with_another_name_or_password_is_refused(
    door: Door, other: pb.RegisterRequest
) -> None:
    client = await door.client()
    await client.auth.Register(register())
    error = await refused(client.auth.Register(other))
    assert (error.code, error.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_a_name_is_taken_without_regard_to_case(door: Door) -> None:
    await door.player("ada")
    error = await refused((await door.client()).register("ADA", PASSWORD))
    assert (error.reason, error.field, error.metadata) == ("ALREADY_EXISTS", "name", {"name": "ADA"})


async def test_nobody_can_be_the_house(door: Door) -> None:
    client = await door.client()
    assert (await refused(client.register("House", PASSWORD))).reason == "ALREADY_EXISTS"
    assert (await refused(client.sign_in("house", ""))).reason == "BAD_CREDENTIALS"


async def test_registration_can_be_closed(door: Door) -> None:
    await door.set(registration_open=False)
    error = await refused((await door.client()).register("ada", PASSWORD))
    assert (error.code, error.reason) == (grpc.StatusCode.PERMISSION_DENIED, "REGISTRATION_CLOSED")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (register(name="a b"), "name"),
        (register(password="short"), "password"),
        (register(password="x" * 257), "password"),
        (register(request_id="x" * 65), "request_id"),
        (register(request_id="\n"), "request_id"),
    ],
)
async def test_a_field_that_cannot_be_is_named(door: Door, request_: pb.RegisterRequest, field: str) -> None:
    error = await refused((await door.client()).auth.Register(request_))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert error.field == field


# --- signing in -----------------------------------------------------------------------------------


async def test_signs_in_without_regard_to_the_case_of_the_name(door: Door) -> None:
    await door.player("Ada")
    assert (await (await door.client()).sign_in("aDA", PASSWORD)).name == "Ada"


async def test_a_wrong_password_and_an_unknown_name_are_answered_alike(door: Door) -> None:
    await door.player("ada")
    client = await door.client()
    wrong = await refused(client.sign_in("ada", "wrong horse"))
    unknown = await refused(client.sign_in("eve", PASSWORD))
    assert wrong.code is unknown.code is grpc.StatusCode.UNAUTHENTICATED
    assert (wrong.reason, wrong.message, wrong.metadata) == (
        unknown.reason,
        unknown.message,
        unknown.metadata,
    )
    assert wrong.reason == "BAD_CREDENTIALS"


async def test_a_disabled_player_is_out_at_once_and_cannot_come_back(door: Door) -> None:
    client = await door.player("ada")
    await me(client)

    def disable() -> int:
        return int(players.set_disabled(players.get("ada"), True, HOUSE_ORIGIN).id)

    door.authority.forget(await door.database.run(disable))
    for call in (me(client), door.sign_in("ada"), client.resume(client.tokens.refresh_token)):  # type: ignore[union-attr]
        error = await refused(call)
        assert error.code in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)
    assert [event.type for event in await door.events("player.")][-1] == "player.disabled"


async def test_a_hash_with_old_parameters_is_made_anew_at_the_next_sign_in(door: Door) -> None:
    await door.player("ada")
    door.authority.passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    await door.sign_in("ada")
    kept = (await door.database.run(players.get, "ada")).password_hash
    assert not door.authority.passwords.is_outdated(kept)
    await door.sign_in("ada")
    door.authority.passwords.close()


async def test_of_two_sign_ins_at_once_that_make_a_hash_anew_both_succeed(door: Door) -> None:
    await door.player("ada")
    both = asyncio.Barrier(2)

    class AtOnce(Passwords):
        async def hash(self, password: str) -> str:
            await both.wait()  # each has compared the password with the old hash
            return await super().hash(password)

    door.authority.passwords = AtOnce(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    async with asyncio.timeout(10):
        await asyncio.gather(door.sign_in("ada"), door.sign_in("ada"))
    kept = (await door.database.run(players.get, "ada")).password_hash
    assert not door.authority.passwords.is_outdated(kept)
    door.authority.passwords.close()


async def test_the_first_operator_can_be_made_on_the_database_alone(door: Door) -> None:
    made = await door.database.run(
        players.create_player, "root", door.passwords.hash_now(PASSWORD), [ADMIN], 0, HOUSE_ORIGIN
    )
    client = await door.client()
    assert list((await client.sign_in("root", PASSWORD)).roles) == [pb.ROLE_ADMIN]
    assert made.id == client.player.player_id  # type: ignore[union-attr]


# --- refreshing -----------------------------------------------------------------------------------


async def test_a_refresh_token_is_good_once_and_a_second_use_voids_the_whole_sign_in(door: Door) -> None:
    client = await door.player("ada")
    other = await door.sign_in("ada")
    assert client.tokens is not None
    spent = client.tokens.refresh_token
    thief = await door.client()
    await thief.resume(spent)
    await me(thief)

    error = await refused((await door.client()).resume(spent))
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REUSED")
    assert (await refused(me(thief))).reason == "NOT_SIGNED_IN"
    assert thief.tokens is None
    assert [event.type for event in await door.events("sign_in.")][-1] == "sign_in.reused"
    await me(other)


async def test_of_many_refreshes_at_once_exactly_one_wins_and_the_sign_in_is_void(door: Door) -> None:
    client = await door.player("ada")
    assert client.tokens is not None
    request = pb.RefreshTokenRequest(refresh_token=client.tokens.refresh_token)
    answers = await asyncio.gather(
        *[client.auth.RefreshToken(request) for _ in range(8)], return_exceptions=True
    )
    won = [answer for answer in answers if isinstance(answer, pb.RefreshTokenResponse)]
    lost = [answer.reason for answer in answers if isinstance(answer, BearpitError)]
    assert (len(won), lost) == (1, ["TOKEN_REUSED"] * 7)
    assert (
        await refused((await door.client()).resume(won[0].tokens.refresh_token))
    ).reason == "NOT_SIGNED_IN"
    assert len(await door.events("sign_in.reused")) == 1


async def test_a_refresh_token_ends_after_thirty_days(door: Door) -> None:
    client = await door.player("ada")
    assert client.tokens is not None
    door.time.pass_by(days=30)
    assert (
        await refused((await door.client()).resume(client.tokens.refresh_token))
    ).reason == "NOT_SIGNED_IN"


@pytest.mark.parametrize("token", ["", "x", "\N{SNOWMAN}" * 1_000])
async def test_an_unknown_refresh_token_is_refused(door: Door, token: str) -> None:
    assert (await refused((await door.client()).resume(token))).reason == "NOT_SIGNED_IN"


async def test_the_client_renews_its_tokens_by_itself_and_hands_them_on(door: Door) -> None:
    client = await door.player("ada")
    heard: list[pb.Tokens | None] = []
    client.on_tokens = heard.append
    first = client.tokens
    door.time.pass_by(minutes=14, seconds=30)
    await me(client)
    door.time.pass_by(hours=2)
    await me(client)
    assert len(heard) == 2
    assert client.tokens == heard[-1] != first


async def test_many_calls_with_an_ended_token_are_one_refresh(door: Door) -> None:
    client = await door.player("ada")
    door.time.pass_by(hours=1)
    await asyncio.gather(*[me(client) for _ in range(20)])
    assert len(await door.events("sign_in.refreshed")) == 1


async def test_a_client_whose_clock_is_wrong_renews_when_the_server_says_so(door: Door) -> None:
    client = await door.player("ada")
    client._session._clock = lambda: 0.0
    door.time.pass_by(hours=1)
    await me(client)
    assert len(await door.events("sign_in.refreshed")) == 1


async def test_an_interrupted_call_does_not_lose_the_new_tokens(door: Door) -> None:
    client = await door.player("ada")
    door.time.pass_by(hours=1)
    call = asyncio.ensure_future(me(client))
    for _ in range(10):  # the renewal has begun, and has no answer yet
        await asyncio.sleep(0)
    assert client._session._renewal is not None
    call.cancel()
    await asyncio.wait([call])
    await me(client)
    assert len(await door.events("sign_in.refreshed")) == 1


# --- signing out ----------------------------------------------------------------------------------


async def test_signing_out_voids_that_sign_in_at_once_and_no_other(door: Door) -> None:
    client, other = await door.player("ada"), await door.sign_in("ada")
    thief = await door.client()
    thief._session.take(client.tokens)
    await me(thief)
    await client.sign_out()
    assert client.tokens is None
    assert (await refused(me(thief))).reason == "NOT_SIGNED_IN"
    await me(other)


async def test_signing_out_twice_or_with_nonsense_is_no_error(door: Door) -> None:
    client = await door.player("ada")
    assert client.tokens is not None
    for token in (client.tokens.refresh_token, client.tokens.refresh_token, "nonsense"):
        await client.auth.SignOut(pb.SignOutRequest(refresh_token=token))
    assert len(await door.events("sign_in.ended")) == 1


async def test_signing_out_everywhere_voids_every_sign_in_at_once(door: Door) -> None:
    client, other = await door.player("ada"), await door.sign_in("ada")
    await me(other)
    await client.sign_out_everywhere()
    assert (await refused(me(other))).reason == "NOT_SIGNED_IN"
    assert len(await door.events("sign_in.ended")) == 2
    await me(await door.sign_in("ada"))


async def test_a_new_password_signs_out_everywhere_else(door: Door) -> None:
    client, other = await door.player("ada"), await door.sign_in("ada")
    await client.change_password(PASSWORD, "battery staple")
    await me(client)
    assert (await refused(me(other))).reason == "NOT_SIGNED_IN"
    assert (await refused(door.sign_in("ada"))).reason == "BAD_CREDENTIALS"
    await (await door.client()).sign_in("ada", "battery staple")
    assert len(await door.events("player.password_changed")) == 1


async def test_a_password_is_changed_only_by_who_knows_the_old_one(door: Door) -> None:
    client = await door.player("ada")
    error = await refused(client.change_password("wrong horse", "battery staple"))
    assert (error.reason, error.field) == ("BAD_CREDENTIALS", "old_password")
    assert (await refused(client.change_password(PASSWORD, "short"))).field == "new_password"
    await me(client)


async def test_of_two_password_changes_at_once_one_loses(door: Door) -> None:
    client = await door.player("ada")
    requests = [
        pb.ChangePasswordRequest(old_password=PASSWORD, new_password=f"new password {i}") for i in range(2)
    ]
    answers = await asyncio.gather(
        *[client.auth.ChangePassword(request) for request in requests], return_exceptions=True
    )
    assert sum(isinstance(answer, pb.ChangePasswordResponse) for answer in answers) == 1


# --- several processes, services, housekeeping ----------------------------------------------------


async def following(door: Door) -> Follower:
    follower = Follower(door.database)
    follower.listen(door.authority.follow, *Authority.FOLLOWED)
    await follower.start()
    return follower


async def test_what_another_process_voids_shows_when_the_log_is_followed(door: Door) -> None:
    client = await door.player("ada")
    await me(client)
    follower = await following(door)
    await door.another_authority().sign_out_everywhere(1, HOUSE_ORIGIN)
    await me(client)
    await follower.follow()
    assert (await refused(me(client))).reason == "NOT_SIGNED_IN"


async def test_what_another_process_voids_shows_within_a_minute_whatever_happens(door: Door) -> None:
    client = await door.player("ada")
    await me(client)
    await door.another_authority().sign_out_everywhere(1, HOUSE_ORIGIN)
    door.time.pass_by(seconds=60.1)
    assert (await refused(me(client))).reason == "NOT_SIGNED_IN"


async def test_a_sign_in_at_another_process_holds_here_at_once(door: Door) -> None:
    await me(await door.player("ada"))
    done = await door.another_authority().sign_in("ada", PASSWORD, HOUSE_ORIGIN)
    assert (await door.authority.authenticate(done.access_token)).player_id == 1


async def test_many_new_callers_are_looked_up_together(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = [await door.player(f"player{i}") for i in range(6)]
    tokens = [client.tokens.access_token for client in clients if client.tokens is not None]
    authority = door.another_authority()
    asked = 0
    run = door.database.run

    async def counted(*args: Any) -> Any:
        nonlocal asked
        asked += 1
        return await run(*args)

    monkeypatch.setattr(door.database, "run", counted)
    callers = await asyncio.gather(*[authority.authenticate(token) for token in tokens])
    assert [caller.name for caller in callers] == [f"player{i}" for i in range(6)]
    assert asked <= 2


async def test_a_service_says_who_it_is_until_it_is_revoked(door: Door) -> None:
    kiosk = await door.service("kiosk", "market.read", "admin.read")
    answer = await kiosk.auth.GetMe(pb.GetMeRequest())
    assert (answer.player.name, answer.player.player_id) == ("kiosk", 0)
    assert list(answer.scopes) == ["admin.read", "market.read"]
    await door.database.run(service_tokens.revoke, "KIOSK", HOUSE_ORIGIN)
    door.authority.forget_services()
    assert (await refused(me(kiosk))).reason == "NOT_SIGNED_IN"
    assert [event.type for event in await door.events("service_token.")] == [
        "service_token.created",
        "service_token.revoked",
    ]


async def test_a_service_that_another_process_revokes_is_out_when_the_log_is_followed(door: Door) -> None:
    kiosk = await door.service("kiosk", "market.read")
    await me(kiosk)
    follower = await following(door)
    await door.database.run(service_tokens.revoke, "kiosk", HOUSE_ORIGIN)
    await follower.follow()
    assert (await refused(me(kiosk))).reason == "NOT_SIGNED_IN"


@pytest.mark.parametrize("scopes", [[], ["root"], ["market.read", "trade"]])
async def test_a_service_gets_known_scopes_only(door: Door, scopes: list[str]) -> None:
    with pytest.raises(Refused, match="scopes"):
        await door.database.run(service_tokens.create, "kiosk", scopes, HOUSE_ORIGIN)


async def test_housekeeping_forgets_what_has_expired_and_nothing_else(door: Door) -> None:
    await door.player("ada")
    door.time.pass_by(days=20)
    later = await door.sign_in("ada")
    door.time.pass_by(days=15)
    assert await door.database.run(sign_ins.sweep, door.time.date) == 1
    await me(later)
    live = await door.database.run(lambda: SignIn.select().where(SignIn.voided_at.is_null()).count())
    assert live == 1


async def test_nothing_secret_is_kept_in_plain(door: Door) -> None:
    client = await door.client()
    await client.auth.Register(register())
    await client.sign_in("ada", PASSWORD)
    door.time.pass_by(hours=1)
    await me(client)
    await client.change_password(PASSWORD, "battery staple")
    assert client.tokens is not None
    _, secret = await door.database.run(service_tokens.create, "kiosk", ["market.read"], HOUSE_ORIGIN)

    def everything() -> str:
        rows = [row for table in TABLES for row in table.select().tuples()]
        return "\n".join(str([bytes(v) if isinstance(v, memoryview) else v for v in row]) for row in rows)

    kept = await door.database.run(everything)
    assert "ada" in kept
    for hidden in (PASSWORD, "battery", client.tokens.refresh_token, client.tokens.access_token, secret):
        assert hidden not in kept


async def test_a_password_changed_while_it_was_compared_does_not_sign_in(door: Door) -> None:
    await door.player("ada")

    class Slow(Passwords):
        async def matches(self, password_hash: str | None, password: str) -> bool:
            found = await super().matches(password_hash, password)
            await door.database.run(
                lambda: Player.update(password_hash="another").where(Player.name == "ada").execute()
            )
            return found

    door.authority.passwords = Slow(QUICK)
    assert (await refused(door.sign_in("ada"))).reason == "BAD_CREDENTIALS"
    door.authority.passwords.close()
