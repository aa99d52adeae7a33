"""Ids that rise: taken from PostgreSQL in blocks, handed out in memory."""

import threading

from bearpit_server.storage import bulk

BLOCK = 1000
"""What one call of the sequence reserves; the sequences are made with this increment."""


class Ids:
    """Hands out the ids of one sequence, from any thread, always rising."""

    def __init__(self, sequence: str) -> None:
        self._sequence = sequence
        self._lock = threading.Lock()
        self._next = 0
        self._end = 0

    def take(self) -> int:
        """The next id; once in a block this asks the database."""
        with self._lock:
            if self._next == self._end:
                (first,) = bulk.execute("SELECT nextval(%s::regclass)", self._sequence).fetchone()
                self._next, self._end = int(first), int(first) + BLOCK
            self._next += 1
            return self._next - 1

    def renew(self) -> None:
        """Forget the block, so that the next id is above all that others were given until now."""
        with self._lock:
            self._next = self._end = 0
