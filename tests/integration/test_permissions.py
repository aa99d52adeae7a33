"""Who may call what, tried with every RPC there is and every kind of caller."""

from collections.abc import Awaitable, Callable

import grpc
import pytest
from bearpit.client import BearpitError, Client
from bearpit.v1 import market_pb2
from bearpit_server.interceptors import Gate
from bearpit_server.rules.roles import ADMIN, PLAYER, permissions_of
from bearpit_server.services.permissions import ACCESS, Access

from tests.integration.door import Door

UNAUTHENTICATED, DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
STREAMED_IN = ("EnterOrders", "PushPrices", "ServerReflectionInfo")
ENDLESS = ("Watch", "StreamStatus")
CALLERS: dict[str, Callable[[Door], Awaitable[Client]]] = {
    "nobody": lambda door: door.client(),
    "player": lambda door: door.player("ada"),
    "operator": lambda door: door.player("root", ADMIN),
    "market service": lambda door: door.service("kiosk", "market.read"),
    "admin service": lambda door: door.service("board", "admin.read"),
    "price service": lambda door: door.service("ticker", "prices.push"),
}


def expected(permission: Access, caller: str) -> grpc.StatusCode | None:
    """The refusal that a caller must get; None: is let in."""
    if permission.public:
        return None
    if caller == "nobody":
        return UNAUTHENTICATED
    if caller in ("player", "operator"):
        role = PLAYER if caller == "player" else ADMIN
        return None if permission.permission in permissions_of([role]) else DENIED
    scope = {"market": "market.read", "admin": "admin.read", "price": "prices.push"}[caller.split()[0]]
    return None if permission.scope in (scope, "*") else DENIED


async def outcome(channel: grpc.aio.Channel, path: str, bearer: str) -> grpc.StatusCode:
    """How an empty request to an RPC ends; OK at once for a stream that has sent a frame."""
    metadata = [("authorization", f"Bearer {bearer}")] if bearer else []
    name = path.rpartition("/")[2]
    try:
        if name in STREAMED_IN:
            both: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(path)
            async for _ in both(iter([]), metadata=metadata, timeout=10):
                break
        elif name.startswith("Stream") or name in ENDLESS:
            streamed: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(path)
            call = streamed(b"", metadata=metadata, timeout=10)
            async for _ in call:
                break
            call.cancel()
        else:
            unary: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
            await unary(b"", metadata=metadata, timeout=10)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("caller", CALLERS)
async def test_each_rpc_lets_in_whom_the_table_says(door: Door, caller: str) -> None:
    client = await CALLERS[caller](door)
    bearer = await client._session.bearer()
    channel = await door.channel()
    wrong = {}
    # What voids the caller's own sign-in comes last.
    for path in sorted(ACCESS, key=lambda path: "SignOut" in path):
        code = await outcome(channel, path, bearer)
        refusal = expected(ACCESS[path], caller)
        own = path.endswith(("/SignIn", "/RefreshToken"))  # refused inside, for the empty credentials
        if refusal is not None and code is not refusal:
            wrong[path] = code
        if refusal is None and not own and code in (UNAUTHENTICATED, DENIED):
            wrong[path] = code
    assert wrong == {}


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
