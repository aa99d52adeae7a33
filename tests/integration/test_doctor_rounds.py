"""The doctor's rounds: a running server proves the ledger by itself, and says what it finds."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from bearpit.v1 import admin_pb2 as pb
from bearpit.v1 import trading_pb2, wallet_pb2
from bearpit_server.game.proofs import doctor, doctor_recent, doctor_rounds
from bearpit_server.game.proofs.doctor import Rule
from bearpit_server.game.proofs.doctor_rounds import INTERVAL, LOCK, Found, Rounds
from bearpit_server.rules.settings import SETTINGS
from bearpit_server.storage import clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.settings import Settings, store

from tests.postgres import Postgres
from tests.venue import ON_DEMAND, OPERATOR, PASSWORD, Venue, prepare, serving

MINUTES = int(SETTINGS[INTERVAL].default)
GIVE = "UPDATE accounts SET balance = balance + 7 WHERE kind = 'fees' AND asset = 0"
TAKE = "UPDATE accounts SET balance = balance - 7 WHERE kind = 'fees' AND asset = 0"
SUM = doctor.SUM_TO_ZERO.sentence
LATEST = "each balance is what the account's latest posting told"
SLEEPS = "query LIKE '%%pg_sleep(600)%%' AND pid <> pg_backend_pid() AND state = 'active'"


class Time:
    """The server's clock, that goes on only when it is told."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def pass_by(self, minutes: float = MINUTES) -> None:
        self.now += timedelta(minutes=minutes)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Iterator[Time]:
    monkeypatch.setattr(doctor_rounds, "LOOK_SECONDS", 0.02)
    made = Time()
    clock.use(lambda: made.now)
    yield made
    clock.use(None)


@pytest.fixture
def database(database: Database) -> Database:
    prepare(database, **ON_DEMAND)
    return database


def rounds_on(database: Database) -> tuple[Rounds, Settings]:
    """A server's rounds without the server, so that it is known when they have looked."""
    settings = Settings()
    return Rounds(database, settings), settings


def run(database: Database, sql: str) -> None:
    with database.transaction():
        assert database.execute(sql).rowcount


def found(database: Database) -> Found | None:
    with database.transaction():
        return doctor_rounds.latest()


def broken(database: Database) -> set[str]:
    latest = found(database)
    assert latest is not None
    return {proof.rule for proof in latest.broken}


def events(database: Database) -> list[tuple[str, list[str]]]:
    """Rule and violations of each event that tells of a broken rule."""
    with database.transaction():
        rows = database.execute(
            "SELECT payload ->> 'rule', payload -> 'violations' FROM events WHERE type = 'doctor.broken' "
            "ORDER BY id"
        ).fetchall()
    return [(rule, violations) for rule, violations in rows]


async def status(venue: Venue) -> pb.GetServerStatusResponse:
    operator = await venue.operator()
    return await operator.admin.GetServerStatus(pb.GetServerStatusRequest())


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.05)


async def until_checked(venue: Venue, at: datetime) -> pb.LedgerCheck:
    """The check that begins at a time of the server's clock."""
    operator = await venue.operator()
    answers = []

    async def checked() -> bool:
        answers.append(await operator.admin.GetServerStatus(pb.GetServerStatusRequest()))
        return answers[-1].ledger_check.checked_at.ToDatetime(UTC) == at

    await until(checked)
    return answers[-1].ledger_check


async def trade(venue: Venue, name: str) -> None:
    """One new pair of players trades once."""
    seller, buyer = await venue.player(f"s_{name}", ACME=100), await venue.player(f"b_{name}")
    terms = {"symbol": "ACME", "type": trading_pb2.ORDER_TYPE_LIMIT, "quantity": 10, "price_cents": 1_000}
    for client, side in ((seller, trading_pb2.SIDE_SELL), (buyer, trading_pb2.SIDE_BUY)):
        await venue.place(client, trading_pb2.OrderSpec(side=side, **terms))  # type: ignore[arg-type]


# --- finding ---------------------------------------------------------------------------------------------


async def test_a_fault_seeded_while_the_server_runs_is_found_and_told_everywhere(
    time: Time, venue: Venue, caplog: pytest.LogCaptureFixture
) -> None:
    await venue.list_instrument("ACME", fee_bps=10)
    await venue.open_market()
    await trade(venue, "one")
    assert not (await status(venue)).HasField("ledger_check")
    await venue.database.run(run, venue.database, TAKE)
    time.pass_by()
    check = await until_checked(venue, time.now)
    violations = {proof.rule: list(proof.violations) for proof in check.broken}
    assert violations.keys() == {SUM, LATEST}
    assert violations[SUM] == ["asset 0 is off by -7"]
    operator = await venue.operator()
    await venue.logged()
    told = (await operator.admin.ListEvents(pb.ListEventsRequest(type_prefix="doctor."))).events
    assert {(event.type, event.subject, event.actor_id) for event in told} == {("doctor.broken", "ledger", 0)}
    assert {rule for rule, _ in events(venue.database)} == {SUM, LATEST}
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]
    assert f"the ledger is broken: {SUM}: asset 0 is off by -7" in said
    assert len(said) == 2

    await venue.database.run(run, venue.database, GIVE)
    time.pass_by()
    assert not (await until_checked(venue, time.now)).broken
    assert len(events(venue.database)) == 2


async def test_all_that_players_do_meanwhile_is_no_fault(time: Time, venue: Venue) -> None:
    await venue.list_instrument("ACME", fee_bps=10)
    await venue.open_market()
    for number in range(5):
        await trade(venue, str(number))
        time.pass_by(MINUTES / 2)
        await trade(venue, f"late_{number}")
        time.pass_by(MINUTES / 2)
        check = await until_checked(venue, time.now)
        assert (list(check.broken), check.rules) == ([], len(doctor_recent.rules(doctor_recent.BEGINNING)))


async def test_what_is_new_is_looked_at_and_what_was_proved_is_not(time: Time, database: Database) -> None:
    rounds, _ = rounds_on(database)
    tampered = (
        "UPDATE trades SET buyer_fee_cents = buyer_fee_cents + 1 WHERE id = (SELECT {}(id) FROM trades)"
    )
    async with serving(database) as venue:
        await venue.list_instrument("ACME")
        await venue.open_market()
        await trade(venue, "old")
        for _ in range(3):
            time.pass_by()
            await until_checked(venue, time.now)
    run(database, tampered.format("min"))
    time.pass_by()
    await rounds.look()
    assert broken(database) == set()
    assert {proof.rule for proof in doctor.check() if not proof.holds} == {
        doctor.TRADE_POSTINGS.sentence,
        doctor.ORDER_TOTALS.sentence,
    }
    async with serving(database) as venue:
        await trade(venue, "new")
    run(database, tampered.format("max"))
    time.pass_by()
    await rounds.look()
    assert broken(database) == {doctor.TRADE_POSTINGS.sentence, doctor.ORDER_TOTALS.sentence}


async def test_what_belongs_together_carries_one_date_by_which_it_is_cut(venue: Venue) -> None:
    await venue.list_instrument("ACME", fee_bps=10)
    await venue.open_market()
    await trade(venue, "one")
    ada = await venue.player("ada")
    await venue.player("bob")
    await ada.wallet.Transfer(wallet_pb2.TransferRequest(to_player="bob", amount_cents=7))

    def dates() -> list[tuple[int, int]]:
        """Of trades and of transfers: postings, and those of another date."""
        return [
            venue.database.execute(
                f"SELECT count(*), count(*) FILTER (WHERE p.created_at <> t.{date}) FROM {table}s t "
                f"JOIN postings p ON p.reference = '{table}:' || t.id"
            ).fetchone()
            for table, date in (("trade", "executed_at"), ("transfer", "created_at"))
        ]

    assert await venue.database.run(dates) == [(4, 0), (1, 0)]


async def test_what_is_broken_stays_so_until_it_is_mended(time: Time, database: Database) -> None:
    rounds, _ = rounds_on(database)
    told = (
        "UPDATE postings SET credit_balance = credit_balance {} 7 WHERE id = (SELECT max(id) FROM postings)"
    )
    async with serving(database) as venue:
        await venue.player("ada")
        await venue.player("bob")
    for _ in range(3):
        time.pass_by()
        await rounds.look()
    async with serving(database) as venue:
        await venue.player("cyd")
    run(database, told.format("+"))
    for number in range(1, 5):
        time.pass_by()
        await rounds.look()
        assert broken(database) == {doctor.CHAIN.sentence, LATEST}
        assert len(events(database)) == 2 * number
    run(database, told.format("-"))
    time.pass_by()
    await rounds.look()
    assert broken(database) == set()


# --- whose turn, and when --------------------------------------------------------------------------------


async def test_the_first_check_comes_one_interval_after_the_start(time: Time, database: Database) -> None:
    rounds, _ = rounds_on(database)
    await rounds.look()
    time.pass_by(MINUTES - 0.01)
    await rounds.look()
    assert found(database) is None
    time.pass_by(0.01)
    await rounds.look()
    latest = found(database)
    assert latest is not None
    assert latest.at == time.now


async def test_of_two_servers_one_checks(time: Time, database: Database) -> None:
    run(database, GIVE)
    async with serving(database) as first, serving(database) as second:
        for _ in range(3):
            time.pass_by()
            assert await until_checked(first, time.now) == await until_checked(second, time.now)
    assert len(events(database)) == 3 * len({SUM, LATEST})


async def test_servers_that_look_at_once_check_once(time: Time, database: Database) -> None:
    run(database, GIVE)
    several = [rounds_on(database)[0] for _ in range(4)]
    for number in range(1, 6):
        time.pass_by()
        await asyncio.gather(*(rounds.look() for rounds in several))
        assert len(events(database)) == number * len({SUM, LATEST})


async def test_a_server_that_came_later_waits_for_the_end_of_the_interval(
    time: Time, database: Database
) -> None:
    first, _ = rounds_on(database)
    time.pass_by(MINUTES - 1)
    second, _ = rounds_on(database)
    time.pass_by(1)
    await first.look()
    checked = time.now
    time.pass_by(MINUTES - 1)
    await second.look()
    latest = found(database)
    assert latest is not None
    assert latest.at == checked
    time.pass_by(1)
    await second.look()
    latest = found(database)
    assert latest is not None
    assert latest.at == time.now


async def test_no_check_begins_while_another_server_is_still_checking(
    time: Time, postgres: Postgres, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    rounds, _ = rounds_on(database)
    with psycopg.connect(postgres.url_of(database)) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        time.pass_by()
        await rounds.look()
        assert found(database) is None
        assert "another server is still checking" in caplog.text
    time.pass_by()
    await rounds.look()
    assert found(database) is not None


async def test_the_interval_is_changed_while_the_server_runs(time: Time, venue: Venue) -> None:
    operator = await venue.operator()
    await operator.admin.UpdateSettings(pb.UpdateSettingsRequest(values={INTERVAL: "1"}))
    time.pass_by(1)
    await until_checked(venue, time.now)
    time.pass_by(1)
    await until_checked(venue, time.now)


async def test_no_check_is_made_while_they_are_off_and_the_next_comes_an_interval_after(
    time: Time, database: Database
) -> None:
    rounds, settings = rounds_on(database)

    def set_to(minutes: int) -> None:
        with database.transaction():
            store({INTERVAL: str(minutes)})
            settings.load()

    set_to(0)
    for _ in range(3):
        time.pass_by(1_440)
        await rounds.look()
    set_to(5)
    await rounds.look()
    time.pass_by(4.9)
    await rounds.look()
    assert found(database) is None
    time.pass_by(0.1)
    await rounds.look()
    assert found(database) is not None


async def test_a_clock_that_was_set_back_does_not_stop_the_checks(time: Time, database: Database) -> None:
    rounds, _ = rounds_on(database)
    time.pass_by()
    await rounds.look()
    time.pass_by(-600)
    await rounds.look()
    latest = found(database)
    assert latest is not None
    assert latest.at == time.now


# --- trouble ---------------------------------------------------------------------------------------------


async def test_a_database_that_goes_away_is_a_warning_and_the_next_interval_has_a_check(
    time: Time, database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds, _ = rounds_on(database)
    dies = Rule("the database goes on", "SELECT pg_terminate_backend(pg_backend_pid()), ''")
    with monkeypatch.context() as patched:
        patched.setattr(doctor_recent, "rules", lambda since: (dies,))
        time.pass_by()
        await rounds.look()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "the ledger was not checked" in caplog.text
    await rounds.look()
    assert found(database) is None
    time.pass_by()
    await rounds.look()
    assert found(database) is not None


async def test_a_check_that_fails_does_not_end_the_rounds(
    time: Time, database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds, _ = rounds_on(database)
    with monkeypatch.context() as patched:
        patched.setattr(doctor_recent, "rules", lambda since: (Rule("nonsense", "SELECT 1 / 0 = 1, ''"),))
        time.pass_by()
        await rounds.look()
    assert "the ledger could not be checked" in caplog.text
    time.pass_by()
    await rounds.look()
    assert found(database) is not None


async def sleeping(postgres: Postgres, database: Database) -> int:
    """Queries on the database that would take ten minutes."""

    def count() -> int:
        with psycopg.connect(postgres.url_of(database)) as other:
            row = other.execute(
                f"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND {SLEEPS}", []
            ).fetchone()
        assert row is not None
        return int(row[0])

    return await asyncio.to_thread(count)


@pytest.fixture
def forever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every check takes ten minutes."""
    rule = Rule("this ends", "SELECT pg_sleep(600) IS NULL, ''")
    monkeypatch.setattr(doctor_recent, "rules", lambda since: (rule,))
    monkeypatch.setattr(doctor, "RULES", (rule,))


@pytest.mark.usefixtures("forever")
async def test_stopping_the_server_ends_a_long_check_and_orders_go_on_beside_it(
    time: Time, postgres: Postgres, database: Database
) -> None:
    async with asyncio.timeout(30):
        async with serving(database) as venue:
            await venue.list_instrument("ACME")
            await venue.open_market()
            time.pass_by()

            async def checking() -> bool:
                return await sleeping(postgres, database) == 1

            await until(checking)
            await trade(venue, "beside")
        assert await sleeping(postgres, database) == 0


@pytest.mark.usefixtures("forever")
async def test_an_operator_who_goes_away_ends_the_check_that_was_asked_for(
    postgres: Postgres, database: Database
) -> None:
    async with serving(database) as venue:
        operator = await venue.operator()
        call = asyncio.ensure_future(operator.admin.CheckLedger(pb.CheckLedgerRequest()))

        async def checking() -> bool:
            return await sleeping(postgres, database) == 1

        async def over() -> bool:
            return await sleeping(postgres, database) == 0

        await until(checking)
        call.cancel()
        await until(over)


# --- the command line ------------------------------------------------------------------------------------


async def test_the_status_command_tells_what_the_latest_check_found(
    time: Time, venue: Venue, tmp_path: Path
) -> None:
    environment = {
        "PATH": "",
        "PYTHONPATH": ":".join(sys.path),
        "BEARPIT_HOME": str(tmp_path),
        "BEARPIT_SERVER": venue.address,
        "BEARPIT_PASSWORD": PASSWORD,
    }

    async def admin(*arguments: str) -> str:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "bearpit_admin", *arguments],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
        return done.stdout

    await admin("login", OPERATOR)
    assert "ledger\tnot checked yet" in await admin("status")
    time.pass_by(MINUTES)
    await until_checked(venue, time.now)
    said = await admin("status")
    assert f"ledger\t{len(doctor_recent.rules(doctor_recent.BEGINNING))} rules hold" in said
    assert f"ledger_checked_at\t{time.now:%Y-%m-%dT%H:%M:%S}" in said
    await venue.database.run(run, venue.database, GIVE)
    time.pass_by(1)
    operator = await venue.operator()
    await operator.admin.UpdateSettings(pb.UpdateSettingsRequest(values={INTERVAL: "1"}))
    await until_checked(venue, time.now)
    assert f"BROKEN: {SUM}: asset 0 is off by 7" in await admin("status")
    await venue.database.run(run, venue.database, TAKE)
