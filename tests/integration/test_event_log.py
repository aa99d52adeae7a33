"""The event log: read by position, and nothing is ever skipped."""

import random
from collections.abc import Sequence

import psycopg
import pytest
from bearpit_server.events import log
from bearpit_server.events.following import Follower, Listener
from bearpit_server.events.log import HOUSE_ORIGIN, Event, Logged, Position
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage.database import Database
from hypothesis import example, given
from hypothesis import strategies as st

from tests.postgres import Postgres


def append(*names: str) -> None:
    log.append(Event("test.event", name, HOUSE_ORIGIN, {"name": name}) for name in names)


def subjects(events: Sequence[Logged]) -> list[str]:
    return [event.subject for event in events]


def connect(postgres: Postgres, database: Database) -> psycopg.Connection:
    return psycopg.connect(postgres.url_of(database))


def insert(connection: psycopg.Connection, name: str) -> None:
    connection.execute(
        "INSERT INTO events (type, subject, actor_id, address, request_id, payload, created_at) "
        "VALUES ('test.event', %s, 0, '', '', '{}', now())",
        (name,),
    )


def read(
    database: Database, after: Position, limit: int = 100, prefix: str = ""
) -> tuple[list[str], Position]:
    with database.transaction():
        found, place = log.read(after, limit, prefix)
    return subjects(found), place


def test_events_come_back_as_they_were_written(database: Database) -> None:
    payload = {"text": "a ' \" \\ {} , \n ü 株", "number": 2**63 - 1, "list": [1, None, True]}
    written = Event("order.x", "order:1", log.Origin(7, "ipv4:1.2.3.4", "id-1"), payload, 7, 1)
    with database.transaction():
        log.append([written, Event("b", "", HOUSE_ORIGIN)])
    with database.transaction():
        (first, second), _ = log.read(Position(), 10)
    assert (first.type, first.subject, first.actor_id, first.address) == (
        "order.x",
        "order:1",
        7,
        "ipv4:1.2.3.4",
    )
    assert (first.request_id, first.payload, first.owner_id, first.owner_sequence) == ("id-1", payload, 7, 1)
    assert (second.subject, second.request_id, second.owner_id, second.payload) == ("", "", None, {})


def test_an_event_that_commits_late_is_not_skipped(postgres: Postgres, database: Database) -> None:
    with connect(postgres, database) as slow, connect(postgres, database) as quick:
        insert(slow, "slow")
        insert(quick, "quick")
        quick.commit()
        seen, place = read(database, Position())
        assert seen == [], "what is behind an older transaction waits for it"
        slow.commit()
        seen, place = read(database, place)
        assert seen == ["slow", "quick"]
        assert read(database, place)[0] == []


def test_an_event_with_a_higher_id_in_an_older_transaction_is_not_skipped(
    postgres: Postgres, database: Database
) -> None:
    with connect(postgres, database) as old, connect(postgres, database) as new:
        old.execute("SELECT pg_current_xact_id()")
        insert(new, "new")
        insert(old, "old")  # a higher id, a lower transaction
        new.commit()
        first, place = read(database, Position())
        old.commit()
        second, _ = read(database, place)
        assert sorted(first + second) == ["new", "old"]


def test_what_is_rolled_back_holds_nobody_up(postgres: Postgres, database: Database) -> None:
    with connect(postgres, database) as other:
        insert(other, "never")
        with database.transaction():
            append("after")
        assert read(database, Position())[0] == []
        other.rollback()
        assert read(database, Position())[0] == ["after"]


@pytest.mark.parametrize("seed", range(8))
def test_readers_see_every_event_once_however_commits_interleave(
    postgres: Postgres, database: Database, seed: int
) -> None:
    chance = random.Random(seed)
    connections = [connect(postgres, database) for _ in range(4)]
    pending: list[list[str]] = [[] for _ in connections]
    committed: list[str] = []
    seen: list[str] = []
    place = Position()
    for step in range(120):
        n = chance.randrange(len(connections))
        kind = chance.random()
        if kind < 0.5:
            insert(connections[n], f"{step}")
            pending[n].append(f"{step}")
        elif kind < 0.7:
            connections[n].commit()
            committed += pending[n]
            pending[n] = []
        elif kind < 0.75:
            connections[n].rollback()
            pending[n] = []
        else:
            found, place = read(database, Position.parse(str(place)), chance.randint(1, 5))
            seen += found
    for n, connection in enumerate(connections):
        connection.commit()
        connection.close()
        committed += pending[n]
    while (answer := read(database, place, 7))[0]:
        seen += answer[0]
        place = answer[1]
    assert len(seen) == len(set(seen))
    assert sorted(seen) == sorted(committed)


def test_a_prefix_hides_other_events_and_the_place_moves_on(database: Database) -> None:
    with database.transaction():
        append(*(f"{n}" for n in range(5)))
        log.append([Event("other.event", "other", HOUSE_ORIGIN)])
    seen, place = read(database, Position(), 10, "other.")
    assert seen == ["other"]
    assert read(database, place)[0] == []
    assert read(database, Position(), 10, "test%")[0] == [], "a prefix is no pattern"
    assert read(database, Position(), 10, "test_")[0] == []


def test_pages_follow_each_other(database: Database) -> None:
    for page in range(3):
        with database.transaction():
            append(*(f"{page}-{n}" for n in range(4)))
    seen: list[str] = []
    place = Position()
    for _ in range(5):
        found, place = read(database, place, 3)
        seen += found
    assert seen == [f"{page}-{n}" for page in range(3) for n in range(4)]


def test_the_newest_come_newest_first(database: Database) -> None:
    for name in "abc":
        with database.transaction():
            append(name)
    with database.transaction():
        assert subjects(log.newest(2)) == ["c", "b"]
        assert log.newest(2, "order.") == []


def test_an_owners_events_come_by_their_numbers(database: Database) -> None:
    with database.transaction():
        log.append(Event("order.x", f"{n}", HOUSE_ORIGIN, {}, 5, n) for n in (2, 1, 3))
        log.append([Event("order.x", "of another", HOUSE_ORIGIN, {}, 6, 1)])
    with database.transaction():
        assert subjects(list(log.of_owner(5, 1, 10))) == ["2", "3"]


def test_two_events_cannot_have_one_number(database: Database) -> None:
    import peewee as pw

    with pytest.raises(pw.IntegrityError), database.transaction():
        log.append(Event("order.x", "twice", HOUSE_ORIGIN, {}, 5, 1) for _ in range(2))


@given(st.text(max_size=60) | st.from_regex(r"[0-9]{0,25}-[0-9]{0,25}", fullmatch=True))
@example("१-२")
@example("-")
@example("1-")
@example("9223372036854775808-0")
@example("+1-1")
@example("1-1-1")
def test_a_position_is_parsed_or_refused(text: str) -> None:
    try:
        place = Position.parse(text)
    except Refused as refused:
        assert (refused.reason, refused.field) == ("INVALID_FIELD", "after")  # noqa: PT017
    else:
        assert 0 <= place.xid < 2**63
        assert 0 <= place.id < 2**63


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_a_position_survives_being_told(xid: int, id_: int) -> None:
    assert Position.parse(str(Position(xid, id_))) == Position(xid, id_)


# Following


async def test_followers_are_told_of_their_types_once_and_in_order(database: Database) -> None:
    append("before")
    follower = Follower(database)
    told: dict[str, list[str]] = {"all": [], "rare": []}

    def listener(name: str) -> Listener:
        async def listen(events: Sequence[Logged]) -> None:
            told[name] += subjects(events)

        return listen

    follower.listen(listener("all"), "test.", "rare.")
    follower.listen(listener("rare"), "rare.")
    await follower.start()
    for _ in range(2):
        append("one", "two")
        with database.transaction():
            log.append([Event("rare.event", "three", HOUSE_ORIGIN), Event("other.event", "no", HOUSE_ORIGIN)])
        await follower.follow()
    await follower.follow()
    assert told == {"all": ["one", "two", "three"] * 2, "rare": ["three"] * 2}


async def test_a_follower_that_fails_costs_the_others_nothing(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    follower = Follower(database)
    told: list[str] = []

    async def fail(events: Sequence[Logged]) -> None:
        raise ValueError("a fault")

    async def listen(events: Sequence[Logged]) -> None:
        told.extend(subjects(events))

    follower.listen(fail, "test.")
    follower.listen(listen, "test.")
    await follower.start()
    append("one")
    await follower.follow()
    append("two")
    await follower.follow()
    assert told == ["one", "two"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    caplog.clear()


def test_reading_one_type_goes_past_all_others(database: Database) -> None:
    append(*(f"{number}" for number in range(50)))
    found, place = read(database, Position(), prefix="rare.")
    with database.transaction():
        assert (found, place) == ([], log.end())
