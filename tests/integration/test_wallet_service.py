"""WalletService through gRPC: transfers happen once, cost what they say, and destroy nothing."""

import asyncio

import pytest
import pytest_asyncio
from bearpit.client import BearpitError, Client
from bearpit.v1 import admin_pb2, wallet_pb2
from bearpit_server.events import log
from bearpit_server.events.records import WalletChange
from bearpit_server.game.points import wallets
from bearpit_server.storage.models import Player, Transfer

from tests.integration.floor import SHARED
from tests.venue import Venue

INT64 = 2**63 - 1
pytestmark = [SHARED, pytest.mark.usefixtures("terms")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def terms(shared_floor: Venue) -> None:
    """A fee, and a minimum."""
    await shared_floor.settings(transfer_fee_bps=33, transfer_minimum_cents=100)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada(shared_floor: Venue) -> Client:
    """Ada of 1,000.00, who can send nothing of it; bob, who gets nothing."""
    await shared_floor.player("bob", 100_000)
    return await shared_floor.player("ada", 100_000)


@pytest_asyncio.fixture(loop_scope="module")
async def people(floor: Venue) -> dict[str, Client]:
    """The operator, and two new players of 1,000.00 each, signed in."""
    players = {name: await floor.trader(100_000) for name in ("ada", "bob")}
    return {"operator": await floor.operator(), **players}


def name_of(client: Client) -> str:
    assert client.player is not None
    return client.player.name


def transfer(to: Client | str = "bob", cents: int = 10_000, **more: object) -> wallet_pb2.TransferRequest:
    name = to if isinstance(to, str) else name_of(to)
    return wallet_pb2.TransferRequest(to_player=name, amount_cents=cents, **more)  # type: ignore[arg-type]


def id_of(client: Client) -> int:
    assert client.player is not None
    return client.player.player_id


def sent(client: Client) -> int:
    """How often a player has given something."""
    return int(Transfer.select().where(Transfer.from_id == id_of(client)).count())


async def cash_of(client: Client) -> int:
    return (await client.wallet.GetWallet(wallet_pb2.GetWalletRequest())).wallet.cash_cents


async def test_the_recipient_gets_the_amount_and_the_sender_pays_the_fee(people: dict[str, Client]) -> None:
    done = await people["ada"].wallet.Transfer(
        transfer(name_of(people["bob"]).upper(), 10_001, note="for lunch")
    )
    assert done.transfer_id > 0
    assert (done.amount_cents, done.fee_cents) == (10_001, 34)  # 33.0033, rounded up
    assert done.free_cash_after_cents == 100_000 - 10_035
    assert await cash_of(people["ada"]) == 100_000 - 10_035
    assert await cash_of(people["bob"]) == 110_001


async def test_both_sides_find_it_among_their_postings(people: dict[str, Client]) -> None:
    done = await people["ada"].wallet.Transfer(transfer(people["bob"], note="for lunch"))
    [fee, gave, grant] = (await people["ada"].wallet.ListPostings(wallet_pb2.ListPostingsRequest())).postings
    [took, _] = (await people["bob"].wallet.ListPostings(wallet_pb2.ListPostingsRequest())).postings
    assert (fee.reason, fee.amount) == ("transfer_fee", -33)
    assert (gave.reason, gave.amount, gave.balance_after, gave.note) == (
        "transfer",
        -10_000,
        90_000,
        "for lunch",
    )
    assert (took.reason, took.amount, took.balance_after) == ("transfer", 10_000, 110_000)
    assert {fee.reference, gave.reference, took.reference} == {f"transfer:{done.transfer_id}"}
    assert grant.reason == "grant"


async def test_fifty_times_the_same_request_moves_money_once(people: dict[str, Client], floor: Venue) -> None:
    same = transfer(people["bob"], request_id="once")
    answers = await asyncio.gather(*[people["ada"].wallet.Transfer(same) for _ in range(50)])
    assert len({answer.SerializeToString() for answer in answers}) == 1
    assert await cash_of(people["bob"]) == 110_000
    assert await floor.database.run(sent, people["ada"]) == 1


async def test_fifty_different_requests_spend_no_more_than_there_is(people: dict[str, Client]) -> None:
    answers = await asyncio.gather(
        *[people["ada"].wallet.Transfer(transfer(people["bob"], cents=9_000)) for _ in range(50)],
        return_exceptions=True,
    )
    refusals = [answer for answer in answers if isinstance(answer, BearpitError)]
    assert len(answers) - len(refusals) == 100_000 // (9_000 + 30)
    assert {refusal.reason for refusal in refusals} == {"INSUFFICIENT_FUNDS"}
    assert await cash_of(people["bob"]) == 100_000 + 11 * 9_000


async def test_crossing_transfers_end(people: dict[str, Client]) -> None:
    there = [people["ada"].wallet.Transfer(transfer(people["bob"], 100)) for _ in range(20)]
    back = [people["bob"].wallet.Transfer(transfer(people["ada"], 100)) for _ in range(20)]
    async with asyncio.timeout(30):
        await asyncio.gather(*there, *back)
    assert await cash_of(people["ada"]) == 100_000 - 20


async def test_the_same_id_with_another_body_is_refused(people: dict[str, Client]) -> None:
    await people["ada"].wallet.Transfer(transfer(people["bob"], request_id="once"))
    with pytest.raises(BearpitError) as error:
        await people["ada"].wallet.Transfer(transfer(people["bob"], cents=10_001, request_id="once"))
    assert error.value.reason == "REQUEST_ID_REUSED"


async def test_the_same_id_of_another_player_is_another_request(people: dict[str, Client]) -> None:
    await people["ada"].wallet.Transfer(transfer(people["bob"], request_id="once"))
    await people["bob"].wallet.Transfer(transfer(people["ada"], request_id="once"))
    assert await cash_of(people["ada"]) == 100_000 - 33


async def test_a_refused_request_may_be_sent_again_when_there_is_money(people: dict[str, Client]) -> None:
    dear = transfer(people["bob"], cents=150_000, request_id="later")
    with pytest.raises(BearpitError):
        await people["ada"].wallet.Transfer(dear)
    gift = admin_pb2.AdjustBalanceRequest(name=name_of(people["ada"]), amount=100_000, reason="prize")
    await people["operator"].admin.AdjustBalance(gift)
    assert (await people["ada"].wallet.Transfer(dear)).amount_cents == 150_000


async def test_a_rehearsal_tells_the_fee_and_changes_nothing(people: dict[str, Client], floor: Venue) -> None:
    told = await people["ada"].wallet.Transfer(
        transfer(people["bob"], validate_only=True, request_id="rehearsal")
    )
    assert (told.transfer_id, told.fee_cents, told.free_cash_after_cents) == (0, 33, 89_967)
    assert await cash_of(people["ada"]) == 100_000
    assert await floor.database.run(sent, people["ada"]) == 0
    done = await people["ada"].wallet.Transfer(transfer(people["bob"], request_id="rehearsal"))
    assert done.free_cash_after_cents == told.free_cash_after_cents


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (transfer("ada"), "TRANSFER_TO_SELF"),
        (transfer("Ada"), "TRANSFER_TO_SELF"),
        (transfer("nobody"), "NOT_FOUND"),
        (transfer("house"), "NOT_FOUND"),
        (transfer(""), "NOT_FOUND"),
        (transfer("x" * 5_000), "NOT_FOUND"),
        (transfer(cents=99), "BELOW_MINIMUM"),
        (transfer(cents=0), "BELOW_MINIMUM"),
        (transfer(cents=-10_000), "BELOW_MINIMUM"),
        (transfer(cents=-INT64 - 1), "BELOW_MINIMUM"),
        (transfer(cents=INT64), "INVALID_FIELD"),
        (transfer(cents=10**15 + 1), "INVALID_FIELD"),
        (transfer(cents=10**15), "INSUFFICIENT_FUNDS"),
        (transfer(cents=100_000), "INSUFFICIENT_FUNDS"),  # the fee is not there
        (transfer(note="x" * 141), "INVALID_FIELD"),
        (transfer(note="two\nlines"), "INVALID_FIELD"),
        (transfer(note="\x1f"), "INVALID_FIELD"),
        (transfer(request_id="x" * 65), "INVALID_FIELD"),
        (transfer(request_id="a\nb"), "INVALID_FIELD"),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    request_: wallet_pb2.TransferRequest, reason: str, ada: Client, floor: Venue
) -> None:
    before = await floor.database.run(_balances)
    with pytest.raises(BearpitError) as error:
        await ada.wallet.Transfer(request_)
    assert error.value.reason == reason
    assert await floor.database.run(_balances) == before


async def test_a_refusal_tells_what_is_needed_and_what_is_free(people: dict[str, Client]) -> None:
    with pytest.raises(BearpitError) as error:
        await people["ada"].wallet.Transfer(transfer(people["bob"], cents=100_000))
    assert error.value.metadata == {"needed_cents": "100330", "free_cents": "100000"}
    assert error.value.message == "this needs 1,003.30 points and 1,000.00 are free; send less"
    with pytest.raises(BearpitError) as error:
        await people["ada"].wallet.Transfer(transfer(people["bob"], cents=1))
    assert error.value.metadata == {"minimum_cents": "100"}
    assert error.value.field == "amount_cents"


async def test_nothing_goes_to_or_from_a_disabled_player(people: dict[str, Client]) -> None:
    off = admin_pb2.SetPlayerDisabledRequest(name=name_of(people["bob"]), disabled=True)
    await people["operator"].admin.SetPlayerDisabled(off)
    with pytest.raises(BearpitError) as error:
        await people["ada"].wallet.Transfer(transfer(people["bob"]))
    assert error.value.reason == "PLAYER_DISABLED"
    with pytest.raises(BearpitError):
        await people["bob"].wallet.Transfer(transfer(people["ada"]))
    assert await cash_of(people["ada"]) == 100_000


async def test_a_transfer_is_in_the_event_log_with_who_and_from_where(
    people: dict[str, Client], floor: Venue
) -> None:
    done = await people["ada"].wallet.Transfer(transfer(people["bob"], note="hi", request_id="logged"))
    [event] = await floor.database.run(log.newest, 1, "transfer.")
    ada, bob = id_of(people["ada"]), id_of(people["bob"])
    assert event.subject == f"transfer:{done.transfer_id}"
    assert (event.actor_id, event.address, event.request_id) == (ada, "127.0.0.1", "logged")
    assert event.payload == {
        "from_id": ada, "to_id": bob, "amount_cents": 10_000, "fee_cents": 33, "note": "hi",
    }  # fmt: skip


async def test_changes_of_both_wallets_are_told_after_the_commit(
    people: dict[str, Client], floor: Venue
) -> None:
    told: list[WalletChange] = []
    floor.running.bus.watched |= set(map(id_of, people.values()))
    forget = floor.running.bus.subscribe(WalletChange, told.extend)
    await people["ada"].wallet.Transfer(transfer(people["bob"], request_id="told"))
    await people["ada"].wallet.Transfer(transfer(people["bob"], request_id="told"))
    await people["ada"].wallet.Transfer(transfer(people["bob"], validate_only=True))
    forget()
    assert sorted(change.cash_cents for change in told) == [89_967, 110_000]


async def test_postings_page_without_gaps_or_repeats(people: dict[str, Client]) -> None:
    for _ in range(4):
        await people["ada"].wallet.Transfer(transfer(people["bob"], cents=100))
    seen, token = [], ""
    while True:
        request = wallet_pb2.ListPostingsRequest(asset="cash", page_size=2, page_token=token)
        page = await people["ada"].wallet.ListPostings(request)
        seen += [posting.posting_id for posting in page.postings]
        token = page.next_page_token
        if not token:
            break
    assert len(seen) == 9
    assert seen == sorted(set(seen), reverse=True)


async def test_postings_of_an_unknown_instrument_are_not_found(people: dict[str, Client]) -> None:
    with pytest.raises(BearpitError) as error:
        await people["ada"].wallet.ListPostings(wallet_pb2.ListPostingsRequest(asset="NOPE"))
    assert error.value.reason == "NOT_FOUND"


async def test_a_page_token_of_somebody_else_is_refused(people: dict[str, Client]) -> None:
    await people["ada"].wallet.Transfer(transfer(people["bob"]))
    page = await people["ada"].wallet.ListPostings(wallet_pb2.ListPostingsRequest(page_size=1))
    with pytest.raises(BearpitError) as error:
        await people["bob"].wallet.ListPostings(
            wallet_pb2.ListPostingsRequest(page_size=1, page_token=page.next_page_token)
        )
    assert error.value.reason == "BAD_PAGE_TOKEN"


async def test_the_wallet_shows_shares_and_what_they_cost(people: dict[str, Client], floor: Venue) -> None:
    admin, symbol = people["operator"].admin, await floor.instrument()
    give = admin_pb2.AdjustBalanceRequest(
        name=name_of(people["ada"]), symbol=symbol, amount=7, reason="prize"
    )
    await admin.AdjustBalance(give)
    [position] = (await people["ada"].wallet.GetWallet(wallet_pb2.GetWalletRequest())).wallet.positions
    assert (position.symbol, position.quantity, position.cost_cents) == (symbol, 7, 0)
    [posting] = (
        await people["ada"].wallet.ListPostings(wallet_pb2.ListPostingsRequest(asset=symbol))
    ).postings
    assert (posting.symbol, posting.amount, posting.note) == (symbol, 7, "prize")


def _balances() -> dict[int, wallets.Wallet]:
    return {row.id: wallets.of(row.id) for row in Player.select()}
