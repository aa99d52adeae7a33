"""Candles: merging them, their averages, and the strokes they are drawn with."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bearpit_tui.widgets.canvas import Canvas
from bearpit_tui.widgets.scale import Scale


@dataclass(frozen=True, slots=True)
class CandleBar:
    """What a span of trading came to; prices in cents, `start_epoch` in seconds."""

    start_epoch: int
    open: int
    high: int
    low: int
    close: int
    volume: int

    @property
    def rose(self) -> bool:
        return self.close >= self.open


def merged(bars: Sequence[CandleBar], seconds: int) -> list[CandleBar]:
    """Bars joined by spans of `seconds`, counted from the epoch so that a new bar never shifts the others."""
    joined: list[CandleBar] = []
    for bar in bars:
        last = joined[-1] if joined else None
        if last is not None and last.start_epoch // seconds == bar.start_epoch // seconds:
            joined[-1] = CandleBar(
                last.start_epoch,
                last.open,
                max(last.high, bar.high),
                min(last.low, bar.low),
                bar.close,
                last.volume + bar.volume,
            )
        else:
            joined.append(bar)
    return joined


def spacing(bars: Sequence[CandleBar]) -> int:
    """Seconds from one bar to the next, gaps aside; 60 when two bars are not to be had."""
    gaps = (later.start_epoch - sooner.start_epoch for sooner, later in pairwise(bars))
    return min((gap for gap in gaps if gap > 0), default=60)


def moving_average(bars: Sequence[CandleBar], length: int) -> list[int | None]:
    """The mean of the last `length` closes, in cents rounded down; None while there are too few."""
    total = 0
    means: list[int | None] = []
    for place, bar in enumerate(bars):
        total += bar.close
        if place >= length:
            total -= bars[place - length].close
        means.append(total // length if place >= length - 1 else None)
    return means


# Nothing, wick or body in the upper and in the lower half of a cell.
STROKES = {
    (0, 0): " ",
    (0, 1): "╷",
    (1, 0): "╵",
    (1, 1): "│",
    (0, 2): "╻",
    (2, 0): "╹",
    (2, 2): "┃",
    (1, 2): "╽",
    (2, 1): "╿",
}
# The same with a body as wide as the cell: a half-cell body beside half a wick leaves no room for the wick.
SOLID = {**STROKES, (0, 2): "▄", (2, 0): "▀", (2, 2): "█", (1, 2): "▄", (2, 1): "▀"}


def draw_thin(canvas: Canvas, x: int, top: int, scale: Scale, bar: CandleBar, *, shapes: bool) -> None:
    """One candle, one cell wide; with `shapes` a fallen one is solid, so that it is told without colour."""
    high, low = scale.part(bar.high, 2), scale.part(bar.low, 2)
    above, below = scale.part(max(bar.open, bar.close), 2), scale.part(min(bar.open, bar.close), 2)
    strokes = SOLID if shapes and not bar.rose else STROKES
    tone = "u" if bar.rose else "d"
    for row in range(max(high // 2, 0), min(low // 2, scale.rows - 1) + 1):
        halves = [
            2 if above <= half <= below else 1 if high <= half <= low else 0
            for half in (row * 2, row * 2 + 1)
        ]
        canvas.put(x, top + row, strokes[halves[0], halves[1]], tone)


def draw_wide(canvas: Canvas, x: int, top: int, scale: Scale, bar: CandleBar, width: int) -> None:
    """One candle, `width` cells wide (odd, three or more): hollow when it rose, solid when it fell."""
    high, low = scale.row(bar.high), scale.row(bar.low)
    above, below = scale.row(max(bar.open, bar.close)), scale.row(min(bar.open, bar.close))
    middle, inner = x + width // 2, width - 2
    tone = "u" if bar.rose else "d"
    for row in range(max(high, 0), min(low, scale.rows - 1) + 1):
        y = top + row
        if not above <= row <= below:
            canvas.put(middle, y, "│", tone)
        elif not bar.rose:
            canvas.write(x, y, "█" * width, tone)
        elif above == below:
            canvas.write(x, y, "╺" + "━" * inner + "╸", tone)
        elif row == above:
            canvas.write(x, y, "┏" + "━" * inner + "┓", tone)
            if high < above:
                canvas.put(middle, y, "┻", tone)
        elif row == below:
            canvas.write(x, y, "┗" + "━" * inner + "┛", tone)
            if low > below:
                canvas.put(middle, y, "┳", tone)
        else:
            canvas.write(x, y, "┃" + " " * inner + "┃", tone)


# The bits of a braille cell's dots: left and right column, from the top.
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


def draw_average(
    canvas: Canvas, xs: Sequence[int], top: int, scale: Scale, means: Sequence[int | None], tone: str
) -> None:
    """A dotted line through `means`, which stand in the cells `xs`."""
    cells: dict[tuple[int, int], int] = {}
    bottom = scale.rows * 4
    before: tuple[int, int] | None = None
    for x, mean in zip(xs, means, strict=True):
        if mean is None:
            before = None
            continue
        here = (x * 2, scale.part(mean, 4))
        start = before or here
        width = max(here[0] - start[0], 1)
        for dot in range(start[0], here[0] + 1):
            height = start[1] + (here[1] - start[1]) * (dot - start[0]) // width
            if 0 <= height < bottom:
                cell = (dot // 2, height // 4)
                cells[cell] = cells.get(cell, 0) | DOTS[dot % 2][height % 4]
        before = here
    for (x, row), bits in cells.items():
        canvas.put(x, top + row, chr(0x2800 + bits), tone)


BLOCKS = " ▁▂▃▄▅▆▇█"


def draw_volume(
    canvas: Canvas, x: int, bottom: int, rows: int, width: int, most: int, bar: CandleBar
) -> None:
    """A bar of blocks, standing on row `bottom`, as high as its share of `most`."""
    eighths = max(bar.volume, 0) * rows * 8 // max(most, 1)
    if bar.volume > 0:
        eighths = max(eighths, 1)
    tone = "u" if bar.rose else "d"
    for row in range(rows):
        level = min(eighths - row * 8, 8)
        if level <= 0:
            break
        canvas.write(x, bottom - row, BLOCKS[level] * width, tone)
