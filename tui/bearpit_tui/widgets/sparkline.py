"""A history in one line of blocks."""

from functools import lru_cache

BLOCKS = "▁▂▃▄▅▆▇█"


@lru_cache(maxsize=2048)
def sparkline(history: tuple[int, ...], width: int) -> str:
    """The last `width` values, flush right, between lowest and highest; a flat line if all are equal."""
    shown = history[-width:] if width > 0 else ()
    if not shown:
        return " " * max(width, 0)
    low, high = min(shown), max(shown)
    span = high - low
    top = len(BLOCKS) - 1
    line = "".join(BLOCKS[(value - low) * top // span] for value in shown) if span else BLOCKS[2] * len(shown)
    return line.rjust(width)
