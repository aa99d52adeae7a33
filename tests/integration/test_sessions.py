"""The market's day: by hand, by the schedule, halted; auctions where trading begins."""

import pytest
from bearpit.client import BearpitError, Client
from bearpit.v1 import market_pb2
from bearpit.v1 import trading_pb2 as pb
from bearpit_server.events.records import FillRecord, OrderChange
from bearpit_server.exchange.exchange import Exchange
from bearpit_server.rules.sessions import Phase

from tests.integration.floor import SHARED, at
from tests.orders import (
    BY_SCHEDULE,
    CLOSED,
    DAY,
    EXPIRED,
    FILLED,
    FOK,
    IOC,
    OPEN,
    PRE_OPEN,
    WORKING,
    buy,
    sell,
    traded,
)
from tests.venue import Venue

pytestmark = [SHARED, pytest.mark.usefixtures("ordinary")]

VIENNA = {
    "days": [1, 2, 3, 4, 5],
    "opens": "09:00",
    "closes": "17:00",
    "pre_open_minutes": 30,
    "time_zone": "Europe/Vienna",
}
MONDAY = "2035-01-08"  # in winter Vienna is an hour ahead of UTC


async def clock_at(floor: Venue, text: str) -> None:
    """Set the server's clock, and let the books follow."""
    at(text)
    floor.forget_operator()
    await floor.running.exchange.refresh()


async def phase_of(floor: Venue, symbol: str) -> str:
    return market_pb2.Phase.Name((await floor.quote(symbol)).phase).removeprefix("PHASE_")


async def collect(floor: Venue, symbol: str, *sizes: tuple[int, int, int]) -> tuple[Client, Client]:
    """A buyer's and a seller's orders as (price, bid, offered), each side before the other's."""
    buyer, seller = await floor.trader(10**9), await floor.trader(**{symbol: 10_000})
    for price, bid, offered in sizes:
        if bid:
            assert not (await floor.place(buyer, buy(symbol, bid, price))).fills
        if offered:
            assert not (await floor.place(seller, sell(symbol, offered, price))).fills
    return buyer, seller


async def test_a_closed_market_takes_no_orders_and_says_so(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    await floor.set_market(CLOSED)
    error = await floor.refused(buyer, buy(symbol, 1, 100), "MARKET_CLOSED")
    assert error.metadata["next_open"] == ""


async def test_cancels_work_in_every_phase(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    for phase in (CLOSED, PRE_OPEN, OPEN):
        order_id = (await floor.place(buyer, buy(symbol, 1, 100))).order.order_id
        await floor.place(buyer, buy(symbol, 1, 99))
        await floor.set_market(phase)
        await floor.cancel(buyer, order_id)
        assert len(await buyer.cancel_all()) == 1
        await floor.set_market(OPEN)
    order_id = (await floor.place(buyer, buy(symbol, 1, 100))).order.order_id
    await floor.halt(symbol)
    await floor.cancel(buyer, order_id)
    assert (await floor.wallet(buyer)).held_cents == 0


async def test_a_closed_market_amends_nothing(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    order_id = (await floor.place(buyer, buy(symbol, 2, 100))).order.order_id
    await floor.set_market(CLOSED)
    with pytest.raises(BearpitError) as refused:
        await floor.amend(buyer, order_id, quantity=1)
    assert refused.value.reason == "MARKET_CLOSED"


async def test_orders_are_collected_before_the_opening_and_trade_at_one_price(floor: Venue) -> None:
    symbol = await floor.instrument(reference_price_cents=100)
    await floor.set_market(PRE_OPEN)
    buyer, seller = await collect(
        floor, symbol, (103, 10, 0), (102, 20, 0), (99, 30, 0), (98, 0, 15), (101, 0, 10)
    )
    quote = await floor.quote(symbol)
    # At 101 and 102 twenty-five trade and five are left over; 101 is nearer the reference of 100.
    assert (quote.indicative_cents, quote.indicative_quantity) == (101, 25)
    assert quote.last_cents == 0
    await floor.set_market(OPEN)
    assert {fill.price_cents for fill in await floor.fills(buyer)} == {101}
    assert sum(fill.quantity for fill in await floor.fills(seller)) == 25
    assert await floor.book(symbol) == ([(102, 5), (99, 30)], [])


@pytest.mark.parametrize(
    ("sizes", "price", "volume"),
    [
        # Most volume first, however far from the reference.
        ([(120, 50, 0), (110, 0, 50), (100, 0, 10)], 110, 50),
        # Of equal volumes, the fewest left over.
        ([(105, 10, 0), (103, 5, 0), (100, 0, 10), (104, 0, 3)], 104, 10),
        # Of equal surpluses, the nearest to the reference.
        ([(110, 10, 0), (104, 0, 10)], 104, 10),
        ([(98, 10, 0), (90, 0, 10)], 98, 10),
        ([(110, 10, 0), (90, 0, 10)], 100, 10),
    ],
    ids=["volume", "surplus", "nearest above", "nearest below", "reference"],
)
async def test_the_opening_price_is_as_the_rules_say(
    floor: Venue, sizes: list[tuple[int, int, int]], price: int, volume: int
) -> None:
    symbol = await floor.instrument(reference_price_cents=100)
    await floor.set_market(PRE_OPEN)
    buyer, _ = await collect(floor, symbol, *sizes)
    quote = await floor.quote(symbol)
    assert (quote.indicative_cents, quote.indicative_quantity) == (price, volume)
    await floor.set_market(OPEN)
    fills = await floor.fills(buyer)
    assert ({fill.price_cents for fill in fills}, sum(fill.quantity for fill in fills)) == ({price}, volume)


async def test_in_an_auction_the_earlier_order_at_a_price_goes_first(floor: Venue) -> None:
    symbol = await floor.instrument(reference_price_cents=100)
    await floor.set_market(PRE_OPEN)
    early, late = await floor.trader(), await floor.trader()
    seller = await floor.trader(**{symbol: 15})
    first = (await floor.place(early, buy(symbol, 10, 100))).order.order_id
    second = (await floor.place(late, buy(symbol, 10, 100))).order.order_id
    await floor.place(seller, sell(symbol, 15, 100))
    await floor.set_market(OPEN)
    assert (await floor.order(early, first)).status == FILLED
    assert (await floor.order(late, second)).filled_quantity == 5


async def test_the_maker_of_an_auctions_trade_is_told_alike_when_it_happens_and_later(floor: Venue) -> None:
    symbol = await floor.instrument(reference_price_cents=100)
    await floor.set_market(PRE_OPEN)
    buyer, seller = await floor.trader(), await floor.trader(**{symbol: 10})
    bid = (await floor.place(buyer, buy(symbol, 10, 100))).order.order_id
    await floor.place(seller, sell(symbol, 10, 100))
    await floor.amend(buyer, bid, price_cents=101)  # now the bid has the later priority
    told: list[FillRecord] = []
    for player in (buyer, seller):
        assert player.player is not None
        floor.running.bus.watched.add(player.player.player_id)
    forget = floor.running.bus.subscribe(
        OrderChange, lambda changes: told.extend(change.fill for change in changes if change.fill)
    )
    await floor.set_market(OPEN)
    forget()
    listed = [(await floor.fills(player))[0] for player in (buyer, seller)]
    assert {fill.order_id: fill.maker for fill in told} == {fill.order_id: fill.maker for fill in listed}


async def test_a_market_order_before_the_opening_trades_in_the_auction_or_ends(floor: Venue) -> None:
    symbol, empty = (
        await floor.instrument(reference_price_cents=100),
        await floor.instrument(reference_price_cents=100),
    )
    await floor.set_market(PRE_OPEN)
    buyer, seller = await floor.trader(), await floor.trader(**{symbol: 10})
    bid = (await floor.place(buyer, buy(symbol, 10))).order
    other = (await floor.place(buyer, buy(empty, 10))).order
    assert (bid.status, bid.held) == (WORKING, 1_100)
    await floor.place(seller, sell(symbol, 10, 100))
    await floor.set_market(OPEN)
    assert traded(await floor.fills(buyer)) == [(100, 10)]
    assert (await floor.order(buyer, other.order_id)).end_reason == pb.END_REASON_UNFILLED


@pytest.mark.parametrize(
    "terms", [{"time_in_force": IOC}, {"time_in_force": FOK}, {"post_only": True}], ids=str
)
async def test_orders_that_want_an_answer_at_once_are_not_taken_for_an_auction(
    floor: Venue, terms: dict[str, int]
) -> None:
    symbol = await floor.instrument()
    await floor.set_market(PRE_OPEN)
    await floor.refused(await floor.trader(), buy(symbol, 1, 100, **terms), "NOT_IN_AUCTION")


async def test_a_halted_instrument_collects_and_the_others_go_on(floor: Venue) -> None:
    symbol, other = await floor.instrument(reference_price_cents=100), await floor.instrument()
    await floor.halt(symbol)
    assert (await phase_of(floor, symbol), await phase_of(floor, other)) == ("HALTED", "OPEN")
    buyer, _ = await collect(floor, symbol, (105, 10, 0), (95, 0, 10))
    await floor.refused(buyer, buy(symbol, 1, 100, time_in_force=IOC), "NOT_IN_AUCTION")
    seller = await floor.trader(**{other: 1})
    await floor.place(seller, sell(other, 1, 100))
    assert traded((await floor.place(buyer, buy(other, 1, 100))).fills) == [(100, 1)]
    await floor.halt(symbol, halted=False)
    assert traded(await floor.fills(buyer))[0] == (100, 10)
    assert await phase_of(floor, symbol) == "OPEN"


async def test_a_halt_of_everything_ends_in_auctions(floor: Venue) -> None:
    symbols = [await floor.instrument(reference_price_cents=100) for _ in range(2)]
    await floor.halt()
    buyers = [(await collect(floor, symbol, (100, 5, 5)))[0] for symbol in symbols]
    assert [await floor.book(symbol) for symbol in symbols] == [([(100, 5)], [(100, 5)])] * 2
    await floor.halt(halted=False)
    assert [traded(await floor.fills(buyer)) for buyer in buyers] == [[(100, 5)]] * 2


async def test_the_schedule_opens_and_closes_the_market_in_its_zone(floor: Venue) -> None:
    symbol = await floor.instrument()
    await clock_at(floor, f"{MONDAY}T07:29:59+00:00")
    await floor.schedule(**VIENNA)
    await floor.set_market(BY_SCHEDULE)
    seen = []
    for clock in ("07:29:59", "07:30:00", "07:59:59", "08:00:00", "15:59:59", "16:00:00"):
        await clock_at(floor, f"{MONDAY}T{clock}+00:00")
        seen.append(await phase_of(floor, symbol))
    assert seen == ["CLOSED", "PRE_OPEN", "PRE_OPEN", "OPEN", "OPEN", "CLOSED"]
    await clock_at(floor, "2035-07-09T07:00:00+00:00")  # in summer two hours ahead
    assert await phase_of(floor, symbol) == "OPEN"


async def test_a_closed_market_tells_when_it_opens(floor: Venue) -> None:
    symbol = await floor.instrument()
    await clock_at(floor, "2035-01-05T20:00:00+00:00")  # a Friday evening
    await floor.schedule(**VIENNA)
    await floor.set_market(BY_SCHEDULE)
    error = await floor.refused(await floor.trader(), buy(symbol, 1, 100), "MARKET_CLOSED")
    assert error.metadata["next_open"].startswith(f"{MONDAY}T08:00:00")


async def test_the_operators_word_goes_before_the_schedule(floor: Venue) -> None:
    symbol = await floor.instrument()
    await clock_at(floor, f"{MONDAY}T20:00:00+00:00")
    await floor.schedule(**VIENNA)
    await floor.set_market(OPEN)
    assert await phase_of(floor, symbol) == "OPEN"
    await floor.set_market(BY_SCHEDULE)
    assert await phase_of(floor, symbol) == "CLOSED"


async def test_without_override_or_schedule_the_market_is_closed(floor: Venue) -> None:
    symbol = await floor.instrument()
    await floor.set_market(BY_SCHEDULE)
    assert await phase_of(floor, symbol) == "CLOSED"


async def test_day_orders_end_at_the_close_and_others_stay(floor: Venue) -> None:
    symbol = await floor.instrument()
    await clock_at(floor, f"{MONDAY}T09:00:00+00:00")
    await floor.schedule(**VIENNA)
    await floor.set_market(BY_SCHEDULE)
    buyer = await floor.trader()
    day = (await floor.place(buyer, buy(symbol, 1, 100, time_in_force=DAY))).order.order_id
    stays = (await floor.place(buyer, buy(symbol, 1, 99))).order.order_id
    stop = buy(symbol, 1, 200, type=pb.ORDER_TYPE_STOP_LIMIT, stop_price_cents=150, time_in_force=DAY)
    waits = (await floor.place(buyer, stop)).order.order_id
    await clock_at(floor, f"{MONDAY}T16:00:00+00:00")
    ended = [await floor.order(buyer, order_id) for order_id in (day, waits)]
    assert {(order.status, order.end_reason, order.held) for order in ended} == {
        (EXPIRED, pb.END_REASON_DAY_ENDED, 0)
    }
    assert (await floor.order(buyer, stays)).status == WORKING
    assert (await floor.wallet(buyer)).held_cents == 99
    await clock_at(floor, "2035-01-09T09:00:00+00:00")
    assert await floor.book(symbol) == ([(99, 1)], [])


@pytest.mark.parametrize("time_in_force", [pb.TIME_IN_FORCE_GTC, DAY, IOC])
async def test_an_order_that_the_close_overtakes_is_refused_as_if_it_had_come_later(
    floor: Venue, monkeypatch: pytest.MonkeyPatch, time_in_force: pb.TimeInForce
) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    await floor.set_market(CLOSED)
    monkeypatch.setattr(Exchange, "phase", lambda *_: Phase.OPEN)  # it was when this was checked
    await floor.refused(buyer, buy(symbol, 1, 100, time_in_force=time_in_force), "MARKET_CLOSED")
    assert (await floor.wallet(buyer)).held_cents == 0


async def test_an_open_book_that_closes_opens_again_by_auction(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer, seller = await floor.trader(), await floor.trader(**{symbol: 10})
    await floor.place(buyer, buy(symbol, 10, 90))
    await floor.set_market(CLOSED)
    await floor.set_market(PRE_OPEN)
    await floor.place(seller, sell(symbol, 10, 80))
    assert await floor.fills(seller) == []
    await floor.set_market(OPEN)
    assert sum(fill.quantity for fill in await floor.fills(seller)) == 10
