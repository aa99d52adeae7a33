"""The player's orders."""

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


def _side(row: OrderRow) -> Cell:
    return ("▲BUY", ("up",)) if row.side == "buy" else ("▼SELL", ("down",))


def _price(row: OrderRow) -> Cell:
    return (fit_money(row.price_cents, 10), ()) if row.price_cents else ("market", ("muted",))


def _status(row: OrderRow) -> Cell:
    return row.status, ("own",) if row.live else ("muted",)


COLUMNS: tuple[Column[OrderRow], ...] = (
    Column("Time", 8, lambda row: (row.time, ("muted",)), rank=5),
    Column("Side", 5, _side),
    Column("Symbol", 8, lambda row: (row.symbol, ())),
    Column("Price", 10, _price, right=True),
    Column("Filled", 11, lambda row: (f"{compact(row.filled)}/{compact(row.quantity)}", ()), right=True),
    Column("Status", 10, _status, rank=1),
    Column("Type", 7, lambda row: (row.type, ("muted",)), rank=6),
    Column("Note", 14, lambda row: (row.note, ("muted",)), rank=4, grows=True),
)


class OrdersTable(LineTable[OrderRow]):
    """Orders, as they are given: the newest first is the caller's choice."""

    def __init__(
        self,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
        disabled: bool = False,
    ) -> None:
        super().__init__(
            COLUMNS,
            lambda row: row.order_id,
            empty_text="no orders",
            name=name,
            id=id,
            classes=classes,
            disabled=disabled,
        )
