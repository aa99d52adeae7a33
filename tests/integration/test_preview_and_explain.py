"""What an order would do is what it does; why one has not filled is what stands in its way."""

from typing import Any

import pytest
from bearpit.v1 import admin_pb2
from bearpit.v1 import trading_pb2 as pb

from tests.integration.floor import SHARED
from tests.orders import CLOSED, FOK, IOC, OPEN, PRE_OPEN, buy, reason_of, sell, traded
from tests.venue import Venue

pytestmark = [SHARED, pytest.mark.usefixtures("ordinary")]

OBSTACLE = pb.ExplainOrderResponse
STOP, STOP_LIMIT, MARKET = pb.ORDER_TYPE_STOP, pb.ORDER_TYPE_STOP_LIMIT, pb.ORDER_TYPE_MARKET
SALES: list[dict[str, Any]] = [
    {"quantity": 5, "price": 90},
    {"quantity": 25, "price": 90},
    {"quantity": 25},
    {"quantity": 25, "price": 99, "time_in_force": IOC},
    {"quantity": 5, "price": 99, "post_only": True},
    {"quantity": 5, "price": 101, "post_only": True},
    {"quantity": 5, "type": STOP, "stop_price_cents": 80},
]
PURCHASES: list[dict[str, Any]] = [
    {"quantity": 5, "price": 110},
    {"quantity": 10, "price": 100},
    {"quantity": 25, "price": 101},
    {"quantity": 60, "price": 120},
    {"quantity": 40},
    {"quantity": 40, "price": 101, "type": MARKET},
    {"quantity": 25, "price": 101, "time_in_force": IOC},
    {"quantity": 25, "price": 101, "time_in_force": FOK},
    {"quantity": 20, "price": 101, "time_in_force": FOK},
    {"quantity": 5, "price": 100, "post_only": True},
    {"quantity": 5, "price": 98, "post_only": True},
    {"quantity": 5, "type": STOP, "stop_price_cents": 120},
    {"quantity": 5, "type": STOP, "stop_price_cents": 99},
    {"quantity": 5, "price": 130, "type": STOP_LIMIT, "stop_price_cents": 120},
    *({"quantity": 40, "price": 130, "self_trade": mode} for mode in range(5)),
    *({"quantity": 40, "price": 130, "self_trade": mode, "time_in_force": FOK} for mode in range(5)),
]


async def market_of(floor: Venue) -> tuple[str, Any]:
    """A book with three levels on each side, one of them the player's own; the last price is 100."""
    symbol = await floor.instrument(fee_bps=33)
    others, player = (
        await floor.trader(**{symbol: 1_000}),
        await floor.trader(cash_cents=100_000, **{symbol: 100}),
    )
    await floor.place(others, sell(symbol, 1, 100))
    await floor.place(await floor.trader(), buy(symbol, 1, 100))
    for price in (100, 101):
        await floor.place(others, sell(symbol, 10, price))
    await floor.place(player, sell(symbol, 10, 102))
    await floor.place(others, sell(symbol, 10, 103))
    for price in (99, 95):
        await floor.place(others, buy(symbol, 10, price))
    return symbol, player


@pytest.mark.parametrize("terms", [*PURCHASES, *SALES], ids=str)
async def test_a_preview_is_what_then_happens(floor: Venue, terms: dict[str, Any]) -> None:
    symbol, player = await market_of(floor)
    own = next(order for order in (await player.trading.ListOrders(pb.ListOrdersRequest())).orders)
    spec = (buy if terms in PURCHASES else sell)(symbol, **terms)
    told = await floor.preview(player, spec)
    assert list(told.refusals) == []
    placed = await floor.place(player, spec)
    order = placed.order
    assert told.filled_quantity == order.filled_quantity
    assert traded(told.fills) == levels(traded(placed.fills))
    assert (told.filled_value_cents, told.fee_cents) == (order.filled_value_cents, order.fee_cents)
    assert told.resting_quantity == order.remaining_quantity
    assert told.worst_price_cents == order.spec.price_cents
    wallet = await floor.wallet(player)
    (position,) = wallet.positions
    # Its owner's offer of ten at 102 may have been cut by self-trade prevention; that frees shares.
    freed = 10 - (await floor.order(player, own.order_id)).remaining_quantity
    assert told.free_cash_after_cents == wallet.cash_cents - wallet.held_cents
    assert told.free_shares_after == position.quantity - position.held - freed


def levels(fills: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Fills by price."""
    sums: dict[int, int] = {}
    for price, quantity in fills:
        sums[price] = sums.get(price, 0) + quantity
    return list(sums.items())


async def test_a_preview_changes_nothing(floor: Venue) -> None:
    symbol, player = await market_of(floor)
    before = (
        floor.rows("SELECT count(*), max(id) FROM events"),
        await floor.wallet(player),
        await floor.book(symbol),
    )
    await floor.preview(player, buy(symbol, 40))
    requests = [pb.PlaceOrderRequest(order=buy(symbol, 40, 101), validate_only=True)] * 3
    results = (await player.trading.PlaceOrders(pb.PlaceOrdersRequest(orders=requests))).results
    assert [result.placed.preview.filled_quantity for result in results] == [20] * 3
    assert before == (
        floor.rows("SELECT count(*), max(id) FROM events"),
        await floor.wallet(player),
        await floor.book(symbol),
    )


async def test_a_preview_tells_the_average_price(floor: Venue) -> None:
    symbol, player = await market_of(floor)
    told = await floor.preview(player, buy(symbol, 15, 101))
    assert (told.filled_value_cents, told.average_price_e4) == (1_505, 10_033)


async def test_a_preview_lists_everything_it_would_be_refused_for(floor: Venue) -> None:
    symbol = await floor.instrument(band_bps=1_000, reference_price_cents=100)
    player = await floor.trader(cash_cents=2_000)
    await floor.place(player, buy(symbol, 1, 100))
    await floor.settings(max_open_orders=1, max_order_value_cents=1_000, max_day_value_cents=1_100)
    await floor.set_market(CLOSED)
    told = await floor.preview(player, buy(symbol, 20, 120))
    assert [reason_of(refusal) for refusal in told.refusals] == [
        "MARKET_CLOSED", "PRICE_OUT_OF_BAND", "INSUFFICIENT_FUNDS", "LIMIT_EXCEEDED", "LIMIT_EXCEEDED",
        "LIMIT_EXCEEDED",
    ]  # fmt: skip
    limits = [refusal.metadata["limit"] for refusal in told.refusals if "limit" in refusal.metadata]
    assert limits == ["max_open_orders", "max_order_value_cents", "max_day_value_cents"]
    await floor.refused(player, buy(symbol, 20, 120), "MARKET_CLOSED")


async def test_a_preview_lists_what_is_off_the_tick_off_the_lot_and_out_of_range(floor: Venue) -> None:
    symbol = await floor.instrument(tick_cents=5, lot=10, min_quantity=10, max_quantity=100)
    player = await floor.trader()
    for wanted, reasons in (
        (buy(symbol, 25, 101), ["OFF_LOT", "OFF_TICK"]),
        (buy(symbol, 110, 103), ["SIZE_OUT_OF_RANGE", "OFF_TICK"]),
        (buy(symbol, 20, 101, type=STOP_LIMIT, stop_price_cents=99), ["OFF_TICK", "OFF_TICK"]),
    ):
        told = await floor.preview(player, wanted)
        assert [reason_of(refusal) for refusal in told.refusals] == reasons
        await floor.refused(player, wanted, reasons[0])


@pytest.mark.parametrize(
    "terms",
    [{"quantity": 20}, {"quantity": 20, "price": 1_300, "type": MARKET}, {"quantity": 12}, {"quantity": 9}],
    ids=str,
)
async def test_a_preview_refuses_exactly_the_market_orders_that_are_refused(
    floor: Venue, terms: dict[str, Any]
) -> None:
    symbol = await floor.instrument(fee_bps=100)
    seller, player = await floor.trader(**{symbol: 100}), await floor.trader(cash_cents=12_200)
    await floor.place(seller, sell(symbol, 100, 1_000))
    told = await floor.preview(player, buy(symbol, **terms))
    if told.refusals:
        await floor.refused(player, buy(symbol, **terms), reason_of(told.refusals[0]))
    else:
        assert (
            await floor.place(player, buy(symbol, **terms))
        ).order.spec.price_cents == told.worst_price_cents


async def test_a_preview_before_the_opening_trades_nothing_and_rests_all(floor: Venue) -> None:
    symbol, player = await market_of(floor)
    await floor.set_market(PRE_OPEN)
    told = await floor.preview(player, buy(symbol, 5, 110))
    assert (told.filled_quantity, told.resting_quantity, told.hold) == (0, 5, 552)


# Explanations


async def test_an_order_in_the_queue_is_told_who_goes_first_and_how_far_the_market_is(floor: Venue) -> None:
    symbol = await floor.instrument()
    first, second = await floor.trader(**{symbol: 10}), await floor.trader()
    await floor.place(first, buy(symbol, 7, 100))
    await floor.place(first, buy(symbol, 5, 99))
    mine = (await floor.place(second, buy(symbol, 1, 99))).order.order_id
    await floor.place(first, sell(symbol, 10, 104))
    why = await floor.explain(second, mine)
    assert (why.obstacle, why.orders_ahead, why.shares_ahead, why.distance_cents) == (
        OBSTACLE.OBSTACLE_QUEUE,
        2,
        12,
        5,
    )
    assert "12 shares in 2 orders" in why.message


@pytest.mark.parametrize(
    ("phase", "obstacle"), [(CLOSED, OBSTACLE.OBSTACLE_CLOSED), (PRE_OPEN, OBSTACLE.OBSTACLE_AUCTION)]
)
async def test_an_order_is_told_that_its_market_does_not_trade(
    floor: Venue, phase: Any, obstacle: pb.ExplainOrderResponse.Obstacle
) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    mine = (await floor.place(buyer, buy(symbol, 1, 100))).order.order_id
    await floor.set_market(phase)
    assert (await floor.explain(buyer, mine)).obstacle == obstacle
    await floor.set_market(OPEN)


async def test_an_order_is_told_of_a_halt(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    mine = (await floor.place(buyer, buy(symbol, 1, 100))).order.order_id
    await floor.halt(symbol)
    assert (await floor.explain(buyer, mine)).obstacle == OBSTACLE.OBSTACLE_HALTED


async def test_an_order_is_told_that_the_band_has_moved_away(floor: Venue) -> None:
    symbol = await floor.instrument(band_bps=1_000, reference_price_cents=100)
    buyer = await floor.trader()
    mine = (await floor.place(buyer, buy(symbol, 1, 91))).order.order_id
    operator = await floor.operator()
    request = admin_pb2.UpdateInstrumentRequest(symbol=symbol, reference_price_cents=200)
    await operator.admin.UpdateInstrument(request)
    why = await floor.explain(buyer, mine)
    assert (why.obstacle, why.message) == (
        OBSTACLE.OBSTACLE_OUT_OF_BAND,
        "prices from 1.80 to 2.20 trade now",
    )


async def test_a_stop_is_told_how_far_its_price_is(floor: Venue) -> None:
    symbol, player = await market_of(floor)
    stop = buy(symbol, 1, type=STOP, stop_price_cents=120)
    mine = (await floor.place(player, stop)).order.order_id
    why = await floor.explain(player, mine)
    assert (why.obstacle, why.distance_cents) == (OBSTACLE.OBSTACLE_STOP, 20)


async def test_an_order_that_has_ended_has_no_obstacle(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    mine = (await floor.place(buyer, buy(symbol, 1, 100))).order.order_id
    await floor.cancel(buyer, mine)
    why = await floor.explain(buyer, mine)
    assert (why.obstacle, why.message) == (OBSTACLE.OBSTACLE_UNSPECIFIED, "the order has ended")
