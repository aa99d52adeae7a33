"""How often somebody may call; each limit is a setting, and 0 turns it off."""

import asyncio
from typing import Any

import grpc
import pytest
from bearpit.client import BearpitError
from bearpit.v1 import auth_pb2, market_pb2, trading_pb2, wallet_pb2
from bearpit_server import gate

from tests.integration.door import Door
from tests.venue import PASSWORD

ME = auth_pb2.GetMeRequest()


async def limited(call: Any) -> int:
    """The wait in ms that a call is refused with."""
    with pytest.raises(BearpitError) as caught:
        await call
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    assert caught.value.retry_after_seconds > 0
    return int(caught.value.metadata["retry_after_ms"])


async def test_a_player_may_call_so_often_and_after_waiting_again(door: Door) -> None:
    ada, eve = await door.player("ada"), await door.player("eve")
    await door.set(rate_player_per_second=5)
    for _ in range(5):
        await ada.auth.GetMe(ME)
    assert await limited(ada.auth.GetMe(ME)) == 200
    await eve.auth.GetMe(ME)
    door.time.pass_by(milliseconds=201)
    await ada.auth.GetMe(ME)
    assert door.rates.refused == 1


async def test_a_player_has_one_limit_however_many_clients(door: Door) -> None:
    first, second = await door.player("ada"), await door.sign_in("ada")
    await door.set(rate_player_per_second=2)
    await first.auth.GetMe(ME)
    await second.auth.GetMe(ME)
    await limited(first.auth.GetMe(ME))
    await limited(second.auth.GetMe(ME))


async def test_services_are_limited_each_by_itself(door: Door) -> None:
    kiosk, board = await door.service("kiosk", "market.read"), await door.service("board", "market.read")
    await door.set(rate_player_per_second=1)
    await kiosk.auth.GetMe(ME)
    await limited(kiosk.auth.GetMe(ME))
    await board.auth.GetMe(ME)


async def test_an_address_is_limited_before_anybody_looks_at_its_token(door: Door) -> None:
    await door.set(rate_address_per_second=3)
    client = await door.client()
    for _ in range(3):
        with pytest.raises(BearpitError, match="sign in"):
            await client.auth.GetMe(ME)
    await limited(client.auth.GetMe(ME))


async def test_sign_ins_from_an_address_have_a_stricter_limit(door: Door) -> None:
    ada = await door.player("ada")
    await door.set(rate_sign_in_per_minute=3)
    client = await door.client()
    await client.register("eve", PASSWORD)
    with pytest.raises(BearpitError, match="wrong"):
        await client.sign_in("nobody", PASSWORD)
    await ada.change_password(PASSWORD, PASSWORD)
    assert await limited(client.sign_in("ada", PASSWORD)) == 20_000
    await ada.auth.GetMe(ME)


async def test_one_order_counts_as_one_and_many_as_many(door: Door) -> None:
    ada = await door.player("ada")
    await door.set(rate_orders_per_second=10)

    async def place(count: int) -> None:
        orders = [trading_pb2.PlaceOrderRequest() for _ in range(count)]
        await ada.trading.PlaceOrders(trading_pb2.PlaceOrdersRequest(orders=orders))

    await place(6)
    assert await limited(place(5)) == 100
    await place(4)
    assert await limited(place(1)) == 100
    door.time.pass_by(seconds=1)
    await place(1_000)
    assert await limited(place(1)) == 99_100


async def test_an_empty_batch_is_not_free(door: Door) -> None:
    ada = await door.player("ada")
    await door.set(rate_orders_per_second=1)
    await ada.trading.PlaceOrders(trading_pb2.PlaceOrdersRequest())
    await limited(ada.trading.PlaceOrders(trading_pb2.PlaceOrdersRequest()))


async def test_orders_on_a_stream_are_let_in_later_rather_than_refused(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await door.player("ada")
    await door.set(rate_orders_per_second=2)
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        door.time.pass_by(seconds=seconds + 1e-6)

    monkeypatch.setattr(gate, "sleep", sleep)
    entries = [
        trading_pb2.EnterOrdersRequest(correlation=i, place=trading_pb2.PlaceOrderRequest()) for i in range(5)
    ]
    entries.append(trading_pb2.EnterOrdersRequest(correlation=5, cancel=trading_pb2.CancelOrderRequest()))
    answers = [answer.correlation async for answer in ada.trading.EnterOrders(iter(entries))]
    assert answers == [0, 1, 2, 3, 4, 5]
    # The opening of the stream was no order; the cancel at its end waits for nothing.
    assert waited == pytest.approx([0.5, 0.5, 0.5], abs=1e-3)


async def test_a_long_page_counts_as_many_short_ones_and_waits_for_it(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def pass_by(seconds: float) -> None:
        waits.append(round(seconds, 3))
        door.time.pass_by(seconds=seconds)

    monkeypatch.setattr(gate, "sleep", pass_by)
    ada = await door.player("ada")
    await door.set(rate_player_per_second=20)
    for page_size in (100, 1_000, 1_000):  # 1, 10 and 10 calls
        with pytest.raises(BearpitError, match="does not know"):
            await ada.wallet.ListPostings(wallet_pb2.ListPostingsRequest(page_size=page_size))
    assert waits == [0.05]
    assert await limited(ada.auth.GetMe(ME)) == 50


async def test_a_player_may_open_so_many_streams_at_once(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "MAX_STREAMS", 2)
    ada, eve = await door.player("ada"), await door.player("eve")

    async def opened(client: Any) -> Any:
        call = client.market.StreamStatus(market_pb2.StreamStatusRequest())
        await anext(aiter(call))
        return call

    calls = [await opened(ada), await opened(ada)]
    with pytest.raises(BearpitError) as caught:
        await opened(ada)
    assert (caught.value.reason, caught.value.metadata) == (
        "LIMIT_EXCEEDED",
        {"limit": "open_streams", "allowed": "2", "used": "2"},
    )
    await opened(eve)
    assert door.gate.open_streams == 3
    calls[0].cancel()
    async with asyncio.timeout(10):
        while door.gate.open_streams == 3:  # noqa: ASYNC110 - the server hears of it when it does
            await asyncio.sleep(0)
    await opened(ada)


async def test_the_health_check_is_never_refused(door: Door) -> None:
    await door.set(rate_address_per_second=1)
    check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = (await door.channel()).unary_unary(
        "/grpc.health.v1.Health/Check"
    )
    for _ in range(5):
        assert await check(b"") == b"\x08\x01"
