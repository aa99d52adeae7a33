"""What came of the last thing that was asked for: over the panes' lower edge, so that nothing moves."""

from __future__ import annotations

from bearpit_tui.notices import Notice, Tone
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

GOOD_SECONDS = 8.0
BAD_SECONDS = 30.0


class MessageLine(Static):
    """A notice. It goes away by itself, bad news later than good; escape takes it away at once."""

    DEFAULT_CSS = """
    MessageLine {
        layer: above; dock: bottom; height: auto; max-height: 4; padding: 0 1; margin: 0 0 2 0;
        display: none; background: $panel;
        &.-shown { display: block; }
        &.-good { color: $text-success; }
        &.-warning { color: $text-warning; }
        &.-bad { color: $text-error; text-style: bold; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self.notice: Notice | None = None
        self._fade: Timer | None = None

    def show(self, notice: Notice | None) -> None:
        """Show a notice; None hides the line."""
        if self._fade is not None:
            self._fade.stop()
            self._fade = None
        self.notice = notice
        self.set_class(notice is not None, "-shown")
        if notice is None:
            return
        for tone in Tone:
            self.set_class(tone is notice.tone, f"-{tone.name.lower()}")
        self.update(Content(f"{notice.tone.value} {notice.text}"))
        good = notice.tone in (Tone.GOOD, Tone.INFO)
        self._fade = self.set_timer(GOOD_SECONDS if good else BAD_SECONDS, lambda: self.show(None))
