"""How far long work is: a bar on a terminal's standard error, and nothing where nobody looks."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bearpit_admin.output import printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class Progress:
    """A bar, for `with`; it is gone when the work is over."""

    def __init__(self, what: str) -> None:
        self._bar = _bar() if sys.stderr.isatty() else None
        self._task = self._bar.add_task(what, total=None) if self._bar else None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, done: int, total: int, step: str = "") -> None:
        """Show how much is done, and what happens now."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total or None)
            if step:
                self._bar.update(self._task, description=printable(step))


def _bar() -> "Bar":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr),
        transient=True,
    )
