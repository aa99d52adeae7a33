"""Awards badges for what is heard of in the event log."""

from collections.abc import Sequence

from bearpit_server.events.listeners import Here, Listener, Span
from bearpit_server.events.records import Record
from bearpit_server.game.ranks import badges
from bearpit_server.storage.badges import LISTENS_TO


def sweep(span: Span, here: Here) -> Sequence[Record]:
    """Award what was earned in these events; the events of that are what others listen to."""
    badges.award_heard(span)
    return []


LISTENER = Listener("badges", LISTENS_TO, sweep=sweep, from_beginning=True)
