"""The panes of the market, laid out for the room there is and kept in step with the state."""

from __future__ import annotations

from datetime import datetime, tzinfo

from bearpit_tui import views
from bearpit_tui.actions import BOOK, CHART, ORDERS, POSITIONS, TICKET, WATCH
from bearpit_tui.layout import visible_panes
from bearpit_tui.panels.detail import DetailPane
from bearpit_tui.panels.ticket import AskPreview, QuitKeys, Ticket
from bearpit_tui.state import State, held_positions, listed_orders, open_orders, reversed_shares
from bearpit_tui.widgets.chart import CandleChart
from bearpit_tui.widgets.ladder import DepthLadder
from bearpit_tui.widgets.orders import OrdersTable
from bearpit_tui.widgets.panes import pane
from bearpit_tui.widgets.positions import PositionsTable
from bearpit_tui.widgets.watchlist import WatchList
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

TITLES = {
    WATCH: "1 Watch",
    CHART: "2 Chart",
    BOOK: "3 Book",
    ORDERS: "4 Orders",
    POSITIONS: "5 Positions",
    TICKET: "Ticket",
}


class Board(Horizontal):
    """Watch list, chart, book, orders, positions and ticket."""

    DEFAULT_CSS = """
    Board {
        height: 1fr;
        & .pane {
            border: round $foreground 25%;
            border-title-color: $foreground 60%; border-subtitle-color: $foreground 60%;
        }
        & .pane:focus, & .pane:focus-within {
            border: round $border; border-title-color: $foreground; border-title-style: bold;
        }
        & .pane:ansi { border: round ansi_default; }
        & .pane:focus:ansi, & .pane:focus-within:ansi { border: heavy $primary; }
        & #watch { width: 24; }
        & #middle { width: 1fr; }
        & #right { width: 1fr; }
        & #chart { height: 1fr; }
        & #book { height: 1fr; }
        & #orders { height: 1fr; }
        & #positions { height: 1fr; }
        & #ticket { padding: 0 1; }
        & .-stale > .tone--candle-up, & .-stale > .tone--candle-down { color: $foreground 50%; }
        & .-stale > .tone--bar-up, & .-stale > .tone--bar-down { background: $foreground 15%; }
        & .-stale > .tone--tag, & .-stale > .tone--tag-up, & .-stale > .tone--tag-down {
            background: $foreground 30%; color: auto;
        }
        &.-wide #watch { width: 31; }
        &.-wide #right { width: 32; }
        &.-wide #orders { height: 9; }
        &.-wide #positions { height: 8; }
        &.-wide #ticket { height: 17; }
        &.-roomy #watch { width: 40; }
        &.-roomy #right { width: 40; }
        &.-single #watch { width: 1fr; }
    }
    """

    def __init__(
        self, clock_zone: tzinfo, preview: AskPreview, quit_keys: QuitKeys, *, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._zone = clock_zone
        self._preview = preview
        self._quit_keys = quit_keys
        self._shown: State | None = None
        self._recent: list[str] = [CHART, WATCH, ORDERS, BOOK, POSITIONS, TICKET]
        self.visible_panes: frozenset[str] = frozenset()

    def compose(self) -> ComposeResult:
        yield pane(WatchList(id=WATCH), TITLES[WATCH])
        with Vertical(id="middle"):
            yield pane(CandleChart(id=CHART), TITLES[CHART])
            yield pane(OrdersTable(id=ORDERS), TITLES[ORDERS])
            yield pane(PositionsTable(id=POSITIONS), TITLES[POSITIONS])
        with Vertical(id="right"):
            yield pane(DetailPane(self._zone, id=BOOK), TITLES[BOOK])
            yield pane(Ticket(self._preview, self._quit_keys, id=TICKET), TITLES[TICKET])

    # The panes ----------------------------------------------------------------------------------------

    def pane(self, name: str) -> Widget:
        """A pane by its name."""
        return self.query_one(f"#{name}")

    @property
    def watch_list(self) -> WatchList:
        return self.query_one(WatchList)

    @property
    def chart(self) -> CandleChart:
        return self.query_one(CandleChart)

    @property
    def detail(self) -> DetailPane:
        return self.query_one(DetailPane)

    @property
    def ladder(self) -> DepthLadder:
        return self.detail.ladder

    @property
    def orders(self) -> OrdersTable:
        return self.query_one(OrdersTable)

    @property
    def positions(self) -> PositionsTable:
        return self.query_one(PositionsTable)

    @property
    def ticket(self) -> Ticket:
        return self.query_one(Ticket)

    def pane_of(self, widget: Widget | None) -> str:
        """The name of the pane a widget is in; empty: in none."""
        for node in widget.ancestors_with_self if widget is not None else ():
            if node.id in TITLES:
                return str(node.id)
        return ""

    def bring(self, name: str) -> None:
        """Have a pane on show, in another one's place if need be."""
        self._recent = [name, *(pane for pane in self._recent if pane != name)]
        self.make_room()

    def leave(self, name: str) -> str:
        """Have a pane make room for the one used before it, which is returned."""
        self._recent = [*(pane for pane in self._recent if pane != name), name]
        self.make_room()
        return self._recent[0]

    def make_room(self) -> None:
        """Show the panes there is room for."""
        width, height = self.app.size
        panes = visible_panes(width, height, self._recent)
        if panes == self.visible_panes and self.has_class("-roomy") == (width >= 140):
            return
        self.visible_panes = panes
        for name in TITLES:
            self.pane(name).display = name in panes
        self.query_one("#middle").display = bool(panes & {CHART, ORDERS, POSITIONS})
        self.query_one("#right").display = bool(panes & {BOOK, TICKET})
        self.update_classes({"-wide": len(panes) > 2, "-roomy": width >= 140, "-single": len(panes) == 1})

    # The state ----------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Make every line again the next time, as when times are to be shown in another zone."""
        self._shown = None

    def show(self, state: State, now: datetime, *, frozen: bool) -> None:
        """Bring every pane up to a state; each is touched only where the state differs."""
        before, self._shown = self._shown, state
        self._show_watch(before, state)
        self._show_chart(before, state, frozen)
        self.detail.show(state, now)
        if before is None or before.orders is not state.orders or before.fills is not state.fills:
            taken = reversed_shares(state)
            rows = [
                views.order_row(order, self._zone, now, taken.get(order.order_id, 0))
                for order in listed_orders(state)
            ]
            self.orders.set_rows(rows)
            count = len(open_orders(state))
            self.orders.border_subtitle = f"{count} open" if count else ""
        if before is None or before.wallet is not state.wallet or before.quotes is not state.quotes:
            self.positions.set_rows(views.position_row(state, one) for one in held_positions(state))
        self.ticket.follow(state.selected)
        self.ticket.trade_with(views.terms(state, self.ticket.symbol))

    def _show_watch(self, before: State | None, state: State) -> None:
        if before is None or before.instruments is not state.instruments:
            self.watch_list.set_rows(views.watch_row(state, symbol) for symbol in state.instruments)
            self.watch_list.move_to(state.selected)
        else:
            self.watch_list.update_rows(
                views.watch_row(state, symbol) for symbol in views.changed_symbols(before, state)
            )

    def _show_chart(self, before: State | None, state: State, frozen: bool) -> None:
        chart, new = self.chart, state.chart
        chart.frozen, chart.stale = frozen, not state.live
        old = before.chart if before is not None else None
        if old is new:
            return
        if old is None or (old.symbol, old.timeframe) != (new.symbol, new.timeframe):
            chart.set_market(new.symbol, new.timeframe.value, views.time_label(new.timeframe, self._zone))
            old = None
        chart.empty_text = "no trades yet" if new.loaded else "loading…" if new.symbol else "no instrument"
        grown = views.grown_bars(old.bars, new.bars) if old is not None else None
        if grown is None:
            chart.set_candles([views.candle(bar) for bar in new.bars])
        else:
            for bar in grown:
                chart.update_last(views.candle(bar))
