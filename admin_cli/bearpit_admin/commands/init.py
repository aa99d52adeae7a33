"""`bearpit-admin init`: the first operator, made on the server's machine."""

import os
import subprocess
import sys
from typing import Annotated

import typer

from bearpit_admin.beside import SERVER_MODULE, need_server
from bearpit_admin.commands.login import sign_in
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.options import PasswordFile
from bearpit_admin.output import tell
from bearpit_admin.prompts import PASSWORD_VARIABLE, own_password, required
from bearpit_admin.remote import again, here, sentence


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: bearpit-admin init ada")(init)


def init(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The operator's name; asked for if missing.")
    ] = "",
    password_file: PasswordFile = "",
) -> None:
    """Make the first operator, and sign in as such.

    Run it where the server runs: it works on BEARPIT_DATABASE_URL, or on the embedded database. The
    password is asked for, or comes from BEARPIT_PASSWORD or a file.
    """
    need_server()
    name = required(name, "Name", "the NAME")
    password = own_password(password_file, twice=True)
    _make(name, password)
    tell(f"created operator {name}")
    try:
        sign_in(name, password)
    except Failure as failure:
        if failure.exit_code is not Exit.UNREACHABLE:
            raise
        tell(f"not signed in yet. {failure.message}", err=True)
        tell(f"  try: {failure.hint}; then `{again(f'login {name}')}`", err=True)
        return
    tell(f"signed in at {here().server} as {name}")


def _make(name: str, password: str) -> None:
    """Have the server's own program do it: this one knows no database. The password travels unseen."""
    command = [sys.executable, "-m", SERVER_MODULE, "init", "--name", name]
    environment = {**os.environ, PASSWORD_VARIABLE: password}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == Exit.OK:
        return
    said = done.stderr.strip()
    code = Exit(done.returncode) if done.returncode in set(Exit) else Exit.FAILED
    raise Failure(sentence(said.removeprefix("error: ") or "the operator could not be made"), code)
