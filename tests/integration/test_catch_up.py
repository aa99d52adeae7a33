"""While you were away: what happened since one was last seen, and no more."""

import asyncio
from datetime import UTC, timedelta

from bearpit.client import Client
from bearpit.v1 import notifications_pb2 as pb
from bearpit.v1 import pricing_pb2, ranks_pb2, rollbacks_pb2
from bearpit_server.game.notices import catch_up
from bearpit_server.storage import clock
from bearpit_server.storage.models import Trade
from bearpit_server.storage.models.notices import Inbox
from google.protobuf.timestamp_pb2 import Timestamp

from tests.integration.floor import SHARED
from tests.integration.test_notifications import Ears, heard, id_of, name
from tests.orders import buy, sell
from tests.venue import Venue, refused
from tests.windows import OPEN, TRADE_CLOSE, TRADING, create, list_by_window, move, settle

pytestmark = SHARED


async def caught(client: Client, since: Timestamp | None = None) -> pb.CatchUp:
    return (await client.notifications.GetCatchUp(pb.GetCatchUpRequest(since=since))).catch_up


async def seen(client: Client) -> None:
    await client.notifications.MarkSeen(pb.MarkSeenRequest())


async def test_nothing_has_happened_since_one_was_seen(floor: Venue) -> None:
    ada, bob = await floor.trader(), await floor.trader()
    await floor.transfer(bob, name(ada), 100)
    await heard(floor)
    await seen(ada)
    found = await caught(ada)
    assert found.empty
    assert found.net_worth_cents == found.net_worth_before_cents == 1_000_100


async def test_fills_are_summed_up_by_instrument_with_the_gain(floor: Venue) -> None:
    first, second = await floor.instrument(fee_bps=100), await floor.instrument()
    ada = await floor.trader(1_000_000)
    other = await floor.trader(1_000_000, **{first: 100, second: 100})
    await floor.place(other, sell(first, 10, 1_000))
    await floor.place(ada, buy(first, 10, 1_000))
    await seen(ada)
    await floor.place(other, buy(first, 4, 1_500))
    await floor.place(ada, sell(first, 4, 1_500))
    await floor.place(other, sell(second, 3, 100))
    await floor.place(other, sell(second, 3, 200))
    await floor.place(ada, buy(second, 6, 200))
    await heard(floor)
    found = await caught(ada)
    assert not found.empty
    assert found.fills == 3
    told = {one.symbol: one for one in found.instruments}
    assert [one.symbol for one in found.instruments] == [first, second]
    assert (told[first].sold, told[first].sold_cents, told[first].fee_cents) == (4, 6_000, 60)
    assert (told[second].bought, told[second].bought_cents, told[second].fills) == (6, 900, 2)
    assert found.realised_cents == 6_000 - 60 - 4 * 1_010  # it had cost 10.00 and a fee of a hundredth
    assert found.net_worth_cents > 0
    assert found.net_worth_before_cents > 0


async def test_transfers_news_and_windows_are_told(floor: Venue) -> None:
    operator, ada, bob = await floor.operator(), await floor.trader(), await floor.trader()
    symbol = f"C{id_of(ada)}"
    await list_by_window(floor, symbol)
    window = await create(operator, symbol, title="Chapter two")
    await move(operator, window, OPEN, TRADING)
    await floor.place(ada, buy(symbol, 10))
    await seen(ada)
    await move(operator, window, TRADE_CLOSE)
    await settle(operator, window)
    await floor.transfer(bob, name(ada), 500, note="rent")
    await floor.transfer(ada, name(bob), 200)
    headline = pricing_pb2.PublishNewsRequest(text="Comet sighted")
    await operator.pricing.PublishNews(headline)
    await heard(floor)
    found = await caught(ada)
    assert (found.received_cents, found.sent_cents, found.transfer_count) == (500, 200, 2)
    assert [(one.player, one.amount_cents, one.note) for one in found.transfers] == [
        (name(bob), -200, ""), (name(bob), 500, "rent"),
    ]  # fmt: skip
    assert (list(found.headlines), found.headline_count) == (["Comet sighted"], 1)
    [settled] = found.windows
    assert (settled.window_id, settled.title) == (window.window_id, "Chapter two")
    assert found.notifications > 0
    assert found.unread == found.notifications


async def test_a_player_counts_as_there_while_the_stream_is_open(floor: Venue) -> None:
    ada, bob = await floor.trader(), await floor.trader()
    ears = Ears(ada)
    await ears.next()
    await floor.transfer(bob, name(ada), 100)
    await heard(floor)
    assert (await caught(ada)).received_cents == 0
    ears.call.cancel()
    while True:  # the server takes a moment to know that nobody listens
        await floor.transfer(bob, name(ada), 100)
        await heard(floor)
        if (await caught(ada)).received_cents:
            break
    async with asyncio.timeout(10):
        while await floor.database.run(lambda: Inbox.get_by_id(id_of(ada)).seen_at) is None:
            await heard(floor)


async def test_a_moment_can_be_given(floor: Venue) -> None:
    ada, bob = await floor.trader(), await floor.trader()
    before = clock.now()
    await floor.transfer(bob, name(ada), 100)
    await seen(ada)
    since = Timestamp()
    since.FromDatetime(before.astimezone(UTC))
    found = await caught(ada, since)
    assert found.received_cents == 100
    assert not found.HasField("net_worth_before_cents")
    since.FromDatetime((clock.now() + timedelta(hours=1)).astimezone(UTC))
    assert (await refused(caught(ada, since))).reason == "INVALID_FIELD"
    since.FromDatetime((clock.now() - timedelta(days=300)).astimezone(UTC))
    assert (await caught(ada, since)).since.ToDatetime(UTC) >= clock.now() - catch_up.LONGEST - timedelta(
        minutes=1
    )


async def test_who_was_never_seen_is_told_from_the_beginning(floor: Venue) -> None:
    ada, bob = await floor.trader(), await floor.trader()
    await floor.transfer(bob, name(ada), 100)
    found = await caught(ada)
    assert found.received_cents == 100
    assert not found.HasField("rank_before")


async def test_a_reversed_trade_does_not_count(floor: Venue) -> None:
    symbol = await floor.instrument()
    operator, ada, bob = await floor.operator(), await floor.trader(), await floor.trader(0, **{symbol: 10})
    await seen(ada)
    await floor.place(bob, sell(symbol, 5, 1_000))
    await floor.place(ada, buy(symbol, 5, 1_000))
    assert (await caught(ada)).fills == 1
    trade_id = await floor.database.run(lambda: Trade.select().order_by(Trade.id.desc()).get().id)
    request = rollbacks_pb2.RequestRollbackRequest(
        level=rollbacks_pb2.ROLLBACK_LEVEL_TRADE,
        trade_id=trade_id,
        policy=rollbacks_pb2.SHORTAGE_POLICY_REFUSE,
        reason="test",
    )
    made = (await operator.rollbacks.RequestRollback(request)).rollback
    async with asyncio.timeout(20):
        watched = operator.rollbacks.WatchRollback(
            rollbacks_pb2.WatchRollbackRequest(rollback_id=made.rollback_id)
        )
        async for _ in watched:
            pass
    assert (await caught(ada)).fills == 0
    await heard(floor)
    about = pb.ListNotificationsRequest(kind=pb.NOTIFICATION_KIND_SYSTEM)
    for client in (ada, bob):
        [note] = (await client.notifications.ListNotifications(about)).notifications
        assert (note.title, note.body) == ("One of your trades has been reversed", "test")


async def test_worth_and_rank_then_and_now_are_told(floor: Venue) -> None:
    operator, ada = await floor.operator(), await floor.trader(20_000_000)
    rival = await floor.trader(30_000_000)
    await operator.ranks.RefreshRanks(ranks_pb2.RefreshRanksRequest())
    await seen(ada)
    await floor.transfer(rival, name(ada), 15_000_000)
    await operator.ranks.RefreshRanks(ranks_pb2.RefreshRanksRequest())
    found = await caught(ada)
    assert (found.net_worth_before_cents, found.net_worth_cents) == (20_000_000, 35_000_000)
    assert (found.rank_before, found.rank) == (2, 1)
