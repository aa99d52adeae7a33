"""One game with every way for a price to form, under random load: players, a source of prices, operators
who publish news and undo trades, and a server that is killed half way. In the end the ledger is whole.

`pytest tests/e2e/test_every_mechanism.py --load-seconds 600 --log-cli-level INFO` for long.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import pytest
from bearpit.client import BearpitError, Client, connect
from bearpit.v1 import admin_pb2, pricing_pb2, rollbacks_pb2, windows_pb2
from bearpit.v1 import trading_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from tests.e2e.outages import make_player, serving, signed_in, site
from tests.orders import BUY, OPEN, SELL
from tests.postgres import Postgres
from tests.venue import PASSWORD

logger = logging.getLogger(__name__)

BOOKS = ("ACME", "BOLT")
FEEDS = ("GOLD", "OIL", "WHEAT")
PUSHED = ("RAIN",)
POOLS = ("OCEAN", "FOREST", "DESERT", "SNOW")
STORY = ("RONIN", "KAPPA", "ONI")
EVERYTHING = BOOKS + FEEDS + PUSHED + POOLS + STORY
PLAYERS = ("ada", "bob", "cyd", "dot", "eve", "fay")
PATIENT = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
EVERY_SECONDS = 10
"""From one chapter to the next."""


def refusable(error: BearpitError) -> bool:
    """Whether a random wish may be refused so: with a reason of its own, or because the server is away."""
    return error.code in PATIENT or error.reason not in ("", "INTERNAL", "NOT_SIGNED_IN")


class Crowd:
    """Everybody who is busy in the game, until the time is over."""

    def __init__(self, address: str, seconds: float, seed: int) -> None:
        self.address = address
        self.until = monotonic() + seconds
        self.refused: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self._seed = seed

    async def play(self, name: str) -> None:
        """A player who trades whatever there is, and looks at something all the while."""
        chance = random.Random(f"{self._seed}:{name}")
        async with signed_in(self.address, name) as client:
            while monotonic() < self.until:
                looking = asyncio.ensure_future(self._look(client, chance.choice(EVERYTHING)))
                for _ in range(chance.randint(3, 12)):
                    await self._attempt("order", self._act(client, chance))
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)

    async def push(self) -> None:
        """A source of prices that is wrong now and then."""
        chance = random.Random(f"{self._seed}:push")
        async with signed_in(self.address) as client:
            while monotonic() < self.until:
                await self._attempt("push", client.push_prices(self._prices(chance)))

    async def operate(self) -> None:
        """An operator who publishes news, changes parameters, and takes trades back."""
        chance = random.Random(f"{self._seed}:operate")
        async with signed_in(self.address) as client:
            while monotonic() < self.until:
                await self._attempt("news", self._publish(client, chance))
                await self._attempt("parameters", self._change(client, chance))
                await self._attempt("rollback", self._undo(client, chance))
                await asyncio.sleep(0.3)

    async def _attempt(self, what: str, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
            self.done[what] += 1
        except BearpitError as error:
            if not refusable(error):
                raise
            self.refused[f"{what}: {error.reason or error.code.name}"] += 1
            if error.code in PATIENT:
                await asyncio.sleep(0.1)

    @staticmethod
    async def _look(client: Client, symbol: str) -> None:
        async for _ in client.stream_book(symbol, 1):
            pass

    async def _act(self, client: Client, chance: random.Random) -> None:
        if chance.random() < 0.1:
            await client.cancel_all(chance.choice(EVERYTHING))
            return
        symbol = chance.choice(EVERYTHING)
        spec = pb.OrderSpec(symbol=symbol, side=chance.choice((BUY, SELL)), quantity=chance.randint(1, 40))
        kind = chance.random()
        if kind < 0.4:
            spec.type = pb.ORDER_TYPE_MARKET
        else:
            spec.type = pb.ORDER_TYPE_LIMIT
            spec.price_cents = round(10_000 * chance.uniform(0.9, 1.1))
            spec.time_in_force = chance.choice(
                (pb.TIME_IN_FORCE_GTC, pb.TIME_IN_FORCE_IOC, pb.TIME_IN_FORCE_FOK)
            )
        if kind > 0.9:
            spec.type = pb.ORDER_TYPE_STOP
            spec.stop_price_cents, spec.price_cents = spec.price_cents, 0
            spec.time_in_force = pb.TIME_IN_FORCE_GTC
        placed = await client.place(spec)
        self.done[f"filled {symbol}"] += bool(placed.order.filled_quantity)

    async def _prices(self, chance: random.Random) -> AsyncIterator[pricing_pb2.PushPricesRequest]:
        for _ in range(20):
            late = timedelta(seconds=chance.choice((0, 0, 0, 0, 300)))
            price = round(10_000 * chance.choice((1, 1, 1, 5)) * chance.uniform(0.95, 1.05))
            yield pricing_pb2.PushPricesRequest(symbol=PUSHED[0], price_cents=price, at=_at(-late))
            await asyncio.sleep(0.05)

    async def _publish(self, client: Client, chance: random.Random) -> None:
        await client.pricing.PublishNews(
            pricing_pb2.PublishNewsRequest(
                text="something has happened", symbols=[chance.choice(FEEDS)],
                drift_bps=chance.randint(-2_000, 2_000), lifetime_seconds=2,
            )
        )  # fmt: skip

    async def _change(self, client: Client, chance: random.Random) -> None:
        parameters = {"share_bps": str(chance.choice((500, 2_500, 10_000)))}
        await client.pricing.UpdateGroup(pricing_pb2.UpdateGroupRequest(name="pools", parameters=parameters))

    async def _undo(self, client: Client, chance: random.Random) -> None:
        policy = chance.choice(
            (
                rollbacks_pb2.SHORTAGE_POLICY_REFUSE,
                rollbacks_pb2.SHORTAGE_POLICY_DEBT,
                rollbacks_pb2.SHORTAGE_POLICY_HOUSE,
            )
        )
        if chance.random() < 0.5:
            request = admin_pb2.ListPlayerTradesRequest(page_size=50)
            trades = (await client.admin.ListPlayerTrades(request)).trades
            if not trades:
                return
            wanted = rollbacks_pb2.RequestRollbackRequest(
                level=rollbacks_pb2.ROLLBACK_LEVEL_TRADE, trade_id=chance.choice(trades).trade.trade_id
            )
        else:
            wanted = rollbacks_pb2.RequestRollbackRequest(
                level=rollbacks_pb2.ROLLBACK_LEVEL_PLAYER, player=chance.choice(PLAYERS),
                since=_at(timedelta(seconds=-chance.randint(1, 4))),
            )  # fmt: skip
        wanted.policy, wanted.reason = policy, "a test of undoing"
        await client.rollbacks.RequestRollback(wanted)


def _at(offset: timedelta) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(datetime.now(UTC) + offset)
    return made


async def furnish(operator: Client) -> None:
    """Every kind of instrument, all near 100 points; players with something of each; chapters that go on."""
    pricing = operator.pricing
    await pricing.CreateGroup(
        pricing_pb2.CreateGroupRequest(
            name="goods", mechanism="feed", parameters={"interval_ms": "200", "common_volatility_bps": "200"}
        )
    )
    await pricing.CreateGroup(
        pricing_pb2.CreateGroupRequest(name="weather", mechanism="feed", parameters={"source": "pushed"})
    )
    await pricing.CreateGroup(pricing_pb2.CreateGroupRequest(name="pools", mechanism="attention"))
    kinds: list[tuple[tuple[str, ...], str, str, dict[str, str]]] = [
        (BOOKS, "", "", {}),
        (FEEDS, "feed", "goods", {"spread_bps": "20", "inventory": "100000"}),
        (PUSHED, "feed", "weather", {}),
        (POOLS, "attention", "pools", {"shares": "10000", "cash_cents": "100000000"}),
        (STORY, "window", "", {"price_cents": "10000"}),
    ]
    for symbols, mechanism, group, parameters in kinds:
        for symbol in symbols:
            await operator.admin.CreateInstrument(
                admin_pb2.CreateInstrumentRequest(
                    symbol=symbol, name=symbol, fee_bps=10, mechanism=mechanism, group=group,
                    parameters=parameters, reference_price_cents=0 if mechanism else 10_000,
                )
            )  # fmt: skip
    await operator.admin.SetMarketOverride(admin_pb2.SetMarketOverrideRequest(override=OPEN))
    for name in PLAYERS:
        await make_player(operator, name, BOOKS, shares=2_000)
    await operator.windows.CreateWindow(
        windows_pb2.CreateWindowRequest(
            title="A chapter", kind=windows_pb2.WINDOW_KIND_CHAPTER, scheduled=True,
            times=windows_pb2.WindowTimes(
                opens_at=_at(timedelta(seconds=1)), trades_at=_at(timedelta(seconds=2)),
                trading_ends_at=_at(timedelta(seconds=7)), settles_at=_at(timedelta(seconds=7.5)),
                closes_at=_at(timedelta(seconds=8)),
            ),
            recurrence=f"FREQ=SECONDLY;INTERVAL={EVERY_SECONDS}",
        )
    )  # fmt: skip


async def settled_windows(operator: Client) -> int:
    request = windows_pb2.ListWindowsRequest(page_size=1_000)
    over = (windows_pb2.WINDOW_STATE_SETTLED, windows_pb2.WINDOW_STATE_CLOSED)
    return sum(window.state in over for window in (await operator.windows.ListWindows(request)).windows)


@pytest.mark.timeout(900)
async def test_a_game_with_every_mechanism_under_load_and_a_crash_leaves_the_ledger_whole(
    postgres: Postgres, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seconds = request.config.getoption("--load-seconds", 20)
    seed = request.config.getoption("--crash-seed", 1)
    with site(postgres, tmp_path) as place:
        async with serving(place.server()) as server:
            async with connect(server.address) as operator:
                await operator.sign_in("operator", PASSWORD)
                await furnish(operator)
            crowd = Crowd(server.address, seconds, seed)
            async with asyncio.TaskGroup() as tasks:
                for name in PLAYERS:
                    tasks.create_task(crowd.play(name))
                tasks.create_task(crowd.push())
                tasks.create_task(crowd.operate())
                await asyncio.sleep(seconds / 2)
                server.kill()
                await server.start()
            async with signed_in(server.address) as operator:
                settled = await settled_windows(operator)
            server.stop()
        place.prove()
    told = f"done {crowd.done}, refused {crowd.refused}, {settled} windows settled"
    logger.info(told)
    for symbols in (BOOKS, FEEDS, PUSHED, POOLS, STORY):
        assert any(crowd.done[f"filled {symbol}"] for symbol in symbols), f"nobody traded {symbols}: {told}"
    assert crowd.done["rollback"], told
    assert crowd.done["news"], told
    assert settled, told
