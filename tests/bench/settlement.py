"""A large window settled by a real server, with nothing else to do and while it takes orders.

`python -m tests.bench.settlement` prints what `run` returns; most of its two minutes are the setting up.
The window's players and trades are made by the million in SQL, without the orders and postings that led to
them: settlement reads neither. The orders are those of the `place_orders` benchmark, on books of players.
Those that are placed while a window settles are compared with those before and after, in turns; the window
is settled anew as long as that lasts.
"""

import threading
from statistics import median
from time import monotonic, perf_counter

from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.rules.windows import Times, WindowKind, WindowState
from bearpit_server.windows import lifecycle
from bearpit_server.windows.plans import Plan, Rule

from tests.bench.arena import Arena, opened
from tests.bench.load import BATCH, Child, child
from tests.windows import insert_instruments

PLAYERS, INSTRUMENTS, TRADES = 100_000, 500, 1_000_000
TARGET_SECONDS = 60.0
RATE_TARGET = 0.8
ROUNDS = 3
SECONDS = 5
CALLS_IN_FLIGHT = 8

_PLAYERS = """
INSERT INTO players (name, password_hash, role, created_at)
SELECT 'crowd' || n, '', 'player', now() FROM generate_series(1, %s) n
"""
_CASH = """
INSERT INTO accounts (owner_id, asset, kind, balance)
SELECT id, 0, 'player', 1000000 FROM players WHERE name LIKE 'crowd%%'
"""
# A half of them by a tenth of the players, as in life.
_TRADES = """
INSERT INTO trades (id, instrument_id, price_cents, quantity, aggressor, buy_order_id, sell_order_id,
    buyer_id, seller_id, buyer_fee_cents, seller_fee_cents, executed_at, window_id)
SELECT -n, i.id, 1000, 1 + n * 7919 %% 20, 1, CASE WHEN n %% 3 > 0 THEN n ELSE 0 END,
    CASE WHEN n %% 3 > 0 THEN 0 ELSE n END, CASE WHEN n %% 3 > 0 THEN p.id ELSE 0 END,
    CASE WHEN n %% 3 > 0 THEN 0 ELSE p.id END, 0, 0, now(), %s
FROM generate_series(1, %s) n
JOIN (SELECT id, row_number() OVER (ORDER BY id) AS at FROM instruments WHERE mechanism = 'window') i
    ON i.at = 1 + n * 104729 %% %s
JOIN (SELECT id, row_number() OVER (ORDER BY id) AS at FROM players WHERE name LIKE 'crowd%%') p
    ON p.at = 1 + n * 15485863 %% CASE WHEN n %% 2 = 0 THEN %s ELSE %s END
"""


def run() -> list[dict[str, object]]:
    """Makes the window, settles it, and places orders meanwhile."""
    with opened() as arena:
        window_id, snapshot_seconds = _furnish(arena)
        took = [_settle(arena, window_id) for _ in range(ROUNDS)]
        with child() as load:
            pairs = [_pair(arena, load, window_id) for _ in range(ROUNDS)]
    alone, beside, settled = zip(*pairs, strict=True)
    ratio = median(beside) / median(alone)
    value = median(took)
    size = f"{PLAYERS} players, {INSTRUMENTS} instruments, {TRADES} trades"
    return [
        {
            "name": "settlement",
            "value": round(value, 2),
            "unit": "s",
            "yardstick": 1.0,
            "ratio": round(value, 2),
            "target": TARGET_SECONDS,
            "met": value <= TARGET_SECONDS,
            "detail": f"{size}; from SETTLING to SETTLED, median of {_rounded(took)}; the snapshot at OPEN "
            f"took {snapshot_seconds:.1f} s; the yardstick is a second",
        },
        {
            "name": "orders_while_settling",
            "value": round(median(beside)),
            "unit": "orders/s",
            "yardstick": round(median(alone)),
            "ratio": round(ratio, 3),
            "target": RATE_TARGET,
            "met": ratio >= RATE_TARGET,
            "detail": f"{BATCH} a call, {CALLS_IN_FLIGHT} in flight, against the same alone, in turns of "
            f"{SECONDS} s; {size}, settled {sum(settled)} times meanwhile; rounds {_rounded(beside)} "
            f"against {_rounded(alone)}",
        },
    ]


def _furnish(arena: Arena) -> tuple[int, float]:
    """A window that has traded; its id, and the seconds that its snapshot took."""
    insert_instruments(arena.database, *(f"W{number}" for number in range(INSTRUMENTS)))
    with arena.database.transaction():
        arena.database.execute(_PLAYERS, PLAYERS)
        arena.database.execute(_CASH)
        plan = Plan(Rule("logarithmic"))
        wanted = lifecycle.Wanted("bench", WindowKind.WEEK, 0, [], Times(), "", "", plan, True)
        window_id = int(lifecycle.create(wanted, HOUSE_ORIGIN).id)
    arena.database.execute("ANALYZE players, accounts")
    began = perf_counter()
    with arena.database.transaction():
        lifecycle.move(window_id, WindowState.OPEN, HOUSE_ORIGIN)
    snapshot_seconds = perf_counter() - began
    with arena.database.transaction():
        lifecycle.move(window_id, WindowState.TRADING, HOUSE_ORIGIN)
        arena.database.execute(_TRADES, window_id, TRADES, INSTRUMENTS, PLAYERS // 10, PLAYERS)
        lifecycle.move(window_id, WindowState.TRADE_CLOSE, HOUSE_ORIGIN)
    arena.database.execute("VACUUM ANALYZE trades")
    return window_id, snapshot_seconds


def _settle(arena: Arena, window_id: int) -> float:
    """Seconds from SETTLING to SETTLED, by the server; then all is as it was."""
    with arena.database.transaction():
        lifecycle.move(window_id, WindowState.SETTLING, HOUSE_ORIGIN)
    began = perf_counter()
    never = threading.Event()
    while lifecycle.get(window_id).state != WindowState.SETTLED:
        assert perf_counter() - began < 4 * TARGET_SECONDS, "it does not settle"
        never.wait(0.02)
    took = perf_counter() - began
    found = arena.database.execute("SELECT count(*), count(DISTINCT price_cents) FROM settlements").fetchone()
    assert found[0] == INSTRUMENTS, found
    assert found[1] > 1, found
    with arena.database.transaction():
        arena.database.execute("DELETE FROM settlements")
        arena.database.execute("UPDATE windows SET state = %s", int(WindowState.TRADE_CLOSE))
    return took


def _pair(arena: Arena, load: Child, window_id: int) -> tuple[float, float, int]:
    """Orders a second alone, then while the window settles, and how often it did."""
    job = arena.job("batches", seconds=SECONDS, in_flight=CALLS_IN_FLIGHT)
    alone = load.ask(**job)["per_second"]
    ended, settled = threading.Event(), 0

    def place() -> None:
        figures.append(load.ask(**job)["per_second"])
        ended.set()

    figures: list[float] = []
    thread = threading.Thread(target=place)
    thread.start()
    began = monotonic()
    while not ended.is_set() and monotonic() - began < SECONDS:
        _settle(arena, window_id)
        settled += 1
    thread.join()
    return alone, figures[0], settled


def _rounded(figures: object) -> str:
    assert isinstance(figures, list | tuple)
    return ", ".join(f"{figure:.1f}" if figure < 100 else f"{figure:.0f}" for figure in figures)


if __name__ == "__main__":
    for measurement in run():
        print(measurement)
