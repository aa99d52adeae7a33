"""Where orders are measured: a real server process on a real PostgreSQL, rich players, an open market."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.game.points import adjustments
from bearpit_server.game.proofs import doctor
from bearpit_server.game.trading import instruments, market
from bearpit_server.game.trading.instruments import Listing
from bearpit_server.identity import players, sign_ins
from bearpit_server.identity.tokens import AccessTokens, load_secret
from bearpit_server.rules.roles import PLAYER
from bearpit_server.rules.sessions import Override
from bearpit_server.storage import clock
from bearpit_server.storage.database import Database

from tests.postgres import Postgres
from tests.venue import ServerProcess, prepare

SIDES = 32
"""Players that sell, and as many that buy: nobody ever meets an order of his own."""
SYMBOLS = [f"S{number}" for number in range(10)]
FEE_BPS = 10
"""What a new instrument has unless its operator says otherwise."""
CASH_CENTS = 10**13
SHARES = 10**8


@dataclass
class Arena:
    """A server to place orders with."""

    database: Database
    url: str
    server: ServerProcess
    sellers: list[str] = field(default_factory=list)
    buyers: list[str] = field(default_factory=list)
    """Access tokens."""

    def start(self) -> None:
        """Start the server and wait until it is ready."""
        asyncio.run(self.server.start())

    def job(self, kind: str, **more: object) -> dict[str, object]:
        """What a load process needs to know to trade here."""
        return {
            "kind": kind,
            "address": self.server.address,
            "symbols": SYMBOLS,
            "sellers": self.sellers,
            "buyers": self.buyers,
            **more,
        }

    def prove(self) -> str:
        """Every proof of the ledger holds; says of how many rows."""
        with self.database.transaction():
            proofs = doctor.check()
        broken = {proof.rule: proof.violations for proof in proofs if not proof.holds}
        assert not broken, broken
        trades = self.database.execute("SELECT count(*) FROM trades").fetchone()[0]
        return f"ledger proved after {trades} trades"


def nothing_more() -> None:
    """What an arena has beside its instruments and players, as a rule."""


@contextmanager
def opened(furnish: Callable[[], None] = nothing_more) -> Iterator[Arena]:
    """A new PostgreSQL and a server on it; both are ended and removed afterwards.

    `furnish` adds to the database before the server starts, inside a transaction.
    """
    with tempfile.TemporaryDirectory(prefix="bearpit-bench-") as name:
        folder = Path(name)
        postgres = Postgres(folder / "postgres")
        try:
            with postgres.database() as database:
                url = postgres.url_of(database)
                arena = Arena(database, url, ServerProcess(url, folder))
                _furnish(arena)
                with database.transaction():
                    furnish()
                arena.start()
                try:
                    yield arena
                finally:
                    arena.server.kill()
        finally:
            postgres.stop()


def _furnish(arena: Arena) -> None:
    """Instruments, players with tokens, what they trade with; no limits, and the market is open."""
    prepare(arena.database)
    with arena.database.transaction():
        access = AccessTokens(load_secret())
        for symbol in SYMBOLS:
            instruments.create(Listing(symbol, symbol, 1, 1, 1, 0, FEE_BPS, 0, 0), HOUSE_ORIGIN)
        for number in range(SIDES):
            for side, tokens in (("seller", arena.sellers), ("buyer", arena.buyers)):
                cash_cents = CASH_CENTS if side == "buyer" else 0
                player = players.create_player(
                    f"{side}{number}", "", [PLAYER], cash_cents, HOUSE_ORIGIN
                )  # nobody signs in with the empty hash: the token is made here
                sign_in = sign_ins.begin(player, HOUSE_ORIGIN)
                token, _ = access.issue(player.id, player.token_epoch, sign_in.sign_in_id, clock.now())
                tokens.append(token)
                if side == "seller":
                    for symbol in SYMBOLS:
                        adjustments.adjust(player.id, symbol, SHARES, "benchmark", HOUSE_ORIGIN)
        market.set_override(Override.OPEN, HOUSE_ORIGIN)
