"""Players do as they please; nothing is made or lost, and what was told is what is there."""

from collections import defaultdict
from itertools import count
from typing import Any, TypeVar

import pytest
from bearpit.client import Client
from bearpit.v1 import admin_pb2
from bearpit.v1 import trading_pb2 as pb
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.integration.floor import Steps
from tests.integration.machines import Machine, play
from tests.orders import BUY, CLOSED, FILLED, OPEN, PRE_OPEN

T = TypeVar("T")

CASH = 15_000
SHARES = 200
EXPECTED_REFUSALS = {
    "INSUFFICIENT_FUNDS",
    "INSUFFICIENT_SHARES",
    "MARKET_CLOSED",
    "NOT_IN_AUCTION",
    "NO_REFERENCE_PRICE",
    "ORDER_NOT_OPEN",
    "INVALID_FIELD",
    "PRICE_OUT_OF_BAND",
    "TRANSFER_TO_SELF",
    "LIMIT_EXCEEDED",
    "PLAYER_DISABLED",
    "IN_DEBT",
}
MOST_RESTARTS = 25
"""Each leaves the connections of its writers' threads open until the database is closed."""
_numbers = count(1)


class Trader:
    """A player, and what the answers to its calls come to."""

    def __init__(self, name: str, symbols: list[str]) -> None:
        self.name = name
        self.client: Client
        self.orders: list[int] = []
        self.cash = CASH
        """Less what is owed."""
        self.shares = dict.fromkeys(symbols, SHARES)
        self.seen: set[tuple[int, int]] = set()

    def told(self, fills: Any) -> None:
        """Count fills, each once: takers are told at once, makers find theirs in the list."""
        for fill in fills:
            if (fill.trade_id, fill.order_id) in self.seen:
                continue
            self.seen.add((fill.trade_id, fill.order_id))
            sign = 1 if fill.side == BUY else -1
            self.shares[fill.symbol] += sign * fill.quantity
            self.cash -= sign * fill.price_cents * fill.quantity + fill.fee_cents


class Economy(Machine):
    """Three players, two instruments, an IPO, a market that opens and closes, a server that restarts."""

    refusals = EXPECTED_REFUSALS
    all_restarts = 0

    @initialize(fee_bps=st.sampled_from([0, 7, 100]))
    def begin(self, fee_bps: int) -> None:
        async def furnish() -> None:
            await self.floor.set_market(OPEN)
            self.symbols = [f"E{next(_numbers)}" for _ in range(2)]
            for symbol in self.symbols:
                await self.floor.list_instrument(symbol, fee_bps=fee_bps)
            await self.floor.settled()
            self.traders = [Trader(f"economist{next(_numbers)}", self.symbols) for _ in range(3)]
            for trader in self.traders:
                await self.floor.player(trader.name, CASH, **dict.fromkeys(self.symbols, SHARES))
            await self.sign_in()

        self.phase = OPEN
        self.has_ipo = False
        self.restarts = 0
        self.run(furnish())

    async def sign_in(self) -> None:
        for trader in self.traders:
            trader.client = await self.floor.sign_in(trader.name)

    traders_ = st.integers(0, 2)
    symbols_ = st.integers(0, 1)
    quantities = st.integers(1, 60)
    prices = st.integers(90, 110)

    @rule(
        who=traders_, which=symbols_, side=st.sampled_from([1, 2]), quantity=quantities, price=prices,
        type_=st.sampled_from([2, 2, 2, 2, 1, 3, 4]), time=st.sampled_from([1, 1, 1, 2, 3, 4]),
        stop=prices, post_only=st.integers(0, 9), self_trade=st.integers(0, 4),
    )  # fmt: skip
    def place(self, who: int, which: int, **terms: Any) -> None:
        trader = self.traders[who]
        spec = self.spec(which, **terms)
        placed = self.attempt(self.floor.place(trader.client, spec))
        if placed is not None:
            self.check_placed(trader, placed)

    def spec(
        self, which: int, side: Any, quantity: int, price: int, type_: Any, time: Any, stop: int,
        post_only: int, self_trade: Any,
    ) -> pb.OrderSpec:  # fmt: skip
        return pb.OrderSpec(
            symbol=self.symbols[which], side=side, type=type_, quantity=quantity,
            price_cents=0 if type_ in (1, 3) else price, stop_price_cents=stop if type_ > 2 else 0,
            time_in_force=time, post_only=not post_only, self_trade=self_trade,
        )  # fmt: skip

    def check_placed(self, trader: Trader, placed: pb.PlaceOrderResponse) -> None:
        order = placed.order
        trader.orders.append(order.order_id)
        assert order.filled_quantity == sum(fill.quantity for fill in placed.fills)
        assert order.fee_cents == sum(fill.fee_cents for fill in placed.fills)
        for fill in placed.fills:
            better = fill.price_cents <= order.spec.price_cents
            assert better if order.spec.side == BUY else fill.price_cents >= order.spec.price_cents
        trader.told(placed.fills)

    @rule(
        who=traders_,
        orders=st.lists(
            st.tuples(symbols_, st.sampled_from([1, 2]), quantities, prices), min_size=2, max_size=6
        ),
    )
    def place_many(self, who: int, orders: list[tuple[int, Any, int, int]]) -> None:
        trader = self.traders[who]
        requests = [
            pb.PlaceOrderRequest(
                order=pb.OrderSpec(
                    symbol=self.symbols[which], side=side, quantity=quantity, price_cents=price
                )
            )
            for which, side, quantity, price in orders
        ]
        answer = self.run(trader.client.trading.PlaceOrders(pb.PlaceOrdersRequest(orders=requests)))
        assert len(answer.results) == len(orders)
        for result in answer.results:
            if result.HasField("placed"):
                self.check_placed(trader, result.placed)

    @precondition(lambda self: any(trader.orders for trader in self.traders))
    @rule(who=traders_, pick=st.integers(0, 1_000))
    def cancel(self, who: int, pick: int) -> None:
        if order_id := self.pick(who, pick):
            cancelled = self.attempt(self.floor.cancel(self.traders[who].client, order_id))
            assert cancelled is None or (cancelled.held, cancelled.remaining_quantity) == (0, 0)

    @rule(who=traders_)
    def cancel_all(self, who: int) -> None:
        self.run(self.traders[who].client.cancel_all())
        assert self.run(self.floor.wallet(self.traders[who].client)).held_cents == 0

    @rule(
        who=traders_,
        pick=st.integers(0, 1_000),
        quantity=st.integers(0, 80),
        price=st.one_of(st.just(0), prices),
    )
    def amend(self, who: int, pick: int, quantity: int, price: int) -> None:
        if order_id := self.pick(who, pick):
            trader = self.traders[who]
            amended = self.attempt(
                self.floor.amend(trader.client, order_id, quantity=quantity, price_cents=price)
            )
            if amended is not None:
                trader.told(amended.fills)

    def pick(self, who: int, pick: int) -> int:
        orders = self.traders[who].orders[-8:]
        return orders[pick % len(orders)] if orders else 0

    @rule(who=traders_, to=traders_, cents=st.integers(1, 50_000))
    def transfer(self, who: int, to: int, cents: int) -> None:
        sender, receiver = self.traders[who], self.traders[to]
        if self.attempt(self.floor.transfer(sender.client, receiver.name, cents)):
            sender.cash -= cents
            receiver.cash += cents

    @rule(who=traders_, cents=st.sampled_from([0, 0, 5_000, 1_000_000]))
    def set_credit(self, who: int, cents: int) -> None:
        name = self.traders[who].name
        request = admin_pb2.SetCreditRequest(name=name, credit_cents=cents, reason="for the fuzz")

        async def lend() -> None:
            await (await self.floor.operator()).admin.SetCredit(request)

        self.run(lend())

    @rule(who=traders_, cents=st.integers(0, 30_000))
    def set_debt(self, who: int, cents: int) -> None:
        trader = self.traders[who]
        request = admin_pb2.SetDebtRequest(name=trader.name, debt_cents=cents, reason="for the fuzz")

        async def owe() -> admin_pb2.SetDebtResponse:
            return await (await self.floor.operator()).admin.SetDebt(request)

        trader.cash -= cents - self.run(owe()).before_cents

    @rule(phase=st.sampled_from([OPEN, OPEN, PRE_OPEN, CLOSED]))
    def change_phase(self, phase: Any) -> None:
        self.run(self.floor.set_market(phase))

    @rule(which=symbols_, halted=st.booleans())
    def halt(self, which: int, halted: bool) -> None:
        self.run(self.floor.halt(self.symbols[which], halted))

    @precondition(lambda self: not self.has_ipo)
    @rule(price=prices, quantity=st.integers(1, 100))
    def open_ipo(self, price: int, quantity: int) -> None:
        self.has_ipo = True
        request = admin_pb2.OpenIpoRequest(symbol=self.symbols[0], price_cents=price, quantity=quantity)

        async def offer() -> None:
            await (await self.floor.operator()).admin.OpenIpo(request)

        self.run(offer())

    @rule(who=traders_, disabled=st.booleans())
    def disable_and_enable(self, who: int, disabled: bool) -> None:
        """Disabling signs out and cancels; enabled again at once, the player comes back."""

        async def both() -> None:
            operator = await self.floor.operator()
            name = self.traders[who].name
            for state in (True, False) if disabled else (False,):
                request = admin_pb2.SetPlayerDisabledRequest(name=name, disabled=state)
                await operator.admin.SetPlayerDisabled(request)
            self.traders[who].client = await self.floor.sign_in(name)

        self.run(both())
        if disabled:
            assert self.run(self.floor.wallet(self.traders[who].client)).held_cents == 0

    @precondition(lambda self: self.restarts < 2)
    @rule()
    def restart(self) -> None:
        before = [self.run(self.floor.book(symbol)) for symbol in self.symbols]
        self.restarts += 1
        Economy.all_restarts += 1
        if Economy.all_restarts > MOST_RESTARTS:
            return
        self.steps.restart()
        self.run(self.sign_in())
        assert [self.run(self.floor.book(symbol)) for symbol in self.symbols] == before

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        if hasattr(self, "traders"):
            assert self.floor.balances_off_zero() == []

    @invariant()
    def what_was_told_is_what_is_there(self) -> None:
        if not hasattr(self, "traders"):
            return
        for trader in self.traders:
            trader.told(self.run(self.floor.fills(trader.client)))
            wallet = self.run(self.floor.wallet(trader.client))
            has = {position.symbol: position.quantity for position in wallet.positions}
            assert wallet.cash_cents - wallet.debt_cents == trader.cash
            assert {symbol: has.get(symbol, 0) for symbol in self.symbols} == trader.shares
            held: dict[str, int] = defaultdict(int)
            for order in self.open_orders(trader):
                assert order.status != FILLED
                assert 0 < order.remaining_quantity == order.spec.quantity - order.filled_quantity
                held["" if order.spec.side == BUY else order.spec.symbol] += order.held
            assert wallet.held_cents == held[""]
            assert {p.symbol: p.held for p in wallet.positions if p.held} == {
                s: n for s, n in held.items() if s and n
            }

    def open_orders(self, trader: Trader) -> list[pb.Order]:
        request = pb.ListOrdersRequest(open_only=True, page_size=1000)
        return list(self.run(trader.client.trading.ListOrders(request)).orders)

    def teardown(self) -> None:
        if hasattr(self, "traders"):
            self.floor.prove()


@pytest.mark.timeout(240)
def test_whatever_players_do_nothing_is_made_or_lost(steps: Steps) -> None:
    play(Economy, steps, 6)
