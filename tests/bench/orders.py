"""Orders placed with a real server process on a real PostgreSQL, each figure against its own yardstick.

`python -m tests.bench.orders [FIGURE…]` prints what `run` returns; all three take about a minute and a half.
Figures and yardsticks take turns, and their medians are compared. The server, the load, the yardstick's
server and PostgreSQL are processes of their own that share the machine. Instruments have the default fee, so
a trade is four postings; nothing is switched off but the limits on rates.
"""

import sys
from collections.abc import Collection
from statistics import median

import psycopg

from tests.bench.arena import FEE_BPS, SIDES, SYMBOLS, Arena, opened
from tests.bench.load import BATCH, CREATE, Child, child
from tests.bench.pgbench import CLIENTS, SCALE, PgBench

ROUNDS = 3
SECONDS = 4
IN_FLIGHT = 128
CALLS_IN_FLIGHT = 8
SINGLY_ROUNDS = 5
SINGLY_TIMES = 400

PLACE_ORDER_TARGET = 0.65
PLACE_ORDERS_TARGET = 3.0
IDLE_TARGET = 6.0

FIGURES = ("place_order_idle", "place_order", "place_orders")

Measurement = dict[str, object]


def run(only: Collection[str] = FIGURES) -> list[Measurement]:
    """Measures the figures that are named, with one server; then proves its ledger."""
    measures = {
        "place_order_idle": _place_order_idle,
        "place_order": _place_order,
        "place_orders": _place_orders,
    }
    with opened() as arena, child() as load:
        measured = [measures[name](arena, load) for name in FIGURES if name in only]
        proved = arena.prove()
    for measurement in measured:
        measurement["detail"] = f"{measurement['detail']}; {proved}"
    return measured


def _place_order(arena: Arena, load: Child) -> Measurement:
    ours, echoes, takers = [], [], []
    flood = {"seconds": SECONDS, "in_flight": IN_FLIGHT}
    with child("echo") as echo:
        echo_address = f"127.0.0.1:{int(echo.answer()['port'])}"
        for _ in range(ROUNDS):
            echoes.append(load.ask(**arena.job("echo", **flood) | {"address": echo_address})["per_second"])
            figures = load.ask(**arena.job("unary", **flood))
            ours.append(figures["per_second"])
            takers.append(figures["takers"])
    value, yardstick = median(ours), median(echoes)
    return {
        "name": "place_order",
        "value": round(value),
        "unit": "orders/s",
        "yardstick": round(yardstick),
        "ratio": round(value / yardstick, 3),
        "target": PLACE_ORDER_TARGET,
        "met": value / yardstick >= PLACE_ORDER_TARGET,
        "detail": f"{IN_FLIGHT} in flight, {2 * SIDES} players, {len(SYMBOLS)} instruments, fee {FEE_BPS} "
        f"bps, {median(takers):.0%} of the orders took another, against a bare unary echo; rounds "
        f"{_rounded(ours)} against {_rounded(echoes)}",
    }


def _place_orders(arena: Arena, load: Child) -> Measurement:
    pgbench = PgBench(arena.url)
    ours, transactions, takers = [], [], []
    for _ in range(ROUNDS):
        transactions.append(pgbench.tps(SECONDS))
        figures = load.ask(**arena.job("batches", seconds=SECONDS, in_flight=CALLS_IN_FLIGHT))
        ours.append(figures["per_second"])
        takers.append(figures["takers"])
    value, yardstick = median(ours), median(transactions)
    return {
        "name": "place_orders",
        "value": round(value),
        "unit": "orders/s",
        "yardstick": round(yardstick),
        "ratio": round(value / yardstick, 3),
        "target": PLACE_ORDERS_TARGET,
        "met": value / yardstick >= PLACE_ORDERS_TARGET,
        "detail": f"{BATCH} a call, {CALLS_IN_FLIGHT} in flight, fee {FEE_BPS} bps, {median(takers):.0%} "
        f"took another, against pgbench TPC-B tps, {CLIENTS} clients, scale {SCALE}; rounds "
        f"{_rounded(ours)} against {_rounded(transactions)}",
    }


def _place_order_idle(arena: Arena, load: Child) -> Measurement:
    with psycopg.connect(arena.url, autocommit=True) as connection:
        connection.execute(CREATE)
    ours, inserts = [], []
    load.ask(**arena.job("singly", times=SINGLY_TIMES // 4))
    for _ in range(SINGLY_ROUNDS):
        inserts.append(load.ask(kind="inserts", url=arena.url, times=SINGLY_TIMES))
        ours.append(load.ask(**arena.job("singly", times=SINGLY_TIMES)))
    value, yardstick = (median(each["p99_ms"] for each in rounds) for rounds in (ours, inserts))
    halves = [median(each["p50_ms"] for each in rounds) for rounds in (ours, inserts)]
    return {
        "name": "place_order_idle",
        "value": round(value, 2),
        "unit": "ms, p99",
        "yardstick": round(yardstick, 2),
        "ratio": round(value / yardstick, 2),
        "target": IDLE_TARGET,
        "met": value / yardstick <= IDLE_TARGET,
        "detail": f"{SINGLY_ROUNDS} rounds of {SINGLY_TIMES} orders, one at a time, half of them filling, "
        f"against a bare INSERT and commit; medians of the rounds' p99; p50 {halves[0]:.2f} ms against "
        f"{halves[1]:.2f} ms",
    }


def _rounded(figures: list[float]) -> str:
    return ", ".join(f"{figure:.0f}" for figure in figures)


if __name__ == "__main__":
    for measurement in run(sys.argv[1:] or FIGURES):
        print(measurement)
