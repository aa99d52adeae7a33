"""Headlines: seen when they come out and not before, and what they do to prices."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from bearpit.client import Client
from bearpit.v1 import market_pb2, pricing_pb2
from bearpit_server.storage.models import Event
from google.protobuf.timestamp_pb2 import Timestamp

from tests.integration.floor import SHARED
from tests.integration.prices import Time, begin, engine, group, instrument, step, stopped
from tests.postgres import Postgres
from tests.venue import Venue, refused, serving, venue


@pytest.fixture(name="time")
def make_time() -> Iterator[Time]:
    with stopped() as time:
        yield time


@pytest.fixture(name="floor")
async def make_floor(postgres: Postgres, time: Time) -> AsyncIterator[Venue]:
    """An open market whose prices stand still but for news."""
    async with venue(postgres) as made:
        await group(made, "sim")
        for symbol in ("OIL", "TEA"):
            await instrument(made, symbol, group="sim", volatility_bps=0)
        await instrument(made, "BOOK", "order_book")
        await begin(made, time)
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def editor(shared_floor: Venue) -> Client:
    """The operator of a floor that all headlines share which never come out."""
    await instrument(shared_floor, "BOOK", "order_book")
    return await shared_floor.operator()


async def publish(floor: Venue, text: str, at: datetime | None = None, **more: Any) -> market_pb2.Headline:
    operator = await floor.operator()
    request = pricing_pb2.PublishNewsRequest(text=text, **more)
    if at is not None:
        request.publish_at.CopyFrom(stamp(at))
    return (await operator.pricing.PublishNews(request)).headline


def stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


async def status(client: Client) -> list[str]:
    found = await client.market.GetMarketStatus(market_pb2.GetMarketStatusRequest())
    return [made.text for made in found.status.headlines]


async def listed(client: Client, **more: Any) -> list[market_pb2.Headline]:
    return list((await client.pricing.ListNews(pricing_pb2.ListNewsRequest(**more))).headlines)


async def price(floor: Venue, symbol: str) -> int:
    return (await floor.quote(symbol)).last_cents


def events(floor: Venue, kind: str) -> int:
    with floor.database.transaction():
        return int(Event.select().where(Event.type == kind).count())


async def test_news_move_the_prices_that_they_name_and_no_others(floor: Venue, time: Time) -> None:
    await publish(floor, "Oil is short", symbols=["OIL"], drift_bps=1_000, lifetime_seconds=10)
    for _ in range(5):
        await step(floor, time)
    assert 10_400 < await price(floor, "OIL") < 10_600, "half of it, after half of the time"
    for _ in range(8):
        await step(floor, time)
    assert (await price(floor, "OIL"), await price(floor, "TEA")) == (11_000, 10_000)


async def test_everybody_sees_a_headline_and_only_operators_what_it_does(floor: Venue) -> None:
    ada, operator = await floor.trader(), await floor.operator()
    made = await publish(floor, "Oil is short", symbols=["OIL"], drift_bps=1_000)
    assert (made.drift_bps, made.volatility_bps, list(made.symbols)) == (1_000, 10_000, ["OIL"])
    assert made.ends_at.seconds - made.published_at.seconds == 60
    assert await status(ada) == ["Oil is short"]
    [seen] = await listed(ada)
    assert (seen.text, seen.drift_bps, seen.volatility_bps) == ("Oil is short", 0, 0)
    [seen] = await listed(operator)
    assert seen.drift_bps == 1_000


async def test_a_scheduled_headline_comes_out_when_its_time_has_come(floor: Venue, time: Time) -> None:
    ada, operator = await floor.trader(), await floor.operator()
    later = time.now + timedelta(seconds=30)
    await publish(floor, "Tea is banned", later, symbols=["TEA"], drift_bps=-5_000, lifetime_seconds=1)
    assert (await status(ada), await listed(ada)) == ([], [])
    assert [made.text for made in await listed(operator)] == ["Tea is banned"]
    stream = ada.market.StreamStatus(market_pb2.StreamStatusRequest())
    async with asyncio.timeout(10):
        frames = aiter(stream)
        assert not (await anext(frames)).snapshot.headlines
        await step(floor, time, 29)
        assert await price(floor, "TEA") == 10_000
        await step(floor, time, 1)
        await engine(floor).prices.tell_news()
        async for frame in frames:
            if frame.update.headlines:
                break
        assert [made.text for made in frame.update.headlines] == ["Tea is banned"]
        for _ in range(3):
            await step(floor, time)
    assert await price(floor, "TEA") == 5_000
    assert (events(floor, "news.scheduled"), events(floor, "news.published")) == (1, 1)


async def test_of_two_servers_only_one_tells_it_and_players_of_both_hear_it(floor: Venue, time: Time) -> None:
    async with serving(floor.database) as other:
        eve = await other.sign_in("operator")
        await publish(floor, "Tea is banned", time.now + timedelta(seconds=30))
        await engine(other).refresh()
        stream = aiter(eve.market.StreamStatus(market_pb2.StreamStatusRequest()))
        async with asyncio.timeout(10):
            await anext(stream)
            time.pass_by(31)
            await asyncio.gather(*(engine(one).prices.tell_news() for one in (floor, other, floor, other)))
            while True:
                if (await anext(stream)).update.headlines:
                    break
        assert events(floor, "news.published") == 1
        assert await status(await floor.operator()) == ["Tea is banned"]


async def test_what_is_published_on_one_server_is_seen_on_another(floor: Venue) -> None:
    async with serving(floor.database) as other:
        eve = await other.sign_in("operator")
        stream = aiter(eve.market.StreamStatus(market_pb2.StreamStatusRequest()))
        async with asyncio.timeout(10):
            await anext(stream)
            await publish(floor, "Now")
            while True:
                if (await anext(stream)).update.headlines:
                    break


async def test_a_withdrawn_headline_never_comes_out(floor: Venue, time: Time) -> None:
    operator, ada = await floor.operator(), await floor.trader()
    made = await publish(floor, "Oil!", time.now + timedelta(seconds=5), symbols=["OIL"], drift_bps=9_000)
    request = pricing_pb2.WithdrawNewsRequest(news_id=made.news_id)
    assert (await operator.pricing.WithdrawNews(request)).headline.withdrawn
    for _ in range(70):
        await step(floor, time)
    await engine(floor).prices.tell_news()
    assert (await status(ada), await listed(ada)) == ([], [])
    assert await price(floor, "OIL") == 10_000
    assert (await refused(operator.pricing.WithdrawNews(request))).reason == "NOT_POSSIBLE_NOW"
    missing = pricing_pb2.WithdrawNewsRequest(news_id=99)
    assert (await refused(operator.pricing.WithdrawNews(missing))).reason == "NOT_FOUND"


async def test_withdrawing_what_is_out_ends_its_effect_there(floor: Venue, time: Time) -> None:
    operator, ada = await floor.operator(), await floor.trader()
    made = await publish(floor, "Oil!", symbols=["OIL"], drift_bps=2_100, lifetime_seconds=10)
    for _ in range(5):
        await step(floor, time)
    assert await price(floor, "OIL") == 11_000, "the half of it, as a factor"
    request = pricing_pb2.WithdrawNewsRequest(news_id=made.news_id)
    ended = (await operator.pricing.WithdrawNews(request)).headline
    assert (ended.withdrawn, ended.ends_at.seconds) == (False, int(time.now.timestamp()))
    for _ in range(8):
        await step(floor, time)
    assert await price(floor, "OIL") == 11_000
    assert await status(ada) == ["Oil!"], "what was read stays read"


@pytest.mark.parametrize(
    "more",
    [
        {"text": ""},
        {"text": "x" * 141},
        {"text": "two\nlines"},
        {"symbols": ["BOOK"]},
        {"drift_bps": -9_001},
        {"drift_bps": 50_001},
        {"volatility_bps": 100_001},
        {"volatility_bps": -1},
        {"lifetime_seconds": -1},
        {"lifetime_seconds": 2**62},
        {"publish_at": Timestamp(seconds=5)},
    ],
)
@SHARED
async def test_a_headline_within_bounds(editor: Client, more: dict[str, Any]) -> None:
    request = pricing_pb2.PublishNewsRequest(**{"text": "x"} | more)
    assert (await refused(editor.pricing.PublishNews(request))).reason == "INVALID_FIELD"
    unknown = pricing_pb2.PublishNewsRequest(text="x", symbols=["NONE"])
    assert (await refused(editor.pricing.PublishNews(unknown))).reason == "NOT_FOUND"
    assert not await listed(editor)


async def test_headlines_come_newest_first_in_pages(floor: Venue, time: Time) -> None:
    operator, ada = await floor.operator(), await floor.trader()
    for number in range(25):
        await publish(floor, f"n{number}")
        if number % 3:
            time.pass_by(1)
    await publish(floor, "to come", time.now + timedelta(seconds=100))
    assert await status(ada) == [f"n{number}" for number in range(24, 4, -1)]
    for client, first in ((ada, []), (operator, ["to come"])):
        found, token = [], ""
        while True:
            request = pricing_pb2.ListNewsRequest(page_size=7, page_token=token)
            answer = await client.pricing.ListNews(request)
            found += [made.text for made in answer.headlines]
            token = answer.next_page_token
            if not token:
                break
        assert found == first + [f"n{number}" for number in range(24, -1, -1)]
