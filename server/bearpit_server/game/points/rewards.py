"""Points that the game gives: new ones, from the issuer, each by a posting with a reason of its own."""

from collections.abc import Mapping

from bearpit_server.events.log import Origin
from bearpit_server.events.records import WalletChange
from bearpit_server.game.points.adjustments import require_room
from bearpit_server.ledger.accounts import open_account
from bearpit_server.ledger.journal import Journal
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import CASH, HOUSE


def give(
    player_id: int, cents: int, reason: str, reference: str, origin: Origin, note: str = ""
) -> list[WalletChange]:
    """Give a player points; inside the caller's transaction, which has locked no account yet.

    Raises Refused PLAYER_DISABLED, or INVALID_FIELD when there would be more than can be counted.
    """
    return give_all({player_id: cents}, reason, reference, origin, note)


def give_all(
    amounts: Mapping[int, int], reason: str, reference: str, origin: Origin, note: str = ""
) -> list[WalletChange]:
    """Give several players points at once, in cents by player; 0 gives nothing. Raises as `give` does."""
    accounts = {player_id: open_account(player_id, CASH) for player_id, cents in amounts.items() if cents}
    if not accounts:
        return []
    issuer = open_account(HOUSE, CASH, "issuer")
    journal = Journal(now())
    journal.lock([issuer, *accounts.values()])
    require_room(journal.accounts[issuer].balance, sum(amounts.values()), "amount")
    for player_id, account in accounts.items():
        if journal.accounts[account].disabled:
            raise Refused("PLAYER_DISABLED", "this player is disabled and can receive nothing")
        journal.post(issuer, account, amounts[player_id], reason, reference, origin, note)
    return journal.write()
