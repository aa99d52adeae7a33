"""Pools that the players' looks move: what counts as a look, what it moves, and dealing with a pool."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from bearpit.client import Client
from bearpit.v1 import market_pb2, pricing_pb2

from tests.integration.prices import (
    Time,
    begin,
    change,
    change_group,
    engine,
    group,
    instrument,
    service,
    step,
    stopped,
    till,
)
from tests.orders import CLOSED, FILLED, buy, sell, traded
from tests.postgres import Postgres
from tests.venue import Venue, refused, venue

CASH = 10_000_000


@pytest.fixture(name="time")
def make_time() -> Iterator[Time]:
    with stopped() as time:
        yield time


@pytest.fixture(name="floor")
async def make_floor(postgres: Postgres, time: Time) -> AsyncIterator[Venue]:
    """Three pools of a group, of 100 points a share."""
    async with venue(postgres) as made:
        await group(made, "eyes", "attention", share_bps=1_000, floor_cents=0)
        for symbol in ("CAT", "DOG", "EEL"):
            await instrument(made, symbol, "attention", group="eyes", shares=1_000, cash_cents=CASH)
        await begin(made, time)
        yield made


async def pools(floor: Venue) -> list[int]:
    return [till(floor, symbol)[0] for symbol in ("CAT", "DOG", "EEL")]


async def scores(floor: Venue, client: Client | None = None) -> dict[str, int]:
    client = client or await floor.operator()
    found = await client.pricing.GetAttention(pricing_pb2.GetAttentionRequest())
    return {one.symbol: one.score for one in found.instruments}


async def watch(client: Client, symbol: str) -> AsyncIterator[market_pb2.StreamBookResponse]:
    """A subscription that is open."""
    stream = aiter(client.market.StreamBook(market_pb2.StreamBookRequest(symbol=symbol)))
    await anext(stream)
    return stream


async def look_up(client: Client, symbol: str) -> None:
    await client.market.GetInstrument(market_pb2.GetInstrumentRequest(symbol=symbol))


async def test_a_pool_begins_with_its_shares_and_its_cash(floor: Venue) -> None:
    assert till(floor, "CAT") == (CASH, 1_000)
    quote = await floor.quote("CAT")
    assert (quote.last_cents, quote.phase) == (10_000, market_pb2.PHASE_OPEN)
    assert floor.rows("SELECT count(*) FROM postings WHERE reason = 'pool'") == [(6,)]


async def test_cash_flows_to_where_players_look_and_none_is_lost(floor: Venue, time: Time) -> None:
    ada, bob = await floor.trader(), await floor.trader()
    streams = [await watch(ada, "CAT"), await watch(bob, "CAT"), await watch(bob, "DOG")]
    await step(floor, time)
    after = await pools(floor)
    assert sum(after) == 3 * CASH
    # A tenth of all is given out by 1,000 points and twice 500: three quarters to the cat.
    assert after == [9_000_000 + 2_250_000, 9_000_000 + 750_000, 9_000_000]
    assert (await floor.quote("CAT")).last_cents == 11_250
    for _ in range(20):
        await step(floor, time)
        assert sum(await pools(floor)) == 3 * CASH
    assert len(streams) == 3


async def test_ten_streams_of_a_player_are_one_look(floor: Venue) -> None:
    ada, bob = await floor.trader(), await floor.trader()
    streams = [await watch(ada, "CAT") for _ in range(10)] + [await watch(bob, "DOG")]
    trades = aiter(ada.market.StreamTrades(market_pb2.StreamTradesRequest(symbol="CAT")))
    await anext(trades)
    for _ in range(10):
        await look_up(ada, "CAT")
    assert await scores(floor) == {"CAT": 1_000, "DOG": 1_000, "EEL": 0}
    assert len(streams) == 11


async def test_a_look_ends_with_its_stream(floor: Venue) -> None:
    ada = await floor.trader()
    stream = ada.market.StreamBook(market_pb2.StreamBookRequest(symbol="CAT"))
    frames = aiter(stream)
    await anext(frames)
    assert (await scores(floor))["CAT"] == 1_000
    stream.cancel()
    async with asyncio.timeout(10):
        while (await scores(floor))["CAT"]:  # noqa: ASYNC110 - gRPC notices by and by
            await asyncio.sleep(0.01)


async def test_glances_count_and_fade_and_are_used_up(floor: Venue, time: Time) -> None:
    ada = await floor.trader()
    await look_up(ada, "CAT")
    assert await scores(floor) == {"CAT": 1_000, "DOG": 0, "EEL": 0}
    time.pass_by(0.25)
    await ada.market.GetBook(market_pb2.GetBookRequest(symbol="DOG"))
    await ada.market.ListCandles(market_pb2.ListCandlesRequest(symbol="DOG", period=market_pb2.PERIOD_1M))
    seen = await scores(floor)
    assert seen["CAT"] < seen["DOG"] < 520
    await step(floor, time)
    assert await scores(floor) == {"CAT": 0, "DOG": 0, "EEL": 0}


async def test_a_search_that_finds_few_is_a_look_at_them(floor: Venue) -> None:
    ada = await floor.trader()

    async def search(text: str) -> list[str]:
        found = await ada.market.ListInstruments(market_pb2.ListInstrumentsRequest(search=text))
        return [one.symbol for one in found.instruments]

    assert await search("%") == []
    assert await search("_") == []
    assert await search("nothing") == []
    assert set((await scores(floor)).values()) == {0}
    assert await search("ca") == ["CAT"]
    assert await scores(floor) == {"CAT": 1_000, "DOG": 0, "EEL": 0}
    for number in range(4):
        await instrument(floor, f"CATS{number}", "order_book")
    assert len(await search("cAt")) == 5
    assert len(await search("")) == 7
    error = await refused(search("x" * 65))
    assert error.reason == "INVALID_FIELD"


async def test_operators_services_and_the_houses_bots_only_look_on(floor: Venue) -> None:
    bot, kiosk = await floor.player("house-maker-1"), await service(floor, "market.read")
    streams = [await watch(client, "CAT") for client in (await floor.operator(), bot, kiosk)]
    for client in (await floor.operator(), bot, kiosk):
        await look_up(client, "CAT")
        await client.market.ListInstruments(market_pb2.ListInstrumentsRequest(search="CAT"))
    assert set((await scores(floor)).values()) == {0}
    assert len(streams) == 3


async def test_everybody_sees_what_the_next_step_would_make(floor: Venue, time: Time) -> None:
    ada = await floor.trader()
    stream = await watch(ada, "CAT")
    request = pricing_pb2.GetAttentionRequest(group="eyes")
    seen = await ada.pricing.GetAttention(request)
    assert seen.group == "eyes"
    cat, dog, _ = seen.instruments
    assert (cat.symbol, cat.score, cat.share_bps, cat.price_cents) == ("CAT", 1_000, 10_000, 10_000)
    assert (cat.next_cents, dog.next_cents, cat.pool_cents) == (12_000, 9_000, CASH)
    assert seen.next_at.ToMilliseconds() > time.now.timestamp() * 1000
    await step(floor, time)
    quote = await floor.quote("CAT")
    assert quote.last_cents == cat.next_cents
    assert (quote.attention_bps, quote.priced_at_ms) == (10_000, int(time.now.timestamp() * 1000))
    assert quote.indicative_cents > quote.last_cents
    missing = pricing_pb2.GetAttentionRequest(group="none")
    assert (await refused(ada.pricing.GetAttention(missing))).reason == "NOT_FOUND"
    assert stream


async def test_an_instrument_tells_its_group_and_what_is_set_of_it(floor: Venue) -> None:
    operator = await floor.operator()
    listed = await operator.market.ListInstruments(market_pb2.ListInstrumentsRequest(search="CAT"))
    one = await operator.market.GetInstrument(market_pb2.GetInstrumentRequest(symbol="CAT"))
    for told in (*listed.instruments, one.instrument):
        assert (told.mechanism, told.group) == ("attention", "eyes")
        assert told.parameters["cash_cents"] == str(CASH)


async def test_nothing_moves_while_the_market_is_closed(floor: Venue, time: Time) -> None:
    stream = await watch(await floor.trader(), "CAT")
    await floor.set_market(CLOSED)
    await step(floor, time)
    assert await pools(floor) == [CASH] * 3
    assert not (await (await floor.operator()).pricing.GetAttention(
        pricing_pb2.GetAttentionRequest())).HasField("next_at")  # fmt: skip
    assert stream


# Dealing with a pool


async def test_an_order_moves_the_price_that_it_gets(floor: Venue) -> None:
    ada = await floor.trader(100_000_000)
    bought = await floor.place(ada, buy("CAT", 100, 20_000))
    assert traded(bought.fills) == [(11_112, 100)], "all of the cash, over what is left of the shares"
    assert till(floor, "CAT") == (CASH + 1_111_200, 900)
    assert (await floor.quote("CAT")).last_cents == 11_111
    await floor.place(ada, sell("CAT", 100))
    cash, shares = till(floor, "CAT")
    assert (cash >= CASH, shares) == (True, 1_000), "a round trip earns nothing"


async def test_an_order_waits_until_looks_have_moved_the_price(floor: Venue, time: Time) -> None:
    ada, bob = await floor.trader(100_000_000), await floor.trader()
    bid = (await floor.place(ada, buy("DOG", 10, 9_500))).order
    assert bid.filled_quantity == 0
    stream = await watch(bob, "CAT")
    await step(floor, time)
    await floor.settled()
    done = await floor.order(ada, bid.order_id)
    assert (done.status, done.held) == (FILLED, 0)
    assert done.filled_value_cents <= 95_000
    assert stream


async def test_a_pool_never_runs_dry(floor: Venue, time: Time) -> None:
    ada = await floor.trader(10**12)
    answer = await floor.place(ada, buy("CAT", 1_000, 10**9))
    assert answer.order.filled_quantity == 999, "the last share stays"
    assert (await refused(floor.place(ada, buy("CAT", 1_001, 10**9)))).reason == "INVENTORY_LIMIT"
    stream = await watch(await floor.trader(), "DOG")
    for _ in range(100):
        await step(floor, time)
    await floor.place(ada, sell("CAT", 999, 1))
    assert all(cash >= 1_000 for cash in await pools(floor)), "a cent a share, at the least"
    assert stream


async def test_a_pools_shares_and_first_cash_are_fixed(floor: Venue, time: Time) -> None:
    for key in ("shares", "cash_cents"):
        assert (await refused(change(floor, "CAT", **{key: 5_000}))).reason == "INVALID_FIELD"
    await change(floor, "CAT", shares=1_000)  # as it is
    stream = await watch(await floor.trader(), "CAT")
    await change_group(floor, "eyes", share_bps=0)
    await step(floor, time)
    assert await pools(floor) == [CASH] * 3
    await change_group(floor, "eyes", share_bps=5_000)
    await step(floor, time)
    assert await pools(floor) == [2 * CASH, CASH // 2, CASH // 2]
    assert stream


async def test_an_instrument_that_joins_has_its_share_of_attention(floor: Venue, time: Time) -> None:
    await instrument(floor, "FOX", "attention", group="eyes", shares=1_000, cash_cents=CASH)
    stream = await watch(await floor.trader(), "FOX")
    await step(floor, time)
    assert till(floor, "FOX")[0] == CASH + 3 * CASH // 10
    assert len(engine(floor).pricing.groups) == 1
    assert stream
