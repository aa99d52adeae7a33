"""StreamOrders over gRPC and PostgreSQL: nothing lost, nothing doubled, from any number."""

import asyncio

import pytest
from bearpit.v1.trading_pb2 import StreamOrdersRequest, StreamOrdersResponse
from bearpit_server.storage.models import Event
from bearpit_server.streams.feed import FARTHEST, QUEUE

from tests.integration.stage import Listed, Stage, order_sequence, token, until
from tests.venue import refused


class Screen:
    """A client that follows a player's orders."""

    def __init__(self, stage: Stage, player_id: int) -> None:
        self.stage = stage
        self.player_id = player_id
        self.frames: list[StreamOrdersResponse] = []

    async def open(self, after: int = 0) -> None:
        stub = await self.stage.trading()
        self.call = stub.StreamOrders(
            StreamOrdersRequest(after_sequence=after), metadata=token(self.player_id)
        )

    async def read(self, count: int = 1) -> list[StreamOrdersResponse]:
        frames: list[StreamOrdersResponse] = []
        async with asyncio.timeout(10):
            while len(frames) < count:
                frame = await self.call.read()
                assert isinstance(frame, StreamOrdersResponse), "the stream goes on"
                if frame.WhichOneof("frame") != "heartbeat":
                    frames.append(frame)
        self.frames += frames
        return frames

    @property
    def last(self) -> int:
        return self.frames[-1].sequence

    def updates(self) -> list[int]:
        return [frame.sequence for frame in self.frames if frame.HasField("update")]


@pytest.fixture
async def listed(stage: Stage) -> Listed:
    return await stage.list_instrument("ABC")


async def test_the_snapshot_has_the_open_orders_and_updates_follow_it(stage: Stage, listed: Listed) -> None:
    player = await stage.player()
    orders = [await stage.order(player, listed) for _ in range(3)]
    screen = Screen(stage, player)
    await screen.open()
    (first,) = await screen.read()
    assert first.sequence == 3
    assert [order.order_id for order in first.snapshot.orders] == [change.order.order_id for change in orders]
    assert first.snapshot.orders[0].spec.symbol == "ABC"
    change = await stage.order(player, listed)
    (second,) = await screen.read()
    assert second.sequence == 4
    assert second.update.order.order_id == change.order.order_id
    assert second.server_time.ToDatetime() >= first.server_time.ToDatetime()


async def test_nobody_hears_of_others(stage: Stage, listed: Listed) -> None:
    one, other = await stage.player(), await stage.player()
    screen = Screen(stage, one)
    await screen.open()
    await screen.read()
    await stage.order(other, listed)
    mine = await stage.order(one, listed)
    (update,) = await screen.read()
    assert update.update.order.order_id == mine.order.order_id


async def test_no_frame_is_lost_or_doubled_across_a_resume(stage: Stage, listed: Listed) -> None:
    player = await stage.player()
    screen = Screen(stage, player)
    order = (await stage.order(player, listed)).order.order_id
    await screen.open()
    await screen.read()
    for _ in range(4):
        stage.publish(await stage.change(order, 5))
        await screen.read(5)
        screen.call.cancel()
        stage.publish(await stage.change(order, 7))  # while nobody listens
        await screen.open(after=screen.last)
        await screen.read(7)
    assert screen.updates() == list(range(2, 2 + 4 * 12))
    assert screen.frames[-1].update.order.filled_quantity == 48


async def test_a_resumed_frame_tells_what_was_told_then(stage: Stage, listed: Listed) -> None:
    player = await stage.player()
    screen, later = Screen(stage, player), Screen(stage, player)
    order = (await stage.order(player, listed)).order.order_id
    await screen.open()
    await screen.read()
    stage.publish(await stage.change(order, 3))
    live = await screen.read(3)
    await later.open(after=1)
    again = await later.read(3)
    for frame in (*live, *again):
        frame.ClearField("server_time")
    assert again == live


async def test_a_gap_on_the_bus_is_filled_from_the_log(stage: Stage, listed: Listed) -> None:
    player = await stage.player()
    screen = Screen(stage, player)
    order = (await stage.order(player, listed)).order.order_id
    await screen.open()
    await screen.read()
    told = await stage.change(order, 5)
    stage.publish([told[0], told[4], told[3]])
    await screen.read(5)
    assert screen.updates() == [2, 3, 4, 5, 6]


async def test_a_change_that_never_came_is_found(stage: Stage, listed: Listed) -> None:
    player = await stage.player()
    screen = Screen(stage, player)
    await screen.open()
    await screen.read()
    await stage.order(player, listed, told=False)
    await screen.read()
    assert screen.updates() == [1]


async def test_a_snapshot_amid_changes_is_of_the_moment_of_its_number(stage: Stage, listed: Listed) -> None:
    player = await stage.player()
    order = (await stage.order(player, listed)).order.order_id
    done = asyncio.Event()

    async def trade() -> None:
        while not done.is_set():
            stage.publish(await stage.change(order, 2))

    async with asyncio.TaskGroup() as group:
        group.create_task(trade())
        for _ in range(10):
            screen = Screen(stage, player)
            await screen.open()
            first, *rest = await screen.read(4)
            assert first.snapshot.orders[0].filled_quantity == first.sequence - 1
            assert [frame.sequence for frame in rest] == [first.sequence + n for n in (1, 2, 3)]
            screen.call.cancel()
        done.set()


async def test_too_old_a_number_is_refused(stage: Stage, listed: Listed) -> None:
    player = await stage.player()
    order = (await stage.order(player, listed)).order.order_id
    await stage.change(order, FARTHEST)
    assert await stage.database.run(order_sequence, player) == FARTHEST + 1
    screen = Screen(stage, player)
    await screen.open(after=1)
    await screen.read(FARTHEST)
    assert screen.updates() == list(range(2, FARTHEST + 2))
    await stage.change(order, 1)
    for after, reason in ((1, "RESUME_TOO_OLD"), (FARTHEST + 3, "RESUME_TOO_OLD"), (-1, "INVALID_FIELD")):
        await screen.open(after=after)
        assert (await refused(screen.call.read())).reason == reason


async def test_a_number_before_the_log_begins_is_refused(stage: Stage, listed: Listed) -> None:
    player = await stage.player()
    order = (await stage.order(player, listed)).order.order_id
    await stage.change(order, 5)
    await stage.database.run(lambda: Event.delete().where(Event.owner_sequence <= 3).execute())
    screen = Screen(stage, player)
    await screen.open(after=2)
    assert (await refused(screen.call.read())).reason == "RESUME_TOO_OLD"
    await screen.open(after=3)
    await screen.read(3)
    assert screen.updates() == [4, 5, 6]


async def test_who_stops_reading_is_ended_as_a_slow_consumer_and_can_resume(
    stage: Stage, listed: Listed
) -> None:
    player = await stage.player()
    order = (await stage.order(player, listed)).order.order_id
    screen = Screen(stage, player)
    stub = await stage.trading(http2__lookahead_bytes=16_384, http2__bdp_probe=0)
    screen.call = stub.StreamOrders(StreamOrdersRequest(), metadata=token(player))
    await screen.read()
    total = 0
    async with asyncio.timeout(60):
        while stage.bus.watched:
            stage.publish(await stage.change(order, QUEUE))
            total += QUEUE
            await asyncio.sleep(0)
    reason = ""
    while not reason:
        try:
            await screen.read()
        except Exception:
            reason = (await refused(screen.call.read())).reason
    assert reason == "SLOW_CONSUMER"
    assert screen.updates() == list(range(2, screen.last + 1))
    await screen.open(after=screen.last)
    await screen.read(total + 1 - screen.last)
    assert screen.updates() == list(range(2, total + 2))


async def test_players_are_watched_while_a_stream_of_theirs_is_open(stage: Stage, listed: Listed) -> None:
    player = await stage.player()
    screens = [Screen(stage, player) for _ in range(3)]
    for screen in screens:
        await screen.open()
        await screen.read()
    assert stage.bus.watched == {player}
    assert len(stage.streams.open) == 3
    for screen in screens:
        screen.call.cancel()
    await until(lambda: not stage.bus.watched and not len(stage.streams.open))


async def test_a_stopping_server_ends_the_stream_so_that_the_client_comes_back(
    stage: Stage, listed: Listed
) -> None:
    player = await stage.player()
    screen = Screen(stage, player)
    await screen.open()
    await screen.read()
    stage.streams.stop()
    assert (await refused(screen.call.read())).reason == "NOT_READY"
    assert stage.bus.watched == set()
