"""One transaction's work on the ledger: lock, post, hold, release, write.

Double entry: every posting takes from one account what it gives to another, of one asset. Nothing is
changed in place but balance, held and the counters of an account. Corrections are new postings.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bearpit_server.events.log import Origin
from bearpit_server.events.records import WalletChange
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage import bulk
from bearpit_server.storage.models import CASH

INT64_MAX = 2**63 - 1
MAY_OWE = frozenset({"issuer", "dealer", "debt"})
"""The kinds of accounts whose balance may be below zero."""


@dataclass(slots=True)
class Balance:
    """An account under lock, as it will be when the journal is written."""

    id: int
    owner_id: int
    asset: int
    kind: str
    balance: int
    held: int
    version: int
    order_sequence: int
    cost_cents: int
    realised_cents: int
    disabled: bool
    """Whether the owner is."""
    changed: bool = False

    @property
    def free(self) -> int:
        """What is not held."""
        return self.balance - self.held


class Journal:
    """The ledger's side of one transaction.

    Lock first, all accounts at once; then post, hold and release in any order; then write, once. A
    journal that is not written changes nothing.
    """

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.accounts: dict[int, Balance] = {}
        self._cash: dict[int, Balance] = {}
        self._debts: dict[int, Balance] = {}
        self._postings: list[tuple[int, int, int, int, int, int, str, str, str, str]] = []

    def lock(self, ids: Iterable[int]) -> None:
        """Lock these accounts. Give each player's cash account as well: it counts the changes."""
        self.take(bulk.lock_accounts(set(ids)))

    def take(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Take over accounts that were locked for it; see `lock`."""
        assert not self.accounts, "locks are taken all at once, in the order of ids"
        for row in rows:
            account = Balance(*row)
            self.accounts[account.id] = account
            if account.asset == CASH and account.kind == "player":
                self._cash[account.owner_id] = account
            elif account.kind == "debt":
                self._debts[account.owner_id] = account

    def add(self, ids: Iterable[int]) -> None:
        """Take in accounts that this transaction has made: nobody else can see them, so none waits."""
        for row in bulk.lock_accounts(set(ids)):
            account = Balance(*row)
            assert account.id not in self.accounts and not account.balance, "it was just made"
            self.accounts[account.id] = account
            if account.kind == "debt":
                self._debts[account.owner_id] = account

    def cash_of(self, owner_id: int) -> Balance:
        """A player's locked cash account."""
        return self._cash[owner_id]

    def post(
        self,
        debit: int,
        credit: int,
        amount: int,
        reason: str,
        reference: str,
        origin: Origin,
        note: str = "",
    ) -> None:
        """Move `amount` from `debit` to `credit`.

        Only those that `MAY_OWE` go below zero, and what is held does not leave: both are asserted here
        and are constraints of the database.
        """
        assert amount > 0 and debit != credit, "a posting moves something somewhere else"
        source, target = self.accounts[debit], self.accounts[credit]
        assert source.asset == target.asset, "a posting is of one asset"
        source.balance -= amount
        target.balance += amount
        assert source.kind in MAY_OWE or source.balance >= source.held, "what is held does not leave"
        assert target.balance <= INT64_MAX and source.balance >= -INT64_MAX, "a balance is an int64"
        source.changed = target.changed = True
        self._postings.append(
            (
                debit, credit, amount, source.balance, target.balance, origin.actor_id, reason, reference,
                origin.request_id, note,
            )
        )  # fmt: skip

    def hold(self, account_id: int, amount: int) -> None:
        """Hold more (or, negative, release some) of what an account has."""
        account = self.accounts[account_id]
        account.held += amount
        assert 0 <= account.held <= account.balance, "held is between nothing and all"
        account.changed = True

    def bought(self, account_id: int, cost_cents: int) -> None:
        """Add to what the shares on an account have cost; after their posting."""
        self.accounts[account_id].cost_cents += cost_cents

    def sold(self, account_id: int, quantity: int, proceeds_cents: int) -> int:
        """Take sold shares out of the cost at the average, and count the gain; after their posting.

        Returns what they had cost, in cents.
        """
        account = self.accounts[account_id]
        before = account.balance + quantity
        part = account.cost_cents * quantity // before
        account.cost_cents -= part
        account.realised_cents += proceeds_cents - part
        return part

    def next_order_sequence(self, owner_id: int) -> int:
        """The number of the owner's next order update."""
        cash = self._cash[owner_id]
        cash.order_sequence += 1
        cash.changed = True
        return cash.order_sequence

    def write(self) -> list[WalletChange]:
        """Write accounts and postings, and tell what changed for whom; the caller commits."""
        with bulk.written() as writes:
            self.add_to(writes)
        return self.told(self._changed_owners())

    def add_to(self, writes: bulk.Writes) -> None:
        """Let accounts and postings be written with the rest of the transaction."""
        for owner in self._changed_owners():
            cash = self._cash[owner]
            cash.version += 1
            cash.changed = True
        rows = [
            (a.id, a.balance, a.held, a.version, a.order_sequence, a.cost_cents, a.realised_cents)
            for a in self.accounts.values()
            if a.changed
        ]
        if rows:
            bulk.update_accounts(writes, list(zip(*rows, strict=True)))
        if self._postings:
            bulk.insert_postings(writes, self._postings, self.at)

    def told(self, owners: Container[int]) -> list[WalletChange]:
        """What has been written of these players' wallets."""
        shares: dict[int, list[Balance]] = {}
        for account in self.accounts.values():
            if account.changed and account.kind == "player" and account.owner_id in owners:
                mine = shares.setdefault(account.owner_id, [])
                if account.asset != CASH:
                    mine.append(account)
        return [self._change(owner, mine) for owner, mine in shares.items()]

    def _changed_owners(self) -> set[int]:
        return {a.owner_id for a in self.accounts.values() if a.changed and a.kind == "player"}

    def _change(self, owner: int, shares: Iterable[Balance]) -> WalletChange:
        cash = self._cash[owner]
        return WalletChange(
            owner,
            cash.version,
            cash.balance,
            cash.held,
            tuple((a.asset, a.balance, a.held, a.cost_cents, a.realised_cents) for a in shares),
            -self._debts[owner].balance if owner in self._debts else None,
        )


ORDER_LESS = "order less, or cancel other orders"
OFFER_LESS = "offer less, or cancel other orders"


def insufficient(account: Balance, needed: int, instead: str = "") -> Refused:
    """The refusal of something that needs more than is free; `instead` as for `shortage`."""
    return shortage(account.asset == CASH, needed, account.free, instead)


def shortage(is_cash: bool, needed: int, free: int, instead: str = "") -> Refused:
    """The refusal of something that needs so many cents or shares, when so many are free.

    `instead` says what could be done; without it, what the owner of an order could.
    """
    if is_cash:
        return Refused(
            "INSUFFICIENT_FUNDS",
            f"this needs {needed} cents and {free} are free; {instead or ORDER_LESS}",
            needed_cents=needed,
            free_cents=free,
        )
    return Refused(
        "INSUFFICIENT_SHARES",
        f"this needs {needed} shares and {free} are free; {instead or OFFER_LESS}",
        needed=needed,
        free=free,
    )
