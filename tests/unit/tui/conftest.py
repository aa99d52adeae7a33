"""What every test of the screen has: a home of its own, a fake server, a clock that stands still."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
import textual._time
from bearpit_tui.app import BearpitApp, Surroundings
from bearpit_tui.sessions import StoredSession
from bearpit_tui.settings import Settings, remember
from bearpit_tui.start import Start
from textual.pilot import Pilot

from tests.unit.tui.fake_gateway import FakeGateway
from tests.unit.tui.fakes import NOW
from tests.unit.tui.snapshots import Screens

SERVER = "127.0.0.1:7117"


class Hurry(selectors.DefaultSelector):
    """Waits for threads only: with nothing to do now, it is the time of what comes next."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout if self.threads or timeout is None else 0)
        if not ready and timeout:
            self.time += timeout
        return ready


class HurriedLoop(asyncio.SelectorEventLoop):
    """A loop whose time stands still while something is done, and then jumps to the next timer.

    A test of the screen takes no longer than its work, and a busy machine does not change what it sees.
    """

    def __init__(self) -> None:
        self._hurry = Hurry()
        super().__init__(self._hurry)

    def time(self) -> float:
        return self._hurry.time

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        def over(_: asyncio.Future[Any]) -> None:
            self._hurry.threads -= 1

        future = super().run_in_executor(executor, func, *args)
        self._hurry.threads += 1
        future.add_done_callback(over)
        return future


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Hurry, but where a real server has to be waited for."""
    return {"loop": asyncio.new_event_loop if item.get_closest_marker("real_time") else HurriedLoop}


def loop_time() -> float:
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder where nothing has been kept yet but that the first hint was seen."""
    monkeypatch.setenv("BEARPIT_HOME", str(tmp_path))
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setattr(textual._time, "get_time", loop_time)
    # What the screen does and looks like must not depend on who runs the tests, and where.
    for name in ("BEARPIT_SERVER", "BEARPIT_TOKEN", "BEARPIT_PASSWORD", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    remember(hint_seen=True)
    return tmp_path


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def session(home: Path) -> StoredSession:
    return StoredSession(home / "session.json", SERVER, "ada", "stored token")


@pytest.fixture
def screens(request: pytest.FixtureRequest) -> Screens:
    return Screens(bool(request.config.getoption("--snapshot-update")))


STILL = Surroundings(clock=lambda: NOW, zone=UTC, frame_seconds=0.0, settle_seconds=0.0)


@pytest.fixture
def app(gateway: FakeGateway, session: StoredSession) -> BearpitApp:
    """The screen with a stored sign-in."""
    return BearpitApp(Start(SERVER, session=session), gateway.connector(), Settings(), STILL)


Until = Callable[["Pilot[None]", Callable[[], object]], Awaitable[None]]


async def until(pilot: Pilot[None], condition: Callable[[], object], pauses: int = 3_000) -> None:
    """Let the app work until something is so."""
    for _ in range(pauses):
        if condition():
            return
        await pilot.pause(0.01)
    raise AssertionError("it never came to be")
