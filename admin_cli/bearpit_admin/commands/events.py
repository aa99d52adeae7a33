"""`bearpit-admin events`: the event log."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.exits import OF_CODE, Exit, Failure
from bearpit_admin.listing import PAGE
from bearpit_admin.options import LIMIT, Limit, Output
from bearpit_admin.output import Format, Lines, Row, chosen, moment, show, tell
from bearpit_admin.remote import here, run, stay_signed_in

if TYPE_CHECKING:
    from bearpit.client import Client

COLUMNS = ("position", "created_at", "type", "subject", "actor", "address", "request_id", "payload")
SPARE = ("created_at", "actor", "position", "address", "request_id")
EVERY_SECONDS = 0.5
"""How often --follow looks."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: bearpit-admin events --type order. --follow -o jsonl")(events)


def events(
    type_prefix: Annotated[
        str, typer.Option("--type", metavar="PREFIX", help="Only types that begin so, such as `player.`.")
    ] = "",
    after: Annotated[
        str,
        typer.Option(
            "--after", metavar="POSITION", help="In their order from behind this position; 0-0: all."
        ),
    ] = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new ones until interrupted.")
    ] = False,
    limit: Limit = LIMIT,
    output: Output = None,
) -> None:
    """Read the event log.

    Without --after these are the latest events; the oldest comes first either way.
    """
    if follow and output is Format.JSON:
        raise Failure("With --follow the end never comes; JSON needs one.", Exit.USAGE, "use -o jsonl")
    if not follow:

        async def work(client: "Client") -> "list[wire.admin.Event]":
            if after:
                return await _read_on(client, type_prefix, after, limit)
            return await _latest(client, type_prefix, limit)

        found = run(work)
        show(COLUMNS, [_row(event) for event in found], output, SPARE)
        return
    form = chosen(output)
    tail = _Tail(type_prefix, after, limit, Lines(COLUMNS, Format.TSV if form is Format.TABLE else form))
    try:
        run(tail.follow)
    except KeyboardInterrupt:
        return


async def _read_on(client: "Client", type_prefix: str, after: str, limit: int) -> "list[wire.admin.Event]":
    """Events from behind a place, oldest first, page after page."""
    found: list[wire.admin.Event] = []
    while True:
        missing = limit - len(found) if limit else PAGE
        request = wire.admin.ListEventsRequest(
            after=after, page_size=min(missing, PAGE), type_prefix=type_prefix
        )
        answer = await client.admin.ListEvents(request)
        found += answer.events
        after = answer.position
        if not answer.events or (limit and len(found) >= limit):
            return found


async def _latest(client: "Client", type_prefix: str, limit: int) -> "list[wire.admin.Event]":
    """The newest events, oldest of them first."""
    if not limit or limit > PAGE:
        found = await _read_on(client, type_prefix, "", 0)
        return found[-limit:] if limit else found
    request = wire.admin.ListEventsRequest(page_size=limit, type_prefix=type_prefix, newest_first=True)
    return list((await client.admin.ListEvents(request)).events)[::-1]


class _Tail:
    """Prints events as they come; it knows how far it is, should it have to begin again."""

    def __init__(self, type_prefix: str, after: str, limit: int, lines: Lines) -> None:
        self._type_prefix = type_prefix
        self._after = after
        self._limit = limit
        self._lines = lines
        self._shown: set[str] = set()

    async def follow(self, client: "Client") -> None:
        """Go on until interrupted, through restarts of the server once it has answered."""
        from bearpit.client import BearpitError

        has_answered = not self._after
        if has_answered:
            await self._begin(client)
        is_lost = False
        while True:
            try:
                await stay_signed_in(client)
                await self._read_on(client)
                has_answered, is_lost = True, False
            except BearpitError as error:
                if not has_answered or OF_CODE.get(error.code.name) is not Exit.UNREACHABLE:
                    raise
                if not is_lost:
                    tell(f"No server answers at {here().server}; trying again.", err=True)
                is_lost = True
            await asyncio.sleep(EVERY_SECONDS)

    async def _read_on(self, client: "Client") -> None:
        """Print what there is by now."""
        while True:
            request = wire.admin.ListEventsRequest(
                after=self._after, page_size=PAGE, type_prefix=self._type_prefix
            )
            answer = await client.admin.ListEvents(request)
            self._print(answer.events)
            self._after = answer.position
            if len(answer.events) < PAGE:
                self._shown.clear()
                return

    async def _begin(self, client: "Client") -> None:
        request = wire.admin.ListEventsRequest(
            page_size=min(self._limit or LIMIT, PAGE), type_prefix=self._type_prefix, newest_first=True
        )
        answer = await client.admin.ListEvents(request)
        latest = list(answer.events)[::-1]
        self._print(latest)
        # Some of these may not be settled yet, and come again.
        self._shown = {event.position for event in latest}
        self._after = answer.position

    def _print(self, found: "Sequence[wire.admin.Event]") -> None:
        for event in found:
            if event.position not in self._shown:
                self._lines.write(_row(event))


def _row(event: "wire.admin.Event") -> Row:
    return (
        event.position,
        moment(event.created_at),
        event.type,
        event.subject,
        event.actor_id,
        event.address,
        event.request_id,
        event.payload_json,
    )
