"""The settings file, what the screen remembers, and stored sign-ins."""

import json
import stat
from pathlib import Path

import pytest
from bearpit_tui import sessions
from bearpit_tui.settings import EXAMPLE, SettingsError, load_remembered, load_settings, remember
from bearpit_tui.start import begin, with_port


def write(home: Path, text: str) -> None:
    (home / "settings.toml").write_text(text)


def test_no_file_means_no_settings() -> None:
    assert load_settings().theme == ""


def test_reads_theme_server_and_keys(home: Path) -> None:
    write(home, 'theme = "nord"\nserver = "camp:1"\n[keys]\nbuy = "B"\nfind = ["/", "ctrl+f"]\n')
    settings = load_settings()
    assert (settings.theme, settings.server) == ("nord", "camp:1")
    assert settings.keymap.overrides() == {"buy": "B", "find": "slash,ctrl+f"}


def test_the_example_is_good(home: Path) -> None:
    write(home, EXAMPLE)
    assert load_settings().theme == "textual-dark"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("theme =", "cannot be read"),
        ('thema = "nord"', 'there is no setting "thema"'),
        ('theme = "norse"', 'there is no theme "norse"; themes are: '),
        ("theme = 3", '"theme" must be a text'),
        ("keys = 3", '"keys" must be a table'),
        ("[keys]\nbuy = 3", '"buy" must be a key in quotes'),
        ('[keys]\nbuy = "s"', 'given to both "buy" and "sell"'),
    ],
)
def test_a_bad_file_is_refused_in_words_with_its_name(home: Path, text: str, words: str) -> None:
    write(home, text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert words in str(caught.value)
    assert "settings.toml" in str(caught.value)


def test_remembers_without_touching_the_settings(home: Path) -> None:
    write(home, "# mine\n")
    remember(theme="nord")
    remember(server="camp:1")
    kept = load_remembered()
    assert (kept.theme, kept.server) == ("nord", "camp:1")
    assert (home / "settings.toml").read_text() == "# mine\n"


def test_a_broken_memory_is_no_trouble(home: Path) -> None:
    (home / "remembered.json").write_text("{")
    assert load_remembered().theme == ""


def test_sign_ins_are_for_their_owner_only(home: Path) -> None:
    session = sessions.create("camp:1", "Ada", "secret")
    assert stat.S_IMODE(session.path.stat().st_mode) == 0o600
    assert json.loads(session.path.read_text())["refresh_token"] == "secret"


def test_a_sign_in_is_found_again_by_server_and_name() -> None:
    sessions.create("camp:1", "Ada", "secret").release()
    assert sessions.find("camp:2") is None
    assert sessions.find("camp:1", "bob") is None
    found = sessions.find("camp:1", "ada")
    assert found is not None
    assert found.refresh_token == "secret"


def test_a_sign_in_in_use_is_left_alone() -> None:
    held = sessions.create("camp:1", "Ada", "secret")
    assert sessions.find("camp:1") is None
    held.release()
    assert sessions.find("camp:1") is not None


def test_a_second_screen_of_the_same_player_keeps_its_own() -> None:
    first = sessions.create("camp:1", "Ada", "one")
    second = sessions.create("camp:1", "Ada", "two")
    assert first.path != second.path
    first.save("newer")
    assert json.loads(second.path.read_text())["refresh_token"] == "two"


def test_a_renewed_token_replaces_the_old_one() -> None:
    session = sessions.create("camp:1", "Ada", "one")
    session.save("two")
    session.release()
    found = sessions.find("camp:1")
    assert found is not None
    assert found.refresh_token == "two"


def test_signing_out_forgets() -> None:
    session = sessions.create("camp:1", "Ada", "one")
    session.forget()
    assert sessions.find("camp:1") is None


def test_a_session_file_brings_its_server(home: Path) -> None:
    path = home / "given.json"
    path.write_text(json.dumps({"server": "camp:1", "refresh_token": "given"}))
    start = begin(load_settings(), load_remembered(), session_file=path)
    assert start.server == "camp:1"
    assert start.session is not None
    start.session.save("renewed")
    assert json.loads(path.read_text())["refresh_token"] == "renewed"


def test_the_server_is_the_options_then_the_settings_then_the_last_one(home: Path) -> None:
    assert begin(load_settings(), load_remembered()).server == "127.0.0.1:7117"
    remember(server="last:1")
    assert begin(load_settings(), load_remembered()).server == "last:1"
    write(home, 'server = "mine"')
    assert begin(load_settings(), load_remembered()).server == "mine:7117"
    assert begin(load_settings(), load_remembered(), server="there:2").server == "there:2"


@pytest.mark.parametrize(
    ("written", "address"),
    [("camp", "camp:7117"), ("camp:1", "camp:1"), ("[::1]", "[::1]:7117"), ("[::1]:1", "[::1]:1")],
)
def test_an_address_without_a_port_gets_the_usual_one(written: str, address: str) -> None:
    assert with_port(written) == address
