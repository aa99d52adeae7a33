"""What has to be done again and again: what falls due, what is charged by the hour, what is counted anew."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bearpit_server.rules.refusals import Refused

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chore:
    """Some work, and how many seconds are between its end and the next time.

    Every server process does it: two at once, and one that dies half way, must do no harm.
    """

    name: str
    seconds: float
    work: Callable[[], Awaitable[None]]

    async def run(self) -> None:
        """Do it, until cancelled. What fails is logged, and tried again the next time."""
        while True:
            await asyncio.sleep(self.seconds)
            try:
                await self.work()
            except Refused as refused:
                logger.warning("%s waits: %s", self.name, refused)
            except Exception:
                logger.exception("%s failed, and is tried again", self.name)


async def run_all(chores: Sequence[Chore]) -> None:
    """Do all of them beside each other, until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for chore in chores:
            tasks.create_task(chore.run())
