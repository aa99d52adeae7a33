"""Players in the hands of operators: made, disabled, given and taken from."""

import asyncio
import json
from collections.abc import Iterator

import grpc
import pytest
from bearpit.client import BearpitError, Client, connect
from bearpit.v1 import admin_pb2 as pb
from bearpit.v1 import auth_pb2
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.game.points import adjustments, transfers, wallets
from bearpit_server.game.points.transfers import Terms
from bearpit_server.game.proofs import doctor
from bearpit_server.identity import players
from bearpit_server.ledger import accounts
from bearpit_server.ledger.journal import Journal
from bearpit_server.rules.orders import EndReason, OrderStatus
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.roles import PLAYER
from bearpit_server.services.first_operator import create_first_operator
from bearpit_server.storage.clock import now
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import (
    Account,
    Event,
    Instrument,
    Order,
    Posting,
    Request,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.orders import WORKING, buy
from tests.postgres import Postgres
from tests.venue import OPERATOR, PASSWORD, Venue, refused

INT64 = 2**63 - 1


async def bidder(venue: Venue) -> tuple[Client, int]:
    """Ada with 1,000.00, of which an open order holds 50.00; and the order's id."""
    ada = await venue.player("ada", 100_000)
    return ada, await bid(venue, ada)


async def bid(venue: Venue, client: Client) -> int:
    """An open order for 50.00 on a new instrument; its id."""
    await venue.list_instrument()
    await venue.open_market()
    return (await venue.place(client, buy("ACME", 5, 1_000))).order.order_id


# --- players ---------------------------------------------------------------------------------------


async def test_a_new_player_has_the_games_starting_cash_by_a_posting(operator: Client, venue: Venue) -> None:
    made = await operator.admin.CreatePlayer(pb.CreatePlayerRequest(name="ada", password=PASSWORD))
    assert made.password == ""
    assert list(made.player.roles) == [auth_pb2.ROLE_PLAYER]
    found = await operator.admin.GetPlayer(pb.GetPlayerRequest(name="ADA"))
    assert found.wallet.cash_cents == 1_000_000
    [grant] = await venue.database.run(wallets.movements, made.player.player_id, wallets.EVERYTHING, None, 9)
    assert (grant.reason, grant.amount) == ("grant", 1_000_000)


async def test_a_made_up_password_is_told_once_and_works(operator: Client, venue: Venue) -> None:
    request = pb.CreatePlayerRequest(name="ada", request_id="once")
    made = await operator.admin.CreatePlayer(request)
    assert len(made.password) >= 12
    again = await operator.admin.CreatePlayer(request)
    assert (again.player, again.password) == (made.player, "")
    async with connect(venue.address) as ada:
        assert (await ada.sign_in("ada", made.password)).name == "ada"


async def test_no_password_is_kept_with_the_request(operator: Client, venue: Venue) -> None:
    await operator.admin.CreatePlayer(pb.CreatePlayerRequest(name="ada", password="battery staple"))
    await operator.admin.CreatePlayer(pb.CreatePlayerRequest(name="bob"))
    rows = await venue.database.run(lambda: list(Request.select()))
    events = await venue.database.run(lambda: [json.dumps(row.payload) for row in Event.select()])
    assert len(rows) == 2
    assert not any(b"battery staple" in bytes(row.response) for row in rows)
    assert not any("battery" in event or "argon2" in event for event in events)


async def test_the_same_id_with_another_password_is_refused(operator: Client) -> None:
    await operator.admin.CreatePlayer(pb.CreatePlayerRequest(name="ada", password=PASSWORD, request_id="1"))
    other = pb.CreatePlayerRequest(name="ada", password="another one", request_id="1")
    assert (await refused(operator.admin.CreatePlayer(other))).reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.CreatePlayerRequest(name="ab", password=PASSWORD), "INVALID_FIELD"),
        (pb.CreatePlayerRequest(name="x" * 25, password=PASSWORD), "INVALID_FIELD"),
        (pb.CreatePlayerRequest(name="a\u0000bc", password=PASSWORD), "INVALID_FIELD"),
        (pb.CreatePlayerRequest(name="Operator", password=PASSWORD), "ALREADY_EXISTS"),
        (pb.CreatePlayerRequest(name="House", password=PASSWORD), "ALREADY_EXISTS"),
        (pb.CreatePlayerRequest(name="ada", password="short"), "INVALID_FIELD"),
        (pb.CreatePlayerRequest(name="ada", password="x" * 257), "INVALID_FIELD"),
        (pb.CreatePlayerRequest(name="ada", cash_cents=-1), "INVALID_FIELD"),
        (pb.CreatePlayerRequest(name="ada", cash_cents=INT64), "INVALID_FIELD"),
        (pb.CreatePlayerRequest(name="ada", cash_cents=-INT64 - 1), "INVALID_FIELD"),
    ],
)
async def test_players_that_cannot_be(
    request_: pb.CreatePlayerRequest, reason: str, operator: Client
) -> None:
    assert (await refused(operator.admin.CreatePlayer(request_))).reason == reason
    assert len((await operator.admin.ListPlayers(pb.ListPlayersRequest())).players) == 1


async def test_twenty_equal_requests_at_once_make_one_player(operator: Client) -> None:
    same = pb.CreatePlayerRequest(name="ada", password=PASSWORD, request_id="once")
    answers = await asyncio.gather(*[operator.admin.CreatePlayer(same) for _ in range(20)])
    assert len({answer.player.player_id for answer in answers}) == 1


async def test_twenty_requests_for_one_name_make_one_player(operator: Client) -> None:
    requests = [pb.CreatePlayerRequest(name="ada", password=PASSWORD) for _ in range(20)]
    answers = await asyncio.gather(*map(operator.admin.CreatePlayer, requests), return_exceptions=True)
    refusals = [answer.reason for answer in answers if isinstance(answer, BearpitError)]
    assert refusals == ["ALREADY_EXISTS"] * 19


async def test_players_are_searched_and_paged_by_id(operator: Client, venue: Venue) -> None:
    for name in ("ada_1", "ada_2", "adaX3", "bob"):
        await venue.player(name, 100_000)

    async def names(**query: object) -> list[str]:
        found, token = [], ""
        while True:
            request = pb.ListPlayersRequest(page_size=2, page_token=token, **query)  # type: ignore[arg-type]
            page = await operator.admin.ListPlayers(request)
            found += [summary.player.name for summary in page.players]
            token = page.next_page_token
            if not token:
                return found

    assert await names() == ["operator", "ada_1", "ada_2", "adaX3", "bob"]
    assert await names(search="ADA") == ["ada_1", "ada_2", "adaX3"]
    assert await names(search="a_") == ["ada_1", "ada_2"]  # no wildcard
    assert await names(search="%") == []
    assert await names(search="house") == []


async def test_a_list_answers_nothing_beyond_its_bounds(operator: Client) -> None:
    for bad in (pb.ListPlayersRequest(page_size=1_001), pb.ListPlayersRequest(page_size=-1)):
        assert (await refused(operator.admin.ListPlayers(bad))).field == "page_size"
    bad = pb.ListPlayersRequest(page_token="AAAA")
    assert (await refused(operator.admin.ListPlayers(bad))).reason == "BAD_PAGE_TOKEN"
    bad = pb.ListPlayersRequest(search="x" * 65)
    assert (await refused(operator.admin.ListPlayers(bad))).field == "search"


async def test_a_disabled_player_is_out_at_once_and_its_orders_are_cancelled(
    operator: Client, venue: Venue
) -> None:
    ada, order_id = await bidder(venue)
    request = pb.SetPlayerDisabledRequest(name="ada", disabled=True, request_id="off")
    done = await operator.admin.SetPlayerDisabled(request)
    assert (done.player.disabled, done.cancelled_orders) == (True, 1)
    assert (await refused(ada.auth.GetMe(auth_pb2.GetMeRequest()))).code in (
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    )
    assert (await refused(ada.auth.SignIn(auth_pb2.SignInRequest(name="ada", password=PASSWORD)))).reason == (
        "PLAYER_DISABLED"
    )
    ended = await venue.database.run(Order.get_by_id, order_id)
    assert (ended.status, ended.end_reason) == (OrderStatus.CANCELLED, EndReason.DISABLED)
    found = await operator.admin.GetPlayer(pb.GetPlayerRequest(name="ada"))
    assert (found.wallet.cash_cents, found.wallet.held_cents) == (100_000, 0)


async def test_a_late_repetition_of_a_disabling_cancels_nothing_of_an_enabled_player(
    operator: Client, venue: Venue
) -> None:
    await venue.player("ada", 100_000)
    off = pb.SetPlayerDisabledRequest(name="ada", disabled=True, request_id="off")
    first = await operator.admin.SetPlayerDisabled(off)
    await operator.admin.SetPlayerDisabled(pb.SetPlayerDisabledRequest(name="ada", disabled=False))
    ada = await venue.sign_in("ada")
    order_id = await bid(venue, ada)
    assert await operator.admin.SetPlayerDisabled(off) == first
    assert (await venue.order(ada, order_id)).status == WORKING
    assert not (await operator.admin.GetPlayer(pb.GetPlayerRequest(name="ada"))).player.disabled
    await operator.admin.SetPlayerDisabled(pb.SetPlayerDisabledRequest(name="ada", disabled=True))


async def test_a_rehearsed_disabling_counts_the_orders_and_leaves_them(
    operator: Client, venue: Venue
) -> None:
    ada, order_id = await bidder(venue)
    request = pb.SetPlayerDisabledRequest(name="ada", disabled=True, request_id="x", validate_only=True)
    told = await operator.admin.SetPlayerDisabled(request)
    assert (told.player.disabled, told.cancelled_orders) == (True, 1)
    assert not (await operator.admin.GetPlayer(pb.GetPlayerRequest(name="ada"))).player.disabled
    assert (await venue.order(ada, order_id)).status == WORKING


async def test_nobody_disables_himself(operator: Client) -> None:
    request = pb.SetPlayerDisabledRequest(name=OPERATOR, disabled=True)
    assert (await refused(operator.admin.SetPlayerDisabled(request))).field == "name"


async def test_a_reset_password_ends_all_sign_ins_and_the_new_one_works(
    operator: Client, venue: Venue
) -> None:
    ada = await venue.player("ada")
    reset = await operator.admin.ResetPassword(pb.ResetPasswordRequest(name="ada"))
    assert (await refused(ada.auth.GetMe(auth_pb2.GetMeRequest()))).reason == "NOT_SIGNED_IN"
    with pytest.raises(BearpitError):
        await ada.sign_in("ada", PASSWORD)
    await ada.sign_in("ada", reset.password)


async def test_a_rehearsed_reset_leaves_the_password(operator: Client, venue: Venue) -> None:
    await venue.player("ada", 100_000)
    request = pb.ResetPasswordRequest(name="ada", request_id="x", validate_only=True)
    assert (await operator.admin.ResetPassword(request)).password == ""
    await venue.sign_in("ada")


# --- adjustments -----------------------------------------------------------------------------------


async def test_cash_and_shares_are_given_and_taken_with_a_reason(operator: Client, venue: Venue) -> None:
    await venue.player("ada", 100_000)
    await venue.list_instrument()
    for symbol, amount, after in (("", 500, 100_500), ("", -100_500, 0), ("ACME", 7, 7), ("ACME", -3, 4)):
        request = pb.AdjustBalanceRequest(name="ada", symbol=symbol, amount=amount, reason="a prize")
        posting = (await operator.admin.AdjustBalance(request)).posting
        assert (posting.symbol, posting.amount, posting.balance_after) == (symbol, amount, after)
        assert (posting.reason, posting.note) == ("adjustment", "a prize")
    kept = await venue.database.run(lambda: Posting.select().where(Posting.reason == "adjustment").count())
    assert kept == 4


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.AdjustBalanceRequest(name="ada", amount=0, reason="x"), "INVALID_FIELD"),
        (pb.AdjustBalanceRequest(name="ada", amount=INT64, reason="x"), "INVALID_FIELD"),
        (pb.AdjustBalanceRequest(name="ada", amount=-INT64 - 1, reason="x"), "INVALID_FIELD"),
        (pb.AdjustBalanceRequest(name="ada", amount=10**15 + 1, reason="x"), "INVALID_FIELD"),
        (pb.AdjustBalanceRequest(name="ada", amount=-(10**15), reason="x"), "INSUFFICIENT_FUNDS"),
        (pb.AdjustBalanceRequest(name="ada", amount=-100_001, reason="x"), "INSUFFICIENT_FUNDS"),
        (pb.AdjustBalanceRequest(name="ada", symbol="ACME", amount=-1, reason="x"), "INSUFFICIENT_SHARES"),
        (pb.AdjustBalanceRequest(name="ada", symbol="ACME", amount=10**9 + 1, reason="x"), "INVALID_FIELD"),
        (pb.AdjustBalanceRequest(name="ada", symbol="NOPE", amount=1, reason="x"), "NOT_FOUND"),
        (pb.AdjustBalanceRequest(name="nobody", amount=1, reason="x"), "NOT_FOUND"),
        (pb.AdjustBalanceRequest(name="house", amount=1, reason="x"), "NOT_FOUND"),
        (pb.AdjustBalanceRequest(name="ada", amount=1), "INVALID_FIELD"),
        (pb.AdjustBalanceRequest(name="ada", amount=1, reason="  "), "INVALID_FIELD"),
        (pb.AdjustBalanceRequest(name="ada", amount=1, reason="x" * 141), "INVALID_FIELD"),
        (pb.AdjustBalanceRequest(name="ada", amount=1, reason="a\x1fb"), "INVALID_FIELD"),
    ],
)
async def test_adjustments_that_cannot_be(
    request_: pb.AdjustBalanceRequest, reason: str, operator: Client, venue: Venue
) -> None:
    await venue.player("ada", 100_000)
    await venue.list_instrument()
    assert (await refused(operator.admin.AdjustBalance(request_))).reason == reason


async def test_what_is_held_cannot_be_taken(operator: Client, venue: Venue) -> None:
    await bidder(venue)
    request = pb.AdjustBalanceRequest(name="ada", amount=-95_001, reason="x")
    error = await refused(operator.admin.AdjustBalance(request))
    assert error.metadata == {"needed_cents": "95001", "free_cents": "95000"}
    assert "take less, or cancel the player's orders that hold the rest" in error.message
    request = pb.AdjustBalanceRequest(name="ada", amount=-95_000, reason="x")
    assert (await operator.admin.AdjustBalance(request)).posting.balance_after == 5_000


async def test_what_is_not_there_cannot_be_taken_and_that_is_said_in_an_operators_words(
    operator: Client, venue: Venue
) -> None:
    await venue.list_instrument("ACME")
    await venue.player("ada", ACME=3)
    take = pb.AdjustBalanceRequest(name="ada", symbol="ACME", amount=-4, reason="x")
    error = await refused(operator.admin.AdjustBalance(take))
    assert error.message == "this needs 4 shares and 3 are free; take less"
    assert error.metadata == {"needed": "4", "free": "3"}


async def test_more_than_can_be_counted_is_refused_in_words(operator: Client, venue: Venue) -> None:
    await venue.player("ada", 100_000)

    def owe(amount: int) -> None:
        issuer, treasury = (accounts.open_account(0, 0, kind) for kind in ("issuer", "treasury"))
        journal = Journal(now())
        journal.lock([issuer, treasury])
        journal.post(issuer, treasury, amount, "issue", "", HOUSE_ORIGIN)
        journal.write()

    await venue.database.run(owe, INT64 - 1_100_100)
    give = pb.AdjustBalanceRequest(name="ada", amount=101, reason="x")
    assert (await refused(operator.admin.AdjustBalance(give))).field == "amount"
    make = pb.CreatePlayerRequest(name="bob", cash_cents=101)
    assert (await refused(operator.admin.CreatePlayer(make))).field == "cash_cents"
    await operator.admin.AdjustBalance(pb.AdjustBalanceRequest(name="ada", amount=100, reason="x"))


# --- the first operator --------------------------------------------------------------------------------


def test_the_first_operator_is_made_once(postgres: Postgres) -> None:
    with postgres.database() as database:
        create_first_operator(database, "ada", PASSWORD)
        with pytest.raises(Refused, match="operator already, ada") as refusal:
            create_first_operator(database, "bob", PASSWORD)
        assert "`bearpit-admin player create NAME --role admin`" in refusal.value.message
        assert refusal.value.reason == "ALREADY_EXISTS"
        with database.transaction():
            ada = players.get("ada")
            assert ada.roles == ["admin"]
            assert wallets.of(ada.id).cash_cents == 1_000_000


def test_a_first_operator_needs_a_name_and_a_password(postgres: Postgres) -> None:
    with postgres.database() as database:
        for name, password in (("x", PASSWORD), ("ada", "short")):
            with pytest.raises(Refused) as refusal:
                create_first_operator(database, name, password)
            assert refusal.value.reason == "INVALID_FIELD"


# --- conservation ----------------------------------------------------------------------------------------

NAMES = ("ada", "bob", "cleo")
WHO = st.sampled_from(NAMES)
AMOUNT = st.one_of(st.integers(-300, 300), st.integers(-(10**16), 10**16))
STEP = st.one_of(
    st.tuples(st.just("give"), WHO, st.sampled_from(("", "ACME")), AMOUNT),
    st.tuples(st.just("send"), WHO, WHO, AMOUNT),
)


@pytest.fixture(scope="module")
def bank(postgres: Postgres) -> Iterator[Database]:
    with postgres.database() as database:
        with database.transaction():
            for name in NAMES:
                players.create_player(name, "", [PLAYER], 1_000, HOUSE_ORIGIN)
            Instrument.insert(
                symbol="ACME", name="Acme", mechanism="order_book", shard=0, tick_cents=1, lot=1,
                min_quantity=1, max_quantity=1, fee_bps=0, band_bps=0, reference_price_cents=0,
                created_at=now(),
            ).execute()  # fmt: skip
        yield database


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=12), fee_bps=st.integers(0, 10_000))
def test_no_adjustment_or_transfer_makes_or_destroys_anything(
    bank: Database, steps: list[tuple[str, str, str, int]], fee_bps: int
) -> None:
    terms = Terms(fee_bps, 1, 0)
    for kind, name, other, amount in steps:
        with bank.transaction():
            who, before = players.get(name), all_cash()
        try:
            with bank.transaction():
                if kind == "give":
                    movement, _ = adjustments.adjust(who.id, other, amount, "x", HOUSE_ORIGIN)
                    assert movement.amount == amount
                else:
                    transfers.send(who.id, players.get(other), amount, "", terms, HOUSE_ORIGIN)
        except Refused:
            with bank.transaction():
                assert all_cash() == before
        else:
            with bank.transaction():
                issued = amount if (kind, other) == ("give", "") else 0
                assert all_cash() == before + issued
    with bank.transaction():
        assert [proof for proof in doctor.check() if not proof.holds] == []


def all_cash() -> int:
    """What everybody has together, and the house has earned."""
    owned = Account.select().where(Account.asset == 0, Account.kind != "issuer")
    return sum(account.balance for account in owned)
