"""What this process's players look at, for the groups whose prices follow it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from bearpit_server.exchange.pricing import Group
from bearpit_server.rules.looking import Looking
from bearpit_server.storage import clock


class Looks:
    """Takes note of what the server itself observes; on the event loop."""

    def __init__(self, groups: Mapping[int, Group]) -> None:
        self._groups = groups
        self._looking: dict[int, Looking] = {}

    @contextmanager
    def watching(self, player_id: int, group_id: int, instrument_id: int) -> Iterator[None]:
        """A screen or a subscription shows an instrument while the block lasts."""
        looking = self._of(group_id)
        if looking is None or not player_id:
            yield
            return
        looking.open(player_id, instrument_id, _ms(clock.now()))
        try:
            yield
        finally:
            looking.close(player_id, instrument_id, _ms(clock.now()))

    def glance(self, player_id: int, group_id: int, instrument_id: int) -> None:
        """Somebody looked an instrument up."""
        looking = self._of(group_id)
        if looking is not None and player_id:
            looking.glance(player_id, instrument_id, _ms(clock.now()))

    def scores(self, group: Group, at: datetime) -> dict[int, int]:
        """Points by instrument since the last reset."""
        looking = self._of(group.id)
        return looking.scores(_ms(at), group.parameters.player_cap) if looking else {}

    def reset(self, group: Group, at: datetime) -> None:
        """Begin the next interval."""
        looking = self._of(group.id)
        if looking is not None:
            looking.reset(_ms(at))

    def _of(self, group_id: int) -> Looking | None:
        """The looks at a group's instruments; None: nobody's looks matter to it."""
        group = self._groups.get(group_id)
        half_life_ms = getattr(group.parameters, "half_life_ms", 0) if group else 0
        if not half_life_ms:
            return None
        looking = self._looking.setdefault(group_id, Looking(half_life_ms))
        looking.half_life_ms = half_life_ms
        return looking


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
