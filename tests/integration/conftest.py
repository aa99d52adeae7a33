"""What every integration test may ask for: a floor that a module shares, a duel table, a door, a stage."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from bearpit_server.storage import clock
from bearpit_server.storage.database import Database

from tests.integration.door import Door, Time
from tests.integration.duel_table import Table, laid
from tests.integration.floor import Steps, open_floor, reset
from tests.integration.stage import Stage, staged
from tests.postgres import Postgres
from tests.venue import Venue


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="shared_floor")
async def make_shared_floor(postgres: Postgres) -> AsyncIterator[Venue]:
    """One server for a module, whose tests are marked with `SHARED`."""
    async with open_floor(postgres) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module", name="floor")
async def make_floor(shared_floor: Venue) -> AsyncIterator[Venue]:
    """The module's server; the ledger is proved after each test."""
    yield shared_floor
    shared_floor.prove()


@pytest_asyncio.fixture(loop_scope="module", name="ordinary")
async def make_ordinary(shared_floor: Venue) -> AsyncIterator[None]:
    """For tests that set the clock, the hours or the game's settings: all as it was before."""
    yield
    await reset(shared_floor)


@pytest.fixture(scope="module", name="steps")
def make_steps(postgres: Postgres) -> Iterator[Steps]:
    """A floor for a module's tests that are not coroutines; the ledger is proved at the end."""
    with Steps(postgres).opened() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module", name="table")
async def make_table(floor: Venue, tmp_path: Path) -> AsyncIterator[Table]:
    """A table for two who duel; the ledger is proved after each test."""
    async with laid(floor, tmp_path) as made:
        yield made


@pytest.fixture(name="door")
async def make_door(database: Database) -> AsyncIterator[Door]:
    """A server of its own for each test, on an empty database."""
    time = Time()
    clock.use(time.now)
    opened = Door(database, time)
    await opened.open()
    yield opened
    await opened.close()
    clock.use(None)


@pytest.fixture(name="stage")
async def make_stage(database: Database) -> AsyncIterator[Stage]:
    """A stage with an empty database."""
    async with staged(database) as made:
        yield made
