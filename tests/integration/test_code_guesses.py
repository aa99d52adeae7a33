"""Guessing codes through gRPC: it is slowed down, by player and by address, and logged without a flood."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bearpit.client import BearpitError, Client
from bearpit.v1 import auth_pb2, codes_pb2
from bearpit_server.events import log
from bearpit_server.game.codes import guesses
from bearpit_server.rules.codes import grouped, text_of
from bearpit_server.storage import clock

from tests.venue import PASSWORD, Venue, refused

MISTYPED = "0000-0000-00001"


@pytest.fixture(autouse=True)
def own_clock() -> Iterator[None]:
    """The system's clock again, whatever the test did."""
    yield
    clock.use(None)


@pytest.fixture
async def ada(venue: Venue, operator: Client) -> Client:
    """A player who may try five wrong codes a minute."""
    await venue.settings(redeem_guesses_per_minute=5)
    return await venue.player("ada", 0)


def wrong(number: int = 7) -> str:
    """A code as good as any, that there is not."""
    return grouped(text_of(number))


async def redeem(client: Client, code: str, **more: Any) -> codes_pb2.RedeemCodeResponse:
    return await client.codes.RedeemCode(codes_pb2.RedeemCodeRequest(code=code, **more))


async def make(operator: Client, count: int = 1) -> list[str]:
    request = codes_pb2.CreateCodesRequest(
        reward=codes_pb2.Reward(points_cents=100), use=codes_pb2.CODE_USE_SINGLE, count=count, reason="test"
    )
    batch = (await operator.codes.CreateCodes(request)).batch
    answer = await operator.codes.GetBatch(codes_pb2.GetBatchRequest(batch_id=batch.batch_id))
    return [code.text for code in answer.codes]


async def guesses_logged(venue: Venue) -> list[tuple[object, object]]:
    """Player and count of each row, oldest first."""
    events = await venue.database.run(log.newest, 100, "code.guessed")
    return [(event.payload["player_id"], event.payload["count"]) for event in reversed(events)]


async def test_after_too_many_wrong_codes_no_other_is_looked_at(
    venue: Venue, operator: Client, ada: Client
) -> None:
    [code] = await make(operator)
    said = [
        (await refused(redeem(ada, wrong(), validate_only=number % 2 == 0))).reason for number in range(6)
    ]
    assert said == ["CODE_UNKNOWN"] * 5 + ["RATE_LIMITED"]
    error = await refused(redeem(ada, code))
    assert error.reason == "RATE_LIMITED"
    assert 0 < int(error.metadata["retry_after_ms"]) <= 12_000
    await venue.settings(redeem_guesses_per_minute=0)
    assert (await redeem(ada, code)).redemption_id


async def test_a_thousand_guesses_at_once_are_no_more_than_one_after_the_other(
    venue: Venue, ada: Client
) -> None:
    there = await venue.sign_in("ada")
    answers = await asyncio.gather(
        *[redeem(client, wrong(number)) for number in range(100) for client in (ada, there)],
        return_exceptions=True,
    )
    said = [answer.reason for answer in answers if isinstance(answer, BearpitError)]
    assert (len(said), said.count("CODE_UNKNOWN"), said.count("RATE_LIMITED")) == (200, 5, 195)


async def test_slips_of_the_finger_and_right_codes_are_no_guesses(
    venue: Venue, operator: Client, ada: Client
) -> None:
    codes = await make(operator, 20)
    for code in codes:
        assert (await refused(redeem(ada, MISTYPED))).reason == "CODE_MISTYPED"
        await redeem(ada, code)
        assert (await refused(redeem(ada, code))).reason == "CODE_ALREADY_REDEEMED"
    assert await guesses_logged(venue) == []


async def test_many_players_of_one_address_are_slowed_down_together(venue: Venue, ada: Client) -> None:
    await venue.settings(redeem_guesses_per_minute_address=7)
    bob = await venue.player("bob", 0)
    said = [(await refused(redeem(client, wrong()))).reason for client in (ada, bob) for _ in range(4)]
    assert said == ["CODE_UNKNOWN"] * 7 + ["RATE_LIMITED"]


async def test_a_wrong_referral_at_registration_is_a_guess_too(venue: Venue, operator: Client) -> None:
    await venue.settings(redeem_guesses_per_minute_address=2)
    client = await venue.client()

    async def register(referral: str) -> str:
        request = auth_pb2.RegisterRequest(name="newt", password=PASSWORD, referral=referral)
        error = await refused(client.auth.Register(request))
        assert error.field in ("referral", "")
        return error.reason

    said = [await register(text) for text in (MISTYPED, wrong(), wrong(), wrong())]
    assert said == ["CODE_MISTYPED", "CODE_UNKNOWN", "CODE_UNKNOWN", "RATE_LIMITED"]
    assert venue.rows("SELECT count(*) FROM players WHERE name = 'newt'") == [(0,)]
    assert await guesses_logged(venue) == [(0, 1)]


async def test_guesses_are_logged_once_a_minute_with_their_number(
    venue: Venue, operator: Client, ada: Client
) -> None:
    await venue.settings(redeem_guesses_per_minute=0)
    begin = datetime.now(UTC)
    assert ada.player is not None
    me = ada.player.player_id
    clock.use(lambda: begin)
    for _ in range(30):
        await refused(redeem(ada, wrong()))
    assert await guesses_logged(venue) == [(me, 1)]
    assert await venue.database.run(guesses.flush) == 0
    clock.use(lambda: begin + timedelta(seconds=61))
    assert await asyncio.gather(*[venue.database.run(guesses.flush) for _ in range(4)]) in (
        [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1],
    )  # fmt: skip
    assert await guesses_logged(venue) == [(me, 1), (me, 29)]
    await refused(redeem(ada, wrong()))
    assert await guesses_logged(venue) == [(me, 1), (me, 29)]
    clock.use(lambda: begin + timedelta(seconds=122))
    await refused(redeem(ada, wrong()))
    assert await guesses_logged(venue) == [(me, 1), (me, 29), (me, 2)]
    [event] = await venue.database.run(log.newest, 1, "code.guessed")
    assert (event.actor_id, event.address, event.subject) == (me, "127.0.0.1", f"player:{me}")
    assert "code" not in event.payload
