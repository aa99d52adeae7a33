"""What holds of players right now, remembered: the check of every call costs a look-up.

Changes made by this process show at once, those made by others when the event log tells of them, within a
second or so; within `FRESH_FOR` whatever happens.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bearpit_server.rules.roles import Permission, permissions_of
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import HOUSE, Player, SignIn

FRESH_FOR = 60.0
"""Seconds."""
MAX_KNOWN = 50_000


@dataclass(frozen=True, slots=True)
class Standing:
    """What a token is checked against. `sign_ins` are those that have not ended."""

    name: str
    permissions: frozenset[Permission]
    epoch: int
    disabled: bool
    frozen: bool
    sign_ins: frozenset[int]
    read_at: float


class Standings:
    """The standings of players who called lately. `clock` gives monotonic seconds."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[int, Standing] = {}
        self._forgotten = 0
        self._asked: dict[int, asyncio.Future[Standing | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    def fresh(self, player_id: int) -> Standing | None:
        """The standing, if it was read less than `FRESH_FOR` ago."""
        standing = self._known.get(player_id)
        if standing is None or self._clock() - standing.read_at > FRESH_FOR:
            return None
        return standing

    async def read(self, player_id: int) -> Standing | None:
        """The standing as the database has it; None: there is no such player.

        Those who ask while a query runs are answered by the next one, together. Raises Refused
        DATABASE_UNAVAILABLE.
        """
        waiting = self._asked.get(player_id)
        if waiting is None:
            loop = asyncio.get_running_loop()
            waiting = self._asked[player_id] = loop.create_future()
            if self._reading is None:
                self._reading = loop.create_task(self._answer())
        return await asyncio.shield(waiting)

    def forget(self, player_id: int) -> None:
        """Something about a player was changed here, and committed: read it again at the next call."""
        self._forgotten += 1
        self._known.pop(player_id, None)

    async def _answer(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked, {}
                forgotten = self._forgotten
                try:
                    found = await self._database.run(_query, list(asked), self._clock())
                except Exception as error:
                    for waiting in asked.values():
                        waiting.set_exception(error)
                        waiting.exception()  # read, should nobody wait any more
                    continue
                # What was read before a change must not outlive it.
                if forgotten == self._forgotten:
                    self._remember(found)
                for player_id, waiting in asked.items():
                    waiting.set_result(found.get(player_id))
        finally:
            self._reading = None

    def _remember(self, found: dict[int, Standing]) -> None:
        if len(self._known) + len(found) > MAX_KNOWN:
            self._known.clear()
        self._known.update(found)


def _query(player_ids: Iterable[int], read_at: float) -> dict[int, Standing]:
    ids = list(player_ids)
    sign_ins: dict[int, set[int]] = {id_: set() for id_ in ids}
    live = SignIn.select(SignIn.player, SignIn.id).where(SignIn.player << ids, SignIn.voided_at.is_null())
    for player_id, sign_in_id in live.tuples():
        sign_ins[player_id].add(sign_in_id)
    rows = Player.select(
        Player.id, Player.name, Player.roles, Player.token_epoch, Player.disabled, Player.frozen
    ).where(Player.id << ids, Player.id != HOUSE)
    return {
        id_: Standing(name, permissions_of(roles), epoch, disabled, frozen, frozenset(sign_ins[id_]), read_at)
        for id_, name, roles, epoch, disabled, frozen in rows.tuples()
    }
