"""`bearpit verify`: what it prints, and how it ends."""

import subprocess
import sys
from pathlib import Path

import pytest
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


def test_without_a_sign_in_it_says_what_to_give(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BEARPIT_PASSWORD", raising=False)
    for arguments, word in (([], "give --name"), (["--name", "ada"], "set BEARPIT_PASSWORD")):
        with pytest.raises(SystemExit) as caught:
            main(["verify", "17", *arguments])
        assert caught.value.code == 2
        assert word in capsys.readouterr().err
