"""Trading through the real server: what was told is what is there. Faults of other games, by name."""

import asyncio

import pytest
from bearpit.client import BearpitError
from bearpit.v1 import admin_pb2
from bearpit.v1 import trading_pb2 as pb
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.exchange.matcher import Matcher
from bearpit_server.exchange.rounds import Round
from bearpit_server.exchange.settlement import Settlement, Written
from bearpit_server.rules.open_orders import OpenOrders
from bearpit_server.rules.orders import EndReason
from bearpit_server.rules.outcomes import Outcome
from bearpit_server.rules.refusals import Refused

from tests.integration.floor import SHARED
from tests.orders import CANCELLED, FILLED, IOC, WORKING, buy, reason_of, sell, traded
from tests.venue import Venue

pytestmark = SHARED


async def test_a_trade_moves_cash_one_way_and_shares_the_other(floor: Venue) -> None:
    symbol = await floor.instrument(fee_bps=10)
    seller = await floor.trader(cash_cents=0, **{symbol: 100})
    buyer = await floor.trader(cash_cents=100_000)
    await floor.place(seller, sell(symbol, 40, 1_000))
    bought = await floor.place(buyer, buy(symbol, 50, 1_100))
    assert [(fill.price_cents, fill.quantity, fill.fee_cents) for fill in bought.fills] == [(1_000, 40, 40)]
    assert bought.order.remaining_quantity == 10
    wallet = await floor.wallet(buyer)
    assert (wallet.cash_cents, wallet.held_cents) == (100_000 - 40_000 - 40, bought.order.held)
    assert wallet.positions[0].quantity == 40
    assert (await floor.wallet(seller)).cash_cents == 40_000 - 40


async def test_a_later_bid_never_fills_before_an_earlier_one_at_the_same_price(floor: Venue) -> None:
    symbol = await floor.instrument()
    bidders = [await floor.trader() for _ in range(4)]
    bids = [(await floor.place(bidder, buy(symbol, 10, 100))).order.order_id for bidder in bidders]
    seller = await floor.trader(**{symbol: 100})
    for number in range(8):  # fives: each bid fills in two
        await floor.place(seller, sell(symbol, 5, 100))
        filled = [
            (await floor.order(bidder, bid)).filled_quantity
            for bidder, bid in zip(bidders, bids, strict=True)
        ]
        sold = (number + 1) * 5
        assert filled == [max(0, min(10, sold - 10 * place)) for place in range(4)]


async def test_of_bids_sent_at_once_the_earlier_accepted_fills_first(floor: Venue) -> None:
    symbol = await floor.instrument()
    bidders = [await floor.trader() for _ in range(5)]
    placed = await asyncio.gather(*(floor.place(bidders[n % 5], buy(symbol, 1, 100)) for n in range(60)))
    accepted = sorted(answer.order.order_id for answer in placed)
    seller = await floor.trader(**{symbol: 30})
    await floor.place(seller, sell(symbol, 30, 100))
    filled = sorted([fill.order_id for bidder in bidders for fill in await floor.fills(bidder)])
    assert filled == accepted[:30]


async def test_a_better_price_fills_before_an_earlier_order(floor: Venue) -> None:
    symbol = await floor.instrument()
    early, better = await floor.trader(), await floor.trader()
    await floor.place(early, buy(symbol, 10, 100))
    await floor.place(better, buy(symbol, 10, 101))
    seller = await floor.trader(**{symbol: 15})
    assert traded((await floor.place(seller, sell(symbol, 15, 99))).fills) == [(101, 10), (100, 5)]


async def test_three_bids_are_not_accepted_on_one_balance(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader(cash_cents=10_000)
    results = await asyncio.gather(
        *(floor.place(buyer, buy(symbol, 10, 1_000)) for _ in range(3)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, BearpitError)]
    assert [error.reason for error in refused] == ["INSUFFICIENT_FUNDS"] * 2


async def test_the_same_shares_are_not_sold_twice(floor: Venue) -> None:
    symbol, other = await floor.instrument(), await floor.instrument()
    seller = await floor.trader(**{symbol: 10, other: 10})
    results = await asyncio.gather(
        *(floor.place(seller, sell(symbol, 10, 1_000)) for _ in range(5)),
        floor.place(seller, sell(other, 10, 1_000)),
        return_exceptions=True,
    )
    refused = [result.reason for result in results if isinstance(result, BearpitError)]
    assert refused == ["INSUFFICIENT_SHARES"] * 4
    assert not isinstance(results[-1], BaseException)


async def test_an_unfunded_order_does_not_stop_the_ones_behind_it_in_its_batch(floor: Venue) -> None:
    symbol = await floor.instrument(lot=10)
    buyer = await floor.trader(cash_cents=10_000)
    specs = [
        buy(symbol, 1_000, 100),  # unfunded
        buy(symbol, 10, 100),
        buy(symbol, 15, 100),  # off the lot
        buy("NOSUCH", 10, 100),
        pb.OrderSpec(symbol=symbol, quantity=10, price_cents=100),  # no side
        sell(symbol, 10, 100),  # no shares
        buy(symbol, 20, 100),
    ]
    requests = [pb.PlaceOrderRequest(order=spec) for spec in specs]
    results = (await buyer.trading.PlaceOrders(pb.PlaceOrdersRequest(orders=requests))).results
    told = [reason_of(result.refusal) if result.HasField("refusal") else "" for result in results]
    assert told == [
        "INSUFFICIENT_FUNDS", "", "OFF_LOT", "NOT_FOUND", "INVALID_FIELD", "INSUFFICIENT_SHARES", "",
    ]  # fmt: skip
    assert (await floor.book(symbol))[0] == [(100, 30)]


async def test_refused_orders_do_not_stop_those_of_others_sent_at_once(floor: Venue) -> None:
    symbol = await floor.instrument()
    poor, rich = await floor.trader(cash_cents=0), await floor.trader()
    mixed = [floor.place(poor if n % 2 else rich, buy(symbol, 1, 100)) for n in range(60)]
    results = await asyncio.gather(*mixed, return_exceptions=True)
    assert [isinstance(result, BearpitError) for result in results] == [n % 2 == 1 for n in range(60)]
    assert (await floor.book(symbol))[0] == [(100, 30)]


async def test_a_market_sell_into_an_empty_book_makes_no_money(floor: Venue) -> None:
    symbol = await floor.instrument(reference_price_cents=1_000)
    seller = await floor.trader(cash_cents=5, **{symbol: 10})
    sold = await floor.place(seller, sell(symbol, 10))
    assert (sold.order.status, sold.order.filled_quantity, list(sold.fills)) == (CANCELLED, 0, [])
    assert sold.order.end_reason == pb.END_REASON_UNFILLED
    wallet = await floor.wallet(seller)
    assert (wallet.cash_cents, wallet.positions[0].quantity, wallet.positions[0].held) == (5, 10, 0)


async def test_a_market_order_that_nothing_bounds_is_refused(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller = await floor.trader(**{symbol: 10})
    await floor.refused(seller, sell(symbol, 10), "NO_REFERENCE_PRICE")


async def test_a_partial_fill_leaves_the_price_of_the_rest(floor: Venue) -> None:
    symbol = await floor.instrument(fee_bps=25)
    buyer, seller = await floor.trader(), await floor.trader(**{symbol: 100})
    await floor.place(seller, sell(symbol, 30, 90))
    bid = (await floor.place(buyer, buy(symbol, 100, 110))).order
    assert (bid.filled_quantity, bid.remaining_quantity, bid.spec.price_cents) == (30, 70, 110)
    assert (await floor.book(symbol))[0] == [(110, 70)]
    sold = await floor.place(seller, sell(symbol, 20, 50))
    assert traded(sold.fills) == [(110, 20)]
    assert (await floor.order(buyer, bid.order_id)).spec.price_cents == 110
    assert (await floor.book(symbol))[0] == [(110, 50)]


async def test_a_market_order_reports_no_more_than_it_filled(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer, seller = await floor.trader(), await floor.trader(**{symbol: 30})
    await floor.place(seller, sell(symbol, 30, 100))
    bought = await floor.place(buyer, buy(symbol, 100))
    assert (bought.order.filled_quantity, bought.order.filled_value_cents) == (30, 3_000)
    assert (bought.order.remaining_quantity, bought.order.status, bought.order.held) == (0, CANCELLED, 0)
    assert traded(bought.fills) == [(100, 30)]
    wallet = await floor.wallet(buyer)
    assert (wallet.positions[0].quantity, wallet.held_cents) == (30, 0)


async def test_a_transfer_to_a_disabled_player_destroys_no_points(floor: Venue) -> None:
    giver, gone = await floor.trader(cash_cents=1_000), await floor.trader(cash_cents=50)
    assert gone.player is not None
    operator = await floor.operator()
    await operator.admin.SetPlayerDisabled(
        admin_pb2.SetPlayerDisabledRequest(name=gone.player.name, disabled=True)
    )
    with pytest.raises(BearpitError) as refused:
        await floor.transfer(giver, gone.player.name, 400)
    assert refused.value.reason == "PLAYER_DISABLED"
    assert (await floor.wallet(giver)).cash_cents == 1_000
    shown = await operator.admin.GetPlayer(admin_pb2.GetPlayerRequest(name=gone.player.name))
    assert shown.wallet.cash_cents == 50


async def test_disabling_a_player_on_the_real_exchange_cancels_the_orders(floor: Venue) -> None:
    symbol = await floor.instrument()
    leaver = await floor.trader()
    assert leaver.player is not None
    bid = (await floor.place(leaver, buy(symbol, 10, 100))).order.order_id
    operator = await floor.operator()
    off = admin_pb2.SetPlayerDisabledRequest(
        name=leaver.player.name, disabled=True, request_id=f"off {symbol}"
    )
    for _ in range(2):
        assert (await operator.admin.SetPlayerDisabled(off)).cancelled_orders == 1
    assert await floor.book(symbol) == ([], [])
    shown = await operator.admin.ListPlayerOrders(admin_pb2.ListPlayerOrdersRequest(name=leaver.player.name))
    assert [(order.order_id, order.end_reason) for order in shown.orders] == [(bid, pb.END_REASON_DISABLED)]


async def test_self_trade_prevention_does_not_skip_the_order_for_everyone_behind(floor: Venue) -> None:
    symbol = await floor.instrument()
    both, behind = await floor.trader(**{symbol: 100}), await floor.trader()
    own = (await floor.place(both, buy(symbol, 10, 100))).order.order_id
    await floor.place(behind, buy(symbol, 10, 100))
    refused = await floor.place(both, sell(symbol, 10, 100))  # would meet its owner's bid: ends
    assert refused.order.end_reason == pb.END_REASON_SELF_TRADE
    taker = await floor.trader(**{symbol: 100})
    assert traded((await floor.place(taker, sell(symbol, 10, 100))).fills) == [(100, 10)]
    assert (await floor.order(both, own)).status == FILLED  # it was the first, and still is
    assert traded((await floor.place(taker, sell(symbol, 10, 100))).fills) == [(100, 10)]
    assert await floor.book(symbol) == ([], [])


async def test_one_order_sent_fifty_times_at_once_is_one_order(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    request = pb.PlaceOrderRequest(order=buy(symbol, 1, 100), request_id="once")
    answers = await asyncio.gather(*(buyer.trading.PlaceOrder(request) for _ in range(50)))
    assert len({answer.order.order_id for answer in answers}) == 1
    assert (await floor.wallet(buyer)).held_cents == 100


async def test_one_order_fifty_times_in_one_batch_is_one_order(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer, seller = await floor.trader(), await floor.trader(**{symbol: 10})
    await floor.place(seller, sell(symbol, 10, 100))
    request = pb.PlaceOrderRequest(order=buy(symbol, 2, 100), request_id="once")
    results = (await buyer.trading.PlaceOrders(pb.PlaceOrdersRequest(orders=[request] * 50))).results
    assert {result.placed.order.order_id for result in results} == {results[0].placed.order.order_id}
    assert await floor.book(symbol) == ([], [(100, 8)])


async def test_an_order_sent_again_later_is_told_with_its_fills(floor: Venue) -> None:
    symbol = await floor.instrument(fee_bps=30)
    buyer, seller = await floor.trader(), await floor.trader(**{symbol: 10})
    await floor.place(seller, sell(symbol, 10, 100))
    request = pb.PlaceOrderRequest(order=buy(symbol, 10, 100), request_id="lost answer")
    first = await buyer.trading.PlaceOrder(request)
    assert traded(first.fills) == [(100, 10)]
    assert await buyer.trading.PlaceOrder(request) == first


async def test_an_order_whose_answer_was_lost_is_found_by_its_request(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer, other = await floor.trader(), await floor.trader()
    request = pb.PlaceOrderRequest(order=buy(symbol, 10, 100), request_id=f"lost {symbol}")
    placed = await buyer.trading.PlaceOrder(request)
    lookup = pb.GetOrderRequest(request_id=request.request_id)
    assert (await buyer.trading.GetOrder(lookup)).order == placed.order
    with pytest.raises(BearpitError) as refused:
        await other.trading.GetOrder(lookup)
    assert refused.value.reason == "NOT_FOUND"


async def test_one_transfer_sent_fifty_times_at_once_moves_the_points_once(floor: Venue) -> None:
    giver, taker = await floor.trader(cash_cents=10_000), await floor.trader(cash_cents=0)
    assert taker.player is not None
    name = taker.player.name
    answers = await asyncio.gather(*(floor.transfer(giver, name, 100, request_id="once") for _ in range(50)))
    assert len({answer.transfer_id for answer in answers}) == 1
    assert (await floor.wallet(giver)).cash_cents == 9_900
    assert (await floor.wallet(taker)).cash_cents == 100


async def test_fifty_transfers_at_once_move_no_more_than_there_is(floor: Venue) -> None:
    giver, taker = await floor.trader(cash_cents=1_000), await floor.trader(cash_cents=0)
    assert taker.player is not None
    name = taker.player.name
    results = await asyncio.gather(
        *(floor.transfer(giver, name, 100) for _ in range(50)), return_exceptions=True
    )
    refused = [result.reason for result in results if isinstance(result, BearpitError)]
    assert refused == ["INSUFFICIENT_FUNDS"] * 40
    assert (await floor.wallet(taker)).cash_cents == 1_000


async def test_one_cancel_sent_fifty_times_at_once_has_one_answer(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader(cash_cents=100)
    order_id = (await floor.place(buyer, buy(symbol, 1, 100))).order.order_id
    request = pb.CancelOrderRequest(order_id=order_id, request_id="once")
    answers = await asyncio.gather(*(buyer.trading.CancelOrder(request) for _ in range(50)))
    assert {answer.order.status for answer in answers} == {CANCELLED}
    wallet = await floor.wallet(buyer)
    assert (wallet.cash_cents, wallet.held_cents) == (100, 0)


async def test_one_cancel_of_all_sent_fifty_times_at_once_has_one_answer(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    for price in (100, 101, 102):
        await floor.place(buyer, buy(symbol, 1, price))
    request = pb.CancelAllOrdersRequest(symbol=symbol, request_id="once")
    answers = await asyncio.gather(*(buyer.trading.CancelAllOrders(request) for _ in range(50)))
    assert {len(answer.orders) for answer in answers} == {3}


async def test_one_amendment_sent_fifty_times_at_once_is_one(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    order_id = (await floor.place(buyer, buy(symbol, 5, 100))).order.order_id
    request = pb.AmendOrderRequest(order_id=order_id, quantity=7, request_id="once")
    await asyncio.gather(*(buyer.trading.AmendOrder(request) for _ in range(50)))
    assert (await floor.wallet(buyer)).held_cents == 700
    events = floor.rows(
        f"SELECT count(*) FROM events WHERE type = 'order.amended' AND subject = 'order:{order_id}'"
    )
    assert events == [(1,)]


async def test_an_amendment_sent_again_is_told_with_the_fills_it_brought(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(**{symbol: 10}), await floor.trader()
    await floor.place(seller, sell(symbol, 2, 100))
    order_id = (await floor.place(buyer, buy(symbol, 9, 100))).order.order_id
    for price in (101, 102):
        await floor.place(seller, sell(symbol, 2, price))
    request = pb.AmendOrderRequest(order_id=order_id, price_cents=102, request_id="once")
    amended = await buyer.trading.AmendOrder(request)
    await floor.place(seller, sell(symbol, 2, 102))
    again = await buyer.trading.AmendOrder(request)
    assert traded(amended.fills) == traded(again.fills) == [(101, 2), (102, 2)]
    assert (amended.order.filled_quantity, again.order.filled_quantity) == (6, 8)


async def test_a_request_id_with_another_body_is_refused(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer, other = await floor.trader(), await floor.trader()
    assert other.player is not None
    name = other.player.name
    orders = [(await floor.place(buyer, buy(symbol, 5, 100))).order.order_id for _ in range(2)]
    await buyer.trading.PlaceOrder(pb.PlaceOrderRequest(order=buy(symbol, 1, 100), request_id="p"))
    await floor.transfer(buyer, name, 100, request_id="t")
    await floor.amend(buyer, orders[0], quantity=4, request_id="a")  # type: ignore[arg-type]
    await buyer.trading.CancelOrder(pb.CancelOrderRequest(order_id=orders[0], request_id="c"))
    before = await floor.wallet(buyer)
    for call in (
        buyer.trading.PlaceOrder(pb.PlaceOrderRequest(order=buy(symbol, 1, 101), request_id="p")),
        floor.transfer(buyer, name, 101, request_id="t"),
        buyer.trading.AmendOrder(pb.AmendOrderRequest(order_id=orders[1], quantity=4, request_id="a")),
        buyer.trading.CancelOrder(pb.CancelOrderRequest(order_id=orders[1], request_id="c")),
        buyer.trading.CancelAllOrders(pb.CancelAllOrdersRequest(symbol=symbol, request_id="c")),
    ):
        with pytest.raises(BearpitError) as refused:
            await call
        assert (refused.value.code.name, refused.value.reason) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED")
    assert await floor.wallet(buyer) == before


async def test_two_players_may_use_the_same_request_id(floor: Venue) -> None:
    symbol = await floor.instrument()
    request = pb.PlaceOrderRequest(order=buy(symbol, 1, 100), request_id="mine")
    answers = [await (await floor.trader()).trading.PlaceOrder(request) for _ in range(2)]
    assert answers[0].order.order_id != answers[1].order.order_id


async def test_nobody_can_see_cancel_or_amend_the_order_of_another(floor: Venue) -> None:
    symbol = await floor.instrument()
    owner, other = await floor.trader(), await floor.trader()
    order_id = (await floor.place(owner, buy(symbol, 5, 100))).order.order_id
    for call in (
        floor.order(other, order_id),
        floor.cancel(other, order_id),
        floor.amend(other, order_id, quantity=1),
        floor.explain(other, order_id),
    ):
        with pytest.raises(BearpitError) as refused:
            await call
        assert refused.value.reason == "NOT_FOUND"
    assert (await floor.order(owner, order_id)).status == WORKING


async def test_a_fault_in_a_book_is_answered_and_the_book_is_built_again(
    floor: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    exchange = floor.running.exchange
    order_id = (await floor.place(buyer, buy(symbol, 1, 100))).order.order_id

    def broken(self: OpenOrders, order_id: int, reason: EndReason = EndReason.REQUESTED) -> list[Outcome]:
        raise AssertionError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr(OpenOrders, "cancel", broken)
        with pytest.raises(Refused) as refused:
            await asyncio.wait_for(exchange.cancel(order_id, HOUSE_ORIGIN), 10)
    assert refused.value.reason == "NOT_READY"
    assert await floor.book(symbol) == ([(100, 1)], [])
    assert (await floor.cancel(buyer, order_id)).status == CANCELLED


async def test_what_reaches_beyond_the_locked_accounts_is_settled_right_after(
    floor: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop's owner is no party of the trade that triggers it, nor is whoever it then meets."""
    symbol = await floor.instrument(fee_bps=10)
    maker, outsider = await floor.trader(**{symbol: 5}), await floor.trader(**{symbol: 10})
    stopped, taker = await floor.trader(), await floor.trader()
    for price in (100, 110):
        await floor.place(maker, sell(symbol, 1, price))
    await floor.place(taker, buy(symbol, 1, 100))
    stop = (await floor.place(stopped, buy(symbol, 4, type=pb.ORDER_TYPE_STOP, stop_price_cents=110))).order
    await floor.place(outsider, sell(symbol, 10, 112))
    written: list[int] = []
    write_steps = Matcher._write_steps

    def counted(matcher: Matcher, following: Round) -> Written:
        written.append(len(following.steps))
        return write_steps(matcher, following)

    monkeypatch.setattr(Matcher, "_write_steps", counted)
    placed = await floor.place(taker, buy(symbol, 1, 110))
    assert written == [1]
    assert (placed.order.status, traded(placed.fills)) == (FILLED, [(110, 1)])
    done = await floor.order(stopped, stop.order_id)
    assert (done.status, done.filled_value_cents, done.held) == (FILLED, 4 * 112, 0)
    assert (await floor.book(symbol)) == ([], [(112, 6)])
    assert (await floor.quote(symbol)).last_cents == 112


async def test_an_order_whose_settlement_fails_is_accepted_and_executed_by_the_rebuilt_book(
    floor: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    symbol = await floor.instrument()
    maker, taker = await floor.trader(**{symbol: 5}), await floor.trader()
    await floor.place(maker, sell(symbol, 5, 100))
    settle_steps = Round.settle_steps
    failed: list[Round] = []

    def once(following: Round) -> None:
        if not failed:
            failed.append(following)
            raise AssertionError("a fault")
        settle_steps(following)

    monkeypatch.setattr(Settlement, "covers", lambda settlement, outcomes: False)
    monkeypatch.setattr(Round, "settle_steps", once)
    request = pb.PlaceOrderRequest(order=buy(symbol, 5, 100), request_id="a-fault")
    placed = await taker.trading.PlaceOrder(request, timeout=10)  # the client asks again by itself
    assert len(failed) == 1
    # It asks while the book is rebuilt, so it may be told of the order before that has executed it.
    await floor.settled()
    order = await floor.order(taker, placed.order.order_id)
    assert (order.status, traded(await floor.fills(taker))) == (FILLED, [(100, 5)])
    assert len(await floor.fills(taker)) == 1


async def test_looking_at_a_book_that_there_is_not_hangs_nobody(floor: Venue) -> None:
    with pytest.raises(KeyError):
        await asyncio.wait_for(floor.running.exchange.depth(10**9, 1), 10)
    assert (await floor.trader()).player is not None


async def test_every_share_of_fifty_takers_at_once_comes_from_one_maker(floor: Venue) -> None:
    symbol = await floor.instrument(fee_bps=10)
    maker = await floor.trader(**{symbol: 100})
    takers = [await floor.trader() for _ in range(10)]
    await floor.place(maker, sell(symbol, 100, 100))
    placed = await asyncio.gather(
        *(floor.place(takers[n % 10], buy(symbol, 3, 100, time_in_force=IOC)) for n in range(50))
    )
    filled = [answer.order.filled_quantity for answer in placed]
    assert sum(filled) == 100
    assert sorted(filled)[:16] == [0] * 16
    assert (await floor.wallet(maker)).cash_cents == 1_000_000 + 10_000 - 10
