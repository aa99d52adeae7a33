"""What the help says a command takes is what the server's table has for the calls that it makes."""

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import FunctionType

import pytest
import typer
from bearpit.client import Client, contract
from bearpit_admin import needs, remote, session
from bearpit_admin.app import app
from bearpit_admin.needs import NEEDS, need_of
from bearpit_admin.remote import here
from bearpit_admin.session import SignIn
from bearpit_server.rules.roles import Permission, permissions_of
from bearpit_server.services.permissions import ACCESS
from typer.testing import CliRunner

Part = FunctionType | type
MANY_CALLS = {"demo load", "demo run", "demo scenario", "play"}
"""Commands that do a whole evening's work by programs of their own."""


def leaves() -> Iterator[tuple[str, Callable[..., object]]]:
    todo: list[tuple[str, typer.core.TyperCommand]] = [("", typer.main.get_command(app))]  # type: ignore[list-item]
    while todo:
        path, command = todo.pop()
        children = getattr(command, "commands", {})
        todo += [(f"{path} {name}".strip(), child) for name, child in children.items()]
        if not children:
            assert command.callback is not None
            yield path, inspect.unwrap(command.callback)


LEAVES = dict(sorted(leaves()))


@cache
def calls_of(command: Part) -> frozenset[str]:
    """The RPCs that a command names, or whatever of ours it uses, by path on the wire."""
    found: set[str] = set()
    seen = {command}
    todo = [command]
    while todo:
        current = todo.pop()
        home = sys.modules[current.__module__]
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(current)))):
            named = None
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
                found |= paths_of(node.value.attr, node.attr)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                owner = Client if node.value.id == "client" else getattr(home, node.value.id, None)
                named = getattr(owner, node.attr, None)
            elif isinstance(node, ast.Name):
                named = getattr(home, node.id, None)
            if isinstance(named, (FunctionType, type)) and named not in seen and is_followed(named):
                seen.add(named)
                todo.append(named)
    return frozenset(found)


def is_followed(part: Part) -> bool:
    """What asks on a command's behalf; what every command does to sign in is nothing of its own."""
    home = part.__module__
    return home == "bearpit.client.game" or (home.startswith("bearpit_admin") and home != remote.__name__)


def paths_of(noun: str, call: str) -> set[str]:
    service = contract.SERVICES.get(noun)
    path = f"/{service.full_name}/{call}" if service is not None else ""
    return {path} & ACCESS.keys()


def test_every_line_of_the_table_is_of_a_command_or_a_group() -> None:
    groups = {path.partition(" ")[0] for path in LEAVES}
    assert NEEDS.keys() <= LEAVES.keys() | groups


@pytest.mark.parametrize("command", sorted(LEAVES.keys() - MANY_CALLS))
def test_a_command_takes_what_its_calls_take(command: str) -> None:
    assert command in NEEDS or command.partition(" ")[0] in NEEDS, "say in needs.py what it takes"
    function = LEAVES[command]
    assert isinstance(function, FunctionType)
    found = {ACCESS[path].permission or Permission.LOOK for path in calls_of(function)}
    permissions = {str(permission) for permission in found - {Permission.LOOK}}
    assert need_of(command) in (permissions or {""})


def test_most_commands_are_found_to_make_a_call() -> None:
    """Else the test above would hold for nothing."""
    silent = {path for path, function in LEAVES.items() if not calls_of(function)}
    assert {path.partition(" ")[0] for path in silent} <= {"context", "init", "play", "demo"}


# --- the help ----------------------------------------------------------------------------------------------


@pytest.fixture(name="help_of")
def make_help_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The help of a group, for somebody with these roles; None: nobody is signed in."""
    monkeypatch.setenv("BEARPIT_HOME", str(tmp_path))
    for variable in ("BEARPIT_SERVER", "BEARPIT_TOKEN"):
        monkeypatch.delenv(variable, raising=False)

    def help_of(group: str, *roles: str) -> str:
        if roles:
            may = tuple(map(str, permissions_of(roles)))
            session.save(here(), SignIn(here().server, "ada", "a", 0, "r", may))
        return " ".join(CliRunner().invoke(app, [*group.split(), "--help"]).output.split())

    return help_of


def test_the_help_marks_what_one_may_not(help_of: Callable[..., str]) -> None:
    said = help_of("player", "points_manager")
    assert "Give or take cash or shares. (needs" not in said
    assert "List players with their cash. (needs" not in said
    assert "Let a disabled player in again. (needs MANAGE_PLAYERS)" in said
    assert "(needs IMPERSONATE)" in said
    whole = help_of("", "points_manager")
    assert "What is traded. (needs" not in whole, "some of it is open to everybody"
    assert "The first sale of an instrument. (needs MANAGE_MARKET)" in whole


@pytest.mark.parametrize("roles", [(), ("admin",)])
def test_the_help_marks_nothing_for_admins_and_for_who_is_not_known(
    roles: tuple[str, ...], help_of: Callable[..., str]
) -> None:
    assert "(needs" not in help_of("", *roles)
    assert "(needs" not in help_of("player", *roles)


def test_the_help_knows_nothing_of_who_holds_a_token(
    help_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "(needs" in help_of("player", "announcer")
    monkeypatch.setenv("BEARPIT_TOKEN", "bps_x")
    assert "(needs" not in help_of("player", "announcer")


def test_the_help_comes_whatever_is_wrong_with_the_context(help_of: Callable[..., str]) -> None:
    help_of("", "announcer")
    result = CliRunner().invoke(app, ["--context", "nowhere", "player", "--help"])
    assert result.exit_code == 0
    assert needs.known_permissions() is None
