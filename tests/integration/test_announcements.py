"""Announcements: who sees them, when they come out, how they end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bearpit.client import Client
from bearpit.v1 import announcements_pb2 as pb
from bearpit.v1 import market_pb2
from bearpit_server.game.notices import announcements
from bearpit_server.storage import clock
from bearpit_server.storage.models import Event, Player
from bearpit_server.storage.models.teams import Team
from google.protobuf.timestamp_pb2 import Timestamp

from tests.postgres import Postgres
from tests.venue import ON_DEMAND, Venue, prepare, refused, serving, venue

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
BODY = "# Lunch\n\n- soup\n- <b>bread</b>\n\n| a | b |\n|---|---|\n| 1 | 2 |"


class Time:
    """The server's clock, which stands still until it is put forward."""

    def __init__(self) -> None:
        self.now = START

    def forward(self, **span: int) -> None:
        self.now += timedelta(**span)


@pytest.fixture(name="time")
async def make_time() -> AsyncIterator[Time]:
    time = Time()
    clock.use(lambda: time.now)
    yield time
    clock.use(None)


@pytest.fixture(name="floor")
async def make_floor(postgres: Postgres, time: Time) -> AsyncIterator[Venue]:
    async with venue(postgres) as made:
        yield made


def stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


async def announce(floor: Venue, title: str, **more: Any) -> market_pb2.Announcement:
    operator = await floor.operator()
    return (await operator.announcements.Announce(pb.AnnounceRequest(title=title, **more))).announcement


async def withdraw(floor: Venue, announcement_id: int, **more: Any) -> market_pb2.Announcement:
    operator = await floor.operator()
    request = pb.WithdrawAnnouncementRequest(announcement_id=announcement_id, **more)
    return (await operator.announcements.WithdrawAnnouncement(request)).announcement


async def listed(client: Client, **more: Any) -> list[str]:
    answer = await client.announcements.ListAnnouncements(pb.ListAnnouncementsRequest(**more))
    return [made.title for made in answer.announcements]


async def on_the_bar(client: Client) -> list[str]:
    found = await client.market.GetMarketStatus(market_pb2.GetMarketStatusRequest())
    return [made.title for made in found.status.announcements]


def events(floor: Venue) -> list[tuple[str, str]]:
    with floor.database.transaction():
        rows = Event.select(Event.type, Event.payload).where(Event.type.startswith("announcement."))
        return [(row.type.partition(".")[2], row.payload["title"]) for row in rows.order_by(Event.id)]


async def publish(floor: Venue) -> None:
    await floor.database.run(announcements.publish_due)


async def in_team(floor: Venue, client: Client, team: str) -> None:
    assert client.player is not None
    with floor.database.transaction():
        row, _ = Team.get_or_create(name=team, defaults={"created_at": START})
        Player.update(team_id=row.id).where(Player.id == client.player.player_id).execute()


async def test_an_announcement_says_all_that_its_author_said(floor: Venue) -> None:
    ada = await floor.trader()
    made = await announce(
        floor,
        "Lunch",
        body=BODY,
        priority=market_pb2.PRIORITY_URGENT,
        expires_at=stamp(START + timedelta(hours=1)),
    )
    assert (made.title, made.body, made.author) == ("Lunch", BODY, "operator")
    assert (made.priority, made.audience) == (market_pb2.PRIORITY_URGENT, market_pb2.AUDIENCE_ALL)
    assert made.expires_at.ToDatetime(UTC) == START + timedelta(hours=1)
    assert made.state == market_pb2.ANNOUNCEMENT_STATE_STANDING
    status = (await ada.market.GetMarketStatus(market_pb2.GetMarketStatusRequest())).status
    assert list(status.announcements) == [made], "the status bar has all of it"
    request = pb.GetAnnouncementRequest(announcement_id=made.announcement_id)
    assert (await ada.announcements.GetAnnouncement(request)).announcement == made


async def test_those_for_a_team_or_a_role_reach_their_audience_and_nobody_else(floor: Venue) -> None:
    ada, bob = await floor.player("ada"), await floor.player("bob")
    operator = await floor.operator()
    await in_team(floor, ada, "Reds")
    await in_team(floor, bob, "Blues")
    assert bob.player is not None
    with floor.database.transaction():
        Player.update(roles=["player", "announcer"]).where(Player.id == bob.player.player_id).execute()
    bob = await floor.sign_in("bob")
    for_team = await announce(floor, "Reds meet", audience=market_pb2.AUDIENCE_TEAM, team="reds")
    assert for_team.team == "Reds"
    for_role = await announce(floor, "Speak up", audience=market_pb2.AUDIENCE_ROLE, role="announcer")
    await announce(floor, "All of you")
    assert await listed(ada) == ["All of you", "Reds meet"]
    assert await listed(bob, standing_only=True) == ["All of you", "Speak up"]
    assert await listed(operator) == ["All of you", "Speak up", "Reds meet"]
    assert await listed(operator, standing_only=True) == ["All of you"], "he is neither"
    assert await on_the_bar(ada) == await on_the_bar(bob) == ["All of you"]
    request = pb.GetAnnouncementRequest(announcement_id=for_role.announcement_id)
    assert (await refused(ada.announcements.GetAnnouncement(request))).reason == "NOT_FOUND"
    with floor.database.transaction():
        payload = Event.get(Event.subject == f"announcement:{for_team.announcement_id}").payload
    assert payload["team_id"]
    assert payload["audience"] == "TEAM"
    assert payload["role"] is None


async def test_the_next_one_ends_only_what_stood_for_the_same_audience(floor: Venue) -> None:
    ada = await floor.trader()
    await in_team(floor, ada, "Reds")
    team = {"audience": market_pb2.AUDIENCE_TEAM, "team": "Reds"}
    await announce(floor, "first")
    await announce(floor, "for an hour", lifetime_seconds=3_600)
    await announce(floor, "reds first", **team)
    await announce(floor, "second")
    assert await listed(ada) == ["second", "reds first", "for an hour"]
    await announce(floor, "reds second", **team)
    assert await listed(ada) == ["reds second", "second", "for an hour"]


async def test_a_planned_one_comes_out_on_time_and_once_whoever_looks(floor: Venue, time: Time) -> None:
    ada, operator = await floor.trader(), await floor.operator()
    await announce(floor, "now")
    due = time.now + timedelta(minutes=5)
    made = await announce(floor, "soon", starts_at=stamp(due), lifetime_seconds=60)
    assert made.state == market_pb2.ANNOUNCEMENT_STATE_SCHEDULED
    assert made.expires_at.ToDatetime(UTC) == due + timedelta(seconds=60)
    await publish(floor)
    assert (await listed(ada), await listed(operator)) == (["now"], ["soon", "now"])
    assert events(floor) == [("made", "now"), ("scheduled", "soon")]
    stream = aiter(ada.stream_status())
    async with asyncio.timeout(10):
        assert [one.title for one in (await anext(stream)).snapshot.announcements] == ["now"]
        time.forward(minutes=5)
        await asyncio.gather(*(publish(floor) for _ in range(10)))
        frame = await anext(stream)
        while "soon" not in [one.title for one in frame.update.announcements]:
            frame = await anext(stream)
    assert [one.title for one in frame.update.announcements] == ["soon"], "it ended the one without an end"
    assert events(floor) == [("made", "now"), ("scheduled", "soon"), ("made", "soon")]
    time.forward(minutes=1)
    assert await listed(ada) == await on_the_bar(ada) == []
    states = [
        one.state
        for one in (
            await operator.announcements.ListAnnouncements(pb.ListAnnouncementsRequest())
        ).announcements
    ]
    assert states == [market_pb2.ANNOUNCEMENT_STATE_EXPIRED] * 2


async def test_what_is_due_comes_out_after_a_restart_unless_its_time_is_over(
    postgres: Postgres, time: Time
) -> None:
    with postgres.database() as database:
        prepare(database, **ON_DEMAND)
        async with serving(database) as floor:
            await announce(floor, "late", starts_at=stamp(START + timedelta(minutes=1)))
            await announce(
                floor, "missed", starts_at=stamp(START + timedelta(minutes=1)), lifetime_seconds=60
            )
        time.forward(hours=1)
        async with serving(database) as floor:
            await publish(floor)
            assert await listed(await floor.operator(), standing_only=True) == ["late"]
            assert [kind for kind, title in events(floor) if title == "missed"] == ["scheduled"]


async def test_a_withdrawn_one_goes_away_and_a_planned_one_never_comes(floor: Venue, time: Time) -> None:
    ada = await floor.trader()
    standing = await announce(floor, "wrong")
    planned = await announce(floor, "planned", starts_at=stamp(time.now + timedelta(minutes=1)))
    rehearsed = await withdraw(floor, standing.announcement_id, validate_only=True)
    assert rehearsed.state == market_pb2.ANNOUNCEMENT_STATE_WITHDRAWN
    assert await listed(ada) == ["wrong"]
    for made in (standing, planned):
        gone = await withdraw(floor, made.announcement_id)
        assert gone.state == market_pb2.ANNOUNCEMENT_STATE_WITHDRAWN
        error = await refused(withdraw(floor, made.announcement_id))
        assert (error.reason, error.metadata["state"]) == ("NOT_POSSIBLE_NOW", "withdrawn")
    time.forward(hours=1)
    await publish(floor)
    assert await listed(ada) == await on_the_bar(ada) == []
    assert [kind for kind, _ in events(floor)] == ["made", "scheduled", "withdrawn", "withdrawn"]
    assert (await refused(withdraw(floor, 999))).reason == "NOT_FOUND"


async def test_fifty_at_once_with_one_request_id_say_it_once(floor: Venue) -> None:
    operator, second = await floor.operator(), await floor.sign_in("operator")
    request = pb.AnnounceRequest(title="once", request_id="same")
    clients = [operator, second] * 25
    answers = await asyncio.gather(*(client.announcements.Announce(request) for client in clients))
    assert len({answer.announcement.announcement_id for answer in answers}) == 1
    assert events(floor) == [("made", "once")]


async def test_what_cannot_be_said_is_refused_with_a_word_on_what_to_do(floor: Venue, time: Time) -> None:
    operator = await floor.operator()
    past, far = time.now - timedelta(seconds=1), time.now + timedelta(days=400)
    for bad in (
        pb.AnnounceRequest(title=""),
        pb.AnnounceRequest(title="x" * 141),
        pb.AnnounceRequest(title="two\nlines"),
        pb.AnnounceRequest(title="x", body="\x1b[31mred"),
        pb.AnnounceRequest(title="x", body="\u202eturned"),
        pb.AnnounceRequest(title="x", body="x" * 8_001),
        pb.AnnounceRequest(title="x", body="\n" * 200),
        pb.AnnounceRequest(title="x", lifetime_seconds=0),
        pb.AnnounceRequest(title="x", lifetime_seconds=-1),
        pb.AnnounceRequest(title="x", lifetime_seconds=2**62),
        pb.AnnounceRequest(title="x", starts_at=stamp(past)),
        pb.AnnounceRequest(title="x", starts_at=stamp(far)),
        pb.AnnounceRequest(title="x", expires_at=stamp(time.now)),
        pb.AnnounceRequest(title="x", expires_at=stamp(far)),
        pb.AnnounceRequest(title="x", team="Reds"),
        pb.AnnounceRequest(title="x", audience=market_pb2.AUDIENCE_TEAM),
        pb.AnnounceRequest(title="x", audience=market_pb2.AUDIENCE_ROLE, role="king"),
        pb.AnnounceRequest(title="x", audience=market_pb2.AUDIENCE_ALL, role="player"),
    ):
        error = await refused(operator.announcements.Announce(bad))
        assert error.reason == "INVALID_FIELD", bad
    nobody = pb.AnnounceRequest(title="x", audience=market_pb2.AUDIENCE_TEAM, team="nobody")
    assert (await refused(operator.announcements.Announce(nobody))).reason == "NOT_FOUND"
    ada = await floor.trader()
    mine = pb.AnnounceRequest(title="free points")
    assert (await refused(ada.announcements.Announce(mine))).reason == "NOT_ALLOWED"
    assert events(floor) == []


async def test_a_rehearsal_says_what_would_come_and_lists_go_page_by_page(floor: Venue) -> None:
    operator = await floor.operator()
    made = await announce(floor, "rehearsed", validate_only=True)
    assert (made.announcement_id, made.title) == (0, "rehearsed")
    for n in range(5):
        await announce(floor, f"number {n}", lifetime_seconds=60)
    titles, token = [], ""
    while True:
        request = pb.ListAnnouncementsRequest(page_size=2, page_token=token)
        page = await operator.announcements.ListAnnouncements(request)
        titles += [one.title for one in page.announcements]
        token = page.next_page_token
        if not token:
            break
    assert titles == [f"number {n}" for n in reversed(range(5))]
