"""What there is to see of an instrument whose price forms otherwise than by a book, by its mechanism.

Each file here has one way to show it: `lines`, pure, from the scene to the lines of a pane.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from bearpit_tui import mechanisms
from bearpit_tui.details import attention, feed, window
from bearpit_tui.details.scene import Scene
from bearpit_tui.widgets.facts import Line

Detail = Callable[[Scene, int], tuple[Sequence[Line], int]]
"""The lines for a width in cells, and the one to be kept in sight."""

DETAILS: Mapping[str, Detail] = MappingProxyType(
    {
        mechanisms.FEED: feed.lines,
        mechanisms.ATTENTION: attention.lines,
        mechanisms.WINDOW: window.lines,
    }
)
"""A mechanism that is not here is shown as a book."""
