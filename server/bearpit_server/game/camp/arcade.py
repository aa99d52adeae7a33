"""Arcade machines: points taken for plays and given for scores, once each; inside the caller's transaction.

Whoever does something with a machine holds the lock on its row: so the same transaction sent twice at once
is done once, and a day's limit is kept exactly. Then come the player's and the house's accounts. A machine
knows a transaction by an id of its own; the row that remembers it is the memory that makes it happen once.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.events.records import WalletChange
from bearpit_server.game.camp import machines
from bearpit_server.game.camp.machines import Setting
from bearpit_server.game.points.adjustments import require_room
from bearpit_server.game.texts import NOTE, line
from bearpit_server.ledger.accounts import open_account
from bearpit_server.ledger.journal import Balance, Journal, insufficient
from bearpit_server.rules import arcade as rules
from bearpit_server.rules.arcade import Kind, Used
from bearpit_server.rules.refusals import Refused, not_found
from bearpit_server.storage import hours, requests
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import CASH, HOUSE, Player
from bearpit_server.storage.models.arcade import ArcadeMachine, ArcadeTransaction


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a machine asks for."""

    kind: Kind
    amount_cents: int
    transaction_id: str
    score: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A transaction with the names in it."""

    row: ArcadeTransaction
    machine: str
    player: str


# --- taking and giving --------------------------------------------------------------------------


def transact(
    machine_name: str, player: Player, wanted: Wanted, setting: Setting, origin: Origin
) -> tuple[Told, list[WalletChange]]:
    """Take points from a player or give some; what was done before under this id is told again.

    Raises Refused NOT_FOUND for a machine that is none, INVALID_FIELD, REQUEST_ID_REUSED, NOT_POSSIBLE_NOW
    when the machine is closed, LIMIT_EXCEEDED, PLAYER_DISABLED, PLAYER_FROZEN or INSUFFICIENT_FUNDS.
    """
    rules.check_transaction(wanted.transaction_id, wanted.amount_cents)
    line("note", wanted.note, 0, NOTE)
    machine = machines.lock(machine_name)
    earlier = _find(machine, wanted.transaction_id)
    if earlier is not None:
        if not _is_same(earlier, player, wanted):
            raise requests.reused(wanted.transaction_id)
        return Told(earlier, machine.name, player.name), []
    if not machine.active:
        raise Refused(
            "NOT_POSSIBLE_NOW", "this machine is closed; ask an operator to open it", state="closed"
        )
    at = now()
    day = machines.today(at)
    limits = machines.limits_of(machine, setting)
    rules.check(wanted.kind, wanted.amount_cents, limits, _used(machine.id, player.id, wanted.kind, day))
    row = ArcadeTransaction.create(
        machine_id=machine.id,
        transaction_id=wanted.transaction_id,
        player_id=player.id,
        kind=int(wanted.kind),
        amount_cents=wanted.amount_cents,
        score=wanted.score,
        note=wanted.note,
        day=day,
        at=at,
    )
    changes = _post(row, machine, player, origin)
    payload = {
        "machine": machine.name,
        "transaction_id": row.transaction_id,
        "player_id": player.id,
        "player": player.name,
        "amount_cents": row.amount_cents,
        "score": row.score,
    }
    kind = "arcade.taken" if wanted.kind is Kind.TAKE else "arcade.given"
    log.append([Event(kind, f"arcade:{row.id}", origin, payload)], at)
    return Told(row, machine.name, player.name), changes


def _is_same(row: ArcadeTransaction, player: Player, wanted: Wanted) -> bool:
    asked = (player.id, wanted.kind, wanted.amount_cents, wanted.score, wanted.note)
    return asked == (row.player_id, row.kind, row.amount_cents, row.score, row.note)


def _post(
    row: ArcadeTransaction, machine: ArcadeMachine, player: Player, origin: Origin
) -> list[WalletChange]:
    account = open_account(player.id, CASH)
    house = open_account(HOUSE, CASH, "fees" if row.kind == Kind.TAKE else "issuer")
    journal = Journal(row.at)
    journal.lock([account, house])
    cash = journal.accounts[account]
    _check_player(cash, player)
    reference, note = f"arcade:{row.id}", row.note or machine.name
    if row.kind == Kind.TAKE:
        if cash.free < row.amount_cents:  # a machine is not told how much there is
            raise Refused(
                "INSUFFICIENT_FUNDS",
                f"player {player.name} has too few points for this; take less, or let somebody else play",
            )
        journal.post(account, house, row.amount_cents, "arcade_play", reference, origin, note)
    else:
        require_room(journal.accounts[house].balance, row.amount_cents, "amount_cents")
        journal.post(house, account, row.amount_cents, "arcade_prize", reference, origin, note)
    return journal.write()


def _check_player(cash: Balance, player: Player) -> None:
    if cash.disabled:
        raise Refused("PLAYER_DISABLED", f"player {player.name} is disabled and cannot play", "player")
    if cash.frozen:
        raise Refused("PLAYER_FROZEN", f"player {player.name} is frozen and cannot play now", "player")


def void(
    machine_name: str, transaction_id: str, reason: str, origin: Origin
) -> tuple[Told, list[WalletChange]]:
    """Undo a transaction by a posting the other way.

    Raises Refused NOT_FOUND, INVALID_FIELD, NOT_POSSIBLE_NOW when that has been done before, or
    INSUFFICIENT_FUNDS when the player has spent what was given.
    """
    line("reason", reason, 1, NOTE)
    machine = machines.lock(machine_name)
    row = _find(machine, transaction_id)
    if row is None:
        raise not_found("transaction", transaction_id[: rules.MAX_TRANSACTION_ID])
    if row.voided_at is not None:
        raise Refused(
            "NOT_POSSIBLE_NOW", "this transaction has been undone before", "transaction_id", state="voided"
        )
    row.voided_at = now()
    row.save(only=[ArcadeTransaction.voided_at])
    player = Player.get_by_id(row.player_id)
    changes = _post_back(row, reason, origin)
    payload = {
        "machine": machine.name,
        "transaction_id": row.transaction_id,
        "player_id": player.id,
        "player": player.name,
        "kind": Kind(row.kind).name.lower(),
        "amount_cents": row.amount_cents,
        "reason": reason,
    }
    log.append([Event("arcade.voided", f"arcade:{row.id}", origin, payload)], row.voided_at)
    return Told(row, machine.name, player.name), changes


def _post_back(row: ArcadeTransaction, reason: str, origin: Origin) -> list[WalletChange]:
    account, issuer = open_account(row.player_id, CASH), open_account(HOUSE, CASH, "issuer")
    fees = open_account(HOUSE, CASH, "fees")
    journal = Journal(row.voided_at)
    journal.lock([account, issuer, fees])
    cash, amount = journal.accounts[account], row.amount_cents
    if row.kind == Kind.TAKE:
        # Other refunds come out of the fees as well; where they do not suffice, the house issues.
        source = fees if journal.accounts[fees].free >= amount else issuer
        if source == issuer:
            require_room(journal.accounts[issuer].balance, amount, "transaction_id")
        journal.post(source, account, amount, "arcade_void", f"arcade:{row.id}", origin, reason)
    else:
        if cash.free < amount:
            raise insufficient(cash, amount, "give the player a debt for it, or let it be")
        journal.post(account, issuer, amount, "arcade_void", f"arcade:{row.id}", origin, reason)
    return journal.write()


# --- looking ------------------------------------------------------------------------------------


def transaction(machine_name: str, transaction_id: str) -> Told:
    """A transaction by the machine's id of it. Raises Refused NOT_FOUND."""
    machine = machines.get(machine_name)
    row = _find(machine, transaction_id)
    if row is None:
        raise not_found("transaction", transaction_id[: rules.MAX_TRANSACTION_ID])
    return Told(row, machine.name, Player.get_by_id(row.player_id).name)


def transactions(
    machine_id: int | None, player_id: int | None, before_id: int | None, limit: int
) -> list[Told]:
    """Transactions of a machine or of all, of a player or of all, newest first, those before an id."""
    query = (
        ArcadeTransaction.select(
            ArcadeTransaction, ArcadeMachine.name.alias("machine"), Player.name.alias("player")
        )
        .join(ArcadeMachine, on=(ArcadeMachine.id == ArcadeTransaction.machine_id))
        .join_from(ArcadeTransaction, Player, on=(Player.id == ArcadeTransaction.player_id))
        .order_by(ArcadeTransaction.id.desc())
        .limit(limit)
    )
    if machine_id is not None:
        query = query.where(ArcadeTransaction.machine_id == machine_id)
    if player_id is not None:
        query = query.where(ArcadeTransaction.player_id == player_id)
    if before_id is not None:
        query = query.where(ArcadeTransaction.id < before_id)
    return [Told(row, row.machine, row.player) for row in query.objects()]


class Day(NamedTuple):
    """What passed on a day, without what was undone, of which it only says how many."""

    date: date
    takes: int
    taken_cents: int
    gives: int
    given_cents: int
    players: int
    voided: int


def statement(machine_id: int | None, days: int) -> tuple[list[Day], str]:
    """The last days on which something passed through a machine or all of them; and the dates' time zone."""
    row = ArcadeTransaction
    holds = row.voided_at.is_null()
    takes, gives = holds & (row.kind == int(Kind.TAKE)), holds & (row.kind == int(Kind.GIVE))
    query = (
        row.select(
            row.day,
            _count(takes),
            machines.total(takes),
            _count(gives),
            machines.total(gives),
            pw.fn.count(row.player_id.distinct()).filter(holds),
            _count(~holds),
        )
        .where(row.day > machines.today(now()) - timedelta(days=days))
        .group_by(row.day)
        .order_by(row.day.desc())
    )
    if machine_id is not None:
        query = query.where(row.machine_id == machine_id)
    return [Day(*found) for found in query.tuples()], hours.read().time_zone


def _find(machine: ArcadeMachine, transaction_id: str) -> ArcadeTransaction | None:
    if len(transaction_id) > rules.MAX_TRANSACTION_ID or "\0" in transaction_id:
        return None
    row: ArcadeTransaction | None = ArcadeTransaction.get_or_none(
        (ArcadeTransaction.machine_id == machine.id) & (ArcadeTransaction.transaction_id == transaction_id)
    )
    return row


def _used(machine_id: int, player_id: int, kind: Kind, day: date) -> Used:
    row = ArcadeTransaction
    by_player, by_all = (
        row.select(machines.total(row.player_id == player_id), machines.total(row.player_id > 0))
        .where(row.machine_id == machine_id, row.day == day, row.kind == int(kind), row.voided_at.is_null())
        .tuples()
        .get()
    )
    return Used(by_player, by_all)


def _count(where: pw.Expression) -> pw.Node:
    return pw.fn.count(ArcadeTransaction.id).filter(where)
