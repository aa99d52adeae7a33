"""The options that many commands share, spelt once."""

from typing import Annotated

import typer

from bearpit_admin.output import Format

Output = Annotated[
    Format | None,
    typer.Option("--output", "-o", help="How to print; by default a table, in a pipe tab-separated columns."),
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=0, help="At most so many; 0: all of them.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and tell what would be done; change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
PasswordFile = Annotated[
    str,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="Read the password from the file's first line; `-`: standard input.",
    ),
]
PlayerName = Annotated[str, typer.Argument(metavar="NAME", help="The player's name.")]
Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="The instrument's symbol.")]
GAME = "game"
"""In place of an amount: the game's setting shall hold."""
NAME_RULE = "3 to 24 of letters, digits, `_`, `-` and `.`."
"""How players, booths, machines and tokens may be called."""
Search = Annotated[str, typer.Option("--search", metavar="TEXT", help="Only names that contain this.")]
PlayerFilter = Annotated[str, typer.Option("--player", "-p", metavar="NAME", help="Only this player's.")]
SymbolFilter = Annotated[
    str, typer.Option("--symbol", "-s", metavar="SYMBOL", help="Only of this instrument.")
]
ShareSymbol = Annotated[str, typer.Option("--symbol", "-s", metavar="SYMBOL", help="Whose shares.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set a parameter; repeat for more. Cents may be written as points, with a point.",
    ),
]
Symbols = Annotated[
    str, typer.Option("--symbols", metavar="A,B", help="The instruments' symbols, with commas between.")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; up to 140 characters.")]
WindowId = Annotated[int, typer.Argument(metavar="WINDOW", help="The window's id; see `window list`.")]
RollbackId = Annotated[int, typer.Argument(metavar="ROLLBACK", help="Its id; see `rollback list`.")]
Algorithm = Annotated[
    str,
    typer.Option("--algorithm", metavar="NAME", help="What settles it; with --set. See `settle algorithms`."),
]
PlanFile = Annotated[
    str,
    typer.Option(
        "--plan",
        metavar="FILE",
        help="A settlement plan as JSON: rule, by_symbol, variants, experiment; `-`: standard input.",
    ),
]

LIMIT = 100
"""What a listing shows unless told otherwise."""


def symbols_of(text: str) -> list[str]:
    """The symbols in "acme,bolt"; none in an empty text."""
    return [part.strip().upper() for part in text.split(",") if part.strip()]
