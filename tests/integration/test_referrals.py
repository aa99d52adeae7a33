"""Referrals through gRPC: both sides are rewarded, once, after the newcomer's first trade."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bearpit.client import BearpitError, Client
from bearpit.v1 import admin_pb2, auth_pb2, codes_pb2, wallet_pb2
from bearpit_server.events import log
from bearpit_server.game.codes import referrals
from bearpit_server.game.codes.referrals import Terms
from bearpit_server.storage import clock

from tests.orders import buy, sell
from tests.venue import PASSWORD, Venue, refused

REWARD, WELCOME = 300, 200
START = 10_000


@pytest.fixture(autouse=True)
def own_clock() -> Iterator[None]:
    """The system's clock again, whatever the test did."""
    yield
    clock.use(None)


@pytest.fixture
async def ada(venue: Venue, operator: Client) -> Client:
    """Somebody who is there already; the market is open, and the operator has shares to sell."""
    await venue.settings(
        referral_reward_cents=REWARD, referral_newcomer_cents=WELCOME, starting_cash_cents=START
    )
    await venue.list_instrument("ACME")
    await venue.open_market()
    await operator.admin.AdjustBalance(
        admin_pb2.AdjustBalanceRequest(name="operator", symbol="ACME", amount=10_000, reason="to sell")
    )
    await venue.place(operator, sell("ACME", 10_000, 10))
    return await venue.player("ada", 0)


async def code_of(client: Client) -> str:
    return (await standing(client)).code


async def standing(client: Client) -> codes_pb2.GetReferralResponse:
    return await client.codes.GetReferral(codes_pb2.GetReferralRequest())


async def newcomer(venue: Venue, name: str, referral: str = "") -> Client:
    client = await venue.client()
    await client.register(name, PASSWORD, referral)
    return client


async def redeem(client: Client, code: str, **more: Any) -> codes_pb2.RedeemCodeResponse:
    return await client.codes.RedeemCode(codes_pb2.RedeemCodeRequest(code=code, **more))


async def trade(venue: Venue, client: Client) -> None:
    """Buy ten for a point, and let the listeners hear of it."""
    await venue.place(client, buy("ACME", 10, 10))
    await hear(venue)


async def hear(venue: Venue) -> None:
    """Until all listeners have heard all there is."""
    await venue.settled()
    while await venue.running.listeners.round():
        pass


async def cash_of(client: Client) -> int:
    return (await client.wallet.GetWallet(wallet_pb2.GetWalletRequest())).wallet.cash_cents


async def test_both_sides_are_rewarded_after_the_newcomers_first_trade(venue: Venue, ada: Client) -> None:
    newt = await newcomer(venue, "newt", await code_of(ada))
    await hear(venue)
    assert (await cash_of(ada), await cash_of(newt)) == (0, START)
    await trade(venue, newt)
    assert (await cash_of(ada), await cash_of(newt)) == (REWARD, START - 100 + WELCOME)
    await trade(venue, newt)
    assert (await cash_of(ada), await cash_of(newt)) == (REWARD, START - 200 + WELCOME)
    [posting] = (await ada.wallet.ListPostings(wallet_pb2.ListPostingsRequest())).postings
    assert (posting.reason, posting.amount) == ("referral", REWARD)
    [event] = await venue.database.run(log.newest, 1, "referral.rewarded")
    assert newt.player is not None
    assert event.payload["newcomer_id"] == newt.player.player_id


async def test_a_referral_code_can_be_redeemed_before_the_first_trade(venue: Venue, ada: Client) -> None:
    newt = await newcomer(venue, "newt")
    assert (await standing(newt)).HasField("open_until")
    told = await redeem(newt, await code_of(ada))
    assert (told.referrer, told.redemption_id, told.reward.points_cents) == ("ada", 0, WELCOME)
    assert await cash_of(newt) == START
    await trade(venue, newt)
    assert await cash_of(ada) == REWARD
    mine, theirs = await standing(newt), await standing(ada)
    assert (mine.referrer, mine.HasField("open_until")) == ("ada", False)
    assert (theirs.newcomers, theirs.rewarded, theirs.earned_cents) == (1, 1, REWARD)
    assert (theirs.reward_cents, theirs.newcomer_cents, theirs.rewarded_at_most) == (REWARD, WELCOME, 20)


async def test_a_players_code_stays_the_same_and_belongs_to_nobody_else(venue: Venue, ada: Client) -> None:
    bob = await venue.player("bob", 0)
    answers = await asyncio.gather(*[code_of(client) for client in (ada, bob) for _ in range(25)])
    assert len(set(answers)) == 2


async def closed(client: Client, code: str) -> tuple[str, str]:
    """Why a referral code is refused."""
    error = await refused(redeem(client, code))
    return error.reason, error.metadata.get("why", "")


async def test_only_newcomers_are_brought_along_and_only_by_who_was_there(venue: Venue, ada: Client) -> None:
    adas = await code_of(ada)
    assert await closed(ada, adas) == ("REFERRAL_CLOSED", "older")
    newt = await newcomer(venue, "newt", adas)
    assert await closed(ada, await code_of(newt)) == ("REFERRAL_CLOSED", "older")
    bob = await newcomer(venue, "bob")
    assert await closed(newt, adas) == ("REFERRAL_CLOSED", "referred")
    assert await closed(newt, await code_of(bob)) == ("REFERRAL_CLOSED", "referred")
    await trade(venue, bob)
    assert await closed(bob, adas) == ("REFERRAL_CLOSED", "traded")
    late = await newcomer(venue, "late")
    begin = datetime.now(UTC)
    clock.use(lambda: begin + timedelta(days=7, minutes=1))
    late = await venue.sign_in("late")
    assert await closed(late, adas) == ("REFERRAL_CLOSED", "late")
    assert not (await standing(late)).HasField("open_until")


async def test_one_is_rewarded_for_so_many_newcomers_and_no_more(venue: Venue, ada: Client) -> None:
    await venue.settings(referral_max=2)
    code = await code_of(ada)
    people = [await newcomer(venue, f"newt{number}", code) for number in range(4)]
    for client in people:
        await venue.place(client, buy("ACME", 10, 10))
    await hear(venue)
    assert await cash_of(ada) == 2 * REWARD
    assert [await cash_of(client) for client in people] == [START - 100 + WELCOME] * 4
    fifth = await newcomer(venue, "fifth")
    assert await closed(fifth, code) == ("REFERRAL_CLOSED", "full")


async def test_fifty_tries_at_once_to_say_who_brought_one_along_are_one(venue: Venue, ada: Client) -> None:
    bob = await venue.player("bob", 0)
    newt = await newcomer(venue, "newt")
    there = await venue.sign_in("newt")
    codes = [await code_of(ada), await code_of(bob)]
    answers = await asyncio.gather(
        *[redeem(client, code) for client in (newt, there) for code in codes for _ in range(12)],
        return_exceptions=True,
    )
    refusals = [answer.reason for answer in answers if isinstance(answer, BearpitError)]
    assert refusals == ["REFERRAL_CLOSED"] * 47
    await trade(venue, newt)
    assert await cash_of(ada) + await cash_of(bob) == REWARD
    assert await cash_of(newt) == START - 100 + WELCOME


async def test_a_trade_that_is_heard_of_fifty_times_at_once_rewards_once(venue: Venue, ada: Client) -> None:
    code = await code_of(ada)
    people = [await newcomer(venue, f"newt{number}", code) for number in range(3)]
    ids = [client.player.player_id for client in people if client.player]
    for client in people:
        await venue.place(client, buy("ACME", 10, 10))
    terms = Terms(REWARD, WELCOME, 20, 7)
    await asyncio.gather(*[venue.database.run(referrals.reward, ids, terms) for _ in range(50)])
    venue.database.execute("UPDATE listeners SET xid = 0, id = 0 WHERE name = 'referrals'")
    venue.database.peewee.commit()
    await hear(venue)
    assert await cash_of(ada) == 3 * REWARD
    assert [await cash_of(client) for client in people] == [START - 100 + WELCOME] * 3


async def test_who_is_disabled_by_then_gets_nothing_and_the_other_side_its_own(
    venue: Venue, operator: Client, ada: Client
) -> None:
    newt = await newcomer(venue, "newt", await code_of(ada))
    await operator.admin.SetPlayerDisabled(admin_pb2.SetPlayerDisabledRequest(name="ada", disabled=True))
    await trade(venue, newt)
    assert await cash_of(newt) == START - 100 + WELCOME
    await operator.admin.SetPlayerDisabled(admin_pb2.SetPlayerDisabledRequest(name="ada", disabled=False))
    await trade(venue, newt)
    assert await cash_of(await venue.sign_in("ada")) == 0


async def test_a_reward_repays_a_debt_first(venue: Venue, operator: Client, ada: Client) -> None:
    owed = admin_pb2.SetDebtRequest(name="ada", debt_cents=REWARD - 1, reason="a broken window")
    await operator.admin.SetDebt(owed)
    await trade(venue, await newcomer(venue, "newt", await code_of(ada)))
    wallet = await venue.wallet(ada)
    assert (wallet.cash_cents, wallet.debt_cents) == (1, 0)


async def test_registering_again_with_the_same_id_is_no_second_referral(venue: Venue, ada: Client) -> None:
    code = await code_of(ada)
    client = await venue.client()
    request = auth_pb2.RegisterRequest(name="newt", password=PASSWORD, referral=code, request_id="once")
    first = await client.auth.Register(request)
    assert (await client.auth.Register(request)).player == first.player
    assert (await standing(ada)).newcomers == 1


async def test_a_registration_that_is_refused_leaves_no_player(venue: Venue, ada: Client) -> None:
    await venue.settings(referral_max=0)
    client = await venue.client()
    with pytest.raises(BearpitError) as error:
        await client.register("newt", PASSWORD, await code_of(ada))
    assert (error.value.reason, error.value.field) == ("REFERRAL_CLOSED", "referral")
    assert error.value.message.endswith("go on without it")
    assert (await client.register("newt", PASSWORD)).name == "newt"
