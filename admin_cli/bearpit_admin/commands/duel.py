"""`bearpit-admin duel`: duels as they go on, verified when they are over, and called off."""

from enum import StrEnum
from typing import Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.listing import listed
from bearpit_admin.money import Points
from bearpit_admin.options import LIMIT, DryRun, Limit, Output, PlayerFilter, Reason, Yes
from bearpit_admin.output import Format, Part, Row, Value, as_facts, chosen, moment_in, show, show_one, tell
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import run

app = typer.Typer(help="Duels between players, and against chance.")

DuelId = Annotated[int, typer.Argument(metavar="DUEL", help="The duel's id; see `duel list`.")]
COLUMNS = (
    "id", "challenger", "opponent", "stake", "state", "ending", "winner", "round", "due_at", "created_at",
)  # fmt: skip
SPARE = ("state", "winner", "ending", "due_at", "round", "created_at")
SIDES = ("round", "player", "move", "committed_at", "revealed_at", "commitment", "nonce")


class Which(StrEnum):
    """Which duels to list."""

    ALL = "all"
    FINISHED = "finished"


@app.command("list", epilog="Example: bearpit-admin duel list --player ada -n 20")
def list_(
    player: PlayerFilter = "",
    which: Annotated[Which, typer.Option("--which", help="All, or those that are over.")] = Which.ALL,
    limit: Limit = LIMIT,
    output: Output = None,
) -> None:
    """List duels, newest first."""
    scope = wire.duels.DUEL_SCOPE_ALL if which is Which.ALL else wire.duels.DUEL_SCOPE_FINISHED

    duels = listed(
        lambda client: client.duels.ListDuels,
        wire.duels.ListDuelsRequest(scope=scope, player=player),
        lambda answer: answer.duels,
        limit,
    )
    show(COLUMNS, [_row(duel) for duel in duels], output, SPARE)


@app.command("show", epilog="Example: bearpit-admin duel show 17")
def show_(duel_id: DuelId, output: Output = None) -> None:
    """Show a duel and its rounds; moves and nonces once they are told."""
    duel = _get(duel_id)
    show_one(_facts(duel, output), output, Part("sides", SIDES, _sides(duel), ("nonce", "commitment")))


@app.command(epilog="Example: bearpit-admin duel verify 17")
def verify(duel_id: DuelId, output: Output = None) -> None:
    """Compute a finished duel again: its hashes, rounds, ending and money.

    Ends with 1 if anything is not as it must be. Players do the same by `bearpit verify`.
    """
    from bearpit.client import duels

    duel = _get(duel_id)
    if duel.state != wire.duels.DUEL_STATE_SETTLED:
        raise Failure(
            f"Duel {duel_id} is not over yet.",
            Exit.CONFLICT,
            f"again when `duel show {duel_id}` says settled",
        )
    findings = duels.verify(duel)
    show(("holds", "finding"), [(found.holds, found.text) for found in findings], output)
    wrong = sum(not found.holds for found in findings)
    if wrong:
        raise Failure(f"Duel {duel_id} is not as it must be: {wrong} of {len(findings)} findings.")
    tell(f"duel {duel_id} went as it must", err=True)


@app.command(epilog='Example: bearpit-admin duel cancel 17 --reason "the network was down"')
def cancel(duel_id: DuelId, reason: Reason, yes: Yes = False, dry_run: DryRun = False) -> None:
    """End a duel that is not over, and give all stakes back."""
    confirm(f"End duel {duel_id}, and give the stakes back?", yes, dry_run)
    request = wire.duels.CallOffDuelRequest(duel_id=duel_id, reason=reason, validate_only=dry_run)
    duel = run(lambda client: client.duels.CallOffDuel(request)).duel
    names = [duel.challenger_name, *([duel.opponent_name] if duel.HasField("accepted_at") else [])]
    back = " and ".join(f"{Points(duel.stake_cents)} to {name}" for name in names)
    tell(f"ended duel {duel_id}: {back}", dry_run)


def _get(duel_id: int) -> "wire.duels.Duel":
    return run(lambda client: client.duels.GetDuel(wire.duels.GetDuelRequest(duel_id=duel_id))).duel


def _row(duel: "wire.duels.Duel") -> Row:
    return (
        duel.duel_id,
        duel.challenger_name,
        duel.opponent_name or "anybody",
        Points(duel.stake_cents),
        wire.word(wire.duels.DuelState.Name(duel.state), "DUEL_STATE_"),
        wire.word(wire.duels.DuelEnding.Name(duel.ending), "DUEL_ENDING_"),
        duel.winner_name,
        duel.round,
        moment_in(duel, "due_at"),
        moment_in(duel, "created_at"),
    )


def _facts(duel: "wire.duels.Duel", output: Output) -> list[tuple[str, Value]]:
    facts: list[tuple[str, Value]] = [
        *as_facts(COLUMNS, _row(duel)),
        ("paid", Points(duel.paid_cents)),
        ("house_share", Points(duel.house_share_cents)),
        ("house_bps", duel.house_bps),
        ("draws", wire.word(wire.duels.DuelDraws.Name(duel.draws), "DUEL_DRAWS_")),
        ("max_rounds", duel.max_rounds),
        ("move_seconds", duel.move_seconds),
        ("accepted_at", moment_in(duel, "accepted_at")),
        ("settled_at", moment_in(duel, "settled_at")),
    ]
    if chosen(output) is Format.TABLE:  # people are shown what there is
        return [(key, value) for key, value in facts if value not in (None, "")]
    return facts


def _sides(duel: "wire.duels.Duel") -> list[Row]:
    return [
        (
            played.number,
            name,
            wire.word(wire.duels.DuelMove.Name(side.move), "DUEL_MOVE_"),
            moment_in(side, "committed_at"),
            moment_in(side, "revealed_at"),
            side.commitment.hex(),
            side.nonce.hex(),
        )
        for played in duel.rounds
        for name, side in ((duel.challenger_name, played.challenger), (duel.opponent_name, played.opponent))
        if side.commitment or side.revealed
    ]
