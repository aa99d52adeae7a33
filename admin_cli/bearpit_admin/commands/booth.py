"""`bearpit-admin booth`: partner communities whose visitors are given points, once."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.listing import listed
from bearpit_admin.money import Points, parse_price
from bearpit_admin.options import (
    GAME,
    LIMIT,
    NAME_RULE,
    DryRun,
    Limit,
    Output,
    PasswordFile,
    PlayerFilter,
    Yes,
)
from bearpit_admin.output import (
    Row,
    as_facts,
    counted,
    moment,
    moment_in,
    printable,
    show,
    show_one,
    tell,
    tell_secret,
)
from bearpit_admin.prompts import confirm, own_password
from bearpit_admin.remote import run, sentence
from bearpit_admin.scanning import scanned

if TYPE_CHECKING:
    from bearpit.client import Client

app = typer.Typer(help="Booths, whose visitors are given points once.")

BoothName = Annotated[str, typer.Argument(metavar="BOOTH", help="The booth's name.")]
COLUMNS = (
    "id", "name", "active", "reward", "own_reward", "creates_players", "visits", "players_created", "given",
    "last_visit_at", "password_at", "created_at",
)  # fmt: skip
SPARE = (
    "last_visit_at", "reward", "players_created", "creates_players", "own_reward", "password_at", "id",
    "created_at",
)  # fmt: skip


@app.command(epilog="Example: bearpit-admin booth create sitcon --reward 1000 --creates-players")
def create(
    name: Annotated[str, typer.Argument(metavar="BOOTH", help=NAME_RULE)],
    reward: Annotated[
        str,
        typer.Option("--reward", metavar="POINTS", help="What a visit is worth, else the game's setting."),
    ] = "",
    creates_players: Annotated[
        bool, typer.Option("--creates-players", help="Let a visitor who is no player yet become one.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Make a booth. Its password is printed on standard output, once."""
    request = wire.booths.CreateBoothRequest(
        name=name,
        reward_cents=parse_price(reward) if reward else None,
        creates_players=creates_players,
        validate_only=dry_run,
    )
    made = run(lambda client: client.booths.CreateBooth(request))
    worth = f"a visit is worth {Points(made.booth.reward_cents)} points"
    tell_secret(f"created booth {made.booth.name}: {worth}", made.password, dry_run, keep="the password")


@app.command("list", epilog="Example: bearpit-admin booth list")
def list_(limit: Limit = LIMIT, output: Output = None) -> None:
    """List booths by name, with what has come of them."""
    booths = listed(
        lambda client: client.booths.ListBooths,
        wire.booths.ListBoothsRequest(),
        lambda answer: answer.booths,
        limit,
    )
    show(COLUMNS, [_row(booth) for booth in booths], output, SPARE)


@app.command("show", epilog="Example: bearpit-admin booth show sitcon")
def show_(name: BoothName, output: Output = None) -> None:
    """Show a booth, with what has come of it."""
    request = wire.booths.GetBoothRequest(name=name)
    booth = run(lambda client: client.booths.GetBooth(request)).booth
    show_one(as_facts(COLUMNS, _row(booth)), output)


@app.command(epilog="Example: bearpit-admin booth update sitcon --reward game --no-creates-players")
def update(
    name: BoothName,
    new_name: Annotated[str, typer.Option("--name", metavar="BOOTH", help="Its new name.")] = "",
    reward: Annotated[
        str,
        typer.Option("--reward", metavar="POINTS", help="What a visit is worth; `game`: the game's setting."),
    ] = "",
    creates_players: Annotated[
        bool | None,
        typer.Option("--creates-players/--no-creates-players", help="Whether visitors become players."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Change a booth: name, reward, newcomers."""
    if not new_name and not reward and creates_players is None:
        raise Failure("Nothing to change.", Exit.USAGE, "give --name, --reward or --creates-players")
    cents = None if not reward else 0 if reward == GAME else parse_price(reward)
    request = wire.booths.UpdateBoothRequest(
        name=name, new_name=new_name, reward_cents=cents, creates_players=creates_players
    )
    booth = _change(request, dry_run)
    tell(f"a visit to {booth.name} is worth {Points(booth.reward_cents)} points", dry_run)


@app.command(epilog="Example: bearpit-admin booth rotate sitcon --yes")
def rotate(name: BoothName, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Make a new password for a booth.

    It is printed on standard output, once; the old one is good no more.
    """
    confirm(f"Make a new password for {name}? Its volunteers need it at once.", yes, dry_run)
    request = wire.booths.RotateBoothPasswordRequest(name=name, validate_only=dry_run)
    made = run(lambda client: client.booths.RotateBoothPassword(request))
    tell_secret(f"{made.booth.name} has a new password", made.password, dry_run)


@app.command(epilog="Example: bearpit-admin booth close sitcon --yes")
def close(name: BoothName, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Let nobody be rewarded at a booth, until it is opened again."""
    confirm(f"Close {name}?", yes, dry_run)
    booth = _change(wire.booths.UpdateBoothRequest(name=name, active=False), dry_run)
    tell(f"closed {booth.name} after {counted(booth.visits, 'visit')}", dry_run)


@app.command("open", epilog="Example: bearpit-admin booth open sitcon")
def open_(name: BoothName, dry_run: DryRun = False) -> None:
    """Open a booth that was closed."""
    booth = _change(wire.booths.UpdateBoothRequest(name=name, active=True), dry_run)
    tell(f"opened {booth.name}", dry_run)


@app.command(epilog="Example: bearpit-admin booth visits --booth sitcon -n 20")
def visits(
    booth: Annotated[str, typer.Option("--booth", "-b", metavar="BOOTH", help="Only at this one.")] = "",
    player: PlayerFilter = "",
    limit: Limit = LIMIT,
    output: Output = None,
) -> None:
    """List visits, newest first."""
    visits = listed(
        lambda client: client.booths.ListVisits,
        wire.booths.ListVisitsRequest(booth=booth, player=player),
        lambda answer: answer.visits,
        limit,
    )
    rows = [
        (one.visit_id, one.booth, one.player, Points(one.reward_cents), one.created_player, moment(one.at))
        for one in visits
    ]
    show(("id", "booth", "player", "reward", "created_player", "at"), rows, output)


@app.command(epilog="Example: bearpit-admin booth visit sitcon --scan")
def visit(
    booth: BoothName,
    player: Annotated[str, typer.Argument(metavar="PLAYER", help="The visitor.")] = "",
    scan: Annotated[
        bool, typer.Option("--scan", help="Read visitors' names line by line, as a QR scanner types them.")
    ] = False,
    password_file: PasswordFile = "",
    dry_run: DryRun = False,
) -> None:
    """Reward a visitor. For the booth's volunteers: it takes the booth's password and no sign-in.

    The password comes from --password-file, from BEARPIT_PASSWORD, or is asked for. A visitor who becomes a
    player by it is told a password, once: write it down for him.
    """
    if bool(player) == scan:
        raise Failure("Give PLAYER, or --scan.", Exit.USAGE)
    if scan and password_file == "-":  # noqa: S105 - a file's name
        raise Failure("Standard input has the names; the password must come from elsewhere.", Exit.USAGE)
    password = own_password(password_file)

    async def one(client: "Client", name: str) -> None:
        request = wire.booths.VisitBoothRequest(
            booth=booth, password=password, player=name, validate_only=dry_run
        )
        _welcome(await client.booths.VisitBooth(request), dry_run)

    if player:
        run(lambda client: one(client, player), signed_in=False)
    else:
        done, refused = run(lambda client: _scan(client, one), signed_in=False)
        tell(f"{counted(done, 'visit')}, {refused} refused", dry_run, err=True)


async def _scan(client: "Client", one: "Callable[[Client, str], Awaitable[None]]") -> tuple[int, int]:
    """Reward whoever is scanned, until the input ends; how many were and how many were not.

    A visitor who is refused does not keep the next one waiting; a booth that is does. Raises BearpitError.
    """
    from bearpit.client import BearpitError

    done = refused = 0
    async for name in scanned():
        try:
            await one(client, name)
            done += 1
        except BearpitError as error:
            if error.reason in ("BAD_CREDENTIALS", "NOT_POSSIBLE_NOW"):
                raise
            refused += 1
            tell(f"{printable(name[:40])}: {sentence(error.message)}", err=True)
    return done, refused


def _welcome(answer: "wire.booths.VisitBoothResponse", dry_run: bool) -> None:
    visit = answer.visit
    words = f"{visit.player} gets {Points(visit.reward_cents)} points"
    if answer.player_password:
        words += f", and is a player now: the password is {answer.player_password}"
    elif visit.created_player:
        words += (
            ", and is a player now"
            if dry_run
            else ("; the password was told before: `bearpit-admin player reset-password` makes another")
        )
    tell(words, dry_run)


def _change(request: "wire.booths.UpdateBoothRequest", dry_run: bool) -> "wire.booths.Booth":
    request.validate_only = dry_run

    return run(lambda client: client.booths.UpdateBooth(request)).booth


def _row(booth: "wire.booths.Booth") -> Row:
    return (
        booth.booth_id,
        booth.name,
        booth.active,
        Points(booth.reward_cents),
        booth.own_reward,
        booth.creates_players,
        booth.visits,
        booth.players_created,
        Points(booth.given_cents),
        moment_in(booth, "last_visit_at"),
        moment(booth.password_at),
        moment(booth.created_at),
    )
