"""The wallet: what is ours, and everything that ever moved it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from functools import partial
from typing import ClassVar

from bearpit_tui.camp.codes import Redeemed
from bearpit_tui.camp.wallet import CASH, DEBT, Gift, Kind, Posting, Standing
from bearpit_tui.notices import Notice, Tone
from bearpit_tui.pages.page import Page
from bearpit_tui.pages.redeem import RedeemScreen, redeemed_words
from bearpit_tui.pages.transfer import TransferScreen
from bearpit_tui.screens.ask import AskScreen
from bearpit_tui.screens.live import Seat, bindings
from bearpit_tui.state import State, equity_cents, gain_cents, value_cents
from bearpit_tui.widgets.facts import Facts, Line
from bearpit_tui.widgets.listing import Listing
from bearpit_tui.widgets.money import MINUS, money, percent, signed_money
from bearpit_tui.widgets.panes import pane
from bearpit_tui.widgets.table import Cell, Column, LineTable
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.timer import Timer

AHEAD = 20
"""When the cursor is so near the end, the next page is asked for."""

RENEW_SECONDS = 0.5

LOOK_THROUGH = 10
"""As many pages are looked through in a row for postings of one kind."""


class HistoryTable(LineTable[Posting]):
    """Postings, newest first."""

    def __init__(self, zone: tzinfo, now: datetime, *, id: str | None = None) -> None:
        def time(one: Posting) -> Cell:
            at = one.at.astimezone(zone)
            today = at.date() == now.astimezone(zone).date()
            return at.strftime("%H:%M:%S" if today else "%d %b %H:%M"), ("muted",)

        columns: tuple[Column[Posting], ...] = (
            Column("When", 12, time),
            Column("What", 20, lambda one: (one.words, ()), grows=True),
            Column("Asset", 6, lambda one: (one.symbol or "cash", ("muted",))),
            Column("Amount", 12, _amount, right=True),
            Column("Balance after", 13, _balance, right=True),
            Column("Note", 28, lambda one: (one.note, ("muted",)), rank=1),
            Column("Belongs to", 16, lambda one: (one.reference.replace(":", " "), ("muted",)), rank=2),
        )
        super().__init__(columns, lambda one: f"{one.posting_id} {one.symbol}", id=id)

    def say_empty(self, words: str) -> None:
        """What stands there while there are no rows."""
        if words != self._empty_text:
            self._empty_text = words
            self.refresh()


def _amount(one: Posting) -> Cell:
    tone = "up" if one.amount > 0 else "down"
    if one.symbol:
        return f"{'+' if one.amount > 0 else MINUS}{abs(one.amount):,}", (tone,)
    return signed_money(one.amount), (tone,)


def _balance(one: Posting) -> Cell:
    return f"{one.balance_after:,}" if one.symbol else money(one.balance_after), ()


class WalletPage(Page):
    """Sums on the left, or above where it is narrow; the history beside them."""

    PLACE = "wallet"
    ABOUT = (
        "What you have and what you owe, and every posting that made it so, newest first. The balance is the "
        "one after each posting. More is loaded as you go down."
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings("wallet")
    DEFAULT_CSS = """
    WalletPage {
        & #sums { width: 36; height: 1fr; }
        & #history { width: 1fr; height: 1fr; }
        &.-narrow #both { layout: vertical; }
        &.-narrow #sums { width: 1fr; height: 6; }
    }
    """

    def __init__(self, seat: Seat) -> None:
        super().__init__(seat)
        self.standing = Standing()
        self.kind = Kind.ALL
        self.asset = ""
        self.rows: list[Posting] = []
        self._token = ""
        self._ended = False
        self._due: Timer | None = None
        self._loan_id = ""
        """Of a loan whose answer was lost: asked for again, it is not lent twice."""

    def body(self) -> ComposeResult:
        with Horizontal(id="both"):
            yield pane(Facts(id="sums"), "Yours")
            yield pane(HistoryTable(self.zone, self.now(), id="history"), "History")

    def on_mount(self) -> None:
        self.history.focus()
        self._entitle()

    @property
    def history(self) -> HistoryTable:
        return self.query_one(HistoryTable)

    def on_resize(self) -> None:
        self.set_class(self.app.size.width < 100, "-narrow")
        self._show_sums()

    # Sums ---------------------------------------------------------------------------------------------

    def follow(self, before: State | None, state: State) -> None:
        if before is None or before.wallet is not state.wallet or before.quotes is not state.quotes:
            self._show_sums()
        if before is not None and before.wallet is not state.wallet and self._due is None:
            # Who trades much has a new wallet many times a second.
            self._due = self.set_timer(RENEW_SECONDS, self.reload)

    def _show_sums(self) -> None:
        narrow = self.has_class("-narrow")
        self.query_one("#sums", Facts).show("", partial(_sums, self.state, self.standing, narrow, self.zone))

    # History ------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """The sums, and the first page again: what has been loaded below stays."""
        self._due = None
        purse = self.feed.gateway.purse
        self.standing = await purse.standing()
        self._show_sums()
        page = await purse.postings(self.asset)
        fresh = [one for one in page.rows if not self.rows or one.posting_id > self.rows[0].posting_id]
        if len(fresh) == len(page.rows):
            # Nothing known is on it: it is the first, or more has happened than a page holds.
            self.rows, self._token, self._ended = [], page.token, not page.token
        self.rows = [*fresh, *self.rows]
        await self._fill()

    async def more(self) -> None:
        """The next page."""
        if not self._ended:
            await self._next()
            await self._fill()

    async def _next(self) -> None:
        page = await self.feed.gateway.purse.postings(self.asset, self._token)
        self.rows += page.rows
        self._token, self._ended = page.token, not page.token

    async def _fill(self) -> None:
        """Show what is loaded; load on while nothing of it is of the chosen kind."""
        before = len(self.listed())
        for _ in range(LOOK_THROUGH):
            if self._ended or len(self.listed()) >= max(before, self.app.size.height):
                break
            await self._next()
        self._show_history()

    def listed(self) -> Sequence[Posting]:
        """What is loaded of the chosen kind."""
        return [one for one in self.rows if self.kind in (Kind.ALL, one.kind)]

    def _show_history(self) -> None:
        self.history.say_empty("nothing yet" if self.kind is Kind.ALL else f"no {self.kind.value} yet")
        self.history.set_rows(self.listed())
        self._entitle()

    def _entitle(self) -> None:
        what = {"": "", CASH: "cash", DEBT: "what you owe"}.get(self.asset, self.asset)
        parts = [part for part in (self.kind.value if self.kind is not Kind.ALL else "", what) if part]
        self.history.border_title = f"History: {', '.join(parts)}" if parts else "History"
        count = len(self.listed())
        self.history.border_subtitle = f"{count:,} postings" if self._ended else f"{count:,} and more below"

    @on(Listing.Highlighted, "#history")
    def _on_highlighted(self) -> None:
        loading = any(worker.group == "load" and not worker.is_finished for worker in self.workers)
        if not self._ended and not loading and self.history.cursor >= len(self.history.rows) - AHEAD:
            self._load_more()

    @work(group="load")
    async def _load_more(self) -> None:
        await self.asked(self.more)

    # Doing --------------------------------------------------------------------------------------------

    def action_transfer(self) -> None:
        def given(gift: Gift | None) -> None:
            if gift is not None:
                self.say(Notice(f"Gave {money(gift.amount_cents)} to {gift.to}", Tone.GOOD))
                self.reload()

        self.app.push_screen(TransferScreen(self.feed), given)

    def action_redeem(self) -> None:
        def redeemed(one: Redeemed | None) -> None:
            if one is not None:
                self.say(Notice(redeemed_words(one, self.zone), Tone.GOOD))
                self.reload()

        self.app.push_screen(RedeemScreen(self.feed), redeemed)

    def action_borrow(self) -> None:
        cents = self.standing.comeback_cents
        if not cents:
            words = "No loan is offered: it is for those who have next to nothing left"
            self.say(Notice(words, Tone.WARNING))
            return
        question = (
            f"Borrow {money(cents)} to begin again?\nThe house takes it back first from whatever comes in, "
            "and it counts against your rank."
        )
        self.app.push_screen(AskScreen(question, f"borrow {money(cents)}", "leave it"), self._borrow)

    def _borrow(self, yes: bool | None) -> None:
        if yes:
            self._take_loan()

    @work(group="borrow", exclusive=True)
    async def _take_loan(self) -> None:
        purse, request_id = self.feed.gateway.purse, self._loan_id or self.feed.gateway.new_request_id()
        self._loan_id = request_id
        loan = await self.asked(lambda: purse.borrow(request_id))
        if loan is not None:
            self._loan_id = ""
            left = f"; {loan.left} more such loans" if loan.left else "; it was the last"
            self.say(Notice(f"Borrowed {money(loan.amount_cents)}{left}", Tone.GOOD))
            self.reload()

    # Filtering ----------------------------------------------------------------------------------------

    def action_filter_kind(self) -> None:
        kinds = list(Kind)
        self.kind = kinds[(kinds.index(self.kind) + 1) % len(kinds)]
        self._fill_up()

    @work(group="load", exclusive=True)
    async def _fill_up(self) -> None:
        await self.asked(self._fill)

    def action_filter_asset(self) -> None:
        symbols = sorted(self.state.wallet.positions)
        assets = ["", CASH, *([DEBT] if self.state.wallet.debt_cents or self.standing.credit_cents else [])]
        assets += symbols
        self.asset = assets[(assets.index(self.asset) + 1) % len(assets)] if self.asset in assets else ""
        self.rows, self._token, self._ended = [], "", False
        self._entitle()
        self.reload()


def _sums(
    state: State, standing: Standing, narrow: bool, zone: tzinfo, width: int
) -> tuple[Sequence[Line], int]:
    """The sums as lines; where it is narrow, two beside each other."""
    wallet = state.wallet
    if not wallet.loaded:
        return [[("loading…", ("muted",))]], 0
    worth = sum(value_cents(state, position) for position in wallet.positions.values())
    gain = gain_cents(state)
    tone = "up" if gain > 0 else "down" if gain < 0 else "muted"
    sums: list[tuple[str, str, tuple[str, ...]]] = [
        ("Cash", money(wallet.cash_cents), ()),
        ("held by orders", money(wallet.held_cents), ("muted",)),
        ("free", money(wallet.free_cents), ("strong",)),
        ("Positions", money(worth), ()),
    ]
    if wallet.debt_cents or standing.credit_cents:
        sums.append(("Debt", money(-wallet.debt_cents), ("warn",) if wallet.debt_cents else ("muted",)))
    if standing.credit_cents:
        sums.append(("credit line", money(standing.credit_cents), ("muted",)))
    sums += [("Net worth", money(equity_cents(state)), ("strong",)), ("P&L", signed_money(gain), (tone,))]
    if standing.comeback_cents:
        sums.append(("Loan to begin again", money(standing.comeback_cents), ("own",)))
    if standing.fee_off_bps and standing.fee_off_until is not None:
        until = f"{standing.fee_off_until.astimezone(zone):%a %H:%M}"
        sums.append((f"Fees until {until}", f"{MINUS}{percent(standing.fee_off_bps)}", ("strong",)))
    room = (width - 3) // 2 if narrow else width
    lines = [_pair(*one, room) for one in sums]
    if not narrow:
        return lines, 0
    half = (len(lines) + 1) // 2
    beside = [*lines[half:], []]
    return [[*left, ("   ", ()), *right] for left, right in zip(lines[:half], beside, strict=False)], 0


def _pair(label: str, value: str, tones: tuple[str, ...], width: int) -> Line:
    dots = max(width - len(label) - len(value), 1)
    return [(label, ("muted",)), (" " * dots, ()), (value, tones)]
