"""The command line: its options before the command, its commands, and how it fails."""

import errno
import sys
from typing import Annotated

import typer

from bearpit_admin import remote
from bearpit_admin.commands import (
    announce,
    approve,
    arcade,
    badge,
    booth,
    channel,
    code,
    context,
    debt,
    demo,
    doctor,
    duel,
    events,
    init,
    instruments,
    ipo,
    listener,
    login,
    market,
    mechanism,
    news,
    orders,
    play,
    player,
    rank,
    role,
    rollback,
    settings,
    settle,
    status,
    team,
    token,
    trades,
    window,
)
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.needs import Marked

TOO_LARGE = "Value out of range: "
"""What a message says of a number that has more than its field's 32 or 64 bits."""


class Commands(Marked):
    """The commands. A Failure, or one of a disk, is said in words on standard error."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override] # its own type is private
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")  # what checks it for typer says so
            raise
        except Failure as failure:
            typer.echo(f"error: {failure.message}", err=True)
            if failure.hint:
                typer.echo(f"  try: {failure.hint}", err=True)
            raise typer.Exit(failure.exit_code) from failure
        except ValueError as error:
            if not str(error).startswith(TOO_LARGE):
                raise
            raise typer.BadParameter(f"{str(error).removeprefix(TOO_LARGE)} is too large a number") from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # a reader that has seen enough
                raise
            where = f"{error.filename}: " if error.filename else ""
            typer.echo(f"error: {where}{error.strerror or error}.", err=True)
            if where:
                typer.echo("  try: set BEARPIT_HOME to a folder of yours with room in it", err=True)
            raise typer.Exit(Exit.FAILED) from error


EPILOG = """
Example: bearpit-admin --context camp player list --search ada

From the environment: BEARPIT_SERVER (as --server), BEARPIT_TOKEN (a service's, or from `player sudo`;
in place of a sign-in), BEARPIT_PASSWORD (for login and init), BEARPIT_HOME (where sign-ins are kept),
NO_COLOR.

Amounts are points, to the cent. Times are shown in UTC; those you give without an offset are where you are.

Ends with 0 ok, 1 failed, 2 usage, 3 not found or conflict, 4 not allowed, 5 no server reached.
"""

app = typer.Typer(
    name="bearpit-admin",
    cls=Commands,
    help="Run the game: players, instruments, the market, and the proofs that its ledger adds up.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"bearpit-admin {version('bearpit')}")
        raise typer.Exit


@app.callback()
def options(
    context_name: Annotated[
        str, typer.Option("--context", metavar="NAME", help="The server to talk to; see `context list`.")
    ] = "",
    server: Annotated[
        str, typer.Option("--server", metavar="HOST[:PORT]", help="Another server, for this once.")
    ] = "",
    _: Annotated[
        bool,
        typer.Option("--version", help="Say which version this is.", callback=_tell_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options that come before the command."""
    remote.choice.context = context_name
    remote.choice.server = server
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")


debt.register(player.app)
for group in (
    player, role, team, booth, arcade, instruments, ipo, mechanism, window, settle, rollback, news, code,
    duel, rank, badge, announce, channel, market, orders, trades, settings, listener, token, context, demo,
):  # fmt: skip
    app.add_typer(
        group.app,
        cls=Marked,
        name=group.__name__.rpartition(".")[2],
        no_args_is_help=True,
        epilog=group.app.registered_commands[0].epilog,
    )
for module in (play, init, login, approve, events, doctor, status):
    module.register(app)
