"""Operators give and take, by a posting against the issuer, with a reason."""

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.events.records import WalletChange
from bearpit_server.game.points import wallets
from bearpit_server.game.points.wallets import Movement
from bearpit_server.game.texts import NOTE, line
from bearpit_server.game.trading import instruments
from bearpit_server.ledger.accounts import open_account
from bearpit_server.ledger.journal import INT64_MAX, Balance, Journal, insufficient
from bearpit_server.rules.refusals import invalid
from bearpit_server.rules.units import MAX_AMOUNT_CENTS, MAX_QUANTITY
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import CASH, HOUSE, Account


def adjust(
    player_id: int, symbol: str, amount: int, reason: str, origin: Origin
) -> tuple[Movement, list[WalletChange]]:
    """Give a player cash (no symbol) or shares; a negative amount takes, at most what is free.

    Shares that are given cost nothing; shares that are taken go at what they cost, so that neither
    makes a gain. Raises Refused INVALID_FIELD, NOT_FOUND, INSUFFICIENT_FUNDS or INSUFFICIENT_SHARES.
    """
    asset = instruments.get(symbol).id if symbol else CASH
    most = MAX_QUANTITY if symbol else MAX_AMOUNT_CENTS
    if not 1 <= abs(amount) <= most:
        raise invalid("amount", f"give a number from 1 to {most}, or its negative")
    line("reason", reason, 1, NOTE)
    account_id, issuer_id = open_account(player_id, asset), open_account(HOUSE, asset, "issuer")
    journal = Journal(now())
    journal.lock({account_id, issuer_id, open_account(player_id, CASH)})
    account, issuer = journal.accounts[account_id], journal.accounts[issuer_id]
    reference = f"player:{player_id}"
    if amount > 0:
        require_room(issuer.balance, amount, "amount")
        journal.post(issuer_id, account_id, amount, "adjustment", reference, origin, reason)
    else:
        _take(journal, account, issuer_id, -amount, reference, origin, reason)
    changes = journal.write()
    payload = {"symbol": symbol, "amount": amount, "reason": reason}
    log.append([Event("player.adjusted", reference, origin, payload)], journal.at)
    [movement] = wallets.movements(player_id, asset, None, 1)
    return movement, changes


def require_cash(amount_cents: int, field: str) -> None:
    """Raises Refused INVALID_FIELD when the house cannot issue so much more cash."""
    issuer = Account.get((Account.owner == HOUSE) & (Account.asset == CASH) & (Account.kind == "issuer"))
    require_room(int(issuer.balance), amount_cents, field)


def require_room(issuer_balance: int, amount: int, field: str) -> None:
    """The issuer's 64 bits are the only ones to watch: all other balances add up to what it has issued."""
    if issuer_balance - amount < -INT64_MAX:
        raise invalid(field, "there would be more of it than can be counted; give less")


def _take(
    journal: Journal,
    account: Balance,
    issuer_id: int,
    amount: int,
    reference: str,
    origin: Origin,
    reason: str,
) -> None:
    if account.free < amount:
        held = ", or cancel the player's orders that hold the rest" if account.held else ""
        raise insufficient(account, amount, f"take less{held}")
    cost = account.cost_cents * amount // account.balance
    journal.post(account.id, issuer_id, amount, "adjustment", reference, origin, reason)
    if account.asset != CASH:
        journal.sold(account.id, amount, cost)
