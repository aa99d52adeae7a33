"""Players in the hands of operators: made, disabled, given and taken from."""

import asyncio
import json
from collections.abc import Iterator

import grpc
import pytest
import pytest_asyncio
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

from tests.integration.floor import SHARED
from tests.orders import WORKING, buy
from tests.postgres import Postgres
from tests.venue import OPERATOR, PASSWORD, Venue, refused

INT64 = 2**63 - 1


@pytest_asyncio.fixture(loop_scope="module", name="operator")
async def make_operator(floor: Venue) -> Client:
    """The floor's operator."""
    return await floor.operator()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada(shared_floor: Venue) -> None:
    """Ada with 1,000.00, and an instrument ACME of which she has none."""
    await shared_floor.player("ada", 100_000)
    await shared_floor.list_instrument("ACME")


async def player(floor: Venue, **shares: int) -> tuple[Client, str]:
    """Somebody with 1,000.00, and the name."""
    made = await floor.trader(100_000, **shares)
    assert made.player is not None
    return made, made.player.name


async def bidder(floor: Venue) -> tuple[Client, str, int]:
    """Somebody with 1,000.00, of which an open order holds 50.00; the name, and the order's id."""
    made, name = await player(floor)
    return made, name, await bid(floor, made)


async def bid(floor: Venue, client: Client) -> int:
    """An open order for 50.00 on a new instrument; its id."""
    return (await floor.place(client, buy(await floor.instrument(), 5, 1_000))).order.order_id


# --- players ---------------------------------------------------------------------------------------


@SHARED
async def test_a_new_player_has_the_games_starting_cash_by_a_posting(operator: Client, floor: Venue) -> None:
    made = await operator.admin.CreatePlayer(pb.CreatePlayerRequest(name="beginner", password=PASSWORD))
    assert made.password == ""
    assert list(made.player.roles) == [auth_pb2.ROLE_PLAYER]
    found = await operator.admin.GetPlayer(pb.GetPlayerRequest(name="BEGINNER"))
    assert found.wallet.cash_cents == 1_000_000
    [grant] = await floor.database.run(wallets.movements, made.player.player_id, wallets.EVERYTHING, None, 9)
    assert (grant.reason, grant.amount) == ("grant", 1_000_000)


@SHARED
async def test_a_made_up_password_is_told_once_and_works(operator: Client, floor: Venue) -> None:
    request = pb.CreatePlayerRequest(name="forgetful", request_id="made up")
    made = await operator.admin.CreatePlayer(request)
    assert len(made.password) >= 12
    again = await operator.admin.CreatePlayer(request)
    assert (again.player, again.password) == (made.player, "")
    async with connect(floor.address) as client:
        assert (await client.sign_in("forgetful", made.password)).name == "forgetful"


@SHARED
async def test_no_password_is_kept_with_the_request(operator: Client, floor: Venue) -> None:
    before = await floor.database.run(lambda: Request.select().count())
    await operator.admin.CreatePlayer(pb.CreatePlayerRequest(name="careful", password="battery staple"))
    await operator.admin.CreatePlayer(pb.CreatePlayerRequest(name="careless"))
    rows = await floor.database.run(lambda: list(Request.select()))
    events = await floor.database.run(lambda: [json.dumps(row.payload) for row in Event.select()])
    assert len(rows) == before + 2
    assert not any(b"battery staple" in bytes(row.response) for row in rows)
    assert not any("battery" in event or "argon2" in event for event in events)


@SHARED
async def test_the_same_id_with_another_password_is_refused(operator: Client) -> None:
    await operator.admin.CreatePlayer(
        pb.CreatePlayerRequest(name="twice", password=PASSWORD, request_id="other password")
    )
    other = pb.CreatePlayerRequest(name="twice", password="another one", request_id="other password")
    assert (await refused(operator.admin.CreatePlayer(other))).reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.CreatePlayerRequest(name="ab", password=PASSWORD), "INVALID_FIELD"),
        (pb.CreatePlayerRequest(name="x" * 25, password=PASSWORD), "INVALID_FIELD"),
        (pb.CreatePlayerRequest(name="a\u0000bc", password=PASSWORD), "INVALID_FIELD"),
        (pb.CreatePlayerRequest(name="Operator", password=PASSWORD), "ALREADY_EXISTS"),
        (pb.CreatePlayerRequest(name="House", password=PASSWORD), "ALREADY_EXISTS"),
        (pb.CreatePlayerRequest(name="newcomer", password="short"), "INVALID_FIELD"),
        (pb.CreatePlayerRequest(name="newcomer", password="x" * 257), "INVALID_FIELD"),
        (pb.CreatePlayerRequest(name="newcomer", cash_cents=-1), "INVALID_FIELD"),
        (pb.CreatePlayerRequest(name="newcomer", cash_cents=INT64), "INVALID_FIELD"),
        (pb.CreatePlayerRequest(name="newcomer", cash_cents=-INT64 - 1), "INVALID_FIELD"),
    ],
)
@SHARED
async def test_players_that_cannot_be(
    request_: pb.CreatePlayerRequest, reason: str, operator: Client, floor: Venue
) -> None:
    before = floor.rows("SELECT id, name FROM players ORDER BY id")
    assert (await refused(operator.admin.CreatePlayer(request_))).reason == reason
    assert floor.rows("SELECT id, name FROM players ORDER BY id") == before


@SHARED
async def test_twenty_equal_requests_at_once_make_one_player(operator: Client) -> None:
    same = pb.CreatePlayerRequest(name="equal", password=PASSWORD, request_id="twenty")
    answers = await asyncio.gather(*[operator.admin.CreatePlayer(same) for _ in range(20)])
    assert len({answer.player.player_id for answer in answers}) == 1


@SHARED
async def test_twenty_requests_for_one_name_make_one_player(operator: Client) -> None:
    requests = [pb.CreatePlayerRequest(name="wanted", password=PASSWORD) for _ in range(20)]
    answers = await asyncio.gather(*map(operator.admin.CreatePlayer, requests), return_exceptions=True)
    refusals = [answer.reason for answer in answers if isinstance(answer, BearpitError)]
    assert refusals == ["ALREADY_EXISTS"] * 19


async def test_players_are_searched_and_paged_by_id(venue: Venue) -> None:
    operator = await venue.operator()
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


@SHARED
async def test_a_list_answers_nothing_beyond_its_bounds(operator: Client) -> None:
    for bad in (pb.ListPlayersRequest(page_size=1_001), pb.ListPlayersRequest(page_size=-1)):
        assert (await refused(operator.admin.ListPlayers(bad))).field == "page_size"
    bad = pb.ListPlayersRequest(page_token="AAAA")
    assert (await refused(operator.admin.ListPlayers(bad))).reason == "BAD_PAGE_TOKEN"
    bad = pb.ListPlayersRequest(search="x" * 65)
    assert (await refused(operator.admin.ListPlayers(bad))).field == "search"


@SHARED
async def test_a_disabled_player_is_out_at_once_and_its_orders_are_cancelled(
    operator: Client, floor: Venue
) -> None:
    ada, name, order_id = await bidder(floor)
    request = pb.SetPlayerDisabledRequest(name=name, disabled=True, request_id="out")
    done = await operator.admin.SetPlayerDisabled(request)
    assert (done.player.disabled, done.cancelled_orders) == (True, 1)
    assert (await refused(ada.auth.GetMe(auth_pb2.GetMeRequest()))).code in (
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    )
    assert (await refused(ada.auth.SignIn(auth_pb2.SignInRequest(name=name, password=PASSWORD)))).reason == (
        "PLAYER_DISABLED"
    )
    ended = await floor.database.run(Order.get_by_id, order_id)
    assert (ended.status, ended.end_reason) == (OrderStatus.CANCELLED, EndReason.DISABLED)
    found = await operator.admin.GetPlayer(pb.GetPlayerRequest(name=name))
    assert (found.wallet.cash_cents, found.wallet.held_cents) == (100_000, 0)


@SHARED
async def test_a_late_repetition_of_a_disabling_cancels_nothing_of_an_enabled_player(
    operator: Client, floor: Venue
) -> None:
    _, name = await player(floor)
    off = pb.SetPlayerDisabledRequest(name=name, disabled=True, request_id="late")
    first = await operator.admin.SetPlayerDisabled(off)
    await operator.admin.SetPlayerDisabled(pb.SetPlayerDisabledRequest(name=name, disabled=False))
    ada = await floor.sign_in(name)
    order_id = await bid(floor, ada)
    assert await operator.admin.SetPlayerDisabled(off) == first
    assert (await floor.order(ada, order_id)).status == WORKING
    assert not (await operator.admin.GetPlayer(pb.GetPlayerRequest(name=name))).player.disabled
    await operator.admin.SetPlayerDisabled(pb.SetPlayerDisabledRequest(name=name, disabled=True))


@SHARED
async def test_a_rehearsed_disabling_counts_the_orders_and_leaves_them(
    operator: Client, floor: Venue
) -> None:
    ada, name, order_id = await bidder(floor)
    request = pb.SetPlayerDisabledRequest(
        name=name, disabled=True, request_id="rehearsed disabling", validate_only=True
    )
    told = await operator.admin.SetPlayerDisabled(request)
    assert (told.player.disabled, told.cancelled_orders) == (True, 1)
    assert not (await operator.admin.GetPlayer(pb.GetPlayerRequest(name=name))).player.disabled
    assert (await floor.order(ada, order_id)).status == WORKING


@SHARED
async def test_nobody_disables_himself(operator: Client) -> None:
    request = pb.SetPlayerDisabledRequest(name=OPERATOR, disabled=True)
    assert (await refused(operator.admin.SetPlayerDisabled(request))).field == "name"


@SHARED
async def test_a_reset_password_ends_all_sign_ins_and_the_new_one_works(
    operator: Client, floor: Venue
) -> None:
    ada, name = await player(floor)
    reset = await operator.admin.ResetPassword(pb.ResetPasswordRequest(name=name))
    assert (await refused(ada.auth.GetMe(auth_pb2.GetMeRequest()))).reason == "NOT_SIGNED_IN"
    with pytest.raises(BearpitError):
        await ada.sign_in(name, PASSWORD)
    await ada.sign_in(name, reset.password)


@SHARED
async def test_a_rehearsed_reset_leaves_the_password(operator: Client, floor: Venue) -> None:
    _, name = await player(floor)
    request = pb.ResetPasswordRequest(name=name, request_id="rehearsed reset", validate_only=True)
    assert (await operator.admin.ResetPassword(request)).password == ""
    await floor.sign_in(name)


# --- adjustments -----------------------------------------------------------------------------------


@SHARED
async def test_cash_and_shares_are_given_and_taken_with_a_reason(operator: Client, floor: Venue) -> None:
    _, name = await player(floor)
    acme = await floor.instrument()
    for symbol, amount, after in (("", 500, 100_500), ("", -100_500, 0), (acme, 7, 7), (acme, -3, 4)):
        request = pb.AdjustBalanceRequest(name=name, symbol=symbol, amount=amount, reason="a rare prize")
        posting = (await operator.admin.AdjustBalance(request)).posting
        assert (posting.symbol, posting.amount, posting.balance_after) == (symbol, amount, after)
        assert (posting.reason, posting.note) == ("adjustment", "a rare prize")
    kept = await floor.database.run(lambda: Posting.select().where(Posting.note == "a rare prize").count())
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
@SHARED
async def test_adjustments_that_cannot_be(
    request_: pb.AdjustBalanceRequest, reason: str, operator: Client, ada: None
) -> None:
    assert (await refused(operator.admin.AdjustBalance(request_))).reason == reason


@SHARED
async def test_what_is_held_cannot_be_taken(operator: Client, floor: Venue) -> None:
    _, name, _ = await bidder(floor)
    request = pb.AdjustBalanceRequest(name=name, amount=-95_001, reason="x")
    error = await refused(operator.admin.AdjustBalance(request))
    assert error.metadata == {"needed_cents": "95001", "free_cents": "95000"}
    assert "take less, or cancel the player's orders that hold the rest" in error.message
    request = pb.AdjustBalanceRequest(name=name, amount=-95_000, reason="x")
    assert (await operator.admin.AdjustBalance(request)).posting.balance_after == 5_000


@SHARED
async def test_what_is_not_there_cannot_be_taken_and_that_is_said_in_an_operators_words(
    operator: Client, floor: Venue
) -> None:
    symbol = await floor.instrument()
    _, name = await player(floor, **{symbol: 3})
    take = pb.AdjustBalanceRequest(name=name, symbol=symbol, amount=-4, reason="x")
    error = await refused(operator.admin.AdjustBalance(take))
    assert error.message == "this needs 4 shares and 3 are free; take less"
    assert error.metadata == {"needed": "4", "free": "3"}


async def test_more_than_can_be_counted_is_refused_in_words(venue: Venue) -> None:
    operator = await venue.operator()
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


@pytest.fixture
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
