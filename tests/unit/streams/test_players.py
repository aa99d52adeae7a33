"""A player's stream: gapless, whatever the bus does, from any number, and never more than is bounded."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar, cast

import pytest
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Account
from bearpit_server.streams.feed import QUEUE, Numbered, too_old
from bearpit_server.streams.players import MEMORY, PlayerFeed, PlayerHub, Watched
from bearpit_server.streams.subscription import Frame, OpenStreams, heartbeat, snapshot, update
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.streams.clockwork import Clockwork, arrived, settle

P = ParamSpec("P")
T = TypeVar("T")
PLAYER = 7


@dataclass(frozen=True)
class Change:
    player_id: int
    sequence: int


ChangeFrame = Frame[Change | str]


class Log:
    """Stands for the database: what is committed, and how often it was asked."""

    def __init__(self) -> None:
        self.last = 0
        self.reads = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.reads += 1
        done = work(*args, **kwargs)  # what is read is as of the beginning, and arrives later
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return done


class Hub(PlayerHub[Change, ChangeFrame]):
    """Follows changes that are nothing but their numbers."""

    def __init__(self) -> None:
        self.log = Log()
        self.clock = Clockwork()
        self.players: set[int] = set()
        self.kept_from = 1
        super().__init__(
            Watched(self.players), cast(Database, self.log), OpenStreams(self.clock), Account.version
        )

    def commit(self, count: int = 1) -> list[Change]:
        """Some changes that the bus has not told yet."""
        self.log.last += count
        return [Change(PLAYER, n) for n in range(self.log.last - count + 1, self.log.last + 1)]

    def _make(self, player_id: int) -> "Feed":
        return Feed(self, player_id)

    def _numbers(self, players: Sequence[int]) -> dict[int, int]:
        return dict.fromkeys(players, self.log.last)


class Feed(PlayerFeed[Change, ChangeFrame]):
    def __init__(self, hub: Hub, player_id: int) -> None:
        super().__init__(hub, player_id)
        self.hub = hub

    async def open(self, after: int) -> tuple[int, Sequence[Numbered[ChangeFrame]]]:
        last = await self.hub.log.run(lambda: self.hub.log.last)
        self.begin(last)
        if not after:
            return last, [(last, snapshot(last, "all"))]
        if after > last:
            raise too_old(after)
        return after, []

    async def read(self, after: int) -> tuple[Sequence[Numbered[ChangeFrame]], bool]:
        first = max(after + 1, self.hub.kept_from)
        numbers = await self.hub.log.run(lambda: range(first, min(self.hub.log.last, after + 10) + 1))
        if numbers and numbers[0] != after + 1:
            raise too_old(after)
        changes = [Change(PLAYER, number) for number in numbers]
        self.hear(changes)
        frames = [(change.sequence, self._encode(change)) for change in changes]
        return frames, len(changes) < 10

    def heartbeat(self, number: int) -> ChangeFrame:
        return heartbeat(number)

    def _encode(self, record: Change) -> ChangeFrame:
        return update(record.sequence, record)


def numbers(frames: Sequence[ChangeFrame]) -> list[int]:
    return [frame.sequence for frame in frames if frame.kind == "update"]


async def test_a_snapshot_comes_first_and_then_every_change() -> None:
    hub = Hub()
    hub.commit(5)
    with hub.subscribe(PLAYER, 0) as frames:
        (first,) = await arrived(frames)
        assert (first.kind, first.sequence) == ("snapshot", 5)
        hub.feed(hub.commit(3))
        assert numbers(await arrived(frames)) == [6, 7, 8]


async def test_changes_of_others_are_not_told() -> None:
    hub = Hub()
    with hub.subscribe(PLAYER, 0) as frames:
        await arrived(frames)
        hub.feed([Change(8, 1)])
        assert await arrived(frames) == []


async def test_a_change_during_the_snapshot_is_told_once() -> None:
    hub = Hub()
    hub.commit(2)
    with hub.subscribe(PLAYER, 0) as frames:
        hub.log.gate.clear()
        first = asyncio.ensure_future(frames.next())
        await settle()
        hub.feed([Change(PLAYER, 1), Change(PLAYER, 2), *hub.commit(2)])
        hub.log.gate.set()
        assert (await first).sequence == 2
        assert numbers(await arrived(frames)) == [3, 4]


async def test_a_change_that_the_log_told_first_is_not_told_again_by_the_bus() -> None:
    hub = Hub()
    with hub.subscribe(PLAYER, 0) as early:
        await arrived(early)
        slow = hub.commit(3)
        with hub.subscribe(PLAYER, 0) as snapshot, hub.subscribe(PLAYER, 1) as resumed:
            assert [frame.sequence for frame in await arrived(snapshot)] == [3]
            assert numbers(await arrived(resumed)) == []
            hub.feed(slow + hub.commit())
            assert numbers(await arrived(snapshot)) == [4]
            assert numbers(await arrived(resumed)) == [2, 3, 4]
        assert numbers(await arrived(early)) == [1, 2, 3, 4]


async def test_changes_that_overtake_each_other_are_put_in_order() -> None:
    hub = Hub()
    with hub.subscribe(PLAYER, 0) as frames:
        await arrived(frames)
        first, second, third = hub.commit(3)
        hub.feed([third])
        hub.feed([second])
        assert numbers(await arrived(frames)) == []
        hub.feed([first, second])
        assert numbers(await arrived(frames)) == [1, 2, 3]
        assert hub.log.reads == 1


async def test_a_gap_on_the_bus_is_filled_from_the_log() -> None:
    hub = Hub()
    with hub.subscribe(PLAYER, 0) as frames, hub.subscribe(PLAYER, 0) as other:
        await arrived(frames)
        await arrived(other)
        _, lost, third = hub.commit(3)
        hub.feed([Change(PLAYER, 1), third])
        hub.clock.pass_time(0.4)
        assert numbers(await arrived(frames)) == [1]
        hub.clock.pass_time(0.1)
        assert numbers(await arrived(frames)) == [2, 3]
        assert numbers(await arrived(other)) == [1, 2, 3]
        hub.feed([lost, *hub.commit()])
        assert numbers(await arrived(frames)) == [4]


async def test_a_lost_change_that_nothing_follows_is_found_all_the_same() -> None:
    hub = Hub()
    with hub.subscribe(PLAYER, 0) as frames:
        await arrived(frames)
        hub.commit()
        received: list[int] = []
        for _ in range(3):
            hub.clock.pass_time(1)
            received += numbers(await arrived(frames))
        assert received == [1]


async def test_the_comparison_goes_on_after_the_database_was_away() -> None:
    hub = Hub()
    with hub.subscribe(PLAYER, 0) as frames:
        await arrived(frames)
        hub.commit()
        hub.log.error = Refused("DATABASE_UNAVAILABLE", "away")
        for _ in range(3):
            hub.clock.pass_time(1)
            assert await arrived(frames) == []
        hub.log.error = None
        received: list[int] = []
        for _ in range(4):
            hub.clock.pass_time(1)
            received += numbers(await arrived(frames))
        assert received == [1]


async def test_changes_on_their_way_are_not_looked_up() -> None:
    hub = Hub()
    with hub.subscribe(PLAYER, 0) as frames:
        await arrived(frames)
        for _ in range(5):
            told = hub.commit()
            hub.clock.pass_time(1)
            await settle()
            hub.feed(told)
        assert numbers(await arrived(frames)) == [1, 2, 3, 4, 5]
        assert hub.log.reads == 6  # the snapshot, and a comparison each second


async def test_resuming_goes_on_after_the_number_page_by_page() -> None:
    hub = Hub()
    hub.commit(35)
    with hub.subscribe(PLAYER, 3) as frames:
        received = numbers(await arrived(frames))
        hub.feed(hub.commit(2))
        received += numbers(await arrived(frames))
    assert received == list(range(4, 38))


async def test_resuming_from_memory_does_not_read_the_log() -> None:
    hub = Hub()
    with hub.subscribe(PLAYER, 0) as stays:
        await arrived(stays)
        hub.feed(hub.commit(50))
        hub.log.reads = 0
        with hub.subscribe(PLAYER, 20) as frames:
            assert numbers(await arrived(frames)) == list(range(21, 51))
        assert hub.log.reads == 1  # the number in the database: is the client's from there?


async def test_resuming_where_the_log_does_not_reach_is_refused() -> None:
    hub = Hub()
    hub.commit(100)
    hub.kept_from = 50
    for after in (20, 101):
        with hub.subscribe(PLAYER, after) as frames:
            with pytest.raises(Refused) as refused:
                await frames.next()
            assert refused.value.reason == "RESUME_TOO_OLD"


async def test_memory_and_what_waits_behind_a_gap_are_bounded() -> None:
    hub = Hub()
    with hub.subscribe(PLAYER, 0) as frames:
        await arrived(frames)
        told = hub.commit(3 * MEMORY)
        hub.feed(told[1:])  # the first is lost
        hub.feed(hub.commit(5))
        assert numbers(await arrived(frames)) == list(range(1, 3 * MEMORY + 6))


async def test_who_reads_too_slowly_is_told_so_and_listens_no_more() -> None:
    hub = Hub()
    with hub.subscribe(PLAYER, 0) as frames:
        await arrived(frames)
        hub.feed(hub.commit(QUEUE))
        assert hub.players == {PLAYER}
        hub.feed(hub.commit(1))
        assert hub.players == set()
        assert len(hub.open_streams) == 0
        with pytest.raises(Refused) as refused:
            await frames.next()
        assert refused.value.reason == "SLOW_CONSUMER"
    assert hub.clock.armed <= 1  # the last comparison


async def test_a_slow_reader_does_not_hold_up_another() -> None:
    hub = Hub()
    with hub.subscribe(PLAYER, 0) as slow, hub.subscribe(PLAYER, 0) as fast:
        await arrived(slow)
        await arrived(fast)
        received = []
        for _ in range(3):
            hub.feed(hub.commit(QUEUE))
            received += numbers(await arrived(fast))
        assert received == list(range(1, 3 * QUEUE + 1))
        with pytest.raises(Refused):
            await slow.next()
        assert hub.players == {PLAYER}


async def test_players_are_watched_while_anybody_listens() -> None:
    players: set[int] = set()
    watched = Watched(players)
    watched.add(1)
    watched.add(1)
    watched.add(2)
    watched.remove(1)
    assert players == {1, 2}
    watched.remove(1)
    watched.remove(2)
    assert players == set()


async def test_a_quiet_stream_beats_with_the_number_it_has_reached() -> None:
    hub = Hub()
    hub.commit(4)
    with hub.subscribe(PLAYER, 0) as frames:
        await arrived(frames)
        hub.feed(hub.commit(2))
        await arrived(frames)
        hub.clock.pass_time(5)
        (beat,) = await arrived(frames)
    assert (beat.kind, beat.sequence) == ("heartbeat", 6)


actions = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(1, 4)),
        st.tuples(st.just("tell"), st.integers(0, 20)),
        st.tuples(st.just("lose"), st.integers(0, 20)),
        st.tuples(st.just("read"), st.integers(0, 1)),
        st.tuples(st.just("reconnect"), st.integers(0, 1)),
        st.tuples(st.just("wait"), st.integers(1, 3)),
    ),
    max_size=50,
)


@given(actions)
@settings(max_examples=150, deadline=None)
async def test_no_frame_is_lost_or_doubled_across_resumes_gaps_and_losses(
    done: list[tuple[str, int]],
) -> None:
    hub = Hub()
    clients = [hub.subscribe(PLAYER, 0), hub.subscribe(PLAYER, 0)]
    positions = [-1, -1]
    untold: list[Change] = []

    async def read(client: int) -> None:
        for frame in await arrived(clients[client]):
            if frame.kind == "update":
                assert frame.sequence == positions[client] + 1
            elif frame.kind == "snapshot":
                assert positions[client] <= 0, "who resumes from a number gets no snapshot"
            positions[client] = frame.sequence

    for what, value in done:
        if what == "commit":
            untold += hub.commit(value)
        elif what == "tell" and untold:
            hub.feed([untold.pop(value % len(untold))])
        elif what == "lose" and untold:
            untold.pop(value % len(untold))
        elif what == "read":
            await read(value)
        elif what == "reconnect":
            clients[value].close()
            clients[value] = hub.subscribe(PLAYER, max(positions[value], 0))
        elif what == "wait":
            hub.clock.pass_time(value / 2)
            await settle()
    for client in (0, 1):
        await read(client)
    for _ in range(5):
        hub.clock.pass_time(1)
        await settle()
    for client in (0, 1):
        await read(client)
        assert positions[client] == hub.log.last
        clients[client].close()
    assert hub.players == set()
