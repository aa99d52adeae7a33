"""Machines and volunteers whose server is killed under them: what they send again has been done once."""

import asyncio
import random
from pathlib import Path

from bearpit.client import Client, Timing, connect
from bearpit.client.arcade import Machine
from bearpit.v1 import arcade_pb2, booths_pb2, wallet_pb2

from tests.e2e.outages import make_player, serving, signed_in, site, until
from tests.postgres import Postgres

PLAYS = 60
VISITS = 12
KILLS = 2
CASH = 1_000_000
QUICK = Timing(backoff=0.02, backoff_limit=0.2)


async def play(client: Client, done: asyncio.Queue[int]) -> None:
    """Plays and prizes, ten at once; each asked for until it is answered."""
    machine, numbers = Machine(client, patience=40, timing=QUICK), iter(range(PLAYS))

    async def one_after_the_other() -> None:
        for number in numbers:
            await machine.take("ada", 100, transaction_id=f"p{number}")
            await machine.give("ada", 30, score=number, transaction_id=f"s{number}")
            done.put_nowait(number)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(10):
            tasks.create_task(one_after_the_other())


async def visit(address: str, password: str, done: asyncio.Queue[int]) -> None:
    """A volunteer who sends each visit until it is answered, under the same id."""
    async with connect(address, timing=QUICK) as client:
        for number in range(VISITS):
            request = booths_pb2.VisitBoothRequest(
                booth="sitcon", password=password, player=f"new{number}", request_id=f"visit {number}"
            )
            await until(lambda request=request: client.booths.VisitBooth(request), 40)  # type: ignore[misc]
            done.put_nowait(number)


async def test_each_play_prize_and_visit_is_done_once_though_the_server_is_killed(
    postgres: Postgres, tmp_path: Path
) -> None:
    chance = random.Random(11)
    with site(postgres, tmp_path) as here:
        async with serving(here.server()) as server:
            async with signed_in(server.address) as operator:
                await make_player(operator, "ada", (), cash_cents=CASH)
                made = await operator.arcade.CreateMachine(arcade_pb2.CreateMachineRequest(name="pinball"))
                booth = await operator.booths.CreateBooth(
                    booths_pb2.CreateBoothRequest(name="sitcon", creates_players=True)
                )
            done: asyncio.Queue[int] = asyncio.Queue()
            async with connect(server.address, timing=QUICK) as client:
                client.use_service_token(made.secret)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(play(client, done))
                    tasks.create_task(visit(server.address, booth.password, done))
                    for _ in range(KILLS):
                        for _ in range(chance.randrange(5, 30)):
                            await done.get()
                        server.kill()
                        here.prove()
                        await server.start()
            async with signed_in(server.address, "ada") as ada:
                wallet = (await ada.wallet.GetWallet(wallet_pb2.GetWalletRequest())).wallet
            assert wallet.cash_cents == CASH - PLAYS * 100 + PLAYS * 30
            async with signed_in(server.address) as operator:
                figures = (await operator.booths.GetBooth(booths_pb2.GetBoothRequest(name="sitcon"))).booth
                assert (figures.visits, figures.players_created) == (VISITS, VISITS)
                [day] = (await operator.arcade.GetStatement(arcade_pb2.GetStatementRequest())).days
                assert (day.takes, day.gives) == (PLAYS, PLAYS)
        here.prove()
