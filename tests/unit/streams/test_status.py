"""The market's status: read once for everybody, again after each change."""

import pytest
from bearpit_server.events.records import StatusChange
from bearpit_server.rules.refusals import Refused
from bearpit_server.streams.status import StatusHub
from bearpit_server.streams.subscription import Frame, OpenStreams

from tests.unit.streams.clockwork import Clockwork, arrived, settle


class Market:
    """A phase that can be read, and a hub that reads it."""

    def __init__(self) -> None:
        self.phase = "closed"
        self.error: Exception | None = None
        self.reads = 0
        self.clock = Clockwork()
        self.hub: StatusHub[str, Frame[str]] = StatusHub(
            self.read, lambda frame: frame, OpenStreams(self.clock)
        )

    async def read(self) -> str:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return self.phase

    async def become(self, phase: str) -> None:
        self.phase = phase
        self.hub.feed([StatusChange()])
        self.clock.pass_time(0.1)
        await settle()


async def test_a_snapshot_comes_first_and_an_update_after_each_change() -> None:
    market = Market()
    with market.hub.subscribe() as frames:
        market.clock.pass_time(0)
        await settle()
        received = await arrived(frames)
        await market.become("open")
        received += await arrived(frames)
    assert [(frame.kind, frame.content) for frame in received] == [("snapshot", "closed"), ("update", "open")]
    assert received[0].sequence < received[1].sequence


async def test_it_is_read_once_for_all_and_not_while_nobody_watches() -> None:
    market = Market()
    await market.become("open")
    assert market.reads == 0
    subscriptions = [market.hub.subscribe() for _ in range(10)]
    market.clock.pass_time(0)
    frames = [frame for subscription in subscriptions for frame in await arrived(subscription)]
    assert market.reads == 1
    assert [frame.content for frame in frames] == ["open"] * 10
    for subscription in subscriptions:
        subscription.close()
    await market.become("closed")
    assert market.reads == 1


async def test_who_comes_after_everybody_left_hears_what_is_true_then() -> None:
    market = Market()
    with market.hub.subscribe() as frames:
        market.clock.pass_time(0)
        await arrived(frames)
    await market.become("open")
    with market.hub.subscribe() as frames:
        market.clock.pass_time(0.1)
        assert [frame.content for frame in await arrived(frames)] == ["open"]


async def test_a_status_that_cannot_be_read_ends_the_streams() -> None:
    market = Market()
    market.error = Refused("DATABASE_UNAVAILABLE", "away")
    with market.hub.subscribe() as frames:
        market.clock.pass_time(0)
        await settle()
        with pytest.raises(Refused, match="away"):
            await frames.next()


async def test_a_quiet_status_beats() -> None:
    market = Market()
    with market.hub.subscribe() as frames:
        market.clock.pass_time(0)
        await arrived(frames)
        market.clock.pass_time(5)
        assert [frame.kind for frame in await arrived(frames)] == ["heartbeat"]
