"""A grid of characters, each with a tone, drawn on in any order and read out by row."""

import re

# What a cell's letter says about its tone: with one letter a cell, a regular expression finds a row's runs.
LETTERS: dict[str, tuple[str, ...]] = {
    " ": (),
    "m": ("muted",),
    "f": ("faint",),
    "s": ("strong",),
    "w": ("warn",),
    "u": ("candle-up",),
    "d": ("candle-down",),
    "U": ("tag-up",),
    "D": ("tag-down",),
    "T": ("tag",),
    "9": ("ma-fast",),
    "2": ("ma-slow",),
}
RUN = re.compile(r"(.)\1*", re.DOTALL)

# A row as it is read out: its text, and its letters, both as long as the canvas is wide.
Row = tuple[str, str]


class Canvas:
    """Cells outside the grid are ignored, so that whoever draws need not clip."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._text = [[" "] * width for _ in range(height)]
        self._tone = [[" "] * width for _ in range(height)]

    def put(self, x: int, y: int, char: str, tone: str) -> None:
        if 0 <= x < self.width and 0 <= y < self.height:
            self._text[y][x] = char
            self._tone[y][x] = tone

    def under(self, x: int, y: int, char: str, tone: str) -> None:
        """Draws only where nothing, or only a grid line, is."""
        if 0 <= x < self.width and 0 <= y < self.height and self._tone[y][x] in " f":
            self._text[y][x] = char
            self._tone[y][x] = tone

    def write(self, x: int, y: int, text: str, tone: str) -> None:
        if not 0 <= y < self.height:
            return
        start, end = max(x, 0), min(x + len(text), self.width)
        if start < end:
            self._text[y][start:end] = text[start - x : end - x]
            self._tone[y][start:end] = tone * (end - start)

    def level(self, end: int, y: int, char: str, tone: str) -> None:
        """A level line from the left edge up to, not including, `end`, over all that is there."""
        if 0 <= y < self.height:
            end = max(0, min(end, self.width))
            self._text[y][:end] = char * end
            self._tone[y][:end] = tone * end

    def rows(self) -> list[Row]:
        return [("".join(text), "".join(tone)) for text, tone in zip(self._text, self._tone, strict=True)]
