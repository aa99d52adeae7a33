"""Who may call what, tried with every RPC there is and every kind of caller."""

import grpc
import pytest
from bearpit.client import BearpitError
from bearpit.v1 import admin_pb2, auth_pb2, codes_pb2, market_pb2
from bearpit_server.gate import Gate
from bearpit_server.identity.service_tokens import SCOPES
from bearpit_server.rules.roles import ADMIN, ROLES, Permission, permissions_of
from bearpit_server.services.permissions import ACCESS

from tests.integration.door import Door
from tests.integration.floor import Steps
from tests.integration.rpcs import DENIED, FAULTS, METHODS, UNAUTHENTICATED, outcome
from tests.venue import PASSWORD, Venue, refused

EVERYBODY = frozenset(ROLES)
POINTS = frozenset({"points_manager", "code_points_manager", "admin"})
CODES = frozenset({"code_manager", "code_points_manager", "admin"})
WATCHERS = POINTS | {"surveillance"}
SAMPLE: dict[str, frozenset[str]] = {
    "AuthService/Register": EVERYBODY | {"nobody", *SCOPES},
    "AuthService/GetMe": EVERYBODY | {*SCOPES},
    "AuthService/ListRoles": EVERYBODY | {*SCOPES},
    "AuthService/ChangePassword": EVERYBODY,
    "MarketService/GetBook": EVERYBODY | {"market.read"},
    "MarketService/StreamPrices": EVERYBODY | {"market.read"},
    "TradingService/PlaceOrder": frozenset({"player", "admin"}),
    "TradingService/EnterOrders": frozenset({"player", "admin"}),
    "TradingService/ListOrders": EVERYBODY,
    "WalletService/GetWallet": EVERYBODY,
    "WalletService/Transfer": frozenset({"player", "admin"}),
    "CodeService/CreateCodes": CODES,
    "CodeService/RedeemCode": frozenset({"player", "admin"}),
    "AdminService/AdjustBalance": POINTS,
    "AdminService/SetDebt": POINTS,
    "AdminService/ListPlayers": WATCHERS | {"admin.read"},
    "AdminService/ListPlayerOrders": WATCHERS | {"admin.read"},
    "AdminService/ListEvents": frozenset({"surveillance", "admin", "admin.read"}),
    "AdminService/CheckLedger": frozenset({"surveillance", "admin", "admin.read"}),
    "BoothService/CreateBooth": CODES,
    "ArcadeService/TakePoints": CODES | {"arcade.play"},
    "AnnouncementService/Announce": frozenset({"announcer", "admin"}),
    "AnnouncementService/ListAnnouncements": EVERYBODY | {"market.read"},
    "RankService/ListRanks": EVERYBODY | {"market.read"},
    "DuelService/Challenge": frozenset({"player", "admin"}),
    "TeamService/AssignTeam": frozenset({"admin"}),
    "AdminService/CreatePlayer": frozenset({"admin"}),
    "AdminService/SetFrozen": frozenset({"admin"}),
    "AdminService/ResetPassword": frozenset({"admin"}),
    "AdminService/SetRoles": frozenset({"admin"}),
    "AdminService/Impersonate": frozenset({"admin"}),
    "AdminService/SetHalt": frozenset({"admin"}),
    "AdminService/UpdateSettings": frozenset({"admin"}),
    "AdminService/CreateServiceToken": frozenset({"admin"}),
    "PricingService/PushPrices": frozenset({"admin", "prices.push"}),
    "WindowService/CreateWindow": frozenset({"admin"}),
    "RollbackService/RequestRollback": frozenset({"admin"}),
    "RollbackService/ApproveRollback": frozenset({"admin"}),
}
"""Who is let in, written down by hand: the table is not only compared with itself."""
BY_HAND = ("nobody", *ROLES, *SCOPES)
IN_PERSON = {
    f"/bearpit.v1.{call}"
    for call in (
        "AuthService/SignOutEverywhere", "AuthService/ChangePassword", "AdminService/CreatePlayer",
        "AdminService/ResetPassword", "AdminService/SetRoles", "AdminService/Impersonate",
        "AdminService/CreateServiceToken", "RollbackService/ApproveRollback", "ChannelService/AddChannel",
        "ChannelService/ConfirmChannel", "BoothService/CreateBooth", "BoothService/RotateBoothPassword",
        "ArcadeService/CreateMachine",
    )
}  # fmt: skip
"""By hand as well: what nobody does through another's eyes."""
CALLERS = (
    *BY_HAND, "frozen player", "frozen admin", "disabled player", "disabled admin", "eyes of player",
    "eyes of admin",
)  # fmt: skip
GATE = {"NOT_SIGNED_IN", "NOT_ALLOWED", "PLAYER_FROZEN", "PLAYER_DISABLED", "NOT_WHILE_IMPERSONATING"}
INSIDE = ("/SignIn", "/RefreshToken")
"""Refused by the service for its empty credentials, in words that are also the gate's."""


async def bearer_of(floor: Venue, caller: str) -> str:
    """A fresh token of such a caller; of a disabled one it is from before."""
    if caller == "nobody":
        return ""
    operator = await floor.operator()
    name = caller.replace(" ", "_")
    if caller in SCOPES:
        wanted = admin_pb2.CreateServiceTokenRequest(name=name, scopes=[caller])
        return (await operator.admin.CreateServiceToken(wanted)).secret
    role = auth_pb2.Role.Value(f"ROLE_{caller.rpartition(' ')[2].upper()}")
    make = admin_pb2.CreatePlayerRequest(name=name, password=PASSWORD)
    make.roles.append(role)  # type: ignore[arg-type] # the stubs know its values as numbers only
    await operator.admin.CreatePlayer(make)
    client = await floor.sign_in(name)
    assert client.tokens is not None
    match caller.split()[0]:
        case "frozen":
            await operator.admin.SetFrozen(admin_pb2.SetFrozenRequest(name=name, frozen=True, reason="x"))
        case "disabled":
            await operator.admin.SetPlayerDisabled(
                admin_pb2.SetPlayerDisabledRequest(name=name, disabled=True)
            )
        case "eyes":
            eyes = admin_pb2.ImpersonateRequest(name=name, reason="to see")
            return (await operator.admin.Impersonate(eyes)).access_token
    return client.tokens.access_token


def by_the_table(path: str, caller: str) -> set[str]:
    """The reasons, of which a caller must get one; empty: is let in."""
    access = ACCESS[path]
    if access.permission is None:
        return set()
    if caller == "nobody":
        return {"NOT_SIGNED_IN"}
    if caller in SCOPES:
        return set() if access.scope in (caller, "*") else {"NOT_ALLOWED"}
    manner, _, role = caller.rpartition(" ")
    if manner == "disabled":
        return {"PLAYER_DISABLED", "NOT_SIGNED_IN"}
    if manner == "eyes of" and access.in_person:
        return {"NOT_WHILE_IMPERSONATING"}
    if access.permission not in permissions_of([role]):
        return {"NOT_ALLOWED"}
    return {"PLAYER_FROZEN"} if manner == "frozen" and access.permission is not Permission.LOOK else set()


@pytest.mark.parametrize("caller", CALLERS)
def test_each_rpc_lets_in_exactly_whom_the_table_says(steps: Steps, caller: str) -> None:
    async def ask() -> dict[str, object]:
        bearer = await bearer_of(steps.floor, caller)
        wrong: dict[str, object] = {}
        async with grpc.aio.insecure_channel(steps.floor.address) as channel:
            # What voids the caller's own sign-in comes last.
            for path in sorted(METHODS, key=lambda path: "SignOut" in path):
                code, reason = await outcome(channel, path, bearer)
                wanted = by_the_table(path, caller)
                fits = reason in wanted if wanted else path.endswith(INSIDE) or reason not in GATE
                if not fits or code in FAULTS:
                    wrong[path] = (code, reason)
                call = path.removeprefix("/bearpit.v1.")
                if caller in BY_HAND and call in SAMPLE and (reason in GATE) == (caller in SAMPLE[call]):
                    wrong[f"{call}, by hand"] = reason
                if caller == "eyes of admin" and (reason == "NOT_WHILE_IMPERSONATING") != (path in IN_PERSON):
                    wrong[f"{call}, in person"] = reason
        return wrong

    assert steps.run(ask()) == {}


def test_a_refusal_names_the_permission_and_the_roles_that_have_it(steps: Steps) -> None:
    async def ask() -> BearpitError:
        trader = await steps.floor.trader()
        return await refused(trader.codes.CreateCodes(codes_pb2.CreateCodesRequest()))

    error = steps.run(ask())
    assert (error.code, error.reason) == (DENIED, "NOT_ALLOWED")
    assert error.metadata == {"permission": "CREATE_CODES", "roles": "code_manager,code_points_manager,admin"}
    assert "CREATE_CODES" in error.message
    assert "code_manager, code_points_manager, admin" in error.message


async def test_an_rpc_that_is_not_in_the_table_is_refused_to_everybody(door: Door) -> None:
    path = "/bearpit.v1.MarketService/GetInstrument"
    rest = {other: permission for other, permission in ACCESS.items() if other != path}
    await door.serve(Gate(door.authority, door.rates, rest))
    client = await door.player("root", ADMIN)
    with pytest.raises(BearpitError) as caught:
        await client.market.GetInstrument(market_pb2.GetInstrumentRequest())
    assert (caught.value.code, caught.value.reason) == (DENIED, "NOT_ALLOWED")
    assert door.market.reached == 0


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YWRhOmFkYQ==",
        "Bearer x.y.z",
        "Bearer bps_x",
        "Bearer " + "x" * 3_000,
        "x",
    ],
)
async def test_a_header_that_is_no_token_is_not_signed_in(door: Door, header: str) -> None:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = (await door.channel()).unary_unary(
        "/bearpit.v1.AuthService/GetMe"
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"", metadata=[("authorization", header)])
    assert BearpitError.from_rpc(caught.value).reason == "NOT_SIGNED_IN"


async def test_the_word_bearer_may_be_written_as_one_likes(door: Door) -> None:
    bearer = await (await door.player("ada"))._session.bearer()
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = (await door.channel()).unary_unary(
        "/bearpit.v1.AuthService/GetMe"
    )
    await call(b"", metadata=[("authorization", f"bearer {bearer}")])


async def test_nothing_is_parsed_before_it_is_known_who_sends_it(door: Door) -> None:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = (await door.channel()).unary_unary(
        "/bearpit.v1.MarketService/GetInstrument"
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"\xff\xff\xff")
    assert caught.value.code() is UNAUTHENTICATED
