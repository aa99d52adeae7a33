"""Which account is whose: one for each owner and asset, made when first needed and never deleted."""

from collections.abc import Iterable

from bearpit_server.storage.database import Database
from bearpit_server.storage.models import CASH, HOUSE, Account

Key = tuple[int, int]
"""An owner and an asset."""


class Accounts:
    """The ids of accounts, remembered: they never change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids: dict[Key, int] = {}
        self._house: dict[tuple[int, str, int], int] = {}

    def ensure(self, keys: Iterable[Key]) -> dict[Key, int]:
        """The ids of players' accounts, made with a balance of zero where missing.

        In a transaction of its own, so that what is remembered is committed: call it outside of any.
        """
        wanted = set(keys)
        missing = [key for key in wanted if key not in self._ids]
        if missing:
            assert not self._database.peewee.in_transaction(), "an id from an open transaction may never be"
            with self._database.transaction():
                Account.insert_many(
                    [{"owner": owner, "asset": asset, "kind": "player"} for owner, asset in missing]
                ).on_conflict_ignore().execute()
                found = self._select(missing)
            self._ids.update(found)
        return {key: self._ids[key] for key in wanted}

    def load(self, keys: Iterable[Key]) -> None:
        """Learn the ids of players' accounts that were made before this transaction."""
        missing = [key for key in set(keys) if key not in self._ids]
        if missing:
            self._ids.update(self._select(missing))

    def trading(self, owner: int, asset: int) -> tuple[int, int]:
        """The accounts that an owner's orders for an asset move: cash, and shares.

        Raises KeyError unless they were ensured or loaded before.
        """
        if owner == HOUSE:
            return self.house(CASH, "treasury"), self.house(asset, "treasury")
        return self._ids[owner, CASH], self._ids[owner, asset]

    @staticmethod
    def _select(keys: list[Key]) -> dict[Key, int]:
        rows = Account.select(Account.owner, Account.asset, Account.id).where(
            Account.kind == "player",
            Account.owner << list({owner for owner, _ in keys}),
            Account.asset << list({asset for _, asset in keys}),
        )
        return {(owner, asset): id_ for owner, asset, id_ in rows.tuples()}

    def house(self, asset: int, kind: str, instrument: int = 0) -> int:
        """The house's account of an asset and a kind; tills are of an instrument. Raises KeyError."""
        key = (asset, kind, instrument)
        if key not in self._house:
            found = Account.get_or_none(
                (Account.owner == HOUSE)
                & (Account.asset == asset)
                & (Account.kind == kind)
                & (Account.instrument_id == instrument)
            )
            if found is None:
                raise KeyError(key)
            self._house[key] = found.id
        return self._house[key]


def open_account(owner: int, asset: int, kind: str = "player", instrument: int = 0) -> int:
    """The id of an account, made if missing, inside the caller's transaction."""
    Account.insert(
        owner=owner, asset=asset, kind=kind, instrument_id=instrument
    ).on_conflict_ignore().execute()
    row = Account.get(
        (Account.owner == owner)
        & (Account.asset == asset)
        & (Account.kind == kind)
        & (Account.instrument_id == instrument)
    )
    return int(row.id)
