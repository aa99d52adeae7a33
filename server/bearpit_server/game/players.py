"""Players as operators see them; inside the caller's transaction. What makes them is in `identity`."""

from dataclasses import dataclass

import peewee as pw

from bearpit_server.ledger.accounts import open_account
from bearpit_server.ledger.journal import Journal
from bearpit_server.rules.orders import OrderStatus
from bearpit_server.rules.refusals import invalid
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import CASH, HOUSE, Account, Order, Player

MAX_SEARCH = 64


@dataclass(frozen=True, slots=True)
class Summary:
    """A player and its cash."""

    player: Player
    cash_cents: int
    held_cents: int


def search(part: str, after_id: int, limit: int) -> list[Summary]:
    """Players whose name contains `part`, without regard to case, by id. Raises Refused INVALID_FIELD."""
    if len(part) > MAX_SEARCH or (part and not part.isprintable()):
        raise invalid("search", f"give at most {MAX_SEARCH} printable characters")
    rows = (
        Player.select(Player, Account.balance.alias("cash"), Account.held.alias("held"))
        .join(
            Account,
            pw.JOIN.LEFT_OUTER,
            on=((Account.owner == Player.id) & (Account.asset == CASH) & (Account.kind == "player")),
        )
        .where(Player.id != HOUSE, Player.id > after_id)
        .order_by(Player.id)
        .limit(limit)
        .objects()
    )
    if part:
        rows = rows.where(Player.name.contains(part))
    return [Summary(row, row.cash or 0, row.held or 0) for row in rows]


def count_open_orders(player_id: int) -> int:
    """How many orders a player has open."""
    return int(
        Order.select().where(Order.player_id == player_id, Order.status <= int(OrderStatus.WORKING)).count()
    )


def lock_out(player_id: int) -> None:
    """Wait until orders that are being accepted from a player have been, and keep further ones waiting.

    Accepting an order locks its owner's cash account. Whoever disables a player does too, so that an
    order is either there when the player's orders are cancelled or sees that its owner is disabled.
    """
    Journal(now()).lock([open_account(player_id, CASH)])
