"""Trying codes: wrong ones are counted and logged, and after too many the next is refused unseen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from bearpit_server.events.log import Origin
from bearpit_server.game.codes import guesses
from bearpit_server.identity.rates import Guesses
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage.database import Database

GUESSES_SECONDS = 20.0
"""How often it is looked whether wrong codes are to be logged."""


class Guessing:
    """What every RPC that takes a code goes through, when its text may be one."""

    def __init__(self, database: Database, limits: Guesses) -> None:
        self._database = database
        self._limits = limits
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def one(self, by: Origin) -> AsyncIterator[None]:
        """Try a code in the block. Raises Refused RATE_LIMITED before it; what the block raises goes on.

        A player's tries come one after the other: of a thousand at once, all but the first few are refused.
        """
        turn = self._turns.setdefault(by.actor_id, asyncio.Lock()) if by.actor_id else asyncio.Lock()
        async with turn:
            self._limits.check(by.actor_id, by.address)
            try:
                yield
            except Refused as refusal:
                if refusal.reason == "CODE_UNKNOWN":
                    self._limits.count(by.actor_id, by.address)
                    await self._database.run(guesses.note, by)
                raise

    async def log(self) -> None:
        """Log the wrong codes that were counted a while ago; for the server's chores."""
        await self._database.run(guesses.flush)
