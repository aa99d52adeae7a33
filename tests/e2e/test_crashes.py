# ruff: noqa: PT017 - what an error says depends on what was told before
"""Kill the server, or PostgreSQL, under load again and again: what clients were told is what is there."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import grpc
import pytest
from bearpit.client import BearpitError, Client
from bearpit.v1 import trading_pb2 as pb
from bearpit.v1 import wallet_pb2
from bearpit_server.rules.orders import OrderStatus
from bearpit_server.storage.models import Instrument, Order, Player, Trade

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
from tests.postgres import Postgres
from tests.venue import ServerProcess

SYMBOLS = ("ACME", "BOLT")
TRADERS = ("ada", "bob", "cyd", "dot")
IN_FLIGHT = 3
OPEN = (pb.ORDER_STATUS_QUEUED, pb.ORDER_STATUS_WAITING, pb.ORDER_STATUS_WORKING)
LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


@dataclass
class Placing:
    """An order that somebody asked for, and the last that was told of it. None: no answer came."""

    request: pb.PlaceOrderRequest
    told: pb.Order | None = None
    trades: dict[int, pb.Fill] = field(default_factory=dict)
    refused: str = ""
    cancel: pb.CancelOrderRequest | None = None
    cancelled: pb.Order | None = None
    amend: pb.AmendOrderRequest | None = None
    amended: pb.Order | None = None

    def answered(self, answer: pb.PlaceOrderResponse) -> None:
        self.told = answer.order
        self.trades.update((fill.trade_id, fill) for fill in answer.fills)


class Trader:
    """Somebody who places, cancels and amends, and notes what was told."""

    def __init__(self, client: Client, chance: random.Random) -> None:
        self.client = client
        self.placings: list[Placing] = []
        self._chance = chance
        self._numbers = count(1)

    def _id(self, what: str) -> str:
        return f"{what}-{next(self._numbers)}"

    def _request(self) -> pb.PlaceOrderRequest:
        chance = self._chance
        side = chance.choice((pb.SIDE_BUY, pb.SIDE_SELL))
        near = 100 + chance.randint(-4, 2) * (1 if side == pb.SIDE_BUY else -1)
        spec = pb.OrderSpec(
            symbol=chance.choice(SYMBOLS), side=side, type=pb.ORDER_TYPE_LIMIT,
            quantity=chance.randint(1, 30), price_cents=near,
            self_trade=chance.choice((pb.SELF_TRADE_CANCEL_NEWEST, pb.SELF_TRADE_CANCEL_OLDEST)),
        )  # fmt: skip
        kind = chance.random()
        if kind < 0.1:
            spec.time_in_force = chance.choice((pb.TIME_IN_FORCE_IOC, pb.TIME_IN_FORCE_FOK))
        elif kind < 0.2:
            spec.type = pb.ORDER_TYPE_STOP_LIMIT
            spec.stop_price_cents = near + (2 if side == pb.SIDE_BUY else -2)
        return pb.PlaceOrderRequest(order=spec, request_id=self._id("place"))

    async def act(self) -> int:
        """Do one thing; how many answers came. Raises BearpitError when none did."""
        kind = self._chance.random()
        mine = [p for p in self.placings if p.told and p.told.status in OPEN and not p.cancel and not p.amend]
        if kind < 0.2 and mine:
            return await self._cancel(self._chance.choice(mine))
        if kind < 0.35 and mine:
            return await self._amend(self._chance.choice(mine))
        if kind < 0.5:
            return await self._place_many(self._chance.randint(2, 8))
        return await self._place()

    async def _place(self) -> int:
        placing = Placing(self._request())
        self.placings.append(placing)
        try:
            placing.answered(await self.client.trading.PlaceOrder(placing.request))
        except BearpitError as error:
            _bear(error)
            placing.refused = error.reason
        return 1

    async def _place_many(self, number: int) -> int:
        placings = [Placing(self._request()) for _ in range(number)]
        self.placings += placings
        answer = await self.client.trading.PlaceOrders(
            pb.PlaceOrdersRequest(orders=[placing.request for placing in placings])
        )
        for placing, result in zip(placings, answer.results, strict=True):
            if result.HasField("placed"):
                placing.answered(result.placed)
            elif result.refusal.code != grpc.StatusCode.UNAVAILABLE.value[0]:
                placing.refused = result.refusal.message
        return number

    async def _cancel(self, placing: Placing) -> int:
        assert placing.told is not None
        placing.cancel = pb.CancelOrderRequest(order_id=placing.told.order_id, request_id=self._id("cancel"))
        try:
            placing.cancelled = (await self.client.trading.CancelOrder(placing.cancel)).order
        except BearpitError as error:
            _bear(error)
        return 1

    async def _amend(self, placing: Placing) -> int:
        assert placing.told is not None
        spec = placing.told.spec
        placing.amend = pb.AmendOrderRequest(order_id=placing.told.order_id, request_id=self._id("amend"))
        if self._chance.random() < 0.5:
            placing.amend.quantity = self._chance.randint(1, spec.quantity)
        else:
            placing.amend.price_cents = spec.price_cents + self._chance.choice((-1, 1))
        try:
            answer = await self.client.trading.AmendOrder(placing.amend)
        except BearpitError as error:
            _bear(error)
        else:
            placing.amended = answer.order
            placing.trades.update((fill.trade_id, fill) for fill in answer.fills)
        return 1

    # What is there

    async def check(self) -> None:
        """Compare what was told with what is there, then ask again for all that had no answer."""
        placings, self.placings = self.placings, []
        limiter = asyncio.Semaphore(16)

        async def one(placing: Placing) -> None:
            async with limiter:
                await self._check(placing)

        await asyncio.gather(*map(one, placings))

    async def _check(self, placing: Placing) -> None:
        wanted = pb.GetOrderRequest(request_id=placing.request.request_id)
        try:
            found = await self.client.trading.GetOrder(wanted)
        except BearpitError as error:
            assert error.reason == "NOT_FOUND", repr(error)
            assert placing.told is None, f"told, and lost: {placing}"
            if not placing.refused:
                first, second = await self._again(placing), await self._again(placing)
                assert first is None or (second is not None and first.order_id == second.order_id)
            return
        assert not placing.refused, f"refused, and there: {placing}"
        self._compare(placing, found)
        if placing.told is None or self._chance.random() < 0.2:
            again = await self._again(placing)
            assert again is not None
            assert again.order_id == found.order.order_id
        await self._repeat_cancel(placing)

    async def _again(self, placing: Placing) -> pb.Order | None:
        """The very same request once more; None: it is refused now."""
        try:
            return (await self.client.trading.PlaceOrder(placing.request)).order
        except BearpitError as error:
            assert error.code is grpc.StatusCode.FAILED_PRECONDITION, repr(error)
            return None

    async def _repeat_cancel(self, placing: Placing) -> None:
        if placing.cancel is None:
            return
        try:
            order = (await self.client.trading.CancelOrder(placing.cancel)).order
        except BearpitError as error:
            assert error.reason == "ORDER_NOT_OPEN", repr(error)
            assert placing.cancelled is None, f"cancelled, and the same request is refused: {placing}"
        else:
            assert order.status == pb.ORDER_STATUS_CANCELLED

    @staticmethod
    def _compare(placing: Placing, found: pb.GetOrderResponse) -> None:
        now, told = found.order, placing.told
        trades = {fill.trade_id: fill for fill in found.fills}
        assert len(trades) == len(found.fills)
        assert sum(fill.quantity for fill in found.fills) == now.filled_quantity
        assert sum(fill.quantity * fill.price_cents for fill in found.fills) == now.filled_value_cents
        for trade_id, fill in placing.trades.items():
            assert trade_id in trades, f"a fill was told, and is lost: {fill}"
            there = trades[trade_id]
            assert (there.price_cents, there.quantity, there.fee_cents) == (
                fill.price_cents, fill.quantity, fill.fee_cents,
            )  # fmt: skip
        if placing.amend is None and told is None:
            asked = placing.request.order
            assert (now.spec.symbol, now.spec.side, now.spec.price_cents) == (
                asked.symbol, asked.side, asked.price_cents,
            )  # fmt: skip
        for last in (told, placing.amended, placing.cancelled):
            if last is None:
                continue
            assert now.order_id == last.order_id
            assert now.filled_quantity >= last.filled_quantity
            if last.status not in OPEN:
                assert (now.status, now.filled_quantity, now.held) == (last.status, last.filled_quantity, 0)
                assert now.end_reason == last.end_reason
        if placing.amended is not None and not placing.cancel:
            assert (now.spec.quantity, now.spec.price_cents) == (
                placing.amended.spec.quantity, placing.amended.spec.price_cents,
            )  # fmt: skip
        if placing.cancelled is not None:
            assert now.status == pb.ORDER_STATUS_CANCELLED


def _bear(error: BearpitError) -> None:
    """Refusals for a reason of the game are answers; the others are not."""
    if error.code in LOST:
        raise error
    assert error.code is not grpc.StatusCode.INTERNAL, repr(error)
    assert error.code is not grpc.StatusCode.UNKNOWN, repr(error)


async def load(traders: list[Trader], answers: int, strike: Callable[[], Awaitable[None] | None]) -> None:
    """Let everybody trade until so many answers have come; then strike, and wait for all to notice."""
    came = 0
    struck = asyncio.Event()

    async def work(trader: Trader) -> None:
        nonlocal came
        while not struck.is_set():
            try:
                came += await trader.act()
            except BearpitError as error:
                assert error.code in LOST, repr(error)
                assert struck.is_set(), f"refused before anything happened: {error!r}"
                return
            if came >= answers and not struck.is_set():
                struck.set()
                waiting = strike()
                if waiting is not None:
                    await waiting

    async with asyncio.timeout(30):
        await asyncio.gather(*(work(trader) for trader in traders for _ in range(IN_FLIGHT)))


# The book afterwards


def resting(symbol_id: int, side: int) -> list[Order]:
    """The limit orders of one side, the best and earliest first, as the database has them."""
    price = Order.price_cents.desc() if side == pb.SIDE_BUY else Order.price_cents
    return list(
        Order.select()
        .where(
            Order.instrument_id == symbol_id, Order.side == side, Order.status <= int(OrderStatus.WORKING),
            (Order.stop_price_cents == 0) | (Order.status == int(OrderStatus.WORKING)),
        )
        .order_by(price, Order.priority)
    )  # fmt: skip


def check_priorities(amended: set[int]) -> None:
    """Orders that were never amended or triggered have the priority of their acceptance."""
    rows = Order.select().where(Order.status <= int(OrderStatus.WORKING), Order.stop_price_cents == 0)
    for row in rows:
        if row.id not in amended:
            assert row.priority == row.id


async def sweep(here: Site, sweeper: Client, symbol: str, chance: random.Random) -> None:
    """Take some of what rests: it fills in the order of price, then of acceptance."""
    side = chance.choice((pb.SIDE_BUY, pb.SIDE_SELL))
    with here.database.transaction():
        instrument = Instrument.get(Instrument.symbol == symbol)
        rows = resting(instrument.id, side)[: chance.randint(1, 6)]
    if not rows:
        return
    quantity = sum(row.quantity - row.filled for row in rows)
    spec = pb.OrderSpec(
        symbol=symbol, side=pb.SIDE_SELL if side == pb.SIDE_BUY else pb.SIDE_BUY,
        type=pb.ORDER_TYPE_LIMIT, quantity=quantity, price_cents=rows[-1].price_cents,
        time_in_force=pb.TIME_IN_FORCE_IOC,
    )  # fmt: skip
    answer = await sweeper.trading.PlaceOrder(pb.PlaceOrderRequest(order=spec))
    ids = [fill.trade_id for fill in answer.fills]
    with here.database.transaction():
        column = Trade.buy_order_id if side == pb.SIDE_BUY else Trade.sell_order_id
        trades = Trade.select(column).where(Trade.id << ids).order_by(Trade.id)
        taken = [order for (order,) in trades.tuples()]
    assert taken == [row.id for row in rows]


async def check_all(here: Site, traders: list[Trader], sweeper: Client, chance: random.Random) -> None:
    """All that the clients know, all that the doctor knows, and who is next."""
    with here.database.transaction():
        crossed = [
            symbol
            for symbol in (1, 2)
            if (bids := resting(symbol, pb.SIDE_BUY))
            and (asks := resting(symbol, pb.SIDE_SELL))
            and bids[0].price_cents >= asks[0].price_cents
        ]
    assert not crossed, "what was accepted is executed"
    amended = {p.amend.order_id for trader in traders for p in trader.placings if p.amend}
    with here.database.transaction():
        recent = {p.told.order_id for trader in traders for p in trader.placings if p.told}
        known = {row.id for row in Order.select(Order.id)}
        assert recent <= known
        check_priorities(amended | _amended(here))
    for symbol in SYMBOLS:
        await sweep(here, sweeper, symbol, chance)
    for trader in traders:
        await trader.check()
    here.prove()


def _amended(here: Site) -> set[int]:
    rows = here.database.execute("SELECT DISTINCT subject FROM events WHERE type = 'order.amended'")
    return {int(subject.removeprefix("order:")) for (subject,) in rows.fetchall()}


@dataclass
class Game:
    """A server process with traders."""

    here: Site
    server: ServerProcess
    traders: list[Trader]
    sweeper: Client
    chance: random.Random


async def play(postgres: Postgres, folder: Path, seed: int) -> AsyncIterator[Game]:
    chance = random.Random(seed)
    async with AsyncExitStack() as stack:
        here = stack.enter_context(site(postgres, folder))
        server = await stack.enter_async_context(serving(here.server()))
        operator = await stack.enter_async_context(signed_in(server.address))
        await open_game(operator, SYMBOLS, fee_bps=10)
        for name in (*TRADERS, "sweeper"):
            await make_player(operator, name, SYMBOLS)
        clients = [
            await stack.enter_async_context(signed_in(server.address, name)) for name in (*TRADERS, "sweeper")
        ]
        await until_trading(operator, *SYMBOLS)
        traders = [Trader(client, random.Random(chance.random())) for client in clients[:-1]]
        yield Game(here, server, traders, clients[-1], chance)
        with here.database.transaction():
            assert Player.select().count() == len(TRADERS) + 3


@pytest.fixture
async def game(postgres: Postgres, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Game]:
    async for made in play(postgres, tmp_path, request.config.getoption("--crash-seed", 1)):
        yield made


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FragilePostgres]:
    made = FragilePostgres(tmp_path_factory.mktemp("fragile") / "data")
    yield made
    made.stop()


@pytest.fixture
async def fragile_game(
    fragile: FragilePostgres, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Game]:
    async for made in play(fragile, tmp_path, request.config.getoption("--crash-seed", 1)):
        yield made


@pytest.mark.timeout(0)  # each round has its own
async def test_what_clients_were_told_survives_the_server_being_killed(
    game: Game, request: pytest.FixtureRequest
) -> None:
    async def restart() -> None:
        game.server.kill()
        await game.server.start()

    for number in range(request.config.getoption("--crash-rounds", 6)):
        try:
            await load(game.traders, game.chance.randint(5, 60), restart)
            await until_trading(game.sweeper, *SYMBOLS)
            await check_all(game.here, game.traders, game.sweeper, game.chance)
        except BaseException as error:
            error.add_note(f"in round {number}")
            raise


async def until_every_thread_is_back(client: Client) -> None:
    """Each thread of the server finds out for itself that its connection is gone."""

    async def read() -> None:
        await client.wallet.GetWallet(wallet_pb2.GetWalletRequest())

    await asyncio.gather(*(until(read) for _ in range(100)))


async def test_what_clients_were_told_survives_postgresql_being_killed(
    fragile_game: Game, fragile: FragilePostgres
) -> None:
    game = fragile_game
    for number in range(3):
        try:
            await load(game.traders, game.chance.randint(5, 80), fragile.kill)
            await fragile.start()
            game.here.database.disconnect()
            await until_trading(game.sweeper, *SYMBOLS)
            await until_every_thread_is_back(game.sweeper)
            await check_all(game.here, game.traders, game.sweeper, game.chance)
        except BaseException as error:
            error.add_note(f"in round {number}")
            raise
