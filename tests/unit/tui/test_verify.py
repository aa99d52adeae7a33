"""`bearpit verify`: what it prints, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Self

import jwt
import pytest
from bearpit.v1 import auth_pb2, duels_pb2
from bearpit_tui import sessions
from bearpit_tui.__main__ import main
from bearpit_tui.verify import report

from tests.unit.test_client_duels import duel


def test_help_loads_neither_the_screen_nor_the_wire() -> None:
    script = """
import sys
from bearpit_tui.__main__ import main
try:
    main(["verify", "--help"])
except SystemExit:
    pass
assert not {"textual", "rich", "grpc"} & set(sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "bearpit verify 17" in told


def test_a_fair_duel_is_told_line_by_line(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert report(duel())
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "duel 17: ada against bob, 10.00 points each"
    assert all(line.startswith("  ok ") for line in told[1:-1])
    assert told[-1] == "duel 17 went as it must"


def test_what_is_wrong_stands_out(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert not report(duel(winner_name="bob", winner_id=2))
    told = capsys.readouterr().out
    assert "WRONG  rock against scissors: bob did not win" in told
    assert "duel 17 is NOT as it must be: 1 of 6" in told


def test_without_a_sign_in_it_says_what_to_give(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    for arguments, word in (([], "give --name"), (["--name", "ada"], "set BEARPIT_PASSWORD")):
        with pytest.raises(SystemExit) as caught:
            main(["verify", "17", *arguments])
        assert caught.value.code == 2
        assert word in capsys.readouterr().err


class Connected:
    """A client whose server has one duel; what was done with it is kept in `did`."""

    def __init__(self) -> None:
        self.did: list[tuple[str, ...]] = []
        self.on_tokens: Callable[[auth_pb2.Tokens | None], None] = lambda tokens: None
        self.duels = self

    def __call__(self, server: str, *, tls: bool | str) -> Self:
        self.did.append(("connect", server, str(tls)))
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *how: object) -> None:
        pass

    async def sign_in(self, name: str, password: str) -> None:
        self.did.append(("sign in", name, password))

    async def resume(self, refresh_token: str) -> None:
        self.did.append(("resume", refresh_token))
        self.on_tokens(auth_pb2.Tokens(refresh_token="renewed"))

    def use_service_token(self, secret: str) -> None:
        self.did.append(("use", secret))

    async def sign_out(self) -> None:
        self.did.append(("sign out",))

    async def GetDuel(self, request: duels_pb2.GetDuelRequest) -> duels_pb2.GetDuelResponse:  # noqa: N802
        return duels_pb2.GetDuelResponse(duel=duel())


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Connected:
    client = Connected()
    monkeypatch.setattr("bearpit.client.connect", client)
    return client


def verified(*arguments: str) -> bool:
    with pytest.raises(SystemExit) as ended:
        main(["verify", "17", *arguments])
    return ended.value.code == 0


def test_the_stored_sign_in_will_do_and_is_kept_as_it_was_renewed(client: Connected, home: Path) -> None:
    sessions.create("camp:1", "ada", "stored").release()
    assert verified("--server", "camp:1")
    assert client.did == [("connect", "camp:1", "False"), ("resume", "stored")]
    (path,) = (home / "sessions").glob("*.json")
    assert json.loads(path.read_text())["refresh_token"] == "renewed"


def test_the_sign_in_of_an_open_screen_is_left_alone(
    client: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = sessions.create("camp:1", "ada", "stored")
    monkeypatch.setenv("BEARPIT_PASSWORD", "correct horse")
    assert verified("--server", "camp:1", "--name", "ada")
    assert client.did[1:] == [("sign in", "ada", "correct horse"), ("sign out",)]
    assert json.loads(held.path.read_text())["refresh_token"] == "stored"


def test_it_goes_by_the_environment_as_the_screen_does(
    client: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = jwt.encode({"sub": "7", "name": "ada"}, "k" * 64, "HS256")
    monkeypatch.setenv("BEARPIT_SERVER", "camp.example")
    monkeypatch.setenv("BEARPIT_TOKEN", token)
    assert verified("--tls")
    assert client.did == [("connect", "camp.example:7117", "True"), ("use", token)]
