"""Kill the server while codes are redeemed and referrals are due: each brings what it says, once."""

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path

from bearpit.client import BearpitError, Client, connect
from bearpit.v1 import admin_pb2, codes_pb2, wallet_pb2
from bearpit.v1 import trading_pb2 as pb
from bearpit_server.storage.models.codes import Redemption, Referral

from tests.e2e.outages import make_player, open_game, serving, signed_in, site, until, until_trading
from tests.orders import buy, sell
from tests.postgres import Postgres
from tests.venue import PASSWORD

NEWCOMERS = 8
SEATS = 3
"""Of the code that not everybody gets."""
START, COMMON, RARE, REWARD, WELCOME = 100_000, 700, 11_000, 300, 50
SETTINGS = {
    "starting_cash_cents": START, "referral_reward_cents": REWARD, "referral_newcomer_cents": WELCOME,
}  # fmt: skip


async def test_killed_while_codes_are_redeemed_and_started_again(postgres: Postgres, tmp_path: Path) -> None:
    with site(postgres, tmp_path) as made:
        server = made.server()
        async with AsyncExitStack() as clients, serving(server):
            async with signed_in(server.address) as operator:
                texts = {key: str(value) for key, value in SETTINGS.items()}
                await operator.admin.UpdateSettings(admin_pb2.UpdateSettingsRequest(values=texts))
                await open_game(operator, ("ACME",))
                await make_player(operator, "ada", ("ACME",), cash_cents=START)
                common = await _code(operator, COMMON, codes_pb2.CODE_USE_PER_PLAYER, 0)
                rare = await _code(operator, RARE, codes_pb2.CODE_USE_LIMITED, SEATS)
            ada = await clients.enter_async_context(signed_in(server.address, "ada"))
            await until_trading(ada, "ACME")
            await ada.trading.PlaceOrder(pb.PlaceOrderRequest(order=sell("ACME", 1_000, 10)))
            referral = (await ada.codes.GetReferral(codes_pb2.GetReferralRequest())).code
            people = [await clients.enter_async_context(connect(server.address)) for _ in range(NEWCOMERS)]
            for number, client in enumerate(people):
                await client.register(f"newt{number}", PASSWORD, referral)

            answered = asyncio.Semaphore(0)
            playing = asyncio.gather(*[_play(client, common, rare, answered) for client in people])
            for kill_after in (NEWCOMERS // 2, NEWCOMERS):
                for _ in range(kill_after):
                    await answered.acquire()
                server.kill()
                await server.start()
            lucky = sum(await playing)

            def waiting() -> int:
                return int(Referral.select().where(Referral.rewarded_at.is_null()).count())

            async with asyncio.timeout(20):
                while waiting():  # noqa: ASYNC110 - another process has no events for us
                    await asyncio.sleep(0.05)
            cash = [await _cash(client) for client in people]
            adas = await _cash(ada)
        assert lucky == SEATS
        assert sorted(cash) == sorted(
            [START - 100 + WELCOME + COMMON + RARE * (number < SEATS) for number in range(NEWCOMERS)]
        )
        assert adas == START + NEWCOMERS * (100 + REWARD)
        assert Redemption.select().count() == NEWCOMERS + SEATS
        made.prove()


async def _code(operator: Client, cents: int, use: codes_pb2.CodeUse, most: int) -> str:
    request = codes_pb2.CreateCodesRequest(
        reward=codes_pb2.Reward(points_cents=cents), use=use, max_uses=most, count=1, reason="test"
    )
    batch = (await operator.codes.CreateCodes(request)).batch
    answer = await operator.codes.GetBatch(codes_pb2.GetBatchRequest(batch_id=batch.batch_id))
    return answer.codes[0].text


async def _play(client: Client, common: str, rare: str, answered: asyncio.Semaphore) -> bool:
    """Trade once and redeem both codes, each until an answer comes; returns whether the rare one was good."""
    order = pb.PlaceOrderRequest(order=buy("ACME", 10, 10), request_id="trade")
    is_lucky = False

    async def certainly(attempt: "Awaitable[object]") -> None:
        await attempt
        answered.release()

    async def redeem(code: str, request_id: str) -> bool:
        request = codes_pb2.RedeemCodeRequest(code=code, request_id=request_id)
        try:
            await client.codes.RedeemCode(request)
        except BearpitError as error:
            if error.reason != "CODE_USED_UP":
                raise
            return False
        return True

    async def try_luck() -> None:
        nonlocal is_lucky
        is_lucky = await redeem(rare, "rare")

    await until(lambda: certainly(redeem(common, "common")), 60)
    await until(lambda: certainly(client.trading.PlaceOrder(order)), 60)
    await until(lambda: certainly(try_luck()), 60)
    return is_lucky


async def _cash(client: Client) -> int:
    return (await client.wallet.GetWallet(wallet_pb2.GetWalletRequest())).wallet.cash_cents
