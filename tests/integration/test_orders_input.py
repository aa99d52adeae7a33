"""Every kind of order, end to end: how it is checked, how it trades, how it ends."""

import pytest
from bearpit.client import BearpitError
from bearpit.v1 import trading_pb2 as pb

from tests.integration.floor import SHARED
from tests.orders import CANCELLED, DAY, FILLED, FOK, IOC, WAITING, WORKING, buy, sell, traded
from tests.venue import Venue

pytestmark = SHARED

STOP, STOP_LIMIT = pb.ORDER_TYPE_STOP, pb.ORDER_TYPE_STOP_LIMIT
LIMIT, MARKET = pb.ORDER_TYPE_LIMIT, pb.ORDER_TYPE_MARKET


async def last_traded(floor: Venue, symbol: str, price: int) -> None:
    """Let a share change hands at a price."""
    seller, buyer = await floor.trader(**{symbol: 1}), await floor.trader(10**9)
    offer = await floor.place(seller, sell(symbol, 1, price))
    await floor.place(buyer, buy(symbol, 1, price))
    assert (await floor.order(seller, offer.order.order_id)).status == FILLED


# Market orders


async def test_a_market_order_goes_no_further_than_its_protection(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(**{symbol: 30}), await floor.trader()
    for price in (1_000, 1_100, 1_101):  # the protection is a tenth
        await floor.place(seller, sell(symbol, 10, price))
    bought = await floor.place(buyer, buy(symbol, 30))
    assert traded(bought.fills) == [(1_000, 10), (1_100, 10)]
    assert (bought.order.spec.price_cents, bought.order.status) == (1_100, CANCELLED)


async def test_a_market_sale_goes_no_further_than_its_protection(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(**{symbol: 30}), await floor.trader()
    for price in (1_000, 900, 899):
        await floor.place(buyer, buy(symbol, 10, price))
    assert traded((await floor.place(seller, sell(symbol, 30))).fills) == [(1_000, 10), (900, 10)]


async def test_a_market_order_with_a_worst_price_keeps_to_it(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(**{symbol: 20}), await floor.trader()
    for price in (1_000, 1_001):
        await floor.place(seller, sell(symbol, 10, price))
    bought = await floor.place(buyer, buy(symbol, 20, 1_000, type=MARKET))
    assert traded(bought.fills) == [(1_000, 10)]


async def test_a_market_order_is_fitted_to_the_funds_and_never_overdraws(floor: Venue) -> None:
    symbol = await floor.instrument(fee_bps=100)
    seller, buyer = await floor.trader(**{symbol: 20}), await floor.trader(cash_cents=20_600)
    for price in (1_000, 1_050):
        await floor.place(seller, sell(symbol, 10, price))
    bought = await floor.place(buyer, buy(symbol, 20))  # 22,220 at its protection; 20,600 pays 1,019 a share
    assert traded(bought.fills) == [(1_000, 10)]
    assert (await floor.wallet(buyer)).cash_cents == 20_600 - 10_000 - 100


async def test_a_market_order_that_cannot_pay_the_best_price_is_refused(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(**{symbol: 20}), await floor.trader(cash_cents=9_999)
    await floor.place(seller, sell(symbol, 20, 1_000))
    error = await floor.refused(buyer, buy(symbol, 10), "INSUFFICIENT_FUNDS")
    assert error.metadata["needed_cents"] == "11000"


# Stops


async def test_a_stop_waits_for_its_price_and_holds_for_it(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(**{symbol: 30}), await floor.trader()
    await last_traded(floor, symbol, 100)
    stop = (await floor.place(buyer, buy(symbol, 10, type=STOP, stop_price_cents=110))).order
    assert (stop.status, stop.held) == (WAITING, 10 * 121)
    assert (await floor.wallet(buyer)).held_cents == 1_210
    assert await floor.book(symbol) == ([], [])  # nobody sees it
    await floor.place(seller, sell(symbol, 30, 112))
    assert (await floor.order(buyer, stop.order_id)).status == WAITING  # offered is not traded
    other = await floor.trader()
    await floor.place(other, buy(symbol, 1, 112))
    done = await floor.order(buyer, stop.order_id)
    assert (done.status, done.filled_quantity, done.filled_value_cents, done.held) == (FILLED, 10, 1_120, 0)


async def test_a_stop_loss_sells_when_the_price_falls_to_it(floor: Venue) -> None:
    symbol = await floor.instrument()
    holder, bidder = await floor.trader(**{symbol: 20}), await floor.trader()
    await last_traded(floor, symbol, 100)
    stop = (await floor.place(holder, sell(symbol, 10, type=STOP, stop_price_cents=90))).order
    assert (stop.status, stop.held) == (WAITING, 10)
    await floor.place(bidder, buy(symbol, 20, 90))
    await floor.place(holder, sell(symbol, 1, 90))
    assert (await floor.order(holder, stop.order_id)).status == FILLED


async def test_a_stop_limit_rests_at_its_limit_once_triggered(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    await last_traded(floor, symbol, 100)
    stop = (await floor.place(buyer, buy(symbol, 10, 105, type=STOP_LIMIT, stop_price_cents=110))).order
    assert stop.held == 1_050
    await last_traded(floor, symbol, 110)
    assert (await floor.order(buyer, stop.order_id)).status == WORKING
    assert await floor.book(symbol) == ([(105, 10)], [])


async def test_a_stop_whose_price_has_traded_triggers_at_once(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    await last_traded(floor, symbol, 100)
    placed = await floor.place(buyer, buy(symbol, 10, 99, type=STOP_LIMIT, stop_price_cents=100))
    assert placed.order.status == WORKING


async def test_a_triggered_stop_goes_behind_what_is_there(floor: Venue) -> None:
    symbol = await floor.instrument()
    early, late = await floor.trader(), await floor.trader()
    await last_traded(floor, symbol, 100)
    stop = (await floor.place(early, buy(symbol, 10, 100, type=STOP_LIMIT, stop_price_cents=110))).order
    await floor.place(late, buy(symbol, 10, 100))
    await last_traded(floor, symbol, 110)
    seller = await floor.trader(**{symbol: 10})
    await floor.place(seller, sell(symbol, 10, 100))
    assert (await floor.order(early, stop.order_id)).filled_quantity == 0


@pytest.mark.parametrize(
    "terms",
    [
        {"type": STOP, "stop_price_cents": 0},
        {"type": STOP, "stop_price_cents": 100, "time_in_force": IOC},
        {"type": LIMIT, "price_cents": 100, "stop_price_cents": 100},
        {"type": STOP_LIMIT, "stop_price_cents": 100},
        {"type": LIMIT},
        {"type": MARKET, "post_only": True},
        {"type": LIMIT, "price_cents": 100, "post_only": True, "time_in_force": IOC},
    ],
    ids=str,
)
async def test_terms_that_contradict_each_other_are_refused(floor: Venue, terms: dict[str, int]) -> None:
    symbol = await floor.instrument(reference_price_cents=100)
    spec = pb.OrderSpec(symbol=symbol, side=pb.SIDE_BUY, quantity=1, **terms)  # type: ignore[arg-type]
    error = await floor.refused(await floor.trader(), spec, "INVALID_FIELD")
    assert error.field.startswith("order.")


# How long an order works


async def test_immediate_or_cancel_takes_what_there_is_and_never_rests(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(**{symbol: 10}), await floor.trader()
    await floor.place(seller, sell(symbol, 10, 100))
    bought = await floor.place(buyer, buy(symbol, 30, 100, time_in_force=IOC))
    assert (traded(bought.fills), bought.order.end_reason) == ([(100, 10)], pb.END_REASON_UNFILLED)
    assert await floor.book(symbol) == ([], [])


async def test_fill_or_kill_fills_whole_or_not_at_all(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(**{symbol: 20}), await floor.trader()
    for price in (100, 101):
        await floor.place(seller, sell(symbol, 10, price))
    killed = await floor.place(buyer, buy(symbol, 21, 101, time_in_force=FOK))
    assert (list(killed.fills), killed.order.end_reason) == ([], pb.END_REASON_NOT_FILLABLE)
    assert (await floor.wallet(buyer)).held_cents == 0
    whole = await floor.place(buyer, buy(symbol, 20, 101, time_in_force=FOK))
    assert (traded(whole.fills), whole.order.status) == ([(100, 10), (101, 10)], FILLED)


async def test_post_only_never_takes(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(**{symbol: 10}), await floor.trader()
    await floor.place(seller, sell(symbol, 10, 100))
    taken = await floor.place(buyer, buy(symbol, 10, 100, post_only=True))
    assert (list(taken.fills), taken.order.end_reason) == ([], pb.END_REASON_WOULD_TAKE)
    rests = await floor.place(buyer, buy(symbol, 10, 99, post_only=True, time_in_force=DAY))
    assert rests.order.status == WORKING


# Trades with oneself


@pytest.mark.parametrize(
    ("mode", "resting", "incoming"),
    [
        (pb.SELF_TRADE_UNSPECIFIED, (WORKING, 10), (CANCELLED, 0)),
        (pb.SELF_TRADE_CANCEL_NEWEST, (WORKING, 10), (CANCELLED, 0)),
        (pb.SELF_TRADE_CANCEL_OLDEST, (CANCELLED, 0), (FILLED, 0)),
        (pb.SELF_TRADE_CANCEL_BOTH, (CANCELLED, 0), (CANCELLED, 0)),
        (pb.SELF_TRADE_DECREMENT, (CANCELLED, 0), (WORKING, 5)),
    ],
)
async def test_each_mode_of_self_trade_prevention_ends_what_it_says(
    floor: Venue, mode: pb.SelfTrade, resting: tuple[int, int], incoming: tuple[int, int]
) -> None:
    symbol = await floor.instrument()
    both, other = await floor.trader(**{symbol: 100}), await floor.trader(**{symbol: 100})
    mine = (await floor.place(both, sell(symbol, 10, 100))).order.order_id
    await floor.place(other, sell(symbol, 5, 101))
    if mode == pb.SELF_TRADE_CANCEL_OLDEST:
        await floor.place(other, sell(symbol, 15, 101))
    placed = await floor.place(both, buy(symbol, 20, 101, self_trade=mode))
    order = await floor.order(both, mine)
    assert (order.status, order.remaining_quantity) == resting
    assert (placed.order.status, placed.order.remaining_quantity) == incoming
    assert both.player is not None
    assert all(fill.price_cents == 101 for fill in placed.fills)


# Cancelling and amending


async def test_cancelling_gives_back_what_was_held_and_happens_once(floor: Venue) -> None:
    symbol = await floor.instrument(fee_bps=33)
    buyer = await floor.trader(cash_cents=5_000)
    order_id = (await floor.place(buyer, buy(symbol, 7, 101))).order.order_id
    cancelled = await floor.cancel(buyer, order_id)
    assert (cancelled.status, cancelled.end_reason) == (CANCELLED, pb.END_REASON_REQUESTED)
    assert (await floor.wallet(buyer)).held_cents == 0
    with pytest.raises(BearpitError) as refused:
        await floor.cancel(buyer, order_id)
    assert refused.value.reason == "ORDER_NOT_OPEN"


async def test_cancelling_all_spares_other_instruments_and_other_players(floor: Venue) -> None:
    symbol, other = await floor.instrument(), await floor.instrument()
    buyer, neighbour = await floor.trader(), await floor.trader()
    for one in (symbol, symbol, other):
        await floor.place(buyer, buy(one, 1, 100))
    await floor.place(neighbour, buy(symbol, 1, 100))
    assert len(await buyer.cancel_all(symbol)) == 2
    assert (await floor.book(symbol), await floor.book(other)) == (([(100, 1)], []), ([(100, 1)], []))
    assert len(await buyer.cancel_all()) == 1


async def test_a_smaller_size_keeps_its_place_and_anything_else_loses_it(floor: Venue) -> None:
    symbol = await floor.instrument()
    first, second = await floor.trader(), await floor.trader()
    order_id = (await floor.place(first, buy(symbol, 10, 100))).order.order_id
    await floor.place(second, buy(symbol, 10, 100))
    smaller = await floor.amend(first, order_id, quantity=6)
    assert (smaller.order.remaining_quantity, smaller.order.held) == (6, 600)
    assert (await floor.explain(first, order_id)).orders_ahead == 0
    larger = await floor.amend(first, order_id, quantity=7)
    assert larger.order.held == 700
    assert (await floor.explain(first, order_id)).shares_ahead == 10
    await floor.amend(first, order_id, price_cents=101)
    await floor.amend(first, order_id, price_cents=100)
    assert (await floor.explain(first, order_id)).shares_ahead == 10


async def test_an_amendment_that_cannot_be_paid_changes_nothing(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader(cash_cents=1_000)
    order_id = (await floor.place(buyer, buy(symbol, 10, 100))).order.order_id
    for terms in ({"quantity": 11}, {"price_cents": 101}):
        with pytest.raises(BearpitError) as refused:
            await floor.amend(buyer, order_id, **terms)
        assert refused.value.reason == "INSUFFICIENT_FUNDS"
    assert await floor.book(symbol) == ([(100, 10)], [])
    assert (await floor.wallet(buyer)).held_cents == 1_000


async def test_an_amendment_to_a_crossing_price_trades_at_once(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(**{symbol: 4}), await floor.trader()
    await floor.place(seller, sell(symbol, 4, 110))
    order_id = (await floor.place(buyer, buy(symbol, 10, 100))).order.order_id
    amended = await floor.amend(buyer, order_id, price_cents=115)
    assert traded(amended.fills) == [(110, 4)]
    assert (amended.order.remaining_quantity, amended.order.held) == (6, 6 * 115)


async def test_a_partly_filled_bid_can_be_amended_to_a_lower_price(floor: Venue) -> None:
    symbol = await floor.instrument(fee_bps=50)
    seller, buyer = await floor.trader(**{symbol: 10}), await floor.trader(cash_cents=11_000)
    await floor.place(seller, sell(symbol, 4, 1_000))
    bid = (await floor.place(buyer, buy(symbol, 10, 1_000))).order
    assert (bid.filled_quantity, bid.fee_cents) == (4, 20)
    lower = (await floor.amend(buyer, bid.order_id, price_cents=500)).order
    assert lower.held == 6 * 500 + 15
    await floor.place(seller, sell(symbol, 6, 500))
    done = await floor.order(buyer, bid.order_id)
    assert (done.status, done.filled_value_cents, done.fee_cents) == (FILLED, 7_000, 35)
    wallet = await floor.wallet(buyer)
    assert (wallet.cash_cents, wallet.held_cents) == (11_000 - 7_035, 0)


async def test_an_order_cannot_shrink_to_what_it_has_filled(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(**{symbol: 4}), await floor.trader()
    await floor.place(seller, sell(symbol, 4, 100))
    order_id = (await floor.place(buyer, buy(symbol, 10, 100))).order.order_id
    for quantity, reason in (
        (4, "INVALID_FIELD"),
        (3, "INVALID_FIELD"),
        (-1, "INVALID_FIELD"),
        (2**62, "INVALID_FIELD"),
    ):
        with pytest.raises(BearpitError) as refused:
            await floor.amend(buyer, order_id, quantity=quantity)
        assert refused.value.reason == reason
    assert (await floor.amend(buyer, order_id, quantity=5)).order.remaining_quantity == 1


async def test_a_waiting_stop_can_have_another_price(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    await last_traded(floor, symbol, 100)
    stop = (await floor.place(buyer, buy(symbol, 1, 130, type=STOP_LIMIT, stop_price_cents=120))).order
    await floor.amend(buyer, stop.order_id, stop_price_cents=110)
    await last_traded(floor, symbol, 111)
    assert (await floor.order(buyer, stop.order_id)).status == WORKING


# Fees


@pytest.mark.parametrize("fee_bps", [1, 7, 33, 1_000])
async def test_fees_over_many_fills_come_to_the_fee_on_the_whole_rounded_up_once(
    floor: Venue, fee_bps: int
) -> None:
    symbol = await floor.instrument(fee_bps=fee_bps)
    buyer, seller = await floor.trader(), await floor.trader(**{symbol: 13})
    bid = (await floor.place(buyer, buy(symbol, 13, 101))).order
    for _ in range(13):
        await floor.place(seller, sell(symbol, 1, 101))
    done = await floor.order(buyer, bid.order_id)
    assert done.fee_cents == -(-13 * 101 * fee_bps // 10_000)
    assert done.fee_cents == sum(fill.fee_cents for fill in await floor.fills(buyer))
    each = -(-101 * fee_bps // 10_000)  # thirteen orders pay thirteen fees
    assert sum(fill.fee_cents for fill in await floor.fills(seller)) == 13 * each


async def test_what_a_bid_holds_is_always_enough_for_its_fees(floor: Venue) -> None:
    symbol = await floor.instrument(fee_bps=33)
    exact = 7 * 101 + -(-7 * 101 * 33 // 10_000)
    buyer, seller = await floor.trader(cash_cents=exact), await floor.trader(**{symbol: 7})
    await floor.place(buyer, buy(symbol, 7, 101))
    for _ in range(7):
        await floor.place(seller, sell(symbol, 1, 101))
    assert (await floor.wallet(buyer)).cash_cents == 0
    poorer = await floor.trader(cash_cents=exact - 1)
    await floor.refused(poorer, buy(symbol, 7, 101), "INSUFFICIENT_FUNDS")
