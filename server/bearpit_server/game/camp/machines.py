"""Arcade machines, their limits, and what passed through them today; inside the caller's transaction."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.rules import arcade as rules
from bearpit_server.rules.arcade import LIMITS, Kind, Limits
from bearpit_server.rules.refusals import Refused, not_found
from bearpit_server.storage import hours
from bearpit_server.storage.clock import now
from bearpit_server.storage.models.arcade import ArcadeMachine, ArcadeTransaction

MAX_NAME = 24

Setting = Callable[[str], int]
"""The number that a setting of the game has now, by its key."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A machine, and what passed through it today, in cents."""

    row: ArcadeMachine
    taken_cents: int = 0
    given_cents: int = 0
    last_at: datetime | None = None


def find(name: str) -> ArcadeMachine | None:
    """The machine of that name, without regard to case."""
    if len(name) > MAX_NAME or not name.isascii() or "\0" in name:
        return None
    row: ArcadeMachine | None = ArcadeMachine.get_or_none(pw.fn.lower(ArcadeMachine.name) == name.lower())
    return row


def get(name: str) -> ArcadeMachine:
    """The same. Raises Refused NOT_FOUND."""
    row = find(name)
    if row is None:
        raise not_found("arcade machine", name[:40])
    return row


def lock(name: str) -> ArcadeMachine:
    """The same, until the transaction's end nobody else's. Raises Refused NOT_FOUND."""
    one = ArcadeMachine.select().where(ArcadeMachine.id == get(name).id)
    row: ArcadeMachine = one.for_update("FOR NO KEY UPDATE").get()
    return row


def limits_of(row: ArcadeMachine, setting: Setting) -> Limits:
    """The limits of a machine as they hold now."""
    return rules.limits_of(lambda limit: getattr(row, limit), setting)


def create(name: str, limits: dict[str, int], origin: Origin) -> ArcadeMachine:
    """A new machine with limits of its own by their names. Raises Refused INVALID_FIELD or ALREADY_EXISTS."""
    at = now()
    checked = {limit: rules.check_limit(limit, value) for limit, value in limits.items()}
    made = (
        ArcadeMachine.insert(name=name, created_at=at, **checked)
        .on_conflict_ignore()
        .returning(ArcadeMachine)
        .execute()
    )
    row: ArcadeMachine | None = next(iter(made), None)
    if row is None:
        raise Refused("ALREADY_EXISTS", f"there is a machine {name}; choose another name", "name", name=name)
    payload = {"name": name, "limits": checked}
    log.append([Event("arcade.machine_created", f"arcade_machine:{row.id}", origin, payload)], at)
    return row


def change(
    name: str, limits: dict[str, int], cleared: Iterable[str], active: bool | None, origin: Origin
) -> ArcadeMachine:
    """Set limits of a machine's own, leave others to the settings again, close it or open it.

    Raises Refused NOT_FOUND or INVALID_FIELD.
    """
    wanted: dict[str, int | None] = {
        limit: rules.check_limit(limit, value) for limit, value in limits.items()
    }
    for limit in cleared:
        wanted[rules.check_cleared(limit, limits)] = None
    row = lock(name)
    told: dict[str, object] = {}
    for limit, value in wanted.items():
        if getattr(row, limit) != value:
            setattr(row, limit, value)
            told[limit] = value
    if active is not None and active != row.active:
        row.active = told["active"] = active
    if told:
        row.save(only=[getattr(ArcadeMachine, field) for field in (*LIMITS, "active")])
        log.append([Event("arcade.machine_changed", f"arcade_machine:{row.id}", origin, told)])
    return row


def listed(after: str, limit: int) -> list[Listed]:
    """Machines by name, those after a name."""
    lower = pw.fn.lower(ArcadeMachine.name)
    query = ArcadeMachine.select().order_by(lower).limit(limit)
    return with_today(list(query.where(lower > after.lower()) if after else query))


def with_today(rows: Sequence[ArcadeMachine]) -> list[Listed]:
    """Machines with what passed through them today."""
    row = ArcadeTransaction
    holds = row.voided_at.is_null()
    passed = {
        machine_id: (taken, given)
        for machine_id, taken, given in row.select(
            row.machine_id,
            total(holds & (row.kind == int(Kind.TAKE))),
            total(holds & (row.kind == int(Kind.GIVE))),
        )
        .where(row.machine_id << [machine.id for machine in rows], row.day == today(now()))
        .group_by(row.machine_id)
        .tuples()
    }
    return [Listed(machine, *passed.get(machine.id, (0, 0)), _last(machine.id)) for machine in rows]


def _last(machine_id: int) -> datetime | None:
    row = ArcadeTransaction
    last = row.select(row.at).where(row.machine_id == machine_id).order_by(row.id.desc()).limit(1)
    return next((at for (at,) in last.tuples()), None)


def total(where: pw.Expression) -> pw.Node:
    """Cents, where `where` holds; no machine passes more on a day than an int64 can count."""
    cents = pw.fn.sum(ArcadeTransaction.amount_cents).filter(where)
    return pw.fn.coalesce(cents, 0).cast("bigint")


def today(at: datetime) -> date:
    """The day that a moment belongs to, in the market's time zone."""
    return at.astimezone(hours.read().zone).date()
