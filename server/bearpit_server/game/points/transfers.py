"""Players give each other cash, for a fee that the sender pays on top."""

from dataclasses import dataclass
from datetime import UTC, datetime

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.events.records import WalletChange
from bearpit_server.game.texts import NOTE, line
from bearpit_server.ledger.accounts import open_account
from bearpit_server.ledger.journal import Journal, insufficient
from bearpit_server.rules.refusals import Refused, frozen, in_debt, invalid
from bearpit_server.rules.units import MAX_AMOUNT_CENTS, fee_on, points
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import CASH, HOUSE, Player, Transfer


@dataclass(frozen=True, slots=True)
class Terms:
    """What the game's settings say about transfers."""

    fee_bps: int
    minimum_cents: int
    day_cents: int
    """The most a player may send in a day, in UTC; 0: any."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A transfer that was made."""

    transfer_id: int
    fee_cents: int
    free_cash_after_cents: int
    changes: list[WalletChange]


def send(
    sender_id: int, recipient: Player, amount_cents: int, note: str, terms: Terms, origin: Origin
) -> Sent:
    """Move cash: the recipient gets the amount, the sender pays it and the fee.

    Raises Refused TRANSFER_TO_SELF, BELOW_MINIMUM, INVALID_FIELD, PLAYER_DISABLED for either side,
    PLAYER_FROZEN, IN_DEBT, LIMIT_EXCEEDED or INSUFFICIENT_FUNDS.
    """
    _check(sender_id, recipient, amount_cents, note, terms)
    fee = fee_on(amount_cents, terms.fee_bps)
    source, target = open_account(sender_id, CASH), open_account(recipient.id, CASH)
    fees = open_account(HOUSE, CASH, "fees")
    journal = Journal(now())
    journal.lock([source, target, fees])
    sender, receiver = journal.accounts[source], journal.accounts[target]
    if sender.disabled:
        raise Refused("PLAYER_DISABLED", "you are disabled; ask an operator")
    if receiver.disabled:
        raise Refused(
            "PLAYER_DISABLED", f"player {recipient.name} is disabled and can receive nothing", "to_player"
        )
    if sender.frozen:
        raise frozen()
    if debt := journal.debt_of(sender_id):
        raise in_debt(debt, "nothing can be sent")
    _check_day(sender_id, amount_cents, terms, journal.at)
    if sender.free < amount_cents + fee:
        held = ", or cancel orders that hold the rest" if sender.held else ""
        raise insufficient(sender, amount_cents + fee, f"send less{held}")
    transfer = Transfer.create(
        from_id=sender_id,
        to_id=recipient.id,
        amount_cents=amount_cents,
        fee_cents=fee,
        note=note,
        created_at=journal.at,
    )
    reference = f"transfer:{transfer.id}"
    journal.post(source, target, amount_cents, "transfer", reference, origin, note)
    if fee:
        journal.post(source, fees, fee, "transfer_fee", reference, origin)
    changes = journal.write()
    payload = {
        "from_id": sender_id,
        "to_id": recipient.id,
        "amount_cents": amount_cents,
        "fee_cents": fee,
        "note": note,
    }
    log.append([Event("transfer.made", reference, origin, payload)], journal.at)
    return Sent(int(transfer.id), fee, sender.free, changes)


def _check_day(sender_id: int, amount_cents: int, terms: Terms, at: datetime) -> None:
    """The sender's cash is locked, so that of two at once the second sees the first."""
    if not terms.day_cents:
        return
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    sent = Transfer.select(pw.fn.coalesce(pw.fn.sum(Transfer.amount_cents), 0)).where(
        Transfer.from_id == sender_id, Transfer.created_at >= midnight
    )
    used = int(sent.scalar())
    if used + amount_cents > terms.day_cents:
        raise Refused(
            "LIMIT_EXCEEDED",
            f"you can send {points(max(0, terms.day_cents - used))} points more today; the day ends at "
            "midnight UTC",
            "amount_cents",
            limit="transfer_day_cents",
            allowed=terms.day_cents,
            used=used,
        )


def _check(sender_id: int, recipient: Player, amount_cents: int, note: str, terms: Terms) -> None:
    if recipient.id == sender_id:
        raise Refused("TRANSFER_TO_SELF", "to_player: name somebody other than yourself", "to_player")
    if amount_cents < terms.minimum_cents:
        raise Refused(
            "BELOW_MINIMUM",
            f"amount_cents: give {terms.minimum_cents} or more",
            "amount_cents",
            minimum_cents=terms.minimum_cents,
        )
    if amount_cents > MAX_AMOUNT_CENTS:
        raise invalid("amount_cents", f"give {MAX_AMOUNT_CENTS} or less")
    line("note", note, 0, NOTE)
