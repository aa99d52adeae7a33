"""What one player's streams of orders and of the wallet have in common: order, memory, nothing missed."""

import logging
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import peewee as pw

from bearpit_server.storage import bulk
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import CASH, Account
from bearpit_server.streams.feed import Feed, Follower, Numbered
from bearpit_server.streams.latest import Refresh
from bearpit_server.streams.sequencing import Sequencer
from bearpit_server.streams.subscription import Cancellable, F, OpenStreams

logger = logging.getLogger(__name__)

MEMORY = 200
"""Changes that are remembered for each player, and that may wait for one that is missing."""
GAP_SECONDS = 0.5
"""How long a record that others have overtaken may take before it is looked up."""
AUDIT_SECONDS = 1.0
"""How often the players' numbers are compared with the database's."""


class Change(Protocol):
    """A record of one player's stream."""

    @property
    def player_id(self) -> int: ...

    @property
    def sequence(self) -> int: ...


R = TypeVar("R", bound=Change)


class Watched:
    """The players that somebody here listens to: `players` is the bus's set, kept by counting."""

    def __init__(self, players: set[int]) -> None:
        self._players = players
        self._count: Counter[int] = Counter()

    def add(self, player_id: int) -> None:
        """One more listens to that player."""
        self._count[player_id] += 1
        self._players.add(player_id)

    def remove(self, player_id: int) -> None:
        """One fewer does."""
        self._count[player_id] -= 1
        if not self._count[player_id]:
            del self._count[player_id]
            self._players.discard(player_id)


class PlayerHub(ABC, Generic[R, F]):
    """The feeds of those players whom somebody listens to."""

    def __init__(
        self,
        watched: Watched,
        database: Database,
        open_streams: OpenStreams,
        number: pw.Field,
        audit_seconds: float = AUDIT_SECONDS,
    ) -> None:
        """`number` is the counter on a player's cash account that the stream goes by."""
        self.database = database
        self.open_streams = open_streams
        self._number = number
        self._watched = watched
        self._feeds: dict[int, PlayerFeed[R, F]] = {}
        self._expected: dict[int, int] = {}
        self._audit = Refresh(self._compare, self._not_compared, open_streams.timers, audit_seconds)

    def feed(self, records: Sequence[R]) -> None:
        """Take changes in: from the bus, or from another process; in any order, and again if need be."""
        for record in records:
            feed = self._feeds.get(record.player_id)
            if feed is not None:
                feed.hear([record])

    def subscribe(self, player_id: int, after: int) -> Follower[F]:
        """Follow a player's changes after a number; 0: from a snapshot.

        Raises Refused NOT_READY when the server is stopping; `next` raises RESUME_TOO_OLD.
        """
        feed = self._feeds.get(player_id) or self._make(player_id)
        follower = Follower(feed, after, self.open_streams)
        if player_id not in self._feeds:
            self._feeds[player_id] = feed
            self._watched.add(player_id)
            self._audit.touch()
        return follower

    def drop(self, player_id: int) -> None:
        """Nobody listens to that player any more."""
        del self._feeds[player_id]
        self._expected.pop(player_id, None)
        self._watched.remove(player_id)

    async def _compare(self) -> None:
        """What the database had at the last comparison must have come by now; else let it be looked up."""
        for player_id, number in self._expected.items():
            feed = self._feeds.get(player_id)
            if feed is not None and feed.last is not None and feed.last < number:
                feed.rejoin()
        self._expected = await self.database.run(self._numbers, list(self._feeds)) if self._feeds else {}
        if self._feeds:
            self._audit.touch()

    def _numbers(self, players: Sequence[int]) -> dict[int, int]:
        """The players' latest numbers in the database; inside a transaction."""
        among = pw.SQL("owner_id = ANY(%s::int8[])", (bulk.ints(players),))
        rows = Account.select(Account.owner, self._number).where(
            among, Account.asset == CASH, Account.kind == "player"
        )
        return dict(rows.tuples())

    def _not_compared(self, error: Exception) -> None:
        logger.warning("players' numbers could not be compared with the database's: %s", error)
        self._audit.touch()

    @abstractmethod
    def _make(self, player_id: int) -> "PlayerFeed[R, F]": ...


class PlayerFeed(Feed[F], Generic[R, F]):
    """One player's changes, put in order, the latest remembered."""

    def __init__(self, hub: PlayerHub[R, F], player_id: int) -> None:
        super().__init__()
        self.player_id = player_id
        self._hub = hub
        self._timers = hub.open_streams.timers
        self._sequencer: Sequencer[R] = Sequencer()
        self._memory: deque[Numbered[F]] = deque()
        self._floor = 0
        self._gap_timer: Cancellable | None = None

    @property
    def last(self) -> int | None:
        """The number up to which all has been heard; None before the first follower knows its place."""
        return self._sequencer.last

    def begin(self, at: int) -> None:
        """Hear what comes after a number, unless the feed has begun."""
        if self.last is None:
            self._floor = at
            self._publish(self._sequencer.advance(at))

    def skip(self, to: int) -> None:
        """Go on after a number whatever is missing before it; followers that lack it look it up."""
        if self.last is None or to > self.last:
            self._memory.clear()
            self._floor = to
            for follower in self.followers:
                if follower.position < to:
                    follower.rejoin()
            self._publish(self._sequencer.advance(to))

    def hear(self, records: Sequence[R]) -> None:
        """Take changes in."""
        for record in records:
            self._publish(self._sequencer.push(record.sequence, record))
        if len(self._sequencer) > MEMORY:
            self.skip(self._sequencer.highest)
        if self.last is not None and len(self._sequencer) and self._gap_timer is None:
            self._gap_timer = self._timers.call_at(self._timers.time() + GAP_SECONDS, self._on_gap)

    def since(self, after: int) -> Sequence[Numbered[F]] | None:
        if self.last is None or after < self._floor:
            return None
        return [numbered for numbered in self._memory if numbered[0] > after]

    def left(self) -> None:
        if self._gap_timer is not None:
            self._gap_timer.cancel()
        self._hub.drop(self.player_id)

    def _on_gap(self) -> None:
        self._gap_timer = None
        if len(self._sequencer):
            self.rejoin()

    def _publish(self, records: Sequence[tuple[int, R]]) -> None:
        for number, record in records:
            frame = self._encode(record)
            self._memory.append((number, frame))
            if len(self._memory) > MEMORY:
                self._floor, _ = self._memory.popleft()
            for follower in tuple(self.followers):
                follower.put(number, frame)

    @abstractmethod
    def _encode(self, record: R) -> F:
        """The update that tells of a change."""


def cash_account(player_id: int) -> Account | None:
    """A player's cash account, which counts the changes of orders and wallet; inside a transaction."""
    account: Account | None = Account.get_or_none(
        (Account.owner == player_id) & (Account.asset == CASH) & (Account.kind == "player")
    )
    return account
