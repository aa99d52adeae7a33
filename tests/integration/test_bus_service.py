"""BusService through gRPC: operators see the listeners, and tell one again."""

import asyncio

import pytest
from bearpit.client import Client
from bearpit.v1 import bus_pb2 as pb
from bearpit_server.events import log
from bearpit_server.storage import clock
from bearpit_server.storage.models.notices import ListenerFailure

from tests.integration.floor import SHARED
from tests.integration.test_notifications import TRANSFER, heard, inbox, name
from tests.venue import Venue, refused

pytestmark = SHARED


async def listeners(client: Client) -> dict[str, pb.Listener]:
    answer = await client.bus.ListListeners(pb.ListListenersRequest())
    return {one.name: one for one in answer.listeners}


def replay(
    listener: str = "notifications", from_event: str = "0", **more: object
) -> pb.ReplayListenerRequest:
    return pb.ReplayListenerRequest(listener=listener, from_event=from_event, **more)  # type: ignore[arg-type]


async def test_every_listener_of_this_server_is_listed_with_its_counts(floor: Venue) -> None:
    operator, ada, bob = await floor.operator(), await floor.trader(), await floor.trader()
    await floor.transfer(ada, name(bob), 100)
    await heard(floor)
    found = await listeners(operator)
    assert set(found) == set(floor.running.listeners.listeners)
    mine = found["notifications"]
    assert mine.known
    assert mine.published == mine.delivered > 0
    assert (mine.failed, mine.retried, mine.waiting, mine.last_error) == (0, 0, 0, "")
    assert "transfer.made" in mine.type_prefixes


async def test_a_replay_is_rehearsed_done_once_and_logged(floor: Venue) -> None:
    operator, ada, bob = await floor.operator(), await floor.trader(), await floor.trader()
    for _ in range(2):  # for the first there is a badge as well
        await floor.transfer(ada, name(bob), 100)
        await heard(floor)
    before = [note for note in await inbox(floor, bob) if note.kind == TRANSFER]
    assert len(before) == 2
    [event] = await floor.database.run(log.newest, 1, "transfer.")
    place = str(event.position)
    rehearsed = await operator.bus.ReplayListener(replay(from_event=place, validate_only=True))
    assert rehearsed.events == 1
    assert (await listeners(operator))["notifications"].waiting == 0
    asked = replay(from_event=place, request_id=f"again {place}")
    answers = await asyncio.gather(*[operator.bus.ReplayListener(asked) for _ in range(50)])
    assert len({answer.SerializeToString() for answer in answers}) == 1
    await heard(floor)
    assert [note for note in await inbox(floor, bob) if note.kind == TRANSFER] == before
    replays = await floor.database.run(log.newest, 100, "listener.replayed")
    assert [one.request_id for one in replays].count(asked.request_id) == 1


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (replay("nobody"), "NOT_FOUND"),
        (replay("x" * 5_000), "NOT_FOUND"),
        (replay(from_event="soon"), "INVALID_FIELD"),
        (replay(from_event=""), "INVALID_FIELD"),
        (replay(from_event="-5"), "INVALID_FIELD"),
        (replay(from_event="9" * 18), "INVALID_FIELD"),
        (replay(from_event="9" * 4_000), "INVALID_FIELD"),
    ],
)
async def test_what_cannot_be_is_refused(
    floor: Venue, request_: pb.ReplayListenerRequest, reason: str
) -> None:
    operator = await floor.operator()
    error = await refused(operator.bus.ReplayListener(request_))
    assert error.reason == reason
    assert error.field == ("from_event" if reason == "INVALID_FIELD" else "")


async def test_how_far_back_a_replay_goes_is_a_setting(floor: Venue) -> None:
    operator, ada, bob = await floor.operator(), await floor.trader(), await floor.trader()
    for _ in range(3):
        await floor.transfer(ada, name(bob), 100)
    await heard(floor)
    await floor.settings(listener_replay_events=2)
    assert (await refused(operator.bus.ReplayListener(replay()))).reason == "RESUME_TOO_OLD"
    future = await refused(operator.bus.ReplayListener(replay(from_event="9" * 18)))
    assert future.reason == "INVALID_FIELD"
    await floor.settings(listener_replay_events=10_000)


async def test_players_see_none_of_it(floor: Venue) -> None:
    player = await floor.trader()
    for call in (
        player.bus.ListListeners(pb.ListListenersRequest()),
        player.bus.ReplayListener(replay()),
        player.bus.ListListenerFailures(pb.ListListenerFailuresRequest()),
    ):
        assert (await refused(call)).reason == "NOT_ALLOWED"


async def test_failures_page(floor: Venue) -> None:
    operator = await floor.operator()

    def fail() -> None:
        for number in range(3):
            ListenerFailure.create(
                listener="test", event_xid=1, event_id=number, type="test.event", error="no",
                failed_at=clock.now(),
            )  # fmt: skip

    await floor.database.run(fail)
    request = pb.ListListenerFailuresRequest(listener="test", page_size=2)
    first = await operator.bus.ListListenerFailures(request)
    assert [one.position for one in first.failures] == ["1-2", "1-1"]
    request.page_token = first.next_page_token
    second = await operator.bus.ListListenerFailures(request)
    assert ([one.position for one in second.failures], second.next_page_token) == (["1-0"], "")
