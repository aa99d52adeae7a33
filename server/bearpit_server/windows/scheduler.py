"""The clock's hand on windows: it moves what is due, and settles what is to be settled.

Every server has one. Of all of them one at a time carries out a transition, and one settles; when it is
gone, the next look of another goes on. All there is to know is in the database.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bearpit_server.events.log import HOUSE_ORIGIN, Logged
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.windows import WindowState, next_due
from bearpit_server.storage import bulk, clock
from bearpit_server.storage.aside import aside
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Window
from bearpit_server.windows import lifecycle, settlement

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
LEAST_SECONDS = 0.01
BREATH_SECONDS = 0.2
"""How long a settlement rests after each full batch."""
_TURN, _SETTLING = 7_117_003, 7_117_004


@dataclass(frozen=True, slots=True)
class Look:
    """What a look came to."""

    moved: bool
    """Whether a window is in another state; then there may be more that is due."""
    next_at: datetime | None = None
    """When the next transition is due; None: none is, or another server has the turn."""


class Scheduler:
    """This server's part in what windows do by themselves."""

    FOLLOWED = ("window.",)

    def __init__(
        self,
        database: Database,
        changed: Callable[[], Awaitable[None]],
        progressed: Callable[[], None] = lambda: None,
    ) -> None:
        """`changed` is awaited after each transition; `progressed` hears, on any thread, of prices found."""
        self._database = database
        self._changed = changed
        self._progressed = progressed
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Look when something is due, and a few times a second at least, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_times())
            tasks.create_task(self._keep_settling())

    def wake(self) -> None:
        """Look at once: somebody has moved a window."""
        self._woken.set()

    async def follow(self, events: Sequence[Logged]) -> None:
        """Listen to what happens to windows, here or through another server."""
        self._progressed()
        self.wake()

    async def look(self) -> datetime | None:
        """Move all windows that are due, one transition after the other; tells when the next one is.

        Raises Refused DATABASE_UNAVAILABLE.
        """
        while True:
            look = await self._database.run(_move_next)
            if not look.moved:
                return look.next_at
            await self._changed()

    async def settle(self) -> None:
        """Settle all windows that are to be, or go on where that was cut short. Raises as `look` does."""
        for window_id in await self._database.run(_to_settle):
            if await aside(self._database, lambda id_=window_id: self._settle(id_)):  # type: ignore[misc]
                await self._changed()

    async def _keep_times(self) -> None:
        while True:
            wait = LOOK_SECONDS
            try:
                due = await self.look()
                if due is not None:
                    wait = min(max((due - clock.now()).total_seconds(), LEAST_SECONDS), LOOK_SECONDS)
            except Refused as refused:
                logger.warning("windows stand still: %s", refused)
            except Exception:
                logger.exception("windows stand still")
            await asyncio.sleep(wait)

    async def _keep_settling(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self.settle()
            except Refused as refused:
                logger.warning("a settlement stands still: %s", refused)
            except Exception:
                logger.exception("a settlement stands still")
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def _settle(self, window_id: int) -> bool:
        """On a thread of its own; False: another server is at it."""
        key = (_SETTLING, window_id % 2**31)
        with self._database.transaction():
            mine = bulk.execute("SELECT pg_try_advisory_lock(%s::int4, %s::int4)", *key).fetchone()[0]
        if mine:
            # The lock ends with this thread's connection. It saves work and no more: whoever settles, and
            # were it two, locks the window for each batch and finds what the other has done.
            settlement.settle(self._database, window_id, self._progressed, _rest)
        return bool(mine)


def _rest(part: float) -> None:
    """Let orders have the database, and the interpreter, for a moment."""
    threading.Event().wait(BREATH_SECONDS * part)


def _move_next() -> Look:
    """Move one window that is due, if this server has the turn."""
    if not bulk.execute("SELECT pg_try_advisory_xact_lock(%s)", _TURN).fetchone()[0]:
        return Look(False)
    now, coming = clock.now(), []
    for row in _by_time():
        due = next_due(WindowState(row.state), lifecycle.times_of(row))
        if due is not None:
            coming.append((due[0], int(row.id)))
    later = [moment for moment, _ in coming if moment > now]
    for _, window_id in sorted(due for due in coming if due[0] <= now):
        if _move(window_id):
            return Look(True)
    return Look(False, min(later, default=None))


def _move(window_id: int) -> bool:
    """Carry out what is due of a window, unless somebody is at it, or it must wait for another one."""
    row = Window.select().where(Window.id == window_id).for_update("FOR UPDATE SKIP LOCKED").first()
    due = row and next_due(WindowState(row.state), lifecycle.times_of(row))
    if not due or due[0] > clock.now():
        return False
    try:
        with Window._meta.database.atomic():
            lifecycle.move(window_id, due[1], HOUSE_ORIGIN, f"due at {due[0].isoformat()}")
    except Refused as refused:
        if refused.reason != "NOT_POSSIBLE_NOW":
            raise
        logger.debug("window %s waits: %s", window_id, refused)
        return False
    return True


def _by_time() -> list[Window]:
    """The windows that may change by themselves."""
    moving = Window.state.between(int(WindowState.SCHEDULED), int(WindowState.TRADE_CLOSE))
    closing = (Window.state == int(WindowState.SETTLED)) & Window.closes_at.is_null(False)
    return list(Window.select().where(Window.state < int(WindowState.CLOSED), moving | closing))


def _to_settle() -> list[int]:
    rows = (
        Window.select(Window.id)
        .where(Window.state == int(WindowState.SETTLING), Window.stopped == "")
        .order_by(Window.id)
        .tuples()
    )
    return [int(id_) for (id_,) in rows]
