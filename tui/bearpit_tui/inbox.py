"""What concerns the player: notifications, how many are unread, and what happened while away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from bearpit_tui.model import EPOCH

MOST = 200
"""Notifications kept on the screen; the server has them all."""


class Kind(Enum):
    """What a notification is about, as people say it."""

    FILL = "fills"
    DUEL = "duels"
    TRANSFER = "points"
    CODE = "codes"
    WINDOW = "windows"
    ANNOUNCEMENT = "announcements"
    RANK = "ranks"
    BADGE = "badges"
    DEBT = "debt"
    SYSTEM = "account"


TOASTED = frozenset({Kind.TRANSFER, Kind.CODE, Kind.RANK, Kind.BADGE, Kind.DEBT, Kind.SYSTEM})
"""What is told in the message line as it comes. The others are told there, or above, by other streams."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A word to the player."""

    sequence: int
    kind: Kind
    title: str
    body: str = ""
    reference: str = ""
    urgent: bool = False
    at: datetime = EPOCH
    read: bool = False


@dataclass(frozen=True, slots=True)
class Inbox:
    """How much is unread, and the latest notifications, newest first."""

    unread: int = 0
    latest: tuple[Notification, ...] = ()
    read_up_to: int = 0

    @property
    def last(self) -> int:
        """The number of the latest one known."""
        return self.latest[0].sequence if self.latest else 0

    def with_new(self, one: Notification) -> Inbox:
        """With one more."""
        if one.sequence <= self.last:
            return self
        return replace(self, unread=self.unread + (not one.read), latest=(one, *self.latest)[:MOST])

    def with_snapshot(self, unread: int, read_up_to: int, latest: Iterable[Notification]) -> Inbox:
        """As the server tells it; what is known besides stays."""
        known = {one.sequence: one for one in (*self.latest, *latest)}
        rows = sorted(known.values(), key=lambda one: -one.sequence)[:MOST]
        return Inbox(unread, tuple(rows), read_up_to).with_read(read_up_to, unread)

    def with_read(self, up_to: int, unread: int) -> Inbox:
        """With all up to a number read."""
        latest = tuple(
            replace(one, read=True) if one.sequence <= up_to and not one.read else one for one in self.latest
        )
        return Inbox(unread, latest, max(up_to, self.read_up_to))


@dataclass(frozen=True, slots=True)
class Filled:
    """What was traded of one instrument."""

    symbol: str
    bought: int = 0
    bought_cents: int = 0
    sold: int = 0
    sold_cents: int = 0
    fills: int = 0


@dataclass(frozen=True, slots=True)
class Passed:
    """A transfer from another player, or, below zero, to one."""

    player: str
    amount_cents: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class CatchUp:
    """What happened while the player was away; lists are cut, counts are of all."""

    since: datetime
    until: datetime
    fills: int = 0
    instruments: tuple[Filled, ...] = ()
    realised_cents: int = 0
    headlines: tuple[str, ...] = ()
    headline_count: int = 0
    transfers: tuple[Passed, ...] = ()
    transfer_count: int = 0
    windows: tuple[tuple[str, int], ...] = ()
    """Titles, and what the settlement did to the worth of what is held, in cents."""
    window_count: int = 0
    duels: tuple[int, int, int] = (0, 0, 0)
    """Won, lost, drawn."""
    duels_cents: int = 0
    worth_before_cents: int | None = None
    worth_cents: int = 0
    rank_before: int | None = None
    rank: int | None = None
    unread: int = 0


@dataclass(frozen=True, slots=True)
class Preference:
    """Where the player wants to be told of a kind."""

    kind: Kind
    screen: bool = True
    channel: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """The inbox as a stream begins, or one more notification."""

    new: tuple[Notification, ...] = ()
    whole: Inbox | None = field(default=None)
