"""Prices: every quote that changed, at most ten times a second, one frame for many who watch the same."""

from collections.abc import Mapping, Sequence
from itertools import count
from math import ceil
from typing import Generic

from bearpit_server.events.records import QuoteRecord
from bearpit_server.streams.latest import TICK_SECONDS, Latest, Topic
from bearpit_server.streams.subscription import (
    Cancellable,
    Encode,
    F,
    OpenStreams,
    heartbeat,
    snapshot,
    update,
)

LANE = 100
"""Subscribers that are sent their frames together; more of them get a lane of their own."""
LANES = 10

Quotes = Sequence[QuoteRecord]
Wanted = frozenset[int] | None
"""Ids of instruments; None: all, also those listed later."""


class PriceHub(Generic[F]):
    """Feeds subscribers of prices.

    A crowd is spread over lanes, each with its own hundredth in every tenth of a second: sending to a
    thousand at once would hold every other call up for as long as it takes. `quotes` are the latest at
    the start; after that they are fed.
    """

    def __init__(
        self, quotes: Mapping[int, QuoteRecord], encode: Encode[Quotes, F], open_streams: OpenStreams
    ) -> None:
        self.encode = encode
        self.open_streams = open_streams
        self.fed: dict[int, QuoteRecord] = {}
        self._quotes = quotes
        self._lanes: dict[int, _Lane[F]] = {}

    @property
    def is_crowded(self) -> bool:
        """Whether there is more than one lane."""
        return len(self._lanes) > 1

    def feed(self, records: Quotes) -> None:
        """Take new quotes in: from the bus, or from another process."""
        changed = [record for record in records if self.fed.get(record.instrument_id) != record]
        self.fed.update((record.instrument_id, record) for record in changed)
        for lane in self._lanes.values():
            lane.touch(changed)

    def subscribe(self, wanted: Wanted = None) -> Latest[None, F]:
        """Subscribe to these instruments. Raises Refused NOT_READY when the server is stopping."""
        lane = self._lane_with_room()
        subscription = lane.subscribe(wanted)
        self._lanes[lane.number] = lane
        return subscription

    def latest(self, wanted: Wanted) -> Quotes:
        """The latest quotes, by instrument id."""
        quotes = {**self._quotes, **self.fed}
        return [quotes[id_] for id_ in sorted(quotes if wanted is None else quotes.keys() & wanted)]

    def drop(self, lane: int) -> None:
        """Nobody is in that lane any more."""
        del self._lanes[lane]

    def _lane_with_room(self) -> "_Lane[F]":
        for number in range(LANES):
            lane = self._lanes.get(number) or _Lane(self, number)
            if len(lane) < LANE:
                return lane
        return min(self._lanes.values(), key=len)


class _Lane(Generic[F]):
    """Subscribers who get their frames at the same moments.

    Time is cut into ticks, numbered the same for all of them: a frame carries its tick's number, so the
    same bytes can go to all who watch the same instruments. Nothing ticks while nobody listens or
    nothing changes.
    """

    def __init__(self, hub: PriceHub[F], number: int) -> None:
        self.hub = hub
        self.numbers = count(1)
        self.changed: dict[int, int] = {}
        """The tick in which each instrument changed last, of those that did since the lane was opened."""
        self.number = number
        self._timers = hub.open_streams.timers
        self._phase = number * TICK_SECONDS / LANES
        self._topics: dict[Wanted, _Prices[F]] = {}
        self._dirty: set[int] = set()
        self._due = 0.0
        self._timer: Cancellable | None = None

    def __len__(self) -> int:
        """Subscribers."""
        return sum(len(topic.subscribers) for topic in self._topics.values())

    def subscribe(self, wanted: Wanted) -> Latest[None, F]:
        topic = self._topics.get(wanted) or _Prices(self, wanted)
        subscription = Latest(topic, self.hub.open_streams)
        self._topics[wanted] = topic
        return subscription

    def touch(self, changed: Quotes) -> None:
        """Some quotes have changed: tell of them at the next tick."""
        self._dirty.update(record.instrument_id for record in changed)
        if self._dirty and self._timer is None:
            self._due = self._next_tick()
            self._timer = self._timers.call_at(self._due, self._tick)

    def drop(self, wanted: Wanted) -> None:
        """Nobody watches these any more."""
        del self._topics[wanted]
        if not self._topics:
            if self._timer is not None:
                self._timer.cancel()
            self.hub.drop(self.number)

    def _next_tick(self) -> float:
        earliest = max(self._due + TICK_SECONDS, self._timers.time())
        if not self.hub.is_crowded:
            return earliest
        tenths = ceil((earliest - self._phase) / TICK_SECONDS - 0.01)  # a hair's breadth is no new tenth
        return self._phase + tenths * TICK_SECONDS

    def _tick(self) -> None:
        self._timer = None
        number = next(self.numbers)
        self.changed.update(dict.fromkeys(self._dirty, number))
        for wanted, topic in self._topics.items():
            if wanted is None or not wanted.isdisjoint(self._dirty):
                topic.show(None, number)
                topic.wake()
        self._dirty.clear()


class _Prices(Topic[None, F]):
    """What some subscribers of a lane watch. Its state is all in the lane's numbers."""

    def __init__(self, lane: _Lane[F], wanted: Wanted) -> None:
        super().__init__(lane.numbers, None, lane.hub.open_streams.timers)
        self._lane = lane
        self._wanted = wanted

    def left(self) -> None:
        self._lane.drop(self._wanted)

    def _encode_snapshot(self, number: int) -> F:
        hub = self._lane.hub
        return hub.encode(snapshot(number, hub.latest(self._wanted)))

    def _encode_update(self, number: int, seen: int, state: None) -> F:
        hub, changed = self._lane.hub, self._lane.changed
        ids = [id_ for id_ in (self._wanted or changed) if changed.get(id_, 0) > seen]
        return hub.encode(update(number, [hub.fed[id_] for id_ in ids]))

    def _encode_heartbeat(self, number: int) -> F:
        return self._lane.hub.encode(heartbeat(number))
