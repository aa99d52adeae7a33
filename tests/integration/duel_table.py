"""A table at which two players duel, as tests use it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from bearpit.client import Client
from bearpit.client.duels import Duelist, Secrets, verify
from bearpit.v1 import admin_pb2
from bearpit.v1 import duels_pb2 as pb
from bearpit_server.game.duels.limits import Limits
from bearpit_server.rules.parameters import as_text
from bearpit_server.rules.settings import SETTINGS
from bearpit_server.storage import clock

from tests.venue import Venue

STAKE = 10_000
START = 100_000

_numbers = count(1)  # of players whose names never clash
_DEFAULTS = {key: as_text(found.default) for key, found in SETTINGS.items() if key.startswith("duel_")}


class Table:
    """Two players with 1,000.00 each, what they keep of their commitments, and the clock."""

    def __init__(self, venue: Venue, folder: Path) -> None:
        self.venue = venue
        self._folder = folder
        self._limits = Limits(venue.database, venue.running.bus)
        self.clients: dict[str, Client] = {}
        self._ahead = timedelta()
        self._before = {kind: self._house(kind) for kind in ("escrow", "fees", "issuer")}

    async def seat(self, *names: str) -> None:
        """Sign new players in."""
        for name in names:
            self.clients[name] = await self.venue.player(f"{name}{next(_numbers)}", START)
            self._before["issuer"] -= START

    def name(self, short: str) -> str:
        """How somebody is really called."""
        player = self.clients[short].player
        assert player is not None
        return player.name

    def duelist(self, name: str) -> Duelist:
        """Somebody at this table."""
        return Duelist(self.clients[name], Secrets(self._folder / name))

    async def challenge(self, move: str = "rock", opponent: str = "") -> pb.Duel:
        """Ada challenges."""
        named = self.name(opponent) if opponent else ""
        return (await self.duelist("ada").challenge(STAKE, move, named)).duel

    async def begin(self, mine: str = "rock", other: str = "scissors") -> pb.Duel:
        """Ada has challenged and bob has accepted."""
        duel = await self.challenge(mine)
        return (await self.duelist("bob").accept(duel.duel_id, other)).duel

    async def reveal(self, name: str, duel: pb.Duel) -> pb.Duel:
        """Reveal what was committed to."""
        return await self.duelist(name).reveal(duel)

    async def get(self, duel: pb.Duel) -> pb.Duel:
        """As anybody sees it now."""
        operator = await self.venue.operator()
        return (await operator.duels.GetDuel(pb.GetDuelRequest(duel_id=duel.duel_id))).duel

    async def pass_time(self, seconds: float) -> None:
        """Set the clock ahead, and keep the limits as the server does every second."""
        await self._limits.keep()  # however long the test took so far, we were not away
        self._ahead += timedelta(seconds=seconds)
        ahead = self._ahead
        clock.use(lambda: datetime.now(UTC) + ahead)
        await self._limits.keep()
        self.venue.rows("SELECT id FROM duels FOR UPDATE")  # the server keeps them, too: it is done then

    async def cash(self, name: str) -> int:
        """All of a player's cash."""
        return (await self.venue.wallet(self.clients[name])).cash_cents

    def house(self, kind: str) -> int:
        """What has come to the house on an account of cash, since the table was laid."""
        return self._house(kind) - self._before[kind]

    def _house(self, kind: str) -> int:
        [(balance,)] = self.venue.rows(
            f"SELECT coalesce(sum(balance), 0) FROM accounts WHERE owner_id = 0 AND kind = '{kind}'"
        )
        return int(balance)

    async def set(self, **values: str) -> None:
        """Change settings of the game."""
        operator = await self.venue.operator()
        await operator.admin.UpdateSettings(admin_pb2.UpdateSettingsRequest(values=values))


@asynccontextmanager
async def laid(floor: Venue, folder: Path) -> AsyncIterator[Table]:
    """A table at which nobody has played; clock and settings are as before afterwards."""
    made = Table(floor, folder)
    await made.pass_time(0)  # who has kept the limits before is not one who has just begun
    await made.seat("ada", "bob")
    yield made
    clock.use(None)
    await made.set(**_DEFAULTS)


async def over(table: Table, duel: pb.Duel, ending: pb.DuelEnding, winner: str = "") -> pb.Duel:
    """The duel ended so, and can be verified by anybody."""
    found = await table.get(duel)
    named = table.name(winner) if winner in table.clients else winner
    assert (found.state, found.ending, found.winner_name) == (pb.DUEL_STATE_SETTLED, ending, named)
    findings = verify(found)
    assert findings
    assert all(finding.holds for finding in findings), findings
    return found
