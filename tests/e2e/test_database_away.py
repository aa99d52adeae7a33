"""The database goes away and comes back: clear refusals meanwhile, no restart, nothing lost."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from bearpit.client import BearpitError, Client, connect
from bearpit.v1 import auth_pb2, market_pb2, wallet_pb2
from bearpit.v1 import trading_pb2 as pb
from bearpit_server.storage import database as storage
from bearpit_server.storage.database import Database, DatabaseUnusable

from tests.e2e.outages import (
    FragilePostgres,
    Site,
    make_player,
    open_game,
    serving,
    signed_in,
    site,
    until,
    until_trading,
)
from tests.orders import BUY, SELL, spec
from tests.venue import PASSWORD, ServerProcess

SYMBOLS = ("ACME",)


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FragilePostgres]:
    made = FragilePostgres(tmp_path_factory.mktemp("fragile") / "data")
    yield made
    made.stop()


@dataclass
class Game:
    """A server with a buyer and a seller."""

    here: Site
    server: ServerProcess
    buyer: Client
    seller: Client


@pytest.fixture
async def game(fragile: FragilePostgres, tmp_path: Path) -> AsyncIterator[Game]:
    async with AsyncExitStack() as stack:
        here = stack.enter_context(site(fragile, tmp_path))
        server = await stack.enter_async_context(serving(here.server()))
        operator = await stack.enter_async_context(signed_in(server.address))
        await open_game(operator, SYMBOLS)
        for name in ("buyer", "seller"):
            await make_player(operator, name, SYMBOLS)
        buyer = await stack.enter_async_context(signed_in(server.address, "buyer"))
        seller = await stack.enter_async_context(signed_in(server.address, "seller"))
        await until_trading(buyer, *SYMBOLS)
        yield Game(here, server, buyer, seller)
        here.database.disconnect()
        here.prove()


def buy(price: int, request_id: str = "") -> pb.PlaceOrderRequest:
    return pb.PlaceOrderRequest(order=spec(BUY, "ACME", 5, price), request_id=request_id)


async def test_calls_are_refused_while_the_database_is_away_and_work_again_when_it_is_back(
    game: Game, fragile: FragilePostgres
) -> None:
    before = (await game.buyer.trading.PlaceOrder(buy(100, "before"))).order
    fragile.kill()
    await fragile.gone()

    async with connect(game.server.address) as stranger:
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "PlaceOrder": lambda: game.buyer.trading.PlaceOrder(buy(99, "away")),
            "CancelOrder": lambda: game.buyer.trading.CancelOrder(
                pb.CancelOrderRequest(order_id=before.order_id, request_id="cancel")
            ),
            "AmendOrder": lambda: game.buyer.trading.AmendOrder(
                pb.AmendOrderRequest(order_id=before.order_id, quantity=1, request_id="amend")
            ),
            "CancelAllOrders": lambda: game.buyer.trading.CancelAllOrders(
                pb.CancelAllOrdersRequest(request_id="all")
            ),
            "GetOrder": lambda: game.buyer.trading.GetOrder(pb.GetOrderRequest(request_id="before")),
            "ListOrders": lambda: game.buyer.trading.ListOrders(pb.ListOrdersRequest()),
            "GetWallet": lambda: game.buyer.wallet.GetWallet(wallet_pb2.GetWalletRequest()),
            "SignIn": lambda: stranger.auth.SignIn(
                auth_pb2.SignInRequest(name="buyer", password=PASSWORD)
            ),
        }  # fmt: skip
        for name, call in calls.items():
            with pytest.raises(BearpitError) as refused:
                await call()
            assert refused.value.code is grpc.StatusCode.UNAVAILABLE, name
            assert refused.value.reason in ("DATABASE_UNAVAILABLE", "NOT_READY"), name
            if name in ("GetOrder", "ListOrders", "GetWallet", "SignIn"):
                assert refused.value.reason == "DATABASE_UNAVAILABLE", name

        await fragile.start()
        game.here.database.disconnect()
        await until_trading(game.buyer, *SYMBOLS)

        async def sign_in() -> None:
            await stranger.sign_in("buyer", PASSWORD)

        await until(sign_in)
    again = await game.buyer.trading.PlaceOrder(buy(100, "before"))
    assert again.order.order_id == before.order_id
    sell = pb.PlaceOrderRequest(order=spec(SELL, "ACME", 5, 100))
    sold = await game.seller.trading.PlaceOrder(sell)
    assert [(fill.price_cents, fill.quantity) for fill in sold.fills] == [(100, 5)]


async def test_a_database_that_is_stopped_in_good_order_is_no_different(
    game: Game, fragile: FragilePostgres
) -> None:
    await game.buyer.trading.PlaceOrder(buy(100, "before"))
    fragile.stop_fast()
    await fragile.gone()
    with pytest.raises(BearpitError) as refused:
        await game.buyer.trading.PlaceOrder(buy(99, "away"))
    assert refused.value.code is grpc.StatusCode.UNAVAILABLE
    await fragile.start()
    game.here.database.disconnect()
    await until_trading(game.buyer, *SYMBOLS)
    placed = await game.buyer.trading.PlaceOrder(buy(99, "away"))
    assert placed.order.status == pb.ORDER_STATUS_WORKING


async def test_streams_go_on_without_a_gap_after_the_database_was_away(
    game: Game, fragile: FragilePostgres
) -> None:
    numbers: list[int] = []
    seen: dict[str, pb.OrderStatus] = {}
    books: list[int] = []
    changed = asyncio.Event()

    async def orders() -> None:
        async for frame in game.buyer.stream_orders():
            if frame.HasField("update"):
                numbers.append(frame.sequence)
                seen[frame.update.order.request_id] = frame.update.order.status
            changed.set()

    async def prices() -> None:
        async for frame in game.buyer.stream_prices():
            if not frame.HasField("heartbeat"):
                books.append(frame.sequence)
            changed.set()

    async def heard(request_id: str) -> None:
        async with asyncio.timeout(30):
            while request_id not in seen or not books:
                changed.clear()
                await changed.wait()

    listeners = [asyncio.ensure_future(listen()) for listen in (orders, prices)]
    try:
        async with asyncio.timeout(10):
            await changed.wait()  # the snapshot: what comes now is an update
        await game.buyer.trading.PlaceOrder(buy(100, "before"))
        await heard("before")
        fragile.kill()
        await fragile.gone()
        with pytest.raises(BearpitError):
            await game.buyer.trading.PlaceOrder(buy(99, "away"))
        await fragile.start()
        game.here.database.disconnect()
        await until_trading(game.buyer, *SYMBOLS)
        books.clear()
        await game.buyer.trading.PlaceOrder(buy(101, "after"))
        await heard("after")
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert not any(listener.done() for listener in listeners)
    finally:
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)


async def test_a_bare_stream_survives_or_ends_with_unavailable(game: Game, fragile: FragilePostgres) -> None:
    stream = game.buyer.market.StreamPrices(market_pb2.StreamPricesRequest(symbols=["ACME"]))
    ended: list[grpc.StatusCode] = []

    async def listen() -> None:
        try:
            async for _ in stream:
                pass
        except BearpitError as error:
            ended.append(error.code)

    listener = asyncio.ensure_future(listen())
    fragile.kill()
    await fragile.gone()
    with pytest.raises(BearpitError):
        await game.buyer.wallet.GetWallet(wallet_pb2.GetWalletRequest())
    await fragile.start()
    game.here.database.disconnect()
    await until_trading(game.buyer, *SYMBOLS)
    listener.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listener
    assert set(ended) <= {grpc.StatusCode.UNAVAILABLE}


async def test_leases_are_still_ours_after_the_database_was_away_for_longer_than_they_last(
    game: Game, fragile: FragilePostgres
) -> None:
    placed = (await game.buyer.trading.PlaceOrder(buy(100, "before"))).order
    fragile.kill()
    await fragile.gone()
    log = game.server._folder / "server.log"
    told = log.read_text().count("could not be renewed")
    async with asyncio.timeout(20):
        while log.read_text().count("could not be renewed") < told + 4:  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.05)
    await fragile.start()
    game.here.database.disconnect()
    await until_trading(game.buyer, *SYMBOLS)
    cancelled = await game.buyer.trading.CancelOrder(pb.CancelOrderRequest(order_id=placed.order_id))
    assert cancelled.order.status == pb.ORDER_STATUS_CANCELLED


# At the start


def start(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "BEARPIT_DATABASE_URL": url, "BEARPIT_HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "bearpit_server", "serve", "--address", "127.0.0.1:0"],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


async def test_a_server_that_cannot_reach_its_database_says_so_and_exits(tmp_path: Path) -> None:
    ended = await asyncio.to_thread(start, f"postgresql://nobody@/none?host={tmp_path}", tmp_path)
    assert ended.returncode == 1
    assert "error: the database cannot be reached" in ended.stderr
    assert "BEARPIT_DATABASE_URL" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_a_database_of_a_newer_bearpit_is_left_alone(fragile: FragilePostgres, tmp_path: Path) -> None:
    with fragile.database() as database:
        database.execute("INSERT INTO schema_migrations (name, applied) VALUES ('9999_future', now())")
        database.disconnect()
        ended = await asyncio.to_thread(start, fragile.url_of(database), tmp_path)
        with pytest.raises(DatabaseUnusable, match=r"newer Bearpit.*9999_future"):
            database.migrate()
        database.disconnect()
        assert database.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (
            0,
        )
    assert ended.returncode == 1
    assert "error: the database was made by a newer Bearpit (it has 9999_future)" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_database_that_is_too_old_is_told_by_its_version(
    fragile: FragilePostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fragile.database() as database:
        newest = database.peewee.connection().info.server_version
        monkeypatch.setattr(storage, "OLDEST_VERSION", newest + 1)
        with pytest.raises(DatabaseUnusable, match=f"PostgreSQL {newest // 10_000}; Bearpit needs"):
            database.migrate()


def test_a_url_that_is_none_is_told_as_such() -> None:
    with pytest.raises(DatabaseUnusable, match="cannot be reached"):
        Database("postgresql://127.0.0.1:1/none").migrate()
