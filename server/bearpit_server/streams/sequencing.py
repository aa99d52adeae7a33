"""Numbered records put in order: those that come early wait for those that come late."""

from typing import Generic, TypeVar

R = TypeVar("R")


class Sequencer(Generic[R]):
    """Takes numbered records in any order, more than once if need be, and gives each once, in order."""

    def __init__(self) -> None:
        self.last: int | None = None
        """The number up to which all has been given; None until `advance` says where to begin."""
        self._early: dict[int, R] = {}

    def __len__(self) -> int:
        """Records that wait."""
        return len(self._early)

    @property
    def highest(self) -> int:
        """The highest number that waits; 0: none does."""
        return max(self._early, default=0)

    def advance(self, to: int) -> list[tuple[int, R]]:
        """Go on after this number, giving up what is missing before it; returns what follows it."""
        self.last = to if self.last is None else max(self.last, to)
        for number in [number for number in self._early if number <= self.last]:
            del self._early[number]
        return self._ready()

    def push(self, number: int, record: R) -> list[tuple[int, R]]:
        """Take a record in; returns those that are now in order."""
        if self.last is not None and number <= self.last:
            return []
        self._early[number] = record
        return self._ready()

    def _ready(self) -> list[tuple[int, R]]:
        ready: list[tuple[int, R]] = []
        if self.last is not None:
            while (record := self._early.pop(self.last + 1, None)) is not None:
                self.last += 1
                ready.append((self.last, record))
        return ready
