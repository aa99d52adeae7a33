"""What a player has, and the postings that brought it about; inside the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import peewee as pw

from bearpit_server.storage.models import CASH, Account, Instrument, Posting

EVERYTHING = -1
"""In place of an asset: all of them."""
DEBT = -2
"""In place of an asset: what the player owes."""


@dataclass(frozen=True, slots=True)
class Position:
    """Shares of one instrument."""

    symbol: str
    quantity: int
    held: int
    cost_cents: int
    realised_cents: int


@dataclass(frozen=True, slots=True)
class Wallet:
    """All that a player has."""

    player_id: int
    cash_cents: int
    held_cents: int
    positions: tuple[Position, ...]
    debt_cents: int = 0
    """What the player owes the house."""


@dataclass(frozen=True, slots=True)
class Movement:
    """A posting from the side of one account; `symbol` is empty for cash."""

    posting_id: int
    symbol: str
    amount: int
    balance_after: int
    reason: str
    reference: str
    created_at: datetime
    note: str


def of(player_id: int) -> Wallet:
    """Cash and positions as they are now, in one statement, so that they belong together."""
    rows = (
        Account.select(
            Account.asset, Account.kind, Instrument.symbol, Account.balance, Account.held,
            Account.cost_cents, Account.realised_cents,
        )
        .join(Instrument, pw.JOIN.LEFT_OUTER, on=(Instrument.id == Account.asset))
        .where(Account.owner == player_id)
        .order_by(Instrument.symbol)
        .tuples()
    )  # fmt: skip
    cash = held = debt = 0
    positions = []
    for asset, kind, symbol, balance, account_held, cost, realised in rows:
        if kind == "debt":
            debt = -balance
        elif asset == CASH:
            cash, held = balance, account_held
        elif balance or realised:
            positions.append(Position(symbol, balance, account_held, cost, realised))
    return Wallet(player_id, cash, held, tuple(positions), debt)


def movements(player_id: int, asset: int, before_id: int | None, limit: int) -> list[Movement]:
    """A player's postings of one asset, of EVERYTHING or of DEBT, newest first, those before an id.

    Each account's latest are looked up by the index of either side, so that a long history costs nothing.
    """
    gave = _side(player_id, asset, before_id, limit, Posting.debit, -1, Posting.debit_balance)
    took = _side(player_id, asset, before_id, limit, Posting.credit, 1, Posting.credit_balance)
    rows = sorted([*gave, *took], reverse=True)[:limit]
    return [Movement(*row) for row in rows]


def _side(
    player_id: int,
    asset: int,
    before_id: int | None,
    limit: int,
    account: pw.Field,
    sign: int,
    balance: pw.Field,
) -> Sequence[tuple[int, str, int, int, str, str, datetime, str]]:
    latest = Posting.select(
        Posting.id, (Posting.amount * sign).alias("moved"), balance.alias("after"), Posting.reason,
        Posting.reference, Posting.created_at, Posting.note,
    ).where(account == Account.id)  # fmt: skip
    if before_id is not None:
        latest = latest.where(Posting.id < before_id)
    latest = latest.order_by(Posting.id.desc()).limit(limit)
    rows = (
        Account.select(
            latest.c.id, pw.fn.coalesce(Instrument.symbol, ""), latest.c.moved, latest.c.after,
            latest.c.reason, latest.c.reference, latest.c.created_at, latest.c.note,
        )
        .join(Instrument, pw.JOIN.LEFT_OUTER, on=(Instrument.id == Account.asset))
        .switch(Account)
        .join(latest, pw.JOIN.LATERAL, on=pw.SQL("true"))
        .where(Account.owner == player_id, Account.kind == ("debt" if asset == DEBT else "player"))
        .order_by(latest.c.id.desc())
        .limit(limit)
    )  # fmt: skip
    if asset >= CASH:
        rows = rows.where(Account.asset == asset)
    return list(rows.tuples())
