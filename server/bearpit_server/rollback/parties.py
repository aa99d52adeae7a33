"""The accounts behind the parties of a rollback's movements, and these movements as postings."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from bearpit_server.events.log import Origin
from bearpit_server.ledger.journal import MAY_OWE, Balance, Journal
from bearpit_server.rules import mechanisms
from bearpit_server.rules.mechanisms import Counterparty
from bearpit_server.rules.rollbacks import CASH, HOUSE, CostChange, Kind, Movement, Party, Reason
from bearpit_server.storage import reversals
from bearpit_server.storage.models import Account, Instrument

Key = tuple[int, int]
"""An owner and an asset."""


class Parties:
    """The ids of all accounts that a rollback of some instruments' trades may move."""

    def __init__(self, keys: Iterable[Key], instruments: Iterable[int]) -> None:
        """`keys`: the players and their assets; each player's cash comes with them."""
        keys, wanted = {*keys}, {*instruments}
        keys |= {(owner, CASH) for owner, _ in keys}
        self.players: dict[Key, int] = {
            (owner, asset): id_ for id_, owner, asset, _, _ in reversals.players_accounts([*keys])
        }
        missing = keys - self.players.keys()
        assert not missing, f"whoever traded has accounts: {sorted(missing)[:5]}"
        self.debts: dict[int, int] = dict(reversals.debts({owner for owner, _ in keys}))
        self._house: dict[tuple[int, str, int], int] = {
            (asset, kind, instrument): id_
            for asset, kind, instrument, id_ in Account.select(
                Account.asset, Account.kind, Account.instrument_id, Account.id
            )
            .where(Account.owner == HOUSE, Account.asset << [CASH, *wanted])
            .tuples()
            if not instrument or instrument in wanted
        }
        rows = Instrument.select(Instrument.id, Instrument.mechanism).where(Instrument.id << [*wanted])
        self._counterparties = {id_: mechanisms.find(name).counterparty for id_, name in rows.tuples()}

    @property
    def ids(self) -> set[int]:
        """All of them, to be locked at once."""
        return {*self.players.values(), *self.debts.values(), *self._house.values()}

    def till(self, instrument: int, asset: int) -> int:
        """The house's side of an instrument's trades."""
        counterparty = self._counterparties[instrument]
        if counterparty is Counterparty.PLAYERS:
            return self._house[asset, "treasury", 0]
        if counterparty is Counterparty.POOL:
            return self._house[asset, "pool", instrument]
        # The house issues what it sells and redeems what it buys.
        return self._house[asset, "issuer", 0] if asset else self._house[CASH, "dealer", instrument]

    def dealer(self, instrument: int) -> int | None:
        """The till of cash where the house deals; its version tells the exchange to look again."""
        return self._house.get((CASH, "dealer", instrument))

    def issuer(self, asset: int) -> int:
        """Where an asset comes from."""
        return self._house[asset, "issuer", 0]

    def account(self, party: Party, other: Party, asset: int) -> int:
        """A party's account of an asset; what is lent comes from the debt of the `other`."""
        match party.kind:
            case Kind.PLAYER:
                return self.players[party.id, asset]
            case Kind.TILL:
                return self.till(party.id, asset)
            case Kind.FEES:
                return self._house[CASH, "fees", 0]
            case Kind.LOANS:
                return self.debts[other.id]
            case Kind.ISSUER:
                return self.issuer(asset)


class Ledger:
    """One transaction of a rollback: its parties locked, its movements posted."""

    def __init__(self, rollback_id: int, parties: Parties, origin: Origin, at: datetime) -> None:
        self.parties = parties
        self.journal = Journal(at)
        self.journal.lock(parties.ids)
        self._reference = f"rollback:{rollback_id}"
        self._origin = origin

    def of(self, key: Key) -> Balance:
        """A player's account."""
        return self.journal.accounts[self.parties.players[key]]

    def free(self, keys: Iterable[Key]) -> dict[Key, int]:
        """What is not held."""
        return {key: self.of(key).free for key in keys}

    def open_debts(self, owners: Iterable[int]) -> None:
        """Make the accounts of debts that are missing; their owners' cash, which is locked, guards them."""
        self.parties.debts |= {owner: self.journal.open_debt(owner) for owner in owners}

    def make(self, movements: Iterable[Movement]) -> None:
        """Post, in this order."""
        for move in movements:
            giver = self.parties.account(move.giver, move.taker, move.asset)
            taker = self.parties.account(move.taker, move.giver, move.asset)
            self._provide(giver, move)
            reference = f"trade:{move.trade_id}" if move.trade_id else self._reference
            self.journal.post(giver, taker, move.amount, move.reason.value, reference, self._origin)

    def _provide(self, giver: int, move: Movement) -> None:
        """Let the issuer make up for what an account of the house's has paid out since.

        A pool's cash may have flowed to another. It is the house's own money either way, and nobody's
        shortage.
        """
        account = self.journal.accounts[giver]
        lacking = move.amount - account.free
        if account.owner_id == HOUSE and account.kind not in MAY_OWE and lacking > 0:
            reason = Reason.ISSUE if move.asset else Reason.COVER
            issuer = self.parties.issuer(move.asset)
            self.journal.post(issuer, giver, lacking, reason.value, self._reference, self._origin)

    def set_costs(self, costs: Sequence[CostChange]) -> None:
        """Set what shares have cost and gained, after the movements."""
        for change in costs:
            account = self.of((change.owner_id, change.instrument_id))
            account.cost_cents = change.cost_after(account.cost_cents, account.balance)
            account.realised_cents += change.realised_cents
            account.changed = True

    def tell_dealers(self, instruments: Iterable[int]) -> None:
        """Let the exchange notice that prices are others now."""
        for instrument in instruments:
            till = self.parties.dealer(instrument)
            if till is not None:
                account = self.journal.accounts[till]
                account.version += 1
                account.changed = True
