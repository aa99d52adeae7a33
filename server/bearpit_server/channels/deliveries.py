"""What becomes of deliveries: they arrive, wait for another attempt, or are given up.

Inside the caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import peewee as pw

from bearpit_server.channels.base import Failure, Letter
from bearpit_server.events import log
from bearpit_server.events.log import HOUSE_ORIGIN, Event, Origin
from bearpit_server.rules.channels import DeliveryState, Kind, State, pause_seconds
from bearpit_server.rules.notices import Kind as NoticeKind
from bearpit_server.rules.notices import Priority
from bearpit_server.rules.refusals import Refused, not_found
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Player
from bearpit_server.storage.models.channels import ChannelTarget, Delivery
from bearpit_server.storage.outbox import Claimed

SWEPT = 10_000


@dataclass(frozen=True, slots=True)
class Patience:
    """What the game's settings say: how often, after what pause, and after how many in a row to stop."""

    attempts: int
    pause_seconds: int
    give_ups: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that was given up, with its channel and whose that is."""

    row: Delivery
    target: ChannelTarget
    player_name: str

    @property
    def title(self) -> str:
        """What it said."""
        return str(self.row.letter["title"])


def letter_of(claimed: Claimed) -> Letter:
    """What is delivered."""
    kept = claimed.letter
    return Letter(
        message_id=claimed.message_id,
        kind=NoticeKind(kept["kind"]).name,
        title=kept["title"],
        body=kept["body"],
        reference=kept["reference"],
        priority=Priority(kept["priority"]).name,
        sequence=claimed.sequence,
        created_at=datetime.fromisoformat(kept["created_at"]),
        data=kept["data"],
    )


def arrived(claimed: Claimed) -> None:
    """It is there."""
    at = now()
    done = (
        Delivery.update(state=int(DeliveryState.DELIVERED), ended_at=at, last_error="")
        .where(Delivery.id == claimed.delivery_id, Delivery.state == int(DeliveryState.WAITING))
        .execute()
    )
    ChannelTarget.update(
        busy_until=at,
        failures=0,
        given_up=0,
        delivered=ChannelTarget.delivered + done,
        delivered_at=at,
        last_error="",
    ).where(ChannelTarget.id == claimed.target_id).execute()


def failed(claimed: Claimed, failure: Failure, patience: Patience, jitter: int) -> None:
    """It is tried again after a pause, or given up; `jitter` is 0 to 999, by chance."""
    at = now()
    target: ChannelTarget = (
        ChannelTarget.select().where(ChannelTarget.id == claimed.target_id).for_update().get()
    )
    mine = (
        (Delivery.id == claimed.delivery_id)
        & (Delivery.state == int(DeliveryState.WAITING))
        & (Delivery.attempts == claimed.attempts)
    )
    row = Delivery.select().where(mine).for_update().first()
    if row is None:
        return  # it took longer than its lease, and another process has it
    pause = pause_seconds(claimed.attempts, patience.pause_seconds, jitter)
    wait = timedelta(seconds=max(pause, failure.after_seconds or 0))
    target.failures += 1
    target.last_error = row.last_error = failure.reason
    target.busy_until = at + timedelta(seconds=failure.after_seconds or 0)
    if failure.gone:
        # The other side has to be mended first: what waits does so until the channel is confirmed again.
        row.attempts, row.next_at = 0, at
        _break(target, at)
    elif failure.retry and claimed.attempts < patience.attempts:
        row.next_at = at + wait
    else:
        _give_up(row, target, at)
        if target.given_up >= patience.give_ups:
            _break(target, at)
    row.save(only=row.dirty_fields)
    target.save(only=target.dirty_fields)


def _give_up(row: Delivery, target: ChannelTarget, at: datetime) -> None:
    row.state, row.ended_at = int(DeliveryState.DEAD), at
    target.given_up += 1
    payload = {
        "player_id": target.player_id,
        "channel_id": int(target.id),
        "attempts": row.attempts,
        "error": row.last_error,
    }
    log.append([Event("channel.dead_letter", f"delivery:{row.id}", HOUSE_ORIGIN, payload)], at)


def _break(target: ChannelTarget, at: datetime) -> None:
    if target.state != int(State.CONFIRMED):
        return
    target.state = int(State.BROKEN)
    payload = {"player_id": target.player_id, "channel": Kind(target.kind).name, "error": target.last_error}
    log.append([Event("channel.broken", f"channel:{target.id}", HOUSE_ORIGIN, payload)], at)


def dead(player_id: int | None, limit: int, after_id: int | None) -> list[DeadLetter]:
    """What was given up, newest first, after the one of that id: a player's, or everybody's."""
    query = _dead().order_by(Delivery.id.desc()).limit(limit)
    if player_id is not None:
        query = query.where(ChannelTarget.player_id == player_id)
    if after_id is not None:
        query = query.where(Delivery.id < after_id)
    return _letters(query)


def retry(delivery_id: int, player_id: int | None, origin: Origin) -> DeadLetter:
    """Let one be tried again, as if it were new; with a player only one of his.

    Raises Refused NOT_FOUND, or NOT_POSSIBLE_NOW when its channel is gone or not confirmed.
    """
    query = _dead().where(Delivery.id == delivery_id)
    if player_id is not None:
        query = query.where(ChannelTarget.player_id == player_id)
    found = _letters(query.for_update("FOR UPDATE OF t1"))
    if not found:
        raise not_found("dead letter", delivery_id)
    letter = found[0]
    if letter.target.removed_at is not None or letter.target.state != int(State.CONFIRMED):
        gone = letter.target.removed_at is not None
        raise Refused(
            "NOT_POSSIBLE_NOW",
            "its channel has been removed" if gone else "its channel is not confirmed; confirm it first",
            "delivery_id",
            state="removed" if gone else State(letter.target.state).name.lower(),
        )
    Delivery.update(state=int(DeliveryState.WAITING), ended_at=None, attempts=0, next_at=now()).where(
        Delivery.id == delivery_id
    ).execute()
    payload = {"player_id": letter.target.player_id, "channel_id": int(letter.target.id)}
    log.append([Event("channel.retried", f"delivery:{delivery_id}", origin, payload)])
    return letter


def _dead() -> pw.ModelSelect:
    return (
        Delivery.select(Delivery, ChannelTarget, Player.name)
        .join(ChannelTarget, on=(ChannelTarget.id == Delivery.target_id), attr="target")
        .join(Player, on=(Player.id == ChannelTarget.player_id), attr="player")
        .where(Delivery.state == int(DeliveryState.DEAD))
    )


def _letters(rows: Sequence[Delivery]) -> list[DeadLetter]:
    return [DeadLetter(row, row.target, row.target.player.name) for row in rows]


def sweep(days: int) -> int:
    """Forget deliveries that arrived so many days ago, and tell how many; the dead are kept."""
    old = (
        Delivery.select(Delivery.id)
        .where(
            Delivery.state == int(DeliveryState.DELIVERED), Delivery.ended_at < now() - timedelta(days=days)
        )
        .limit(SWEPT)
    )
    return int(Delivery.delete().where(Delivery.id << old).execute())
