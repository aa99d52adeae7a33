"""`bearpit-admin rank`: boards, one player's standings, teams, and what shares count as."""

from enum import StrEnum
from typing import Annotated, cast

import typer

from bearpit_admin import wire
from bearpit_admin.listing import listed
from bearpit_admin.money import Points
from bearpit_admin.options import LIMIT, DryRun, Limit, Output
from bearpit_admin.output import Part, Row, Value, moment, moment_in, show, show_one, tell
from bearpit_admin.remote import run

app = typer.Typer(help="Ranks of players and teams, and what shares count as in them.")


class Board(StrEnum):
    """What players are ranked by."""

    NET_WORTH = "net-worth"
    RETURN = "return"
    REALISED = "realised"
    DRAWDOWN = "drawdown"
    DAY = "day"
    WINDOW = "window"


BoardOption = Annotated[Board, typer.Option("--board", "-b", help="What to rank by.")]
WindowOption = Annotated[
    int,
    typer.Option(
        "--window",
        metavar="WINDOW",
        help="The final ranks of a window; see `rank periods`.",
        show_default=False,
    ),
]
DayOption = Annotated[
    str, typer.Option("--day", metavar="DATE", help="The final ranks of a day, such as 2031-08-04.")
]
PLACES = ("rank", "player", "team", "value", "before", "position")
STANDINGS = ("board", "rank", "of", "value", "before", "position")
TEAMS = ("rank", "team", "members", "average", "before")
PERIODS = ("window", "day", "title", "at", "players")
MARKS = ("symbol", "mark", "last", "source", "trades", "pairs", "why")


@app.command("list", epilog="Example: bearpit-admin rank list --board return --from 101 -n 50")
def list_(
    board: BoardOption = Board.NET_WORTH,
    first: Annotated[
        int, typer.Option("--from", metavar="POSITION", min=1, help="Where on the board to begin.")
    ] = 1,
    window: WindowOption = 0,
    day: DayOption = "",
    limit: Limit = LIMIT,
    output: Output = None,
) -> None:
    """List a board, best first.

    With --day or --window as it stood when that ended.
    """
    period = _period(window, day)

    entries = listed(
        lambda client: client.ranks.ListRanks,
        wire.ranks.ListRanksRequest(board=_number(board), period=period, first_position=first),
        lambda answer: answer.entries,
        limit,
    )
    show(PLACES, [_place(entry) for entry in entries], output, ("position", "team", "before"))


@app.command("show", epilog="Example: bearpit-admin rank show ada --around 3 --board return")
def show_(
    player: Annotated[str, typer.Argument(metavar="PLAYER", help="The player's name.")],
    around: Annotated[
        int, typer.Option("--around", metavar="LINES", min=0, max=50, help="So many above and below as well.")
    ] = 0,
    board: BoardOption = Board.NET_WORTH,
    window: WindowOption = 0,
    day: DayOption = "",
    output: Output = None,
) -> None:
    """Show where a player stands.

    On every board, with what the net worth is made of.
    """
    request = wire.ranks.GetRankRequest(
        player=player, period=_period(window, day), around=around, around_board=_number(board)
    )
    found = run(lambda client: client.ranks.GetRank(request))
    facts: list[tuple[str, Value]] = [("player", found.player_name), ("at", moment_in(found.edition, "at"))]
    if found.HasField("net_worth"):
        worth = found.net_worth
        facts += [
            ("cash", Points(worth.cash_cents)),
            ("holdings", Points(worth.holdings_cents)),
            ("debt", Points(worth.debt_cents)),
            ("net_worth", Points(worth.net_worth_cents)),
            ("received", Points(worth.received_cents)),
        ]
    parts = [Part("standings", STANDINGS, [_standing(one) for one in found.standings], ("position",))]
    if around:
        parts.append(Part("around", PLACES, [_place(entry) for entry in found.around], ("position",)))
    show_one(facts, output, *parts)


@app.command(epilog="Example: bearpit-admin rank teams --day 2031-08-04")
def teams(window: WindowOption = 0, day: DayOption = "", limit: Limit = LIMIT, output: Output = None) -> None:
    """List teams by average net worth."""
    period = _period(window, day)

    entries = listed(
        lambda client: client.ranks.ListTeamRanks,
        wire.ranks.ListTeamRanksRequest(period=period),
        lambda answer: answer.entries,
        limit,
    )
    rows = [
        (one.rank, one.team_name, one.members, Points(one.average_cents), one.previous_rank or None)
        for one in entries
    ]
    show(TEAMS, rows, output, ("before",))


@app.command(epilog="Example: bearpit-admin rank periods")
def periods(limit: Limit = LIMIT, output: Output = None) -> None:
    """List days and windows that are kept."""
    periods = listed(
        lambda client: client.ranks.ListPeriods,
        wire.ranks.ListPeriodsRequest(),
        lambda answer: answer.periods,
        limit,
    )
    rows = [
        (kept.period.window_id or None, kept.period.day, kept.title, moment_in(kept, "at"), kept.players)
        for kept in periods
    ]
    show(PERIODS, rows, output, ("players", "at"))


@app.command(epilog="Example: bearpit-admin rank marks ACME")
def marks(
    symbol: Annotated[
        str, typer.Argument(metavar="SYMBOL", help="Only of this instrument; else of all.")
    ] = "",
    limit: Limit = LIMIT,
    output: Output = None,
) -> None:
    """Tell what shares count as, and why."""
    marks = listed(
        lambda client: client.ranks.ListMarks,
        wire.ranks.ListMarksRequest(symbol=symbol.upper()),
        lambda answer: answer.marks,
        limit,
    )
    show(MARKS, [_mark(found) for found in marks], output, ("pairs", "trades", "source", "last", "why"))


@app.command(epilog="Example: bearpit-admin rank refresh")
def refresh(dry_run: DryRun = False) -> None:
    """Count ranks now."""
    request = wire.ranks.RefreshRanksRequest(validate_only=dry_run)
    done = run(lambda client: client.ranks.RefreshRanks(request))
    at = moment(done.edition.at)
    tell(f"counted {done.edition.players} players in {done.took_ms} ms, as of {at}", dry_run)


def _period(window: int, day: str) -> "wire.ranks.RankPeriod | None":
    if window and day:
        raise typer.BadParameter("give a window or a day, not both", param_hint="--day")
    if window:
        return wire.ranks.RankPeriod(window_id=window)
    return wire.ranks.RankPeriod(day=day) if day else None


def _number(board: Board) -> "wire.ranks.Board":
    return cast("wire.ranks.Board", wire.ranks.Board.Value("BOARD_" + board.name))


def _value(entry: "wire.ranks.RankEntry") -> Value:
    if entry.WhichOneof("value") == "value_bps":
        sign, whole = "-" * (entry.value_bps < 0), abs(entry.value_bps)
        return f"{sign}{whole // 100}.{whole % 100:02} %"
    return Points(entry.value_cents)


def _place(entry: "wire.ranks.RankEntry") -> Row:
    before = entry.previous_rank or None
    return entry.rank, entry.player_name, entry.team_name, _value(entry), before, entry.position


def _standing(one: "wire.ranks.Standing") -> Row:
    board = wire.word(wire.ranks.Board.Name(one.board), "BOARD_")
    entry = one.entry
    return board, entry.rank, one.total, _value(entry), entry.previous_rank or None, entry.position


def _mark(found: "wire.ranks.Mark") -> Row:
    return (
        found.symbol,
        Points(found.mark_cents),
        Points(found.last_cents) if found.last_cents else None,
        wire.word(wire.ranks.MarkSource.Name(found.source), "MARK_SOURCE_"),
        found.trades,
        found.pairs,
        found.explanation,
    )
