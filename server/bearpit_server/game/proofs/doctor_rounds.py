"""The doctor's rounds: the ledger is proved every few minutes while a server runs.

Of several servers on one database the one that comes first has the turn of an interval. What is found
is kept in the database, so that every server's operators see it.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from bearpit_server.events import log
from bearpit_server.events.log import HOUSE_ORIGIN, Event
from bearpit_server.game.proofs import doctor, doctor_recent
from bearpit_server.game.proofs.doctor import Proof
from bearpit_server.game.proofs.doctor_recent import BEGINNING, Mark
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage import bulk, clock
from bearpit_server.storage.aside import aside
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Setting
from bearpit_server.storage.settings import Settings

logger = logging.getLogger(__name__)
T = TypeVar("T")

INTERVAL = "ledger_check_minutes"
BROKEN = "doctor.broken"
LOOK_SECONDS = 1.0
LOCK = 7_117_001
# Kept beside the settings, as the tokens' secret is: `rules.settings` does not list them.
_TURN, _FOUND = "doctor_turn", "doctor_found"


async def examine(database: Database, work: Callable[[], T]) -> T:
    """Run long, blocking `work` in a transaction on a thread and a connection of its own.

    Who asks for something short never waits behind it. Cancelling this ends the query as well. Raises
    what `work` raises, and Refused DATABASE_UNAVAILABLE.
    """

    def in_transaction() -> T:
        with database.transaction():
            return work()

    return await aside(database, in_transaction)


@dataclass(frozen=True, slots=True)
class Found:
    """What the latest check found. `broken` has the proofs that failed, of so many `rules`."""

    at: datetime
    rules: int
    broken: list[Proof]
    marks: list[Mark]
    """Of the last two checks in which all held: the next begins at the older one."""

    def as_text(self) -> str:
        """As it is kept."""
        return json.dumps(asdict(self), default=datetime.isoformat)

    @classmethod
    def parse(cls, text: str) -> "Found":
        """What `as_text` wrote."""
        told = json.loads(text)
        return cls(
            datetime.fromisoformat(told["at"]),
            told["rules"],
            [Proof(**proof) for proof in told["broken"]],
            [Mark(**{**mark, "at": datetime.fromisoformat(mark["at"])}) for mark in told["marks"]],
        )


def latest() -> Found | None:
    """What the latest check found, on whichever server; inside a transaction."""
    row = Setting.get_or_none(Setting.key == _FOUND)
    return Found.parse(row.value) if row else None


class Rounds:
    """When it is time, this server's part in the checks."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._last = clock.now()

    async def run(self) -> None:
        """Check when it is time, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Check, if the interval is over and no other server has had the turn."""
        now, interval = clock.now(), timedelta(minutes=self._settings.number(INTERVAL))
        if not interval:
            self._last = now  # when they are switched on again, the first comes an interval later
        elif not _within(now, self._last, interval):
            self._last = now
            try:
                await self._turn(now, interval)
            except Refused as refused:
                logger.warning("the ledger was not checked, which is tried again later: %s", refused)
            except Exception:
                logger.exception("the ledger could not be checked, which is tried again later")

    async def _turn(self, now: datetime, interval: timedelta) -> None:
        had = await self._database.run(_claim, now, interval)
        if had is not None:
            self._last = had
            return
        found = await examine(self._database, _check)
        if found is None:
            logger.warning("another server is still checking the ledger; this interval has no check")
            return
        await self._database.run(_tell, found)
        for proof in found.broken:
            logger.critical("the ledger is broken: %s: %s", proof.rule, "; ".join(proof.violations))


def _within(now: datetime, before: datetime, interval: timedelta) -> bool:
    """Whether an interval is not over; a clock that was set back far does not stop the checks."""
    return abs(now - before) < interval


def _claim(now: datetime, interval: timedelta) -> datetime | None:
    """Take the turn, which locks one row: two servers never both do. Else, when another had it."""
    never = datetime.fromtimestamp(0, UTC).isoformat()
    Setting.insert(key=_TURN, value=never).on_conflict_ignore().execute()
    row = Setting.select().where(Setting.key == _TURN).for_update().get()
    had = datetime.fromisoformat(row.value)
    if _within(now, had, interval):
        return had
    Setting.update(value=now.isoformat()).where(Setting.key == _TURN).execute()
    return None


def _check() -> Found | None:
    """Check what is new; None while another server's check, longer than an interval, goes on."""
    with doctor.snapshot():
        # Beside the game, on one of the database's cores and no more.
        bulk.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        if not bulk.execute("SELECT pg_try_advisory_xact_lock(%s)", LOCK).fetchone()[0]:
            return None
        before = latest()
        marks = before.marks if before else []
        new = doctor_recent.mark()
        proofs = doctor_recent.check(marks[0] if len(marks) == 2 else BEGINNING)
    broken = [proof for proof in proofs if not proof.holds]
    # While something is broken the next check looks there again, until it is mended.
    return Found(new.at, len(proofs), broken, marks if broken else [*marks[-1:], new])


def _tell(found: Found) -> None:
    """Keep what was found, and write an event for each broken rule."""
    told = [{"rule": proof.rule, "violations": proof.violations} for proof in found.broken]
    log.append(Event(BROKEN, "ledger", HOUSE_ORIGIN, payload) for payload in told)
    text = found.as_text()
    Setting.insert(key=_FOUND, value=text).on_conflict(
        conflict_target=[Setting.key], update={Setting.value: text}
    ).execute()
