"""A bare app to put one widget on, and to read what it shows as text."""

from bearpit_tui.colours import Coloured
from textual.app import ComposeResult
from textual.widget import Widget


class Stage(Coloured):
    """One widget, as large as the screen, and the messages it sent."""

    CSS = "Screen > * { width: 100%; height: 100%; }"

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget

    def on_mount(self) -> None:
        self.widget.focus()


def lines(widget: Widget) -> list[str]:
    """The widget's rows as they stand on the screen, without the blanks at their ends."""
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


def tone_names(widget: Widget, y: int) -> list[tuple[str, str, str]]:
    """The pieces of a row: text, colour, background."""
    return [
        (segment.text, str(segment.style.color), str(segment.style.bgcolor))
        for segment in widget.render_line(y)
        if segment.style is not None
    ]
