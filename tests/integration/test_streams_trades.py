"""StreamTrades over gRPC and PostgreSQL: in order, without gaps, from any trade not too far back."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar

import pytest
from bearpit.v1.market_pb2 import AGGRESSOR_BUYER, StreamTradesRequest, StreamTradesResponse
from bearpit_server.events.records import TradeRecord
from bearpit_server.streams.feed import FARTHEST, QUEUE
from bearpit_server.streams.trades import FIRST, MEMORY

from tests.integration.stage import Listed, Stage, commit_trades, token, until
from tests.venue import refused

P = ParamSpec("P")
T = TypeVar("T")
AT = datetime(2030, 1, 1, tzinfo=UTC)


class Tape:
    """A client that follows an instrument's trades."""

    def __init__(self, stage: Stage, symbol: str = "ABC") -> None:
        self.stage = stage
        self.symbol = symbol
        self.frames: list[StreamTradesResponse] = []
        self.ids: list[int] = []

    async def open(self, after: int = 0, **options: int) -> None:
        stub = await self.stage.market(**options)
        request = StreamTradesRequest(symbol=self.symbol, after_sequence=after)
        self.call = stub.StreamTrades(request, metadata=token(1))

    async def read(self) -> StreamTradesResponse:
        async with asyncio.timeout(10):
            frame = await self.call.read()
            assert isinstance(frame, StreamTradesResponse), "the stream goes on"
        self.frames.append(frame)
        ids = [trade.trade_id for trade in (*frame.snapshot.trades, *frame.update.trades)]
        assert not ids or frame.sequence == ids[-1]
        self.ids += ids
        return frame

    async def read_to(self, trade_id: int) -> None:
        while not self.ids or self.ids[-1] < trade_id:
            await self.read()


def records(listed: Listed, ids: range) -> list[TradeRecord]:
    return [TradeRecord(id_, listed.id, listed.symbol, 100 + id_ % 7, 1, 1, AT) for id_ in ids]


@pytest.fixture
async def listed(stage: Stage) -> Listed:
    return await stage.list_instrument("ABC")


async def test_the_snapshot_has_the_latest_trades_and_updates_follow_it(stage: Stage, listed: Listed) -> None:
    other = await stage.list_instrument("XYZ")
    await stage.database.run(commit_trades, records(listed, range(1_000, 1_000 + FIRST + 50)))
    tape = Tape(stage)
    await tape.open()
    first = await tape.read()
    assert first.HasField("snapshot")
    assert tape.ids == list(range(1_050, 1_050 + FIRST))
    stage.bus.publish(records(other, range(2_000, 2_003)))
    stage.bus.publish(records(listed, range(2_003, 2_006)))
    second = await tape.read()
    assert [trade.trade_id for trade in second.update.trades] == [2_003, 2_004, 2_005]
    assert second.sequence == 2_005
    (trade, *_) = second.update.trades
    assert (trade.symbol, trade.quantity, trade.aggressor) == ("ABC", 1, AGGRESSOR_BUYER)
    assert trade.executed_at.ToDatetime(UTC) == AT


async def test_an_instrument_that_never_traded_has_an_empty_snapshot(stage: Stage, listed: Listed) -> None:
    tape = Tape(stage)
    await tape.open()
    first = await tape.read()
    assert first.HasField("snapshot")
    assert first.sequence == 0
    await stage.trade(listed, 100)
    await tape.read_to(1)


async def test_no_trade_is_lost_or_doubled_across_a_resume(stage: Stage, listed: Listed) -> None:
    tape = Tape(stage)
    await tape.open()
    await tape.read()
    next_id = 1
    for _ in range(4):
        for told in (5, 7):  # the latter while nobody listens
            trades = records(listed, range(next_id, next_id + told))
            next_id += told
            await stage.database.run(commit_trades, trades)
            stage.bus.publish(trades)
            if told == 5:
                await tape.read_to(next_id - 1)
                tape.call.cancel()
        await tape.open(after=tape.ids[-1])
        await tape.read_to(next_id - 1)
    assert tape.ids == list(range(1, next_id))


async def test_trades_while_the_stream_is_opened_are_told_once(stage: Stage, listed: Listed) -> None:
    done = asyncio.Event()
    last = 0

    async def go_on() -> None:
        nonlocal last
        while not done.is_set():
            trades = records(listed, range(last + 1, last + 4))
            await stage.database.run(commit_trades, trades)
            stage.bus.publish(trades)
            last += 3

    async with asyncio.TaskGroup() as group:
        group.create_task(go_on())
        for _ in range(8):
            snapshot, resumed = Tape(stage), Tape(stage)
            await snapshot.open()
            await snapshot.read()
            await snapshot.read_to(last + 2)
            assert snapshot.ids == list(range(snapshot.ids[0], snapshot.ids[-1] + 1))
            await resumed.open(after=2)
            await resumed.read_to(last + 2)
            assert resumed.ids == list(range(3, resumed.ids[-1] + 1))
            snapshot.call.cancel()
            resumed.call.cancel()
        done.set()


async def test_who_is_there_already_costs_the_next_one_no_database(stage: Stage, listed: Listed) -> None:
    await stage.database.run(commit_trades, records(listed, range(1, MEMORY + 101)))
    first, second = Tape(stage), Tape(stage)
    await first.open()
    await first.read()
    run = stage.database.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.database, "run", None)
        await second.open(after=101)
        await second.read_to(MEMORY + 100)
        assert second.ids == list(range(102, MEMORY + 101))
        patch.setattr(stage.database, "run", run)
        third = Tape(stage)
        await third.open(after=50)
        await third.read_to(MEMORY + 100)
        assert third.ids == list(range(51, MEMORY + 101))


async def test_memory_that_has_been_overrun_is_not_taken_for_whole(stage: Stage, listed: Listed) -> None:
    first, second = Tape(stage), Tape(stage)
    await first.open()
    await first.read()
    trades = records(listed, range(1, MEMORY + 101))
    await stage.database.run(commit_trades, trades)
    stage.bus.publish(trades[:500])
    stage.bus.publish(trades[500:])
    await first.read_to(MEMORY + 100)
    await second.open(after=40)
    await second.read_to(MEMORY + 100)
    assert second.ids == list(range(41, MEMORY + 101))


async def test_trades_that_the_database_told_first_are_not_told_again(stage: Stage, listed: Listed) -> None:
    await stage.database.run(commit_trades, records(listed, range(1, MEMORY + 101)))
    first, second = Tape(stage), Tape(stage)
    await first.open()
    await first.read()
    slow = records(listed, range(MEMORY + 101, MEMORY + 106))
    await stage.database.run(commit_trades, slow[:3])
    await second.open(after=50)  # from before the memory, so from the database, which is ahead of the bus
    await second.read_to(MEMORY + 103)
    stage.bus.publish(slow)
    await second.read_to(MEMORY + 105)
    assert second.ids == list(range(51, MEMORY + 106))
    await first.read_to(MEMORY + 105)


async def test_a_trade_told_while_the_latest_are_being_read_is_not_lost(
    stage: Stage, listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.database.run(commit_trades, records(listed, range(1, 3)))
    read, go_on = asyncio.Event(), asyncio.Event()
    run = stage.database.run

    async def slowly(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        found = await run(work, *args, **kwargs)
        read.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(stage.database, "run", slowly)
    tape = Tape(stage)
    await tape.open()
    await read.wait()
    stage.bus.publish(records(listed, range(3, 5)))
    go_on.set()
    await tape.read_to(4)
    assert tape.ids == [1, 2, 3, 4]


async def test_too_far_back_is_refused(stage: Stage, listed: Listed) -> None:
    await stage.database.run(commit_trades, records(listed, range(1, FARTHEST + 3)))
    tape = Tape(stage)
    await tape.open(after=2)
    await tape.read_to(FARTHEST + 2)
    assert tape.ids == list(range(3, FARTHEST + 3))
    for after, reason in ((1, "RESUME_TOO_OLD"), (FARTHEST + 3, "RESUME_TOO_OLD"), (-1, "INVALID_FIELD")):
        await tape.open(after=after)
        assert (await refused(tape.call.read())).reason == reason


async def test_an_unknown_instrument_has_no_trades(stage: Stage) -> None:
    tape = Tape(stage, "NONE")
    await tape.open()
    assert (await refused(tape.call.read())).reason == "NOT_FOUND"


async def test_who_stops_reading_is_ended_as_a_slow_consumer_and_can_resume(
    stage: Stage, listed: Listed
) -> None:
    slow = Tape(stage)
    await slow.open(http2__lookahead_bytes=16_384, http2__bdp_probe=0)
    await slow.read()
    next_id = 1
    while len(stage.streams.open):
        for _ in range(QUEUE):
            trades = records(listed, range(next_id, next_id + 3))
            next_id += 3
            await stage.database.run(commit_trades, trades) if next_id < 3_000 else None
            stage.bus.publish(trades)
        await asyncio.sleep(0)
    error = None
    while error is None:
        try:
            await slow.read()
        except Exception:
            error = await refused(slow.call.read())
    assert error.reason == "SLOW_CONSUMER"
    assert slow.ids == list(range(1, slow.ids[-1] + 1))


async def test_a_quiet_tape_beats_with_the_last_trade(
    stage: Stage, listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bearpit_server.streams.subscription.HEARTBEAT_SECONDS", 0.1)
    await stage.trade(listed, 100)
    tape = Tape(stage)
    await tape.open()
    await tape.read()
    beat = await tape.read()
    assert beat.HasField("heartbeat")
    assert beat.sequence == 1


async def test_a_client_that_goes_leaves_nothing_behind(stage: Stage, listed: Listed) -> None:
    tapes = [Tape(stage) for _ in range(5)]
    for tape in tapes:
        await tape.open()
        await tape.read()
    assert len(stage.streams.open) == 5
    for tape in tapes:
        tape.call.cancel()
    await until(lambda: not len(stage.streams.open))
    assert stage.streams.trades._feeds == {}
