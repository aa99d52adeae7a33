"""Keeps the garbage collector from stopping the screen."""

import gc

# Every strip Textual draws is a ring of references: some 8,000 objects a second that only the collector
# frees. In portions of 2,000, and of a few of those, that takes one to four milliseconds. After `gc.freeze`
# the interpreter's own rule for full collections (a quarter as many new objects as old ones) would ask for
# one every few seconds, of 10 to 25 ms each; the last number makes them a matter of many minutes.
THRESHOLDS = (2_000, 4, 1_000)


def shorten_pauses() -> None:
    """Call once the screen is up: what exists by then stays, and is not looked through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
