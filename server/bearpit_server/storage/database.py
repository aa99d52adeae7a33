"""How threads talk to PostgreSQL: a connection a thread, transactions, migrations, errors told apart."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import peewee as pw
import psycopg
from playhouse.migrations import Runner
from psycopg.types.numeric import Int8Dumper

from bearpit_server.rules.refusals import Refused
from bearpit_server.storage.models import database

P = ParamSpec("P")
T = TypeVar("T")

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 7_117_000
OLDEST_VERSION = 150_000
THREADS = 4
_BY_INDEX = """
SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off;
SET enable_mergejoin = off
"""
AWAY = (pw.OperationalError, pw.InterfaceError)


class DatabaseUnusable(Exception):
    """The database cannot be used at all; the message tells an operator why and what to do."""


class _Postgres(pw.PostgresqlDatabase):
    """peewee's PostgreSQL, with every int sent as int8: one prepared statement a query, not many."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._opened: set[Any] = set()
        self.thread = threading.local()
        """`prefers_indexes` for threads that have asked for it."""

    def close_others(self) -> None:
        """Close the connections of threads that have ended without closing theirs."""
        for connection in [*self._opened]:
            connection.close()

    def _close(self, connection: Any) -> None:
        super()._close(connection)
        self._opened.discard(connection)

    def _connect(self) -> Any:
        connection = super()._connect()
        self._opened.add(connection)
        connection.adapters.register_dumper(int, Int8Dumper)
        if getattr(self.thread, "prefers_indexes", False):
            connection.execute(_BY_INDEX)
            connection.commit()
        return connection


class Database:
    """One PostgreSQL. Blocking calls belong on `run`'s threads or on threads of one's own."""

    def __init__(self, url: str, lock_timeout_ms: int = 10_000, statement_timeout_ms: int = 120_000) -> None:
        options = (
            # A process that stops half way must not hold its locks: others take its shards over.
            f"-c idle_in_transaction_session_timeout=3000 -c lock_timeout={lock_timeout_ms} "
            f"-c statement_timeout={statement_timeout_ms} -c timezone=UTC -c jit=off"
        )
        self.peewee = _Postgres(
            url, prefer_psycopg3=True, options=options, connect_timeout=5, application_name="bearpit"
        )
        database.initialize(self.peewee)
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="database")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction on this thread's connection; nested ones are savepoints.

        Raises Refused UNAVAILABLE when the database is away; the next transaction connects anew.
        """
        outermost = not self.peewee.in_transaction()
        try:
            with self._begin(outermost):
                yield
        except AWAY as error:
            if outermost:
                self.disconnect()
            if isinstance(error.__cause__ or getattr(error, "orig", None), psycopg.errors.QueryCanceled):
                raise
            raise Refused(
                "DATABASE_UNAVAILABLE", "the database cannot be reached; try again in a moment"
            ) from error

    @contextmanager
    def _begin(self, outermost: bool) -> Iterator[None]:
        """Begin, on a new connection if the old one has gone away since: nothing has been done on it yet."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self.peewee.atomic())
            except AWAY:
                if not outermost:
                    raise
                self.disconnect()
                stack.enter_context(self.peewee.atomic())
            yield

    def prefer_indexes(self) -> None:
        """Let this thread's connections plan each statement once, and always for the indexes.

        For the few statements on the way of an order, which touch some rows by their keys: left alone,
        PostgreSQL plans them anew each time, which takes as long as carrying them out.
        """
        self.peewee.thread.prefers_indexes = True
        self.disconnect()

    def plan_anew(self) -> None:
        """Forget this thread's plans; those made while a table was small may not suit it now."""
        self.execute("DISCARD PLANS")

    def disconnect(self) -> None:
        """Close this thread's connection; the next query opens a new one."""
        if not self.peewee.is_closed():
            self.peewee.close()

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking `work` in a transaction on one of a few threads."""

        def in_transaction() -> T:
            with self.transaction():
                return work(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._executor, in_transaction)

    def execute(self, sql: str, *params: object) -> Any:
        """A statement by hand, on this thread's connection; for storage.bulk and its like."""
        return self.peewee.execute_sql(sql, params)

    def close(self) -> None:
        """End the threads, and every connection that is still open."""
        self._executor.shutdown()
        self.disconnect()
        self.peewee.close_others()

    def migrate(self) -> list[str]:
        """Bring the schema up to date, one process at a time, and return what was done.

        Raises DatabaseUnusable when it can't be reached, is too old, or is of a newer Bearpit.
        """
        try:
            self.peewee.connect(reuse_if_open=True)
        except AWAY as error:
            raise DatabaseUnusable(
                f"the database cannot be reached ({str(error).strip()}). Is BEARPIT_DATABASE_URL right, "
                "and is PostgreSQL running there?"
            ) from error
        version = self.peewee.connection().info.server_version
        if version < OLDEST_VERSION:
            raise DatabaseUnusable(
                f"the database is PostgreSQL {version // 10_000}; Bearpit needs 15 or newer. "
                "Unset BEARPIT_DATABASE_URL to use the embedded one."
            )
        self.execute("SELECT pg_advisory_lock(%s)", MIGRATION_LOCK)
        try:
            runner = Runner(self.peewee, directory=str(MIGRATIONS), table_name="schema_migrations")
            unknown = sorted(set(runner.applied()) - {step.name for step in runner.migrations()})
            if unknown:
                raise DatabaseUnusable(
                    f"the database was made by a newer Bearpit (it has {', '.join(unknown)}). "
                    "Update this one: pip install -U bearpit."
                )
            return list(runner.up())
        finally:
            self.execute("SELECT pg_advisory_unlock(%s)", MIGRATION_LOCK)

    def server_version(self) -> str:
        """PostgreSQL's own version, such as "18.1"."""
        (version,) = self.execute("SHOW server_version").fetchone()
        return str(version)
