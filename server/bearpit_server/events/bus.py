"""The in-process bus: what was committed reaches its listeners, on the event loop, in order.

It carries what can be lost and read again: the database alone is the truth. Nothing on the way of an
order waits for a listener, and a listener that fails is logged and costs the others nothing.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from bearpit_server.events.records import Record

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)
Listener = Callable[[Sequence[R]], None]


class Bus:
    """Hands batches of records to whoever subscribed to their type.

    `watched` holds the players whose order and wallet changes somebody here listens to: the exchange
    builds those records for nobody else.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: dict[type, list[Listener[Record]]] = defaultdict(list)
        self.watched: set[int] = set()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver on this loop from now on."""
        self._loop = loop

    def subscribe(self, kind: type[R], listener: Listener[R]) -> Callable[[], None]:
        """Call `listener` with each batch of that type; returns what ends it."""
        listeners = self._listeners[kind]
        listeners.append(cast(Listener[Record], listener))
        return lambda: listeners.remove(cast(Listener[Record], listener))

    def publish(self, records: Sequence[Record]) -> None:
        """Hand a batch over, from any thread; returns at once."""
        if records and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, records)

    def _deliver(self, records: Sequence[Record]) -> None:
        by_type: dict[type, list[Record]] = defaultdict(list)
        for record in records:
            by_type[type(record)].append(record)
        for kind, batch in by_type.items():
            for listener in tuple(self._listeners[kind]):
                try:
                    listener(batch)
                except Exception:
                    logger.exception("a listener to %s failed", kind.__name__)
