"""Bars are for terminals, and for their standard error."""

import sys

import pytest
from bearpit_admin.progress import Progress


def work() -> None:
    with Progress("settling window 7") as progress:
        progress.tell(1, 4)
        progress.tell(3, 4, "finding [red]prices\x1b[31m")


def test_a_pipe_is_told_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    work()
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_how_far_it_is_and_nothing_that_commands_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    work()
    said = capsys.readouterr()
    assert said.out == ""
    assert "3/4" in said.err
    assert "finding [red]prices\ufffd[31m" in said.err
