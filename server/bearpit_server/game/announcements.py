"""Words from the operators to everybody; inside the caller's transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.game.texts import line
from bearpit_server.rules.refusals import invalid
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Announcement, Player

MAX_TEXT = 280
MAX_LIFETIME_SECONDS = 366 * 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Announced:
    """An announcement and its author's name. `expires_at` None: until the next one."""

    announcement_id: int
    text: str
    author: str
    created_at: datetime
    expires_at: datetime | None


def announce(text: str, lifetime_seconds: int, author: str, origin: Origin) -> Announced:
    """Tell everybody. It ends those that stood until the next one. Raises Refused INVALID_FIELD."""
    line("text", text, 1, MAX_TEXT)
    if not 0 <= lifetime_seconds <= MAX_LIFETIME_SECONDS:
        raise invalid("lifetime_seconds", f"give a number from 0 to {MAX_LIFETIME_SECONDS}")
    at = now()
    expires_at = at + timedelta(seconds=lifetime_seconds) if lifetime_seconds else None
    Announcement.update(expires_at=at).where(Announcement.expires_at.is_null()).execute()
    made = Announcement.create(text=text, author_id=origin.actor_id, created_at=at, expires_at=expires_at)
    payload = {"text": text, "lifetime_seconds": lifetime_seconds}
    log.append([Event("announcement.made", f"announcement:{made.id}", origin, payload)], at)
    return Announced(int(made.id), text, author, at, expires_at)


def standing(at: datetime) -> list[Announced]:
    """Those that hold at a moment, newest first."""
    rows = (
        Announcement.select(
            Announcement.id, Announcement.text, Player.name, Announcement.created_at, Announcement.expires_at
        )
        .join(Player, pw.JOIN.INNER, on=(Player.id == Announcement.author_id))
        .where(Announcement.expires_at.is_null() | (Announcement.expires_at > at))
        .order_by(Announcement.id.desc())
        .tuples()
    )
    return [Announced(*row) for row in rows]
