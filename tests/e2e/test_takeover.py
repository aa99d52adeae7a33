# ruff: noqa: PT017 - what an error says depends on when it comes
"""Two servers on one database: never two owners of a shard, and never none for long."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from bearpit.client import BearpitError, Client
from bearpit.v1 import admin_pb2
from bearpit.v1 import trading_pb2 as pb
from bearpit_server.storage.models import Order, Shard

from tests.e2e.outages import (
    Site,
    make_player,
    open_game,
    serving,
    signed_in,
    site,
    until,
    until_trading,
)
from tests.orders import buy, spec
from tests.postgres import Postgres
from tests.venue import ServerProcess

SYMBOLS = ("ACME", "BOLT", "CRAB", "DUSK")
BUYER, SELLER = "buyer", "seller"


@dataclass
class Pair:
    """Two servers, and a buyer at each. The first one owns all there is."""

    here: Site
    first: ServerProcess
    second: ServerProcess
    at_first: Client
    at_second: Client

    def owners(self) -> set[str]:
        """Who owns shards."""
        with self.here.database.transaction():
            return {row.owner.split(" ")[0] for row in Shard.select(Shard.owner)}

    def epochs(self) -> dict[int, int]:
        with self.here.database.transaction():
            return {row.id: row.epoch for row in Shard.select()}

    def orders(self, request_id: str) -> list[Order]:
        with self.here.database.transaction():
            return list(Order.select().where(Order.request_id == request_id))


def order(
    symbol: str, request_id: str, price: int = 100, side: pb.Side = pb.SIDE_BUY
) -> pb.PlaceOrderRequest:
    return pb.PlaceOrderRequest(order=spec(side, symbol, 5, price), request_id=request_id)


@pytest.fixture
async def pair(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        here = stack.enter_context(site(postgres, tmp_path))
        first = await stack.enter_async_context(serving(here.server("first")))
        operator = await stack.enter_async_context(signed_in(first.address))
        await open_game(operator, SYMBOLS)
        await make_player(operator, BUYER, ())
        await make_player(operator, SELLER, SYMBOLS)
        second = await stack.enter_async_context(serving(here.server("second")))
        at_first = await stack.enter_async_context(signed_in(first.address, BUYER))
        at_second = await stack.enter_async_context(signed_in(second.address, BUYER))
        yield Pair(here, first, second, at_first, at_second)
        here.prove()


async def refused(client: Client, request: pb.PlaceOrderRequest) -> BearpitError:
    with pytest.raises(BearpitError) as error:
        await client.trading.PlaceOrder(request)
    return error.value


async def test_the_second_server_takes_nothing_while_the_first_lives(pair: Pair) -> None:
    before = pair.epochs()
    for symbol in SYMBOLS:
        error = await refused(pair.at_second, order(symbol, f"at-second-{symbol}"))
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "SHARD_ELSEWHERE")
        assert error.metadata["address"] == pair.first.address
        assert pair.orders(f"at-second-{symbol}") == [], "refused is not accepted"
        placed = await pair.at_first.trading.PlaceOrder(order(symbol, f"at-first-{symbol}"))
        assert placed.order.status == pb.ORDER_STATUS_WORKING
        with pytest.raises(BearpitError) as elsewhere:
            await pair.at_second.trading.CancelOrder(pb.CancelOrderRequest(order_id=placed.order.order_id))
        assert elsewhere.value.reason == "SHARD_ELSEWHERE"
        with pytest.raises(BearpitError) as elsewhere:
            await pair.at_second.trading.AmendOrder(
                pb.AmendOrderRequest(order_id=placed.order.order_id, quantity=1)
            )
        assert elsewhere.value.reason == "SHARD_ELSEWHERE"
        seen = await pair.at_second.trading.GetOrder(pb.GetOrderRequest(order_id=placed.order.order_id))
        assert seen.order.status in (pb.ORDER_STATUS_QUEUED, pb.ORDER_STATUS_WORKING)
    assert pair.owners() == {pair.first.address}
    assert pair.epochs() == before


async def test_the_first_server_follows_what_is_changed_through_the_second(pair: Pair) -> None:
    async with signed_in(pair.second.address) as operator:
        await operator.admin.SetHalt(admin_pb2.SetHaltRequest(symbol=SYMBOLS[0], halted=True))
    at_once = buy(SYMBOLS[0], 1, 1)
    at_once.time_in_force = pb.TIME_IN_FORCE_IOC

    async def place() -> None:
        await pair.at_first.trading.PlaceOrder(pb.PlaceOrderRequest(order=at_once))

    await until(place, timeout_seconds=5, reason="NOT_IN_AUCTION")


async def test_the_second_server_takes_over_within_seconds_when_the_first_is_killed(pair: Pair) -> None:
    placed = [await pair.at_first.trading.PlaceOrder(order(s, f"before-{s}")) for s in SYMBOLS]
    pair.first.kill()
    async with asyncio.timeout(5):
        await until_trading(pair.at_second, *SYMBOLS)
    assert pair.owners() == {pair.second.address}
    for symbol, answer in zip(SYMBOLS, placed, strict=True):
        again = await pair.at_second.trading.PlaceOrder(order(symbol, f"before-{symbol}"))
        assert again.order.order_id == answer.order.order_id
    async with signed_in(pair.second.address, SELLER) as seller:
        for symbol, answer in zip(SYMBOLS, placed, strict=True):
            behind = await pair.at_second.trading.PlaceOrder(order(symbol, f"after-{symbol}"))
            assert behind.order.order_id > answer.order.order_id
            sold = await seller.trading.PlaceOrder(order(symbol, f"sell-{symbol}", 90, pb.SIDE_SELL))
            assert [(fill.price_cents, fill.quantity) for fill in sold.fills] == [(100, 5)]
            earlier = await pair.at_second.trading.GetOrder(
                pb.GetOrderRequest(order_id=answer.order.order_id)
            )
            assert earlier.order.status == pb.ORDER_STATUS_FILLED, "the earlier order goes first"


async def test_a_paused_server_loses_its_shards_and_can_commit_nothing_afterwards(pair: Pair) -> None:
    resting = (await pair.at_first.trading.PlaceOrder(order("ACME", "resting"))).order
    pair.first.signal(signal.SIGSTOP)
    # These reach the first server, which will see them when another has long taken over.
    late = [
        asyncio.ensure_future(
            pair.at_first.trading.PlaceOrder(order("ACME", f"late-{n}", 100 + n), timeout=20)
        )
        for n in range(10)
    ]
    cancel = asyncio.ensure_future(
        pair.at_first.trading.CancelOrder(
            pb.CancelOrderRequest(order_id=resting.order_id, request_id="late-cancel"), timeout=20
        )
    )
    try:
        async with asyncio.timeout(10):
            await until_trading(pair.at_second, *SYMBOLS)
        assert pair.owners() == {pair.second.address}
        async with signed_in(pair.second.address, SELLER) as seller:
            sold = await seller.trading.PlaceOrder(order("ACME", "sell", 90, pb.SIDE_SELL))
            assert sold.order.status == pb.ORDER_STATUS_FILLED
        epochs = pair.epochs()
    finally:
        pair.first.signal(signal.SIGCONT)
    answers = await asyncio.gather(*late, return_exceptions=True)
    reasons = {answer.reason if isinstance(answer, BearpitError) else repr(answer) for answer in answers}
    assert reasons <= {"SHARD_ELSEWHERE", "NOT_READY"}
    (cancelled,) = await asyncio.gather(cancel, return_exceptions=True)
    assert isinstance(cancelled, BearpitError)
    assert cancelled.reason in ("SHARD_ELSEWHERE", "ORDER_NOT_OPEN")
    for n in range(10):
        assert pair.orders(f"late-{n}") == []
    await until(lambda: pair.at_first.trading.PlaceOrder(order("ACME", "after")), 5, "SHARD_ELSEWHERE")
    error = await refused(pair.at_first, order("ACME", "after"))
    assert (error.reason, error.metadata["address"]) == ("SHARD_ELSEWHERE", pair.second.address)
    assert pair.epochs() == epochs
    found = await pair.at_first.trading.GetOrder(pb.GetOrderRequest(request_id="resting"))
    assert (found.order.status, len(found.fills)) == (pb.ORDER_STATUS_FILLED, 1)


async def test_a_server_paused_under_load_loses_and_doubles_no_order(pair: Pair) -> None:
    answered: dict[str, pb.Order] = {}
    asked: list[pb.PlaceOrderRequest] = []
    enough = asyncio.Event()

    async def trade(client: Client, side: pb.Side, worker: int) -> None:
        for n in range(1_000):
            request = order(SYMBOLS[n % 4], f"{side}-{worker}-{n}", 100 + n % 3, side)
            asked.append(request)
            try:
                answered[request.request_id] = (await client.trading.PlaceOrder(request, timeout=20)).order
            except BearpitError as error:
                assert error.code is grpc.StatusCode.UNAVAILABLE, repr(error)
                return
            if len(answered) > 60:
                enough.set()

    async with (
        signed_in(pair.first.address, SELLER) as seller,
        signed_in(pair.second.address, SELLER) as other,
    ):
        workers = [
            asyncio.ensure_future(trade(client, side, worker))
            for worker in range(4)
            for client, side in ((pair.at_first, pb.SIDE_BUY), (seller, pb.SIDE_SELL))
        ]
        async with asyncio.timeout(20):
            await enough.wait()
        pair.first.signal(signal.SIGSTOP)
        try:
            await until_trading(pair.at_second, *SYMBOLS)
            bought = await pair.at_second.trading.PlaceOrder(order("ACME", "meanwhile", 103))
        finally:
            pair.first.signal(signal.SIGCONT)
        async with asyncio.timeout(30):
            await asyncio.gather(*workers)
        again = {pb.SIDE_BUY: pair.at_second, pb.SIDE_SELL: other}
        for request in asked:
            placed = (await again[request.order.side].trading.PlaceOrder(request)).order
            told = answered.get(request.request_id)
            assert told is None or placed.order_id == told.order_id
            assert told is None or placed.filled_quantity >= told.filled_quantity
            assert len(pair.orders(request.request_id)) == 1
        assert bought.order.order_id > max(told.order_id for told in answered.values())


async def test_a_graceful_stop_gives_the_shards_up_at_once(pair: Pair) -> None:
    placed = await pair.at_first.trading.PlaceOrder(order("ACME", "before"))
    await asyncio.to_thread(pair.first.stop)
    assert pair.owners() <= {"", pair.second.address}
    async with asyncio.timeout(2):
        await until_trading(pair.at_second, *SYMBOLS)
    again = await pair.at_second.trading.PlaceOrder(order("ACME", "before"))
    assert again.order.order_id == placed.order.order_id


async def test_the_first_server_takes_back_what_the_second_gives_up(pair: Pair) -> None:
    pair.first.signal(signal.SIGSTOP)
    try:
        await until_trading(pair.at_second, *SYMBOLS)
        there = (await pair.at_second.trading.PlaceOrder(order("ACME", "there", 101))).order
        await asyncio.to_thread(pair.second.stop)
    finally:
        pair.first.signal(signal.SIGCONT)

    async def place() -> None:
        await pair.at_first.trading.PlaceOrder(order("ACME", "back"))

    await until(place, 10)
    assert pair.owners() == {pair.first.address}
    async with signed_in(pair.first.address, SELLER) as seller:
        sold = await seller.trading.PlaceOrder(order("ACME", "sell", 90, pb.SIDE_SELL))
    assert [fill.price_cents for fill in sold.fills] == [101], "the book is as the second server left it"
    found = await pair.at_first.trading.GetOrder(pb.GetOrderRequest(order_id=there.order_id))
    assert found.order.status == pb.ORDER_STATUS_FILLED
