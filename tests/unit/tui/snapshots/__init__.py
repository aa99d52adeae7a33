"""Screens as plain text; `pytest --snapshot-update` writes them anew, to be looked at."""

from __future__ import annotations

from pathlib import Path

from textual.app import App

SIZES = [(80, 24), (120, 40), (160, 48)]
FOLDER = Path(__file__).parent


class Screens:
    """The kept screens: one plain text file each, to be read and compared like any other text."""

    def __init__(self, update: bool) -> None:
        self._update = update

    def check(self, name: str, text: str) -> None:
        """The text is the one that was kept under this name."""
        path = FOLDER / f"{name}.txt"
        if self._update:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(text)
        assert text == (path.read_text() if path.exists() else "")


def text_of(app: App[None]) -> str:
    """What stands in the terminal, line by line."""
    lines = [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
    return "\n".join(lines) + "\n"
