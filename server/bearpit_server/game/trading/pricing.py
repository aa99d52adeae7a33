"""Groups of instruments whose prices form together, as operators make and change them."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.game.trading.shards import shard_of
from bearpit_server.rules import mechanisms
from bearpit_server.rules.mechanisms import Mechanism
from bearpit_server.rules.parameters import parse, schema, texts_of
from bearpit_server.rules.refusals import Refused, invalid, not_found
from bearpit_server.storage import bulk
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Group, Instrument, Recording

NAME = re.compile(r"[A-Za-z0-9_.-]{1,24}")
"""What groups and recordings may be called."""
SEED_BYTES = 8


@dataclass(frozen=True, slots=True)
class Grouped:
    """A group and the symbols of its instruments."""

    row: Group
    symbols: tuple[str, ...]


def check_name(name: str) -> str:
    """The name, if a group or a recording may have it. Raises Refused INVALID_FIELD."""
    if not NAME.fullmatch(name):
        raise invalid("name", "give 1 to 24 of letters, digits, `_`, `-` and `.`")
    return name


def has_groups(mechanism: Mechanism[Any, Any]) -> bool:
    """Whether instruments of a mechanism are grouped: only where there is something to set of a group."""
    return bool(schema(mechanism.group_parameters))


def create(name: str, mechanism_name: str, parameters: Mapping[str, str], origin: Origin) -> Grouped:
    """Make a group; without a seed it gets a random one, so that nobody can foretell its prices.

    Raises Refused NOT_FOUND for the mechanism, INVALID_FIELD, or ALREADY_EXISTS.
    """
    check_name(name)
    mechanism = mechanisms.find(mechanism_name)
    if not has_groups(mechanism):
        raise invalid("mechanism", f"instruments of {mechanism.name} are not grouped")
    row = {
        "name": name,
        "mechanism": mechanism.name,
        "shard": shard_of(name),
        "parameters": _sown(texts_of(parse(mechanism.group_parameters, parameters))),
        "created_at": now(),
    }
    made = Group.insert(row).on_conflict_ignore().returning(Group).execute()
    group: Group | None = next(iter(made), None)
    if group is None:
        raise Refused("ALREADY_EXISTS", f"there is a group {name} already", "name", name=name)
    payload = {"mechanism": mechanism.name, "parameters": row["parameters"]}
    log.append([Event("group.created", f"group:{name}", origin, payload)])
    return Grouped(group, ())


def update(name: str, parameters: Mapping[str, str], origin: Origin) -> Grouped:
    """Change a group while it runs; all its instruments must still fit.

    Raises Refused NOT_FOUND or INVALID_FIELD.
    """
    group = lock(get(name).id)
    mechanism = mechanisms.find(group.mechanism)
    before = parse(mechanism.group_parameters, group.parameters)
    texts = _sown(texts_of(parse(mechanism.group_parameters, parameters, before)))
    after = parse(mechanism.group_parameters, texts)
    members = _members(group)
    for member in members:
        try:
            mechanism.check(after, parse(mechanism.member_parameters, member.parameters))
        except Refused as refused:
            raise Refused(
                refused.reason, f"{member.symbol} would not fit: {refused.message}", refused.field
            ) from None
    changed = {key: text for key, text in texts.items() if text != group.parameters.get(key)}
    if changed:
        group.parameters = texts
        group.save(only=[Group.parameters])
        log.append([Event("group.updated", f"group:{group.name}", origin, {"parameters": changed})])
    return Grouped(group, tuple(member.symbol for member in members))


def list_all() -> list[Grouped]:
    """All groups, by name."""
    symbols: dict[int, list[str]] = {}
    rows = Instrument.select(Instrument.group_id, Instrument.symbol).where(Instrument.group_id.is_null(False))
    for group_id, symbol in rows.order_by(Instrument.symbol).tuples():
        symbols.setdefault(group_id, []).append(symbol)
    return [Grouped(row, tuple(symbols.get(row.id, ()))) for row in Group.select().order_by(Group.name)]


def get(name: str) -> Group:
    """The group of that name. Raises Refused NOT_FOUND."""
    row: Group | None = Group.get_or_none(Group.name == name) if NAME.fullmatch(name) else None
    if row is None:
        raise not_found("group", name[:24])
    return row


def lock(group_id: int) -> Group:
    """A group that nobody else changes, and no instrument joins, until the transaction ends.

    Before any instrument of it: steps change the group first, too.
    """
    row: Group = Group.select().where(Group.id == group_id).for_update().get()
    return row


def join(symbol: str, mechanism: Mechanism[Any, Any], group_name: str, origin: Origin) -> Group | None:
    """The group that a new instrument is to be in, locked; without a name one of its own, named like it.

    None where the mechanism has no groups. Raises Refused NOT_FOUND, INVALID_FIELD or ALREADY_EXISTS.
    """
    if not has_groups(mechanism):
        if group_name:
            raise invalid("group", f"instruments of {mechanism.name} are not grouped; leave it empty")
        return None
    if not group_name:
        return create(symbol, mechanism.name, {}, origin).row
    group = lock(get(group_name).id)
    if group.mechanism != mechanism.name:
        raise invalid("group", f"the prices of {group.name} form by {group.mechanism}, not {mechanism.name}")
    return group


def check_member(mechanism: Mechanism[Any, Any], group: Group | None, member: object) -> None:
    """Raises Refused INVALID_FIELD for parameters that do not go together, NOT_FOUND for the recording."""
    shared = parse(mechanism.group_parameters, group.parameters if group else {})
    mechanism.check(shared, member)
    recording = getattr(member, "recording", "")
    if recording and Recording.get_or_none(Recording.name == recording) is None:
        raise not_found("recording", recording[:24])


_COUNT_REFUSED = """
UPDATE groups SET refused = refused || (
    SELECT jsonb_object_agg(r, coalesce((refused->>r)::int8, 0) + n)
    FROM unnest((string_to_array(%s, E'\\x1f'))[2:], %s::int8[]) AS u(r, n)
) WHERE id = %s
"""


def count_refused(counts: Mapping[int, Mapping[str, int]]) -> None:
    """Add to the pushed prices that groups have refused: by group, by reason."""
    for group_id, refused in sorted(counts.items()):
        if refused:
            bulk.execute(_COUNT_REFUSED, bulk.texts(refused), bulk.ints(refused.values()), group_id)


def _members(group: Group) -> list[Instrument]:
    return list(Instrument.select().where(Instrument.group_id == group.id).order_by(Instrument.symbol))


def _sown(texts: dict[str, str]) -> dict[str, str]:
    """With a seed, where there is one to be had."""
    return texts | {"seed": secrets.token_hex(SEED_BYTES)} if texts.get("seed") == "" else texts
