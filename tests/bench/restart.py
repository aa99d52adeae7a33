"""Ready again with 100,000 open orders: the server process is killed, started, and asked for a trade.

`python -m tests.bench.restart` prints what `run` returns. The clock runs from the SIGKILL to the answer to
an order that takes one of the resting ones: the books are there, and settle.
"""

from statistics import median
from time import perf_counter

from tests.bench.arena import Arena, opened
from tests.bench.load import Child, child

OPEN_ORDERS = 100_000
RESTARTS = 3
TARGET_SECONDS = 5.0


def run() -> list[dict[str, object]]:
    """Fills the books, restarts several times, and proves the ledger."""
    with opened() as arena, child() as load:
        load.ask(**arena.job("rest", orders=OPEN_ORDERS))
        took, ready = zip(*[_restart(arena, load) for _ in range(RESTARTS)], strict=True)
        opened_now = arena.database.execute("SELECT count(*) FROM orders WHERE status <= 3").fetchone()[0]
        assert opened_now >= OPEN_ORDERS - RESTARTS, opened_now
        proved = arena.prove()
    value = median(took)
    return [
        {
            "name": "restart",
            "value": round(value, 2),
            "unit": "s",
            "yardstick": 1.0,
            "ratio": round(value, 2),
            "target": TARGET_SECONDS,
            "met": value <= TARGET_SECONDS,
            "detail": f"{OPEN_ORDERS} open orders; from SIGKILL to the answer to an order that fills, "
            f"median of {RESTARTS} ({', '.join(f'{each:.2f}' for each in took)}); "
            f"ready after {median(ready):.2f} s; the yardstick is a second; {proved}",
        }
    ]


def _restart(arena: Arena, load: Child) -> tuple[float, float]:
    """Seconds until an order filled, and until the server said that it was ready."""
    began = perf_counter()
    arena.server.kill()
    arena.start()
    ready = perf_counter() - began
    load.ask(**arena.job("take"))
    return perf_counter() - began, ready


if __name__ == "__main__":
    for measurement in run():
        print(measurement)
