"""Who tries wrong codes, in the event log: a row a minute and player at most, with how many there were.

What is counted but not logged yet stands in a row, so that neither a crash nor another server loses it.
"""

from datetime import timedelta

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.storage.clock import now
from bearpit_server.storage.models.codes import CodeGuesser

INTERVAL = timedelta(minutes=1)
BATCH = 500


def note(origin: Origin) -> None:
    """Count a wrong code of the caller; the first of a minute is logged at once. 0 is who registers."""
    at = now()
    CodeGuesser.insert(
        player_id=origin.actor_id, address=origin.address, pending=0, logged_at=at - INTERVAL
    ).on_conflict_ignore().execute()
    row = CodeGuesser.select().where(CodeGuesser.player_id == origin.actor_id).for_update().get()
    row.address = origin.address
    row.pending += 1
    if row.logged_at <= at - INTERVAL:
        _tell(row)
    else:
        row.save()


def flush() -> int:
    """Log what was counted since a minute ago or longer; returns for how many players."""
    due = (CodeGuesser.pending > 0) & (CodeGuesser.logged_at <= now() - INTERVAL)
    rows = list(CodeGuesser.select().where(due).limit(BATCH).for_update("FOR UPDATE SKIP LOCKED"))
    for row in rows:
        _tell(row)
    return len(rows)


def _tell(row: CodeGuesser) -> None:
    """Log what is pending. The address is that of the last one."""
    at = now()
    payload = {"player_id": row.player_id, "address": row.address, "count": row.pending}
    origin = Origin(row.player_id, row.address)
    log.append([Event("code.guessed", f"player:{row.player_id}", origin, payload)], at)
    row.pending, row.logged_at = 0, at
    row.save()
