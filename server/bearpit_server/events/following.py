"""Following the log: listeners are told of what was committed, by whichever process, after it was.

They hang on the log and not on what writes to it: nothing waits for them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from bearpit_server.events import log
from bearpit_server.events.log import Logged, Position
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage.database import Database

logger = logging.getLogger(__name__)

Listener = Callable[[Sequence[Logged]], Awaitable[None]]

SECONDS = 1.0
"""How often the log is looked at."""
BATCH = 1_000


class Follower:
    """Tells each listener of the events of its types, in the log's order, each once, from the start on.

    A listener that fails is logged and costs the others nothing; it is not told again.
    """

    def __init__(self, database: Database, seconds: float = SECONDS) -> None:
        self._database = database
        self._seconds = seconds
        self._listeners: list[tuple[Listener, tuple[str, ...]]] = []
        self._position = Position()

    def listen(self, listener: Listener, *prefixes: str) -> None:
        """Tell a listener of events whose type begins with one of these."""
        self._listeners.append((listener, prefixes))

    async def start(self) -> None:
        """Begin where the log ends now."""
        self._position = await self._database.run(log.end)

    async def run(self) -> None:
        """Follow, until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.follow()
            except Refused as refused:
                logger.warning("the event log waits to be read: %s", refused)

    async def follow(self) -> None:
        """Tell of all there is. Raises Refused DATABASE_UNAVAILABLE; nothing is lost by it."""
        wanted = sorted({prefix for _, prefixes in self._listeners for prefix in prefixes})
        found = BATCH
        while found == BATCH:
            events, self._position = await self._database.run(log.read, self._position, BATCH, *wanted)
            found = len(events)
            for listener, prefixes in self._listeners:
                mine = [event for event in events if event.type.startswith(prefixes)]
                if mine:
                    await self._tell(listener, mine)

    async def _tell(self, listener: Listener, events: Sequence[Logged]) -> None:
        try:
            await listener(events)
        except Exception:
            logger.exception("a listener to %s events failed", len(events))
