from dataclasses import dataclass, replace
from unittest.mock import patch

import pytest
from bearpit_tui.widgets.listing import Listing
from bearpit_tui.widgets.orders import OrderRow, OrdersTable
from bearpit_tui.widgets.positions import PositionRow, PositionsTable
from bearpit_tui.widgets.table import Column, LineTable

from tests.unit.tui.widgets.stage import Stage, lines

WORKING = OrderRow("17", "13:59:01", "buy", "ACME", 0, 200, 10_644, "WORKING", True, "limit")
REJECTED = OrderRow("18", "12:38:20", "sell", "ZEPH", 0, 80, 0, "REJECTED", False, "market", "too fast")
WINNER = PositionRow("ACME", 1_200, 10_440, 10_648, 12_777_600, 249_600, 120_410)
LOSER = PositionRow("ORBX", 500, 4_810, 4_220, 2_110_000, -295_000, 0)


class Recorder(Stage):
    """Keeps the keys of the rows that were spoken of."""

    def __init__(self, widget: LineTable[OrderRow]) -> None:
        super().__init__(widget)
        self.heard: list[tuple[str, str]] = []

    def on_listing_highlighted(self, event: Listing.Highlighted) -> None:
        self.heard.append(("highlighted", event.key))

    def on_listing_selected(self, event: Listing.Selected) -> None:
        self.heard.append(("selected", event.key))


async def test_an_order_says_its_side_in_a_word_and_an_arrow() -> None:
    table = OrdersTable()
    async with Stage(table).run_test(size=(100, 4)):
        table.set_rows([WORKING, REJECTED])
        assert lines(table) == [
            "     #  Order                      Price       Filled  Status     Time",
            "    17  ▲BUY  ACME                106.44        0/200  WORKING    13:59:01",
            "    18  ▼SELL ZEPH                market         0/80  REJECTED   12:38:20  too fast",
            "",
        ]


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (120, ["#", "Order", "Price", "Filled", "Status", "Time", "Type"]),
        (96, ["#", "Order", "Price", "Filled", "Status", "Time"]),
        (70, ["#", "Order", "Price", "Filled", "Status", "Time"]),
        (60, ["#", "Order", "Price", "Filled", "Status"]),
    ],
)
async def test_what_matters_least_goes_first(width: int, titles: list[str]) -> None:
    table = OrdersTable()
    async with Stage(table).run_test(size=(width, 4)):
        table.set_rows([WORKING])
        assert lines(table)[0].split() == titles


async def test_gains_carry_a_plus_and_losses_a_minus() -> None:
    table = PositionsTable()
    async with Stage(table).run_test(size=(78, 4)):
        table.set_rows([WINNER, LOSER])
        assert lines(table)[:3] == [
            "Symbol    Shares       Cost       Last         Value         Gain     Realised",
            "ACME        1.2k     104.40     106.48    127,776.00    +2,496.00    +1,204.10",
            "ORBX         500      48.10      42.20     21,100.00    −2,950.00         0.00",
        ]


@pytest.mark.parametrize(
    ("table", "text"), [(OrdersTable(), "no orders yet: press b to buy"), (PositionsTable(), "no positions")]
)
async def test_an_empty_table_says_so(table: LineTable[OrderRow], text: str) -> None:
    async with Stage(table).run_test(size=(80, 5)) as pilot:
        assert lines(table)[1] == text
        await pilot.press("down", "enter", "end")
        assert table.key is None


async def test_keys_and_clicks_tell_the_key_of_their_row() -> None:
    table = OrdersTable()
    app = Recorder(table)
    async with app.run_test(size=(80, 6)) as pilot:
        table.set_rows([WORKING, REJECTED])
        await pilot.press("down", "enter")
        await pilot.click(OrdersTable, offset=(2, 1))
        await pilot.click(OrdersTable, offset=(2, 0))
        await pilot.click(OrdersTable, offset=(2, 4))
        assert app.heard == [
            ("highlighted", "18"),
            ("selected", "18"),
            ("highlighted", "17"),
            ("selected", "17"),
        ]


async def test_the_cursor_keeps_to_its_row_when_others_come_before_it() -> None:
    table = OrdersTable()
    async with Stage(table).run_test(size=(80, 6)):
        table.set_rows([WORKING, REJECTED])
        assert table.move_to("18")
        table.set_rows([replace(WORKING, order_id="19"), WORKING, REJECTED])
        assert table.key == "18"
        table.set_rows([WORKING])
        assert table.key == "17"
        assert not table.move_to("99")


async def test_long_tables_scroll_below_their_titles() -> None:
    table = OrdersTable()
    async with Stage(table).run_test(size=(80, 6)) as pilot:
        table.set_rows(replace(WORKING, order_id=str(at), symbol=f"S{at}") for at in range(50))
        await pilot.pause()
        await pilot.press("end")
        await pilot.pause()
        shown = lines(table)
        assert shown[0].startswith("     #  Order")
        assert "S49" in shown[5]
        await pilot.press("pageup")
        await pilot.pause()
        assert table.cursor in table.rows_in_sight()


async def test_only_rows_that_differ_are_painted() -> None:
    table = OrdersTable()
    async with Stage(table).run_test(size=(80, 12)) as pilot:
        rows = [replace(WORKING, order_id=str(at)) for at in range(8)]
        table.set_rows(rows)
        await pilot.pause()
        with patch.object(table, "refresh", wraps=table.refresh) as refresh:
            table.set_rows([*rows[:5], replace(rows[5], filled=100), *rows[6:]])
            painted = {region.y for call in refresh.call_args_list for region in call.args}
            assert painted == {6}


@dataclass(frozen=True, slots=True)
class Line:
    text: str


async def test_a_note_from_elsewhere_cannot_reach_the_terminal_as_a_command() -> None:
    table: LineTable[Line] = LineTable(
        (Column("Note", 12, lambda row: (row.text, ())),), lambda row: row.text
    )
    async with Stage(table).run_test(size=(12, 5)):
        table.set_rows([Line("\x1b[2Jboo\n"), Line("日本語の長い文章"), Line("fine")])
        assert lines(table)[1:] == [" [2Jboo", "日本語の長 …", "fine", ""]
        assert {table.render_line(y).cell_length for y in range(5)} == {12}
