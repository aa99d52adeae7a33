"""Telling listeners: a batch and the move of the listener's place are one transaction.

What is known of a listener is its row: any server goes on where another ended. A listener whose row is
locked is being told elsewhere, and left alone.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.bus import Bus
from bearpit_server.events.listeners import Here, Listener, Span
from bearpit_server.events.log import Position
from bearpit_server.events.records import Record
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage import bulk, clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.models.notices import ListenerFailure, ListenerRow
from bearpit_server.storage.settings import Settings

logger = logging.getLogger(__name__)

BREATH_SECONDS = 0.02
"""Between two rounds while there is more to be told."""
BATCH_ATTEMPTS = 2
"""After so many a batch is told event by event."""
LONGEST_PAUSE_MS = 60_000
MAX_ERROR = 500


class Delivery:
    """This server's part in telling the listeners; on a thread of its own, beside the exchange."""

    def __init__(
        self, database: Database, bus: Bus, settings: Settings, listeners: Sequence[Listener]
    ) -> None:
        self.listeners = {listener.name: listener for listener in listeners}
        self._database = database
        self._bus = bus
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="listeners")
        self._held_up = ""

    async def run(self) -> None:
        """Tell all listeners of all there is, again and again, until cancelled."""
        try:
            while True:
                try:
                    more = await self.round()
                    self._held_up = ""
                except Refused as refused:
                    more = False
                    if self._held_up != refused.message:  # once, not twice a second
                        logger.warning("listeners are not told: %s", refused)
                        self._held_up = refused.message
                except Exception:
                    more = False
                    logger.exception("listeners are not told")
                interval = self._settings.number("listener_interval_ms") / 1000
                await asyncio.sleep(BREATH_SECONDS if more else interval)
        finally:
            # What is being told is told to its end: that is a batch.
            ended = asyncio.get_running_loop().run_in_executor(self._thread, self._database.disconnect)
            await asyncio.shield(ended)
            self._thread.shutdown()

    async def start(self) -> None:
        """Give listeners that are new their place in the log."""
        await self._database.run(register, list(self.listeners.values()))

    async def round(self) -> bool:
        """Tell each listener one batch; says whether one of them has more to hear at once.

        Raises Refused DATABASE_UNAVAILABLE; nothing is lost by it.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._round)

    def _round(self) -> bool:
        with self._database.transaction():
            waiting = [self.listeners[name] for name in behind(list(self.listeners.values()))]
        more = False
        for listener in waiting:
            try:
                more |= self._tell(listener)
            except Refused:
                raise
            except Exception:  # of ours, not the listener's: that costs the others nothing either
                logger.exception("listener %s is not told", listener.name)
        return more

    def _tell(self, listener: Listener) -> bool:
        """Tell one batch; says whether there is more."""
        with self._database.transaction():
            row = _lock(listener.name)
            if row is None:
                return False
            records, more = self._next(listener, row)
        self._bus.publish(records)
        return more

    def _next(self, listener: Listener, row: ListenerRow) -> tuple[Sequence[Record], bool]:
        limit = 1 if row.careful else listener.most
        after, seen = Position(row.xid, row.id), Position(row.seen_xid, row.seen_id)
        ahead = log.ahead(after, seen, limit, *listener.prefixes)
        if not ahead.count:
            # It need not reach the disk at once: nothing is lost if the same is looked for again.
            bulk.execute("SET LOCAL synchronous_commit = off")
            _move(row, ahead.until, 0)
            return (), False
        row.published += ahead.unseen
        try:
            with self._database.transaction():
                records = self._hear(listener, Span(after, ahead.until), limit)
        except Exception as error:
            self._failed(listener, row, ahead.last, error)
            return (), row.retry_at is None
        if row.failed:
            _forget_failures(row, Span(after, ahead.until))
        row.attempts = 0
        _move(row, ahead.until, ahead.count)
        return records, ahead.count == limit

    def _hear(self, listener: Listener, span: Span, limit: int) -> Sequence[Record]:
        here = Here(self._settings, frozenset(self._bus.watched))
        if listener.sweep is not None:
            return listener.sweep(span, here)
        assert listener.handle is not None
        events, _ = log.read(span.after, limit, *listener.prefixes)
        # More may have been committed since the span was measured.
        return listener.handle([event for event in events if event.position <= span.until], here)

    def _failed(self, listener: Listener, row: ListenerRow, last: Position, error: Exception) -> None:
        """Count a failed attempt, and say when the next is made, or go on without the event."""
        row.seen_xid, row.seen_id = _pair(max(last, Position(row.seen_xid, row.seen_id)))
        row.last_error = f"{type(error).__name__}: {error}".replace("\x00", "")[:MAX_ERROR]
        if not (isinstance(error, Refused) and error.reason == "DATABASE_UNAVAILABLE"):
            row.attempts += 1  # else it is not the event's fault
        if row.careful and row.attempts >= self._settings.number("listener_attempts"):
            logger.error("listener %s goes on without event %s", listener.name, last, exc_info=error)
            _keep_failure(row, last)
            row.failed += 1
            row.attempts = 0
            _move(row, last, 0)
            return
        logger.warning("listener %s failed at %s", listener.name, last, exc_info=error)
        row.retried += 1
        if not row.careful and row.attempts >= BATCH_ATTEMPTS:
            row.careful, row.attempts = True, 0
        doubled = 2 ** min(max(row.attempts - 1, 0), 20)
        pause = min(self._settings.number("listener_retry_ms") * doubled, LONGEST_PAUSE_MS)
        row.retry_at = clock.now() + timedelta(milliseconds=pause)
        row.save()


def register(listeners: Sequence[Listener]) -> None:
    """Give new listeners their place in the log; inside a transaction."""
    end = log.end()
    for listener in listeners:
        place = Position() if listener.from_beginning else end
        ListenerRow.insert(
            name=listener.name, xid=place.xid, id=place.id, seen_xid=place.xid, seen_id=place.id
        ).on_conflict_ignore().execute()


def behind(listeners: Sequence[Listener]) -> list[str]:
    """The names of those that have not heard all there is, and may be told now; inside a transaction."""
    end, now = log.end(), clock.now()
    rows = ListenerRow.select().where(ListenerRow.name << [listener.name for listener in listeners])
    return [row.name for row in rows if Position(row.xid, row.id) < end and _may_be_told(row, now)]


def _may_be_told(row: ListenerRow, now: datetime) -> bool:
    return row.retry_at is None or bool(row.retry_at <= now)


def _lock(name: str) -> ListenerRow | None:
    """The listener's row; None if it is told by another server, or must wait."""
    row: ListenerRow | None = (
        ListenerRow.select().where(ListenerRow.name == name).for_update("FOR UPDATE SKIP LOCKED").first()
    )
    return row if row is not None and _may_be_told(row, clock.now()) else None


def _move(row: ListenerRow, to: Position, delivered: int) -> None:
    """Let the listener have heard all up to a place."""
    row.xid, row.id = _pair(to)
    row.delivered += delivered
    row.seen_xid, row.seen_id = _pair(max(to, Position(row.seen_xid, row.seen_id)))
    row.careful = row.careful and to < Position(row.seen_xid, row.seen_id)
    row.retry_at = None
    row.save()


def _pair(position: Position) -> tuple[int, int]:
    return position.xid, position.id


def _keep_failure(row: ListenerRow, at: Position) -> None:
    ListenerFailure.insert(
        listener=row.name, event_xid=at.xid, event_id=at.id, type=log.type_at(at), error=row.last_error,
        failed_at=clock.now(),
    ).on_conflict(
        conflict_target=[ListenerFailure.listener, ListenerFailure.event_xid, ListenerFailure.event_id],
        update={ListenerFailure.error: row.last_error, ListenerFailure.failed_at: clock.now()},
    ).execute()  # fmt: skip


def _forget_failures(row: ListenerRow, span: Span) -> None:
    """What was passed over and has been told again, with success, has not failed."""
    ListenerFailure.delete().where(
        ListenerFailure.listener == row.name,
        pw.SQL("(event_xid, event_id) > (%s, %s)", _pair(span.after)),
        pw.SQL("(event_xid, event_id) <= (%s, %s)", _pair(span.until)),
    ).execute()
