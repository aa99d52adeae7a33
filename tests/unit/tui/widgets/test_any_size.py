"""Whatever the size and the data, drawing neither fails nor yields a row of the wrong width."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import PropertyMock, patch

from bearpit_tui.widgets.candles import CandleBar
from bearpit_tui.widgets.chart import ZOOMS, CandleChart
from bearpit_tui.widgets.ladder import BookSide, DepthLadder, LadderLevel
from bearpit_tui.widgets.orders import OrderRow, OrdersTable
from bearpit_tui.widgets.painted import Painted
from bearpit_tui.widgets.positions import PositionRow, PositionsTable
from bearpit_tui.widgets.watchlist import WatchList, WatchRow
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.geometry import Size

from tests.unit.tui.widgets.stage import Stage

INT64 = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-5, 50_000),
    st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63), 99, 100, 999_999]),
)
SIZES = st.builds(Size, st.integers(0, 200), st.integers(0, 60))
TEXT = st.text(max_size=30)
SYMBOLS = st.text("ABCXYZ.-0", min_size=1, max_size=12)
EPOCHS = st.integers(0, 4_000_000_000)

bars = st.lists(st.builds(CandleBar, EPOCHS, INT64, INT64, INT64, INT64, INT64), max_size=60)
watch_rows = st.lists(
    st.builds(
        WatchRow,
        SYMBOLS,
        INT64,
        INT64,
        INT64,
        INT64,
        INT64,
        st.booleans(),
        st.lists(INT64, max_size=40).map(tuple),
        st.booleans(),
    ),
    max_size=30,
    unique_by=lambda row: row.symbol,
)
levels = st.lists(st.builds(LadderLevel, INT64, INT64, INT64), max_size=30).map(tuple)
sides: st.SearchStrategy[BookSide] = st.sampled_from(["bid", "ask"])
own_orders = st.dictionaries(st.tuples(sides, INT64), INT64, max_size=5)
order_rows = st.lists(
    st.builds(
        OrderRow,
        TEXT,
        TEXT,
        st.sampled_from(["buy", "sell"]),
        SYMBOLS,
        INT64,
        INT64,
        INT64,
        TEXT,
        st.booleans(),
        TEXT,
        TEXT,
    ),
    max_size=20,
)
position_rows = st.lists(
    st.builds(PositionRow, SYMBOLS, INT64, INT64, INT64, INT64, INT64, INT64), max_size=20
)

# The app is started once a test; the examples run inside it.
thorough = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@contextmanager
def sized(widget: Painted, size: Size) -> Iterator[None]:
    with patch.object(type(widget), "size", new_callable=PropertyMock, return_value=size):
        yield


def draw(widget: Painted, size: Size) -> None:
    for y in range(size.height):
        strip = widget.render_line(y)
        assert strip.cell_length == size.width
        assert sum(cell_len(segment.text) for segment in strip) == size.width


async def in_app(widget: Painted, check: Callable[[], None]) -> None:
    async with Stage(widget).run_test(size=(20, 5)):
        check()


async def test_the_chart() -> None:
    chart = CandleChart("ACME", "1m")

    @thorough
    @given(SIZES, bars, st.integers(0, len(ZOOMS)), st.integers(-5, 40), st.integers(-70, 5))
    def check(size: Size, candles: list[CandleBar], zoom: int, pan: int, cross: int) -> None:
        with sized(chart, size):
            chart.set_candles(candles)
            chart.action_zoom(-len(ZOOMS))
            chart.action_zoom(zoom)
            draw(chart, size)
            chart.action_pan(pan)
            chart.action_cross(cross)
            draw(chart, size)
            for candle in candles[:2]:
                chart.update_last(candle)
            draw(chart, size)

    await in_app(chart, check)


async def test_the_watch_list() -> None:
    widget = WatchList()

    @thorough
    @given(SIZES, watch_rows, watch_rows, st.integers(-40, 40))
    def check(size: Size, rows: list[WatchRow], changed: list[WatchRow], moved: int) -> None:
        with sized(widget, size):
            widget.set_rows(rows)
            draw(widget, size)
            widget.update_rows(changed)
            widget.action_move(moved)
            draw(widget, size)

    await in_app(widget, check)


async def test_the_ladder() -> None:
    ladder = DepthLadder()

    @thorough
    @given(SIZES, levels, levels, INT64, own_orders, st.integers(-40, 40))
    def check(
        size: Size,
        bids: tuple[LadderLevel, ...],
        asks: tuple[LadderLevel, ...],
        last: int,
        own: dict[tuple[BookSide, int], int],
        moved: int,
    ) -> None:
        with sized(ladder, size):
            ladder.set_book(bids, asks, last, 1, own)
            draw(ladder, size)
            ladder.action_move(moved)
            ladder.action_drift(-moved)
            draw(ladder, size)

    await in_app(ladder, check)


async def test_the_orders() -> None:
    table = OrdersTable()

    @thorough
    @given(SIZES, order_rows, st.integers(-40, 40))
    def check(size: Size, rows: list[OrderRow], moved: int) -> None:
        with sized(table, size):
            table.set_rows(rows)
            table.action_move(moved)
            draw(table, size)

    await in_app(table, check)


async def test_the_positions() -> None:
    table = PositionsTable()

    @thorough
    @given(SIZES, position_rows)
    def check(size: Size, rows: list[PositionRow]) -> None:
        with sized(table, size):
            table.set_rows(rows)
            draw(table, size)

    await in_app(table, check)
