"""A thread that takes all that waits and does it at once: commands queue, commits are shared."""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

BATCH = 1000
"""The most commands in one batch, so that one transaction stays short."""
BUSY = 8
"""Commands in a batch after which the next one is given time to gather."""
APART_SECONDS = 0.02
"""How far apart batches then begin: one costs about as much, whether it is shared by ten or by a hundred."""
LOOK_SECONDS = 0.1
"""How often it is looked up where the event loop runs."""


class Writer(Generic[T]):
    """Runs `work` on batches of what is put, on one thread of its own, in the order of putting.

    `work` answers for every command of its batch, failures included; what escapes it is logged.
    `begin` is called first, on that thread.
    """

    def __init__(self, name: str, begin: Callable[[], None], work: Callable[[list[T]], None]) -> None:
        self._begin = begin
        self._work = work
        self._queue: queue.SimpleQueue[T | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._started_by = 0

    def start(self) -> None:
        """Begin to work, for whoever runs on this thread."""
        self._started_by = threading.get_native_id()
        self._thread.start()

    def put(self, command: T) -> None:
        """Queue a command, from any thread; returns at once."""
        self._queue.put(command)

    def stop(self) -> None:
        """Finish what was put before, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        self._begin()
        core = -1
        never = threading.Event()
        last, began, looked = 0, 0.0, 0.0
        while True:
            command = self._queue.get()
            if last >= BUSY:
                never.wait(max(0.0, began + APART_SECONDS - time.monotonic()))
            began = time.monotonic()
            if began - looked > LOOK_SECONDS:
                core, looked = _stay_beside(self._started_by, core), began
            batch: list[T] = []
            while command is not None:
                batch.append(command)
                if len(batch) == BATCH:
                    break
                try:
                    command = self._queue.get_nowait()
                except queue.Empty:
                    break
            last = len(batch)
            if batch:
                try:
                    self._work(batch)
                except Exception:
                    logger.exception("a batch of %d failed", len(batch))
            if command is None:
                return


def _stay_beside(thread_id: int, core: int) -> int:
    """Move this thread to the processor core that another one last ran on, where Linux tells which.

    The two share the interpreter's lock, so a second core would not let them run at once: all it does is
    move what both work with from one core's cache to the other's, a sixteenth of the time of an order.
    `core` is where this thread stays already; returns where it stays now.
    """
    try:
        line = Path(f"/proc/self/task/{thread_id}/stat").read_bytes()
        there = int(line.rpartition(b")")[2].split()[36])
        if there != core:
            os.sched_setaffinity(0, {there})  # type: ignore[attr-defined,unused-ignore]
        return there
    except (OSError, AttributeError):
        return core
