"""`bearpit-admin team`: who plays with whom."""

import csv
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.files import read_text
from bearpit_admin.listing import listed, pages
from bearpit_admin.options import LIMIT, DryRun, Limit, Output, Search, Yes
from bearpit_admin.output import Part, Row, as_facts, moment, printable, show, show_one, tell
from bearpit_admin.progress import Progress
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import run, sentence

if TYPE_CHECKING:
    from bearpit.client import Client

app = typer.Typer(help="Teams, and who is in them.")

TeamName = Annotated[str, typer.Argument(metavar="TEAM", help="The team's name.")]
Most = Annotated[
    int | None,
    typer.Option("--max", metavar="N", min=0, help="How many players it takes; 0: any number."),
]
COLUMNS = ("id", "name", "members", "max", "join_code", "created_at")
SPARE = ("join_code", "max", "created_at", "id")
BATCH = 1_000
"""Players that one call may move."""


@app.command(epilog='Example: bearpit-admin team create "Red Pandas" --max 12 --joinable')
def create(
    name: Annotated[str, typer.Argument(metavar="TEAM", help="1 to 40 characters, on one line.")],
    most: Most = None,
    joinable: Annotated[bool, typer.Option("--joinable", help="Make up a code to join by.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Make a team. Its join code, if it gets one, is printed on standard output."""
    request = wire.teams.CreateTeamRequest(
        name=name, max_players=most or 0, joinable=joinable, validate_only=dry_run
    )
    made = run(lambda client: client.teams.CreateTeam(request)).team
    tell(f"created team {made.name}", dry_run, err=bool(made.join_code))
    if made.join_code:
        tell(made.join_code)


@app.command("list", epilog="Example: bearpit-admin team list --search panda -o csv")
def list_(
    search: Search = "",
    limit: Limit = LIMIT,
    output: Output = None,
) -> None:
    """List teams by name."""
    teams = listed(
        lambda client: client.teams.ListTeams,
        wire.teams.ListTeamsRequest(search=search),
        lambda answer: answer.teams,
        limit,
    )
    show(COLUMNS, [_row(team) for team in teams], output, SPARE)


@app.command("show", epilog='Example: bearpit-admin team show "Red Pandas"')
def show_(name: TeamName, output: Output = None) -> None:
    """Show a team and its players."""

    async def work(client: "Client") -> "tuple[wire.teams.Team, list[wire.teams.Member]]":
        team = (await client.teams.GetTeam(wire.teams.GetTeamRequest(name=name))).team
        asked = wire.teams.ListMembersRequest(team=team.name)
        members = await pages(client.teams.ListMembers, asked, lambda answer: answer.members, 0)
        return team, members

    team, members = run(work)
    rows = [(member.player_id, member.name, member.disabled) for member in members]
    show_one(as_facts(COLUMNS, _row(team)), output, Part("players", ("id", "name", "disabled"), rows))


@app.command(epilog='Example: bearpit-admin team update "Red Pandas" --name "Green Pandas" --max 15')
def update(
    name: TeamName,
    new_name: Annotated[str, typer.Option("--name", metavar="TEAM", help="Its new name.")] = "",
    most: Most = None,
    dry_run: DryRun = False,
) -> None:
    """Change a team's name, or how many it takes."""
    if not new_name and most is None:
        raise Failure("Nothing to change.", Exit.USAGE, "give --name or --max")
    request = wire.teams.UpdateTeamRequest(
        name=name, new_name=new_name, max_players=most, validate_only=dry_run
    )
    team = run(lambda client: client.teams.UpdateTeam(request)).team
    takes = f"{team.max_players} players" if team.max_players else "any number of players"
    tell(f"team {team.name} takes {takes}", dry_run)


@app.command(epilog='Example: bearpit-admin team code "Red Pandas" --renew')
def code(
    name: TeamName,
    renew: Annotated[
        bool, typer.Option("--renew", help="Make up a new one; the old one is good no more.")
    ] = False,
    end: Annotated[bool, typer.Option("--end", help="Let nobody join by code any more.")] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Print, renew or end a team's join code.

    The code that holds is printed on standard output.
    """
    if renew and end:
        raise Failure("Give either --renew or --end.", Exit.USAGE)
    if end:
        confirm(f"End the join code of {name}?", yes, dry_run)

    async def work(client: "Client") -> "wire.teams.Team":
        if not renew and not end:
            return (await client.teams.GetTeam(wire.teams.GetTeamRequest(name=name))).team
        change = wire.teams.JOIN_CODE_CHANGE_RENEW if renew else wire.teams.JOIN_CODE_CHANGE_END
        request = wire.teams.UpdateTeamRequest(name=name, join_code=change, validate_only=dry_run)
        return (await client.teams.UpdateTeam(request)).team

    team = run(work)
    if end:
        tell(f"nobody joins {team.name} by code any more", dry_run)
    elif renew and dry_run:
        tell(f"{team.name} has a new join code", dry_run)
    elif team.join_code:
        tell(team.join_code)
    else:
        hint = "make one with --renew" if not team.joinable else "it is shown to who may manage players"
        raise Failure(f"{team.name} has no join code to show.", Exit.CONFLICT, hint)


@app.command(epilog="Example: bearpit-admin team assign --file teams.csv --create-teams --dry-run")
def assign(
    player: Annotated[str, typer.Argument(metavar="PLAYER", help="One player; with TEAM.")] = "",
    team: Annotated[str, typer.Argument(metavar="TEAM", help="The player's team.")] = "",
    file: Annotated[
        str,
        typer.Option("--file", metavar="FILE", help="Many: CSV of player,team; `-`: standard input."),
    ] = "",
    create_teams: Annotated[
        bool, typer.Option("--create-teams", help="Make the teams that there are not.")
    ] = False,
    output: Output = None,
    dry_run: DryRun = False,
) -> None:
    """Put players into teams, whatever team they are in.

    Those who were moved, or could not be, are listed. Ends with 3 if somebody could not.
    """
    if bool(file) == bool(player) or bool(player) != bool(team):
        raise Failure("Give PLAYER and TEAM, or --file FILE.", Exit.USAGE)
    pairs = _read(file) if file else [(player, team)]

    async def work(client: "Client") -> "tuple[list[wire.teams.Assigned], set[str]]":
        results: list[wire.teams.Assigned] = []
        made: set[str] = set()
        with Progress("assigning") as progress:
            for start in range(0, len(pairs), BATCH):
                progress.tell(start, len(pairs))
                wanted = [
                    wire.teams.Assignment(player=one, team=to) for one, to in pairs[start : start + BATCH]
                ]
                answer = await client.teams.AssignTeam(
                    wire.teams.AssignTeamRequest(
                        assignments=wanted, create_teams=create_teams, validate_only=dry_run
                    )
                )
                results += answer.results
                made |= set(answer.created_teams)
        return results, made

    results, made = run(work)
    for name in sorted(made):
        tell(f"created team {printable(name)}", dry_run, err=True)
    _tell_results(results, output, dry_run)


@app.command(epilog="Example: bearpit-admin team remove ada bob")
def remove(
    players: Annotated[list[str], typer.Argument(metavar="PLAYER", help="Who.")],
    output: Output = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Take players out of their teams. Ends with 3 if somebody could not be."""
    if len(players) > 1:
        confirm(f"Take {len(players)} players out of their teams?", yes, dry_run)
    request = wire.teams.RemoveFromTeamRequest(players=players, validate_only=dry_run)
    found = run(lambda client: client.teams.RemoveFromTeam(request))
    _tell_results(found.results, output, dry_run)


def _read(file: str) -> list[tuple[str, str]]:
    """Players and teams, with or without a header. Raises Failure USAGE for a line that is neither."""
    pairs: list[tuple[str, str]] = []
    seen: set[str] = set()
    for number, row in enumerate(csv.reader(read_text(file).splitlines()), 1):
        if not row or [cell.strip().lower() for cell in row] in (["player", "team"], ["name", "team"]):
            continue
        if len(row) != 2 or not all(cell.strip() for cell in row):
            raise Failure(f"{file}, line {number}: write it like ada,Red Pandas.", Exit.USAGE)
        player, team = row[0].strip(), row[1].strip()
        if player.lower() in seen:
            raise Failure(f"{file}, line {number}: {printable(player)} is in it twice.", Exit.USAGE)
        seen.add(player.lower())
        pairs.append((player, team))
    if not pairs:
        raise Failure(f"{file} has no players in it.", Exit.USAGE, "write a line each, like ada,Red Pandas")
    return pairs


def _tell_results(results: "Sequence[wire.teams.Assigned]", output: Output, dry_run: bool) -> None:
    rows: list[Row] = [
        (
            one.player,
            one.from_team or None,
            one.team or None,
            sentence(one.refusal.message) if one.HasField("refusal") else None,
        )
        for one in results
        if one.changed or one.HasField("refusal")
    ]
    if rows:
        show(("player", "from_team", "team", "refused"), rows, output)
    moved = sum(one.changed for one in results)
    refused = sum(one.HasField("refusal") for one in results)
    same = len(results) - moved - refused
    tell(f"{moved} moved, {same} as they were, {refused} refused", dry_run, err=True)
    if refused:
        raise typer.Exit(Exit.CONFLICT)


def _row(team: "wire.teams.Team") -> Row:
    return (
        team.team_id,
        team.name,
        team.members,
        team.max_players or None,
        team.join_code or None,
        moment(team.created_at),
    )
