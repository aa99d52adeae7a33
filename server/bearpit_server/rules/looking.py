"""Who looks at what, and how much attention that is.

The server notes what it sees itself: a detail screen or a depth subscription is open, something was
searched for. A look has a strength from 0 to 1. An open one has 1, however many screens and subscriptions
of the player's are open on the instrument; a glance has 1 when it is made and loses half of it with each
half-life. Only the last glance at an instrument counts. A player gives his strengths, times a cap; when
they are more than 1 in all, the cap in proportion to them. So more calls never give more in all, and
to one instrument nobody gives more than who just has it open and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_OPEN = 64
"""Instruments that one player can have open and be noticed; those that he opens beyond are not."""
MAX_GLANCES = 64
"""Instruments whose glances are remembered for one player; beyond, the oldest is forgotten."""


@dataclass(slots=True)
class _Gaze:
    """What one player looks at."""

    open: dict[int, int] = field(default_factory=dict)
    """Screens and subscriptions, by instrument."""
    glances: dict[int, int] = field(default_factory=dict)
    """When, by instrument; the oldest first."""


class Looking:
    """The looks of players at the instruments of one group, as one server process sees them.

    It has no clock: `at` is in milliseconds, from any beginning, and may step back (nothing is stronger
    for that). Players and instruments are named by their ids. Open looks do not change by themselves, so
    they are kept as sums, and to score costs what there are of glances and of instruments, however many
    players look on.
    """

    def __init__(self, half_life_ms: int) -> None:
        assert half_life_ms > 0, "a glance fades"
        self.half_life_ms = half_life_ms
        self._gazes: dict[int, _Gaze] = {}
        self._glancing: set[int] = set()
        self._steady: dict[tuple[int, int], int] = {}
        """Of players without a glance: how many have the instrument open as one of so many."""

    def __len__(self) -> int:
        """How many players look at something."""
        return len(self._gazes)

    def open(self, player: int, instrument: int, at: int) -> None:
        """A screen or a subscription begins to show an instrument."""
        gaze = self._gazes.setdefault(player, _Gaze())
        if instrument in gaze.open:
            gaze.open[instrument] += 1
        elif len(gaze.open) < MAX_OPEN:
            self._count(gaze, -1)
            gaze.open[instrument] = 1
            self._count(gaze, 1)

    def close(self, player: int, instrument: int, at: int) -> None:
        """One of them ends; with the last the look is over, at once. What is not open is not closed."""
        gaze = self._gazes.get(player)
        if gaze is None or instrument not in gaze.open:
            return
        if gaze.open[instrument] > 1:
            gaze.open[instrument] -= 1
            return
        self._count(gaze, -1)
        del gaze.open[instrument]
        self._count(gaze, 1)
        self._forget_idle(player, gaze)

    def glance(self, player: int, instrument: int, at: int) -> None:
        """A player has searched for an instrument, or looked it up."""
        gaze = self._gazes.setdefault(player, _Gaze())
        self._count(gaze, -1)
        latest = max(at, gaze.glances.pop(instrument, at))
        gaze.glances[instrument] = latest
        if len(gaze.glances) > MAX_GLANCES:
            del gaze.glances[next(iter(gaze.glances))]
        self._glancing.add(player)

    def scores(self, at: int, cap: int) -> dict[int, int]:
        """Points by instrument, of those that have any; a player gives at most `cap` in all.

        What a player gives is rounded down to whole points for each instrument.
        """
        found: dict[int, int] = {}
        for (instrument, among), players in self._steady.items():
            found[instrument] = found.get(instrument, 0) + players * (cap // among)
        for player in self._glancing:
            for instrument, points in self._points(self._gazes[player], at, cap):
                found[instrument] = found.get(instrument, 0) + points
        return {instrument: points for instrument, points in found.items() if points}

    def reset(self, at: int) -> None:
        """Begin the next interval: glances made up to `at` are used up; what is open counts anew."""
        for player in list(self._glancing):
            gaze = self._gazes[player]
            gaze.glances = {instrument: made for instrument, made in gaze.glances.items() if made > at}
            if not gaze.glances:
                self._glancing.remove(player)
                self._count(gaze, 1)
                self._forget_idle(player, gaze)

    def _points(self, gaze: _Gaze, at: int, cap: int) -> list[tuple[int, int]]:
        strengths = {
            instrument: 0.5 ** (max(0, at - made) / self.half_life_ms)
            for instrument, made in gaze.glances.items()
        } | dict.fromkeys(gaze.open, 1.0)
        whole = max(1.0, sum(strengths.values()))
        return [(instrument, int(cap * strength / whole)) for instrument, strength in strengths.items()]

    def _count(self, gaze: _Gaze, change: int) -> None:
        """Put a player into the sums, or take him out; one with glances is in none, his points change."""
        if gaze.glances:
            return
        among = len(gaze.open)
        for instrument in gaze.open:
            players = self._steady.get((instrument, among), 0) + change
            assert players >= 0, "nobody is taken out who was not in"
            if players:
                self._steady[instrument, among] = players
            else:
                del self._steady[instrument, among]

    def _forget_idle(self, player: int, gaze: _Gaze) -> None:
        if not gaze.open and not gaze.glances:
            del self._gazes[player]


def merge(*scores: Mapping[int, int]) -> dict[int, int]:
    """The scores of several server processes as one.

    It is a sum: a player who is connected to two processes at once can give up to the cap on each.
    """
    found: dict[int, int] = {}
    for each in scores:
        for instrument, points in each.items():
            found[instrument] = found.get(instrument, 0) + points
    return found
