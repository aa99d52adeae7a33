"""Numbered streams without gaps: live, from a feed's memory, and from the database further back."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Generic

from bearpit_server.rules.refusals import Refused
from bearpit_server.streams.subscription import F, F_co, OpenStreams, Subscription

QUEUE = 1_000
"""Frames that may wait for one subscriber."""
PAGE = 1_000
"""Records read from the database at once."""
FARTHEST = 10_000
"""How far back a subscriber may resume from."""

Numbered = tuple[int, F]


class Feed(ABC, Generic[F]):
    """What one key's followers hear. Numbers rise; each frame carries its last record's."""

    def __init__(self) -> None:
        self.followers: set[Follower[F]] = set()

    def rejoin(self) -> None:
        """Something may have been missed: let all followers look it up."""
        for follower in self.followers:
            follower.rejoin()

    @abstractmethod
    async def open(self, after: int) -> tuple[int, Sequence[Numbered[F]]]:
        """Where a follower starts, and its first frames. Raises Refused RESUME_TOO_OLD."""

    @abstractmethod
    def since(self, after: int) -> Sequence[Numbered[F]] | None:
        """All frames after a number, from memory; None if it does not reach back so far."""

    @abstractmethod
    async def read(self, after: int) -> tuple[Sequence[Numbered[F]], bool]:
        """The next frames after a number, from the database, and whether they were all there are.

        Raises Refused RESUME_TOO_OLD.
        """

    @abstractmethod
    def heartbeat(self, number: int) -> F:
        """A frame that tells of no change since that number."""

    @abstractmethod
    def left(self) -> None:
        """The last follower went."""


class Follower(Subscription[F_co]):
    """A subscriber that misses nothing, or is told that it has.

    It pulls from the database at its own pace until the feed's memory reaches it; from then on frames
    are pushed to it, and if it lets too many pile up it ends with SLOW_CONSUMER.
    """

    def __init__(self, feed: Feed[F_co], after: int, open_streams: OpenStreams) -> None:
        super().__init__(open_streams)
        self.position = after
        """The number of the last frame that was queued for it."""
        self._feed = feed
        self._frames: deque[F_co] = deque()
        self._opened = False
        self._joined = False
        feed.followers.add(self)

    def put(self, number: int, frame: F_co) -> None:  # type: ignore[misc]  # in from the feed of its kind
        """Queue a frame, unless it has been already or is yet to be looked up."""
        if not self._joined or number <= self.position:
            return
        if len(self._frames) >= QUEUE:
            self._frames.clear()
            self.fail(_slow())
            return
        self._queue([(number, frame)])
        self.wake()

    def rejoin(self) -> None:
        """Look the next frames up before taking what is pushed."""
        self._joined = False
        self.wake()

    def _take(self) -> F_co | None:
        return self._frames.popleft() if self._frames else None

    async def _fetch(self) -> bool:
        if self._joined:
            return False
        opening = not self._opened
        if opening:
            self.position, frames = await self._feed.open(self.position)
            self._opened = is_all = True
        else:
            frames, is_all = await self._feed.read(self.position)
        self._queue(frames)
        rest = self._feed.since(self.position) if is_all else None
        if rest is not None:
            self._queue(rest)
            self._joined = True
        elif not frames and not opening:
            raise too_old(self.position)
        return True

    def _queue(self, frames: Sequence[Numbered[F_co]]) -> None:
        for number, frame in frames:
            self._frames.append(frame)
            self.position = max(self.position, number)

    def _heartbeat(self) -> F_co:
        return self._feed.heartbeat(self.position)

    def _leave(self) -> None:
        if self in self._feed.followers:
            self._feed.followers.discard(self)
            if not self._feed.followers:
                self._feed.left()


def too_old(after: int) -> Refused:
    """The refusal to go on from a number."""
    return Refused(
        "RESUME_TOO_OLD",
        f"this stream cannot go on after {after}; open it without a number to begin with a snapshot",
        after_sequence=after,
    )


def _slow() -> Refused:
    return Refused(
        "SLOW_CONSUMER",
        f"more than {QUEUE} frames waited to be read; read faster, and resume from the last number",
        queued=QUEUE,
    )
