"""Names as they are scanned or typed, one a line, while calls are under way."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import suppress

AHEAD = 100
"""Names that are read before they can be served."""


async def scanned() -> AsyncIterator[str]:
    """The lines of standard input that are not empty, until it ends."""
    lines: asyncio.Queue[str | None] = asyncio.Queue(AHEAD)
    loop = asyncio.get_running_loop()
    # A thread that nobody waits for: reading takes as long as it likes, and ctrl+c must end the command.
    threading.Thread(target=_read, args=(lines, loop), daemon=True).start()
    while (line := await lines.get()) is not None:
        if name := line.strip():
            yield name


def _read(lines: "asyncio.Queue[str | None]", loop: asyncio.AbstractEventLoop) -> None:
    with suppress(RuntimeError, CancelledError):  # nobody listens any more
        for line in sys.stdin:
            asyncio.run_coroutine_threadsafe(lines.put(line), loop).result()
        asyncio.run_coroutine_threadsafe(lines.put(None), loop).result()
