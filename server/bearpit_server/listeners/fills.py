"""Writes notifications of fills: those of one order that come together are one, all of it in SQL."""

from collections.abc import Sequence

from bearpit_server.events.listeners import Here, Listener, Span
from bearpit_server.events.records import Record
from bearpit_server.game.notices import notifications


def sweep(span: Span, here: Here) -> Sequence[Record]:
    """Write them; a fill that a notification of its order covers is not told again."""
    after, until = span.after, span.until
    return notifications.of_fills((after.xid, after.id), (until.xid, until.id), here.watched)


LISTENER = Listener("fills", ("order.filled",), sweep=sweep)
