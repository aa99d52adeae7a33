"""What an instrument and the game's settings allow of an order."""

import pytest
from bearpit.client import BearpitError
from bearpit.v1 import trading_pb2 as pb

from tests.integration.floor import SHARED
from tests.orders import buy, reason_of, sell, traded
from tests.venue import Venue

pytestmark = [SHARED, pytest.mark.usefixtures("ordinary")]


async def test_prices_and_sizes_keep_to_the_instruments_steps(floor: Venue) -> None:
    symbol = await floor.instrument(tick_cents=5, lot=10, min_quantity=20, max_quantity=100)
    buyer = await floor.trader()
    for spec, reason in (
        (buy(symbol, 20, 101), "OFF_TICK"),
        (buy(symbol, 25, 100), "OFF_LOT"),
        (buy(symbol, 10, 100), "SIZE_OUT_OF_RANGE"),
        (buy(symbol, 110, 100), "SIZE_OUT_OF_RANGE"),
        (buy(symbol, 0, 100), "SIZE_OUT_OF_RANGE"),
        (buy(symbol, -20, 100), "SIZE_OUT_OF_RANGE"),
        (buy(symbol, 2**63 - 1, 100), "SIZE_OUT_OF_RANGE"),
        (buy(symbol, -(2**63), 100), "SIZE_OUT_OF_RANGE"),
        (buy(symbol, 20, -100), "INVALID_FIELD"),
        (buy(symbol, 20, 2**63 - 1), "INVALID_FIELD"),
        (buy(symbol, 20, -(2**63)), "INVALID_FIELD"),
        (buy(symbol, 20, 10**9 + 5), "INVALID_FIELD"),
    ):
        await floor.refused(buyer, spec, reason)
    await floor.place(buyer, buy(symbol, 20, 100))
    await floor.place(buyer, buy(symbol, 100, 5))


async def test_the_largest_order_of_all_is_refused_for_its_funds_and_not_for_its_size(floor: Venue) -> None:
    symbol = await floor.instrument(fee_bps=1_000, max_quantity=10**9)
    rich = await floor.trader(cash_cents=10**15)
    error = await floor.refused(rich, buy(symbol, 10**9, 10**9), "INSUFFICIENT_FUNDS")
    assert error.metadata["needed_cents"] == str(10**18 + 10**17)


async def test_a_price_outside_the_band_is_refused_and_nothing_trades_there(floor: Venue) -> None:
    symbol = await floor.instrument(band_bps=1_000, reference_price_cents=1_000)
    trader = await floor.trader(**{symbol: 100})
    error = await floor.refused(trader, buy(symbol, 1, 1_101), "PRICE_OUT_OF_BAND")
    assert (error.metadata["lower_cents"], error.metadata["upper_cents"]) == ("900", "1100")
    await floor.refused(trader, sell(symbol, 1, 899), "PRICE_OUT_OF_BAND")
    order_id = (await floor.place(trader, buy(symbol, 1, 900))).order.order_id
    with pytest.raises(BearpitError) as refused:
        await floor.amend(trader, order_id, price_cents=899)
    assert refused.value.reason == "PRICE_OUT_OF_BAND"
    await floor.place(trader, sell(symbol, 1, 1_100))
    bought = await floor.place(await floor.trader(), buy(symbol, 2))
    assert traded(bought.fills) == [(1_100, 1)]


async def test_a_player_has_no_more_open_orders_than_the_game_allows(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    await floor.settings(max_open_orders=3)
    orders = [(await floor.place(buyer, buy(symbol, 1, 100))).order.order_id for _ in range(3)]
    error = await floor.refused(buyer, buy(symbol, 1, 100), "LIMIT_EXCEEDED")
    assert (error.metadata["limit"], error.metadata["allowed"]) == ("max_open_orders", "3")
    await floor.cancel(buyer, orders[0])
    requests = [pb.PlaceOrderRequest(order=buy(symbol, 1, 100)) for _ in range(3)]
    results = (await buyer.trading.PlaceOrders(pb.PlaceOrdersRequest(orders=requests))).results
    assert [result.HasField("placed") for result in results] == [True, False, False]


async def test_an_order_is_worth_no_more_than_the_game_allows(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    await floor.settings(max_order_value_cents=1_000)
    await floor.refused(buyer, buy(symbol, 11, 100), "LIMIT_EXCEEDED")
    order_id = (await floor.place(buyer, buy(symbol, 10, 100))).order.order_id
    for terms in ({"quantity": 11}, {"price_cents": 101}):
        with pytest.raises(BearpitError) as refused:
            await floor.amend(buyer, order_id, **terms)
        assert refused.value.reason == "LIMIT_EXCEEDED"
    await floor.amend(buyer, order_id, quantity=9)


async def test_the_days_orders_are_counted(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer, neighbour = await floor.trader(), await floor.trader()
    await floor.settings(max_day_orders=2)
    order_id = (await floor.place(buyer, buy(symbol, 1, 100))).order.order_id
    await floor.cancel(buyer, order_id)
    await floor.refused(
        buyer, buy(symbol, 2_000_000, 100), "SIZE_OUT_OF_RANGE"
    )  # what is refused does not count
    await floor.place(buyer, buy(symbol, 1, 100))
    error = await floor.refused(buyer, buy(symbol, 1, 100), "LIMIT_EXCEEDED")
    assert (error.metadata["limit"], error.metadata["used"]) == ("max_day_orders", "2")
    await floor.place(neighbour, buy(symbol, 1, 100))


async def test_what_the_days_orders_are_worth_is_counted(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    await floor.settings(max_day_value_cents=1_000)
    await floor.place(buyer, buy(symbol, 6, 100))
    error = await floor.refused(buyer, buy(symbol, 5, 100), "LIMIT_EXCEEDED")
    assert (error.metadata["limit"], error.metadata["used"]) == ("max_day_value_cents", "600")
    await floor.place(buyer, buy(symbol, 4, 100))
    assert [reason_of(r) for r in (await floor.preview(buyer, buy(symbol, 1, 100))).refusals] == [
        "LIMIT_EXCEEDED"
    ]


async def test_what_an_amendment_adds_counts_towards_the_day(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader(cash_cents=700)
    await floor.settings(max_day_value_cents=1_000)
    order_id = (await floor.place(buyer, buy(symbol, 6, 100))).order.order_id
    with pytest.raises(BearpitError) as refused:
        await floor.amend(buyer, order_id, quantity=8)
    assert refused.value.reason == "INSUFFICIENT_FUNDS", "what was refused is not counted"
    await floor.amend(buyer, order_id, quantity=5)
    await floor.amend(buyer, order_id, quantity=7)
    with pytest.raises(BearpitError) as refused:
        await floor.amend(buyer, order_id, quantity=10)
    assert (refused.value.reason, refused.value.metadata["used"]) == ("LIMIT_EXCEEDED", "800")


async def test_the_days_count_never_overflows(floor: Venue) -> None:
    symbol = await floor.instrument(max_quantity=10**9)
    seller = await floor.trader(**{symbol: 10**9})
    await floor.settings(max_day_orders=100)
    for _ in range(11):
        await floor.place(seller, sell(symbol, 10**9, 10**9))
        await seller.cancel_all()


async def test_the_protection_of_market_orders_can_be_set(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(**{symbol: 20}), await floor.trader()
    await floor.settings(protection_bps=100)
    for price in (1_000, 1_011):
        await floor.place(seller, sell(symbol, 10, price))
    assert traded((await floor.place(buyer, buy(symbol, 20))).fills) == [(1_000, 10)]
