"""Ranks of a hundred thousand players, counted by a real server alone and while it takes orders.

`python -m tests.bench.ranks_refresh` prints what `run` returns; most of its time is the setting up. Players,
holdings and the trades that make the marks are made by SQL; of the postings that led to them there are those
of the players' first cash, which the first edition reads and no other. An edition is timed at the client,
from the request to the answer, which comes after the commit.

Orders are those of the `place_orders` benchmark. Those that are placed while ranks are counted again and
again, without a pause, are compared with those before and after, in turns; so are those that are placed
while ranks are counted once in so many seconds, as in a game.
"""

import asyncio
import threading
from statistics import median
from time import monotonic, perf_counter

from bearpit.client import Client, connect
from bearpit.v1 import ranks_pb2 as pb
from bearpit_server.storage.settings import store

from tests.bench.arena import Arena, opened
from tests.bench.load import BATCH, Child, child
from tests.venue import OPERATOR, PASSWORD

PLAYERS, INSTRUMENTS, HOLDINGS = 100_000, 100, 5
TRADES = 50
"""Of each instrument, by different pairs."""
TARGET_SECONDS = 1.0
RATE_TARGET = 0.8
ALONE, ROUNDS = 15, 3
SECONDS = 8
CALLS_IN_FLIGHT = 8

_PLAYERS = """
INSERT INTO teams (name, created_at) SELECT 'team' || n, now() FROM generate_series(1, 100) n;
INSERT INTO players (name, password_hash, created_at, team_id)
SELECT 'crowd' || n, '', now(), 1 + n % 100 FROM generate_series(1, {players}) n;
INSERT INTO instruments (symbol, name, mechanism, shard, tick_cents, lot, min_quantity, max_quantity, fee_bps,
    band_bps, reference_price_cents, created_at)
SELECT 'R' || n, 'R' || n, 'order_book', 0, 1, 1, 1, 1000000, 0, 0, 1000, now()
FROM generate_series(1, {instruments}) n;
INSERT INTO accounts (owner_id, asset, kind, balance)
SELECT id, 0, 'player', 1000000 + id * 7919 % 100003 FROM players WHERE name LIKE 'crowd%';
INSERT INTO postings (debit, credit, amount, debit_balance, credit_balance, reason, reference, actor_id,
    request_id, created_at)
SELECT 1, id, balance, 0, balance, 'grant', '', 0, '', now() FROM accounts WHERE kind = 'player' AND asset = 0
    AND owner_id IN (SELECT id FROM players WHERE name LIKE 'crowd%');
INSERT INTO accounts (owner_id, asset, kind, balance, cost_cents, realised_cents)
SELECT p.id, i.ids[1 + (p.id * 13 + k * 17) % {instruments}], 'player', 1 + p.id * 31 % 97, 1000,
    p.id * 104729 % 10007
FROM players p, generate_series(1, {holdings}) k,
    (SELECT array_agg(id) AS ids FROM instruments WHERE symbol LIKE 'R%') i
WHERE p.name LIKE 'crowd%';
INSERT INTO accounts (owner_id, asset, kind, balance)
SELECT id, 0, 'debt', -1000 FROM players WHERE name LIKE 'crowd%' AND id % 10 = 0;
INSERT INTO trades (id, instrument_id, price_cents, quantity, aggressor, buy_order_id, sell_order_id,
    buyer_id, seller_id, buyer_fee_cents, seller_fee_cents, executed_at)
SELECT -(i.id * 1000 + n), i.id, 900 + i.id * n % 200, 1 + n % 7, 1, 0, 0, 1000 + n, 2000 + n, 0, 0, now()
FROM instruments i, generate_series(1, {trades}) n WHERE symbol LIKE 'R%';
"""


def furnish(arena: Arena) -> None:
    """The players, what they have, and the trades that make the marks."""
    sql = _PLAYERS.format(players=PLAYERS, instruments=INSTRUMENTS, holdings=HOLDINGS, trades=TRADES)
    for statement in filter(str.strip, sql.split(";\n")):
        with arena.database.transaction():
            arena.database.execute(statement.replace("%", "%%"))
        arena.database.execute("ANALYZE players, instruments")
        arena.database.plan_anew()  # else each account looks for its owner as in the empty table
    arena.database.execute("VACUUM ANALYZE")


def by_hand() -> None:
    """Let ranks be counted when it is asked for only."""
    store({"ranks_seconds": "0"})


async def operator(address: str) -> Client:
    """The operator's client."""
    client = connect(address)
    await client.sign_in(OPERATOR, PASSWORD)
    return client


async def refresh(client: Client) -> float:
    """Seconds that an edition took, at the client."""
    began = perf_counter()
    made = await client.ranks.RefreshRanks(pb.RefreshRanksRequest(), timeout=60)
    assert made.edition.players > PLAYERS
    return perf_counter() - began


def run() -> list[dict[str, object]]:
    """Counts alone, then beside orders."""
    with opened(by_hand) as arena, asyncio.Runner() as runner:
        furnish(arena)
        client = runner.run(operator(arena.server.address))
        first = runner.run(refresh(client))
        took = [runner.run(refresh(client)) for _ in range(ALONE)]
        with child() as load:
            pairs = [_pair(arena, load, runner, client) for _ in range(ROUNDS)]
        runner.run(client.close())
    alone, beside, busy = zip(*pairs, strict=True)
    ratio, value = median(beside) / median(alone), median(took)
    counted = [seconds for many in busy for seconds in many]
    size = f"{PLAYERS} players with {HOLDINGS} holdings each, 6 boards, 100 teams"
    return [
        {
            "name": "ranks_refresh",
            "value": round(value, 3),
            "unit": "s",
            "yardstick": 1.0,
            "ratio": round(value, 3),
            "target": TARGET_SECONDS,
            "met": value <= TARGET_SECONDS,
            "detail": f"{size}; from the request to the answer, median of {ALONE}, longest {max(took):.2f}; "
            f"the first, which keeps what changes are counted from, {first:.1f}; beside orders "
            f"{median(counted):.2f}; the yardstick is a second",
        },
        {
            "name": "orders_while_ranking",
            "value": round(median(beside)),
            "unit": "orders/s",
            "yardstick": round(median(alone)),
            "ratio": round(ratio, 3),
            "target": RATE_TARGET,
            "met": ratio >= RATE_TARGET,
            "detail": f"{BATCH} a call, {CALLS_IN_FLIGHT} in flight, against the same alone, in turns of "
            f"{SECONDS} s; {size}, counted {len(counted)} times meanwhile, one edition after the other "
            f"without a pause (a game pauses 30 s); rounds {_rounded(beside)} against {_rounded(alone)}",
        },
    ]


def _pair(
    arena: Arena, load: Child, runner: asyncio.Runner, client: Client
) -> tuple[float, float, list[float]]:
    """Orders a second alone, then while ranks are counted, and how long each edition took."""
    job = arena.job("batches", seconds=SECONDS, in_flight=CALLS_IN_FLIGHT)
    alone = load.ask(**job)["per_second"]
    figures: list[float] = []
    ended = threading.Event()

    def place() -> None:
        figures.append(load.ask(**job)["per_second"])
        ended.set()

    thread = threading.Thread(target=place)
    thread.start()
    began, took = monotonic(), []
    while not ended.is_set() and monotonic() - began < SECONDS:
        took.append(runner.run(refresh(client)))
    thread.join()
    return alone, figures[0], took


def _rounded(figures: tuple[float, ...]) -> str:
    return ", ".join(f"{figure:.0f}" for figure in figures)


if __name__ == "__main__":
    for measurement in run():
        print(measurement)
