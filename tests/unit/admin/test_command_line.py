"""The command line by itself, without a server: its help, its usage errors, how light it is."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from bearpit_admin import session
from bearpit_admin.app import app
from bearpit_admin.session import Context, SignIn
from typer.testing import CliRunner

COMMAND = [sys.executable, "-m", "bearpit_admin"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEARPIT_HOME", str(tmp_path))
    for variable in ("BEARPIT_SERVER", "BEARPIT_TOKEN", "BEARPIT_PASSWORD"):
        monkeypatch.delenv(variable, raising=False)


def paths_of_commands() -> Iterator[tuple[str, ...]]:
    root = typer.main.get_command(app)
    todo: list[tuple[tuple[str, ...], object]] = [((), root)]
    while todo:
        path, command = todo.pop()
        yield path
        todo += [((*path, name), child) for name, child in getattr(command, "commands", {}).items()]


PATHS = sorted(paths_of_commands())
LEAVES = [path for path in PATHS if not any(other[: len(path)] == path != other for other in PATHS)]


def test_has_every_command_that_operators_were_promised() -> None:
    assert {" ".join(path) for path in LEAVES} == {
        "mechanism list", "mechanism show", "mechanism groups", "mechanism create", "mechanism set",
        "mechanism import", "mechanism recordings", "mechanism attention", "mechanism push",
        "window list", "window show", "window create", "window update", "window schedule", "window open",
        "window trade", "window pause", "window resume", "window end", "window close", "window cancel",
        "window watch",
        "settle run", "settle simulate", "settle variants", "settle algorithms",
        "rollback trade", "rollback player", "rollback window", "rollback prices", "rollback list",
        "rollback show", "approve", "news publish", "news list", "news withdraw",
        "init", "login", "logout", "events", "doctor", "status",
        "announce send", "announce list", "announce show", "announce withdraw",
        "channel list", "channel dead", "channel retry",
        "duel list", "duel show", "duel verify", "duel cancel",
        "listener list", "listener replay", "listener failures",
        "player list", "player show", "player create", "player disable", "player enable",
        "player reset-password", "player adjust", "player sudo", "player freeze", "player unfreeze",
        "player credit", "player debt", "player debts",
        "role list", "role show", "role grant", "role revoke",
        "instruments list", "instruments create", "instruments update", "ipo open",
        "market open", "market close", "market pre-open", "market auto", "market halt", "market resume",
        "market schedule", "market status",
        "team create", "team list", "team show", "team update", "team code", "team assign", "team remove",
        "booth create", "booth list", "booth show", "booth update", "booth rotate", "booth close",
        "booth open", "booth visits", "booth visit",
        "arcade create", "arcade list", "arcade show", "arcade limits", "arcade close", "arcade open",
        "arcade statement", "arcade transactions", "arcade void",
        "orders list", "orders cancel", "trades list", "settings list", "settings set",
        "token create", "token list", "token revoke",
        "code create", "code list", "code show", "code qr", "code sheet", "code withdraw", "code redemptions",
        "rank list", "rank show", "rank teams", "rank periods", "rank marks", "rank refresh",
        "badge list", "badge award", "badge revoke",
        "context list", "context use", "context add", "context remove",
        "play", "demo load", "demo run", "demo scenario", "demo scenarios",
    }  # fmt: skip


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    assert "[[" not in result.output, "an optional argument gets its brackets anyway"
    example = " ".join(result.output.partition("Example:")[2].split())
    assert example.startswith(f"bearpit-admin {' '.join(path)}")


GROUPS = [path for path in PATHS if path not in LEAVES]


@pytest.mark.parametrize("path", GROUPS, ids=lambda path: " ".join(path) or "the root")
def test_a_group_alone_shows_its_help_with_an_example_and_whole_sentences(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, list(path))
    assert result.exit_code == 2
    assert "..." not in result.output.partition("Commands:")[2].partition("Example:")[0]
    example = " ".join(result.output.partition("Example:")[2].split())
    assert example.startswith(f"bearpit-admin {path[0] if path else '--context'}")


def test_says_which_version_it_is() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"bearpit-admin {version('bearpit')}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "No such command"),
        (["player", "show"], "NAME"),
        (["player", "adjust", "ada"], "--reason"),
        (["player", "adjust", "ada", "--reason", "x"], "--cash"),
        (["player", "adjust", "ada", "--reason", "x", "--cash", "1", "--shares", "2"], "--cash"),
        (["player", "adjust", "ada", "--reason", "x", "--shares", "2"], "--symbol"),
        (["player", "adjust", "ada", "--reason", "x", "--cash", "1.234"], "12.40"),
        (["player", "create", "ada", "--cash", "lots"], "12.40"),
        (["player", "create", "ada", "--role", "king"], "king"),
        (["player", "sudo", "ada"], "--reason"),
        (["player", "freeze", "ada"], "--reason"),
        (["role", "grant", "ada"], "ROLE"),
        (["role", "grant", "ada", "king"], "king"),
        (["role", "show", "king"], "king"),
        (["player", "list", "--limit", "-1"], "--limit"),
        (["player", "list", "-o", "yaml"], "yaml"),
        (["instruments", "update", "ACME"], "Nothing to change"),
        (["ipo", "open", "ACME", "--price", "12", "--quantity", "many"], "integer"),
        (["ipo", "open", "ACME", "--price", "0", "--quantity", "5"], "no price"),
        (["instruments", "create", "ACME", "--name", "Acme", "--tick", "0"], "no price"),
        (["instruments", "create", "ACME", "--name", "Acme", "--lot", "0"], "--lot"),
        (["instruments", "update", "ACME", "--reference", "-1"], "no price"),
        (["market", "halt"], "--all"),
        (["market", "halt", "ACME", "--all"], "--all"),
        (["market", "schedule", "--days", "1-5"], "--opens"),
        (["market", "schedule", "--remove", "--days", "1-5"], "--remove"),
        (
            ["market", "schedule", "--days", "5-1", "--opens", "09:00", "--closes", "17:00"],
            "before it begins",
        ),
        (["market", "schedule", "--days", "mo", "--opens", "09:00", "--closes", "17:00"], "1-5"),
        (["announce", "send", "hello", "--for", "soon"], "45m"),
        (["instruments", "update", "ACME", "--set", "interval"], "interval_ms=1000"),
        (["instruments", "create", "ACME", "--name", "Acme", "--set", "a=1", "--set", "a=2"], "twice"),
        (["mechanism", "set", "quick"], "Nothing to change"),
        (["mechanism", "create", "quick"], "--mechanism"),
        (["mechanism", "import", "apple", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["mechanism", "push", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["window", "create"], "--title"),
        (["window", "create", "--title", "x", "--opens", "soon"], "+5m"),
        (["window", "create", "--title", "x", "--zone", "Vienna"], "Europe/Vienna"),
        (["window", "create", "--title", "x", "--kind", "saga"], "saga"),
        (["window", "create", "--title", "x", "--set", "depth=1"], "--algorithm"),
        (["window", "create", "--title", "x", "--plan", "p.json", "--algorithm", "linear"], "either"),
        (["window", "create", "--title", "x", "--plan", "nowhere.json"], "nowhere.json cannot be read"),
        (["window", "update", "7"], "Nothing to change"),
        (["window", "update", "7", "--ends", "later"], "+5m"),
        (["window", "watch", "-o", "json"], "jsonl"),
        (["settle", "simulate", "7"], "--algorithm"),
        (["rollback", "trade", "1"], "--reason"),
        (["rollback", "trade", "1", "--reason", "x", "--policy", "steal"], "steal"),
        (["rollback", "player", "ada", "--reason", "x"], "--since"),
        (["rollback", "player", "ada", "--reason", "x", "--since", "-2h", "--window", "7"], "--since"),
        (["rollback", "window", "7", "--reason", "x", "--expires", "soon"], "45m"),
        (["rollback", "prices", "7", "--reason", "x", "--price", "ACME"], "ACME=12.40"),
        (["rollback", "prices", "7", "--reason", "x", "--price", "ACME=0"], "no price"),
        (["rollback", "prices", "7", "--reason", "x", "--price", "A=1", "--price", "a=2"], "twice"),
        (["news", "publish", "x", "--drift", "5"], "-3.5%"),
        (["news", "publish", "x", "--volatility", "2"], "2x"),
        (["news", "publish", "x", "--for", "soon"], "45m"),
        (["news", "publish", "x", "--at", "soon"], "+5m"),
        (["settings", "set", "novalue"], "registration_open=false"),
        (["settings", "set", "fee_bps=1", "fee_bps=2"], "twice"),
        (["token", "create", "kiosk", "--scope", "everything"], "everything"),
        (["token", "create", "kiosk"], "--scope"),
        (["events", "--follow", "-o", "json"], "jsonl"),
        (["play", "--headless", "--address", "127.0.0.1:99999"], "HOST:PORT"),
        (["play", "--headless", "--name", "x"], "3 to 24"),
        (["orders", "cancel", "first"], "integer"),
        (["orders", "cancel", "9" * 20, "--yes"], "too large"),
        (["player", "credit", "ada", "9" * 17, "--reason", "x"], "too large"),
        (["context", "add", "a/b", "somewhere:1"], "letters"),
        (["context", "add", "camp", "somewhere:one"], "camp.example:7117"),
        (["context", "add", "camp", "somewhere:99999"], "camp.example:7117"),
        (["context", "add", "camp", "https://somewhere"], "camp.example:7117"),
        (["context", "add", "camp", "somewhere", "--ca", "nowhere.pem"], "no file nowhere.pem"),
        (["--server", ":", "status"], "camp.example:7117"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_a_usage_error(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert "Value error" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["player", "disable", "ada"],
        ["player", "freeze", "ada", "--reason", "x"],
        ["role", "revoke", "ada", "announcer"],
        ["player", "reset-password", "ada"],
        ["player", "adjust", "ada", "--cash", "-1", "--reason", "x"],
        ["ipo", "open", "ACME", "--price", "12.40", "--quantity", "10"],
        ["market", "close"],
        ["market", "halt", "--all"],
        ["orders", "cancel", "17"],
        ["token", "revoke", "kiosk"],
        ["context", "remove", "default"],
        ["window", "cancel", "7"],
        ["rollback", "trade", "1", "--reason", "x"],
        ["rollback", "player", "ada", "--window", "7", "--reason", "x"],
        ["rollback", "window", "7", "--reason", "x"],
        ["rollback", "prices", "7", "--reason", "x"],
        ["approve", "4"],
        ["approve", "4", "--reject"],
    ],
)
def test_what_is_dangerous_needs_a_yes_where_nobody_can_answer(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "--yes" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "flag"), [(["login"], "NAME"), (["login", "ada"], "--password-file"), (["init"], "NAME")]
)
def test_a_missing_answer_is_an_error_that_names_the_flag(arguments: list[str], flag: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert flag in result.stderr


def test_an_empty_password_file_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    result = CliRunner().invoke(app, ["login", "ada", "--password-file", str(tmp_path / "empty")])
    assert result.exit_code == 2


def test_whoever_is_not_signed_in_is_told_how_to() -> None:
    result = CliRunner().invoke(app, ["player", "list"])
    assert result.exit_code == 4
    assert "bearpit-admin login" in result.stderr


def test_contexts_are_added_used_listed_and_removed() -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["context", "add", "camp", "camp.example.org:7117", "--tls"]).exit_code == 0
    assert runner.invoke(app, ["context", "use", "camp"]).exit_code == 0
    assert runner.invoke(app, ["context", "list"]).stdout.splitlines() == [
        "current\tname\tserver\ttls\tsigned_in_as",
        "yes\tcamp\tcamp.example.org:7117\ton\t",
        "no\tdefault\t127.0.0.1:7117\t\t",
    ]
    assert runner.invoke(app, ["context", "add", "camp", "x:1"]).exit_code == 3
    assert runner.invoke(app, ["context", "use", "elsewhere"]).exit_code == 3
    assert runner.invoke(app, ["--context", "elsewhere", "player", "list"]).exit_code == 3
    assert runner.invoke(app, ["context", "remove", "camp", "--yes"]).exit_code == 0
    assert "camp" not in runner.invoke(app, ["context", "list"]).stdout


def test_a_context_without_a_port_has_the_usual_one() -> None:
    runner = CliRunner()
    for name, server in (("camp", "camp.example"), ("six", "[::1]")):
        assert runner.invoke(app, ["context", "add", name, server]).exit_code == 0
    listed = runner.invoke(app, ["context", "list"]).stdout
    assert "\tcamp.example:7117\t" in listed
    assert "\t[::1]:7117\t" in listed


def test_an_authority_is_found_from_any_folder_and_missed_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = CliRunner()
    authority = tmp_path / "camp.pem"
    authority.write_text("-----BEGIN CERTIFICATE-----")
    monkeypatch.chdir(tmp_path)
    assert runner.invoke(app, ["context", "add", "camp", "127.0.0.1:1", "--ca", "camp.pem"]).exit_code == 0
    monkeypatch.chdir("/")
    assert f"\t{authority}\t" in runner.invoke(app, ["context", "list"]).stdout
    authority.unlink()
    result = runner.invoke(app, ["--context", "camp", "status"])
    assert result.exit_code == 2
    assert f"no file {authority}" in result.stderr


def test_the_way_to_sign_in_is_told_for_the_server_that_was_asked() -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["context", "add", "camp", "127.0.0.1:1"]).exit_code == 0
    said = runner.invoke(app, ["--context", "camp", "status"]).stderr
    assert "`bearpit-admin --context camp login`" in said


@pytest.mark.parametrize("arguments", [["context", "add", "camp", "camp.example"], ["play", "--headless"]])
def test_a_home_that_is_no_folder_is_told_in_words(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BEARPIT_HOME", str(tmp_path / "file"))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert f"{tmp_path}/file/" in result.stderr
    assert "BEARPIT_HOME" in result.stderr


PLAYERS_INSTALL = """
import sys
sys.modules["peewee"] = None
from bearpit_admin import beside
from bearpit_admin.__main__ import main
beside.find_spec = lambda name: None if name == "peewee" else object()
main()
"""


@pytest.mark.parametrize("arguments", [["play", "--headless"], ["init", "ada"]])
def test_a_players_install_is_told_what_the_server_takes(arguments: list[str]) -> None:
    command = [sys.executable, "-c", PLAYERS_INSTALL, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "[server]" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_loads_neither_grpc_nor_rich_nor_the_contract() -> None:
    look = (
        "import sys; from bearpit_admin.app import app; import typer; typer.main.get_command(app); "
        "heavy = ('grpc', 'rich', 'google.protobuf', 'bearpit', 'platformdirs', 'textual'); "
        "print([module for module in heavy if module in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


def test_the_shell_is_given_a_completion_script_and_completions() -> None:
    environment = {"PATH": "/usr/bin:/bin", "_BEARPIT_ADMIN_COMPLETE": "complete_bash"}
    words = {"COMP_WORDS": "bearpit-admin pla", "COMP_CWORD": "1"}
    done = subprocess.run(COMMAND, env=environment | words, capture_output=True, text=True, check=False)
    assert "player" in done.stdout.split()


@pytest.mark.parametrize(("name", "who"), [("ada", "signed in as ada"), ("", "not signed in")])
def test_the_contexts_are_listed_with_a_server_that_is_named_for_once(name: str, who: str) -> None:
    if name:
        context = Context("default", "camp.example:7117")
        session.save(context, SignIn(context.server, name, "access", 2_000_000_000, "refresh"))
    result = CliRunner().invoke(app, ["--server", "camp.example", "context", "list"])
    assert result.stdout.splitlines()[1:] == ["yes\tdefault\t127.0.0.1:7117\t\t"]
    assert f"leads to camp.example:7117 instead; {who} there" in result.stderr
    assert CliRunner().invoke(app, ["context", "list"]).stderr == ""
