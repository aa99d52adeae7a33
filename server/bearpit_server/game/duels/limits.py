"""The limits of duels are kept: what is due is settled, by whichever server looks first.

All that is due stands in rows, so that a restart loses nothing. After all servers, or the database, have
been away, who is to move has the whole time again: nobody loses because nobody could have moved.
"""

import logging
from datetime import timedelta
from time import monotonic

from bearpit_server.events.bus import Bus
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.events.records import DuelChange, Record
from bearpit_server.game.duels.endings import settle, verdict_at_limit
from bearpit_server.rules.duel import DuelState
from bearpit_server.storage import bulk
from bearpit_server.storage.clock import now
from bearpit_server.storage.database import Database
from bearpit_server.storage.models.duels import Duel, DuelWatch

logger = logging.getLogger(__name__)

SECONDS = 1.0
"""How often what is due is looked for."""
AWAY_SECONDS = 5.0
"""Longer than this nobody looked: then nobody was there."""
BATCH = 200
PLAYING = (DuelState.COMMITTING, DuelState.REVEALING, DuelState.CHOOSING)


class Limits:
    """Keeps the limits in one server process."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._last: float | None = None

    async def keep(self) -> None:
        """Settle all that is due. Raises Refused DATABASE_UNAVAILABLE; what is due stays so."""
        absent = None if self._last is None else monotonic() - self._last
        if await self._database.run(look, absent):
            self._bus.publish([DuelChange()])
        for duel_id in await self._database.run(due):
            await self._settle(duel_id)
        self._last = monotonic()

    async def _settle(self, duel_id: int) -> None:
        try:
            self._bus.publish(await self._database.run(settle_due, duel_id))
        except AssertionError:
            # One duel that does not add up keeps nobody else's stakes; the doctor names it too.
            logger.exception("duel %s cannot be settled", duel_id)


def look(absent_seconds: float | None) -> int:
    """Note that somebody looks; returns how many duels have a new limit, because nobody did for long.

    `absent_seconds`: since this process looked last; None: it has just begun. A clock that jumps is no
    absence.
    """
    if not Duel.select().where(Duel.state << PLAYING).exists():
        return 0
    watch = DuelWatch.select().where(DuelWatch.id == 1).for_update().get()
    at, seen_at = now(), watch.seen_at
    DuelWatch.update(seen_at=at).where(DuelWatch.id == 1).execute()
    was_away = absent_seconds is None or absent_seconds > AWAY_SECONDS
    if not was_away or seen_at is None or at - seen_at <= timedelta(seconds=AWAY_SECONDS):
        return 0
    renewed = bulk.execute(
        "UPDATE duels SET due_at = %s + make_interval(secs => move_seconds) WHERE state = ANY(%s::int8[])",
        at,
        bulk.ints(map(int, PLAYING)),
    ).rowcount
    logger.warning("nobody kept the limits of duels since %s: %s have theirs anew", seen_at, renewed)
    return int(renewed)


def due() -> list[int]:
    """The duels whose time is up, those first that have waited longest."""
    waiting = (
        Duel.select(Duel.id)
        .where(Duel.state != DuelState.SETTLED, Duel.due_at <= now())
        .order_by(Duel.due_at, Duel.id)
        .limit(BATCH)
    )
    return [duel_id for (duel_id,) in waiting.tuples()]


def settle_due(duel_id: int) -> list[Record]:
    """Settle a duel whose time is up, unless somebody else is at it or has been."""
    duel: Duel | None = (
        Duel.select()
        .where(Duel.id == duel_id, Duel.state != DuelState.SETTLED, Duel.due_at <= now())
        .for_update("FOR UPDATE SKIP LOCKED")
        .first()
    )
    return [] if duel is None else settle(duel, verdict_at_limit(duel), HOUSE_ORIGIN).records
