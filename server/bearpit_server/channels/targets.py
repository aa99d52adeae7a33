"""Where players' notifications go: adding, confirming, removing; inside the caller's transaction.

Events name a channel's kind and never its address, which may hold secrets.
"""

import hmac
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import uuid4

import peewee as pw

from bearpit_server.channels.base import TEST, Letter, Target
from bearpit_server.channels.webhook import new_secret
from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.rules.channels import (
    CODE_ALPHABET,
    CODE_LENGTH,
    CODE_MINUTES,
    CODE_TRIES,
    DeliveryState,
    Kind,
    State,
)
from bearpit_server.rules.refusals import Refused, invalid, not_found
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Player
from bearpit_server.storage.models.channels import ChannelTarget, Delivery
from bearpit_server.storage.models.notices import Inbox

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the game's settings say: channels at once, and channels added in a day."""

    at_once: int
    a_day: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A channel with its owner's name and what waits and has died there."""

    row: ChannelTarget
    player_name: str
    waiting: int
    dead: int


@dataclass(frozen=True, slots=True)
class Added:
    """A new channel; `code` is what its chat must be told, empty for a webhook."""

    row: ChannelTarget
    code: str


def add(
    player_id: int, kind: Kind, address: str, kinds: Collection[int], limits: Limits, origin: Origin
) -> Added:
    """Add a channel, pending. Raises Refused LIMIT_EXCEEDED or ALREADY_EXISTS."""
    at = now()
    # Of two at once the second waits: together they may not have more than the limit.
    Player.select().where(Player.id == player_id).for_update().get()
    _check_limits(player_id, limits, at)
    code = _new_code() if kind is Kind.TELEGRAM else ""
    made = (
        ChannelTarget.insert(
            player_id=player_id,
            kind=int(kind),
            address=address,
            secret=new_secret() if kind is Kind.WEBHOOK else "",
            kinds=sorted(set(kinds)),
            state=int(State.PENDING),
            code_hash=_hash(code) if code else "",
            code_expires_at=at + timedelta(minutes=CODE_MINUTES) if code else None,
            busy_until=at,
            created_at=at,
        )
        .on_conflict_ignore()
        .returning(ChannelTarget)
        .execute()
    )
    row: ChannelTarget | None = next(iter(made), None)
    if row is None:
        raise Refused(
            "ALREADY_EXISTS", "you have this channel already; see the list of your channels", "address"
        )
    _log("channel.added", row, origin)
    return Added(row, code)


def _check_limits(player_id: int, limits: Limits, at: datetime) -> None:
    mine = ChannelTarget.select().where(ChannelTarget.player_id == player_id)
    has = mine.where(ChannelTarget.removed_at.is_null()).count()
    if has >= limits.at_once:
        raise Refused(
            "LIMIT_EXCEEDED", f"you have {has} channels, which is all there can be; remove one",
            limit="channels", allowed=limits.at_once, used=has,
        )  # fmt: skip
    today = mine.where(ChannelTarget.created_at > at - DAY).count()
    if today >= limits.a_day:
        raise Refused(
            "LIMIT_EXCEEDED", f"you have added {today} channels in 24 hours; wait for tomorrow",
            limit="channels_a_day", allowed=limits.a_day, used=today,
        )  # fmt: skip


def get(channel_id: int, player_id: int, for_update: bool = False) -> ChannelTarget:
    """A channel of a player's. Raises Refused NOT_FOUND."""
    query = ChannelTarget.select().where(
        ChannelTarget.id == channel_id,
        ChannelTarget.player_id == player_id,
        ChannelTarget.removed_at.is_null(),
    )
    row: ChannelTarget | None = (query.for_update() if for_update else query).first()
    if row is None:
        raise not_found("channel of yours", channel_id)
    return row


def take_turn(channel_id: int, player_id: int, pause_seconds: int) -> ChannelTarget:
    """The channel, if it may be sent a test now: not more often than that. Raises RATE_LIMITED, NOT_FOUND."""
    row, at = get(channel_id, player_id, for_update=True), now()
    if row.tested_at is not None and at < row.tested_at + timedelta(seconds=pause_seconds):
        wait = row.tested_at + timedelta(seconds=pause_seconds) - at
        raise Refused(
            "RATE_LIMITED",
            f"this channel was sent a test just now; wait {int(wait.total_seconds()) + 1} s",
            retry_after_ms=int(wait.total_seconds() * 1_000),
        )
    row.tested_at = at
    row.save(only=[ChannelTarget.tested_at])
    return row


def renew_code(row: ChannelTarget) -> str:
    """A new code in place of the last one; to ask for it is a try, for the chat may be another's.

    Raises Refused CHANNEL_CODE_WRONG when there have been too many.
    """
    _try_once_more(row)
    code = _new_code()
    row.code_hash, row.code_expires_at = _hash(code), now() + timedelta(minutes=CODE_MINUTES)
    row.save(only=[ChannelTarget.code_hash, ChannelTarget.code_expires_at])
    return code


def count_try(channel_id: int, player_id: int) -> None:
    """Count a try at the code; to be committed before the code is looked at, so that no failure forgets it.

    Raises Refused NOT_FOUND, or CHANNEL_CODE_WRONG when there have been too many.
    """
    row = get(channel_id, player_id, for_update=True)
    if row.state != int(State.CONFIRMED):
        _try_once_more(row)


def _try_once_more(row: ChannelTarget) -> None:
    if row.code_tries >= CODE_TRIES:
        raise Refused(
            "CHANNEL_CODE_WRONG",
            "code: there have been too many tries; remove this channel and add it again",
            "code",
            tries_left=0,
        )
    row.code_tries += 1
    row.save(only=[ChannelTarget.code_tries])


def check_code(row: ChannelTarget, code: str) -> None:
    """Raises Refused CHANNEL_CODE_WRONG unless it is the code that was sent, and not too old."""
    if row.code_expires_at is None or now() >= row.code_expires_at:
        raise Refused("CHANNEL_CODE_WRONG", "code: it is too old; ask for a new one by a test", "code")
    if not hmac.compare_digest(_hash(code), row.code_hash):
        left = max(CODE_TRIES - row.code_tries, 0)
        raise Refused(
            "CHANNEL_CODE_WRONG", f"code: this is not the one that was sent; {left} tries are left", "code",
            tries_left=left,
        )  # fmt: skip


def confirm(row: ChannelTarget, origin: Origin) -> ChannelTarget:
    """Let it deliver what comes from now on; what came before is not sent."""
    if row.state == int(State.CONFIRMED):
        return row
    inbox = Inbox.get_or_none(Inbox.player_id == row.player_id)
    row.state, row.after_sequence = int(State.CONFIRMED), inbox.last_sequence if inbox else 0
    row.code_hash, row.code_tries, row.code_expires_at = "", 0, None
    row.failures, row.given_up, row.last_error, row.busy_until = 0, 0, "", now()
    row.save()
    _log("channel.confirmed", row, origin)
    return row


def remove(channel_id: int, player_id: int, origin: Origin) -> ChannelTarget:
    """End it; what waits for it is not sent. Raises Refused NOT_FOUND."""
    row = get(channel_id, player_id, for_update=True)
    row.removed_at = now()
    row.save(only=[ChannelTarget.removed_at])
    Delivery.delete().where(
        Delivery.target_id == row.id, Delivery.state == int(DeliveryState.WAITING)
    ).execute()
    _log("channel.removed", row, origin)
    return row


def note(channel_id: int, reason: str) -> None:
    """Keep why the last test failed; empty: it did not."""
    ChannelTarget.update(last_error=reason).where(ChannelTarget.id == channel_id).execute()


def page(player_id: int | None, limit: int, after_id: int | None) -> list[Listed]:
    """Channels newest first, after the one of that id: a player's, or everybody's."""
    query = (
        ChannelTarget.select(ChannelTarget, Player.name.alias("player_name"))
        .join(Player, on=(Player.id == ChannelTarget.player_id))
        .where(ChannelTarget.removed_at.is_null())
        .order_by(ChannelTarget.id.desc())
        .limit(limit)
    )
    if player_id is not None:
        query = query.where(ChannelTarget.player_id == player_id)
    if after_id is not None:
        query = query.where(ChannelTarget.id < after_id)
    rows = list(query.objects())
    counts = _counts([row.id for row in rows])
    return [_listed(row, row.player_name, counts) for row in rows]


def listed(row: ChannelTarget) -> Listed:
    """A channel as its owner sees it."""
    return _listed(row, "", _counts([row.id]))


def _listed(row: ChannelTarget, name: str, counts: dict[tuple[int, int], int]) -> Listed:
    waiting, dead = (counts.get((row.id, int(s)), 0) for s in (DeliveryState.WAITING, DeliveryState.DEAD))
    return Listed(row, name, waiting, dead)


def _counts(ids: Sequence[int]) -> dict[tuple[int, int], int]:
    rows: Iterable[tuple[int, int, int]] = (
        Delivery.select(Delivery.target_id, Delivery.state, pw.fn.COUNT(Delivery.id))
        .where(Delivery.target_id << list(ids), Delivery.state != int(DeliveryState.DELIVERED))
        .group_by(Delivery.target_id, Delivery.state)
        .tuples()
    )
    return {(target, state): count for target, state, count in rows}


def target_of(row: ChannelTarget) -> Target:
    """What a channel delivers to."""
    return Target(row.address, row.secret)


def trial(title: str, body: str = "") -> Letter:
    """A letter that no notification is behind."""
    return Letter(uuid4(), TEST, title, body, "", "NORMAL", 0, now(), {})


def code_letter(code: str) -> Letter:
    """The letter with a code."""
    return trial(
        f"Your code is {code}",
        f"Type it in Bearpit within {CODE_MINUTES} minutes to have your notifications sent here. "
        "If you have not asked for it, somebody has mistyped a number: do nothing.",
    )


def check_kinds(kinds: Iterable[int], known: Collection[int]) -> list[int]:
    """Raises Refused INVALID_FIELD for one that there is not."""
    given = sorted(set(kinds))
    if not set(given) <= set(known):
        raise invalid("kinds", "name kinds of notifications that there are, or none for all")
    return given


def _new_code() -> str:
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))


def _hash(code: str) -> str:
    return sha256(b"bearpit channel " + code.strip().upper().encode()).hexdigest()


def _log(type_: str, row: ChannelTarget, origin: Origin) -> None:
    payload = {"player_id": int(row.player_id), "kind": Kind(row.kind).name}
    log.append([Event(type_, f"channel:{row.id}", origin, payload)])
