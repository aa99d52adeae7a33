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
from bearpit_server.ledger.accounts import open_account
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.units import points
from bearpit_server.storage import bulk
from bearpit_server.storage.models import CASH, Account

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
    debt_id: int
    """Of a player's cash: the account of what the player owes; 0: there is none."""
    disabled: bool
    """Whether the owner is; the rest is the owner's as well."""
    frozen: bool
    credit_cents: int
    """How far buying may go beyond the cash, in debt."""
    fee_off_bps: int
    fee_off_until: datetime | None
    changed: bool = False

    @property
    def free(self) -> int:
        """What is not held."""
        return self.balance - self.held


class Journal:
    """The ledger's side of one transaction.

    Lock first, all accounts at once; then post, hold and release in any order; then write, once. A
    journal that is not written changes nothing.

    Money that comes in for somebody in debt repays the debt first, by a posting of its own, wherever it
    comes from: `repay` sees to that, and writing calls it.
    """

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.accounts: dict[int, Balance] = {}
        self._cash: dict[int, Balance] = {}
        self._debts: dict[int, Balance] = {}
        self._incoming: dict[int, tuple[int, str, Origin]] = {}
        """What has come in, less what went out, by owners of an account of debts: cents, and what of."""
        self._postings: list[tuple[int, int, int, int, int, int, str, str, str, str]] = []

    def lock(self, ids: Iterable[int]) -> None:
        """Lock these accounts. Give each player's cash account as well: it counts the changes."""
        self.take(bulk.lock_accounts(set(ids)))

    def take(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Take over accounts that were locked for it; see `lock`."""
        assert not self.accounts, "locks are taken all at once, in the order of ids"
        self._enter(rows)
        # Whoever locks a debt has locked its owner's cash before, so that nobody waits for these for ever.
        owed = [a.debt_id for a in self._cash.values() if a.debt_id and a.debt_id not in self.accounts]
        if owed:
            self._enter(bulk.lock_accounts(owed))

    def open_debt(self, owner_id: int) -> int:
        """The account of what a player owes, made if missing; the player's cash is locked, and guards it."""
        cash = self._cash[owner_id]
        if not cash.debt_id:
            cash.debt_id = open_account(owner_id, CASH, "debt")
            Account.update(debt_id=cash.debt_id).where(Account.id == cash.id).execute()
            self._enter(bulk.lock_accounts([cash.debt_id]))
        return cash.debt_id

    def _enter(self, rows: Iterable[tuple[Any, ...]]) -> None:
        for row in rows:
            account = Balance(*row)
            self.accounts[account.id] = account
            if account.asset == CASH and account.kind == "player":
                self._cash[account.owner_id] = account
            elif account.kind == "debt":
                self._debts[account.owner_id] = account

    def cash_of(self, owner_id: int) -> Balance:
        """A player's locked cash account."""
        return self._cash[owner_id]

    def debt_of(self, owner_id: int) -> int:
        """What a player whose cash is locked owes the house, in cents."""
        return -self._debts[owner_id].balance if owner_id in self._debts else 0

    def credit_of(self, owner_id: int) -> int:
        """How many cents more a player may borrow to buy."""
        return max(0, self._cash[owner_id].credit_cents - self.debt_of(owner_id))

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
        self._move(debit, credit, amount, reason, reference, origin, note)
        if self._debts:
            source, target = self.accounts[debit], self.accounts[credit]
            if "debt" not in (source.kind, target.kind):
                self._count(source, -amount, reference, origin)
                self._count(target, amount, reference, origin)

    def borrow(self, owner_id: int, amount: int, reference: str, origin: Origin, note: str = "") -> None:
        """Lend a player cash, which is not money that comes in: it repays nothing."""
        debt = self.open_debt(owner_id)
        self._move(debt, self._cash[owner_id].id, amount, "loan", reference, origin, note)

    def give_back(self, owner_id: int, most: int, reference: str, origin: Origin) -> int:
        """Repay at most so many cents of a debt, as far as cash is free; says how many."""
        if owner_id not in self._debts:
            return 0
        cash, debt = self._cash[owner_id], self._debts[owner_id]
        amount = min(most, -debt.balance, cash.free)
        if amount > 0:
            self._move(cash.id, debt.id, amount, "repayment", reference, origin, "")
        return max(amount, 0)

    def came_in(self, owner_id: int, amount: int, reference: str, origin: Origin) -> None:
        """Count money that was posted before, but is free only now."""
        if owner_id in self._debts:
            self._count(self._cash[owner_id], amount, reference, origin)

    def repay(self) -> None:
        """Let what has come in since the last time repay debts first."""
        for owner_id, (amount, reference, origin) in self._incoming.items():
            self.give_back(owner_id, amount, reference, origin)
        self._incoming.clear()

    def _count(self, account: Balance, amount: int, reference: str, origin: Origin) -> None:
        owner_id = account.owner_id
        if account.kind == "player" and account.asset == CASH and owner_id in self._debts:
            before = self._incoming[owner_id][0] if owner_id in self._incoming else 0
            self._incoming[owner_id] = before + amount, reference, origin

    def _move(
        self, debit: int, credit: int, amount: int, reason: str, reference: str, origin: Origin, note: str
    ) -> None:
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
        self.repay()
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
        return {a.owner_id for a in self.accounts.values() if a.changed and a.kind in ("player", "debt")}

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
            f"this needs {points(needed)} points and {points(free)} are free; {instead or ORDER_LESS}",
            needed_cents=needed,
            free_cents=free,
        )
    return Refused(
        "INSUFFICIENT_SHARES",
        f"this needs {needed} shares and {free} are free; {instead or OFFER_LESS}",
        needed=needed,
        free=free,
    )
