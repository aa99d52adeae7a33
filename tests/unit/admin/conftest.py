"""What the tests of the command line may ask for."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from bearpit_admin import remote

from tests.unit.admin.desk import Desk


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The options before the command are kept for a process; others' commands may have run in this one."""
    monkeypatch.setattr(remote.choice, "context", "")
    monkeypatch.setattr(remote.choice, "server", "")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A server of canned answers, which the commands talk to. It lives on their own event loop."""
    made = Desk()
    loop = remote._loop()

    async def start() -> tuple[grpc.aio.Server, int]:
        server = grpc.aio.server(handlers=[made], options=[("grpc.so_reuseport", 0)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, port

    server, port = loop.run(start())
    monkeypatch.setenv("BEARPIT_HOME", str(tmp_path))
    monkeypatch.setenv("BEARPIT_SERVER", f"127.0.0.1:{port}")
    monkeypatch.setenv("BEARPIT_TOKEN", "a-service")
    yield made
    loop.run(server.stop(None))


@pytest.fixture
def somebody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions can be answered."""
    for module in ("prompts", "undoing"):
        monkeypatch.setattr(f"bearpit_admin.{module}.is_interactive", lambda: True)
