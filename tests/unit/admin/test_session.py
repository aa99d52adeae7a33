"""Contexts and sign-ins on disk: found again, and nobody else's to read."""

import stat
from pathlib import Path

import pytest
from bearpit_admin import session
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.session import Context, Contexts, SignIn

CAMP = Context("camp", "camp.example.org:7117", "on")
HERE = Context("default", "127.0.0.1:7117")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEARPIT_HOME", str(tmp_path))
    return tmp_path


def sign_in(context: Context) -> SignIn:
    return SignIn(context.server, "ada", "access", 2_000_000_000, "refresh")


def test_without_any_context_there_is_this_machine() -> None:
    contexts = Contexts()
    assert contexts.all() == [HERE]
    assert contexts.get("") == HERE


def test_a_context_that_was_added_and_used_is_there_the_next_time() -> None:
    contexts = Contexts()
    contexts.add(CAMP)
    contexts.use("camp")
    again = Contexts()
    assert again.get("") == CAMP
    assert again.all() == [CAMP, HERE]


def test_a_context_that_is_removed_takes_its_sign_in_along() -> None:
    contexts = Contexts()
    contexts.add(CAMP)
    contexts.use("camp")
    session.save(CAMP, sign_in(CAMP))
    contexts.remove("camp")
    assert Contexts().current == "default"
    assert session.load(CAMP) is None


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65])
def test_a_name_that_is_no_name_is_a_usage_error(name: str) -> None:
    with pytest.raises(Failure) as failure:
        Contexts().add(Context(name, "somewhere:1"))
    assert failure.value.exit_code is Exit.USAGE


def test_a_second_context_of_the_same_name_is_a_conflict() -> None:
    with pytest.raises(Failure) as failure:
        Contexts().add(HERE)
    assert failure.value.exit_code is Exit.CONFLICT


def test_an_unknown_context_is_not_found() -> None:
    with pytest.raises(Failure) as failure:
        Contexts().get("nowhere")
    assert failure.value.exit_code is Exit.CONFLICT


def test_a_sign_in_is_readable_by_its_owner_only(home: Path) -> None:
    session.save(HERE, sign_in(HERE))
    [path] = (home / "admin" / "sign-ins").glob("*.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_sign_in_is_never_taken_to_another_server() -> None:
    session.save(HERE, sign_in(HERE))
    assert session.load(HERE) == sign_in(HERE)
    assert session.load(Context("default", "elsewhere.example.org:7117")) is None


def test_tokens_do_not_show_when_a_sign_in_is_printed() -> None:
    assert "access" not in repr(sign_in(HERE)).replace("access_expires_at", "")
    assert "refresh" not in repr(sign_in(HERE))


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"contexts": 3}', '{"contexts": {"a": 1}}'])
def test_a_broken_file_counts_as_none(content: str, home: Path) -> None:
    (home / "admin").mkdir()
    (home / "admin" / "contexts.json").write_text(content)
    assert Contexts().all() == [HERE]
