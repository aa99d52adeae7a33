"""`bearpit-admin arcade`: machines that take points for plays and give them for scores."""

from typing import Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.listing import listed
from bearpit_admin.money import Points, parse_points
from bearpit_admin.options import GAME, LIMIT, NAME_RULE, DryRun, Limit, Output, PlayerFilter, Reason, Yes
from bearpit_admin.output import (
    Part,
    Row,
    as_facts,
    moment,
    moment_in,
    show,
    show_one,
    tell,
    tell_secret,
)
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import run

app = typer.Typer(help="Arcade machines, their limits and statements.")

LIMITS = (
    "play_take_cents", "play_give_cents", "player_day_take_cents", "player_day_give_cents", "day_take_cents",
    "day_give_cents",
)  # fmt: skip

MachineName = Annotated[str, typer.Argument(metavar="MACHINE", help="The machine's name.")]
MachineFilter = Annotated[str, typer.Option("--machine", "-m", metavar="MACHINE", help="Only this one's.")]
PlayTake = Annotated[str, typer.Option("--play-take", metavar="POINTS", help="The most a play may cost.")]
PlayGive = Annotated[str, typer.Option("--play-give", metavar="POINTS", help="The most a score may bring.")]
PlayerDayTake = Annotated[
    str, typer.Option("--player-day-take", metavar="POINTS", help="The most a player may pay it in a day.")
]
PlayerDayGive = Annotated[
    str, typer.Option("--player-day-give", metavar="POINTS", help="The most it may give a player in a day.")
]
DayTake = Annotated[str, typer.Option("--day-take", metavar="POINTS", help="The most it may take in a day.")]
DayGive = Annotated[str, typer.Option("--day-give", metavar="POINTS", help="The most it may give in a day.")]
COLUMNS = ("id", "name", "active", "taken_today", "given_today", "last_transaction_at", "created_at")
SPARE = ("last_transaction_at", "created_at", "id")


@app.command(
    epilog="Example: bearpit-admin arcade create pinball --play-take 5 --play-give 50 > pinball.token"
)
def create(
    name: Annotated[str, typer.Argument(metavar="MACHINE", help=NAME_RULE)],
    play_take: PlayTake = "",
    play_give: PlayGive = "",
    player_day_take: PlayerDayTake = "",
    player_day_give: PlayerDayGive = "",
    day_take: DayTake = "",
    day_give: DayGive = "",
    dry_run: DryRun = False,
) -> None:
    """Make a machine. The secret of its service token is printed on standard output, once.

    Limits that are not given are the game's settings; see `settings list`.
    """
    given = (play_take, play_give, player_day_take, player_day_give, day_take, day_give)
    limits, _ = _limits(given)
    request = wire.arcade.CreateMachineRequest(name=name, limits=limits, validate_only=dry_run)
    made = run(lambda client: client.arcade.CreateMachine(request))
    tell_secret(f"created machine {made.machine.name}", made.secret, dry_run, keep="its secret")


@app.command("list", epilog="Example: bearpit-admin arcade list")
def list_(limit: Limit = LIMIT, output: Output = None) -> None:
    """List machines by name, with what passed through them today."""
    machines = listed(
        lambda client: client.arcade.ListMachines,
        wire.arcade.ListMachinesRequest(),
        lambda answer: answer.machines,
        limit,
    )
    show(COLUMNS, [_row(machine) for machine in machines], output, SPARE)


@app.command("show", epilog="Example: bearpit-admin arcade show pinball")
def show_(name: MachineName, output: Output = None) -> None:
    """Show a machine and its limits."""
    request = wire.arcade.GetMachineRequest(name=name)
    _show(run(lambda client: client.arcade.GetMachine(request)).machine, output)


@app.command(epilog="Example: bearpit-admin arcade limits pinball --play-give 80 --day-give game")
def limits(
    name: MachineName,
    play_take: PlayTake = "",
    play_give: PlayGive = "",
    player_day_take: PlayerDayTake = "",
    player_day_give: PlayerDayGive = "",
    day_take: DayTake = "",
    day_give: DayGive = "",
    output: Output = None,
    dry_run: DryRun = False,
) -> None:
    """Set a machine's limits, and show them. `game` in place of points: the game's setting shall hold."""
    given = (play_take, play_give, player_day_take, player_day_give, day_take, day_give)
    if not any(given):
        raise Failure("Nothing to change.", Exit.USAGE, "give a limit, such as --play-take 5")
    wanted, cleared = _limits(given)
    machine = _change(
        wire.arcade.UpdateMachineRequest(name=name, limits=wanted, clear_limits=cleared), dry_run
    )
    tell(f"set the limits of {machine.name}", dry_run, err=True)
    _show(machine, output)


@app.command(epilog="Example: bearpit-admin arcade close pinball --yes")
def close(name: MachineName, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Let a machine neither take nor give, until it is opened again.

    To keep it out for good, revoke its token: `token revoke`.
    """
    confirm(f"Close {name}?", yes, dry_run)
    machine = _change(wire.arcade.UpdateMachineRequest(name=name, active=False), dry_run)
    tell(f"closed {machine.name}", dry_run)


@app.command("open", epilog="Example: bearpit-admin arcade open pinball")
def open_(name: MachineName, dry_run: DryRun = False) -> None:
    """Open a machine that was closed."""
    machine = _change(wire.arcade.UpdateMachineRequest(name=name, active=True), dry_run)
    tell(f"opened {machine.name}", dry_run)


@app.command(epilog="Example: bearpit-admin arcade statement pinball --days 4 -o csv")
def statement(
    name: Annotated[str, typer.Argument(metavar="MACHINE", help="Only this one's; else all together.")] = "",
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=1, max=366, help="How many, until today.")
    ] = 7,
    output: Output = None,
) -> None:
    """Add up what passed through a machine, or all of them, by day. What was undone is counted apart."""
    request = wire.arcade.GetStatementRequest(machine=name, days=days)
    found = run(lambda client: client.arcade.GetStatement(request))
    rows: list[Row] = [
        (
            day.date,
            day.takes,
            Points(day.taken_cents),
            day.gives,
            Points(day.given_cents),
            Points(day.taken_cents - day.given_cents),
            day.players,
            day.voided,
        )
        for day in found.days
    ]
    columns = ("date", "plays", "taken", "prizes", "given", "kept", "players", "undone")
    show(columns, rows, output, ("players", "undone"))


@app.command(epilog="Example: bearpit-admin arcade transactions --machine pinball --player ada")
def transactions(
    machine: MachineFilter = "", player: PlayerFilter = "", limit: Limit = LIMIT, output: Output = None
) -> None:
    """List transactions, newest first."""
    transactions = listed(
        lambda client: client.arcade.ListTransactions,
        wire.arcade.ListTransactionsRequest(machine=machine, player=player),
        lambda answer: answer.transactions,
        limit,
    )
    rows: list[Row] = [
        (
            one.number,
            one.machine,
            one.transaction_id,
            one.player,
            _kind(one),
            Points(one.amount_cents),
            one.score,
            one.note,
            moment(one.at),
            moment_in(one, "voided_at"),
        )
        for one in transactions
    ]
    columns = (
        "number",
        "machine",
        "transaction",
        "player",
        "kind",
        "points",
        "score",
        "note",
        "at",
        "undone_at",
    )
    show(columns, rows, output, ("at", "undone_at", "score", "note", "number"))


@app.command(epilog='Example: bearpit-admin arcade void pinball 6f1c0a --reason "the ball got stuck" --yes')
def void(
    name: MachineName,
    transaction: Annotated[
        str, typer.Argument(metavar="TRANSACTION", help="Its id; see `arcade transactions`.")
    ],
    reason: Reason,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Undo a transaction, by a posting the other way. It can be done once."""
    confirm(f"Undo transaction {transaction} of {name}?", yes, dry_run)
    request = wire.arcade.VoidTransactionRequest(
        machine=name, transaction_id=transaction, reason=reason, validate_only=dry_run
    )
    undone = run(lambda client: client.arcade.VoidTransaction(request)).transaction
    way = "given back to" if undone.kind == wire.arcade.TRANSACTION_KIND_TAKE else "taken back from"
    tell(f"{Points(undone.amount_cents)} points {way} {undone.player}", dry_run)


def _limits(given: tuple[str, ...]) -> "tuple[wire.arcade.MachineLimits, list[str]]":
    """The limits to set, and those to leave to the game's settings again."""
    limits, cleared = wire.arcade.MachineLimits(), []
    for limit, text in zip(LIMITS, given, strict=True):
        if text == GAME:
            cleared.append(limit)
        elif text:
            cents = parse_points(text)
            if cents < 0:
                raise typer.BadParameter(f"{text} is no limit; give 0 or more, or `{GAME}`")
            setattr(limits, limit, cents)
    return limits, cleared


def _change(request: "wire.arcade.UpdateMachineRequest", dry_run: bool) -> "wire.arcade.Machine":
    request.validate_only = dry_run

    return run(lambda client: client.arcade.UpdateMachine(request)).machine


def _show(machine: "wire.arcade.Machine", output: Output) -> None:
    rows: list[Row] = [
        (
            limit.removesuffix("_cents"),
            Points(getattr(machine.limits, limit)),
            "machine" if machine.own_limits.HasField(limit) else "game",
        )
        for limit in LIMITS
    ]
    show_one(as_facts(COLUMNS, _row(machine)), output, Part("limits", ("limit", "points", "set_by"), rows))


def _kind(transaction: "wire.arcade.Transaction") -> str:
    return wire.word(wire.arcade.TransactionKind.Name(transaction.kind), "TRANSACTION_KIND_")


def _row(machine: "wire.arcade.Machine") -> Row:
    return (
        machine.machine_id,
        machine.name,
        machine.active,
        Points(machine.taken_today_cents),
        Points(machine.given_today_cents),
        moment_in(machine, "last_transaction_at"),
        moment(machine.created_at),
    )
