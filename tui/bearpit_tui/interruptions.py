"""What interrupts the player: what happened while away, once, and urgent announcements, one after another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bearpit_tui.model import Announcement, Priority
from bearpit_tui.screens.away import AwayScreen
from bearpit_tui.screens.live import LiveScreen, Seat
from bearpit_tui.settings import load_remembered, remember
from bearpit_tui.state import State, announcements
from textual.app import App

MOST = 200
"""Announcements that are remembered as read."""


SHORTEST = timedelta(minutes=1)
"""Who was away for less has only opened the screen again; the inbox has what happened."""


def _worth_telling(state: State) -> bool:
    return state.away is not None and state.away.until - state.away.since >= SHORTEST


class Interruptions:
    """Interrupts one signed-in player, with one box at a time."""

    def __init__(
        self,
        app: App[None],
        seat: Seat,
        seen: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        """`seen` is called when the player has seen what happened while away; `clock` counts seconds."""
        self._app = app
        self._seat = seat
        self._seen = seen
        self._clock = clock
        self._busy = False
        self._told_away = False
        self._read = set(load_remembered().acknowledged)

    def follow(self, state: State) -> None:
        """Interrupt, if there is something to interrupt for and nothing does so already."""
        if self._busy or not any(isinstance(screen, LiveScreen) for screen in self._app.screen_stack):
            return
        urgent = self._urgent(state)
        if urgent:
            self._announce(urgent[-1], len(urgent) - 1)
        elif _worth_telling(state) and not self._told_away and not self._reading:
            self._told_away = True
            self._busy = True
            assert state.away is not None
            box = AwayScreen(state.away, self._seat.keys, self._seat.zone)
            self._app.push_screen(box, self._back_from_away)

    @property
    def _reading(self) -> bool:
        """Whether the player has a box open, which a summary may wait for."""
        return not isinstance(self._app.screen, LiveScreen)

    def _urgent(self, state: State) -> list[Announcement]:
        said = announcements(state, self._seat.clock())
        return [one for one in said if one.priority is Priority.URGENT and self._key(one) not in self._read]

    def _key(self, one: Announcement) -> str:
        return f"{self._seat.feed.state.server} {one.announcement_id}"

    def _announce(self, one: Announcement, waiting: int) -> None:
        from bearpit_tui.screens.urgent import UrgentScreen  # Markdown is slow to import, and rarely needed

        self._busy = True

        def read(_: None) -> None:
            self._read.add(self._key(one))
            kept = (*load_remembered().acknowledged, self._key(one))[-MOST:]
            remember(acknowledged=kept)
            self._go_on()

        self._app.push_screen(UrgentScreen(one, self._seat.zone, self._clock, waiting=waiting), read)

    def _back_from_away(self, _: None) -> None:
        self._seen()
        self._go_on()

    def _go_on(self) -> None:
        self._busy = False
        # Not from within the dismissal of the box before: that one has to be gone first.
        self._app.call_later(lambda: self.follow(self._seat.feed.state))
