"""`bearpit-admin announce`: words to everybody, a team or a role."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.files import read_text
from bearpit_admin.listing import listed
from bearpit_admin.options import LIMIT, DryRun, Limit, Output
from bearpit_admin.output import Format, Row, as_facts, chosen, moment_in, show, show_one, tell
from bearpit_admin.remote import run
from bearpit_admin.times import parse_moment, parse_span, timestamp

app = typer.Typer(help="Announcements: to everybody, a team or a role.")

AnnouncementId = Annotated[
    int, typer.Argument(metavar="ANNOUNCEMENT", help="The announcement's id; see `announce list`.")
]
COLUMNS = ("id", "title", "priority", "for", "state", "starts_at", "expires_at", "author")
SPARE = ("state", "starts_at", "for", "priority", "expires_at", "author")


class Priority(StrEnum):
    """How loud it is."""

    INFO = "info"
    IMPORTANT = "important"
    URGENT = "urgent"


@app.command(epilog='Example: bearpit-admin announce send "Lunch until one" "Soup, and **bread**." --for 45m')
def send(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="1 to 140 characters, on one line.")],
    body: Annotated[
        str,
        typer.Argument(
            metavar="BODY", help="What there is to say of it, in Markdown; `-`: from standard input."
        ),
    ] = "",
    file: Annotated[
        str, typer.Option("--file", metavar="FILE", help="Take the body from a file; `-`: standard input.")
    ] = "",
    priority: Annotated[Priority, typer.Option("--priority", help="How loud it is.")] = Priority.INFO,
    urgent: Annotated[
        bool, typer.Option("--urgent", help="It interrupts every screen: --priority urgent.")
    ] = False,
    team: Annotated[str, typer.Option("--team", metavar="NAME", help="Only for this team.")] = "",
    role: Annotated[
        str, typer.Option("--role", metavar="NAME", help="Only for those with this role; see `role list`.")
    ] = "",
    at: Annotated[
        str,
        typer.Option("--at", metavar="TIME", help="When it comes out: 2026-11-21T18:00, +10m; else now."),
    ] = "",
    lifetime: Annotated[
        str,
        typer.Option(
            "--for", metavar="SPAN", help="How long it stands: 90s, 45m, 2h; else until the next one."
        ),
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="When it goes away, in place of --for.")
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Announce something, now or later.

    With --dry-run it is shown as it will look. One without an end stands until the next one for the same
    audience comes out.
    """
    if body and file:
        raise typer.BadParameter("give the body or --file, not both")
    if team and role:
        raise typer.BadParameter("give --team or --role, not both")
    if lifetime and until:
        raise typer.BadParameter("give --for or --until, not both")
    loud = Priority.URGENT if urgent else priority
    request = wire.announcements.AnnounceRequest(
        title=title,
        body=_body(body, file),
        priority=f"PRIORITY_{loud.name}",
        audience=f"AUDIENCE_{'TEAM' if team else 'ROLE' if role else 'ALL'}",
        team=team,
        role=role,
        starts_at=timestamp(parse_moment(at)) if at else None,
        lifetime_seconds=parse_span(lifetime) if lifetime else None,
        expires_at=timestamp(parse_moment(until)) if until else None,
        validate_only=dry_run,
    )
    made = run(lambda client: client.announcements.Announce(request)).announcement
    which = f"announcement {made.announcement_id}" if made.announcement_id else "it"
    comes = f"; {which} comes out at {moment_in(made, 'starts_at')}" if _state(made) == "scheduled" else ""
    tell(f"announced{_to(made)}: {made.title}{comes}", dry_run)
    if dry_run:
        _preview(made)


@app.command("list", epilog="Example: bearpit-admin announce list --standing")
def list_(
    standing: Annotated[
        bool, typer.Option("--standing", help="Only those that stand for you, as a player sees them.")
    ] = False,
    limit: Limit = LIMIT,
    output: Output = None,
) -> None:
    """List announcements, newest first.

    Who may announce sees those to come, those that are over and the withdrawn ones as well.
    """
    announcements = listed(
        lambda client: client.announcements.ListAnnouncements,
        wire.announcements.ListAnnouncementsRequest(standing_only=standing),
        lambda answer: answer.announcements,
        limit,
    )
    show(COLUMNS, [_row(found) for found in announcements], output, SPARE)


@app.command("show", epilog="Example: bearpit-admin announce show 12")
def show_(announcement_id: AnnouncementId, output: Output = None) -> None:
    """Show an announcement with its text."""
    request = wire.announcements.GetAnnouncementRequest(announcement_id=announcement_id)
    found = run(lambda client: client.announcements.GetAnnouncement(request)).announcement
    facts = as_facts(COLUMNS, _row(found))
    form = chosen(output)
    if form is Format.TABLE:
        show_one(facts, form)
        _preview(found)
    else:
        whole = form in (Format.JSON, Format.JSONL)
        show_one([*facts, ("body", found.body if whole else found.body.replace("\n", "\\n"))], form)


@app.command(epilog="Example: bearpit-admin announce withdraw 12")
def withdraw(announcement_id: AnnouncementId, dry_run: DryRun = False) -> None:
    """Take an announcement back.

    One that is to come never comes; one that stands goes away.
    """
    request = wire.announcements.WithdrawAnnouncementRequest(
        announcement_id=announcement_id, validate_only=dry_run
    )
    found = run(lambda client: client.announcements.WithdrawAnnouncement(request)).announcement
    tell(f"withdrew announcement {found.announcement_id}: {found.title}", dry_run)


def _body(body: str, file: str) -> str:
    """The body as it is sent: with plain line breaks, and none at its end."""
    text = read_text(file) if file else read_text("-") if body == "-" else body
    return text.replace("\r\n", "\n").rstrip()


def _row(found: "wire.market.Announcement") -> Row:
    return (
        found.announcement_id,
        found.title,
        wire.word(wire.market.Priority.Name(found.priority), "PRIORITY_"),
        _audience(found),
        _state(found),
        moment_in(found, "starts_at"),
        moment_in(found, "expires_at"),
        found.author,
    )


def _state(found: "wire.market.Announcement") -> str:
    return wire.word(wire.market.AnnouncementState.Name(found.state), "ANNOUNCEMENT_STATE_")


def _audience(found: "wire.market.Announcement") -> str:
    if found.team:
        return f"team {found.team}"
    return f"role {found.role}" if found.role else "all"


def _to(found: "wire.market.Announcement") -> str:
    return f" to {_audience(found)}" if found.team or found.role else ""


def _preview(found: "wire.market.Announcement") -> None:
    """What it looks like; HTML in it is text like any other."""
    from markdown_it import MarkdownIt
    from rich.console import Console, Group
    from rich.markdown import Markdown
    from rich.panel import Panel
    from rich.text import Text

    body = Markdown(found.body, hyperlinks=False)
    body.parsed = (
        MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"]).parse(found.body)
    )
    style = {wire.market.PRIORITY_URGENT: "red", wire.market.PRIORITY_IMPORTANT: "yellow"}.get(
        found.priority, ""
    )
    console = Console(file=sys.stdout)
    shown = Group(Text(found.title, style="bold"), Text(), body) if found.body else Text(found.title, "bold")
    console.print(
        Panel(shown, border_style=style or "none", title=wire.market.Priority.Name(found.priority)[9:])
    )
