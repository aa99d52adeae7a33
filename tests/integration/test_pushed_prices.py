"""Prices that another service pushes: taken or refused one by one, and every refusal counted."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import grpc
import pytest
from bearpit.v1 import admin_pb2, pricing_pb2
from bearpit_server.storage.models import Group

from tests.integration.prices import (
    Time,
    group,
    groups,
    instrument,
    marks,
    push,
    pushed,
    service,
    stopped,
)
from tests.postgres import Postgres
from tests.venue import Venue, refused, venue


@pytest.fixture(name="time")
def make_time() -> Iterator[Time]:
    with stopped() as time:
        yield time


@pytest.fixture(name="floor")
async def make_floor(postgres: Postgres, time: Time) -> AsyncIterator[Venue]:
    """An open market, two instruments of one wire, and one that nobody pushes."""
    async with venue(postgres) as made:
        await made.open_market()
        await group(made, "wire", source="pushed", band_bps=1_000, max_age_ms=10_000)
        for symbol in ("GOLD", "IRON"):
            await instrument(made, symbol, group="wire", price_cents=10_000)
        await instrument(made, "SIM", volatility_bps=0)
        await instrument(made, "BOOK", "order_book")
        yield made


async def test_each_price_is_taken_or_refused_and_counted(floor: Venue, time: Time) -> None:
    ticker = await service(floor, "prices.push")
    at, second = time.now, timedelta(seconds=1)
    answer = await push(
        ticker,
        ("GOLD", 10_000, at - 5 * second),
        ("GOLD", 10_400, at - 4 * second),
        ("GOLD", 10_500, at - 4 * second),  # not newer
        ("GOLD", 15_000, at - 3 * second),  # absurd
        ("IRON", 9_000, at - 11 * second),  # stale
        ("GOLD", 0, at),
        ("GOLD", 10_400, at + 60 * second),  # of the future
        ("NONE", 10_000, at),
        ("SIM", 10_000, at),
        ("BOOK", 10_000, at),
        ("IRON", 9_000, at - 9 * second),
    )
    assert answer.accepted == 3
    assert dict(answer.refused) == {
        "PRICE_OUT_OF_ORDER": 1, "PRICE_ABSURD": 1, "PRICE_STALE": 1, "INVALID_FIELD": 2, "NOT_FOUND": 1,
        "NOT_POSSIBLE_NOW": 2,
    }  # fmt: skip
    assert len(answer.messages) == 8
    assert "9360 to 11440" in answer.messages[1]
    shown = await groups(floor)
    assert dict(shown["wire"].refused) == {
        "PRICE_OUT_OF_ORDER": 1, "PRICE_ABSURD": 1, "PRICE_STALE": 1, "INVALID_FIELD": 2,
    }  # fmt: skip
    assert dict(shown["SIM"].refused) == {"NOT_POSSIBLE_NOW": 1}
    assert (marks(floor, "GOLD"), marks(floor, "IRON")) == ([10_000, 10_400], [9_000])
    assert (await floor.quote("GOLD")).last_cents == 10_400
    assert (await push(ticker, ("GOLD", 20_000, at))).refused == {"PRICE_ABSURD": 1}
    assert (await groups(floor))["wire"].refused["PRICE_ABSURD"] == 2, "they add up"


async def test_only_the_first_refusals_are_told_in_words(floor: Venue, time: Time) -> None:
    answer = await push(await floor.operator(), *[("GOLD", 0, time.now)] * 250)
    assert (answer.refused["INVALID_FIELD"], len(answer.messages)) == (250, 20)
    assert (await groups(floor))["wire"].refused == {"INVALID_FIELD": 250}


async def test_prices_pushed_at_once_are_all_kept(floor: Venue, time: Time) -> None:
    """Two streams of one group, whose steps would share a transaction."""
    ticker = await service(floor, "prices.push")
    many = [timedelta(milliseconds=ms) for ms in range(40)]
    gold = [("GOLD", 10_000 + place, time.now + late) for place, late in enumerate(many)]
    iron = [("IRON", 10_000 - place, time.now + late) for place, late in enumerate(many)]
    answers = await asyncio.gather(push(ticker, *gold), push(ticker, *iron))
    assert [answer.accepted for answer in answers] == [40, 40]
    assert marks(floor, "GOLD") == [cents for _, cents, _ in gold]
    assert marks(floor, "IRON") == [cents for _, cents, _ in iron]
    assert (await groups(floor))["wire"].steps == 80
    with floor.database.transaction():
        memory = Group.get(Group.name == "wire").memory["members"]
    assert sorted(last["price_cents"] for last in memory.values()) == [9_961, 10_039]


async def test_a_stream_that_dies_half_way_has_counted(floor: Venue, time: Time) -> None:
    ticker = await service(floor, "prices.push")
    sent = asyncio.Event()

    async def requests() -> AsyncIterator[pricing_pb2.PushPricesRequest]:
        yield pushed("GOLD", 0, time.now)
        yield pushed("GOLD", 10_100, time.now)
        sent.set()
        await asyncio.Event().wait()

    call = ticker.pricing.PushPrices(requests())
    async with asyncio.timeout(10):
        await sent.wait()
        while not marks(floor, "GOLD"):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)
        call.cancel()
        while not (await groups(floor))["wire"].refused:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (await groups(floor))["wire"].refused == {"INVALID_FIELD": 1}


async def test_a_stream_ends_when_its_token_is_revoked(floor: Venue, time: Time) -> None:
    ticker = await service(floor, "prices.push")

    async def requests() -> AsyncIterator[pricing_pb2.PushPricesRequest]:
        yield pushed("GOLD", 10_100, time.now)
        await asyncio.Event().wait()

    call = asyncio.ensure_future(_answer(ticker.pricing.PushPrices(requests())))
    async with asyncio.timeout(10):
        while not marks(floor, "GOLD"):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)
        operator = await floor.operator()
        await operator.admin.RevokeServiceToken(admin_pb2.RevokeServiceTokenRequest(name="svc.prices.push"))
        error = await refused(call)
    assert error.code is grpc.StatusCode.UNAUTHENTICATED


async def test_players_and_other_services_push_nothing(floor: Venue, time: Time) -> None:
    for client in (await floor.trader(), await service(floor, "market.read", "admin.read")):
        error = await refused(push(client, ("GOLD", 10_000, time.now)))
        assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert marks(floor, "GOLD") == []


async def _answer(call: object) -> pricing_pb2.PushPricesResponse:
    return await call  # type: ignore[misc, no-any-return]
