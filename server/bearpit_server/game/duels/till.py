"""The money of duels: into escrow when a stake is put up, out of it when a duel is settled."""

from collections.abc import Iterable

from bearpit_server.events.log import Origin
from bearpit_server.game.duels.rows import reference
from bearpit_server.ledger.accounts import open_account
from bearpit_server.ledger.journal import Journal, insufficient
from bearpit_server.rules.refusals import Refused, frozen, in_debt
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import CASH, HOUSE
from bearpit_server.storage.models.duels import Duel


class Till:
    """The accounts of those who take part, the escrow and the fees, under lock.

    The house's stake comes from the issuer and goes back there, so that the ledger tells it all.
    """

    def __init__(self, players: Iterable[int]) -> None:
        self._cash = {
            player_id: open_account(player_id, CASH, "issuer" if player_id == HOUSE else "player")
            for player_id in players
        }
        self._escrow = open_account(HOUSE, CASH, "escrow")
        self._fees = open_account(HOUSE, CASH, "fees")
        self.journal = Journal(now())
        self.journal.lock([*self._cash.values(), self._escrow, self._fees])

    def free_cash(self, player_id: int) -> int:
        """What a player has free, in cents."""
        return self.journal.accounts[self._cash[player_id]].free

    def check(self, player_id: int, stake_cents: int) -> None:
        """Whether the caller may put that up.

        Raises Refused PLAYER_DISABLED, PLAYER_FROZEN, IN_DEBT or INSUFFICIENT_FUNDS.
        """
        account = self.journal.accounts[self._cash[player_id]]
        if account.disabled:
            raise Refused("PLAYER_DISABLED", "you are disabled; ask an operator")
        if account.frozen:
            raise frozen()
        if debt := self.journal.debt_of(player_id):
            raise in_debt(debt, "there are no duels")
        if account.free < stake_cents:
            held = ", or cancel orders that hold the rest" if account.held else ""
            raise insufficient(account, stake_cents, f"duel for less{held}")

    def check_other(self, player_id: int) -> None:
        """Raises Refused NOT_POSSIBLE_NOW if the challenger may not duel any more."""
        account = self.journal.accounts[self._cash[player_id]]
        if account.disabled or account.frozen or self.journal.debt_of(player_id):
            raise Refused(
                "NOT_POSSIBLE_NOW",
                "the challenger may not duel now; the challenge ends by itself, so look for another one",
            )

    def put_up(self, duel: Duel, player_id: int, origin: Origin) -> None:
        """Move a stake into escrow."""
        source = self._cash[player_id]
        self.journal.post(source, self._escrow, duel.stake_cents, "duel_stake", reference(duel), origin)

    def pay(
        self, duel: Duel, player_id: int, amount_cents: int, reason: str, origin: Origin, note: str
    ) -> None:
        """Pay somebody out of escrow."""
        target = self._cash[player_id]
        self.journal.post(self._escrow, target, amount_cents, reason, reference(duel), origin, note)

    def keep(self, duel: Duel, amount_cents: int, origin: Origin) -> None:
        """Move the house's share out of escrow."""
        if amount_cents:
            self.journal.post(self._escrow, self._fees, amount_cents, "duel_fee", reference(duel), origin)
