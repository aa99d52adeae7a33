"""What players are told of: kinds, how much each presses, and where it goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from bearpit_server.rules.refusals import invalid


class Kind(IntEnum):
    """What a notification is about; the numbers are the contract's."""

    FILL = 1
    DUEL = 2
    TRANSFER = 3
    CODE = 4
    WINDOW = 5
    ANNOUNCEMENT = 6
    RANK = 7
    BADGE = 8
    DEBT = 9
    SYSTEM = 10


class Priority(IntEnum):
    """How much one presses; the numbers are the contract's. URGENT ones cannot be switched off."""

    LOW = 1
    NORMAL = 2
    URGENT = 3


@dataclass(frozen=True, slots=True)
class Notice:
    """A word to one player, before it has a number."""

    player_id: int
    kind: Kind
    title: str
    body: str = ""
    reference: str = ""
    priority: Priority = Priority.NORMAL
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unread:
    """How much a player has not read, in all and by kind; the latest number, and up to which all is read."""

    count: int
    by_kind: Mapping[Kind, int]
    last_sequence: int
    read_sequence: int


@dataclass(frozen=True, slots=True)
class Preference:
    """Where a player wants to be told of a kind: nowhere, on the screen, through channels as well."""

    screen: bool = True
    channel: bool = True


_QUIET = frozenset({Kind.FILL, Kind.RANK})
"""Kinds that come by the hundred, and are not sent through channels unless it is asked for."""


def default(kind: Kind) -> Preference:
    """What holds for who has not said otherwise."""
    return Preference(True, kind not in _QUIET)


Stored = Mapping[str, Mapping[str, bool]]
"""Preferences as they are kept: by the kind's number, what is not as by default."""


def preferences(stored: Stored) -> dict[Kind, Preference]:
    """All of a player's."""
    return {
        kind: Preference(**stored[str(int(kind))]) if str(int(kind)) in stored else default(kind)
        for kind in Kind
    }


def stored(wanted: Mapping[Kind, Preference]) -> Stored:
    """How preferences are kept. Raises Refused INVALID_FIELD for what would go through channels alone."""
    for kind, preference in wanted.items():
        if preference.channel and not preference.screen:
            raise invalid(
                "preferences", f"{kind.name}: channels send on what is on the screen; set screen too"
            )
    return {
        str(int(kind)): {"screen": preference.screen, "channel": preference.channel}
        for kind, preference in wanted.items()
        if preference != default(kind)
    }
