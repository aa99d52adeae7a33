"""The chart with the keys that the registry leaves to it: zoom belongs to the screen and can be remapped."""

from __future__ import annotations

from typing import ClassVar

from bearpit_tui.widgets.chart import CandleChart
from textual.binding import Binding, BindingType


class ChartPane(CandleChart, inherit_bindings=False):
    """A candle chart whose fixed keys only move about inside it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "pan(1)", "Earlier", show=False),
        Binding("right", "pan(-1)", "Later", show=False),
        Binding("pageup", "pan_page(1)", "Page earlier", show=False),
        Binding("pagedown", "pan_page(-1)", "Page later", show=False),
        Binding("end", "latest", "Latest", show=False),
        Binding("shift+left", "cross(-1)", "Crosshair left", show=False),
        Binding("shift+right", "cross(1)", "Crosshair right", show=False),
    ]
