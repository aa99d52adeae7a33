"""What the player holds."""

from collections.abc import Callable
from dataclasses import dataclass

from bearpit_tui.widgets.money import compact, fit_money, fit_signed_money
from bearpit_tui.widgets.table import Cell, Column, LineTable


@dataclass(frozen=True, slots=True)
class PositionRow:
    """One holding; quantities in shares, all else in cents."""

    symbol: str
    quantity: int
    average_cost_cents: int
    last_cents: int
    value_cents: int
    unrealised_cents: int
    realised_cents: int


GAIN = 11


def _gain(cents: Callable[[PositionRow], int]) -> Callable[[PositionRow], Cell]:
    def cell(row: PositionRow) -> Cell:
        gained = cents(row)
        tone = "up" if gained > 0 else "down" if gained < 0 else "muted"
        return fit_signed_money(gained, GAIN), (tone,)

    return cell


COLUMNS: tuple[Column[PositionRow], ...] = (
    Column("Symbol", 8, lambda row: (row.symbol, ())),
    Column("Shares", 6, lambda row: (compact(row.quantity), ()), right=True),
    Column("Cost", 9, lambda row: (fit_money(row.average_cost_cents, 9), ("muted",)), right=True, rank=2),
    Column("Last", 9, lambda row: (fit_money(row.last_cents, 9), ()), right=True, rank=3),
    Column("Value", 12, lambda row: (fit_money(row.value_cents, 12), ()), right=True, rank=1),
    Column("Gain", GAIN, _gain(lambda row: row.unrealised_cents), right=True),
    Column("Realised", GAIN, _gain(lambda row: row.realised_cents), right=True, rank=4),
)


class PositionsTable(LineTable[PositionRow]):
    """Holdings by symbol."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(COLUMNS, lambda row: row.symbol, empty_text="no positions", id=id)
