"""Undoing one trade, or one player's: by new postings, marked, once, and all of it can be looked up."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from bearpit.client import Client
from bearpit.v1 import admin_pb2, auth_pb2, market_pb2, trading_pb2, wallet_pb2
from bearpit.v1 import rollbacks_pb2 as pb
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.ledger.accounts import open_account
from bearpit_server.ledger.journal import Journal
from bearpit_server.rollback import work
from bearpit_server.storage import clock
from google.protobuf.timestamp_pb2 import Timestamp

from tests.integration import prices
from tests.integration.floor import SHARED
from tests.orders import WORKING, buy, sell
from tests.venue import Venue, refused

TRADE, PLAYER = pb.ROLLBACK_LEVEL_TRADE, pb.ROLLBACK_LEVEL_PLAYER
REFUSE, DEBT, HOUSE = pb.SHORTAGE_POLICY_REFUSE, pb.SHORTAGE_POLICY_DEBT, pb.SHORTAGE_POLICY_HOUSE
DONE, RUNNING = pb.ROLLBACK_STATE_DONE, pb.ROLLBACK_STATE_RUNNING
TABLES = (
    "postings", "accounts", "orders", "trades", "requests", "rollbacks", "reversals", "earmarks",
    "instruments",
    # Badges and ranks follow what was done before, in their own time.
    "(SELECT * FROM events WHERE type NOT LIKE 'badge.%%' AND type NOT LIKE 'rank.%%')",
)  # fmt: skip


@dataclass
class Pair:
    """Two who trade with each other."""

    floor: Venue
    symbol: str
    ada: Client
    bob: Client
    ada_name: str
    bob_name: str

    async def trade(self, quantity: int = 10, price: int = 100, seller: Client | None = None) -> int:
        """Bob buys of Ada, or Ada of Bob; the trade's id."""
        seller = seller or self.ada
        buyer = self.bob if seller is self.ada else self.ada
        await self.floor.place(seller, sell(self.symbol, quantity, price))
        placed = await self.floor.place(buyer, buy(self.symbol, quantity, price))
        assert [fill.quantity for fill in placed.fills] == [quantity]
        return placed.fills[0].trade_id

    async def wallets(self) -> tuple[wallet_pb2.Wallet, wallet_pb2.Wallet]:
        return await self.floor.wallet(self.ada), await self.floor.wallet(self.bob)


async def named(floor: Venue, client: Client) -> str:
    return (await client.auth.GetMe(auth_pb2.GetMeRequest())).player.name


async def meet(floor: Venue, fee_bps: int = 10, cash_cents: int = 10_000, shares: int = 100) -> Pair:
    symbol = await floor.instrument(fee_bps=fee_bps)
    ada = await floor.trader(cash_cents, **{symbol: shares})
    bob = await floor.trader(cash_cents)
    return Pair(floor, symbol, ada, bob, await named(floor, ada), await named(floor, bob))


async def ask(floor: Venue, **terms: Any) -> pb.RequestRollbackResponse:
    """Ask for a rollback as the first operator."""
    operator = await floor.operator()
    terms = {"reason": "a slip of the hand", **terms}
    return await operator.rollbacks.RequestRollback(pb.RequestRollbackRequest(**terms))


async def get(floor: Venue, rollback_id: int) -> pb.GetRollbackResponse:
    operator = await floor.operator()
    return await operator.rollbacks.GetRollback(pb.GetRollbackRequest(rollback_id=rollback_id))


def since(seconds_ago: float = 3600) -> Timestamp:
    made = Timestamp()
    made.FromSeconds(int(clock.now().timestamp() - seconds_ago))
    return made


def everything(floor: Venue) -> list[Any]:
    """All that a dry run must leave as it is."""
    return [floor.rows(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {t} t") for t in TABLES]


async def give(pair: Pair, sender: Client, cents: int) -> None:
    """Spend cash."""
    other = await pair.floor.trader(0)
    await pair.floor.transfer(sender, await named(pair.floor, other), cents)


@SHARED
async def test_reversing_a_trade_puts_cash_shares_fees_and_cost_back(floor: Venue) -> None:
    pair = await meet(floor, fee_bps=25)
    before = await pair.wallets()
    trade_id = await pair.trade(10, 101)
    assert await pair.wallets() != before
    response = await ask(floor, level=TRADE, trade_id=trade_id)
    assert response.rollback.state == DONE
    assert (response.rollback.total, response.rollback.done) == (1, 1)
    after = await pair.wallets()
    assert after[0] == before[0]
    assert after[1] == before[1]
    assert response.effects.trade_count == 1
    assert response.effects.players == 2
    assert response.effects.trades[0].trade.trade_id == trade_id
    assert (response.effects.trades[0].buyer, response.effects.trades[0].seller) == (
        pair.bob_name,
        pair.ada_name,
    )


@SHARED
async def test_a_reversed_trade_stays_visible_and_is_marked_wherever_it_is_told(floor: Venue) -> None:
    pair = await meet(floor)
    kept, gone = await pair.trade(1), await pair.trade(2)
    operator = await floor.operator()
    # Somebody who follows the tape already keeps it in memory for those who come after.
    early = operator.market.StreamTrades(market_pb2.StreamTradesRequest(symbol=pair.symbol))
    async for frame in early:
        assert not any(trade.reversed for trade in frame.snapshot.trades)
        break
    response = await ask(floor, level=TRADE, trade_id=gone)
    assert response.effects.trades[0].trade.reversed
    trades = (await operator.market.ListTrades(market_pb2.ListTradesRequest(symbol=pair.symbol))).trades
    assert {trade.trade_id: trade.reversed for trade in trades} == {kept: False, gone: True}
    fills = {fill.trade_id: fill.reversed for fill in await floor.fills(pair.bob)}
    assert fills == {kept: False, gone: True}
    listed = await operator.admin.ListPlayerTrades(admin_pb2.ListPlayerTradesRequest(name=pair.ada_name))
    assert {one.trade.trade_id: one.trade.reversed for one in listed.trades} == {kept: False, gone: True}
    order_id = next(fill.order_id for fill in await floor.fills(pair.bob) if fill.trade_id == gone)
    order = await pair.bob.trading.GetOrder(trading_pb2.GetOrderRequest(order_id=order_id))
    assert [fill.reversed for fill in order.fills] == [True]
    stream = operator.market.StreamTrades(market_pb2.StreamTradesRequest(symbol=pair.symbol))
    async for frame in stream:
        snapshot = {trade.trade_id: trade.reversed for trade in frame.snapshot.trades}
        assert snapshot == {kept: False, gone: True}
        break
    postings = (await pair.bob.wallet.ListPostings(wallet_pb2.ListPostingsRequest())).postings
    reasons = [posting.reason for posting in postings if posting.reference == f"trade:{gone}"]
    assert sorted(reasons) == ["fee", "rollback", "rollback", "rollback_fee", "trade", "trade"]


@SHARED
async def test_a_rollback_says_who_did_what_when_and_why(floor: Venue) -> None:
    pair = await meet(floor)
    trade_id = await pair.trade()
    made = await ask(floor, level=TRADE, trade_id=trade_id, reason="typed 10 for 1")
    found = await get(floor, made.rollback.rollback_id)
    assert found == pb.GetRollbackResponse(rollback=made.rollback, effects=made.effects)
    assert found.rollback.reason == "typed 10 for 1"
    assert found.rollback.requested_by == "operator"
    assert found.rollback.HasField("requested_at")
    assert found.rollback.HasField("done_at")
    operator = await floor.operator()
    listed = await operator.rollbacks.ListRollbacks(pb.ListRollbacksRequest(page_size=1))
    assert [*listed.rollbacks] == [found.rollback]
    events = floor.rows(
        f"SELECT type, actor_id > 0 FROM events WHERE subject = 'rollback:{found.rollback.rollback_id}' "
        "ORDER BY id"
    )
    assert events == [("rollback.requested", True), ("rollback.done", True)]
    watched = [
        frame.rollback
        async for frame in operator.rollbacks.WatchRollback(
            pb.WatchRollbackRequest(rollback_id=found.rollback.rollback_id)
        )
    ]
    assert watched == [found.rollback]


@SHARED
async def test_a_trade_is_reversed_once(floor: Venue) -> None:
    pair = await meet(floor)
    trade_id = await pair.trade()
    first = await ask(floor, level=TRADE, trade_id=trade_id, request_id=f"once-{trade_id}")
    before = everything(floor)
    error = await refused(ask(floor, level=TRADE, trade_id=trade_id))
    assert error.reason == "ALREADY_REVERSED"
    assert error.metadata["rollback_id"] == str(first.rollback.rollback_id)
    assert (await refused(ask(floor, level=PLAYER, player=pair.ada_name, since=since()))).reason == (
        "ALREADY_REVERSED"
    )
    assert await ask(floor, level=TRADE, trade_id=trade_id, request_id=f"once-{trade_id}") == first
    assert everything(floor) == before


@SHARED
async def test_two_who_reverse_the_same_trade_at_once_do_it_once(floor: Venue) -> None:
    pair = await meet(floor)
    before = await pair.wallets()
    trade_id = await pair.trade()
    results = await asyncio.gather(
        *(ask(floor, level=TRADE, trade_id=trade_id) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(one, pb.RequestRollbackResponse) for one in results) == 1
    assert await pair.wallets() == before


@SHARED
async def test_a_players_trades_are_reversed_newest_first_those_of_before_stay(
    floor: Venue, ordinary: None
) -> None:
    pair = await meet(floor)
    await pair.trade(5)
    began = clock.now()
    clock.use(lambda: began + timedelta(hours=2))
    before = await pair.wallets()
    later = [await pair.trade(3, 90), await pair.trade(2, 120, seller=pair.bob), await pair.trade(4, 80)]
    response = await ask(floor, level=PLAYER, player=pair.bob_name, since=since(3600))
    assert [one.trade.trade_id for one in response.effects.trades] == later[::-1]
    assert await pair.wallets() == before


@SHARED
@pytest.mark.parametrize("policy", [REFUSE, DEBT, HOUSE])
async def test_a_dry_run_tells_all_and_changes_nothing(floor: Venue, policy: pb.ShortagePolicy) -> None:
    pair = await meet(floor)
    trade_id = await pair.trade(10, 100)
    await give(pair, pair.ada, 10_500)
    before = everything(floor)
    told = await ask(floor, level=TRADE, trade_id=trade_id, policy=policy, validate_only=True)
    assert everything(floor) == before
    (short,) = told.effects.shortages
    # Ada got 1,000 less a fee of 1, which comes back to her first, and has 10,999 - 10,500 left.
    assert (short.player, short.symbol, short.needed, short.free, short.missing) == (
        pair.ada_name, "", 999, 499, 500,
    )  # fmt: skip
    assert short.debt_cents == (500 if policy == DEBT else 0)
    assert told.effects.house_pays_cents == (500 if policy == HOUSE else 0)
    assert pair.ada_name in short.explanation
    assert told.rollback.rollback_id == 0
    assert told.rollback.total == 1
    if policy != REFUSE:
        real = await ask(floor, level=TRADE, trade_id=trade_id, policy=policy)
        # All that differs is that the trade is reversed now.
        told.effects.trades[0].trade.reversed = True
        assert real.effects == told.effects


@SHARED
async def test_who_has_spent_the_cash_makes_a_rollback_refused(floor: Venue) -> None:
    pair = await meet(floor)
    trade_id = await pair.trade(10, 100)
    await give(pair, pair.ada, 10_500)
    before = everything(floor)
    error = await refused(ask(floor, level=TRADE, trade_id=trade_id, policy=REFUSE))
    assert error.reason == "SHORTAGE"
    assert error.metadata["missing_cents"] == "500"
    assert everything(floor) == before


@SHARED
async def test_who_has_spent_the_cash_owes_it_to_the_house(floor: Venue) -> None:
    pair = await meet(floor)
    trade_id = await pair.trade(10, 100)
    await give(pair, pair.ada, 10_500)
    follower = pair.ada.stream_wallet()
    assert (await anext(follower)).snapshot.debt_cents == 0
    await ask(floor, level=TRADE, trade_id=trade_id, policy=DEBT)
    ada, bob = await pair.wallets()
    assert (ada.cash_cents, ada.debt_cents) == (0, 500)
    assert ada.positions[0].quantity == 100
    assert (bob.cash_cents, bob.debt_cents) == (10_000, 0)
    frame = await anext(follower)
    assert (frame.update.cash_cents, frame.update.debt_cents) == (0, 500)
    await floor.place(pair.ada, sell(pair.symbol, 1, 500))
    assert (await anext(follower)).update.debt_cents == 500
    await follower.aclose()
    again = pair.ada.stream_wallet()
    assert (await anext(again)).snapshot.debt_cents == 500
    await again.aclose()


@SHARED
async def test_the_house_may_pay_what_is_missing(floor: Venue) -> None:
    pair = await meet(floor)
    trade_id = await pair.trade(10, 100)
    await give(pair, pair.ada, 10_500)
    made = await ask(floor, level=TRADE, trade_id=trade_id, policy=HOUSE)
    assert made.effects.house_pays_cents == 500
    ada, bob = await pair.wallets()
    assert (ada.cash_cents, ada.debt_cents) == (0, 0)
    assert bob.cash_cents == 10_000


@SHARED
@pytest.mark.parametrize("policy", [REFUSE, DEBT, HOUSE])
async def test_who_has_sold_the_shares_on_is_charged_or_the_house_issues_them(
    floor: Venue, policy: pb.ShortagePolicy
) -> None:
    pair = await meet(floor, fee_bps=0)
    trade_id = await pair.trade(10, 100)
    cyd = await floor.trader()
    await floor.place(pair.bob, sell(pair.symbol, 10, 50))
    await floor.place(cyd, buy(pair.symbol, 10, 50))
    if policy == REFUSE:
        error = await refused(ask(floor, level=TRADE, trade_id=trade_id))
        assert (error.reason, error.metadata["missing_shares"]) == ("SHORTAGE", "10")
        return
    made = await ask(floor, level=TRADE, trade_id=trade_id, policy=policy)
    ada, bob = await pair.wallets()
    assert ada.positions[0].quantity == 100
    assert made.effects.shortages[0].symbol == pair.symbol
    assert bob.debt_cents == 0  # he has the cash for them
    assert bob.cash_cents == 10_000 + 500 - (1_000 if policy == DEBT else 0)
    assert made.effects.house_pays_cents == (0 if policy == DEBT else 1_000)


@SHARED
async def test_open_orders_that_hold_what_must_go_back_are_cancelled_first(floor: Venue) -> None:
    pair = await meet(floor, fee_bps=0)
    trade_id = await pair.trade(10, 100)
    offered = (await floor.place(pair.bob, sell(pair.symbol, 10, 200))).order.order_id
    bid = (await floor.place(pair.ada, buy(pair.symbol, 1, 10))).order.order_id
    told = await ask(floor, level=TRADE, trade_id=trade_id, validate_only=True)
    assert told.effects.cancelled_orders == 1
    assert not told.effects.shortages
    assert (await floor.order(pair.bob, offered)).status == WORKING
    made = await ask(floor, level=TRADE, trade_id=trade_id)
    assert made.effects.cancelled_orders == 1
    order = await floor.order(pair.bob, offered)
    assert order.status == trading_pb2.ORDER_STATUS_CANCELLED
    assert order.end_reason == trading_pb2.END_REASON_REQUESTED
    assert (await floor.order(pair.ada, bid)).status == WORKING


@SHARED
async def test_no_order_is_cancelled_for_a_rollback_that_is_refused_all_the_same(floor: Venue) -> None:
    pair = await meet(floor, fee_bps=0)
    trade_id = await pair.trade(10, 100)
    await floor.place(pair.bob, sell(pair.symbol, 5, 50))
    await floor.place(await floor.trader(), buy(pair.symbol, 5, 50))
    offered = (await floor.place(pair.bob, sell(pair.symbol, 5, 200))).order.order_id
    assert (await refused(ask(floor, level=TRADE, trade_id=trade_id))).reason == "SHORTAGE"
    assert (await floor.order(pair.bob, offered)).status == WORKING


@SHARED
async def test_shares_of_an_ipo_go_back_to_the_treasury(floor: Venue) -> None:
    symbol = await floor.instrument(fee_bps=10)
    operator = await floor.operator()
    await operator.admin.OpenIpo(admin_pb2.OpenIpoRequest(symbol=symbol, price_cents=100, quantity=50))
    await floor.settled()
    ada = await floor.trader(10_000)
    before = await floor.wallet(ada)
    placed = await floor.place(ada, buy(symbol, 20, 100))
    made = await ask(floor, level=TRADE, trade_id=placed.fills[0].trade_id)
    assert made.effects.trades[0].seller == "house"
    assert await floor.wallet(ada) == before


@SHARED
@pytest.mark.parametrize(
    ("terms", "reason", "field"),
    [
        ({"level": 0}, "INVALID_FIELD", "level"),
        ({"level": TRADE}, "INVALID_FIELD", "trade_id"),
        ({"level": TRADE, "trade_id": 10**15}, "NOT_FOUND", ""),
        ({"level": TRADE, "trade_id": 1, "reason": ""}, "INVALID_FIELD", "reason"),
        ({"level": TRADE, "trade_id": 1, "reason": "x" * 141}, "INVALID_FIELD", "reason"),
        ({"level": TRADE, "trade_id": 1, "policy": 9}, "INVALID_FIELD", "policy"),
        ({"level": PLAYER, "player": "operator"}, "INVALID_FIELD", "since"),
        ({"level": PLAYER, "player": "nobody-there", "since": Timestamp()}, "NOT_FOUND", ""),
        ({"level": PLAYER, "player": "operator", "since": Timestamp()}, "NOT_POSSIBLE_NOW", ""),
        ({"level": pb.ROLLBACK_LEVEL_WINDOW, "window_id": 10**12}, "NOT_FOUND", ""),
        ({"level": pb.ROLLBACK_LEVEL_PRICES}, "NOT_FOUND", ""),
        ({"level": TRADE, "trade_id": 1, "lifetime_seconds": -1}, "INVALID_FIELD", "lifetime_seconds"),
    ],
)
@pytest.mark.parametrize("validate_only", [True, False])
async def test_what_cannot_be_is_refused_in_words(
    floor: Venue, terms: dict[str, Any], reason: str, field: str, validate_only: bool
) -> None:
    before = everything(floor)
    error = await refused(ask(floor, validate_only=validate_only, **terms))
    assert error.reason == reason
    assert not field or field in str(error)
    assert everything(floor) == before


# Large ones


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few trades be many."""
    monkeypatch.setattr(work, "AT_ONCE", 2)
    monkeypatch.setattr(work, "BATCH", 2)


async def done(floor: Venue, rollback_id: int) -> pb.Rollback:
    """Wait until it is over."""
    operator = await floor.operator()
    last = pb.Rollback()
    async with asyncio.timeout(20):
        request = pb.WatchRollbackRequest(rollback_id=rollback_id)
        async for frame in operator.rollbacks.WatchRollback(request):
            last = frame.rollback
    return last


@SHARED
async def test_a_large_one_is_done_in_steps_to_the_same_end(floor: Venue, small_steps: None) -> None:
    pair = await meet(floor, fee_bps=30)
    before = await pair.wallets()
    for price in (100, 90, 110, 95, 105):
        await pair.trade(7, price)
        await pair.trade(3, price + 5, seller=pair.bob)
    made = await ask(floor, level=PLAYER, player=pair.bob_name, since=since())
    assert made.rollback.state == RUNNING
    over = await done(floor, made.rollback.rollback_id)
    assert (over.state, over.total, over.done) == (DONE, 10, 10)
    assert await pair.wallets() == before
    assert (await get(floor, over.rollback_id)).effects.trade_count == 10


@SHARED
async def test_a_large_one_that_somebody_is_short_for_fails_and_has_done_nothing(
    floor: Venue, small_steps: None
) -> None:
    pair = await meet(floor, fee_bps=0)
    for _ in range(4):
        await pair.trade(5)
    await give(pair, pair.ada, 11_900)
    before = await pair.wallets()
    made = await ask(floor, level=PLAYER, player=pair.bob_name, since=since())
    over = await done(floor, made.rollback.rollback_id)
    assert over.state == pb.ROLLBACK_STATE_FAILED
    assert "19.00 points" in over.failure
    assert await pair.wallets() == before
    retried = await ask(floor, level=PLAYER, player=pair.bob_name, since=since(), policy=DEBT)
    assert (await done(floor, retried.rollback.rollback_id)).state == DONE
    ada, bob = await pair.wallets()
    assert (ada.cash_cents, ada.debt_cents, bob.cash_cents) == (0, 1_900, 10_000)


@pytest.mark.parametrize("drained", [False, True])
async def test_a_trade_with_a_pool_goes_back_though_the_pool_has_paid_its_cash_out_since(
    venue: Venue, drained: bool
) -> None:
    await venue.open_market()
    await prices.group(venue, "eyes", mechanism="attention")
    await prices.instrument(venue, "POOL", mechanism="attention", group="eyes")
    await venue.settled()
    ada, bob = await venue.trader(10_000_000), await venue.trader(0)
    before = await venue.wallet(ada)
    placed = await venue.place(ada, buy("POOL", 10))
    (trade_id,) = [fill.trade_id for fill in placed.fills]
    if drained:
        (row,) = venue.rows("SELECT id, balance FROM accounts WHERE kind = 'pool' AND asset = 0")
        with venue.database.transaction():
            journal = Journal(clock.now())
            issuer = open_account(0, 0, "issuer")
            journal.lock({row[0], issuer})
            journal.post(row[0], issuer, row[1] - 1, "attention", "test", HOUSE_ORIGIN)
            journal.write()
    await ask(venue, level=TRADE, trade_id=trade_id)
    assert await venue.wallet(ada) == before
    assert (await venue.wallet(bob)).cash_cents == 0
