"""Everything for a game on this machine, by one command: server, operator, demo, bots, player, screen.

What it starts it stops: on quitting the screen, on a signal, and when the screen fails.
"""

import asyncio
import contextlib
import ctypes
import getpass
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import platformdirs
from bearpit.client import BearpitError, Client, Timing, connect

from bearpit_admin import session
from bearpit_admin.bots import demo, history
from bearpit_admin.bots.accounts import Accounts, read_accounts, write_accounts, write_private
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.output import tell
from bearpit_admin.prompts import PASSWORD_VARIABLE

OPERATOR = "operator"
USUAL_PORT = 7117
START_SECONDS = 150.0
"""A database that was killed may have a long log to replay."""
PATIENCE_SECONDS = 30.0
"""For a call while the game is being set up, on a machine that is busy with that."""
STOP_SECONDS = 20.0
LOOK_SECONDS = 0.25
PAUSE_BEFORE_REVIVAL = 2.0
TERMINAL_AS_IT_WAS = (
    "\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l\x1b[<u\x1b[?25h\x1b[?1049l\r"
)
"""No mouse, focus or paste reports, plain keys, a cursor, and the ordinary page."""
LOOPBACK = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::", "[::]")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for. `port` 0: the usual one, or any that is free; `seconds` 0: until it is ended."""

    host: str = LOOPBACK
    port: int = 0
    name: str = ""
    headless: bool = False
    seconds: float = 0.0


def data_folder() -> Path:
    """Where the local game keeps its passwords, logs and progress: beside the embedded database."""
    home = os.environ.get("BEARPIT_HOME") or platformdirs.user_data_dir("bearpit", appauthor=False)
    return Path(home) / "play"


def play(wishes: Wishes) -> int:
    """Play until the screen is left; returns its exit status. Raises Failure when it cannot begin."""
    folder = data_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder), _ended_by_signals(), asyncio.Runner() as loop, House(folder, wishes) as house:
        address = house.open(loop)
        if wishes.headless:
            tell(f"playing at {address}; end it with ctrl+c")
            tell(f"  join it: bearpit --server {address}")
            tell(f"  run it: bearpit-admin --server {address} status")
            return house.watch(None)
        tell(f"playing at {address}; opening the screen")
        return house.watch(house.screen(address))


class House:
    """The processes of one game, and the way to open and to close it."""

    def __init__(self, folder: Path, wishes: Wishes) -> None:
        self._folder = folder
        self._wishes = wishes
        self._children: list[Child] = []
        self._screen: subprocess.Popen[bytes] | None = None
        self._terminal: list[Any] | None = None
        self._signed_in = False

    def __enter__(self) -> "House":
        return self

    def __exit__(self, *_: object) -> None:
        for number in _SIGNALS:  # a second ctrl+c must not leave half of it running
            signal.signal(number, signal.SIG_IGN)
        if self._screen is not None:
            self._end_screen(self._screen)
        if self._children:
            tell("closing: bots, server, database")
        for child in reversed(self._children):
            child.stop()

    def open(self, loop: asyncio.Runner) -> str:
        """Start all but the screen; returns the address to play at."""
        port = self._wishes.port or (USUAL_PORT if _is_free(self._wishes.host, USUAL_PORT) else 0)
        tell("starting the server")
        address = self._start_server(port)
        tell("loading the demo game")
        accounts = loop.run(self._prepare(address))
        tell(f"starting the house bots: {len(accounts.makers)} makers, {len(accounts.traders)} traders")
        self._start(
            "bots",
            *("bearpit_admin.bots", "--server", address, "--accounts", str(self._folder / "bots.json")),
            *("--state", str(self._folder / "history.json")),
        )
        return address

    def screen(self, address: str) -> subprocess.Popen[bytes]:
        """The trade screen, in the foreground."""
        who = ["--session", str(self._session_file)] if self._signed_in else ["--name", self._player]
        command = [sys.executable, "-m", "bearpit_tui", "--server", address, *who]
        if sys.stdin.isatty():
            self._terminal = termios.tcgetattr(sys.stdin)
        self._screen = subprocess.Popen(command)
        return self._screen

    def _end_screen(self, screen: subprocess.Popen[bytes]) -> None:
        """End it if it still runs; tidy the terminal if it was not ended in good order."""
        if screen.poll() is None:
            screen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                screen.wait(timeout=3)
            screen.kill()
            screen.wait()
        if screen.returncode and self._terminal is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._terminal)
            print(TERMINAL_AS_IT_WAS, end="", flush=True)

    def watch(self, screen: subprocess.Popen[bytes] | None) -> int:
        """Wait for the screen, or for the time to be up; a server or a bot that fails is started again."""
        ends = time.monotonic() + self._wishes.seconds if self._wishes.seconds else float("inf")
        while time.monotonic() < ends:
            if screen is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._children[0].process.wait(timeout=LOOK_SECONDS)
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return screen.wait(timeout=LOOK_SECONDS)
            for child in self._children:
                child.revive()
        return 0

    def _start(self, name: str, *command: str) -> "Child":
        child = Child(name, (sys.executable, "-m", *command), self._folder / f"{name}.log")
        self._children.append(child)
        return child

    def _start_server(self, port: int) -> str:
        ready = self._folder / "server.port"
        ready.unlink(missing_ok=True)
        host = self._wishes.host
        server = self._start(
            "server", "bearpit_server", "serve", "--address", f"{host}:{port}", "--ready-file", str(ready)
        )
        port = server.port_in(ready)
        # Once more, it must be where its players are.
        listen = server.command.index("--address") + 1
        server.command = (*server.command[:listen], f"{host}:{port}", *server.command[listen + 1 :])
        return f"{LOOPBACK if host in EVERYWHERE else host}:{port}"

    async def _prepare(self, address: str) -> Accounts:
        """The operator, the demo, the player: each made once, and found again later."""
        async with connect(address, timing=Timing(deadline=PATIENCE_SECONDS)) as client:
            await self._operate(client, address)
            known = read_accounts(self._folder / "bots.json")
            accounts = await demo.load(client, history.load(), known)
            write_accounts(self._folder / "bots.json", accounts)
        tell(f"signing {self._player} in")
        self._signed_in = await self._sign_player_in(address)
        return accounts

    async def _operate(self, client: Client, address: str) -> None:
        """Sign in as the operator, who is made when there is none yet."""
        path = self._folder / "operator.json"
        is_first = not path.exists()
        password = _password(path, OPERATOR)
        if is_first:
            made = await asyncio.to_thread(_init_operator, password)
            if made.returncode not in (Exit.OK, Exit.CONFLICT):
                path.unlink()
                raise Failure(f"The operator could not be made: {made.stderr.strip()}")
        try:
            await client.sign_in(OPERATOR, password)
        except BearpitError as error:
            if error.reason != "BAD_CREDENTIALS":
                raise
            path.unlink()
            raise Failure(
                "This game has an operator of its own already.",
                Exit.CONFLICT,
                "sign in with `bearpit-admin login` and use `bearpit-admin demo load`; "
                "or set BEARPIT_HOME to another folder",
            ) from error
        _keep_sign_in(client, address)

    async def _sign_player_in(self, address: str) -> bool:
        """Sign the player in, registered on the first time; False: the screen has to ask for the password."""
        path = self._folder / f"player-{self._player}.json"
        is_new = not path.exists()
        password = _password(path, self._player)
        async with connect(address, timing=Timing(deadline=PATIENCE_SECONDS)) as client:
            try:
                if is_new:
                    await client.register(self._player, password)
                else:
                    await client.sign_in(self._player, password)
            except BearpitError as error:
                if error.reason not in ("ALREADY_EXISTS", "REGISTRATION_CLOSED", "BAD_CREDENTIALS"):
                    raise
                path.unlink()
                return False
            assert client.tokens is not None
            content = {"server": address, "name": self._player, "refresh_token": client.tokens.refresh_token}
            write_private(self._session_file, dict(content))
        return True

    @property
    def _player(self) -> str:
        return self._wishes.name or _local_name()

    @property
    def _session_file(self) -> Path:
        return self._folder / f"session-{self._player}.json"


class Child:
    """A process of ours in the background, with a log."""

    def __init__(self, name: str, command: tuple[str, ...], log: Path) -> None:
        self.name = name
        self.command = command
        self._log = log
        self._ended = 0.0
        self._earlier = log.stat().st_size if log.exists() else 0
        self.process = self._begin()

    def _begin(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # ctrl+c is for us; we end the others in their order
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )

    def port_in(self, ready: Path) -> int:
        """Wait until it says that it is ready. Raises Failure when it does not."""
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends:
            if ready.exists() and (text := ready.read_text()):
                return int(text)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=0.02)
                break
        raise Failure(f"The {self.name} did not start. It said:\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of its log, without that of earlier games."""
        said = self._log.read_bytes()[self._earlier :].decode(errors="replace")
        return "\n".join(said.splitlines()[-8:])

    def revive(self) -> None:
        """Start it again if it has ended, after a pause."""
        if self.process.poll() is None:
            self._ended = 0.0
            return
        now = time.monotonic()
        self._ended = self._ended or now
        if now - self._ended >= PAUSE_BEFORE_REVIVAL:
            self._ended = 0.0
            self.process = self._begin()

    def stop(self) -> None:
        """End it in good order; by force when it does not."""
        self.process.terminate()
        try:
            self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A signal ends the game in good order, as leaving the screen does."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One game a folder. Raises Failure CONFLICT when one runs already."""
    import fcntl

    with (folder / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            port = folder / "server.port"
            address = f"{LOOPBACK}:{port.read_text() if port.exists() else USUAL_PORT}"
            raise Failure(
                "This game is being played already.", Exit.CONFLICT, f"join it: bearpit --server {address}"
            ) from None
        yield


_LIBC = ctypes.CDLL(None)
"""Loaded here: between fork and exec is no time for it."""


def _end_with_parent() -> None:
    """Have Linux send us SIGTERM when the one that started us is killed (prctl PR_SET_PDEATHSIG)."""
    _LIBC.prctl(1, signal.SIGTERM)


def _init_operator(password: str) -> subprocess.CompletedProcess[str]:
    """Have the server's own program do it, as `bearpit-admin init` does."""
    return subprocess.run(
        [sys.executable, "-m", "bearpit_server", "init", "--name", OPERATOR],
        env={**os.environ, PASSWORD_VARIABLE: password},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _keep_sign_in(client: Client, address: str) -> None:
    """Let `bearpit-admin` be used beside the game, unless somebody has signed in with it there already."""
    context = session.Context(session.DEFAULT_NAME, address)
    if session.load(context) is None and (tokens := client.tokens) is not None:
        ends = tokens.access_expires_at.seconds
        session.save(
            context, session.SignIn(address, OPERATOR, tokens.access_token, ends, tokens.refresh_token)
        )


def _password(path: Path, name: str) -> str:
    """The password kept in a file, made up on the first time."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        return str(json.loads(path.read_text(encoding="utf-8"))["password"])
    password = secrets.token_urlsafe(24)
    write_private(path, {"name": name, "password": password})
    return password


def _is_free(host: str, port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError:
            return False
    return True


def _local_name() -> str:
    """Whoever sits here, as a player's name: 3 to 24 of letters, digits, `_`, `-` and `.`."""
    try:
        name = re.sub(r"[^A-Za-z0-9_.-]", "", getpass.getuser())[:24]
    except (OSError, KeyError):
        name = ""
    return name if len(name) >= 3 and name.lower() != OPERATOR else "player"
