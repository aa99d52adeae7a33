"""Feeds, pools and order books side by side, whatever players, prices and the database do."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import peewee as pw
import pytest
from bearpit.client import Client
from bearpit.v1 import market_pb2
from bearpit.v1 import trading_pb2 as pb
from bearpit_server.exchange.dealers import Dealer
from bearpit_server.exchange.rounds import Moved
from bearpit_server.exchange.settlement import Settlement
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage.models import Group, Instrument
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.integration.floor import Steps
from tests.integration.machines import Machine, play
from tests.integration.prices import Time, change, engine, group, instrument, push, step, stopped, till
from tests.orders import BUY, FOK, GTC, IOC, SELL, buy, spec, traded
from tests.postgres import Postgres
from tests.venue import Venue, venue

TYPES = (pb.ORDER_TYPE_LIMIT, pb.ORDER_TYPE_MARKET, pb.ORDER_TYPE_STOP, pb.ORDER_TYPE_STOP_LIMIT)
EXPECTED_REFUSALS = {
    "NOT_FOUND",
    "INSUFFICIENT_FUNDS", "INSUFFICIENT_SHARES", "MARKET_CLOSED", "NOT_IN_AUCTION", "NO_REFERENCE_PRICE",
    "ORDER_NOT_OPEN", "INVALID_FIELD", "NO_PRICE", "INVENTORY_LIMIT", "LIMIT_EXCEEDED", "OFF_TICK",
    "SIZE_OUT_OF_RANGE",
}  # fmt: skip
_numbers = count(1)


async def agree(floor: Venue) -> None:
    """What the desks know is what the database has; between two commands, for books may be built again."""
    await engine(floor).look(lambda: _agree(floor))


def _agree(floor: Venue) -> None:
    for desk in engine(floor).books.desks.values():
        if not isinstance(desk, Dealer):
            continue
        assert (desk.state.till_cents, desk.state.till_shares) == till(floor, desk.symbol)
        with floor.database.transaction():
            row = Instrument.get_by_id(desk.id)
            if not desk.has_pool:
                assert desk.state.price_cents == row.price_cents
            assert desk.group is not None
            kept = Group.get_by_id(desk.group.id)
        assert (desk.group.steps, desk.group.memory) == (kept.steps, kept.memory)
        assert desk.group is engine(floor).pricing.groups[desk.group.id]


@contextmanager
def broken(target: Any, name: str) -> Iterator[None]:
    """The database goes away when it comes to this, once."""
    real, calls = getattr(target, name), count()

    def fail(*given: Any) -> Any:
        if next(calls):
            return real(*given)
        raise pw.OperationalError("the database is gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, name, fail)
        yield
    assert next(calls), "it came to that"


async def test_a_step_that_is_not_committed_has_not_been_made(postgres: Postgres) -> None:
    with stopped() as time:
        async with venue(postgres) as floor:
            await furnish(floor, time)
            ada = await floor.trader(100_000_000)
            stream = aiter(ada.market.StreamBook(market_pb2.StreamBookRequest(symbol="CAT")))
            await anext(stream)
            await step(floor, time)
            await agree(floor)
            time.pass_by(1)
            with broken(Moved, "add_to"), pytest.raises(Refused, match="database"):
                await engine(floor).prices.step()
            await floor.settled()
            await agree(floor)
            await step(floor, time, 0)  # nothing else is due that the fault could hit
            with broken(Moved, "add_to"):
                answer = await push(await floor.operator(), ("GOLD", 10_100, time.now))
                assert answer.refused == {"DATABASE_UNAVAILABLE": 1}
            await floor.settled()
            await agree(floor)
            await step(floor, time)
            assert (await push(await floor.operator(), ("GOLD", 10_100, time.now))).accepted == 1
            await agree(floor)
            assert stream


async def test_a_trade_that_is_not_committed_has_not_moved_a_till(postgres: Postgres) -> None:
    with stopped() as time:
        async with venue(postgres) as floor:
            await furnish(floor, time)
            ada = await floor.trader(100_000_000)
            for symbol in ("GOLD", "CAT"):
                with broken(Settlement, "add_to"):  # the client tries again, by the same request id
                    placed = await floor.place(ada, buy(symbol, 10, 12_000))
                assert placed.order.filled_quantity == 10
                await agree(floor)
            wallet = await floor.wallet(ada)
            assert wallet.held_cents == 0
            assert {position.symbol: position.quantity for position in wallet.positions} == {
                "GOLD": 10,
                "CAT": 10,
            }
            assert till(floor, "GOLD")[1] == -10
            assert till(floor, "CAT")[1] == 490


async def furnish(floor: Venue, time: Time) -> None:
    """One instrument of each kind, the pushed one with a price."""
    await group(floor, "wire", source="pushed", band_bps=0, max_age_ms=86_400_000)
    await group(floor, "sim", seed="bear")
    await group(floor, "eyes", "attention", floor_cents=0)
    await instrument(floor, "GOLD", group="wire")
    await instrument(floor, "IRON", group="sim", tick=5, volatility_bps=1_000, spread_bps=40, inventory=300)
    for symbol in ("CAT", "DOG"):
        await instrument(floor, symbol, "attention", group="eyes", shares=500, cash_cents=5_000_000)
    await instrument(floor, "BOOK", "order_book")
    await floor.open_market()
    await push(await floor.operator(), ("GOLD", 10_000, time.now))
    await step(floor, time, 0)


SYMBOLS = ("GOLD", "IRON", "CAT", "DOG", "BOOK")
DEALT_IN = SYMBOLS[:4]
PRICES = st.integers(60, 150).map(lambda price: price * 100)


class Mixed(Machine):
    """Two players, five instruments, prices that move, a server that restarts."""

    refusals = EXPECTED_REFUSALS
    time: Time

    @initialize()
    def players(self) -> None:
        self.floor.forget_operator()
        self.names = [f"mixed{next(_numbers)}" for _ in range(2)]
        self.clients: list[Client] = []
        for name in self.names:
            self.clients.append(self.run(self.floor.player(name, 3_000_000, BOOK=100)))
        self.orders: list[int] = []
        self.looks: list[Any] = []
        self.restarts = 0

    @rule(
        who=st.integers(0, 1),
        symbol=st.sampled_from(SYMBOLS),
        side=st.sampled_from((BUY, SELL)),
        kind=st.sampled_from(TYPES),
        tif=st.sampled_from((GTC, GTC, IOC, FOK)),
        quantity=st.integers(1, 120),
        price=PRICES,
        stop=PRICES,
    )
    def place(
        self, who: int, symbol: str, side: Any, kind: Any, tif: Any, quantity: int, price: int, stop: int
    ) -> None:
        order = spec(side, symbol, quantity, type=kind, time_in_force=tif)
        if kind in (pb.ORDER_TYPE_LIMIT, pb.ORDER_TYPE_STOP_LIMIT):
            order.price_cents = price
        if kind in (pb.ORDER_TYPE_STOP, pb.ORDER_TYPE_STOP_LIMIT):
            order.stop_price_cents = stop
            order.time_in_force = GTC
        placed = self.attempt(self.floor.place(self.clients[who], order))
        if placed is None:
            return
        self.orders.append(placed.order.order_id)
        for cents, _ in traded(placed.fills):
            if order.price_cents:
                assert cents <= price if side == BUY else cents >= price

    @precondition(lambda self: self.orders)
    @rule(who=st.integers(0, 1), which=st.integers(0, 1_000), price=PRICES, quantity=st.integers(1, 100))
    def amend(self, who: int, which: int, price: int, quantity: int) -> None:
        order_id = self.orders[which % len(self.orders)]
        self.attempt(self.floor.amend(self.clients[who], order_id, price_cents=price, quantity=quantity))

    @precondition(lambda self: self.orders)
    @rule(who=st.integers(0, 1), which=st.integers(0, 1_000))
    def cancel(self, who: int, which: int) -> None:
        self.attempt(self.floor.cancel(self.clients[who], self.orders[which % len(self.orders)]))

    @rule(seconds=st.sampled_from((0.5, 1.0, 3.0)))
    def let_prices_move(self, seconds: float) -> None:
        self.run(step(self.floor, self.time, seconds))

    @rule(price=PRICES)
    def push_a_price(self, price: int) -> None:
        self.time.pass_by(0.001)

        async def pushing() -> int:
            return int((await push(await self.floor.operator(), ("GOLD", price, self.time.now))).accepted)

        assert self.run(pushing()) == 1

    @rule(who=st.integers(0, 1), symbol=st.sampled_from(SYMBOLS))
    def look(self, who: int, symbol: str) -> None:
        request = market_pb2.GetInstrumentRequest(symbol=symbol)
        self.run(self.clients[who].market.GetInstrument(request))

    @rule(symbol=st.sampled_from(("GOLD", "IRON")), spread_bps=st.sampled_from((0, 10, 500)))
    def change_the_spread(self, symbol: str, spread_bps: int) -> None:
        self.run(change(self.floor, symbol, spread_bps=spread_bps))

    @rule(symbol=st.sampled_from(SYMBOLS))
    def halt_for_a_while(self, symbol: str) -> None:
        self.run(self.floor.halt(symbol))
        self.run(step(self.floor, self.time))
        self.run(self.floor.halt(symbol, halted=False))

    @precondition(lambda self: not self.restarts)
    @rule()
    def restart(self) -> None:
        self.restarts += 1
        self.run(self.floor.settled())
        before = [(symbol, self.run(self.floor.quote(symbol)).last_cents) for symbol in DEALT_IN]
        steps = engine(self.floor).pricing.groups.keys()
        self.steps.restart()
        self.clients = [self.run(self.floor.sign_in(name)) for name in self.names]
        self.run(self.floor.settled())
        assert engine(self.floor).pricing.groups.keys() == steps
        after = [(symbol, self.run(self.floor.quote(symbol)).last_cents) for symbol in ("GOLD", "CAT", "DOG")]
        assert after == [pair for pair in before if pair[0] != "IRON"]

    @invariant()
    def desks_and_database_agree(self) -> None:
        if hasattr(self, "clients"):
            self.run(self.floor.settled())
            self.run(agree(self.floor))
            assert self.floor.rows("SELECT asset FROM accounts GROUP BY 1 HAVING sum(balance) <> 0") == []

    def teardown(self) -> None:
        if hasattr(self, "clients"):
            self.floor.prove()


@pytest.mark.timeout(240)
def test_whatever_happens_every_proof_holds(postgres: Postgres) -> None:
    with stopped() as time, Steps(postgres).opened() as steps:
        steps.run(furnish(steps.floor, time))

        play(Mixed, steps, 8, time=time)
