"""The stream of order entry: answers in order, refusals in their place, and nothing left behind."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from bearpit.client import Client
from bearpit.v1 import admin_pb2
from bearpit.v1 import trading_pb2 as pb

from tests.integration.floor import SHARED
from tests.orders import CANCELLED, buy, reason_of, sell, traded
from tests.venue import Venue

pytestmark = SHARED


def place(correlation: int, spec: pb.OrderSpec, request_id: str = "") -> pb.EnterOrdersRequest:
    request = pb.PlaceOrderRequest(order=spec, request_id=request_id)
    return pb.EnterOrdersRequest(correlation=correlation, place=request)


def cancel(correlation: int, order_id: int) -> pb.EnterOrdersRequest:
    return pb.EnterOrdersRequest(correlation=correlation, cancel=pb.CancelOrderRequest(order_id=order_id))


def amend(correlation: int, order_id: int, quantity: int) -> pb.EnterOrdersRequest:
    request = pb.AmendOrderRequest(order_id=order_id, quantity=quantity)
    return pb.EnterOrdersRequest(correlation=correlation, amend=request)


async def enter(client: Client, *entries: pb.EnterOrdersRequest) -> list[pb.EnterOrdersResponse]:
    """All answers to entries that are sent without waiting."""
    return [answer async for answer in client.trading.EnterOrders(iter(entries))]


def told(answer: pb.EnterOrdersResponse) -> str:
    return reason_of(answer.refusal) if answer.HasField("refusal") else str(answer.WhichOneof("result"))


async def test_answers_come_in_the_order_of_the_entries(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    answers = await enter(buyer, *(place(n, buy(symbol, 1, 100 + n % 3)) for n in range(200)))
    assert [answer.correlation for answer in answers] == [*range(200)]
    ids = [answer.placed.order.order_id for answer in answers]
    assert ids == sorted(ids)


async def test_a_refusal_has_its_place_among_the_answers_and_ends_nothing(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader(cash_cents=1_000)
    answers = await enter(
        buyer,
        place(1, buy(symbol, 5, 100)),
        place(2, buy(symbol, 50, 100)),
        place(3, buy("NOSUCH", 1, 100)),
        pb.EnterOrdersRequest(correlation=4),
        place(5, pb.OrderSpec(symbol="a\0b", quantity=1)),
        cancel(6, 999_999_999),
        place(7, pb.OrderSpec(symbol=symbol, quantity=1, side=77)),  # type: ignore[arg-type]
        place(8, buy(symbol, 5, 100)),
    )
    assert [told(answer) for answer in answers] == [
        "placed", "INSUFFICIENT_FUNDS", "NOT_FOUND", "INVALID_FIELD", "INVALID_FIELD", "NOT_FOUND",
        "INVALID_FIELD", "placed",
    ]  # fmt: skip
    assert [answer.correlation for answer in answers] == [*range(1, 9)]


async def test_an_order_just_placed_can_be_amended_and_cancelled_on_the_same_stream(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    entries: asyncio.Queue[pb.EnterOrdersRequest | None] = asyncio.Queue()

    async def sent() -> AsyncIterator[pb.EnterOrdersRequest]:
        while (entry := await entries.get()) is not None:
            yield entry

    seen = []
    entries.put_nowait(place(1, buy(symbol, 5, 100)))
    async for answer in buyer.trading.EnterOrders(sent()):
        seen.append(told(answer))
        match answer.correlation:
            case 1:
                order_id = answer.placed.order.order_id
                entries.put_nowait(amend(2, order_id, 3))
            case 2:
                assert answer.amended.order.remaining_quantity == 3
                entries.put_nowait(cancel(3, order_id))
            case 3:
                assert answer.cancelled.order.status == CANCELLED
                entries.put_nowait(None)
    assert seen == ["placed", "amended", "cancelled"]


async def test_an_order_may_count_on_what_the_cancel_ahead_of_it_sets_free(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader(cash_cents=1_000)
    for price in range(100, 110):
        order = await floor.place(buyer, buy(symbol, 1_000 // price, price))
        answers = await enter(
            buyer,
            cancel(1, order.order.order_id),
            place(2, buy(symbol, 1, 1_000)),
            place(3, buy(symbol, 1, 1)),
        )
        assert [told(answer) for answer in answers] == ["cancelled", "placed", "INSUFFICIENT_FUNDS"]
        await buyer.cancel_all()


async def test_amendments_of_one_order_happen_in_the_order_of_their_coming(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    order_id = (await floor.place(buyer, buy(symbol, 50, 100))).order.order_id
    answers = await enter(buyer, *(amend(size, order_id, size) for size in range(49, 9, -1)))
    assert [answer.amended.order.remaining_quantity for answer in answers] == [*range(49, 9, -1)]
    assert (await floor.wallet(buyer)).held_cents == 1_000


async def test_entries_trade_as_they_come(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(**{symbol: 10}), await floor.trader()
    await enter(seller, *(place(n, sell(symbol, 2, 100 + n)) for n in range(5)))
    answers = await enter(buyer, place(1, buy(symbol, 3, 101)), place(2, buy(symbol, 3, 102)))
    assert [traded(answer.placed.fills) for answer in answers] == [[(100, 2), (101, 1)], [(101, 1), (102, 2)]]


async def test_the_same_entry_sent_twice_is_one_order(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader()
    answers = await enter(buyer, *(place(n, buy(symbol, 1, 100), "twice") for n in range(20)))
    assert len({answer.placed.order.order_id for answer in answers}) == 1
    assert await floor.book(symbol) == ([(100, 1)], [])


async def test_an_empty_stream_ends_well(floor: Venue) -> None:
    assert await enter(await floor.trader()) == []


async def test_a_client_that_goes_away_leaves_no_stream_and_loses_no_accepted_order(
    floor: Venue, caplog: pytest.LogCaptureFixture
) -> None:
    symbol = await floor.instrument()
    before = await open_streams(floor)
    for answered in (0, 1, 20):
        buyer = await floor.trader()

        async def endless() -> AsyncIterator[pb.EnterOrdersRequest]:
            for number in range(40):
                yield place(number, buy(symbol, 1, 100))
            await asyncio.Event().wait()

        call = buyer.trading.EnterOrders(endless())
        ids = []
        for _ in range(answered):
            answer = await call.read()
            assert isinstance(answer, pb.EnterOrdersResponse)
            ids.append(answer.placed.order.order_id)
        call.cancel()
        for order_id in ids:
            assert (await floor.order(buyer, order_id)).remaining_quantity == 1
        async with asyncio.timeout(10):
            while await open_streams(floor) > before:
                pass
        await buyer.cancel_all()
    assert [
        record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")
    ] == []


async def open_streams(floor: Venue) -> int:
    operator = await floor.operator()
    return (await operator.admin.GetServerStatus(admin_pb2.GetServerStatusRequest())).streams
