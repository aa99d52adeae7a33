"""Any page of a board of a hundred thousand players, over gRPC, the last one as well.

`python -m tests.bench.ranks_page` prints what `run` returns. Pages are asked for one after the other, of any
board and from any position, every tenth being the last page; each is a hundred players with names, teams and
the change of rank. Beside them a player's own ranks are asked for, with those around, which is not counted.
"""

import asyncio
import random
from statistics import median, quantiles
from time import perf_counter

from bearpit.client import Client
from bearpit.v1 import ranks_pb2 as pb

from tests.bench.arena import opened
from tests.bench.ranks_refresh import PLAYERS, by_hand, furnish, operator, refresh

PAGES, WARM_UP = 1_000, 50
PAGE = 100
TARGET_MS = 50.0
BOARDS = (
    pb.BOARD_NET_WORTH, pb.BOARD_RETURN, pb.BOARD_REALISED, pb.BOARD_DRAWDOWN, pb.BOARD_DAY,
)  # fmt: skip


def run() -> list[dict[str, object]]:
    """Counts twice, then asks for pages."""
    with opened(by_hand) as arena, asyncio.Runner() as runner:
        furnish(arena)
        client = runner.run(operator(arena.server.address))
        for _ in range(2):
            runner.run(refresh(client))
        pages, own = runner.run(_ask(client))
        runner.run(client.close())
    value = quantiles(pages, n=100)[-1]
    return [
        {
            "name": "ranks_page",
            "value": round(value, 1),
            "unit": "ms p99",
            "yardstick": 1.0,
            "ratio": round(value, 1),
            "target": TARGET_MS,
            "met": value <= TARGET_MS,
            "detail": f"{PAGES} pages of {PAGE}, of {len(BOARDS)} boards of {PLAYERS} players, from any "
            f"position; median {median(pages):.1f}, longest {max(pages):.1f}; a player's own ranks with ten "
            f"around: p99 {quantiles(own, n=100)[-1]:.1f}; the yardstick is a millisecond",
        }
    ]


async def _ask(client: Client) -> tuple[list[float], list[float]]:
    """Milliseconds of each page, and of each player's own ranks."""
    choose = random.Random(7)
    pages, own = [], []
    for number in range(WARM_UP + PAGES):
        first = PLAYERS - PAGE + 1 if number % 10 == 0 else choose.randint(1, PLAYERS - PAGE)
        board = choose.choice(BOARDS)
        began = perf_counter()
        got = await client.ranks.ListRanks(
            pb.ListRanksRequest(board=board, first_position=first, page_size=PAGE)
        )
        pages.append((perf_counter() - began) * 1_000)
        assert len(got.entries) == PAGE, got
        if number % 5 == 0:
            began = perf_counter()
            name = f"crowd{choose.randint(1, PLAYERS)}"
            await client.ranks.GetRank(pb.GetRankRequest(player=name, around=5, around_board=board))
            own.append((perf_counter() - began) * 1_000)
    return pages[WARM_UP:], own


if __name__ == "__main__":
    for measurement in run():
        print(measurement)
