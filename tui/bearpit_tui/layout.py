"""Which panes there is room for. At 80 columns two, at 118 and more all that the height allows."""

from __future__ import annotations

from collections.abc import Sequence

from bearpit_tui.actions import BOOK, CHART, ORDERS, POSITIONS, TICKET, WATCH

NARROW = 60
"""Below this, one pane at a time."""
WIDE = 118
"""From here on the chart, the book and the orders stand beside the watch list."""
TALL = 36
"""From here on nothing shares its place."""


def visible_panes(width: int, height: int, recent: Sequence[str]) -> frozenset[str]:
    """The panes on show, for a screen of so many cells. `recent` are panes, the last used first."""

    def latest(*panes: str) -> str:
        return next((pane for pane in recent if pane in panes), panes[0])

    if width < NARROW:
        return frozenset({latest(WATCH, CHART, BOOK, ORDERS, POSITIONS, TICKET)})
    if width < WIDE:
        return frozenset({WATCH, latest(CHART, BOOK, ORDERS, POSITIONS, TICKET)})
    if height < TALL:
        return frozenset({WATCH, CHART, latest(ORDERS, POSITIONS), latest(BOOK, TICKET)})
    return frozenset({WATCH, CHART, BOOK, ORDERS, POSITIONS, TICKET})
