"""Notifications through gRPC: each thing that happens is told once, to whom it concerns, without gaps."""

import asyncio
import json
from datetime import timedelta
from typing import Any

from bearpit.client import Client
from bearpit.v1 import announcements_pb2, market_pb2
from bearpit.v1 import notifications_pb2 as pb
from bearpit_server.events import replaying
from bearpit_server.events.delivery import behind
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.game.notices import notifications
from bearpit_server.rules.notices import Kind, Notice
from bearpit_server.storage import clock
from bearpit_server.storage.models.notices import Inbox, NotificationRow

from tests.integration.floor import SHARED
from tests.orders import buy, sell
from tests.postgres import Postgres
from tests.venue import ON_DEMAND, Venue, prepare, refused, serving
from tests.windows import OPEN, TRADE_CLOSE, TRADING, create, list_by_window, move, settle

pytestmark = SHARED

FILL, TRANSFER, DUEL = pb.NOTIFICATION_KIND_FILL, pb.NOTIFICATION_KIND_TRANSFER, pb.NOTIFICATION_KIND_DUEL
WINDOW, ANNOUNCEMENT = pb.NOTIFICATION_KIND_WINDOW, pb.NOTIFICATION_KIND_ANNOUNCEMENT
URGENT = pb.NOTIFICATION_PRIORITY_URGENT


async def heard(floor: Venue) -> None:
    """Wait until every listener has heard all there is."""
    delivery = floor.running.listeners
    await floor.logged()
    while await floor.database.run(behind, list(delivery.listeners.values())):
        await delivery.round()


async def inbox(floor: Venue, client: Client, **more: Any) -> list[pb.Notification]:
    """A player's notifications, oldest first."""
    await heard(floor)
    answer = await client.notifications.ListNotifications(pb.ListNotificationsRequest(**more))
    return list(answer.notifications)[::-1]


async def titles(floor: Venue, client: Client, **more: Any) -> list[str]:
    return [note.title for note in await inbox(floor, client, **more)]


async def unread(client: Client) -> pb.Unread:
    return (await client.notifications.GetUnread(pb.GetUnreadRequest())).unread


async def mark(client: Client, number: int, **more: Any) -> pb.Unread:
    request = pb.MarkReadRequest(up_to_sequence=number, **more)
    return (await client.notifications.MarkRead(request)).unread


async def prefer(client: Client, kind: pb.NotificationKind, screen: bool, channel: bool = False) -> None:
    one = pb.Preference(kind=kind, screen=screen, channel=channel)
    await client.notifications.UpdatePreferences(pb.UpdatePreferencesRequest(preferences=[one]))


def name(client: Client) -> str:
    assert client.player is not None
    return client.player.name


def id_of(client: Client) -> int:
    assert client.player is not None
    return client.player.player_id


async def replay_everything(floor: Venue) -> None:
    """Tell every listener again of all there is."""

    def again() -> None:
        known = {one.name: one.prefixes for one in floor.running.listeners.listeners.values()}
        for listener in known:
            replaying.replay(listener, "0", 1_000_000, known, HOUSE_ORIGIN)

    await heard(floor)
    await floor.database.run(again)
    await heard(floor)


async def test_fills_of_an_order_that_come_together_are_one_notification(floor: Venue) -> None:
    symbol = await floor.instrument(fee_bps=100)
    taker = await floor.trader(10_000_000)
    makers = [await floor.trader(0, **{symbol: 100}) for _ in range(5)]
    for maker in makers:
        await floor.place(maker, sell(symbol, 20, 1_520))
    await floor.place(makers[0], sell(symbol, 30, 1_600))
    placed = await floor.place(taker, buy(symbol, 130, 1_600))
    [note] = await inbox(floor, taker, kind=FILL)
    assert note.title == f"Bought 130 {symbol} at 15.38 in 6 fills"
    assert note.body == f"Order {placed.order.order_id} is filled."
    assert (note.kind, note.reference) == (FILL, f"order:{placed.order.order_id}")
    data = json.loads(note.data_json)
    assert (data["symbol"], data["side"], data["quantity"], data["fills"]) == (symbol, 1, 130, 6)
    assert (data["value_cents"], data["fee_cents"]) == (100 * 1_520 + 30 * 1_600, 2_000)
    assert await titles(floor, makers[1], kind=FILL) == [f"Sold 20 {symbol} at 15.20"]
    assert len(await inbox(floor, makers[0], kind=FILL)) == 2, "two orders"


async def test_what_is_left_of_an_order_is_told(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(0, **{symbol: 100}), await floor.trader()
    placed = await floor.place(seller, sell(symbol, 100, 1_000))
    await floor.place(buyer, buy(symbol, 30, 1_000))
    [note] = await inbox(floor, seller, kind=FILL)
    assert (note.title, note.body) == (
        f"Sold 30 {symbol} at 10.00", f"Order {placed.order.order_id}: 30 of 100 filled.",
    )  # fmt: skip
    await floor.place(buyer, buy(symbol, 70, 1_000))
    bodies = [note.body for note in await inbox(floor, seller, kind=FILL)]
    assert bodies[1] == f"Order {placed.order.order_id} is filled."


async def test_both_sides_of_a_transfer_are_told(floor: Venue) -> None:
    ada, bob = await floor.trader(), await floor.trader()
    await floor.transfer(ada, name(bob), 12_345, note="for lunch")
    [took] = await inbox(floor, bob)
    assert (took.title, took.body, took.kind) == (f"{name(ada)} sent you 123.45", "“for lunch”", TRANSFER)
    assert await titles(floor, ada, kind=TRANSFER) == [f"You sent {name(bob)} 123.45"]


async def test_the_house_and_its_bots_are_told_nothing(floor: Venue) -> None:
    symbol = await floor.instrument()
    bot = await floor.player(f"house-{symbol.lower()}", 1_000_000)
    player = await floor.trader(0, **{symbol: 10})
    await floor.place(bot, buy(symbol, 10, 1_000))
    await floor.place(player, sell(symbol, 10, 1_000))
    await floor.transfer(player, name(bot), 100)
    assert len(await inbox(floor, player, kind=FILL)) == 1
    assert len(await inbox(floor, player, kind=TRANSFER)) == 2, "the shares it was given, and what it sent"
    assert await inbox(floor, bot) == []
    assert await floor.database.run(lambda: Inbox.get_or_none(Inbox.player_id == id_of(bot))) is None


async def test_an_announcement_reaches_whom_it_is_for(floor: Venue) -> None:
    operator, player = await floor.operator(), await floor.trader()
    await operator.announcements.Announce(
        announcements_pb2.AnnounceRequest(
            title="Lunch", body="**Now**", role="admin",
            audience=market_pb2.AUDIENCE_ROLE,
        )
    )  # fmt: skip
    await operator.announcements.Announce(
        announcements_pb2.AnnounceRequest(title="Fire", priority=market_pb2.PRIORITY_URGENT)
    )
    [note] = await inbox(floor, player, kind=ANNOUNCEMENT)
    assert (note.title, note.priority) == ("Fire", URGENT)
    assert (await titles(floor, operator, kind=ANNOUNCEMENT))[-2:] == ["Lunch", "Fire"]


async def test_a_kind_that_is_switched_off_is_not_told_but_for_what_is_urgent(floor: Venue) -> None:
    operator, ada, bob = await floor.operator(), await floor.trader(), await floor.trader()
    for kind in (TRANSFER, ANNOUNCEMENT):
        await prefer(bob, kind, screen=False)
    await floor.transfer(ada, name(bob), 100)
    for priority in (market_pb2.PRIORITY_INFO, market_pb2.PRIORITY_URGENT):
        request = announcements_pb2.AnnounceRequest(title=f"Word {priority}", priority=priority)
        await operator.announcements.Announce(request)
    assert await titles(floor, bob) == [f"Word {market_pb2.PRIORITY_URGENT}"]
    assert [note.sequence for note in await inbox(floor, bob)] == [1]


async def test_preferences_are_kept_and_those_that_make_no_sense_refused(floor: Venue) -> None:
    player = await floor.trader()
    await prefer(player, FILL, screen=True, channel=True)
    answer = await player.notifications.GetPreferences(pb.GetPreferencesRequest())
    by_kind = {one.kind: (one.screen, one.channel) for one in answer.preferences}
    assert len(by_kind) == len(Kind)
    assert (by_kind[FILL], by_kind[DUEL]) == ((True, True), (True, True))
    only_channel = pb.Preference(kind=FILL, channel=True)
    unknown = pb.Preference(kind=77, screen=True)  # type: ignore[arg-type]
    for wrong in ([only_channel], [unknown], [pb.Preference(screen=True)], [only_channel, only_channel]):
        request = pb.UpdatePreferencesRequest(preferences=wrong)
        error = await refused(player.notifications.UpdatePreferences(request))
        assert error.reason == "INVALID_FIELD"
    await player.notifications.UpdatePreferences(
        pb.UpdatePreferencesRequest(preferences=[pb.Preference(kind=FILL)], validate_only=True)
    )
    same = await player.notifications.GetPreferences(pb.GetPreferencesRequest())
    assert same == answer


async def test_reading_counts_down_and_never_back(floor: Venue) -> None:
    ada, bob = await floor.trader(), await floor.trader()
    for _ in range(5):
        await floor.transfer(ada, name(bob), 100)
    await heard(floor)
    found = await unread(bob)
    assert (found.count, found.last_sequence, found.read_sequence) == (5, 5, 0)
    assert [(one.kind, one.count) for one in found.by_kind] == [(TRANSFER, 5)]
    assert (await mark(bob, 3)).count == 2
    assert (await mark(bob, 1)).count == 2
    assert (await mark(bob, 5, validate_only=True)).count == 0
    assert (await unread(bob)).count == 2
    assert [note.read for note in await inbox(floor, bob)] == [True, True, True, False, False]
    assert len(await inbox(floor, bob, unread_only=True)) == 2
    assert (await mark(bob, 2**62)).read_sequence == 5
    assert (await refused(mark(bob, -1))).reason == "INVALID_FIELD"


async def test_fifty_at_once_mark_as_read_the_furthest(floor: Venue) -> None:
    ada, bob = await floor.trader(), await floor.trader()
    for _ in range(3):
        await floor.transfer(ada, name(bob), 100)
    await heard(floor)
    clients = [bob, await floor.sign_in(name(bob))]
    await asyncio.gather(*[mark(clients[n % 2], n % 4) for n in range(50)])
    assert (await unread(bob)).read_sequence == 3


async def test_pages_have_neither_gaps_nor_repeats(floor: Venue) -> None:
    ada, bob = await floor.trader(), await floor.trader()
    for _ in range(7):
        await floor.transfer(ada, name(bob), 100)
    await heard(floor)
    seen, token = [], ""
    while True:
        request = pb.ListNotificationsRequest(page_size=3, page_token=token)
        page = await bob.notifications.ListNotifications(request)
        seen += [note.sequence for note in page.notifications]
        token = page.next_page_token
        if not token:
            break
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    request = pb.ListNotificationsRequest(kind=99)  # type: ignore[arg-type]
    assert (await refused(bob.notifications.ListNotifications(request))).reason == "INVALID_FIELD"


async def test_a_settled_window_tells_each_holder_what_it_did_to_him(floor: Venue) -> None:
    operator = await floor.operator()
    symbols = [f"W{id_of(await floor.trader())}" for _ in range(2)]
    await list_by_window(floor, *symbols, price_cents=1_000)
    holder, other = await floor.trader(1_000_000), await floor.trader(1_000_000)
    window = await create(operator, *symbols, title="Chapter one")
    await move(operator, window, OPEN, TRADING)
    await floor.place(holder, buy(symbols[0], 10))
    await move(operator, window, TRADE_CLOSE)
    await settle(operator, window)
    [opened, settled] = await inbox(floor, holder, kind=WINDOW)
    assert opened.title == "Chapter one is open for trading"
    assert settled.title.startswith("Chapter one settled: what you hold ")
    assert symbols[0] in settled.body
    assert len(await inbox(floor, other, kind=WINDOW)) == 1


async def test_replaying_everything_to_every_listener_doubles_nothing(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(0, **{symbol: 100}), await floor.trader()
    for _ in range(5):
        await floor.place(seller, sell(symbol, 10, 1_000))
        await floor.place(buyer, buy(symbol, 10, 1_000))
        await floor.transfer(buyer, name(seller), 100)
        await heard(floor)
    tables = ("notifications", "postings", "referrals", "badges", "inboxes")

    def counts() -> list[Any]:
        return [floor.rows(f"SELECT count(*) FROM {table}") for table in tables] + floor.rows(
            "SELECT player_id, last_sequence FROM inboxes ORDER BY 1"
        )

    before = await floor.database.run(counts)
    await replay_everything(floor)
    assert await floor.database.run(counts) == before
    failed = floor.rows("SELECT name, last_error FROM listeners WHERE failed > 0 OR retried > 0")
    assert failed == []


async def test_fills_are_told_once_however_they_were_put_together(floor: Venue) -> None:
    symbol = await floor.instrument()
    seller, buyer = await floor.trader(0, **{symbol: 100}), await floor.trader()
    await floor.place(seller, sell(symbol, 100, 1_000))
    await floor.place(buyer, buy(symbol, 10, 1_000))
    await heard(floor)
    await floor.place(buyer, buy(symbol, 20, 1_000))
    await floor.place(buyer, buy(symbol, 30, 1_000))
    assert sum(json.loads(note.data_json)["quantity"] for note in await inbox(floor, seller, kind=FILL)) == 60
    before = await inbox(floor, seller)
    await replay_everything(floor)
    assert await inbox(floor, seller) == before


# --- the stream ------------------------------------------------------------------------------------


class Ears:
    """A stream of notifications."""

    def __init__(self, client: Client, after: int = 0) -> None:
        self.call = client.notifications.StreamNotifications(
            pb.StreamNotificationsRequest(after_sequence=after)
        )

    async def next(self) -> pb.StreamNotificationsResponse:
        """The next frame that is no heartbeat."""
        while True:
            async with asyncio.timeout(10):
                frame = await self.call.read()
            assert isinstance(frame, pb.StreamNotificationsResponse)
            if frame.WhichOneof("frame") != "heartbeat":
                return frame


async def test_a_stream_begins_with_what_is_unread_and_goes_on_with_what_comes(floor: Venue) -> None:
    ada, bob = await floor.trader(), await floor.trader()
    await floor.transfer(ada, name(bob), 100)
    await floor.transfer(ada, name(bob), 200)
    await heard(floor)
    await mark(bob, 1)
    ears = Ears(bob)
    first = await ears.next()
    assert (first.sequence, first.snapshot.unread.count) == (2, 1)
    assert [note.title for note in first.snapshot.latest] == [f"{name(ada)} sent you 2.00"]
    await floor.transfer(ada, name(bob), 300)
    second = await ears.next()
    assert (second.sequence, second.update.title) == (3, f"{name(ada)} sent you 3.00")
    ears.call.cancel()


async def test_a_stream_resumes_from_a_number_without_gaps(floor: Venue) -> None:
    ada, bob = await floor.trader(), await floor.trader()
    for _ in range(5):
        await floor.transfer(ada, name(bob), 100)
    await heard(floor)
    ears = Ears(bob, after=2)
    assert [(await ears.next()).sequence for _ in range(3)] == [3, 4, 5]
    await floor.transfer(ada, name(bob), 100)
    assert (await ears.next()).update.sequence == 6
    ears.call.cancel()
    for after, reason in ((7, "RESUME_TOO_OLD"), (-1, "INVALID_FIELD")):
        assert (await refused(Ears(bob, after).call.read())).reason == reason


async def test_what_another_server_wrote_is_heard_too(floor: Venue) -> None:
    ada, bob = await floor.trader(), await floor.trader()
    await floor.transfer(ada, name(bob), 100)
    await heard(floor)
    ears = Ears(bob)
    await ears.next()

    def elsewhere() -> None:  # nothing is put on this server's bus
        note = Notice(id_of(bob), Kind.SYSTEM, "from elsewhere")
        notifications.tell([note], "elsewhere", clock.now(), ())

    await floor.database.run(elsewhere)
    assert (await ears.next()).update.title == "from elsewhere"
    ears.call.cancel()


async def test_notifications_beyond_those_that_are_kept_are_dropped_and_not_told_again(floor: Venue) -> None:
    ada, bob = await floor.trader(), await floor.trader()
    for _ in range(6):
        await floor.transfer(ada, name(bob), 100)
    await heard(floor)

    def trim(kept: int) -> None:
        notifications.trim(kept)

    await floor.database.run(trim, 2)
    assert len(await inbox(floor, bob)) == 6, "what is young is kept"
    now = clock.now()
    clock.use(lambda: now + timedelta(minutes=11))
    await floor.database.run(trim, 2)
    clock.use(None)
    assert [note.sequence for note in await inbox(floor, bob)] == [5, 6]
    await replay_everything(floor)
    assert [note.sequence for note in await inbox(floor, bob)] == [5, 6]
    assert (await refused(Ears(bob, after=3).call.read())).reason == "RESUME_TOO_OLD"
    ears = Ears(bob, after=4)
    assert (await ears.next()).sequence == 5
    ears.call.cancel()
    await floor.transfer(ada, name(bob), 100)
    assert [note.sequence for note in await inbox(floor, bob)] == [5, 6, 7]
    await floor.database.run(trim, 100)


async def test_a_hundred_things_at_once_are_numbered_without_gaps(floor: Venue) -> None:
    ada, bob = await floor.trader(10_000_000), await floor.trader(10_000_000)
    symbol = await floor.instrument()
    seller = await floor.trader(0, **{symbol: 100})
    await floor.place(seller, sell(symbol, 50, 1_000))
    work = [floor.transfer(ada, name(bob), 100) for _ in range(50)]
    trades = [floor.place(bob, buy(symbol, 1, 1_000)) for _ in range(50)]
    rounds = [floor.running.listeners.round() for _ in range(20)]
    await asyncio.gather(*work, *trades, *rounds)
    await heard(floor)
    numbers = await floor.database.run(
        lambda: [
            number
            for (number,) in NotificationRow.select(NotificationRow.sequence)
            .where(NotificationRow.player_id == id_of(bob))
            .order_by(NotificationRow.sequence)
            .tuples()
        ]
    )
    assert numbers == list(range(1, len(numbers) + 1))
    assert len([note for note in await inbox(floor, bob, page_size=1000) if note.kind == TRANSFER]) == 50


async def test_on_two_servers_everything_is_told_once_and_heard_on_both(postgres: Postgres) -> None:
    with postgres.database() as database:
        prepare(database, **ON_DEMAND)
        async with serving(database) as one, serving(database) as two:
            ada, bob = await one.trader(), await one.trader()
            ears = [Ears(bob), Ears(await two.sign_in(name(bob)))]
            for each in ears:
                await each.next()
            for number in range(1, 11):
                await one.transfer(ada, name(bob), number)
            for each in ears:
                notes: list[pb.Notification] = []
                while sum(note.kind == TRANSFER for note in notes) < 10:  # ranks and badges may come between
                    notes.append((await each.next()).update)
                assert [note.sequence for note in notes] == list(range(1, len(notes) + 1))
                each.call.cancel()
