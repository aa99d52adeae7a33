"""Groups of instruments whose prices form together, and what their steps look at.

What operators change is read again by `load`; what steps change (memory, number) belongs to the matcher's
thread once a group is known, and is read from the database only when the books are built.
"""

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bearpit_server.exchange.listings import Listing
from bearpit_server.rules import mechanisms
from bearpit_server.rules.mechanisms import Mechanism
from bearpit_server.rules.mechanisms.base import Bar, Inputs, Memory, News, Random
from bearpit_server.rules.parameters import parse
from bearpit_server.rules.units import BPS
from bearpit_server.storage.models import Bar as BarRow
from bearpit_server.storage.models import Group as GroupRow
from bearpit_server.storage.models import News as NewsRow
from bearpit_server.storage.models import Recording

LONGEST_STEP = timedelta(hours=2)


@dataclass(slots=True)
class Group:
    """A group as it stands."""

    id: int
    name: str
    mechanism: Mechanism[Any, Any]
    shard: int
    parameters: Any
    memory: Memory
    steps: int
    stepped_at: datetime | None

    @property
    def interval_ms(self) -> int:
        """From one step to the next; 0: it makes none."""
        return self.mechanism.interval_ms(self.parameters)


class Pricing:
    """All groups by id, the news that works or will, and the recordings that instruments play."""

    def __init__(self, make_random: Random = random.Random) -> None:
        self.groups: dict[int, Group] = {}
        self._random = make_random
        self._news: list[News] = []
        self._recordings: dict[str, tuple[int, list[Bar]]] = {}
        """Those that instruments play, by name, each with its id: one that is replaced has another."""

    def load(self, listings: Iterable[Listing], at: datetime) -> None:
        """Read what operators may have changed; inside a transaction."""
        for row in GroupRow.select():
            known = self.groups.get(row.id)
            if known is None:
                self.groups[row.id] = _group(row)
            else:
                known.parameters = parse(known.mechanism.group_parameters, row.parameters)
        self._news = _news(at)
        names = {getattr(listing.parameters, "recording", "") for listing in listings} - {""}
        recordings = dict(
            Recording.select(Recording.name, Recording.id).where(Recording.name << list(names)).tuples()
        )
        read = self._recordings
        self._recordings = {
            name: read[name] if name in read and read[name][0] == id_ else (id_, _bars(id_))
            for name, id_ in recordings.items()
        }

    def reload(self, shards: Iterable[int]) -> None:
        """Read the groups of these shards as their last steps have left them; inside a transaction."""
        for row in GroupRow.select().where(GroupRow.shard << list(shards)):
            self.groups[row.id] = _group(row)

    def inputs(self, group: Group, at: datetime, attention: Mapping[int, int]) -> Inputs:
        """What the group's next step may look at."""
        since = group.stepped_at or at
        return Inputs(
            at=at,
            number=group.steps + 1,
            random=self._random,
            attention=attention,
            news=[item for item in self._news if item.starts_at <= at and item.ends_at > since],
            bars={name: bars for name, (_, bars) in self._recordings.items()},
        )


def as_json(memory: Memory) -> str:
    """A memory as it is stored; JSON's numbers of floats are exact."""
    return json.dumps(memory, separators=(",", ":"))


def _group(row: GroupRow) -> Group:
    mechanism = mechanisms.find(row.mechanism)
    parameters = parse(mechanism.group_parameters, row.parameters)
    return Group(
        row.id, row.name, mechanism, row.shard, parameters, row.memory, row.steps, row.stepped_at
    )  # fmt: skip


def _news(at: datetime) -> list[News]:
    """Those that work, will, or have worked since a step that may be that long ago."""
    rows = NewsRow.select().where(NewsRow.ends_at > at - LONGEST_STEP)
    return [
        _working(row, instrument_id)
        for row in rows
        if row.withdrawn_at is None or (row.told and row.withdrawn_at > row.publish_at)
        for instrument_id in row.instrument_ids
    ]


def _working(row: NewsRow, instrument_id: int) -> News:
    """A headline as it works. One that was withdrawn has brought the part of its drift until then."""
    ends_at, drift_bps = row.ends_at, row.drift_bps
    if row.withdrawn_at is not None:
        part = (row.withdrawn_at - row.publish_at) / (row.ends_at - row.publish_at)
        ends_at, drift_bps = row.withdrawn_at, round(BPS * ((1 + drift_bps / BPS) ** part - 1))
    return News(instrument_id, drift_bps, row.volatility_bps, row.publish_at, ends_at)


def _bars(recording_id: int) -> list[Bar]:
    rows = (
        BarRow.select(
            BarRow.at,
            BarRow.open_cents,
            BarRow.high_cents,
            BarRow.low_cents,
            BarRow.close_cents,
            BarRow.volume,
        )
        .where(BarRow.recording == recording_id)
        .order_by(BarRow.at)
        .tuples()
    )
    return [Bar(*row) for row in rows]
