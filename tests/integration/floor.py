"""A server that the tests of a module share: each lists its own instruments and brings its own players."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import datetime
from itertools import count
from typing import Any, TypeVar

import grpc
import pytest
import pytest_asyncio
from bearpit.client import BearpitError, Client
from bearpit.v1 import admin_pb2, errors_pb2, market_pb2, wallet_pb2
from bearpit.v1 import trading_pb2 as pb
from bearpit_server.bootstrap import serve
from bearpit_server.identity.passwords import Passwords
from bearpit_server.storage import clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.settings import store

from tests.postgres import Postgres
from tests.venue import NO_LIMITS, QUICK, Venue, prepare

T = TypeVar("T")

OPEN = admin_pb2.MARKET_OVERRIDE_OPEN
CLOSED = admin_pb2.MARKET_OVERRIDE_CLOSED
PRE_OPEN = admin_pb2.MARKET_OVERRIDE_PRE_OPEN
BY_SCHEDULE = admin_pb2.MARKET_OVERRIDE_NONE

BUY, SELL = pb.SIDE_BUY, pb.SIDE_SELL
GTC, DAY = pb.TIME_IN_FORCE_GTC, pb.TIME_IN_FORCE_DAY
IOC, FOK = pb.TIME_IN_FORCE_IOC, pb.TIME_IN_FORCE_FOK
WAITING, WORKING = pb.ORDER_STATUS_WAITING, pb.ORDER_STATUS_WORKING
FILLED, CANCELLED, EXPIRED = pb.ORDER_STATUS_FILLED, pb.ORDER_STATUS_CANCELLED, pb.ORDER_STATUS_EXPIRED

_numbers = count(1)


def buy(symbol: str, quantity: int, price: int = 0, **more: Any) -> pb.OrderSpec:
    """A bid; without a price a market order, unless `type` says otherwise."""
    return _spec(BUY, symbol, quantity, price, **more)


def sell(symbol: str, quantity: int, price: int = 0, **more: Any) -> pb.OrderSpec:
    """An offer; without a price a market order, unless `type` says otherwise."""
    return _spec(SELL, symbol, quantity, price, **more)


def _spec(side: pb.Side, symbol: str, quantity: int, price: int, **more: Any) -> pb.OrderSpec:
    more.setdefault("type", pb.ORDER_TYPE_LIMIT if price else pb.ORDER_TYPE_MARKET)
    return pb.OrderSpec(symbol=symbol, side=side, quantity=quantity, price_cents=price, **more)


def traded(fills: Any) -> list[tuple[int, int]]:
    """Price and quantity of each fill."""
    return [(fill.price_cents, fill.quantity) for fill in fills]


def reason_of(refusal: pb.Refusal) -> str:
    """Why, as errors.proto names it, without its prefix."""
    return errors_pb2.Reason.Name(refusal.reason).removeprefix("REASON_")


class Floor(Venue):
    """A venue where names never clash."""

    def __init__(self, address: str, database: Database, stack: AsyncExitStack) -> None:
        super().__init__(address, database, stack)
        self._operator: Client | None = None

    async def operator(self) -> Client:
        """The first operator's client, signed in once."""
        if self._operator is None:
            self._operator = await super().operator()
        return self._operator

    async def settled(self) -> None:
        """Wait until the matcher has done what was put before."""
        if self.running is not None and self.running.exchange.quotes:
            await super().settled()

    def forget_operator(self) -> None:
        """Sign in anew next time."""
        self._operator = None

    async def instrument(self, fee_bps: int = 0, **terms: int) -> str:
        """A new instrument's symbol."""
        symbol = f"T{next(_numbers)}"
        await self.list_instrument(symbol, fee_bps=fee_bps, **terms)
        await self.settled()
        return symbol

    async def trader(self, cash_cents: int = 1_000_000, **shares: int) -> Client:
        """A new player with cash and shares, signed in."""
        return await self.player(f"trader{next(_numbers)}", cash_cents, **shares)

    async def settings(self, **values: int) -> None:
        """Set settings of the game."""
        operator = await self.operator()
        texts = {key: str(value) for key, value in values.items()}
        await operator.admin.UpdateSettings(admin_pb2.UpdateSettingsRequest(values=texts))

    async def halt(self, symbol: str = "", halted: bool = True) -> None:
        """Halt or resume, and wait until the books have followed."""
        operator = await self.operator()
        await operator.admin.SetHalt(admin_pb2.SetHaltRequest(symbol=symbol, halted=halted))
        await self.settled()

    async def schedule(self, **hours: Any) -> None:
        """Set the market's hours; none given: remove them."""
        operator = await self.operator()
        wanted = admin_pb2.Schedule(**hours) if hours else None
        await operator.admin.SetSchedule(admin_pb2.SetScheduleRequest(schedule=wanted))
        await self.settled()

    async def refused(self, client: Client, spec: pb.OrderSpec, reason: str) -> BearpitError:
        """The order is refused for that reason, and nothing of the player's changes."""
        before = await self.wallet(client)
        with pytest.raises(BearpitError) as caught:
            await self.place(client, spec)
        assert caught.value.reason == reason
        assert await self.wallet(client) == before
        return caught.value

    async def order(self, client: Client, order_id: int) -> pb.Order:
        """An order of a player as it is now."""
        return (await client.trading.GetOrder(pb.GetOrderRequest(order_id=order_id))).order

    async def cancel(self, client: Client, order_id: int) -> pb.Order:
        """Cancel."""
        return (await client.trading.CancelOrder(pb.CancelOrderRequest(order_id=order_id))).order

    async def amend(self, client: Client, order_id: int, **terms: int) -> pb.AmendOrderResponse:
        """Amend."""
        return await client.trading.AmendOrder(pb.AmendOrderRequest(order_id=order_id, **terms))  # type: ignore[arg-type]

    async def preview(self, client: Client, spec: pb.OrderSpec) -> pb.Preview:
        """What an order would do."""
        request = pb.PlaceOrderRequest(order=spec, validate_only=True)
        return (await client.trading.PlaceOrder(request)).preview

    async def explain(self, client: Client, order_id: int) -> pb.ExplainOrderResponse:
        """Why an order has not filled."""
        return await client.trading.ExplainOrder(pb.ExplainOrderRequest(order_id=order_id))

    async def fills(self, client: Client) -> list[pb.Fill]:
        """All fills of a player, newest first; at most a thousand."""
        return list((await client.trading.ListFills(pb.ListFillsRequest(page_size=1000))).fills)

    async def book(
        self, symbol: str, levels: int = 10
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Bids and asks as (price, shares)."""
        operator = await self.operator()
        book = (await operator.market.GetBook(market_pb2.GetBookRequest(symbol=symbol, levels=levels))).book
        return traded(book.bids), traded(book.asks)

    async def quote(self, symbol: str) -> market_pb2.Quote:
        """The latest."""
        operator = await self.operator()
        return (await operator.market.GetInstrument(market_pb2.GetInstrumentRequest(symbol=symbol))).quote

    async def transfer(self, client: Client, to: str, cents: int, **more: Any) -> wallet_pb2.TransferResponse:
        """Give cash."""
        request = wallet_pb2.TransferRequest(to_player=to, amount_cents=cents, **more)
        return await client.wallet.Transfer(request)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Straight from the database."""
        return list(self.database.execute(sql).fetchall())

    def balances_off_zero(self) -> list[tuple[Any, ...]]:
        """Assets whose balances do not sum to zero, accounts that hold something else than their orders."""
        return self.rows(
            "SELECT asset, sum(balance) FROM accounts GROUP BY 1 HAVING sum(balance) <> 0"
        ) + self.rows(
            "SELECT a.id, a.held FROM accounts a LEFT JOIN (SELECT player_id, CASE side WHEN 1 THEN 0 ELSE "
            "instrument_id END AS asset, CASE player_id WHEN 0 THEN 'treasury' ELSE 'player' END AS kind, "
            "sum(held) AS held FROM orders WHERE status <= 3 GROUP BY 1, 2, 3) o ON o.player_id = a.owner_id "
            "AND o.asset = a.asset AND o.kind = a.kind WHERE a.held <> coalesce(o.held, 0)"
        )


@asynccontextmanager
async def floor_on(database: Database) -> AsyncIterator[Floor]:
    """The server in this process on a prepared database."""
    async with (
        serve(database, "127.0.0.1:0", passwords=Passwords(QUICK)) as running,
        AsyncExitStack() as clients,
    ):
        made = Floor(f"127.0.0.1:{running.port}", database, clients)
        made.running = running
        yield made


@asynccontextmanager
async def open_floor(postgres: Postgres) -> AsyncIterator[Floor]:
    """The server in this process, on a database of its own; the market is open."""
    with postgres.database() as database:
        prepare(database)
        async with floor_on(database) as made:
            await made.set_market(OPEN)
            yield made
        made.prove()


async def reset(floor: Floor) -> None:
    """The market open by hand and no limits, whatever the last test did."""
    clock.use(None)
    floor.forget_operator()
    with floor.database.transaction():
        store({**NO_LIMITS, **dict.fromkeys(_LIMITS, "0"), "transfer_fee_bps": "0", "protection_bps": "1000"})
    await floor.halt("", halted=False)
    await floor.schedule()
    await floor.set_market(OPEN)


_LIMITS = ("max_order_value_cents", "max_day_orders", "max_day_value_cents")


class Stage:
    """A floor for tests that are not coroutines: Hypothesis drives them step by step."""

    def __init__(self, postgres: Postgres) -> None:
        self._runner = asyncio.Runner()
        self._postgres = postgres
        self._stack = AsyncExitStack()
        self.floor: Floor

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to its end; nothing may hang."""

        async def bounded() -> T:
            async with asyncio.timeout(30):
                return await work

        return self._runner.run(bounded())

    @contextmanager
    def opened(self) -> Iterator["Stage"]:
        """With a database of its own, and the market open."""
        with self._postgres.database() as database:
            prepare(database)
            try:
                self.start(database)
                yield self
            finally:
                self.stop()
                self._runner.close()
            self.floor.prove()

    def start(self, database: Database) -> None:
        """Start the server."""
        self._stack = AsyncExitStack()
        self.floor = self.run(self._stack.enter_async_context(floor_on(database)))
        self.run(self.floor.set_market(OPEN))

    def stop(self) -> None:
        """Stop it in good order."""
        self.run(self._stack.aclose())

    def restart(self) -> None:
        """Stop, and start on the same database."""
        self.stop()
        self._stack = AsyncExitStack()
        self.floor = self.run(self._stack.enter_async_context(floor_on(self.floor.database)))


def at(text: str) -> None:
    """Set the server's clock."""
    moment = datetime.fromisoformat(text)
    clock.use(lambda: moment)


def code_of(error: BaseException) -> grpc.StatusCode:
    """The canonical code of a failed call."""
    assert isinstance(error, BearpitError | grpc.aio.AioRpcError), repr(error)
    return error.code if isinstance(error, BearpitError) else error.code()


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="shared_floor")
async def make_shared_floor(postgres: Postgres) -> AsyncIterator[Floor]:
    """One server for a module. Import this and `make_floor`, and mark the module with `SHARED`."""
    async with open_floor(postgres) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module", name="floor")
async def make_floor(shared_floor: Floor) -> AsyncIterator[Floor]:
    """The module's server; the ledger is proved after each test."""
    yield shared_floor
    shared_floor.prove()


@pytest_asyncio.fixture(loop_scope="module", name="ordinary")
async def make_ordinary(shared_floor: Floor) -> AsyncIterator[None]:
    """For tests that set the clock, the hours or the game's settings: all as it was before."""
    yield
    await reset(shared_floor)


SHARED = pytest.mark.asyncio(loop_scope="module")
