"""The orders, by number: the number is what `cancel 17` and `why 17` ask for."""

from __future__ import annotations

from bearpit_tui.widgets.money import compact, fit_money
from bearpit_tui.widgets.orders import OrderRow
from bearpit_tui.widgets.table import Cell, Column, LineTable


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


class OrdersPane(LineTable[OrderRow]):
    """Orders under their numbers."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(COLUMNS, lambda row: row.order_id, empty_text="no orders yet: press b to buy", id=id)
