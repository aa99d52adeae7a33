"""Kill the server while it settles a window, again and again: the prices are those of an undisturbed run."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

from bearpit.v1 import trading_pb2 as pb
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.rules.windows import Times, WindowKind, WindowState
from bearpit_server.storage.models import Event, SettledPrice
from bearpit_server.windows import lifecycle, settlement
from bearpit_server.windows.plans import Plan

from tests.e2e.outages import Site, make_player, serving, signed_in, site
from tests.orders import buy, sell
from tests.postgres import Postgres
from tests.windows import insert_instruments

SYMBOLS = tuple(f"W{number:03}" for number in range(300))
KILLS = 3


async def test_killed_while_it_settles_and_started_again(postgres: Postgres, tmp_path: Path) -> None:
    with site(postgres, tmp_path) as made:
        insert_instruments(made.database, *SYMBOLS)
        with made.database.transaction():
            wanted = lifecycle.Wanted("x", WindowKind.WEEK, 0, [], Times(), "", "", Plan(), True)
            window_id = lifecycle.create(wanted, HOUSE_ORIGIN).id
            _move(window_id, WindowState.OPEN, WindowState.TRADING)
        server = made.server()
        async with serving(server):
            await _trade(server.address)
        with made.database.transaction():
            _move(window_id, WindowState.TRADE_CLOSE)
            undisturbed = {
                found.traded.instrument_id: found.settled.price_cents
                for _, found in settlement.simulate(window_id)
            }
            _move(window_id, WindowState.SETTLING)
        chance = random.Random(3)
        for _ in range(KILLS):
            enough = _done(made) + chance.randint(1, 60)
            await server.start()
            await _until(lambda enough=enough: _done(made) >= enough)  # type: ignore[misc]
            server.kill()
        assert KILLS <= _done(made) < len(SYMBOLS), "it was killed while it settled"
        async with serving(server):
            await _until(lambda: lifecycle.get(window_id).state == WindowState.SETTLED)
        found = SettledPrice.select(SettledPrice.instrument_id, SettledPrice.price_cents).tuples()
        assert dict(found) == undisturbed
        assert len(set(undisturbed.values())) > 1
        assert len(found) == len(SYMBOLS)
        assert Event.select().where(Event.type == "window.settled").count() == 1
        made.prove()


def _move(window_id: int, *states: WindowState) -> None:
    for state in states:
        lifecycle.move(window_id, state, HOUSE_ORIGIN)


def _done(made: Site) -> int:
    return int(made.database.execute("SELECT count(*) FROM settlements").fetchone()[0])


async def _trade(address: str) -> None:
    async with signed_in(address) as operator:
        for name in ("ada", "bob"):
            await make_player(operator, name, (), cash_cents=10**9)
    chance = random.Random(5)
    for name in ("ada", "bob"):
        async with signed_in(address, name) as client:
            specs = [buy(symbol, chance.randint(50, 400), 1_000) for symbol in SYMBOLS]
            specs += [sell(symbol, chance.randint(1, 50), 1_000) for symbol in SYMBOLS]
            for at in range(0, len(specs), 50):
                orders = [pb.PlaceOrderRequest(order=spec) for spec in specs[at : at + 50]]
                answer = await client.trading.PlaceOrders(pb.PlaceOrdersRequest(orders=orders))
                assert all(result.placed.order.filled_quantity for result in answer.results), answer


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - another process has no events for us
            await asyncio.sleep(0.005)
