"""Looking through a player's eyes: the screen with an operator's token."""

from pathlib import Path

import jwt
import pytest
from bearpit_tui import __main__ as command
from bearpit_tui.eyes import NoEyes, borrow
from bearpit_tui.settings import Remembered, Settings
from bearpit_tui.start import begin

TOKEN = jwt.encode({"sub": "7", "name": "ada"}, "k" * 64, "HS256")


def test_a_token_is_the_sign_in_whoever_else_is_kept_here() -> None:
    start = begin(Settings(), Remembered(), server="camp.example", name="bob", password="x", token=TOKEN)
    assert start.server == "camp.example:7117"
    assert start.session is not None
    assert (start.session.name, start.session.refresh_token) == ("ada", TOKEN)
    assert (start.name, start.password) == ("", "")


def test_a_borrowed_sign_in_is_kept_nowhere(home: Path) -> None:
    before = sorted(home.iterdir())
    session = borrow("camp.example:7117", TOKEN)
    session.save("another", "ada")
    session.release()
    session.forget()
    assert sorted(home.iterdir()) == before
    assert session.refresh_token == ""


@pytest.mark.parametrize("token", ["bps_service", "a.b.c", "a.bnVsbA.c", "a.e30.c", "...", "x"])
def test_what_is_no_players_token_is_told_in_words(
    token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    with pytest.raises(NoEyes):
        borrow("camp.example:7117", token)
    monkeypatch.setenv("BEARPIT_TOKEN", token)
    with pytest.raises(SystemExit) as ended:
        command.main([])
    assert ended.value.code == 2
    assert "bearpit-admin player sudo" in capsys.readouterr().err
