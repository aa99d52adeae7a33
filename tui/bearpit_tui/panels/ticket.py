"""The order ticket: an order being written, and what it would do now."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Container, Iterator
from dataclasses import dataclass

from bearpit_tui.commands import CommandError, parse_cents, parse_quantity
from bearpit_tui.drafts import Draft, Kind, Life, Side, cents_text
from bearpit_tui.mechanisms import RESTING
from bearpit_tui.model import Preview
from bearpit_tui.panels.choice import Choice
from bearpit_tui.widgets.money import money
from textual import events, work
from textual.app import ComposeResult
from textual.containers import Grid, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Label, Static

SIDES = (Side.BUY, Side.SELL)
SIDE_LABELS = ("▲ BUY", "▼ SELL")
LIFE_LABELS = {
    Life.DEFAULT: "until cancelled",
    Life.DAY: "today",
    Life.IOC: "now or cancel",
    Life.FOK: "all or nothing",
}

SETTLE_SECONDS = 0.2
"""The fields stand still for so long before a preview is asked for."""

AGAIN_SECONDS = 1.0
"""How soon a preview is asked for again when the market moves under it."""

AskPreview = Callable[[Draft], Awaitable[Preview | str]]
"""What an order would do, or why that cannot be told."""

QuitKeys = Callable[[], Container[str]]
"""The keys that leave the game, as they are now."""

DIGITS = r"[0-9.,'$kKmM]*"


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order for an instrument can be, and who takes its other side, if that is not players."""

    kinds: tuple[Kind, ...] = tuple(Kind)
    lives: tuple[Life, ...] = RESTING
    buying: str = ""
    selling: str = ""


class NumberField(Input):
    """Digits. The keys that quit do so from here too, unless they are part of a number."""

    def __init__(
        self, quit_keys: QuitKeys, *, id: str, placeholder: str = "", disabled: bool = False
    ) -> None:
        super().__init__(
            id=id, compact=True, restrict=DIGITS, max_length=16, placeholder=placeholder, disabled=disabled
        )
        self._quit_keys = quit_keys

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return super().check_consume_key(key, character) and not self._quits(key, character)

    def on_key(self, event: events.Key) -> None:
        if self._quits(event.key, event.character):
            # Else the input takes it, and drops what is no digit.
            event.prevent_default()

    def _quits(self, key: str, character: str | None) -> bool:
        return key in self._quit_keys() and not re.fullmatch(DIGITS, character or "")


class Ticket(VerticalScroll, can_focus=False):
    """Fields above, the preview below. It sends nothing: it asks its screen to, on enter."""

    DEFAULT_CSS = """
    Ticket {
        height: auto;
        & > #fields {
            layout: grid; grid-size: 2; grid-columns: 8 1fr; grid-rows: 1; height: auto;
        }
        & Label { color: $foreground 60%; }
        & Input { width: 1fr; background: $surface; }
        & Input:focus { background: $primary 40%; }
        & Input:focus:ansi { background: $block-cursor-background; color: $block-cursor-foreground; }
        & .unused { color: $foreground 40%; }
        & > #with { height: auto; color: $foreground 60%; display: none; }
        & > #preview { height: auto; margin-top: 1; }
    }
    """

    class Sent(Message):
        """Enter was pressed on an order that can be sent."""

        def __init__(self, draft: Draft) -> None:
            self.draft = draft
            super().__init__()

    def __init__(self, preview: AskPreview, quit_keys: QuitKeys, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.symbol = ""
        self.busy = False
        self.terms = Terms()
        self._ask = preview
        self._quit_keys = quit_keys
        self._settling: Timer | None = None
        self._asked_at = 0.0

    def compose(self) -> ComposeResult:
        with Grid(id="fields"):
            yield Label("Side")
            yield Choice(SIDE_LABELS, id="side")
            yield Label("Type")
            yield Choice([kind.value for kind in Kind], id="kind")
            yield Label("Shares")
            yield NumberField(self._quit_keys, id="quantity")
            yield Label("Price")
            yield NumberField(self._quit_keys, id="price")
            yield Label("Stop")
            yield NumberField(self._quit_keys, id="stop", placeholder="–", disabled=True)
            yield Label("Lasts")
            yield Choice([LIFE_LABELS[life] for life in RESTING], id="life")
        yield Static("", id="with", markup=False)
        yield Static("", id="preview", markup=False)

    @property
    def pristine(self) -> bool:
        """Whether nothing has been written, so that it may follow the chosen instrument."""
        return not self.query_one("#quantity", Input).value and not self.busy

    def follow(self, symbol: str) -> None:
        """Be for another instrument, unless an order is being written."""
        if self.pristine and symbol != self.symbol:
            self._take_symbol(symbol)
            self.query_one("#price", Input).value = ""

    def trade_with(self, terms: Terms) -> None:
        """Offer the orders that make sense, and say who is on the other side."""
        if terms == self.terms:
            return
        before, self.terms = self.terms, terms
        if before.kinds != terms.kinds:
            self.query_one("#kind", Choice).offer([kind.value for kind in terms.kinds])
        if before.lives != terms.lives:
            self.query_one("#life", Choice).offer([LIFE_LABELS[life] for life in terms.lives])
        self._say_with()

    def _say_with(self) -> None:
        side = SIDES[self.query_one("#side", Choice).index]
        words = self.terms.buying if side is Side.BUY else self.terms.selling
        line = self.query_one("#with", Static)
        line.display = bool(words)
        line.update(Content(f"With    {words}"))

    @property
    def kind(self) -> Kind:
        """How its price is meant."""
        return self.terms.kinds[self.query_one("#kind", Choice).index]

    def prefill(self, side: Side, symbol: str, quantity: int, price_cents: int) -> None:
        """Begin an order, and put the cursor where it is most likely changed. Nothing is sent."""
        self._take_symbol(symbol)
        self.query_one("#side", Choice).index = SIDES.index(side)
        self.query_one("#kind", Choice).index = self.terms.kinds.index(Kind.LIMIT)
        self.query_one("#life", Choice).index = 0
        self.query_one("#quantity", Input).value = str(quantity) if quantity else ""
        self.query_one("#price", Input).value = cents_text(price_cents) if price_cents else ""
        self.query_one("#stop", Input).value = ""
        self._use_fields()
        self._say_with()
        self.query_one("#quantity", Input).focus()
        self._changed()

    def clear(self) -> None:
        """Be empty, for the next order."""
        for field in self.query(Input):
            field.value = ""
        self._changed()

    def draft(self) -> Draft:
        """The order as it stands. Raises CommandError, whose text tells what is missing."""
        kind = self.kind
        quantity = self.query_one("#quantity", Input).value
        price = self.query_one("#price", Input).value if kind in (Kind.LIMIT, Kind.STOP_LIMIT) else ""
        stop = self.query_one("#stop", Input).value if kind in (Kind.STOP, Kind.STOP_LIMIT) else ""
        if not self.symbol:
            raise CommandError("Choose an instrument first: 1 goes to the watch list")
        if not quantity.strip():
            raise CommandError("Type how many shares")
        if kind in (Kind.LIMIT, Kind.STOP_LIMIT) and not price.strip():
            raise CommandError("Type a price, or choose type market")
        if kind in (Kind.STOP, Kind.STOP_LIMIT) and not stop.strip():
            raise CommandError("Type the stop price, which must trade first")
        return Draft(
            side=SIDES[self.query_one("#side", Choice).index],
            quantity=parse_quantity(quantity),
            symbol=self.symbol,
            kind=kind,
            price_cents=parse_cents(price) if price else 0,
            stop_cents=parse_cents(stop) if stop else 0,
            life=self.terms.lives[self.query_one("#life", Choice).index],
        )

    def show_preview(self, draft: Draft, preview: Preview) -> None:
        """Tell what the order would do."""
        lines = [Content.styled(f"✗ {words}", "$text-error") for words in preview.refusals]
        if not lines:
            lines = [_line(label, value) for label, value in preview_lines(draft, preview)]
            lines.append(Content.styled("enter sends · esc leaves", "$foreground 60%"))
        self.query_one("#preview", Static).update(Content("\n").join(lines))

    def show_words(self, words: str, *, bad: bool = False) -> None:
        """Say something where the preview stands."""
        text = (
            Content.styled(f"✗ {words}", "$text-error") if bad else Content.styled(words, "$foreground 60%")
        )
        self.query_one("#preview", Static).update(text)

    def market_moved(self) -> None:
        """Ask for the preview again, though not too often."""
        if asyncio.get_running_loop().time() - self._asked_at >= AGAIN_SECONDS and not self.pristine:
            self._changed()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._changed()

    def on_choice_changed(self, event: Choice.Changed) -> None:
        event.stop()
        self._use_fields()
        self._say_with()
        self._changed()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.send()

    def on_choice_submitted(self, event: Choice.Submitted) -> None:
        event.stop()
        self.send()

    def send(self) -> None:
        """Ask the screen to send what is written; once, however often enter is pressed."""
        if self.busy:
            return
        try:
            draft = self.draft()
        except CommandError as error:
            self.show_words(str(error), bad=True)
            return
        self.busy = True
        self._stop_asking()
        self.show_words("Sending…")
        self.post_message(self.Sent(draft))

    def answered(self, *, accepted: bool) -> None:
        """The order that was sent has been accepted, or was refused and is to be mended."""
        self.busy = False
        if accepted:
            self.clear()
        else:
            self._changed()

    def _take_symbol(self, symbol: str) -> None:
        self.symbol = symbol
        self.border_title = f"Ticket {symbol}" if symbol else "Ticket"

    def _use_fields(self) -> None:
        kind = self.kind
        price, stop = self.query_one("#price", Input), self.query_one("#stop", Input)
        price.disabled = kind in (Kind.MARKET, Kind.STOP)
        price.placeholder = "the best there is" if price.disabled else ""
        stop.disabled = kind in (Kind.LIMIT, Kind.MARKET)
        stop.placeholder = "–" if stop.disabled else ""

    # The preview: asked for when the fields have stood still for a moment, and again as the market moves.

    def _changed(self) -> None:
        if self.busy:
            return
        self._stop_asking()
        try:
            draft = self.draft()
        except CommandError as error:
            self.show_words("" if self.pristine else str(error))
            return
        self._settling = self.set_timer(SETTLE_SECONDS, lambda: self._preview(draft))

    def _stop_asking(self) -> None:
        if self._settling is not None:
            self._settling.stop()
            self._settling = None
        self.workers.cancel_group(self, "preview")

    @work(group="preview", exclusive=True)
    async def _preview(self, draft: Draft) -> None:
        self._asked_at = asyncio.get_running_loop().time()
        answer = await self._ask(draft)
        if isinstance(answer, Preview):
            self.show_preview(draft, answer)
        else:
            self.show_words(answer, bad=True)


def preview_lines(draft: Draft, preview: Preview) -> Iterator[tuple[str, str]]:
    """The preview as labels and values."""
    if preview.filled_quantity:
        average, rest = divmod(preview.average_price_e4, 100)
        price = f"{money(average)}{rest:02d}" if rest else money(average)
        yield "Now", f"{preview.filled_quantity:,} at {price}"
        yield "Worth", money(preview.filled_value_cents)
    elif draft.kind in (Kind.STOP, Kind.STOP_LIMIT):
        yield "Waits", f"for {money(draft.stop_cents)} to trade"
    else:
        yield "Now", "nothing trades"
    if preview.resting_quantity:
        yield (
            "Rests",
            f"{preview.resting_quantity:,} at {money(draft.price_cents)}"
            if draft.price_cents
            else (f"{preview.resting_quantity:,}"),
        )
    if draft.kind is Kind.MARKET and preview.worst_price_cents:
        yield "At worst", money(preview.worst_price_cents)
    yield "Fee", money(preview.fee_cents)
    yield "Cash", f"{money(preview.free_cash_after_cents)} free after"
    if draft.side is Side.SELL:
        yield "Shares", f"{preview.free_shares_after:,} free after"


def _line(label: str, value: str) -> Content:
    return Content.styled(label.ljust(8), "$foreground 60%") + Content(value)
