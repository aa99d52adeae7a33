"""Writes notifications of what happens, but for fills: see `listeners.fills`."""

from collections.abc import Sequence

from bearpit_server.events.listeners import Here, Listener
from bearpit_server.events.log import Logged
from bearpit_server.events.records import Record
from bearpit_server.game.notices import notifications
from bearpit_server.game.notices.wording import WORDS


def handle(events: Sequence[Logged], here: Here) -> Sequence[Record]:
    """Write them; a notification's key is its event's position."""
    return notifications.tell_all(events, here.watched)


LISTENER = Listener("notifications", (*WORDS, *notifications.SPREAD), handle)
