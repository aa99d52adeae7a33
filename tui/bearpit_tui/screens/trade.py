"""The trade screen: what its keys and its command line do to orders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import ClassVar

from bearpit.client import BearpitError
from bearpit_tui.actions import BOOK, ORDERS, TICKET
from bearpit_tui.commands import (
    Amend,
    Cancel,
    CancelAll,
    Command,
    CommandError,
    Context,
    Do,
    Explain,
    Place,
    Select,
    parse,
)
from bearpit_tui.desk import Desk
from bearpit_tui.drafts import Draft, Side
from bearpit_tui.failures import error_words
from bearpit_tui.model import LinkState, Preview
from bearpit_tui.notices import Notice, Tone
from bearpit_tui.palette import Entry
from bearpit_tui.panels.board import Board
from bearpit_tui.panels.command_line import CommandInput, CommandLine, CompletionList
from bearpit_tui.panels.headlines import Headlines
from bearpit_tui.panels.key_bar import KeyBar
from bearpit_tui.panels.message_line import MessageLine
from bearpit_tui.panels.ticket import Ticket
from bearpit_tui.prefill import likely_price, likely_quantity
from bearpit_tui.screens.ask import AskScreen
from bearpit_tui.screens.live import Seat, bindings
from bearpit_tui.screens.market import MarketScreen
from bearpit_tui.screens.reading import ReadingScreen, help_text
from bearpit_tui.screens.windows import results_text, windows_text
from bearpit_tui.state import free_shares, mark_cents, open_orders
from bearpit_tui.views import terms
from bearpit_tui.widgets.ladder import DepthLadder
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType


class TradeScreen(MarketScreen):
    """The market on one screen. The feed brings it, and its gateway takes orders."""

    BINDINGS: ClassVar[list[BindingType]] = bindings("")
    DEFAULT_CSS = """
    TradeScreen { layers: base above; overflow: hidden; }
    """

    def __init__(
        self, seat: Seat, *, hint: bool = False, on_hint_seen: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(seat, hint=hint, on_hint_seen=on_hint_seen)
        self._quantities: dict[str, int] = {}
        self.desk = Desk(self.feed, self.say)

    def compose(self) -> ComposeResult:
        yield Headlines(self.keys, self.zone, id="headlines")
        yield Board(self.zone, self._preview, lambda: self.keys.keys["quit"], id="board")
        yield CommandLine(self.known, id="line")
        yield KeyBar(self.keys, offers=self.offers, id="keys")
        yield MessageLine(id="message")
        yield CompletionList(id="completions")

    # The ticket ---------------------------------------------------------------------------------------

    def action_buy(self) -> None:
        self.write(Side.BUY)

    def action_sell(self) -> None:
        self.write(Side.SELL)

    def write(self, side: Side, price_cents: int = 0) -> None:
        """Open the ticket with what is most likely meant. Nothing is sent."""
        symbol = self.state.selected
        if not symbol:
            waiting = "Wait for the operators to list one." if self.state.live else "Not connected yet."
            self.say(Notice(f"There is no instrument to trade. {waiting}", Tone.WARNING))
            return
        cursor = self.board.ladder.cursor if self.board.pane_of(self.focused) == BOOK else None
        price = price_cents or (cursor[1] if cursor else 0) or likely_price(self.state, side, symbol)
        quantity = likely_quantity(self.state, side, symbol, self._quantities.get(symbol, 0))
        self.say(None)
        self.board.bring(TICKET)
        self.ticket.trade_with(terms(self.state, symbol))
        self.ticket.prefill(side, symbol, quantity, price)

    @on(DepthLadder.PriceSelected)
    def _on_price(self, event: DepthLadder.PriceSelected) -> None:
        self.write(Side.BUY if event.side == "ask" else Side.SELL, event.price_cents)

    async def _preview(self, draft: Draft) -> Preview | str:
        if self.feed.state.link.state is LinkState.LOST:
            return "No connection: there is no preview, and sending has to wait."
        try:
            return await self.feed.gateway.preview(draft)
        except BearpitError as error:
            return error_words(error)

    @on(Ticket.Sent)
    @work(group="orders")
    async def _send_ticket(self, event: Ticket.Sent) -> None:
        accepted = await self._place(event.draft)
        self.ticket.answered(accepted=accepted)
        if accepted:
            self._quantities[event.draft.symbol] = event.draft.quantity
            if self.board.pane_of(self.focused) == TICKET:
                self._leave_ticket()

    async def _place(self, draft: Draft) -> bool:
        """Place an order, and have the orders' cursor on it: it is the likeliest to be cancelled next."""
        order_id = await self.desk.place(draft)
        if order_id is None:
            return False
        self.show_state(self.feed.state)
        self.board.orders.move_to(str(order_id))
        return True

    def _leave_ticket(self) -> None:
        self.board.leave(TICKET)
        self.board.bring(self._back_to)
        self.board.pane(self._back_to).focus()

    # Cancelling ---------------------------------------------------------------------------------------

    @work(group="orders")
    async def _do_at_desk(self, doing: Awaitable[object]) -> None:
        await doing

    def action_cancel(self) -> None:
        if ORDERS not in self.board.visible_panes:
            self.go(ORDERS)
            self.say(Notice(f"Choose an order, then {self.keys.shown('cancel')} cancels it"))
            return
        order = self._chosen_order()
        if order and not self.state.orders[order].open:
            self.say(Notice(f"#{order} has ended already; there is nothing to cancel", Tone.WARNING))
        elif order:
            self._do_at_desk(self.desk.cancel(order))
        else:
            self.say(Notice("You have no order to cancel", Tone.WARNING))

    def action_explain(self) -> None:
        order = self._chosen_order()
        if order:
            self._do_at_desk(self.desk.explain(order))
        else:
            self.say(Notice("You have no order to ask about", Tone.WARNING))

    def _chosen_order(self) -> int:
        key = self.board.orders.key
        return int(key) if key is not None else 0

    def action_cancel_all(self) -> None:
        count = len(open_orders(self.state))
        if not count:
            self.say(Notice("You have no open order to cancel", Tone.WARNING))
            return
        orders, them = ("your open order", "it") if count == 1 else (f"all {count} open orders", "them")

        def answered(yes: bool | None) -> None:
            if yes:
                self._do_at_desk(self.desk.cancel_all(""))

        self.app.push_screen(AskScreen(f"Cancel {orders}?", f"cancel {them}", f"keep {them}"), answered)

    # The command line ---------------------------------------------------------------------------------

    def known(self) -> Context:
        """What the command line may take for granted."""
        return Context(
            selected=self.state.selected,
            names={symbol: one.name for symbol, one in self.state.instruments.items()},
            marks={symbol: mark_cents(self.state, symbol) for symbol in self.state.instruments},
            free_shares=free_shares(self.state),
            open_orders=tuple(order.order_id for order in open_orders(self.state)),
        )

    def action_find(self) -> None:
        self.line.clear()
        self.line.input.focus()

    @on(CommandInput.Completing)
    def _on_completing(self, event: CommandInput.Completing) -> None:
        message = self.query_one(MessageLine)
        above = message.outer_size.height if message.notice is not None else 0
        self.query_one(CompletionList).show(event.completions, event.chosen, above)

    @on(CommandLine.Entered)
    def _on_entered(self, event: CommandLine.Entered) -> None:
        if not event.line:
            self._leave_line()
            return
        try:
            command = parse(event.line, self.known())
        except CommandError as error:
            self.say(Notice(str(error), Tone.BAD))
            return
        self.say(None)
        # Not only once it is done: enter pressed twice must not do it twice.
        self.line.clear()
        self._do(command, event.line)

    def _do(self, command: Command, line: str) -> None:
        match command:
            case Place(draft):
                self._carry_out(self._place(draft), line)
            case Amend():
                self._carry_out(self.desk.amend(command), line)
            case Cancel(order_id):
                self._carry_out(self.desk.cancel(order_id), line)
            case CancelAll(symbol):
                self._carry_out(self.desk.cancel_all(symbol), line)
            case Explain(order_id):
                self._carry_out(self.desk.explain(order_id), line)
            case Select(symbol):
                self.select(symbol)
                self._leave_line()
            case Do(action):
                self._leave_line()
                self.do(action)

    @work(group="orders")
    async def _carry_out(self, doing: Awaitable[bool], line: str) -> None:
        """Do what a line says: the keys work again when it is done, and the line comes back when it is not.

        Who has begun another line meanwhile, or has left, is not disturbed; ↑ still brings it back.
        """
        done = await doing
        if not self.line.input.has_focus or self.line.input.value:
            return
        if done:
            self._leave_line()
        else:
            self.line.give_back(line)

    def _leave_line(self) -> None:
        self.board.pane(self._back_to).focus()

    # The rest -----------------------------------------------------------------------------------------

    def action_leave(self) -> None:
        """One step back: out of the line or the ticket, else the message goes, else the announcement."""
        if self.line.input.has_focus:
            self.line.clear()
            self._leave_line()
        elif self.board.pane_of(self.focused) == TICKET:
            self.ticket.clear()
            self._leave_ticket()
        elif self.query_one(MessageLine).notice is not None:
            self.say(None)
        elif self.query_one(Headlines).dismiss(self.state, self.now()):
            self._show_headlines()
        else:
            self.board.chart.action_clear_cross()

    def action_help(self) -> None:
        pane = self.board.pane_of(self.focused)
        name = pane.capitalize() if pane else "Bearpit"
        self.app.push_screen(ReadingScreen(f"Help: {name}", help_text(self.keys, pane)))

    def action_results(self) -> None:
        text = results_text(self.feed.state.windows, self.app.size.width)
        self.app.push_screen(ReadingScreen("Window results", text, wide=True))

    def action_windows(self) -> None:
        now = self.now() + self.feed.state.ahead
        self.app.push_screen(ReadingScreen("Windows", windows_text(self.feed.state.windows, now, self.zone)))

    def found(self) -> Iterator[Entry]:
        """Every instrument, in the palette."""
        for symbol, instrument in self.state.instruments.items():
            yield f"{symbol}  {instrument.name}", "Show it.", partial(self.select, symbol)

    def action_quit(self) -> None:
        self.app.exit()
