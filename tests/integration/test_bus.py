"""The event bus: every listener hears every event once, whatever fails, and can be told again."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta

import psycopg
import pytest
from bearpit_server.events import log, replaying
from bearpit_server.events.bus import Bus
from bearpit_server.events.delivery import Delivery
from bearpit_server.events.listeners import Here, Listener, Span
from bearpit_server.events.log import HOUSE_ORIGIN, Event, Logged
from bearpit_server.events.records import Record, StatusChange
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage import bulk, clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.models.notices import ListenerFailure, ListenerRow
from bearpit_server.storage.settings import Settings

from tests.integration.door import Time
from tests.postgres import Postgres


class Heard:
    """A listener that writes what it hears into the database, and fails where it is told to."""

    def __init__(self) -> None:
        self.poison: set[str] = set()
        self.batches: list[int] = []
        bulk.execute("CREATE TABLE IF NOT EXISTS heard (n bigserial, listener text, subject text)")

    def listener(self, name: str = "ears", *prefixes: str, batch: int = 500, first: bool = False) -> Listener:
        def handle(events: Sequence[Logged], here: Here) -> Sequence[Record]:
            self.batches.append(len(events))
            for event in events:
                bulk.execute("INSERT INTO heard (listener, subject) VALUES (%s, %s)", name, event.subject)
                if event.subject in self.poison:
                    raise ValueError(f"cannot bear {event.subject}")
            return [StatusChange()]

        return Listener(name, prefixes or ("test.",), handle, batch=batch, from_beginning=first)

    def all(self, name: str = "ears") -> list[str]:
        rows = bulk.execute("SELECT subject FROM heard WHERE listener = %s ORDER BY n", name).fetchall()
        return [subject for (subject,) in rows]


@pytest.fixture
def time() -> Iterator[Time]:
    made = Time()
    clock.use(made.now)
    yield made
    clock.use(None)


@pytest.fixture
def heard(database: Database) -> Heard:
    return Heard()


async def deliver(database: Database, *listeners: Listener) -> Delivery:
    made = Delivery(database, Bus(), Settings(), listeners)
    await made.start()
    return made


async def all_of(delivery: Delivery) -> None:
    while await delivery.round():
        pass


def happen(database: Database, *names: str, kind: str = "test.event") -> None:
    with database.transaction():
        log.append(Event(kind, name, HOUSE_ORIGIN) for name in names)


def row(name: str = "ears") -> ListenerRow:
    found: ListenerRow = ListenerRow.get_by_id(name)
    return found


async def test_a_new_listener_begins_at_the_end_or_if_it_says_so_at_the_beginning(
    database: Database, heard: Heard
) -> None:
    happen(database, "old")
    delivery = await deliver(database, heard.listener("late"), heard.listener("early", first=True))
    happen(database, "new")
    await all_of(delivery)
    assert (heard.all("late"), heard.all("early")) == (["new"], ["old", "new"])


async def test_every_event_of_its_types_is_heard_once_and_in_order(database: Database, heard: Heard) -> None:
    delivery = await deliver(database, heard.listener(batch=3), heard.listener("other", "else."))
    names = [str(number) for number in range(10)]
    happen(database, *names)
    happen(database, "not mine", kind="else.where")
    await all_of(delivery)
    await all_of(delivery)
    assert heard.all() == names
    assert heard.all("other") == ["not mine"]
    mine = row()
    assert (mine.published, mine.delivered, mine.failed, mine.retried) == (10, 10, 0, 0)


async def test_what_a_listener_returns_is_told_after_its_commit(database: Database, heard: Heard) -> None:
    bus = Bus()
    bus.start(asyncio.get_running_loop())
    told: list[Record] = []
    bus.subscribe(StatusChange, told.extend)
    delivery = Delivery(database, bus, Settings(), [heard.listener()])
    await delivery.start()
    happen(database, "one")
    await all_of(delivery)
    await asyncio.sleep(0)
    assert told == [StatusChange()]


async def test_a_failing_batch_is_undone_and_told_again_after_growing_pauses(
    database: Database, heard: Heard, time: Time
) -> None:
    delivery = await deliver(database, heard.listener())
    heard.poison = {"b"}
    happen(database, "a", "b", "c")
    await all_of(delivery)
    assert heard.all() == []
    assert (row().retried, row().published, row().delivered) == (1, 3, 0)
    assert row().last_error == "ValueError: cannot bear b"
    first = row().retry_at - time.now()
    await all_of(delivery)
    assert heard.batches == [3], "it waits"
    time.pass_by(seconds=1)
    await all_of(delivery)
    assert row().careful
    heard.poison = set()
    time.pass_by(seconds=1)
    await all_of(delivery)
    assert heard.all() == ["a", "b", "c"]
    assert heard.batches == [3, 3, 1, 1, 1], "event by event"
    assert (row().published, row().delivered, row().failed, row().retried) == (3, 3, 0, 2)
    assert (row().careful, row().retry_at) == (False, None)
    assert first == timedelta(milliseconds=500)


async def test_an_event_that_fails_too_often_is_kept_and_the_rest_goes_on(
    database: Database, heard: Heard, time: Time
) -> None:
    delivery = await deliver(database, heard.listener())
    heard.poison = {"b"}
    happen(database, "a", "b", "c")
    pauses = []
    while row().delivered < 2:
        await all_of(delivery)
        if row().retry_at is not None:
            pauses.append((row().retry_at - time.now()).total_seconds())
            time.pass_by(minutes=2)
    assert heard.all() == ["a", "c"]
    assert pauses == [0.5, 0.5, 0.5, 1, 2, 4], "two of the batch, four of the event; the fifth is the last"
    assert (row().published, row().delivered, row().failed) == (3, 2, 1)
    [failure] = replaying.failures("ears", None, 10)
    assert (failure.type, failure.error) == ("test.event", "ValueError: cannot bear b")


async def test_one_that_fails_costs_the_others_nothing(database: Database, heard: Heard, time: Time) -> None:
    def fail(events: Sequence[Logged], here: Here) -> Sequence[Record]:
        raise ValueError("no")

    delivery = await deliver(database, Listener("bad", ("test.",), fail), heard.listener())
    happen(database, "a")
    await all_of(delivery)
    assert heard.all() == ["a"]
    assert row("bad").delivered == 0


async def test_two_servers_tell_a_listener_each_event_once(database: Database, heard: Heard) -> None:
    listener = heard.listener(batch=5)
    deliveries = [await deliver(database, listener) for _ in range(4)]
    names = [str(number) for number in range(100)]
    for name in names:
        happen(database, name)
    for _ in range(12):
        await asyncio.gather(*[delivery.round() for delivery in deliveries])
    await all_of(deliveries[0])
    assert heard.all() == names
    assert row().delivered == 100


async def test_a_listener_that_is_told_elsewhere_is_left_alone(
    database: Database, postgres: Postgres, heard: Heard
) -> None:
    delivery = await deliver(database, heard.listener())
    happen(database, "a")
    with psycopg.connect(postgres.url_of(database)) as other:
        other.execute("SELECT * FROM listeners WHERE name = 'ears' FOR UPDATE")
        assert not await delivery.round()
        assert heard.all() == []
    await all_of(delivery)
    assert heard.all() == ["a"]


async def test_a_sweep_is_told_its_part_of_the_log(database: Database) -> None:
    spans: list[Span] = []

    def sweep(span: Span, here: Here) -> Sequence[Record]:
        spans.append(span)
        return []

    delivery = await deliver(database, Listener("broom", ("test.",), sweep=sweep, batch=2))
    happen(database, "a", "b", "c")
    await all_of(delivery)
    assert [len(spans), row("broom").delivered] == [2, 3]
    assert spans[0].until == spans[1].after


# --- telling again ---------------------------------------------------------------------------------

KNOWN: replaying.Known = {"ears": ("test.",)}


def position_of(subject: str) -> str:
    xid, id_ = bulk.execute("SELECT xid, id FROM events WHERE subject = %s", subject).fetchone()
    return f"{xid}-{id_}"


def replay(database: Database, from_event: str, farthest: int = 10_000) -> int:
    with database.transaction():
        return replaying.replay("ears", from_event, farthest, KNOWN, HOUSE_ORIGIN)[1]


async def test_a_replay_tells_again_from_an_event_on(database: Database, heard: Heard) -> None:
    delivery = await deliver(database, heard.listener())
    happen(database, "a", "b")
    happen(database, "c")
    await all_of(delivery)
    for from_event in (position_of("b"), position_of("b").partition("-")[2]):
        bulk.execute("DELETE FROM heard")
        assert replay(database, from_event) == 2
        await all_of(delivery)
        assert heard.all() == ["b", "c"]
    assert (row().published, row().delivered) == (7, 7)
    bulk.execute("DELETE FROM heard")
    assert replay(database, "0") == 3
    await all_of(delivery)
    assert heard.all() == ["a", "b", "c"]
    [event] = log.newest(1, "listener.replayed")
    assert event.payload["events"] == 3


@pytest.mark.parametrize(
    ("from_event", "reason"),
    [("", "INVALID_FIELD"), ("x", "INVALID_FIELD"), ("-1", "INVALID_FIELD"), ("1-x", "INVALID_FIELD"),
     ("999999999", "INVALID_FIELD"), ("9" * 30, "INVALID_FIELD"), ("9" * 18 + "-1", "INVALID_FIELD")],
)  # fmt: skip
async def test_a_replay_from_nowhere_is_refused(
    database: Database, heard: Heard, from_event: str, reason: str
) -> None:
    delivery = await deliver(database, heard.listener())
    happen(database, "a")
    await all_of(delivery)
    with pytest.raises(Refused) as refused:
        replay(database, from_event)
    assert refused.value.reason == reason


async def test_a_replay_goes_back_at_most_so_many_events(database: Database, heard: Heard) -> None:
    delivery = await deliver(database, heard.listener())
    happen(database, "a", "b", "c", "d")
    await all_of(delivery)
    assert replay(database, position_of("b"), farthest=3) == 3
    number = position_of("a").partition("-")[2]
    # The replay is an event itself.
    for from_event in (position_of("a"), position_of("b"), number, "0"):
        with pytest.raises(Refused) as refused:
            replay(database, from_event, farthest=3)
        assert refused.value.reason == "RESUME_TOO_OLD"


async def test_what_is_told_again_with_success_has_not_failed(
    database: Database, heard: Heard, time: Time
) -> None:
    delivery = await deliver(database, heard.listener())
    heard.poison = {"a"}
    happen(database, "a")
    while not row().failed:
        await all_of(delivery)
        time.pass_by(minutes=2)
    heard.poison = set()
    replay(database, position_of("a"))
    await all_of(delivery)
    assert heard.all() == ["a"]
    assert ListenerFailure.select().count() == 0


async def test_standings_tell_what_waits(database: Database, heard: Heard) -> None:
    await deliver(database, heard.listener())
    happen(database, "a", "b")
    [standing] = replaying.standings(KNOWN)
    assert (standing.waiting, standing.prefixes, standing.published) == (2, ("test.",), 0)
    [unknown] = replaying.standings({})
    assert unknown.prefixes is None
