"""A large rollback whose server is killed again and again ends as if it had been done in one go."""

import asyncio
import random
from pathlib import Path

from bearpit.client import Client
from bearpit.v1 import rollbacks_pb2 as pb
from bearpit.v1 import trading_pb2, wallet_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from tests.e2e.outages import make_player, open_game, serving, signed_in, site, until_trading
from tests.orders import buy, sell
from tests.postgres import Postgres

TRADES = 9_000
A_CALL = 1_000
KILLS = 3


async def wallet(address: str, name: str) -> wallet_pb2.Wallet:
    async with signed_in(address, name) as client:
        return (await client.wallet.GetWallet(wallet_pb2.GetWalletRequest())).wallet


async def trade(seller: Client, buyer: Client) -> None:
    """Thousands of trades of one share each."""
    for call in range(TRADES // A_CALL):
        offers = [
            trading_pb2.PlaceOrderRequest(
                order=sell("ACME", 1, 100 + place % 7), request_id=f"{call}-{place}"
            )
            for place in range(A_CALL)
        ]
        await seller.trading.PlaceOrders(trading_pb2.PlaceOrdersRequest(orders=offers))
    bid = trading_pb2.PlaceOrderRequest(order=buy("ACME", TRADES, 200))
    placed = await buyer.trading.PlaceOrder(bid)
    assert placed.order.filled_quantity == TRADES


async def test_a_rollback_goes_on_after_its_server_was_killed(postgres: Postgres, tmp_path: Path) -> None:
    chance = random.Random(7)
    with site(postgres, tmp_path) as here:
        async with serving(here.server()) as server:
            async with signed_in(server.address) as operator:
                await open_game(operator, ("ACME",), fee_bps=20)
                for name in ("ada", "bob"):
                    await make_player(operator, name, ("ACME",))
                before = [await wallet(server.address, name) for name in ("ada", "bob")]
                async with signed_in(server.address, "ada") as ada, signed_in(server.address, "bob") as bob:
                    await until_trading(ada, "ACME")
                    await trade(ada, bob)
                since = Timestamp(seconds=1)
                asked = pb.RequestRollbackRequest(
                    level=pb.ROLLBACK_LEVEL_PLAYER, player="bob", since=since, reason="all of it"
                )
                made = (await operator.rollbacks.RequestRollback(asked)).rollback
            assert made.state == pb.ROLLBACK_STATE_RUNNING
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(0.0, 0.4))
                server.kill()
                here.prove()  # half done, all of it is explained
                await server.start()
            async with signed_in(server.address) as operator:
                watched = operator.rollbacks.WatchRollback(
                    pb.WatchRollbackRequest(rollback_id=made.rollback_id)
                )
                over = [frame.rollback async for frame in watched][-1]
            assert (over.state, over.total, over.done) == (pb.ROLLBACK_STATE_DONE, TRADES, TRADES)
            after = [await wallet(server.address, name) for name in ("ada", "bob")]
        assert after == before
        here.prove()
