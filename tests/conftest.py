"""What every test may ask for: one PostgreSQL a session, a database and a real server a test."""

import functools
from collections.abc import AsyncIterator, Iterator

import pytest
import typer.main
import typer.testing
from bearpit.client import Client
from bearpit_server.storage.database import Database

from tests.postgres import HASTY, Postgres
from tests.venue import Venue
from tests.venue import venue as open_venue

# It is always the same; making it from 170 functions takes longer than most commands.
typer.testing._get_command = functools.cache(typer.main.get_command)  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL with a migrated template."""
    server = Postgres(tmp_path_factory.mktemp("postgres") / "data", HASTY)
    yield server
    server.stop()


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    """A migrated, empty database."""
    with postgres.database() as made:
        yield made


@pytest.fixture
async def venue(postgres: Postgres) -> AsyncIterator[Venue]:
    """The real server, with an operator and nothing else; the ledger is proved at the end."""
    async with open_venue(postgres) as made:
        yield made


@pytest.fixture
async def operator(venue: Venue) -> Client:
    """The operator of that server, signed in."""
    return await venue.operator()
