"""However often servers are killed, every fill is told once, and every inbox is numbered without gaps."""

import asyncio
import random
from pathlib import Path

from bearpit.client import BearpitError, Client, connect
from bearpit.v1 import bus_pb2, trading_pb2, wallet_pb2

from tests.e2e.outages import Site, make_player, open_game, serving, signed_in, site, until, until_trading
from tests.orders import buy, sell
from tests.postgres import Postgres
from tests.venue import PASSWORD

KILLS = 2
TOLD = """
SELECT (SELECT coalesce(sum((data ->> 'quantity')::bigint), 0) FROM notifications WHERE kind = 1),
    (SELECT sum(quantity) * 2 FROM trades),
    (SELECT count(*) FROM notifications WHERE starts_with(reference, 'transfer:')),
    (SELECT count(*) * 2 FROM transfers)
"""


async def trade(client: Client, side: int, number: int) -> None:
    """Many small orders at one price, and a transfer, until the server goes away."""
    make = (buy, sell)[side]
    for place in range(1_000):
        order = make("ACME", 1 + place % 3, 100)
        request = trading_pb2.PlaceOrderRequest(order=order, request_id=f"{number}-{place}")
        try:
            await client.trading.PlaceOrder(request)
            if place % 10 == 0:
                await client.wallet.Transfer(
                    wallet_pb2.TransferRequest(
                        to_player=("bob", "ada")[side], amount_cents=100, request_id=f"t{number}-{place}"
                    )
                )
        except BearpitError:
            return


async def until_told(address: str) -> None:
    """Wait until no listener has anything to hear."""
    async with signed_in(address) as operator, asyncio.timeout(30):
        while True:
            answer = await operator.bus.ListListeners(bus_pb2.ListListenersRequest())
            if not any(one.waiting for one in answer.listeners):
                return


async def play(here: Site, chance: random.Random) -> None:
    async with serving(here.server()) as server:
        async with signed_in(server.address) as operator:
            await open_game(operator, ("ACME",))
            for name in ("ada", "bob"):
                await make_player(operator, name, ("ACME",))
        for number in range(KILLS):
            async with (
                signed_in(server.address, "ada") as ada,
                signed_in(server.address, "bob") as bob,
                asyncio.TaskGroup() as tasks,
            ):
                await until_trading(ada, "ACME")
                tasks.create_task(trade(ada, 0, number))
                tasks.create_task(trade(bob, 1, number))
                await asyncio.sleep(chance.uniform(0.5, 1.2))
                server.kill()
            await server.start()
            async with connect(server.address) as anybody:  # gRPC remembers for a while that nobody was there
                await until(lambda: anybody.sign_in("ada", PASSWORD))
        await until_told(server.address)


async def test_every_fill_and_transfer_is_told_once(postgres: Postgres, tmp_path: Path) -> None:
    with site(postgres, tmp_path) as here:
        await play(here, random.Random(11))
        filled, traded, passed, sent = here.database.execute(TOLD).fetchone()
        assert traded > 0
        assert (filled, passed) == (traded, sent)
        here.prove()
