"""Panes: the framed parts that screens are made of."""

from typing import TypeVar

from textual.widget import Widget

W = TypeVar("W", bound=Widget)


def pane(widget: W, title: str = "") -> W:
    """The widget, framed. Before it is mounted: what is there already would be styled once more."""
    widget.border_title = title
    widget.add_class("pane", update=False)
    return widget
