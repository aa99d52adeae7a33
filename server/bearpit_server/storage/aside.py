"""Long, blocking work beside the game: on a thread and a connection of its own."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import psycopg

from bearpit_server.storage.database import Database

T = TypeVar("T")

CANCEL_SECONDS = 0.1


async def aside(database: Database, work: Callable[[], T]) -> T:
    """Run `work`, which begins its own transactions. Raises what it raises.

    Who asks for something short never waits behind it. Cancelling this ends the query it is at as well.
    """
    connections: list[psycopg.Connection[Any]] = []
    ended = threading.Event()

    def on_thread() -> T:
        try:
            with database.transaction():  # connects, or says that it cannot be
                connections.append(database.peewee.connection())
            return work()
        finally:
            ended.set()
            database.disconnect()

    def end() -> None:
        # Between two queries there is nothing to cancel: again, until one is hit.
        while not ended.wait(CANCEL_SECONDS):
            for connection in connections:
                with suppress(psycopg.Error):
                    connection.cancel_safe(timeout=5)

    loop = asyncio.get_running_loop()
    running = loop.run_in_executor(None, on_thread)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.shield(loop.run_in_executor(None, end))
        raise
