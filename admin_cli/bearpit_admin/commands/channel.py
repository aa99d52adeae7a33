"""`bearpit-admin channel`: where players' notifications go beside the screen, and what did not arrive."""

from typing import Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.listing import listed
from bearpit_admin.options import LIMIT, DryRun, Limit, Output, PlayerFilter
from bearpit_admin.output import Row, moment_in, show, tell
from bearpit_admin.remote import run

app = typer.Typer(help="Webhooks and chats that notifications go to.")

EVERYBODY = "*"
CHANNELS = (
    "id", "player", "kind", "address", "state", "kinds", "delivered", "waiting", "dead", "last_error",
    "delivered_at", "created_at",
)  # fmt: skip
CHANNELS_SPARE = (
    "state", "dead", "last_error", "waiting", "delivered", "kinds", "delivered_at", "created_at",
)  # fmt: skip
DEAD = ("id", "player", "channel", "kind", "title", "attempts", "last_error", "died_at")
DEAD_SPARE = ("last_error", "died_at", "attempts", "kind", "channel")


@app.command("list", epilog="Example: bearpit-admin channel list --player ada")
def list_(player: PlayerFilter = "", limit: Limit = LIMIT, output: Output = None) -> None:
    """List channels, newest first, and how they do.

    Of others' addresses only the host is shown.
    """
    channels = listed(
        lambda client: client.channels.ListChannels,
        wire.channels.ListChannelsRequest(player=player or EVERYBODY),
        lambda answer: answer.channels,
        limit,
    )
    show(CHANNELS, [_channel(found) for found in channels], output, CHANNELS_SPARE)


@app.command(epilog="Example: bearpit-admin channel dead --player ada")
def dead(player: PlayerFilter = "", limit: Limit = LIMIT, output: Output = None) -> None:
    """List deliveries that were given up, newest first."""
    dead_letters = listed(
        lambda client: client.channels.ListDeadLetters,
        wire.channels.ListDeadLettersRequest(player=player or EVERYBODY),
        lambda answer: answer.dead_letters,
        limit,
    )
    show(DEAD, [_letter(found) for found in dead_letters], output, DEAD_SPARE)


@app.command(epilog="Example: bearpit-admin channel retry 31")
def retry(
    delivery_id: Annotated[
        int, typer.Argument(metavar="DELIVERY", help="The delivery's id; see `channel dead`.")
    ],
    dry_run: DryRun = False,
) -> None:
    """Try a delivery again that was given up."""
    request = wire.channels.RetryDeadLetterRequest(delivery_id=delivery_id, validate_only=dry_run)
    letter = run(lambda client: client.channels.RetryDeadLetter(request)).dead_letter
    tell(f"delivery {letter.delivery_id} to {letter.player_name} is due again: {letter.title}", dry_run)


def _channel(found: "wire.channels.Channel") -> Row:
    return (
        found.channel_id,
        found.player_name,
        _kind(found.kind),
        found.address,
        wire.word(wire.channels.ChannelState.Name(found.state), "CHANNEL_STATE_"),
        [
            wire.word(wire.notifications.NotificationKind.Name(kind), "NOTIFICATION_KIND_")
            for kind in found.kinds
        ],
        found.delivered,
        found.waiting,
        found.dead,
        found.last_error,
        moment_in(found, "delivered_at"),
        moment_in(found, "created_at"),
    )


def _letter(found: "wire.channels.DeadLetter") -> Row:
    return (
        found.delivery_id,
        found.player_name,
        found.channel_id,
        _kind(found.kind),
        found.title,
        found.attempts,
        found.last_error,
        moment_in(found, "died_at"),
    )


def _kind(kind: "wire.channels.ChannelKind") -> str:
    return wire.word(wire.channels.ChannelKind.Name(kind), "CHANNEL_KIND_")
