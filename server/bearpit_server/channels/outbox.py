"""The outbox: takes in notifications, and delivers what is due, beside everything else.

Nothing waits for it; it is all in rows, so whichever process looks next goes on. A delivery arrives at least
once: who dies between sending and writing that down leaves it to be sent again, with the same id.

Channels are served side by side, each one letter at a time. Half of the places are kept for channels that
answered last time: however many hang, the others do not wait for them.
"""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from datetime import timedelta

from bearpit_server.channels import base, deliveries
from bearpit_server.channels.base import Channel, Failure, Letter, Target
from bearpit_server.channels.deliveries import Patience
from bearpit_server.rules.channels import JITTER_PARTS, Kind
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage import clock, outbox
from bearpit_server.storage.database import Database
from bearpit_server.storage.outbox import Claimed
from bearpit_server.storage.settings import Settings

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
TOGETHER_SECONDS = 0.02
"""How long what ends is waited for together, for the database's sake."""
SWEEP_SECONDS = 3_600.0
GRACE = timedelta(seconds=25)
"""What a lease is longer than the time that a delivery may take."""


class Outbox:
    """This server's part in delivering."""

    def __init__(self, database: Database, settings: Settings, channels: Mapping[Kind, Channel]) -> None:
        self._database = database
        self._settings = settings
        self._channels = channels
        self._woken = asyncio.Event()
        self._busy = {False: 0, True: 0}
        """Deliveries under way, to channels that are failing and to those that are not."""

    async def run(self) -> None:
        """Look twice a second, and whenever a delivery has ended, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._woken.clear()
                try:
                    for claimed in await self._begin():
                        tasks.create_task(self._carry_out(claimed))
                except Refused as refused:
                    logger.warning("deliveries wait: %s", refused)
                except Exception:
                    logger.exception("deliveries wait")
                await self._rest()

    async def look(self) -> int:
        """Take in and deliver what is due now, one letter a channel; how many it were. Raises Refused."""
        begun = await self._begin()
        await asyncio.gather(*map(self._carry_out, begun))
        return len(begun)

    def channel(self, kind: Kind) -> Channel:
        """The channel of that kind."""
        return self._channels[kind]

    async def send(self, kind: Kind, letter: Letter, target: Target) -> None:
        """Deliver something now. Raises Failure."""
        await base.deliver(
            self._channels[kind], letter, target, self._settings.number("channel_timeout_ms") / 1_000
        )

    async def sweep(self) -> None:
        """Forget what arrived long ago."""
        await self._database.run(deliveries.sweep, self._settings.number("channel_keep_days"))

    async def close(self) -> None:
        """End all connections."""
        for channel in self._channels.values():
            await channel.close()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._woken.wait()
                await asyncio.sleep(TOGETHER_SECONDS)
        except TimeoutError:
            return

    async def _begin(self) -> list[Claimed]:
        while await self._database.run(outbox.fill, clock.now()) == outbox.TARGETS:
            continue
        begun = await self._claim(failing=False)
        return begun + await self._claim(failing=True)

    async def _claim(self, failing: bool) -> list[Claimed]:
        places = self._settings.number("channel_concurrency")
        free = places - sum(self._busy.values())
        if failing:
            free = min(free, places // 2 - self._busy[True])
        if free <= 0:
            return []
        at = clock.now()
        until = at + timedelta(milliseconds=self._settings.number("channel_timeout_ms")) + GRACE
        begun = await self._database.run(outbox.claim, at, until, free, failing)
        self._busy[failing] += len(begun)
        return begun

    async def _carry_out(self, claimed: Claimed) -> None:
        try:
            failure = await self._attempt(claimed)
            if failure is None:
                await self._database.run(deliveries.arrived, claimed)
            else:
                await self._database.run(
                    deliveries.failed, claimed, failure, self._patience(), secrets.randbelow(JITTER_PARTS)
                )
        except Refused as refused:
            logger.warning("delivery %s is made again: %s", claimed.delivery_id, refused)
        except Exception:
            logger.exception("delivery %s is made again", claimed.delivery_id)
        finally:
            self._busy[claimed.failing] -= 1
            self._woken.set()

    async def _attempt(self, claimed: Claimed) -> Failure | None:
        try:
            letter, target = deliveries.letter_of(claimed), Target(claimed.address, claimed.secret)
            await self.send(Kind(claimed.kind), letter, target)
        except Failure as failure:
            return failure
        except Exception as error:
            # Its text may hold an address or a token.
            logger.error(
                "delivery %s failed by a fault of ours: %s", claimed.delivery_id, type(error).__name__
            )
            return Failure("a fault of ours")
        return None

    def _patience(self) -> Patience:
        return Patience(
            self._settings.number("channel_attempts"),
            self._settings.number("channel_pause_seconds"),
            self._settings.number("channel_give_ups"),
        )
