"""The line below the status bar that is there only when something is out of the ordinary."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

KINDS = ("lost", "frozen", "news", "fresh", "headline")


class Banner(Static):
    """One message across the screen, on the colour of its kind; hidden when there is none."""

    DEFAULT_CSS = """
    Banner {
        height: auto; max-height: 4; padding: 0 1; display: none; text-style: bold;
        &.-shown { display: block; }
        &.-lost { background: $error; color: auto; }
        &.-frozen { background: $accent; color: auto; }
        &.-news { background: $primary; color: auto; }
        &.-fresh { background: $warning; color: auto; }
        &.-headline { background: $panel; text-style: none; max-height: 1; }
        &:ansi { background: transparent; text-style: bold reverse; }
        &.-lost:ansi { color: $error; }
        &.-frozen:ansi { color: $accent; }
        &.-news:ansi { color: $primary; }
        &.-fresh:ansi { color: $warning; }
        &.-headline:ansi { text-style: none; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self._shown: tuple[str, str] = ("", "")

    def show(self, kind: str, text: str) -> None:
        """Show a text as one of KINDS; an empty one hides the banner."""
        if (kind, text) == self._shown:
            return
        self._shown = (kind, text)
        self.set_class(bool(text), "-shown")
        for name in KINDS:
            self.set_class(name == kind, f"-{name}")
        self.update(Content(text))
