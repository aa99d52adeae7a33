"""The player's orders, by number: the number is what `cancel 17` and `why 17` ask for."""

from dataclasses import dataclass
from typing import Literal

from bearpit_tui.widgets.money import compact, fit_money
from bearpit_tui.widgets.table import Cell, Column, LineTable

OrderSide = Literal["buy", "sell"]


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order, in words; quantities in shares, the price in cents, 0: at market."""

    order_id: str
    time: str
    side: OrderSide
    symbol: str
    filled: int
    quantity: int
    price_cents: int
    status: str
    # Whether it can still trade: live orders stand out, the others recede.
    live: bool
    type: str = ""
    note: str = ""


def _what(row: OrderRow) -> Cell:
    sign, tone = ("▲BUY  ", "up") if row.side == "buy" else ("▼SELL ", "down")
    return sign + row.symbol, (tone,) if row.live else ("muted",)


def _price(row: OrderRow) -> Cell:
    return (fit_money(row.price_cents, 8), ()) if row.price_cents else ("market", ("muted",))


def _filled(row: OrderRow) -> Cell:
    return f"{compact(row.filled)}/{compact(row.quantity)}", () if row.live else ("muted",)


COLUMNS: tuple[Column[OrderRow], ...] = (
    # At 80 columns exactly those without a rank fit; each more needs a wider terminal.
    Column("#", 6, lambda row: (row.order_id, ("muted",)), right=True),
    Column("Order", 12, _what, grows=True),
    Column("Price", 8, _price, right=True),
    Column("Filled", 11, _filled, right=True),
    Column("Status", 9, lambda row: (row.status, ("own",) if row.live else ("muted",))),
    Column("Time", 8, lambda row: (row.time, ("muted",)), rank=1),
    Column("Type", 10, lambda row: (row.type, ("muted",)), rank=3),
    Column("", 24, lambda row: (row.note, ("muted",)), rank=2),
)


class OrdersTable(LineTable[OrderRow]):
    """Orders under their numbers, as they are given: the newest first is the caller's choice."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(COLUMNS, lambda row: row.order_id, empty_text="no orders yet: press b to buy", id=id)
