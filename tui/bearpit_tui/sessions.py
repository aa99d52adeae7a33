"""Stored sign-ins: one file a player and server, readable by its owner only, used by one screen at a time.

A refresh token is good once. Two screens sharing one would void each other's sign-in, so a stored
sign-in is locked while a screen uses it; a second screen on the same machine signs in for itself.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from bearpit_tui.places import data_folder, read_texts, write_private

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no such lock; there the last screen to sign in wins
    fcntl = None  # type: ignore[assignment]


@dataclass(slots=True)
class StoredSession:
    """A place for one sign-in, locked for this process."""

    path: Path
    server: str
    name: str
    refresh_token: str
    lock: int | None = None
    """The descriptor that holds the lock; the system lets go of it when the process ends, however it ends."""

    def save(self, refresh_token: str, name: str = "") -> None:
        """Keep the newest refresh token; the older ones are worth nothing any more."""
        if refresh_token == self.refresh_token and name in ("", self.name):
            return
        self.refresh_token = refresh_token
        self.name = name or self.name
        write_private(
            self.path, {"server": self.server, "name": self.name, "refresh_token": self.refresh_token}
        )

    def forget(self) -> None:
        """Remove the sign-in, as after signing out."""
        self.refresh_token = ""
        self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Let another screen use it."""
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


def open_file(path: Path, server: str = "") -> StoredSession:
    """A session file named on the command line; the server stands in it, unless one is given."""
    texts = read_texts(path)
    return StoredSession(
        path=path,
        server=server or texts.get("server", ""),
        name=texts.get("name", ""),
        refresh_token=texts.get("refresh_token", ""),
    )


def find(server: str, name: str = "", folder: Path | None = None) -> StoredSession | None:
    """The stored sign-in at a server last used, of that name if one is given, that no other screen uses."""
    folder = folder or data_folder() / "sessions"
    stored = [
        StoredSession(path, texts["server"], texts["name"], texts["refresh_token"])
        for path in _newest_first(folder)
        if {"server", "name", "refresh_token"} <= (texts := read_texts(path)).keys()
    ]
    for session in stored:
        matches = session.server == server and (not name or session.name.lower() == name.lower())
        if matches and session.refresh_token and _lock(session):
            # Another screen may have renewed it between our reading and our locking.
            session.refresh_token = read_texts(session.path).get("refresh_token", "")
            return session
    return None


def create(server: str, name: str, refresh_token: str, folder: Path | None = None) -> StoredSession:
    """Store a fresh sign-in; beside the one that another screen holds, if one does."""
    folder = folder or data_folder() / "sessions"
    place = re.sub(r"[^A-Za-z0-9.-]", "_", f"{server}-{name.lower()}")
    session = StoredSession(folder / f"{place}.json", server, name, "")
    if _lock(session):
        session.save(refresh_token)
    else:
        session = StoredSession(folder / f"{place}.{os.getpid()}.json", server, name, "")
        _lock(session)
        session.save(refresh_token)
    return session


def _newest_first(folder: Path) -> list[Path]:
    def age(path: Path) -> float:
        with contextlib.suppress(OSError):
            return -path.stat().st_mtime
        return 0.0

    return sorted(folder.glob("*.json"), key=age) if folder.is_dir() else []


def _lock(session: StoredSession) -> bool:
    if fcntl is None:  # pragma: no cover - see above
        return True
    session.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(session.path.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return False
    session.lock = lock
    return True
