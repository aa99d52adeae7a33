"""Asking: for a yes, for a password. Without a terminal a missing answer is an error that names the flag."""

import os
import sys
from pathlib import Path

import typer

from bearpit_admin.exits import Exit, Failure

PASSWORD_VARIABLE = "BEARPIT_PASSWORD"  # noqa: S105 - its name


def is_interactive() -> bool:
    """Whether somebody can answer."""
    return sys.stdin.isatty()


def confirm(question: str, yes: bool, dry_run: bool = False) -> None:
    """Go on only after a yes."""
    if yes or dry_run:
        return
    if not is_interactive():
        raise Failure(f"{question} Nobody is there to answer.", Exit.USAGE, "add --yes")
    if not typer.confirm(question, err=True):
        raise Failure("Nothing was changed.")


def required(value: str, question: str, flag: str) -> str:
    """The value, asked for if it is missing."""
    if value:
        return value
    if not is_interactive():
        raise Failure(f"{question} is missing.", Exit.USAGE, f"give {flag}")
    answer: str = typer.prompt(question, err=True)
    return answer


def own_password(file: str, twice: bool = False) -> str:
    """One's own password: from a file, from the environment, or asked for without an echo."""
    if file:
        return from_file(file)
    if given := os.environ.get(PASSWORD_VARIABLE, ""):
        return given
    if not is_interactive():
        raise Failure(
            "The password is missing.", Exit.USAGE, f"give --password-file FILE, or set {PASSWORD_VARIABLE}"
        )
    answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=twice, err=True)
    return answer


def from_file(file: str) -> str:
    """The first line of a file, or of standard input."""
    try:
        text = sys.stdin.readline() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Failure(f"{file} cannot be read: {reason}.", Exit.USAGE) from None
    password = text.partition("\n")[0].removesuffix("\r")
    if not password:
        raise Failure(f"{file} has no password in its first line.", Exit.USAGE)
    return password
