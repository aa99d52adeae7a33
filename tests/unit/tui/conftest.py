"""What every test of the screen has: a home of its own, a fake server, a clock that stands still."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC
from pathlib import Path

import pytest
from bearpit_tui.app import BearpitApp, Surroundings
from bearpit_tui.sessions import StoredSession
from bearpit_tui.settings import Settings, remember
from bearpit_tui.start import Start
from textual.pilot import Pilot

from tests.unit.tui.fake_gateway import FakeGateway
from tests.unit.tui.fakes import NOW
from tests.unit.tui.snapshots import Screens

SERVER = "127.0.0.1:7117"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder where nothing has been kept yet but that the first hint was seen."""
    monkeypatch.setenv("BEARPIT_HOME", str(tmp_path))
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
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
