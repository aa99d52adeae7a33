"""A redistribution over a thousand pools: what it costs, and whether it comes on time while orders do.

`python -m tests.bench.attention_tick` prints what `run` returns. A step is timed from its command to its
commit, on a server that has nothing else to do: processor, database and the waiting between them. Then the
same pools are redistributed every half second beside a flood of orders, and the steps are counted.
"""

import asyncio
import random
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from bearpit.client import Client, connect
from bearpit.v1 import pricing_pb2
from bearpit_server.bootstrap import serve
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.exchange.answers import Answer
from bearpit_server.exchange.commands import Step
from bearpit_server.game.trading import instruments, market, pricing
from bearpit_server.game.trading.instruments import Listing
from bearpit_server.identity.passwords import Passwords
from bearpit_server.rules.sessions import Override
from bearpit_server.storage.database import Database

from tests.bench.arena import opened
from tests.bench.load import child
from tests.postgres import Postgres
from tests.venue import OPERATOR, PASSWORD, QUICK, prepare, prove

POOLS = 1_000
TICKS = 60
WARM_UP = 10
INTERVAL_MS = 500
LOOKED_AT = 20
"""Pools that somebody has open while the orders come."""
WARM_UP_SECONDS = 5
"""In which statements are planned and tables grow from nothing: a step may take 120 ms then."""
SECONDS = 30
IN_FLIGHT = 128
COST_TARGET_MS = 50.0
ON_TIME_TARGET = 0.99

Measurement = dict[str, object]


def run() -> list[Measurement]:
    """Both figures; each proves its ledger."""
    return [asyncio.run(_cost()), _on_time()]


def _pools(interval_ms: int) -> None:
    pricing.create("pools", "attention", {"interval_ms": str(interval_ms)}, HOUSE_ORIGIN)
    for number in range(POOLS):
        instruments.create(
            Listing(f"P{number}", f"Pool {number}", 1, 1, 1, 0, 0, 0, 0, "attention", "pools"), HOUSE_ORIGIN
        )


async def _cost() -> Measurement:
    with _furnished() as database:
        async with serve(database, "127.0.0.1:0", passwords=Passwords(QUICK)) as running:
            engine = running.engine
            ids = [listing.id for listing in running.exchange.instruments.values()]
            group_id = next(iter(engine.pricing.groups))
            choose = random.Random(7)
            took = []
            for _ in range(WARM_UP + TICKS):
                answer: Answer[None] = Answer(asyncio.get_running_loop())
                scores = {id_: choose.randint(1, 1_000) for id_ in choose.sample(ids, POOLS // 2)}
                began = perf_counter()
                engine.put(Step(group_id, scores, answer))
                await answer.wait()
                took.append((perf_counter() - began) * 1_000)
        prove(database)
    took = took[WARM_UP:]
    value = median(took)
    return {
        "name": "attention_tick",
        "value": round(value, 1),
        "unit": "ms",
        "yardstick": 1.0,
        "ratio": round(value, 1),
        "target": COST_TARGET_MS,
        "met": value <= COST_TARGET_MS,
        "detail": f"{POOLS} pools, half of them looked at, from command to commit; median of {TICKS}, "
        f"95 % within {quantiles(took, n=20)[-1]:.0f} ms; the yardstick is a millisecond",
    }


@contextmanager
def _furnished() -> Iterator[Database]:
    """A database with the pools, which make no steps by themselves, and an open market."""
    with tempfile.TemporaryDirectory(prefix="bearpit-bench-") as name:
        postgres = Postgres(Path(name) / "postgres")
        try:
            with postgres.database() as database:
                prepare(database)
                with database.transaction():
                    _pools(3_600_000)
                    market.set_override(Override.OPEN, HOUSE_ORIGIN)
                yield database
        finally:
            postgres.stop()


def _on_time() -> Measurement:
    with opened(lambda: _pools(INTERVAL_MS)) as arena, child() as load:
        with asyncio.Runner() as runner:
            stack = runner.run(_watch(arena.server.address))
            load.ask(**arena.job("unary", seconds=WARM_UP_SECONDS, in_flight=IN_FLIGHT))
            before, late_before = runner.run(_steps(arena.server.address))
            began = perf_counter()
            figures = load.ask(**arena.job("unary", seconds=SECONDS, in_flight=IN_FLIGHT))
            seconds = perf_counter() - began
            after, late_after = runner.run(_steps(arena.server.address))
            late = late_after - late_before
            runner.run(stack.aclose())
        proved = arena.prove()
    due = int(seconds * 1_000 / INTERVAL_MS)
    value = min(1.0, (after - before - late) / due)
    return {
        "name": "attention_on_time",
        "value": round(value, 4),
        "unit": "of steps",
        "yardstick": 1.0,
        "ratio": round(value, 4),
        "target": ON_TIME_TARGET,
        "met": value >= ON_TIME_TARGET,
        "detail": f"{due} steps due in {seconds:.0f} s, {after - before} made, {late} of them committed "
        f"more than 100 ms, a frame of prices, after their time; beside {figures['per_second']:.0f} "
        f"orders/s, {IN_FLIGHT} in flight; {proved}",
    }


async def _watch(address: str) -> AsyncExitStack:
    """Somebody who has some pools' books open; closing the stack ends it."""
    stack = AsyncExitStack()
    client = await stack.enter_async_context(connect(address))
    await client.sign_in(OPERATOR, PASSWORD)
    player = await stack.enter_async_context(connect(address))
    await player.register("watcher", PASSWORD)
    watching = [asyncio.ensure_future(_look(player, f"P{number}")) for number in range(LOOKED_AT)]

    async def end() -> None:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)

    stack.push_async_callback(end)
    return stack


async def _look(client: Client, symbol: str) -> None:
    async for _ in client.stream_book(symbol, 1):
        pass


async def _steps(address: str) -> tuple[int, int]:
    """How many steps the group has made, and how many of them since the server's start were late."""
    async with connect(address) as client:
        await client.sign_in(OPERATOR, PASSWORD)
        [group] = (await client.pricing.ListGroups(pricing_pb2.ListGroupsRequest())).groups
    return group.steps, group.late_steps


if __name__ == "__main__":
    for measurement in run():
        print(measurement)
