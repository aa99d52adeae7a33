"""What players owe: drawn by orders, set by operators, charged with interest, repaid by what comes in."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest
import pytest_asyncio
from bearpit.client import BearpitError, Client
from bearpit.v1 import admin_pb2, auth_pb2, duels_pb2, ranks_pb2, rollbacks_pb2, wallet_pb2
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.game.points import debts
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage import clock
from bearpit_server.storage.models.debts import ComebackLoan, InterestRun

from tests.integration.floor import SHARED
from tests.orders import buy, sell
from tests.venue import Venue, refused

pytestmark = [SHARED, pytest.mark.usefixtures("ordinary", "no_terms")]


@pytest_asyncio.fixture(loop_scope="module", name="no_terms")
async def make_no_terms(floor: Venue, ordinary: None) -> AsyncIterator[None]:
    """The settings of debts as they were, after each test."""
    yield
    clock.use(None)
    floor.forget_operator()
    await floor.settings(debt_interest_minutes=0, transfer_day_cents=0, credit_line_cents=0)


async def credit(floor: Venue, player: Client, cents: int) -> None:
    assert player.player is not None
    operator = await floor.operator()
    await operator.admin.SetCredit(
        admin_pb2.SetCreditRequest(name=player.player.name, credit_cents=cents, reason="test")
    )


async def owe(floor: Venue, player: Client, cents: int) -> admin_pb2.SetDebtResponse:
    assert player.player is not None
    operator = await floor.operator()
    request = admin_pb2.SetDebtRequest(name=player.player.name, debt_cents=cents, reason="a lost bet")
    return await operator.admin.SetDebt(request)


async def cash_and_debt(floor: Venue, player: Client) -> tuple[int, int]:
    wallet = await floor.wallet(player)
    return wallet.cash_cents, wallet.debt_cents


async def history(player: Client, asset: str = "debt") -> list[tuple[str, int]]:
    """Reasons and amounts, oldest first."""
    answer = await player.wallet.ListPostings(wallet_pb2.ListPostingsRequest(asset=asset))
    return [(posting.reason, posting.amount) for posting in reversed(answer.postings)]


async def test_buying_beyond_the_cash_draws_a_loan_up_to_the_line(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(0, **{symbol: 100}), await floor.trader(1_000)
    await credit(floor, buyer, 500)
    await floor.place(seller, sell(symbol, 100, 100))
    await floor.place(buyer, buy(symbol, 15, 100))
    assert await cash_and_debt(floor, buyer) == (0, 500)
    assert await history(buyer) == [("loan", -500)]
    error = await floor.refused(buyer, buy(symbol, 1, 100), "INSUFFICIENT_FUNDS")
    assert error.metadata["free_cents"] == "0"


async def test_operators_see_what_a_player_may_owe(floor: Venue) -> None:
    player = await floor.player("ada")
    await credit(floor, player, 500)
    operator = await floor.operator()
    found = await operator.admin.GetPlayer(admin_pb2.GetPlayerRequest(name="ada"))
    assert (found.wallet.credit_cents, found.wallet.debt_cents) == (500, 0)


async def test_without_a_credit_line_nothing_is_lent(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader(1_000)
    await floor.refused(buyer, buy(symbol, 11, 100), "INSUFFICIENT_FUNDS")


async def test_an_order_that_is_cancelled_gives_back_what_it_has_borrowed(floor: Venue) -> None:
    symbol = await floor.instrument(fee_bps=100)
    buyer = await floor.trader(1_000)
    await credit(floor, buyer, 10_000)
    placed = await floor.place(buyer, buy(symbol, 50, 100))
    assert await cash_and_debt(floor, buyer) == (5_050, 4_050)
    await floor.cancel(buyer, placed.order.order_id)
    assert await cash_and_debt(floor, buyer) == (1_000, 0)
    assert await history(buyer) == [("loan", -4_050), ("repayment", 4_050)]


async def test_what_an_order_saves_against_its_limit_goes_back_first(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(0, **{symbol: 100}), await floor.trader(1_000)
    await credit(floor, buyer, 1_000)
    await floor.place(seller, sell(symbol, 10, 120))
    await floor.place(buyer, buy(symbol, 10, 150))
    assert await cash_and_debt(floor, buyer) == (0, 200)


async def test_an_order_filled_in_part_gives_back_the_rest_when_it_ends(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(0, **{symbol: 100}), await floor.trader(1_000)
    await credit(floor, buyer, 1_000)
    placed = await floor.place(buyer, buy(symbol, 20, 100))
    await floor.place(seller, sell(symbol, 15, 100))
    await floor.cancel(buyer, placed.order.order_id)
    assert await cash_and_debt(floor, buyer) == (0, 500)


async def test_amending_borrows_more_or_gives_back(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader(1_000)
    await credit(floor, buyer, 1_000)
    placed = await floor.place(buyer, buy(symbol, 10, 100))
    await floor.amend(buyer, placed.order.order_id, quantity=15)
    assert await cash_and_debt(floor, buyer) == (1_500, 500)
    await floor.amend(buyer, placed.order.order_id, quantity=12)
    assert await cash_and_debt(floor, buyer) == (1_200, 200)
    error = await refused(floor.amend(buyer, placed.order.order_id, quantity=21))
    assert error.reason == "INSUFFICIENT_FUNDS"
    await floor.cancel(buyer, placed.order.order_id)
    assert await cash_and_debt(floor, buyer) == (1_000, 0)


async def test_a_market_order_goes_as_far_as_cash_and_credit_do(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(0, **{symbol: 100}), await floor.trader(1_000)
    await credit(floor, buyer, 1_000)
    await floor.place(seller, sell(symbol, 20, 100))
    await floor.place(buyer, buy(symbol, 20))
    assert await cash_and_debt(floor, buyer) == (0, 1_000)


async def test_the_preview_tells_what_would_be_borrowed(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader(1_000)
    await credit(floor, buyer, 1_000)
    seen = await floor.preview(buyer, buy(symbol, 15, 100))
    assert (seen.borrowed_cents, seen.free_cash_after_cents, list(seen.refusals)) == (500, 0, [])
    seen = await floor.preview(buyer, buy(symbol, 21, 100))
    assert [refusal.message[:10] for refusal in seen.refusals] == ["this needs"]
    assert await cash_and_debt(floor, buyer) == (1_000, 0)


async def test_what_a_sale_brings_repays_the_debt_first_as_its_own_posting(floor: Venue) -> None:
    symbol = await floor.instrument(fee_bps=100)
    seller, buyer = await floor.trader(0, **{symbol: 100}), await floor.trader(100_000)
    await owe(floor, seller, 1_500)
    await floor.place(buyer, buy(symbol, 100, 100))
    await floor.place(seller, sell(symbol, 10, 100))
    # 1,000 less a fee of 10: all of it is gone.
    assert await cash_and_debt(floor, seller) == (0, 510)
    assert await history(seller, "cash") == [("trade", 1_000), ("fee", -10), ("repayment", -990)]
    await floor.place(seller, sell(symbol, 10, 100))
    assert await cash_and_debt(floor, seller) == (480, 0)
    assert await history(seller) == [("debt", -1_500), ("repayment", 990), ("repayment", 510)]


async def test_a_resting_order_that_sells_repays_too(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(0, **{symbol: 100}), await floor.trader(100_000)
    await floor.place(seller, sell(symbol, 10, 100))
    await owe(floor, seller, 300)
    await floor.place(buyer, buy(symbol, 10, 100))
    assert await cash_and_debt(floor, seller) == (700, 0)


async def test_a_transfer_and_a_grant_repay_too(floor: Venue) -> None:
    debtor, friend = await floor.trader(0), await floor.trader(10_000)
    assert debtor.player is not None
    await owe(floor, debtor, 1_000)
    await floor.transfer(friend, debtor.player.name, 400)
    assert await cash_and_debt(floor, debtor) == (0, 600)
    operator = await floor.operator()
    await operator.admin.AdjustBalance(
        admin_pb2.AdjustBalanceRequest(name=debtor.player.name, amount=1_000, reason="a prize")
    )
    assert await cash_and_debt(floor, debtor) == (400, 0)


async def test_a_reversed_purchase_repays_the_loan_that_paid_for_it(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(0, **{symbol: 100}), await floor.trader(1_000)
    await credit(floor, buyer, 1_000)
    await floor.place(seller, sell(symbol, 20, 100))
    placed = await floor.place(buyer, buy(symbol, 20, 100))
    assert await cash_and_debt(floor, buyer) == (0, 1_000)
    operator = await floor.operator()
    request = rollbacks_pb2.RequestRollbackRequest(
        level=rollbacks_pb2.ROLLBACK_LEVEL_TRADE,
        trade_id=placed.fills[0].trade_id,
        policy=rollbacks_pb2.SHORTAGE_POLICY_REFUSE,
        reason="a mistake",
    )
    await operator.rollbacks.RequestRollback(request)
    assert await cash_and_debt(floor, buyer) == (1_000, 0)


async def test_a_debt_can_be_set_raised_and_waived_with_a_reason(floor: Venue) -> None:
    debtor = await floor.trader(1_000)
    assert (await owe(floor, debtor, 700)).before_cents == 0
    assert (await owe(floor, debtor, 900)).before_cents == 700
    assert (await owe(floor, debtor, 100)).before_cents == 900
    assert await cash_and_debt(floor, debtor) == (1_000, 100)
    assert await history(debtor) == [("debt", -700), ("debt", -200), ("debt_waived", 800)]
    operator = await floor.operator()
    assert debtor.player is not None
    told = await operator.admin.ListDebtPostings(admin_pb2.ListDebtPostingsRequest(name=debtor.player.name))
    assert [posting.note for posting in told.postings] == ["a lost bet"] * 3


@pytest.mark.parametrize("cents", [-1, 10**15 + 1, 2**63 - 1])
async def test_a_debt_that_cannot_be_is_refused_by_its_field(floor: Venue, cents: int) -> None:
    error = await refused(owe(floor, await floor.trader(), cents))
    assert (error.reason, error.field) == ("INVALID_FIELD", "debt_cents")


async def test_who_owes_most_is_listed_first_page_by_page(floor: Venue) -> None:
    operator = await floor.operator()
    for cents in (10**9, 10**9 + 2, 10**9 + 1, 10**9):
        await owe(floor, await floor.trader(), cents)
    seen: list[int] = []
    token = ""
    while len(seen) < 4:
        request = admin_pb2.ListDebtsRequest(page_size=1, page_token=token)
        answer = await operator.admin.ListDebts(request)
        token = answer.next_page_token
        seen += [debt.debt_cents for debt in answer.debts]
    assert seen == [10**9 + 2, 10**9 + 1, 10**9, 10**9]


async def test_nothing_can_be_sent_from_debt(floor: Venue) -> None:
    debtor, friend = await floor.trader(10_000), await floor.trader(0)
    assert friend.player is not None
    await owe(floor, debtor, 1)
    error = await refused(floor.transfer(debtor, friend.player.name, 100))
    assert (error.reason, error.metadata["debt_cents"]) == ("IN_DEBT", "1")


async def test_no_more_can_be_sent_in_a_day_than_the_limit(floor: Venue) -> None:
    await floor.settings(transfer_day_cents=1_000)
    sender, friend = await floor.trader(100_000), await floor.trader(0)
    assert friend.player is not None
    name = friend.player.name
    sent = await asyncio.gather(
        *[floor.transfer(sender, name, 300) for _ in range(50)], return_exceptions=True
    )
    refusals = [answer for answer in sent if isinstance(answer, BearpitError)]
    assert {(r.reason, r.metadata["used"]) for r in refusals} == {("LIMIT_EXCEEDED", "900")}
    assert (await floor.wallet(friend)).cash_cents == 900
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    clock.use(lambda: tomorrow)
    sender = await floor.sign_in(sender.player.name if sender.player else "")
    await floor.transfer(sender, name, 300)


async def test_who_is_frozen_can_look_and_nothing_else(floor: Venue) -> None:
    symbol = await floor.instrument()
    player, friend = await floor.trader(10_000), await floor.trader(0)
    assert player.player is not None
    assert friend.player is not None
    placed = await floor.place(player, buy(symbol, 10, 100))
    operator = await floor.operator()
    request = admin_pb2.SetFrozenRequest(name=player.player.name, frozen=True, reason="asked twice")
    done = await operator.admin.SetFrozen(request)
    assert done.cancelled_orders == 1
    assert (await floor.order(player, placed.order.order_id)).remaining_quantity == 0
    for call in (
        floor.place(player, buy(symbol, 1, 100)),
        floor.transfer(player, friend.player.name, 100),
        player.wallet.TakeComebackLoan(wallet_pb2.TakeComebackLoanRequest()),
    ):
        error = await refused(call)
        assert (error.reason, error.code) == ("PLAYER_FROZEN", grpc.StatusCode.PERMISSION_DENIED)
    assert (await floor.wallet(player)).held_cents == 0
    request = admin_pb2.SetFrozenRequest(name=player.player.name, frozen=False, reason="cleared")
    await operator.admin.SetFrozen(request)
    await floor.place(player, buy(symbol, 1, 100))


async def test_an_order_queued_while_its_owner_is_frozen_is_refused_or_cancelled(floor: Venue) -> None:
    symbol = await floor.instrument()
    player = await floor.trader(100_000)
    assert player.player is not None
    operator = await floor.operator()
    freeze = admin_pb2.SetFrozenRequest(name=player.player.name, frozen=True, reason="now")
    orders = [floor.place(player, buy(symbol, 1, 100)) for _ in range(30)]
    await asyncio.gather(*orders, operator.admin.SetFrozen(freeze), return_exceptions=True)
    await floor.settled()
    assert (await floor.wallet(player)).held_cents == 0
    assert await floor.book(symbol) == ([], [])


async def test_interest_is_charged_once_a_period_whoever_does_it(floor: Venue) -> None:
    await floor.settings(debt_interest_bps=250, debt_interest_minutes=60)
    debtor = await floor.trader(1_000)
    await owe(floor, debtor, 1_030)
    start = datetime(2031, 1, 1, tzinfo=UTC)
    running = floor.running

    async def charge_at(moment: datetime) -> None:
        clock.use(lambda: moment)
        await asyncio.gather(*[debts.charge(floor.database, running.bus, running.settings) for _ in range(5)])

    await charge_at(start)  # from now on it runs
    _, before = await cash_and_debt(floor, await again(floor, debtor))
    # The server may have looked before the clock was set: then this was the end of a period.
    charged = [reason for reason, _ in await history(await again(floor, debtor))].count("interest")
    await charge_at(start + timedelta(minutes=61))
    await charge_at(start + timedelta(minutes=70))
    assert await cash_and_debt(floor, await again(floor, debtor)) == (1_000, before + before * 250 // 10_000)
    await charge_at(start + timedelta(hours=9))  # no server ran for hours: one charge, not eight
    postings = await history(await again(floor, debtor))
    assert [reason for reason, _ in postings].count("interest") == charged + 2


async def again(floor: Venue, player: Client) -> Client:
    """A sign-in that holds at the time that it is now."""
    assert player.player is not None
    return await floor.sign_in(player.player.name)


async def test_a_run_of_interest_that_was_broken_off_is_gone_on_with(
    floor: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debts, "AT_ONCE", 1)
    await floor.settings(debt_interest_bps=1_000, debt_interest_minutes=60)
    debtors = [await floor.trader() for _ in range(3)]
    for debtor in debtors:
        await owe(floor, debtor, 1_000)
    start = datetime(2032, 1, 1, tzinfo=UTC)
    clock.use(lambda: start)
    period = int(start.timestamp())
    run = floor.database.run
    with floor.database.transaction():
        InterestRun.create(period=period, rate_bps=1_000, began_at=start)
    while await run(debts._charge_some, period, 1_000) is not None:
        pass
    # As if the server had died after two of many: what was charged is not charged again.
    with floor.database.transaction():
        charged = InterestRun.get_by_id(period)
        assert charged.done_at is not None
        InterestRun.update(done_at=None).where(InterestRun.period == period).execute()
    while await run(debts._charge_some, period, 1_000) is not None:
        pass
    for debtor in debtors:
        assert await cash_and_debt(floor, await again(floor, debtor)) == (1_000_000, 1_100)


async def test_who_is_broke_can_begin_again_a_few_times(floor: Venue) -> None:
    player = await floor.trader(10)
    assert (await floor.wallet(player)).comeback_cents == 200_000
    done = await player.wallet.TakeComebackLoan(wallet_pb2.TakeComebackLoanRequest())
    assert (done.amount_cents, done.debt_cents, done.left) == (200_000, 200_000, 1)
    assert await cash_and_debt(floor, player) == (200_010, 200_000)
    done = await player.wallet.TakeComebackLoan(wallet_pb2.TakeComebackLoanRequest())
    assert (done.debt_cents, done.left) == (400_000, 0)
    assert (await floor.wallet(player)).comeback_cents == 0
    error = await refused(player.wallet.TakeComebackLoan(wallet_pb2.TakeComebackLoanRequest()))
    assert (error.reason, error.metadata["taken"]) == ("NOT_BROKE", "2")


async def test_who_has_shares_or_cash_is_not_broke(floor: Venue) -> None:
    symbol = await floor.instrument()
    rich, other = await floor.trader(0, **{symbol: 1_000}), await floor.trader(100_000)
    await floor.place(other, buy(symbol, 1, 100))
    await floor.place(rich, sell(symbol, 1, 100))
    error = await refused(rich.wallet.TakeComebackLoan(wallet_pb2.TakeComebackLoanRequest()))
    assert (error.reason, error.metadata["worth_cents"]) == ("NOT_BROKE", "100000")


async def test_who_has_all_his_cash_in_duels_is_not_broke(floor: Venue) -> None:
    player = await floor.trader(100_000)
    challenge = duels_pb2.ChallengeRequest(stake_cents=100_000, commitment=b"c" * 32)
    await player.duels.Challenge(challenge)
    assert (await floor.wallet(player)).comeback_cents == 0
    error = await refused(player.wallet.TakeComebackLoan(wallet_pb2.TakeComebackLoanRequest()))
    assert (error.reason, error.metadata["worth_cents"]) == ("NOT_BROKE", "100000")


async def test_a_share_sold_to_a_friend_for_a_cent_makes_nobody_broke(floor: Venue) -> None:
    symbol = await floor.instrument(reference_price_cents=100)
    rich, friend = await floor.trader(0, **{symbol: 1_000}), await floor.trader(100)
    await floor.place(friend, buy(symbol, 1, 1))
    await floor.place(rich, sell(symbol, 1, 1))
    operator = await floor.operator()
    await operator.ranks.RefreshRanks(ranks_pb2.RefreshRanksRequest())
    error = await refused(rich.wallet.TakeComebackLoan(wallet_pb2.TakeComebackLoanRequest()))
    assert (error.reason, error.metadata["worth_cents"]) == ("NOT_BROKE", "99901")


@pytest.mark.parametrize("barred", ["frozen", "disabled"])
async def test_who_is_barred_while_asking_for_a_comeback_loan_gets_none(floor: Venue, barred: str) -> None:
    player = await floor.trader(10)
    assert player.player is not None
    id_, terms = player.player.player_id, debts.ComebackTerms(200_000, 50_000, 2)

    def take() -> None:
        floor.database.execute(f"UPDATE players SET {barred} = true WHERE id = %s", id_)
        debts.take_comeback(id_, {}, terms, HOUSE_ORIGIN)

    with pytest.raises(Refused) as caught:
        await floor.database.run(take)
    assert caught.value.reason == f"PLAYER_{barred.upper()}"


async def test_fifty_comeback_loans_at_once_are_as_many_as_there_may_be(floor: Venue) -> None:
    player = await floor.trader(10)
    answers = await asyncio.gather(
        *[player.wallet.TakeComebackLoan(wallet_pb2.TakeComebackLoanRequest()) for _ in range(50)],
        return_exceptions=True,
    )
    assert sum(1 for answer in answers if not isinstance(answer, BearpitError)) == 2
    assert (await floor.wallet(player)).debt_cents == 400_000
    assert player.player is not None
    id_ = player.player.player_id
    assert (
        await floor.database.run(lambda: ComebackLoan.select().where(ComebackLoan.player_id == id_).count())
        == 2
    )


async def test_a_new_player_has_the_games_credit_line(floor: Venue) -> None:
    await floor.settings(credit_line_cents=700)
    client = await floor.client()
    await client.register("newcomer", "a long password")
    assert (await floor.wallet(client)).credit_cents == 700


async def test_a_debt_is_seen_on_the_stream_of_the_wallet(floor: Venue) -> None:
    player = await floor.trader(1_000)
    stream = player.stream_wallet()
    assert (await anext(stream)).snapshot.debt_cents == 0
    await owe(floor, player, 300)
    async with asyncio.timeout(10):
        async for frame in stream:
            if frame.update.debt_cents == 300:
                break
    await stream.aclose()


async def test_books_that_are_built_again_know_what_an_order_borrowed(floor: Venue) -> None:
    symbol = await floor.instrument()
    buyer = await floor.trader(1_000)
    await credit(floor, buyer, 1_000)
    placed = await floor.place(buyer, buy(symbol, 20, 100))
    matcher = floor.running.engine.matcher
    shard = floor.running.exchange.instruments[symbol].shard
    await floor.running.engine.look(lambda: matcher._break({shard}))
    await floor.settled()
    await floor.cancel(buyer, placed.order.order_id)
    assert await cash_and_debt(floor, buyer) == (1_000, 0)


async def test_who_gives_points_cannot_give_them_to_himself(floor: Venue) -> None:
    operator = await floor.operator()
    request = admin_pb2.CreatePlayerRequest(
        name="treasurer",
        password="a long password",
        roles=[auth_pb2.ROLE_PLAYER, auth_pb2.ROLE_POINTS_MANAGER],
    )
    await operator.admin.CreatePlayer(request)
    treasurer, friend = await floor.sign_in("treasurer", "a long password"), await floor.trader(0)
    assert friend.player is not None
    before = await cash_and_debt(floor, treasurer)
    for call in (
        treasurer.admin.AdjustBalance(
            admin_pb2.AdjustBalanceRequest(name="treasurer", amount=100, reason="for me")
        ),
        treasurer.admin.SetDebt(admin_pb2.SetDebtRequest(name="treasurer", debt_cents=0, reason="for me")),
        treasurer.admin.SetCredit(
            admin_pb2.SetCreditRequest(name="treasurer", credit_cents=10**9, reason="for me")
        ),
    ):
        error = await refused(call)
        assert (error.reason, error.field) == ("NOT_ALLOWED", "name")
    assert await cash_and_debt(floor, treasurer) == before
    await treasurer.admin.AdjustBalance(
        admin_pb2.AdjustBalanceRequest(name=friend.player.name, amount=100, reason="a prize")
    )
