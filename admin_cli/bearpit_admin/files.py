"""Files that a command is given: to read, where `-` is standard input, and to write."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bearpit_admin.exits import Exit, Failure


def read_text(file: str) -> str:
    """All of its text. Raises Failure USAGE when it cannot be read."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise Failure(f"{file} cannot be read: {reason}.", Exit.USAGE) from None


@contextmanager
def writing(file: str) -> Iterator[None]:
    """A block that writes a file. Raises Failure USAGE when it cannot be written."""
    try:
        yield
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror or error}.", Exit.USAGE) from None
