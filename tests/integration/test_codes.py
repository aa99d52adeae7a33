"""CodeService through gRPC: codes are redeemed as often as they may be, bring what they say, and are not guessed."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from bearpit.client import BearpitError, Client
from bearpit.v1 import admin_pb2, codes_pb2, wallet_pb2
from bearpit_server.events import log
from bearpit_server.events.records import WalletChange
from bearpit_server.game import guesses
from bearpit_server.rules.codes import link_to, text_of
from bearpit_server.storage import clock
from google.protobuf.timestamp_pb2 import Timestamp

from tests.venue import PASSWORD, Venue, refused

POINTS = codes_pb2.Reward(points_cents=12_345)
INT64 = 2**63 - 1


@pytest.fixture(autouse=True)
def own_clock() -> object:
    """The system's clock again, whatever the test did."""
    yield
    clock.use(None)


async def make(
    operator: Client, reward: codes_pb2.Reward = POINTS, count: int = 1, **more: object
) -> list[str]:
    """The codes of a new batch."""
    batch = await make_batch(operator, reward, count, **more)
    answer = await operator.codes.GetBatch(codes_pb2.GetBatchRequest(batch_id=batch.batch_id))
    return [code.text for code in answer.codes]


async def make_batch(
    operator: Client, reward: codes_pb2.Reward = POINTS, count: int = 1, **more: object
) -> codes_pb2.CodeBatch:
    """A new batch, single use unless told otherwise."""
    terms: dict[str, object] = {"use": codes_pb2.CODE_USE_SINGLE, "reason": "workshop", **more}
    request = codes_pb2.CreateCodesRequest(reward=reward, count=count, **terms)  # type: ignore[arg-type]
    return (await operator.codes.CreateCodes(request)).batch


async def redeem(client: Client, code: str, **more: object) -> codes_pb2.RedeemCodeResponse:
    return await client.codes.RedeemCode(codes_pb2.RedeemCodeRequest(code=code, **more))  # type: ignore[arg-type]


async def cash_of(client: Client) -> int:
    return (await client.wallet.GetWallet(wallet_pb2.GetWalletRequest())).wallet.cash_cents


async def test_a_code_brings_its_points_once(venue: Venue, operator: Client) -> None:
    [code] = await make(operator)
    ada, bob = await venue.player("ada", 100), await venue.player("bob", 100)
    brought = await redeem(ada, code.lower().replace("-", " "))
    assert brought.redemption_id > 0
    assert (brought.reward, brought.reason, brought.free_cash_after_cents) == (POINTS, "workshop", 12_445)
    assert await cash_of(ada) == 12_445
    [posting, _] = (await ada.wallet.ListPostings(wallet_pb2.ListPostingsRequest())).postings
    assert (posting.reason, posting.note) == ("code", "workshop")
    assert posting.reference == f"redemption:{brought.redemption_id}"
    assert (await refused(redeem(ada, code))).reason == "CODE_ALREADY_REDEEMED"
    assert (await refused(redeem(bob, code))).reason == "CODE_USED_UP"
    assert await cash_of(bob) == 100
