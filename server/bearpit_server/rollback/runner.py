"""Carries rollbacks out that are larger than one transaction; after a crash it goes on with them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

from bearpit_server.events.bus import Bus
from bearpit_server.events.log import Origin
from bearpit_server.events.records import Record, WalletChange, WindowChange
from bearpit_server.rollback import records, survey, work
from bearpit_server.rollback.records import POLICIES, State
from bearpit_server.rollback.scope import Level, Scope
from bearpit_server.rollback.survey import Key
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.rollbacks import CASH, Policy
from bearpit_server.storage import reversals
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Rollback

logger = logging.getLogger(__name__)

T = TypeVar("T")

LOOK_SECONDS = 1.0


class Alone(Protocol):
    """Runs long, blocking work in a transaction on a thread and a connection of its own."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


CancelAll = Callable[[int, int | None, Origin], Awaitable[int]]
"""Cancels a player's open orders, of an instrument or of all, and says how many these were."""


class Runner:
    """This process's part in rollbacks."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        alone: Alone,
        cancel_all: CancelAll,
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        """`changed` lets the exchange and the screens follow when windows or prices have changed."""
        self._database = database
        self._bus = bus
        self.alone = alone
        """For what takes long."""
        self._cancel_all = cancel_all
        self.changed = changed
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """There may be something to do."""
        self._awake.set()

    async def run(self) -> None:
        """Do what there is to do, until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._awake.wait(), LOOK_SECONDS)
            self._awake.clear()
            await self.look()

    async def look(self) -> None:
        """Carry out what is approved, whoever began it, and end what nobody has approved."""
        try:
            for rollback_id in await self._database.run(_running):
                await self._carry_out(rollback_id)
        except Refused as refused:
            logger.warning("rollbacks wait: %s", refused)
        except Exception:
            logger.exception("a rollback stands still, which is tried again")

    async def clear_way(self, asked: Scope, policy: Policy, by: Origin) -> int:
        """Cancel the orders that hold what must be given back; how many that were."""
        if asked.level is Level.PRICES:
            return 0
        way = await self.alone(lambda: _in_the_way(asked, policy))
        cancelled = 0
        for owner, asset in way:
            cancelled += await self._cancel_all(owner, None if asset == CASH else asset, by)
        return cancelled

    async def _carry_out(self, rollback_id: int) -> None:
        row = await self._database.run(records.get, rollback_id)
        cancelled = 0
        if row.effects is None:
            cancelled = await self.clear_way(Scope.of(row), POLICIES[row.policy], records.actor_of(row))
        while True:
            try:
                over, told = await self.alone(lambda: work.step(rollback_id, cancelled))
            except Refused as refused:
                if row.effects is not None or not work.is_final(refused):
                    raise
                await self._database.run(_fail, rollback_id, refused.message)
                logger.warning("rollback %s failed: %s", rollback_id, refused)
                return
            self._publish(told)
            if over or (row.effects is None and row.level == Level.WINDOW):
                await self.changed()
            if over:
                return
            row.effects = row.effects or {}

    def _publish(self, told: Sequence[Record]) -> None:
        watched = self._bus.watched
        wanted = [one for one in told if not isinstance(one, WalletChange) or one.player_id in watched]
        self._bus.publish([*wanted, WindowChange()])


def _running() -> list[int]:
    records.expire()
    rows = Rollback.select(Rollback.id).where(Rollback.state == int(State.RUNNING)).order_by(Rollback.id)
    return [id_ for (id_,) in rows.tuples()]


def _in_the_way(asked: Scope, policy: Policy) -> list[Key]:
    reversals.patient()
    return survey.look(asked, policy).in_the_way


def _fail(rollback_id: int, why: str) -> None:
    row = records.get(rollback_id, lock=True)
    if row.state == State.RUNNING and row.effects is None:
        records.fail(row, why)
