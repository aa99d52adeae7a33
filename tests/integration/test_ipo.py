"""The first sale: the treasury's shares at one price, first come first served, never oversold."""

import asyncio

import pytest
from bearpit.client import BearpitError
from bearpit.v1 import admin_pb2, market_pb2

from tests.integration.floor import SHARED, Steps
from tests.orders import CLOSED, IOC, OPEN, buy, sell, traded
from tests.postgres import Postgres
from tests.venue import Venue


async def offer(floor: Venue, symbol: str, price: int, quantity: int) -> None:
    operator = await floor.operator()
    request = admin_pb2.OpenIpoRequest(symbol=symbol, price_cents=price, quantity=quantity)
    await operator.admin.OpenIpo(request)
    await floor.settled()


async def remaining(floor: Venue, symbol: str) -> tuple[int, int]:
    """Shares that there are, and shares left of the IPO."""
    operator = await floor.operator()
    found = (await operator.market.GetInstrument(market_pb2.GetInstrumentRequest(symbol=symbol))).instrument
    return found.shares_issued, found.ipo.remaining


def treasury_cash(floor: Venue) -> int:
    (row,) = floor.rows("SELECT balance FROM accounts WHERE owner_id = 0 AND asset = 0 AND kind = 'treasury'")
    return int(row[0])


@SHARED
async def test_fifty_buyers_at_once_are_never_sold_more_than_there_is(floor: Venue) -> None:
    symbol = await floor.instrument()
    await floor.operator()
    buyers = await asyncio.gather(*(floor.trader(cash_cents=10_000) for _ in range(50)))
    before = treasury_cash(floor)
    await offer(floor, symbol, 100, 120)
    placed = await asyncio.gather(
        *(floor.place(one, buy(symbol, 3, 100, time_in_force=IOC)) for one in buyers)
    )
    filled = [answer.order.filled_quantity for answer in placed]
    assert sorted(filled) == [0] * 10 + [3] * 40
    accepted = sorted(placed, key=lambda answer: answer.order.order_id)
    assert [answer.order.filled_quantity for answer in accepted] == [3] * 40 + [
        0
    ] * 10  # first come, first served
    assert treasury_cash(floor) - before == 120 * 100
    assert await remaining(floor, symbol) == (120, 0)


@SHARED
async def test_market_and_limit_orders_both_reach_it(floor: Venue) -> None:
    symbol = await floor.instrument(fee_bps=10)
    await offer(floor, symbol, 100, 30)
    assert await floor.book(symbol) == ([], [(100, 30)])
    buyer = await floor.trader()
    assert traded((await floor.place(buyer, buy(symbol, 10))).fills) == [(100, 10)]
    assert traded((await floor.place(buyer, buy(symbol, 10, 150))).fills) == [(100, 10)]
    assert await remaining(floor, symbol) == (30, 10)
    (position,) = (await floor.wallet(buyer)).positions
    assert (position.quantity, position.cost_cents) == (20, 2_000 + 2)


@SHARED
async def test_when_it_is_gone_the_price_is_free(floor: Venue) -> None:
    symbol = await floor.instrument()
    await offer(floor, symbol, 100, 10)
    first, second = await floor.trader(), await floor.trader()
    await floor.place(first, buy(symbol, 10, 100))
    assert await floor.book(symbol) == ([], [])
    await floor.place(first, sell(symbol, 10, 250))
    assert traded((await floor.place(second, buy(symbol, 10, 300))).fills) == [(250, 10)]


@SHARED
async def test_there_is_one_ipo_for_each_instrument(floor: Venue) -> None:
    symbol = await floor.instrument()
    await offer(floor, symbol, 100, 10)
    with pytest.raises(BearpitError) as refused:
        await offer(floor, symbol, 100, 10)
    assert refused.value.reason == "ALREADY_EXISTS"
    assert await remaining(floor, symbol) == (10, 10)


@SHARED
async def test_one_opened_while_the_market_is_closed_sells_when_it_opens(floor: Venue) -> None:
    symbol = await floor.instrument()
    await floor.set_market(CLOSED)
    await offer(floor, symbol, 100, 10)
    await floor.set_market(OPEN)
    buyer = await floor.trader()
    assert traded((await floor.place(buyer, buy(symbol, 20, 100))).fills) == [(100, 10)]


@SHARED
@pytest.mark.parametrize("market", [OPEN, CLOSED])
async def test_an_operator_cannot_cancel_its_order_and_it_goes_on(
    floor: Venue, market: admin_pb2.MarketOverride
) -> None:
    symbol = await floor.instrument()
    await floor.set_market(market)
    await offer(floor, symbol, 100, 30)
    operator = await floor.operator()
    wanted = admin_pb2.ListPlayerOrdersRequest(symbol=symbol)
    [order] = (await operator.admin.ListPlayerOrders(wanted)).orders
    for rehearsed in (True, False):
        with pytest.raises(BearpitError) as refused:
            await operator.admin.CancelPlayerOrder(
                admin_pb2.CancelPlayerOrderRequest(order_id=order.order_id, validate_only=rehearsed)
            )
        assert (refused.value.reason, refused.value.field) == ("INVALID_FIELD", "order_id")
        assert f"`bearpit-admin market halt {symbol}`" in refused.value.message
    assert (await operator.admin.ListPlayerOrders(wanted)).orders == [order]
    await floor.set_market(OPEN)
    buyer = await floor.trader()
    assert traded((await floor.place(buyer, buy(symbol, 20, 100))).fills) == [(100, 20)]
    assert await remaining(floor, symbol) == (30, 10)
    floor.prove()


@SHARED
async def test_cancelling_its_order_when_all_is_sold_says_that_it_has_ended(floor: Venue) -> None:
    symbol = await floor.instrument()
    await offer(floor, symbol, 100, 10)
    await floor.place(await floor.trader(), buy(symbol, 10, 100))
    operator = await floor.operator()
    [sold] = floor.rows(f"SELECT ipo_order_id FROM instruments WHERE symbol = '{symbol}'")
    for rehearsed in (True, False):
        with pytest.raises(BearpitError) as refused:
            await operator.admin.CancelPlayerOrder(
                admin_pb2.CancelPlayerOrderRequest(order_id=sold[0], validate_only=rehearsed)
            )
        assert refused.value.reason == "ORDER_NOT_OPEN"


def test_it_goes_on_after_a_restart_where_it_was(postgres: Postgres) -> None:
    with Steps(postgres).opened() as steps:

        async def begin() -> None:
            await steps.floor.list_instrument("NEWCO")
            await offer(steps.floor, "NEWCO", 100, 30)
            buyer = await steps.floor.player("early")
            await steps.floor.place(buyer, buy("NEWCO", 10, 100))

        async def go_on() -> list[tuple[int, int]]:
            assert await steps.floor.book("NEWCO") == ([], [(100, 20)])
            buyer = await steps.floor.player("late")
            return traded((await steps.floor.place(buyer, buy("NEWCO", 30, 100))).fills)

        steps.run(begin())
        for _ in range(2):
            steps.restart()
        assert steps.run(go_on()) == [(100, 20)]
        assert steps.run(remaining(steps.floor, "NEWCO")) == (30, 0)
        assert treasury_cash(steps.floor) == 3_000
