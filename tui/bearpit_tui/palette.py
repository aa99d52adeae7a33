"""What ctrl+p offers: whatever the screen that is shown says can be done on it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, runtime_checkable

from textual.command import DiscoveryHit, Hit, Hits, Provider

Entry = tuple[str, str, Callable[[], object]]
"""A name, what it does, and how to do it."""


@runtime_checkable
class Offering(Protocol):
    """A screen that can be worked by the palette."""

    def offered(self) -> Iterator[Entry]:
        """What can be done here."""
        ...

    def found(self) -> Iterator[Entry]:
        """What comes up besides, when its name is typed."""
        ...


class ActionProvider(Provider):
    """Finds by its name what the screen offers."""

    async def discover(self) -> Hits:
        screen = self.screen
        entries: Iterable[Entry] = screen.offered() if isinstance(screen, Offering) else ()
        for name, text, run in entries:
            yield DiscoveryHit(name, run, help=text)

    async def search(self, query: str) -> Hits:
        screen, matcher = self.screen, self.matcher(query)
        entries: Iterable[Entry] = (
            (*screen.offered(), *screen.found()) if isinstance(screen, Offering) else ()
        )
        for name, text, run in entries:
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, help=text)
