"""The options of `bearpit`, and what it takes to read them."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from bearpit_tui.__main__ import main


def test_help_loads_neither_the_screen_nor_the_wire() -> None:
    script = """
import sys
from bearpit_tui.__main__ import main
try:
    main(["--help"])
except SystemExit:
    pass
assert not {"textual", "rich", "grpc"} & set(sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "bearpit --server camp.example:7117" in told


def test_the_state_and_the_language_load_without_the_screen() -> None:
    script = """
import sys
import bearpit_tui.state, bearpit_tui.commands, bearpit_tui.words, bearpit_tui.prefill, bearpit_tui.notices
assert not {"textual", "grpc"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert version("bearpit") in capsys.readouterr().out


def test_tells_where_the_settings_are(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    main(["--settings"])
    told = capsys.readouterr().out
    assert str(home / "settings.toml") in told
    assert "[keys]" in told


def test_a_missing_session_file_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--session", "/nowhere/at/all"])
    assert "there is no file /nowhere/at/all" in capsys.readouterr().err
