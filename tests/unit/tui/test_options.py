"""The options that all commands share, and what the environment says where they say nothing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from bearpit_tui import __main__ as screen
from bearpit_tui import verify
from bearpit_tui.board import command as board
from bearpit_tui.options import opening, parser_of, tls_of
from bearpit_tui.settings import remember
from bearpit_tui.start import Start


def opened(*arguments: str, session_file: Path | None = None) -> Start:
    parser = parser_of("bearpit", "", "")
    return opening(parser, parser.parse_args(arguments), session_file=session_file)[1]


@pytest.mark.parametrize(
    ("options", "before"), [(screen.options, []), (board.options, []), (verify.options, ["17"])]
)
def test_every_command_has_them(
    options: Callable[[], argparse.ArgumentParser], before: list[str], home: Path
) -> None:
    authority = home / "cert.pem"
    authority.touch()
    written = [*before, "--server", "camp", "--name", "ada", "--tls", "--ca", str(authority)]
    chosen = options().parse_args(written)
    assert (chosen.server, chosen.name, tls_of(chosen)) == ("camp", "ada", str(authority))
    assert tls_of(options().parse_args([*before, "--tls"])) is True
    assert tls_of(options().parse_args(before)) is False


def test_the_environment_comes_after_the_option_and_before_the_settings(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    (home / "settings.toml").write_text('server = "mine"')
    remember(server="last:1")
    assert opened().server == "mine:7117"
    monkeypatch.setenv("BEARPIT_SERVER", "camp.example")
    assert opened().server == "camp.example:7117"
    assert opened("--server", "there:2").server == "there:2"


def test_a_session_file_is_not_sent_to_another_server(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("BEARPIT_SERVER", "camp.example")
    path = home / "given.json"
    path.write_text(json.dumps({"server": "camp:1", "refresh_token": "given"}))
    assert opened(session_file=path).server == "camp:1"


def test_the_password_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEARPIT_PASSWORD", "correct horse")
    start = opened("--name", "ada")
    assert (start.name, start.password) == ("ada", "correct horse")


@pytest.mark.parametrize("main", [screen.main, board.main, lambda given: verify.main(["17", *given])])
def test_bad_settings_and_a_missing_file_are_told_at_once(
    main: Callable[[list[str]], None], capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    (home / "settings.toml").write_text('[keys]\nbuy = "s"\n')
    for given, words in (([], 's is given to both "buy"'), (["--ca", "/not/there"], "no file /not/there")):
        with pytest.raises(SystemExit) as ended:
            main(given)
        assert ended.value.code == 2
        assert words in capsys.readouterr().err
