"""A server that starts again has the books it had, and executes what was accepted and not executed."""

import asyncio
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from bearpit.client import BearpitError, Client
from bearpit.v1 import admin_pb2
from bearpit.v1 import trading_pb2 as pb
from bearpit_server.events.log import Origin
from bearpit_server.exchange.commands import Placed
from bearpit_server.exchange.exchange import Ask
from bearpit_server.exchange.matcher import Matcher
from bearpit_server.exchange.settlement import Settlement
from bearpit_server.rules.limits import Wish
from bearpit_server.rules.orders import EndReason, OrderStatus, OrderType, Side, TimeInForce
from bearpit_server.storage import clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Account, Market, Order, Player, Trade
from bearpit_server.storage.requests import body_hash

from tests.venue import ON_DEMAND, Venue, prepare, prove, serving

BUY, SELL = pb.SIDE_BUY, pb.SIDE_SELL
MARKET = {
    "open": admin_pb2.MARKET_OVERRIDE_OPEN,
    "pre-open": admin_pb2.MARKET_OVERRIDE_PRE_OPEN,
    "closed": admin_pb2.MARKET_OVERRIDE_CLOSED,
}


@pytest.fixture
def database(database: Database) -> Iterator[Database]:
    prepare(database, **ON_DEMAND)
    yield database
    prove(database)


def digests(venue: Venue) -> dict[str, str]:
    desks = venue.running.exchange._books.desks.values()
    return {desk.symbol: f"{desk.phase} {desk.book.digest()}" for desk in desks}


def spec(side: pb.Side, quantity: int, price: int, **more: object) -> pb.OrderSpec:
    terms: dict[str, object] = {"symbol": "ACME", "type": pb.ORDER_TYPE_LIMIT} | more
    return pb.OrderSpec(side=side, quantity=quantity, price_cents=price, **terms)  # type: ignore[arg-type]


async def trade_at_random(client: Client, chance: random.Random, number: int) -> None:
    """Orders of all kinds, amends and cancels; what is refused is refused."""
    mine: list[int] = []
    for _ in range(number):
        kind, price = chance.random(), chance.randint(95, 105)
        side = chance.choice((BUY, SELL))
        try:
            if kind < 0.15 and mine:
                await client.trading.CancelOrder(pb.CancelOrderRequest(order_id=chance.choice(mine)))
            elif kind < 0.4 and mine:
                amend = pb.AmendOrderRequest(order_id=chance.choice(mine))
                if chance.random() < 0.6:
                    amend.quantity = chance.randint(1, 20)
                if chance.random() < 0.6:
                    amend.price_cents = price
                await client.trading.AmendOrder(amend)
            else:
                more: dict[str, object] = {"symbol": chance.choice(("ACME", "BOLT"))}
                if kind < 0.6:
                    more |= {"type": pb.ORDER_TYPE_STOP_LIMIT, "stop_price_cents": chance.randint(95, 105)}
                elif kind < 0.7:
                    more["post_only"] = True
                elif kind < 0.8:
                    more["time_in_force"] = pb.TIME_IN_FORCE_DAY
                elif kind < 0.85:
                    more |= {"type": pb.ORDER_TYPE_STOP, "stop_price_cents": chance.randint(95, 105)}
                order = spec(side, chance.randint(1, 20), price, **more)
                answer = await client.trading.PlaceOrder(pb.PlaceOrderRequest(order=order))
                mine.append(answer.order.order_id)
        except BearpitError as error:
            if error.code.name not in ("FAILED_PRECONDITION", "INVALID_ARGUMENT"):
                raise


@pytest.mark.parametrize("seed", range(3))
async def test_the_books_are_the_same_after_a_restart(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    async with serving(database) as venue:
        for symbol in ("ACME", "BOLT"):
            await venue.list_instrument(symbol, fee_bps=25, reference_price_cents=100)
        await venue.open_market()
        for name in ("ada", "bob", "cyd"):
            await venue.player(name, 10_000_000, ACME=10_000, BOLT=10_000)
    for phase in ("open", "pre-open", "halt", "open"):
        async with serving(database) as venue:
            await venue.set_market(MARKET.get(phase, admin_pb2.MARKET_OVERRIDE_OPEN))
            clients = [await venue.sign_in(name) for name in ("ada", "bob", "cyd")]
            seeds = [random.Random(chance.random()) for _ in clients]
            await asyncio.gather(*(trade_at_random(*pair, 40) for pair in zip(clients, seeds, strict=True)))
            if phase == "halt":
                operator = await venue.operator()
                await operator.admin.SetHalt(admin_pb2.SetHaltRequest(symbol="BOLT", halted=True))
            await venue.settled()
            before = digests(venue)
        async with serving(database) as venue:
            assert digests(venue) == before


# DAY orders


@pytest.fixture
def time() -> Iterator[Callable[[datetime], None]]:
    """Set the clock."""
    yield lambda at: clock.use(lambda: at)
    clock.use(None)


async def accept(venue: Venue, player: str, wish: Wish, request_id: str) -> int:
    """Place an order in the house itself: no token runs out when the clock jumps."""
    owner = Player.get(Player.name == player).id
    ask = Ask("ACME", wish, request_id, body_hash(request_id.encode()))
    (result,) = await venue.running.exchange.place(owner, [ask], Origin(owner))
    assert isinstance(result, Placed), result
    return result.order.order_id


def rows(database: Database) -> dict[str, Order]:
    with database.transaction():
        return {row.request_id: row for row in Order.select()}


async def test_day_orders_expire_over_a_close_that_was_missed(
    database: Database, time: Callable[[datetime], None]
) -> None:
    async with serving(database) as venue:
        await venue.list_instrument("ACME")
        await venue.player("ada", 100_000)
    hours = {"days": [1, 2, 3, 4, 5], "opens": "09:00", "closes": "17:00", "pre_open_minutes": 0}
    with database.transaction():
        Market.update(schedule=hours | {"time_zone": "UTC"}).execute()
    monday = datetime(2036, 3, 3, 12, 0, tzinfo=UTC)
    time(monday)
    async with serving(database) as venue:
        await venue.settled()
        for name, tif in (("day", TimeInForce.DAY), ("gtc", TimeInForce.GTC)):
            await accept(venue, "ada", Wish(Side.BUY, OrderType.LIMIT, tif, 10, 100), name)
    time(monday + timedelta(hours=2))
    async with serving(database) as venue:
        await venue.settled()
        assert rows(database)["day"].status <= OrderStatus.WORKING, "the session still goes on"
    time(monday + timedelta(days=1))
    async with serving(database) as venue:
        await venue.settled()
        found = rows(database)
        assert (found["day"].status, found["day"].end_reason) == (OrderStatus.EXPIRED, EndReason.DAY_ENDED)
        assert found["gtc"].status <= OrderStatus.WORKING
        cash = Account.get((Account.owner == found["day"].player_id) & (Account.asset == 0))
        assert cash.held == 1_000, "only the other one holds"


async def test_orders_of_whoever_was_disabled_are_ended_when_the_server_starts(database: Database) -> None:
    async with serving(database) as venue:
        await venue.list_instrument("ACME")
        await venue.open_market()
        ada, bob = await venue.player("ada"), await venue.player("bob")
        for client in (ada, bob):
            await venue.place(client, spec(BUY, 10, 100))
    # The server died between disabling and cancelling.
    Player.update(disabled=True).where(Player.name == "ada").execute()
    async with serving(database) as venue:
        await venue.settled()
        ended, open_ = Order.select().order_by(Order.id)
        assert (ended.status, ended.end_reason, ended.held) == (OrderStatus.CANCELLED, EndReason.DISABLED, 0)
        assert (open_.status <= OrderStatus.WORKING, open_.held) == (True, 1_000)


# Accepted, and not executed


async def test_orders_that_were_accepted_and_not_executed_are_executed_once_in_their_order(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(database) as venue:
        await venue.list_instrument("ACME")
        await venue.open_market()
        await venue.player("ada", 1_000_000)
        await venue.player("bob", 1_000_000)
        await venue.player("cyd", 0, ACME=100)
    async with serving(database) as venue:
        await venue.settled()
        resting = await accept(venue, "ada", limit(Side.BUY, 10, 100), "resting")
        # What is accepted from here on is left to a round that never comes, as if the power failed.
        monkeypatch.setattr(Settlement, "covers", lambda settlement, outcomes: False)
        monkeypatch.setattr(Matcher, "_settle", lambda matcher, following: None)
        placing = []
        for name, player, wish in (
            ("same price", "bob", limit(Side.BUY, 10, 100)),
            ("worse price", "bob", limit(Side.BUY, 10, 99)),
            ("taker", "cyd", limit(Side.SELL, 15, 99)),
            ("at once", "cyd", limit(Side.SELL, 20, 99, TimeInForce.IOC)),
        ):
            placing.append(asyncio.ensure_future(accept(venue, player, wish, name)))
            async with asyncio.timeout(10):
                while name not in rows(database):  # noqa: ASYNC110 - nobody tells of it
                    await asyncio.sleep(0.01)
        for task in placing:
            task.cancel()
        await asyncio.gather(*placing, return_exceptions=True)
        assert not Trade.select().count()
        monkeypatch.undo()
    for _ in range(2):  # the second start finds nothing left to do
        async with serving(database) as venue:
            await venue.settled()
            found = rows(database)
            trades = Trade.select().order_by(Trade.id)
            assert [(trade.buy_order_id, trade.quantity, trade.price_cents) for trade in trades] == [
                (resting, 10, 100),
                (found["same price"].id, 5, 100),
                (found["same price"].id, 5, 100),
                (found["worse price"].id, 10, 99),
            ]
            assert found["taker"].status == OrderStatus.FILLED
            at_once = found["at once"]
            assert (at_once.status, at_once.filled, at_once.held) == (OrderStatus.CANCELLED, 15, 0)


def limit(side: Side, quantity: int, price: int, tif: TimeInForce = TimeInForce.GTC) -> Wish:
    return Wish(side, OrderType.LIMIT, tif, quantity, price)
