"""CodeService through gRPC: codes are redeemed as often as they may be, and bring what they say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from bearpit.client import BearpitError, Client
from bearpit.client.codes import link_to
from bearpit.v1 import admin_pb2, codes_pb2, wallet_pb2
from bearpit_server.events import log
from bearpit_server.events.records import WalletChange
from bearpit_server.game.proofs import doctor
from bearpit_server.rules.codes import grouped, text_of
from bearpit_server.storage import clock
from google.protobuf.timestamp_pb2 import Timestamp
from peewee import IntegrityError

from tests.integration.floor import SHARED
from tests.orders import buy, sell
from tests.venue import Venue, refused

pytestmark = SHARED

POINTS = codes_pb2.Reward(points_cents=12_345)
SINGLE, LIMITED, PER_PLAYER = (
    codes_pb2.CODE_USE_SINGLE,
    codes_pb2.CODE_USE_LIMITED,
    codes_pb2.CODE_USE_PER_PLAYER,
)
INT64 = 2**63 - 1
NOBODYS = grouped(text_of(12_345))
DAY = 86_400


@pytest_asyncio.fixture(loop_scope="module")
async def venue(floor: Venue) -> AsyncIterator[Venue]:
    """The module's server; the system's clock afterwards, whatever the test did."""
    yield floor
    clock.use(None)
    floor.forget_operator()


@pytest_asyncio.fixture(loop_scope="module")
async def operator(venue: Venue) -> Client:
    """The operator, signed in."""
    return await venue.operator()


def called(client: Client) -> str:
    """A player's name."""
    assert client.player is not None
    return client.player.name


def coupon(off_bps: int = 5_000, lifetime_seconds: int = DAY) -> codes_pb2.Reward:
    fee_coupon = codes_pb2.FeeCoupon(off_bps=off_bps, lifetime_seconds=lifetime_seconds)
    return codes_pb2.Reward(fee_coupon=fee_coupon)


def shares(symbol: str, quantity: int = 7) -> codes_pb2.Reward:
    return codes_pb2.Reward(shares=codes_pb2.ShareGift(symbol=symbol, quantity=quantity))


def terms(reward: codes_pb2.Reward = POINTS, **more: Any) -> codes_pb2.CreateCodesRequest:
    wanted = {"use": SINGLE, "count": 1, "reason": "workshop", **more}
    return codes_pb2.CreateCodesRequest(reward=reward, **wanted)


async def make(operator: Client, reward: codes_pb2.Reward = POINTS, **more: Any) -> list[str]:
    """The codes of a new batch; one for single use, unless told otherwise."""
    batch = (await operator.codes.CreateCodes(terms(reward, **more))).batch
    return await codes_of(operator, batch.batch_id)


async def codes_of(operator: Client, batch_id: int) -> list[str]:
    answer = await operator.codes.GetBatch(codes_pb2.GetBatchRequest(batch_id=batch_id, page_size=1_000))
    return [code.text for code in answer.codes]


async def redeem(client: Client, code: str, **more: Any) -> codes_pb2.RedeemCodeResponse:
    return await client.codes.RedeemCode(codes_pb2.RedeemCodeRequest(code=code, **more))


async def cash_of(client: Client) -> int:
    return (await client.wallet.GetWallet(wallet_pb2.GetWalletRequest())).wallet.cash_cents


async def crowd(venue: Venue, size: int) -> list[Client]:
    """So many players with no cash, signed in."""
    made: list[Client] = []
    while len(made) < size:
        few = range(len(made), min(len(made) + 10, size))
        made += await asyncio.gather(*[venue.trader(0) for _ in few])
    return made


def reasons(answers: list[Any]) -> dict[str, int]:
    """How often each answer came: by the refusal's reason, "" for none."""
    counts: dict[str, int] = {}
    for answer in answers:
        assert isinstance(answer, BearpitError | codes_pb2.RedeemCodeResponse), repr(answer)
        reason = answer.reason if isinstance(answer, BearpitError) else ""
        counts[reason] = counts.get(reason, 0) + 1
    return counts


# What a code brings


async def test_a_code_brings_its_points_once(venue: Venue, operator: Client) -> None:
    [code] = await make(operator)
    ada, bob = await venue.trader(100), await venue.trader(100)
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


async def test_a_link_is_as_good_as_its_code(venue: Venue, operator: Client) -> None:
    [code] = await make(operator)
    await redeem(ada := await venue.trader(0), link_to(code))
    assert await cash_of(ada) == 12_345


async def test_bonus_shares_have_cost_nothing(venue: Venue, operator: Client) -> None:
    symbol = await venue.instrument()
    [code] = await make(operator, shares(symbol))
    ada = await venue.trader(100)
    brought = await redeem(ada, code)
    assert (brought.reward, brought.free_cash_after_cents) == (shares(symbol), 100)
    [position] = (await venue.wallet(ada)).positions
    assert (position.symbol, position.quantity, position.cost_cents) == (symbol, 7, 0)
    [posting] = (await ada.wallet.ListPostings(wallet_pb2.ListPostingsRequest(asset=symbol))).postings
    assert (posting.amount, posting.reason, posting.note) == (7, "code", "workshop")


async def test_a_coupon_lowers_the_fees_of_orders_placed_while_it_lasts(
    venue: Venue, operator: Client
) -> None:
    symbol = await venue.instrument(fee_bps=100)
    ada, bob = await venue.trader(1_000_000), await venue.trader(0, **{symbol: 100})
    [code] = await make(operator, coupon(off_bps=7_500))
    moment = datetime.now(UTC)
    brought = await redeem(ada, code)
    ends = brought.fee_off_until.ToDatetime(UTC)
    assert timedelta() <= ends - moment - timedelta(days=1) < timedelta(seconds=30)
    await venue.place(bob, sell(symbol, 20, 1_000))
    paid = (await venue.place(ada, buy(symbol, 10, 1_000))).order
    assert (paid.filled_quantity, paid.fee_cents) == (10, 25)
    clock.use(lambda: ends + timedelta(seconds=1))
    assert (await venue.place(ada, buy(symbol, 10, 1_000))).order.fee_cents == 100


async def test_the_better_of_two_coupons_counts(venue: Venue, operator: Client) -> None:
    ada = await venue.trader(0)
    await redeem(ada, (await make(operator, coupon(1_000, 9 * DAY)))[0])
    better = await redeem(ada, (await make(operator, coupon(5_000, 3_600)))[0])
    assert better.replaced_off_bps == 1_000
    longer = await redeem(ada, (await make(operator, coupon(5_000, 3_600)))[0])
    assert longer.replaced_off_bps == 0
    added = longer.fee_off_until.ToDatetime(UTC) - better.fee_off_until.ToDatetime(UTC)
    assert added == timedelta(hours=1)
    [worse] = await make(operator, coupon(4_999, 90 * DAY))
    error = await refused(redeem(ada, worse))
    assert (error.reason, error.metadata["off_bps"]) == ("NOT_POSSIBLE_NOW", "5000")
    moment = longer.fee_off_until.ToDatetime(UTC)
    clock.use(lambda: moment)
    assert (await redeem(await venue.sign_in(called(ada)), worse)).replaced_off_bps == 0


async def test_what_a_code_brings_repays_a_debt_first(venue: Venue, operator: Client) -> None:
    ada = await venue.trader(0)
    owed = admin_pb2.SetDebtRequest(name=called(ada), debt_cents=5_000, reason="a broken window")
    await operator.admin.SetDebt(owed)
    [code] = await make(operator)
    brought = await redeem(ada, code)
    wallet = await venue.wallet(ada)
    assert (wallet.cash_cents, wallet.debt_cents) == (12_345 - 5_000, 0)
    assert brought.free_cash_after_cents == 12_345 - 5_000


# How often


async def test_one_code_for_fifty_players_at_once_is_redeemed_as_often_as_it_may_be(
    venue: Venue, operator: Client
) -> None:
    people = await crowd(venue, 50)
    [single] = await make(operator)
    [seven] = await make(operator, use=LIMITED, max_uses=7)
    [everybody] = await make(operator, use=PER_PLAYER)
    for code, times in ((single, 1), (seven, 7), (everybody, 50)):
        answers = await asyncio.gather(*[redeem(client, code) for client in people], return_exceptions=True)
        assert reasons(answers) == {"": times} | ({"CODE_USED_UP": 50 - times} if times < 50 else {})
    assert sum(await asyncio.gather(*map(cash_of, people))) == 58 * 12_345


@pytest.mark.parametrize("use", [SINGLE, PER_PLAYER])
async def test_one_player_fifty_times_at_once_is_given_once(
    use: codes_pb2.CodeUse, venue: Venue, operator: Client
) -> None:
    [code] = await make(operator, use=use)
    here = await venue.trader(0)
    there = await venue.sign_in(called(here))
    answers = await asyncio.gather(
        *[redeem(client, code) for client in (here, there) for _ in range(25)], return_exceptions=True
    )
    assert reasons(answers) == {"": 1, "CODE_ALREADY_REDEEMED": 49}
    assert await cash_of(here) == 12_345


async def test_the_same_request_fifty_times_is_answered_alike(venue: Venue, operator: Client) -> None:
    [code] = await make(operator, use=PER_PLAYER)
    ada = await venue.trader(0)
    answers = await asyncio.gather(*[redeem(ada, code, request_id="once") for _ in range(50)])
    assert len({answer.SerializeToString() for answer in answers}) == 1
    assert await cash_of(ada) == 12_345
    [other] = await make(operator)
    assert (await refused(redeem(ada, other, request_id="once"))).reason == "REQUEST_ID_REUSED"


async def test_the_database_holds_the_rule_by_itself(venue: Venue, operator: Client) -> None:
    [code] = await make(operator)
    await redeem(await venue.trader(0), code)
    for sql in (
        "UPDATE codes SET uses = 2",
        "UPDATE codes SET max_uses = 0",
        "UPDATE code_batches SET max_uses = 0",
        "INSERT INTO redemptions (code_id, player_id, redeemed_at) "
        "SELECT code_id, player_id, redeemed_at FROM redemptions",
        "INSERT INTO referrals (newcomer_id, referrer_id, created_at) VALUES (1, 1, now())",
        "INSERT INTO referrals (newcomer_id, referrer_id, created_at) VALUES (1, 2, now())",
    ):
        with pytest.raises(IntegrityError), venue.database.transaction():
            venue.database.execute(sql)


async def test_a_rehearsal_tells_what_it_would_bring_and_brings_nothing(
    venue: Venue, operator: Client
) -> None:
    [code] = await make(operator)
    ada = await venue.trader(100)
    told = await redeem(ada, code, validate_only=True)
    assert (told.redemption_id, told.reward, told.free_cash_after_cents) == (0, POINTS, 12_445)
    assert await cash_of(ada) == 100
    assert (await redeem(ada, code)).free_cash_after_cents == 12_445


# When not


async def test_a_code_is_good_until_it_expires(venue: Venue, operator: Client) -> None:
    ends = Timestamp()
    ends.FromDatetime(datetime.now(UTC) + timedelta(minutes=5))
    [code, other] = await make(operator, count=2, expires_at=ends)
    ada = await venue.trader(0)
    await redeem(ada, code)
    clock.use(lambda: ends.ToDatetime(UTC))
    error = await refused(redeem(ada, other))
    assert error.reason == "CODE_EXPIRED"
    assert datetime.fromisoformat(error.metadata["expired_at"]) == ends.ToDatetime(UTC)


async def test_a_withdrawn_batch_brings_nothing_more_and_takes_nothing_back(
    venue: Venue, operator: Client
) -> None:
    batch = (await operator.codes.CreateCodes(terms(count=2))).batch
    [used, unused] = await codes_of(operator, batch.batch_id)
    ada = await venue.trader(0)
    await redeem(ada, used)
    request = codes_pb2.WithdrawBatchRequest(batch_id=batch.batch_id, request_id=Client.new_request_id())
    withdrawn = (await operator.codes.WithdrawBatch(request)).batch
    assert withdrawn.redemption_count == 1
    assert withdrawn.HasField("withdrawn_at")
    assert (await operator.codes.WithdrawBatch(request)).batch == withdrawn
    assert (await refused(redeem(ada, unused))).reason == "CODE_WITHDRAWN"
    assert await cash_of(ada) == 12_345
    again = codes_pb2.WithdrawBatchRequest(batch_id=batch.batch_id)
    assert (await refused(operator.codes.WithdrawBatch(again))).reason == "CODE_WITHDRAWN"
    missing = codes_pb2.WithdrawBatchRequest(batch_id=10**9)
    assert (await refused(operator.codes.WithdrawBatch(missing))).reason == "NOT_FOUND"


async def test_a_frozen_player_redeems_nothing(venue: Venue, operator: Client) -> None:
    [code] = await make(operator)
    ada = await venue.trader(0)
    await operator.admin.SetFrozen(admin_pb2.SetFrozenRequest(name=called(ada), frozen=True, reason="twins"))
    assert (await refused(redeem(ada, code))).reason == "PLAYER_FROZEN"
    assert (await ada.codes.GetReferral(codes_pb2.GetReferralRequest())).code


async def test_more_than_can_be_counted_is_refused(venue: Venue, operator: Client) -> None:
    await venue.settings(code_value_max_cents=10**15)
    [code] = await make(operator, codes_pb2.Reward(points_cents=10**15))
    ada = await venue.trader(0)
    issuer = "kind = 'issuer' AND asset = 0"
    [(before,)] = venue.rows(f"SELECT balance FROM accounts WHERE {issuer}")
    for balance in (-INT64 + 10**15 - 1, before):  # as if the house had issued nearly all that there can be
        with venue.database.transaction():
            venue.database.execute(f"UPDATE accounts SET balance = {balance} WHERE {issuer}")
        if balance != before:
            assert (await refused(redeem(ada, code))).reason == "INVALID_FIELD"
    assert await cash_of(ada) == 0
    assert await redeem(ada, code, validate_only=True)


# Making them


IMPOSSIBLE = [
    (terms(codes_pb2.Reward()), "reward"),
    (terms(codes_pb2.Reward(points_cents=0)), "points_cents"),
    (terms(codes_pb2.Reward(points_cents=-5)), "points_cents"),
    (terms(codes_pb2.Reward(points_cents=10_000_001)), "points_cents"),
    (terms(codes_pb2.Reward(points_cents=INT64)), "points_cents"),
    (terms(coupon(0)), "off_bps"),
    (terms(coupon(10_001)), "off_bps"),
    (terms(coupon(1, 59)), "lifetime_seconds"),
    (terms(coupon(1, INT64)), "lifetime_seconds"),
    (terms(shares("ACME", 0)), "quantity"),
    (terms(shares("ACME", 10**9 + 1)), "quantity"),
    (terms(shares("NOPE", 1)), ""),
    (terms(use=codes_pb2.CODE_USE_UNSPECIFIED), "use"),
    (terms(use=99), "use"),
    (terms(use=LIMITED), "max_uses"),
    (terms(use=LIMITED, max_uses=INT64), "max_uses"),
    (terms(use=SINGLE, max_uses=1), "max_uses"),
    (terms(count=0), "count"),
    (terms(count=5_001), "count"),
    (terms(count=-INT64), "count"),
    (terms(reason=""), "reason"),
    (terms(reason="x" * 81), "reason"),
    (terms(reason="two\nlines"), "reason"),
    (terms(expires_at=Timestamp(seconds=1)), "expires_at"),
    (terms(expires_at=Timestamp(seconds=253_402_300_799)), "expires_at"),
]


async def test_what_can_be_no_code_is_refused(venue: Venue, operator: Client) -> None:
    await venue.settings(code_value_max_cents=10_000_000)
    before = venue.rows("SELECT count(*) FROM codes")
    for request, field in IMPOSSIBLE:
        error = await refused(operator.codes.CreateCodes(request))
        assert (error.reason, error.field) == ("INVALID_FIELD" if field else "NOT_FOUND", field), request
    assert venue.rows("SELECT count(*) FROM codes") == before


async def test_a_batch_is_made_once_and_can_be_looked_at(venue: Venue, operator: Client) -> None:
    same = terms(use=LIMITED, max_uses=3, count=250, request_id=Client.new_request_id())
    first = (await operator.codes.CreateCodes(same)).batch
    assert (await operator.codes.CreateCodes(same)).batch == first
    rehearsed = codes_pb2.CreateCodesRequest()
    rehearsed.CopyFrom(terms(use=LIMITED, max_uses=3, count=250, validate_only=True))
    assert (await operator.codes.CreateCodes(rehearsed)).batch.batch_id == 0
    found: list[codes_pb2.Code] = []
    token = ""
    while True:
        request = codes_pb2.GetBatchRequest(batch_id=first.batch_id, page_token=token)
        page = await operator.codes.GetBatch(request)
        found += page.codes
        token = page.next_page_token
        if not token:
            break
    assert page.batch == first
    assert (first.created_by, first.max_uses, first.code_count) == ("operator", 3, 250)
    assert len({code.text for code in found}) == 250
    assert [code.code_id for code in found] == sorted(code.code_id for code in found)
    ada = await venue.trader(0)
    await redeem(ada, found[1].text)
    seen = await operator.codes.GetBatch(codes_pb2.GetBatchRequest(batch_id=first.batch_id, page_size=3))
    assert [code.uses for code in seen.codes] == [0, 1, 0]
    assert seen.batch.redemption_count == 1


async def test_open_batches_are_those_that_can_still_be_redeemed(venue: Venue, operator: Client) -> None:
    ends = Timestamp()
    ends.FromDatetime(datetime.now(UTC) + timedelta(minutes=5))
    batches = [
        (await operator.codes.CreateCodes(request)).batch.batch_id
        for request in (terms(), terms(expires_at=ends), terms())
    ]
    await operator.codes.WithdrawBatch(codes_pb2.WithdrawBatchRequest(batch_id=batches[0]))

    async def listed(open_only: bool) -> list[int]:
        answer = await operator.codes.ListBatches(codes_pb2.ListBatchesRequest(open_only=open_only))
        return [batch.batch_id for batch in answer.batches if batch.batch_id in batches]

    assert await listed(False) == batches[::-1]
    assert await listed(True) == [batches[2], batches[1]]
    clock.use(lambda: ends.ToDatetime(UTC))
    venue.forget_operator()
    operator = await venue.operator()
    assert await listed(True) == [batches[2]]


async def test_redemptions_tell_who_had_what(venue: Venue, operator: Client) -> None:
    batch = (await operator.codes.CreateCodes(terms(use=PER_PLAYER))).batch
    [points] = await codes_of(operator, batch.batch_id)
    [gift] = await make(operator, shares(await venue.instrument()))
    ada, bob = await venue.trader(0), await venue.trader(0)
    for client, code in ((ada, points), (bob, points), (ada, gift)):
        await redeem(client, code)

    async def listed(**wanted: Any) -> list[tuple[str, str]]:
        answer = await operator.codes.ListRedemptions(codes_pb2.ListRedemptionsRequest(**wanted))
        return [(one.player, one.code) for one in answer.redemptions]

    me, other = called(ada), called(bob)
    assert (await listed())[:3] == [(me, gift), (other, points), (me, points)]
    assert await listed(player=me.upper()) == [(me, gift), (me, points)]
    assert await listed(batch_id=batch.batch_id) == [(other, points), (me, points)]
    assert await listed(batch_id=batch.batch_id, player=me) == [(me, points)]
    missing = codes_pb2.ListRedemptionsRequest(batch_id=10**9)
    assert (await refused(operator.codes.ListRedemptions(missing))).reason == "NOT_FOUND"


async def test_only_who_may_create_codes_sees_them(venue: Venue, operator: Client) -> None:
    batch = (await operator.codes.CreateCodes(terms())).batch
    ada = await venue.trader(0)
    for call in (
        ada.codes.CreateCodes(terms()),
        ada.codes.GetBatch(codes_pb2.GetBatchRequest(batch_id=batch.batch_id)),
        ada.codes.ListBatches(codes_pb2.ListBatchesRequest()),
        ada.codes.WithdrawBatch(codes_pb2.WithdrawBatchRequest(batch_id=batch.batch_id)),
        ada.codes.ListRedemptions(codes_pb2.ListRedemptionsRequest()),
    ):
        assert (await refused(call)).reason == "NOT_ALLOWED"


# What is told of it


async def test_events_tell_everything_but_the_code(venue: Venue, operator: Client) -> None:
    batch = (await operator.codes.CreateCodes(terms())).batch
    [code] = await codes_of(operator, batch.batch_id)
    brought = await redeem(await venue.trader(0), code, request_id="logged")
    [redeemed, created] = await venue.database.run(log.newest, 2, "code.")
    assert (created.type, created.payload["count"], created.payload["reason"]) == (
        "code.created",
        1,
        "workshop",
    )
    assert (redeemed.type, redeemed.request_id, redeemed.address) == ("code.redeemed", "logged", "127.0.0.1")
    assert redeemed.payload == {
        "player_id": redeemed.actor_id, "redemption_id": brought.redemption_id, "kind": 1,
        "batch_id": batch.batch_id, "value_cents": 12_345, "off_bps": 0, "symbol": "", "quantity": 0,
        "fee_off_until": None, "reason": "workshop",
    }  # fmt: skip
    bare = code.replace("-", "")
    assert venue.rows(f"SELECT count(*) FROM events WHERE payload::text ~ '{code}|{bare}'") == [(0,)]


async def test_the_wallet_is_told_after_the_commit(venue: Venue, operator: Client) -> None:
    [code] = await make(operator)
    ada = await venue.trader(0)
    told: list[WalletChange] = []
    assert ada.player is not None
    venue.running.bus.watched.add(ada.player.player_id)
    forget = venue.running.bus.subscribe(WalletChange, told.extend)
    await redeem(ada, code)
    forget()
    assert [change.cash_cents for change in told] == [12_345]


async def test_the_doctor_finds_what_does_not_add_up(venue: Venue, operator: Client) -> None:
    [code, other] = await make(operator, count=2)
    await redeem(await venue.trader(0), code)
    sicknesses = {
        "UPDATE codes SET uses = 1": "each code has been redeemed as often as it says",
        "DELETE FROM redemptions": "each redemption has the one posting",
        "UPDATE code_batches SET value_cents = 12344 WHERE kind = 1": "each redemption has the one posting",
        "UPDATE postings SET reason = 'grant' WHERE reason = 'code'": "each redemption has the one posting",
        "UPDATE postings SET reason = 'referral' WHERE reason = 'code'": "each referral has the postings",
    }
    for sql, rule in sicknesses.items():
        found = await venue.database.run(_diagnosed, venue, sql)
        assert any(broken.startswith(rule) for broken in found), (sql, found)
    assert other != code


class _Undone(Exception):
    """Ends a transaction that shall be rolled back."""


def _diagnosed(venue: Venue, sql: str) -> list[str]:
    """The rules that a change to the database breaks; the change is undone."""
    found: list[str] = []
    with suppress(_Undone), venue.database.transaction():
        venue.database.execute(sql)
        found += [proof.rule for proof in map(doctor.prove, doctor.RULES) if not proof.holds]
        raise _Undone
    return found
