"""Files that a command is given to read; `-` is standard input."""

import sys
from pathlib import Path

from bearpit_admin.exits import Exit, Failure


def read_text(file: str) -> str:
    """All of its text. Raises Failure USAGE when it cannot be read."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise Failure(f"{file} cannot be read: {reason}.", Exit.USAGE) from None
