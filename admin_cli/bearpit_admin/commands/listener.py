"""`bearpit-admin listener`: who listens to the event log, and telling one again."""

from typing import Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.listing import listed
from bearpit_admin.options import LIMIT, DryRun, Limit, Output, Yes
from bearpit_admin.output import moment, moment_in, show, tell
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import run

app = typer.Typer(help="Who listens to the event log.")

COLUMNS = (
    "name", "position", "published", "delivered", "failed", "retried", "waiting", "retry_at", "last_error",
    "types", "known",
)  # fmt: skip
SPARE = ("last_error", "retry_at", "known", "position", "types")

ListenerName = Annotated[str, typer.Argument(metavar="LISTENER", help="Its name; see `listener list`.")]


@app.command("list", epilog="Example: bearpit-admin listener list")
def list_(output: Output = None) -> None:
    """List listeners: how far each has come, and what failed."""
    rows = [
        (
            one.name, one.position, one.published, one.delivered, one.failed, one.retried, one.waiting,
            moment_in(one, "retry_at"), one.last_error, list(one.type_prefixes), one.known,
        )
        for one in run(lambda client: client.bus.ListListeners(wire.bus.ListListenersRequest())).listeners
    ]  # fmt: skip
    show(COLUMNS, rows, output, SPARE)


@app.command(epilog="Example: bearpit-admin listener replay notifications --from 48-1702 --dry-run")
def replay(
    name: ListenerName,
    from_event: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="EVENT",
            help="The first event: its position, or the number behind the dash; 0: all.",
        ),
    ],
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Tell a listener again, from an event on.

    What it has done it does not do twice. `events` shows positions.
    """
    confirm(f"Tell {name} again of everything from event {from_event} on?", yes, dry_run)
    request = wire.bus.ReplayListenerRequest(listener=name, from_event=from_event, validate_only=dry_run)
    answer = run(lambda client: client.bus.ReplayListener(request))
    tell(
        f"{answer.listener.name} hears {answer.events} events again, behind {answer.listener.position}",
        dry_run,
    )


@app.command(epilog="Example: bearpit-admin listener failures notifications")
def failures(
    name: Annotated[str, typer.Argument(metavar="LISTENER", help="Only of this one.")] = "",
    limit: Limit = LIMIT,
    output: Output = None,
) -> None:
    """List events that a listener went on without, newest first."""
    failures = listed(
        lambda client: client.bus.ListListenerFailures,
        wire.bus.ListListenerFailuresRequest(listener=name),
        lambda answer: answer.failures,
        limit,
    )
    rows = [
        (one.failure_id, one.listener, one.position, one.type, one.error, moment(one.failed_at))
        for one in failures
    ]
    show(("id", "listener", "position", "type", "error", "failed_at"), rows, output, ("failed_at", "id"))
