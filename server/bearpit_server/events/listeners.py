"""Listening to the event log for good: each event is heard once, whatever ends, and nothing waits for it.

A listener is one file in `bearpit_server.listeners`, whose `LISTENER` says what it hears and what it does:

    def handle(events: Sequence[Logged], here: Here) -> Sequence[Record]: ...
    LISTENER = Listener("referrals", ("order.filled",), handle)

`handle` runs on a thread, in the transaction that moves the listener's place in the log: what it writes and
that it has heard are one. It gets the events of its types in the log's order, up to `most` at once, and
returns what the bus shall tell once that is committed. Of all servers one at a time tells a listener.

Events can be told again (a replay; an attempt that failed), so what a listener writes has a unique key that
comes from the event, such as its position. It waits for nothing outside the database, which cuts off who lets
three seconds pass in a transaction: what has to be sent somewhere is a row that another job sends. A listener
to what comes by the thousand (fills) takes a `sweep` in place of `handle`: it is told the place only, and
does all its work in SQL, where the exchange does not wait for it.

When it raises, all that it did is undone. The batch is tried again after a pause, then event by event; an
event that fails too often is kept among `listener_failures`, and passed over so that the rest goes on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bearpit_server.events.log import Logged, Position
from bearpit_server.events.records import Record
from bearpit_server.storage.settings import Settings

BATCH = 500
SWEEP = 5_000


@dataclass(frozen=True, slots=True)
class Here:
    """What a listener may ask of the server that tells it."""

    settings: Settings
    watched: frozenset[int]
    """The players for whom somebody here listens: records of order, wallet and inbox are for these only."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the log: what stands behind `after`, up to and with `until`."""

    after: Position
    until: Position


Handle = Callable[[Sequence[Logged], Here], Sequence[Record]]
Sweep = Callable[[Span, Here], Sequence[Record]]


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody who listens: a name of its own, for good, and the beginnings of the types that it hears.

    A listener that is new begins at the end of the log, or, if it says so, at the beginning.
    """

    name: str
    prefixes: tuple[str, ...]
    handle: Handle | None = None
    sweep: Sweep | None = None
    """In place of `handle`; it reads the events of its types in the span by itself."""
    batch: int = 0
    """How many events it is told of at once; 0: BATCH, or SWEEP."""
    from_beginning: bool = False

    def __post_init__(self) -> None:
        assert self.prefixes, "a listener says what it listens to"
        assert (self.handle is None) != (self.sweep is None), "a listener has either of the two"

    @property
    def most(self) -> int:
        """How many events it is told of at once."""
        return self.batch or (BATCH if self.sweep is None else SWEEP)
