"""The real PostgreSQL, as tests use it: one server, and for each test a database of its own."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from bearpit_server.storage import models
from bearpit_server.storage.database import THREADS, Database
from bearpit_server.storage.embedded import EmbeddedPostgres

_numbers = count(1)

HASTY = ("fsync = off", "full_page_writes = off", "autovacuum = off")
"""For a thousand small databases that nobody wants back, each of which would be vacuumed in turn."""


class Postgres:
    """A PostgreSQL with a migrated template, from which each test has a database of its own."""

    def __init__(self, folder: Path, settings: Iterable[str] = ()) -> None:
        self._server = EmbeddedPostgres(folder)
        database = Database(self._server.url)
        for setting in settings:
            database.execute(f"ALTER SYSTEM SET {setting}")
        database.execute("SELECT pg_reload_conf()")
        database.execute("CREATE DATABASE template")
        database.close()
        template = Database(self._url("template"))
        template.migrate()
        template.close()

    def url_of(self, database: Database) -> str:
        """Where a database is, for another process."""
        return self._url(database.execute("SELECT current_database()").fetchone()[0])

    def _url(self, name: str) -> str:
        before, _, after = self._server.url.partition("/postgres?")
        return f"{before}/{name}?{after}"

    @contextmanager
    def database(self) -> Iterator[Database]:
        """A migrated, empty database."""
        name = f"test_{next(_numbers)}"
        outer = models.database.obj
        maker = Database(self._server.url)
        maker.execute(f"CREATE DATABASE {name} TEMPLATE template")
        maker.close()
        database = Database(self._url(name))
        try:
            yield database
        finally:
            close(database)
            models.database.initialize(outer)  # the models speak to one database at a time

    def stop(self) -> None:
        """Stop it."""
        self._server.stop()


def close(database: Database) -> None:
    """Close a database, the connections of its threads too."""
    barrier = threading.Barrier(THREADS)

    def disconnect() -> None:
        barrier.wait()  # so that each thread takes one
        database.disconnect()

    for done in [database._executor.submit(disconnect) for _ in range(THREADS)]:
        done.result()
    database.close()
