"""Where to: named contexts, like kubectl's, and the sign-in that belongs to each."""

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bearpit_admin.exits import Exit, Failure

DEFAULT_NAME = "default"
DEFAULT_PORT = 7117
DEFAULT_SERVER = f"127.0.0.1:{DEFAULT_PORT}"
_ADDRESS = re.compile(r"([^\s:\[\]/]+|\[[0-9a-fA-F:.%]+\])(?::(\d{1,5}))?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Context:
    """One server. `tls` is "" for none, "on" for the known authorities, or a file of one's own."""

    name: str
    server: str
    tls: str = ""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A stored sign-in. It is good for one server and is never shown to another."""

    server: str
    name: str
    access_token: str = field(repr=False)
    access_expires_at: int
    """In epoch seconds, by the server's clock."""
    refresh_token: str = field(repr=False)
    permissions: tuple[str, ...] | None = None
    """What its player might do when it was last renewed; None: not known. For the help only."""


def address_of(text: str) -> str:
    """The server's address, with the usual port where none is named. Raises Failure USAGE."""
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match[2] or DEFAULT_PORT) < 2**16:
        raise Failure(
            f"{text!r} is no address of a server.", Exit.USAGE, f"write it like camp.example:{DEFAULT_PORT}"
        )
    return f"{match[1]}:{match[2] or DEFAULT_PORT}"


def folder() -> Path:
    """Where all this is kept: below BEARPIT_HOME, else in the user's config folder."""
    if home := os.environ.get("BEARPIT_HOME"):
        return Path(home) / "admin"
    import platformdirs

    return Path(platformdirs.user_config_dir("bearpit", appauthor=False)) / "admin"


class Contexts:
    """The contexts there are, and which one holds. Without any there is one: this machine."""

    def __init__(self) -> None:
        self._path = folder() / "contexts.json"
        stored = _read(self._path)
        listed = stored.get("contexts")
        self._all = {
            name: Context(name, str(entry.get("server", "")), str(entry.get("tls", "")))
            for name, entry in (listed.items() if isinstance(listed, dict) else ())
            if isinstance(entry, dict) and _NAME.fullmatch(name)
        } or {DEFAULT_NAME: Context(DEFAULT_NAME, DEFAULT_SERVER)}
        current = stored.get("current")
        self.current = current if isinstance(current, str) and current in self._all else next(iter(self._all))

    def all(self) -> list[Context]:
        """All, by name."""
        return sorted(self._all.values(), key=lambda context: context.name)

    def get(self, name: str) -> Context:
        """The context of that name, or the current one. Raises Failure CONFLICT."""
        context = self._all.get(name or self.current)
        if context is None:
            raise Failure(
                f"There is no context {name}.", Exit.CONFLICT, "list them with `bearpit-admin context list`"
            )
        return context

    def add(self, context: Context, replace: bool = False) -> None:
        """Keep a context. Raises Failure USAGE or CONFLICT."""
        if not _NAME.fullmatch(context.name):
            raise Failure("A context's name is of letters, digits, `_`, `-` and `.`.", Exit.USAGE)
        if context.name in self._all and not replace:
            raise Failure(f"There is a context {context.name} already.", Exit.CONFLICT, "choose another name")
        self._all[context.name] = context
        self._write()

    def use(self, name: str) -> None:
        """Make a context the current one. Raises Failure CONFLICT."""
        self.current = self.get(name).name
        self._write()

    def remove(self, name: str) -> None:
        """Forget a context and its sign-in. Raises Failure CONFLICT."""
        del self._all[self.get(name).name]
        for path in _sign_in_folder().glob(f"{name}@*"):
            path.unlink(missing_ok=True)
        if self.current == name:
            self.current = next(iter(sorted(self._all)), "")
        self._write()

    def _write(self) -> None:
        contexts = {context.name: {"server": context.server, "tls": context.tls} for context in self.all()}
        _write_private(self._path, {"current": self.current, "contexts": contexts})


def load(context: Context) -> SignIn | None:
    """The sign-in at a context's server, if there is one."""
    stored = _read(_sign_in_path(context))
    try:
        sign_in = SignIn(
            server=str(stored["server"]),
            name=str(stored["name"]),
            access_token=str(stored["access_token"]),
            access_expires_at=int(str(stored["access_expires_at"])),
            refresh_token=str(stored["refresh_token"]),
            permissions=_texts(stored.get("permissions")),
        )
    except (KeyError, ValueError):
        return None
    return sign_in if sign_in.server == context.server else None


def save(context: Context, sign_in: SignIn) -> None:
    """Keep a sign-in, readable by its owner only."""
    _write_private(_sign_in_path(context), asdict(sign_in))


def forget(context: Context) -> None:
    """Remove the sign-in at a context's server."""
    _sign_in_path(context).unlink(missing_ok=True)


@contextlib.contextmanager
def renewing(context: Context) -> Iterator[None]:
    """Only one process at a time renews a sign-in: of two uses of a refresh token the second voids it."""
    path = _sign_in_path(context).with_suffix(".lock")
    _make_folder(path.parent)
    with path.open("w", encoding="utf-8") as lock:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sign_in_folder() -> Path:
    return folder() / "sign-ins"


def _sign_in_path(context: Context) -> Path:
    return _sign_in_folder() / f"{context.name}@{re.sub('[^A-Za-z0-9.-]', '_', context.server)}.json"


def _texts(value: object) -> tuple[str, ...] | None:
    return tuple(map(str, value)) if isinstance(value, list) else None


def _read(path: Path) -> dict[str, object]:
    """The object in a file of ours; empty when there is none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _make_folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)


def _write_private(path: Path, content: dict[str, object]) -> None:
    """Write a file whole or not at all, for nobody else's eyes."""
    _make_folder(path.parent)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    fresh.replace(path)
