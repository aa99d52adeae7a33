"""What each command takes, so that the help says which one may give. The server decides; this only shows.

A command has its own line or its group's. "" is what anybody may do who can sign in. A test holds every
line against the server's own table.
"""

import os
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup

from bearpit_admin import session
from bearpit_admin.exits import Failure
from bearpit_admin.remote import TOKEN_VARIABLE, here

if TYPE_CHECKING:
    from typer._click import HelpFormatter

NEEDS: dict[str, str] = {
    "play": "",
    "init": "",
    "login": "",
    "logout": "",
    "context": "",
    "demo": "SYSTEM_ADMIN",
    "demo scenarios": "",
    "player": "MANAGE_PLAYERS",
    "player list": "VIEW_ALL_PLAYERS",
    "player show": "VIEW_ALL_PLAYERS",
    "player adjust": "GIVE_POINTS",
    "player credit": "GIVE_POINTS",
    "player debt": "GIVE_POINTS",
    "player debts": "VIEW_ALL_PLAYERS",
    "player sudo": "IMPERSONATE",
    "team": "MANAGE_PLAYERS",
    "team list": "",
    "team show": "",
    "booth": "MANAGE_BOOTHS",
    "booth visit": "",
    "arcade": "MANAGE_BOOTHS",
    "role": "SYSTEM_ADMIN",
    "role list": "",
    "role show": "",
    "instruments": "MANAGE_MARKET",
    "instruments list": "",
    "ipo": "MANAGE_MARKET",
    "market": "MANAGE_MARKET",
    "market status": "",
    "mechanism": "MANAGE_MARKET",
    "mechanism list": "",
    "mechanism show": "",
    "mechanism attention": "",
    "news": "MANAGE_MARKET",
    "news list": "",
    "window": "MANAGE_WINDOWS",
    "window list": "",
    "window show": "",
    "window watch": "",
    "settle": "MANAGE_WINDOWS",
    "settle algorithms": "",
    "rollback": "ROLL_BACK",
    "rollback list": "VIEW_AUDIT",
    "rollback show": "VIEW_AUDIT",
    "approve": "APPROVE_ROLLBACK",
    "orders": "VIEW_ALL_PLAYERS",
    "orders cancel": "MANAGE_MARKET",
    "trades": "VIEW_ALL_PLAYERS",
    "code": "CREATE_CODES",
    "duel": "",
    "duel cancel": "MANAGE_PLAYERS",
    "rank": "",
    "rank refresh": "MANAGE_MARKET",
    "badge": "MANAGE_PLAYERS",
    "badge list": "",
    "announce": "CREATE_ANNOUNCEMENT",
    "announce list": "",
    "announce show": "",
    "channel": "",
    "settings": "SYSTEM_ADMIN",
    "token": "SYSTEM_ADMIN",
    "events": "VIEW_AUDIT",
    "listener": "VIEW_AUDIT",
    "listener replay": "SYSTEM_ADMIN",
    "doctor": "VIEW_AUDIT",
    "status": "VIEW_AUDIT",
}
"""The permission by the command."""


WHOLE = 300
"""A command's first sentence is never longer; it is folded into lines rather than cut."""


def need_of(command: str) -> str:
    """The permission that a command takes; a group's is that of most of its commands."""
    return NEEDS.get(command, NEEDS.get(command.partition(" ")[0], ""))


def known_permissions() -> frozenset[str] | None:
    """What the stored sign-in may do, without asking the server; None: that is not known."""
    if os.environ.get(TOKEN_VARIABLE):
        return None
    try:
        stored = session.load(here())
    except (Failure, OSError):
        return None
    return frozenset(stored.permissions) if stored is not None and stored.permissions is not None else None


class Marked(TyperGroup):
    """A group whose help marks the commands that would be refused."""

    def format_commands(self, ctx: typer.Context, formatter: "HelpFormatter") -> None:  # type: ignore[override]
        """The commands, a line each, and what those take that one may not give."""
        may = known_permissions()
        group = ctx.command_path.partition(" ")[2]
        commands = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        rows = []
        for name, command in commands:
            words = command.get_short_help_str(WHOLE)
            missing = _missing(f"{group} {name}".strip(), list(getattr(command, "commands", ())), may)
            rows.append((name, f"{words} (needs {missing})" if missing else words))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _missing(command: str, parts: list[str], may: frozenset[str] | None) -> str:
    """What a command takes and is missing, or every one of a group's parts; empty: nothing, or not known."""
    needs = dict.fromkeys(need_of(f"{command} {part}".strip()) for part in parts or [""])
    if may is None or any(not need or need in may for need in needs):
        return ""
    return " or ".join(needs)
