"""A trading floor: a server that the tests of a module share, or one that a test drives step by step."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any, TypeVar

import grpc
import pytest
from bearpit.client import BearpitError
from bearpit_server.storage import clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.settings import store

from tests.postgres import Postgres
from tests.venue import NO_LIMITS, ON_DEMAND, Venue, prepare, serving

T = TypeVar("T")

SHARED = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def open_floor(postgres: Postgres) -> AsyncIterator[Venue]:
    """The server in this process, on a database of its own; the market is open."""
    with postgres.database() as database:
        prepare(database, **ON_DEMAND)
        async with serving(database) as made:
            await made.open_market()
            yield made
        made.prove()


async def reset(floor: Venue) -> None:
    """The market open by hand and no limits, whatever the last test did."""
    clock.use(None)
    floor.forget_operator()
    with floor.database.transaction():
        store({**NO_LIMITS, **dict.fromkeys(_LIMITS, "0"), "transfer_fee_bps": "0", "protection_bps": "1000"})
    await floor.halt("", halted=False)
    await floor.schedule()
    await floor.open_market()


_LIMITS = ("max_order_value_cents", "max_day_orders", "max_day_value_cents")


class Steps:
    """A floor for tests that are not coroutines: Hypothesis drives them step by step."""

    def __init__(self, postgres: Postgres) -> None:
        self._runner = asyncio.Runner()
        self._postgres = postgres
        self._stack = AsyncExitStack()
        self.floor: Venue

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to its end; nothing may hang."""

        async def bounded() -> T:
            async with asyncio.timeout(30):
                return await work

        return self._runner.run(bounded())

    @contextmanager
    def opened(self) -> Iterator["Steps"]:
        """With a database of its own, and the market open."""
        with self._postgres.database() as database:
            prepare(database, **ON_DEMAND)
            try:
                self.start(database)
                yield self
            finally:
                self.stop()
                self._runner.close()
            self.floor.prove()

    def start(self, database: Database) -> None:
        """Start the server."""
        self._stack = AsyncExitStack()
        self.floor = self.run(self._stack.enter_async_context(serving(database)))
        self.run(self.floor.open_market())

    def stop(self) -> None:
        """Stop it in good order."""
        self.run(self._stack.aclose())

    def restart(self) -> None:
        """Stop, and start on the same database."""
        self.stop()
        self._stack = AsyncExitStack()
        self.floor = self.run(self._stack.enter_async_context(serving(self.floor.database)))


def at(text: str) -> None:
    """Set the server's clock."""
    moment = datetime.fromisoformat(text)
    clock.use(lambda: moment)


def code_of(error: BaseException) -> grpc.StatusCode:
    """The canonical code of a failed call."""
    assert isinstance(error, BearpitError | grpc.aio.AioRpcError), repr(error)
    return error.code if isinstance(error, BearpitError) else error.code()
