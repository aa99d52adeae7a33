"""`bearpit-admin window`: trading windows, in which prices stand still, to be settled after it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.listing import listed
from bearpit_admin.options import (
    LIMIT,
    Algorithm,
    DryRun,
    Limit,
    Output,
    PlanFile,
    Settings,
    Symbols,
    WindowId,
    Yes,
    symbols_of,
)
from bearpit_admin.output import (
    Format,
    Lines,
    Row,
    chosen,
    moment,
    moment_in,
    show,
    show_one,
    tell,
)
from bearpit_admin.plans import describe, plan_of
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import again, run, stay_signed_in
from bearpit_admin.times import parse_moment, parse_zone, timestamp
from bearpit_admin.windows import COLUMNS, SPARE, TIMES, facts_of, prices_part, sentence_of, state_of

if TYPE_CHECKING:
    from bearpit.client import Client

app = typer.Typer(help="Trading windows, in which prices stand still.")

CHANGES = ("at", "id", "title", "state", "next_state", "next_change_at", "settled")

NONE = "none"
"""Of a time: that it is not to happen by itself."""

MOMENT = "such as 2026-11-21T18:00, where you are or in --zone, or +5m; absent: by hand."


class Kind(StrEnum):
    """What a window is for."""

    CHAPTER = "chapter"
    BONUS = "bonus"
    WEEK = "week"
    SPECIAL = "special"


Opens = Annotated[
    str,
    typer.Option("--opens", metavar="TIME", help=f"When it is announced, and its snapshot taken: {MOMENT}"),
]
Trades = Annotated[str, typer.Option("--trades", metavar="TIME", help="When orders are first taken.")]
Ends = Annotated[str, typer.Option("--ends", metavar="TIME", help="When trading ends.")]
Settles = Annotated[str, typer.Option("--settles", metavar="TIME", help="When new prices are found.")]
Closes = Annotated[str, typer.Option("--closes", metavar="TIME", help="When it is over.")]
Title = Annotated[str, typer.Option("--title", metavar="TEXT", help="For people; 1 to 80 characters.")]
Recurrence = Annotated[
    str,
    typer.Option(
        "--recurrence", metavar="RRULE", help="How the next follows, as RFC 5545: FREQ=WEEKLY;BYDAY=SU."
    ),
]
Zone = Annotated[
    str, typer.Option("--zone", metavar="ZONE", help="The IANA time zone of times and recurrence.")
]


@app.command("list", epilog="Example: bearpit-admin window list --current")
def list_(
    current: Annotated[bool, typer.Option("--current", help="Only those that are not over.")] = False,
    limit: Limit = LIMIT,
    output: Output = None,
) -> None:
    """List windows, newest first."""
    windows = listed(
        lambda client: client.windows.ListWindows,
        wire.windows.ListWindowsRequest(current_only=current),
        lambda answer: answer.windows,
        limit,
    )
    show(COLUMNS, [tuple(value for _, value in facts_of(found)) for found in windows], output, SPARE)


@app.command("show", epilog="Example: bearpit-admin window show 7")
def show_(window_id: WindowId, output: Output = None) -> None:
    """Show a window, its plan, and what it did to prices."""
    found = _get(window_id)
    facts = [*facts_of(found.window), ("plan", describe(found.window.plan))]
    show_one(facts, output, prices_part(list(found.prices)))


@app.command(
    epilog='Example: bearpit-admin window create --title "Chapter 4" --opens +5m --trades +10m --ends +1h '
    "--settles +1h --schedule"
)
def create(
    title: Title,
    kind: Annotated[Kind, typer.Option("--kind", help="What it is for.")] = Kind.CHAPTER,
    number: Annotated[
        int | None, typer.Option("--number", metavar="N", min=1, help="In its kind; by default the next.")
    ] = None,
    symbols: Symbols = "",
    opens: Opens = "",
    trades: Trades = "",
    ends: Ends = "",
    settles: Settles = "",
    closes: Closes = "",
    recurrence: Recurrence = "",
    zone: Zone = "",
    plan: PlanFile = "",
    algorithm: Algorithm = "",
    settings: Settings = None,
    scheduled: Annotated[bool, typer.Option("--schedule", help="Schedule it at once.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Make a window. Without --symbols it covers all instruments of the mechanism `window`."""
    if zone:
        parse_zone(zone)
    request = wire.windows.CreateWindowRequest(
        title=title,
        kind=f"WINDOW_KIND_{kind.name}",
        number=number or 0,
        symbols=symbols_of(symbols),
        times=_times((opens, trades, ends, settles, closes), zone),
        recurrence=recurrence,
        time_zone=zone,
        plan=plan_of(plan, algorithm, settings),
        scheduled=scheduled,
        validate_only=dry_run,
    )
    made = run(lambda client: client.windows.CreateWindow(request)).window
    tell(f"created {sentence_of(made)}", dry_run)


@app.command(epilog="Example: bearpit-admin window update 7 --ends +30m --settles none")
def update(
    window_id: WindowId,
    title: Title = "",
    opens: Opens = "",
    trades: Trades = "",
    ends: Ends = "",
    settles: Settles = "",
    closes: Closes = "",
    recurrence: Annotated[
        str, typer.Option("--recurrence", metavar="RRULE", help="How the next follows; `none`: none does.")
    ] = "",
    zone: Annotated[
        str, typer.Option("--zone", metavar="ZONE", help="The IANA time zone of the times.")
    ] = "",
    plan: PlanFile = "",
    algorithm: Algorithm = "",
    settings: Settings = None,
    dry_run: DryRun = False,
) -> None:
    """Change a window that has not settled.

    What is not given stays as it is; a time of `none` is removed, to be done by hand.
    """
    times = (opens, trades, ends, settles, closes)
    wanted = plan_of(plan, algorithm, settings)
    if not any((title, *times, recurrence, wanted)):
        raise Failure("Nothing to change was given.", Exit.USAGE, "see `bearpit-admin window update --help`")
    given = _times(times, zone)  # before anybody is asked anything
    request = wire.windows.UpdateWindowRequest(
        window_id=window_id,
        title=title or None,
        recurrence=("" if recurrence == NONE else recurrence) if recurrence else None,
        plan=wanted,
        validate_only=dry_run,
    )

    async def work(client: "Client") -> "wire.windows.UpdateWindowResponse":
        if any(times):  # the server takes all of them anew
            asked = wire.windows.GetWindowRequest(window_id=window_id)
            held = (await client.windows.GetWindow(asked)).window.times
            for field, text in zip(TIMES, times, strict=True):
                if text:
                    held.ClearField(field)
            held.MergeFrom(given)
            request.times.CopyFrom(held)
        return await client.windows.UpdateWindow(request)

    tell(f"updated {sentence_of(run(work).window)}", dry_run)


@dataclass(frozen=True, slots=True)
class Move:
    """A way to bring a window into another state."""

    verb: str
    state: str
    help: str


MOVES = (
    Move("schedule", "SCHEDULED", "Let a window open by itself, at its time."),
    Move("open", "OPEN", "Announce a window: its snapshot is taken."),
    Move("trade", "TRADING", "Begin to take orders."),
    Move("pause", "PAUSED", "Take no orders for a while."),
    Move("resume", "TRADING", "Take orders again."),
    Move("end", "TRADE_CLOSE", "End the trading; `settle run` comes next."),
    Move("close", "CLOSED", "Put a settled window away."),
    Move("cancel", "CANCELLED", "Call a window off."),
)
"""By what is typed; the states are those of WindowState."""

MoveReason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; up to 140 characters.")]


def _mover(move: Move) -> Callable[..., None]:
    def go(window_id: WindowId, reason: MoveReason = "", dry_run: DryRun = False) -> None:
        _move(window_id, move, reason, dry_run)

    def go_if_sure(
        window_id: WindowId, reason: MoveReason = "", yes: Yes = False, dry_run: DryRun = False
    ) -> None:
        confirm(f"Call window {window_id} off?", yes, dry_run)
        _move(window_id, move, reason, dry_run)

    return go_if_sure if move.state == "CANCELLED" else go


for each in MOVES:
    sure = " --yes" if each.state == "CANCELLED" else ""
    app.command(each.verb, help=each.help, epilog=f"Example: bearpit-admin window {each.verb} 7{sure}")(
        _mover(each)
    )


@app.command(epilog="Example: bearpit-admin window watch -o jsonl")
def watch(output: Output = None) -> None:
    """Tell each change of a window, until interrupted."""
    if output is Format.JSON:
        raise Failure("The end never comes; JSON needs one.", Exit.USAGE, "use -o jsonl")
    form = chosen(output)
    changes = _Changes(Lines(CHANGES, Format.TSV if form is Format.TABLE else form))
    try:
        run(changes.follow)
    except KeyboardInterrupt:
        return


class _Changes:
    """Prints windows as they change; it knows what it has told, should it have to begin again."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._told: dict[int, Row] = {}

    async def follow(self, client: "Client") -> None:
        """Go on until interrupted, through restarts of the server once it has answered."""
        from bearpit.client import BearpitError

        asked = wire.windows.ListWindowsRequest(current_only=True, page_size=1)
        await client.windows.ListWindows(asked)  # without a server this fails; the stream would wait for one
        while True:
            frames = client.stream_windows()
            heard = False
            try:
                async for frame in frames:
                    heard = True
                    self._tell(frame)
            except BearpitError as error:
                if error.reason != "NOT_SIGNED_IN" or not heard:
                    raise
            await stay_signed_in(client)  # the sign-in ended meanwhile

    def _tell(self, frame: "wire.windows.StreamWindowsResponse") -> None:
        found = frame.snapshot if frame.WhichOneof("frame") == "snapshot" else frame.update
        for window in reversed(found.windows):  # oldest first, as they were made
            row = _change(window)
            if self._told.get(window.window_id) != row:
                self._told[window.window_id] = row
                self._lines.write((moment(frame.server_time), *row))


def _change(window: "wire.windows.Window") -> Row:
    return (
        window.window_id,
        window.title,
        state_of(window.state),
        state_of(window.next_state),
        moment_in(window, "next_change_at"),
        window.settled,
    )


def _get(window_id: int) -> "wire.windows.GetWindowResponse":
    return run(lambda client: client.windows.GetWindow(wire.windows.GetWindowRequest(window_id=window_id)))


def _move(window_id: int, move: Move, reason: str, dry_run: bool) -> None:
    request = wire.windows.MoveWindowRequest(
        window_id=window_id, state=f"WINDOW_STATE_{move.state}", reason=reason, validate_only=dry_run
    )
    window = run(lambda client: client.windows.MoveWindow(request)).window
    tell(sentence_of(window), dry_run)
    if move.verb == "end" and not window.HasField("next_change_at") and not dry_run:
        tell(f"settle it with `{again(f'settle run {window.window_id}')}`", err=True)


def _times(texts: tuple[str, ...], zone: str) -> "wire.windows.WindowTimes":
    """Those of the times that are given."""
    times = wire.windows.WindowTimes()
    for field, text in zip(TIMES, texts, strict=True):
        if text and text != NONE:
            getattr(times, field).CopyFrom(timestamp(parse_moment(text, zone)))
    return times
