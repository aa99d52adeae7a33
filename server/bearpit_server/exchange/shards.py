"""Leases: each sixteenth of the instruments has one process that may execute its orders.

A lease is a row with an epoch that rises with each change of owner. Every transaction that accepts or
executes locks the rows it relies on against a takeover and compares the epoch, so that a process that was
paused while another took over cannot commit. The database's clock is the only one that counts.
"""

import os
import socket
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from peewee import fn

from bearpit_server.rules.refusals import Refused
from bearpit_server.storage import bulk
from bearpit_server.storage.models import Shard

SHARDS = 16
TTL_SECONDS = 3.0
RENEW_SECONDS = 1.0
EPOCH = datetime.fromtimestamp(0, UTC)


class ShardLost(Exception):
    """Another process owns these shards now, or may: their books in memory count for nothing."""

    def __init__(self, shards: set[int]) -> None:
        super().__init__(f"the shards {sorted(shards)} are not ours")
        self.shards = shards


def owner_name(address: str) -> str:
    """What a lease says of its owner: where to reach it, and which process on which host it is."""
    return f"{address} {socket.gethostname()} {os.getpid()}"


def _is_dead(owner: str) -> bool:
    """Whether the owner is a process of this very host that is no more: no need to wait for its lease."""
    parts = owner.split(" ")
    if len(parts) != 3 or parts[1] != socket.gethostname() or int(parts[2]) == os.getpid():
        return False
    try:
        os.kill(int(parts[2]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _is_free(owner: str, expired: bool) -> bool:
    return not owner or expired or _is_dead(owner)


class Shards:
    """The leases of this process. `epochs` has the shards it owns, as far as it knows."""

    def __init__(self, address: str, ttl_seconds: float = TTL_SECONDS) -> None:
        self.owner = owner_name(address)
        self._ttl = ttl_seconds
        self.epochs: dict[int, int] = {}
        self.addresses: dict[int, str] = {}
        self._gained: dict[int, int] = {}

    def renew(self) -> tuple[set[int], set[int]]:
        """Keep what we have and take what is free; inside a transaction.

        Returns the shards gained and those lost since the last call. Gained ones count as owned only
        when the caller has loaded their books and calls `adopt`.
        """
        mine = bulk.renew_shards(self.owner, self.claims(self.epochs), self._ttl)
        lost = self.epochs.keys() - mine
        if len(mine) == SHARDS:
            self._gained = {}
            return set(), set()
        until = fn.clock_timestamp() + timedelta(seconds=self._ttl)
        rows = self._rows("")
        free = [s for s, owner, _, expired in rows if s not in mine and _is_free(owner, expired)]
        if free:
            # Taking over does wait for them, and looks again: what is free may have been renewed.
            locked = self._rows("FOR UPDATE", Shard.id << free)
            free = [s for s, owner, _, expired in locked if _is_free(owner, expired)]
        gained = (
            Shard.update(owner=self.owner, epoch=Shard.epoch + 1, expires_at=until)
            .where(Shard.id << free)
            .returning(Shard.id, Shard.epoch)
            .tuples()
            .execute()
        )
        self._gained = dict(gained)
        self.addresses = {s: owner.split(" ")[0] for s, owner, _, _ in rows}
        self.addresses.update(dict.fromkeys(self._gained, self.owner.split(" ")[0]))
        for shard in lost:
            self.epochs.pop(shard, None)
        return set(self._gained), lost

    @staticmethod
    def _rows(lock: str, *where: object) -> list[tuple[int, str, int, bool]]:
        """Id, owner, epoch and whether the lease has run out, in the order of ids."""
        query = Shard.select(Shard.id, Shard.owner, Shard.epoch, Shard.expires_at < fn.clock_timestamp())
        query = query.where(*where) if where else query
        query = query.order_by(Shard.id)
        return list((query.for_update(lock) if lock else query).tuples())

    def adopt(self, shards: Iterable[int]) -> None:
        """Count shards as owned; after the transaction that gained them has committed."""
        for shard in shards:
            self.epochs[shard] = self._gained[shard]

    def claims(self, shards: Iterable[int]) -> list[tuple[int, int]]:
        """What a transaction asserts of shards that it relies on: their epochs."""
        return [(shard, self.epochs.get(shard, -1)) for shard in sorted(set(shards))]

    def check(self, shards: Iterable[int]) -> None:
        """Make sure, inside a transaction, that these are ours until it ends. Raises ShardLost."""
        wanted = set(shards)
        rows = bulk.lock_shards(wanted)
        confirm(wanted, {shard for shard, *lease in rows if lease == [self.owner, self.epochs.get(shard)]})

    def lose(self, shards: Iterable[int]) -> None:
        """Count shards as owned no more, and learn whose they are; inside a transaction."""
        for shard in shards:
            self.epochs.pop(shard, None)
        self.addresses.update((s, owner.split(" ")[0]) for s, owner, _, _ in self._rows(""))

    def release(self) -> None:
        """Give all up, so that others need not wait; inside a transaction, when stopping."""
        Shard.update(owner="", expires_at=EPOCH).where(
            Shard.owner == self.owner, Shard.id << list(self.epochs)
        ).execute()
        self.epochs = {}

    def elsewhere(self, shard: int) -> Refused:
        """The refusal of something that another process must do."""
        return Refused(
            "SHARD_ELSEWHERE",
            "another server runs this instrument now; try again, or there",
            address=self.addresses.get(shard, ""),
        )


def confirm(wanted: set[int], held: set[int]) -> None:
    """Raises ShardLost unless all that are wanted are held."""
    if not wanted <= held:
        raise ShardLost(wanted - held)
