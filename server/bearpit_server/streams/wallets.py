"""Wallets: cash and positions, then every change; one that was lost is told as a whole wallet."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Generic

from bearpit_server.events.records import WalletChange
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import CASH, Account
from bearpit_server.streams.feed import Numbered, too_old
from bearpit_server.streams.players import PlayerFeed, PlayerHub, Watched
from bearpit_server.streams.subscription import Encode, F, OpenStreams, heartbeat, snapshot, update


class WalletHub(PlayerHub[WalletChange, F]):
    """Feeds those who follow their wallets. Numbers are the wallet's version, one more each time.

    Changes are not kept beyond the feed's memory: a follower that resumes from before it is refused as
    RESUME_TOO_OLD, and one that is there while a change gets lost is sent a new snapshot.
    """

    def __init__(
        self,
        watched: Watched,
        database: Database,
        encode: Encode[WalletChange, F],
        open_streams: OpenStreams,
    ) -> None:
        super().__init__(watched, database, open_streams, Account.version)
        self.encode = encode

    def _make(self, player_id: int) -> "_WalletFeed[F]":
        return _WalletFeed(self, player_id)


class _WalletFeed(PlayerFeed[WalletChange, F], Generic[F]):
    def __init__(self, hub: WalletHub[F], player_id: int) -> None:
        super().__init__(hub, player_id)
        self._wallets = hub
        self._debt_cents = 0

    async def open(self, after: int) -> tuple[int, Sequence[Numbered[F]]]:
        if after and self.last is not None and after <= self.last and self.since(after) is not None:
            return after, []
        wallet = await self._wallets.database.run(whole, self.player_id)
        self.begin(wallet.sequence)
        if not after:
            return wallet.sequence, [self._snapshot(wallet)]
        if after > wallet.sequence or self.since(after) is None:
            raise too_old(after)
        return after, []

    async def read(self, after: int) -> tuple[Sequence[Numbered[F]], bool]:
        wallet = await self._wallets.database.run(whole, self.player_id)
        self.skip(wallet.sequence)
        return [self._snapshot(wallet)] if wallet.sequence > after else [], True

    def _snapshot(self, wallet: WalletChange) -> Numbered[F]:
        self._debt_cents = wallet.debt_cents or 0
        return wallet.sequence, self._wallets.encode(snapshot(wallet.sequence, wallet))

    def heartbeat(self, number: int) -> F:
        return self._wallets.encode(heartbeat(number))

    def _encode(self, record: WalletChange) -> F:
        if record.debt_cents is not None:
            self._debt_cents = record.debt_cents
        # Few changes tell of debts, but each update does: what it does not name would look paid.
        record = replace(record, debt_cents=self._debt_cents)
        return self._wallets.encode(update(record.sequence, record))


def whole(player_id: int) -> WalletChange:
    """All that a player has, with its number: one statement, so that it belongs together."""
    cash = held = version = debt = 0
    positions = []
    rows = (
        Account.select(
            Account.asset, Account.kind, Account.balance, Account.held, Account.version, Account.cost_cents,
            Account.realised_cents,
        )
        .where(Account.owner == player_id)
        .order_by(Account.asset)
        .tuples()
    )  # fmt: skip
    for asset, kind, balance, account_held, account_version, cost, realised in rows:
        if kind == "debt":
            debt = -balance
        elif asset == CASH:
            cash, held, version = balance, account_held, account_version
        elif balance or realised:
            positions.append((asset, balance, account_held, cost, realised))
    return WalletChange(player_id, version, cash, held, tuple(positions), debt)
