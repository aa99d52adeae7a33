"""What a player looks at: the panes in step with the market, the chosen instrument, frozen quotes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bearpit_tui.actions import BOOK, CHART, ORDERS, POSITIONS, TICKET, WATCH
from bearpit_tui.drafts import cents_text
from bearpit_tui.panels.board import Board
from bearpit_tui.panels.command_line import CommandLine
from bearpit_tui.panels.headlines import Headlines
from bearpit_tui.panels.key_bar import KeyBar
from bearpit_tui.panels.ticket import Ticket
from bearpit_tui.screens.live import LiveScreen, Seat
from bearpit_tui.screens.reading import ReadingScreen, hint_text
from bearpit_tui.state import State, frozen_view, mark_cents
from bearpit_tui.widgets.listing import Listing
from bearpit_tui.widgets.money import money
from textual import events, on


class MarketScreen(LiveScreen):
    """The market on one screen, to be looked at."""

    def __init__(
        self, seat: Seat, *, hint: bool = False, on_hint_seen: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(seat)
        self.state = seat.feed.state
        """What is shown; the feed's own state may be ahead of it while frozen."""
        self.frozen: State | None = None
        self.frozen_at: datetime | None = None
        self._hint, self._on_hint_seen = hint, on_hint_seen
        self._back_to = WATCH
        self._example = ("", 0)

    def on_mount(self) -> None:
        self.board.make_room()
        self.show_state(self.state)
        self.board.watch_list.focus()
        self.set_interval(1.0, self.tick)

    # Showing ------------------------------------------------------------------------------------------

    @property
    def board(self) -> Board:
        return self.query_one(Board)

    @property
    def ticket(self) -> Ticket:
        return self.query_one(Ticket)

    @property
    def line(self) -> CommandLine:
        return self.query_one(CommandLine)

    def renew(self) -> None:
        self.board.forget()
        super().renew()

    def show_state(self, live: State) -> None:
        state = live
        if self.frozen is not None:
            state = self.frozen = frozen_view(self.frozen, live)
        before, self.state = self.state, state
        with self.app.batch_update():
            self.board.show(state, self.now(), frozen=self.frozen is not None)
            self._show_headlines()
            self._suggest()
            if before.me is not live.me:
                self.query_one(KeyBar).show(self.board.pane_of(self.focused))
        if self._hint and state.wallet.loaded:
            self._hint = False
            cash = money(state.wallet.free_cents)
            self.app.push_screen(
                ReadingScreen("Bearpit", hint_text(self.keys, state.player, cash)),
                lambda _: self._on_hint_seen(),
            )
        moved = before.book is not live.book or before.wallet is not live.wallet or before.live != live.live
        if moved and self.board.pane_of(self.focused) == TICKET:
            self.ticket.market_moved()

    def tick(self) -> None:
        """A second has passed: clocks, countdowns and ages go on, and nothing else is touched."""
        self._show_headlines()
        self.board.detail.tick(self.now())

    def _show_headlines(self) -> None:
        self.query_one(Headlines).show(self.state, self.now(), self.frozen_at)

    def _suggest(self) -> None:
        """Show an example of an order; its price need not follow every trade, which would be restless."""
        symbol = self.state.selected or "AAPL"
        mark = mark_cents(self.state, symbol) or 12_40
        shown, shown_mark = self._example
        if symbol == shown and abs(mark - shown_mark) * 100 <= mark:
            return
        self._example = (symbol, mark)
        self.line.suggest(
            f"buy 100 {symbol} @ {cents_text(mark)} · sell 50 mkt · cancel all · why 17 · {symbol}"
        )

    def on_resize(self, event: events.Resize) -> None:
        self.board.make_room()

    def on_descendant_focus(self) -> None:
        pane = self.board.pane_of(self.focused)
        if pane:
            if pane != TICKET:
                self._back_to = pane
            self.board.bring(pane)
        self.query_one(KeyBar).show(pane)

    # Choosing -----------------------------------------------------------------------------------------

    def select(self, symbol: str) -> None:
        """Show an instrument, and have the watch list's cursor on it."""
        self._follow(symbol)
        self.board.watch_list.move_to(symbol)

    def _follow(self, symbol: str) -> None:
        if symbol and symbol != self.feed.state.selected:
            self.feed.select(symbol)
            self.show_state(self.feed.state)

    @on(Listing.Highlighted, f"#{WATCH}")
    def _on_highlighted(self, event: Listing.Highlighted) -> None:
        # With a held arrow key the cursor is further on than its messages: only where it is now counts.
        if event.key == self.board.watch_list.key:
            self._follow(event.key)

    @on(Listing.Highlighted, f"#{POSITIONS}")
    def _on_position(self, event: Listing.Highlighted) -> None:
        self.select(event.key)

    @on(Listing.Selected, f"#{ORDERS}")
    def _on_order(self, event: Listing.Selected) -> None:
        order = self.state.orders.get(int(event.key))
        if order is not None:
            self.select(order.symbol)

    def action_focus_watch(self) -> None:
        self.go(WATCH)

    def action_focus_chart(self) -> None:
        self.go(CHART)

    def action_focus_book(self) -> None:
        self.go(BOOK)

    def action_focus_orders(self) -> None:
        self.go(ORDERS)

    def action_focus_positions(self) -> None:
        self.go(POSITIONS)

    def go(self, pane: str) -> None:
        """Bring a pane and focus it."""
        self.board.bring(pane)
        self.board.pane(pane).focus()

    def action_timeframe(self) -> None:
        self.feed.set_timeframe(self.feed.state.chart.timeframe.after())
        self.show_state(self.feed.state)

    def action_zoom_in(self) -> None:
        self.board.chart.action_zoom(1)

    def action_zoom_out(self) -> None:
        self.board.chart.action_zoom(-1)

    def action_freeze(self) -> None:
        if self.frozen is None:
            self.frozen = self.state
            self.frozen_at = self.now()
        else:
            self.frozen = self.frozen_at = None
        self.show_state(self.feed.state)
