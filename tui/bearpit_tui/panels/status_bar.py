"""The top line: what is chosen, what we are worth, how the market and the connection do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from bearpit_tui.details.window import COUNTED_DOWN
from bearpit_tui.mechanisms import WINDOW, mechanism_of
from bearpit_tui.model import LinkState, Phase
from bearpit_tui.moments import when
from bearpit_tui.state import State, equity_cents, gain_cents, mark_cents
from bearpit_tui.widgets.money import arrow, compact, fit_money, money, percent, signed_money
from bearpit_tui.widgets.painted import Painted, Piece, tones
from bearpit_tui.windows import WindowState
from rich.cells import cell_len
from textual.strip import Strip

Part = tuple[int, list[Piece]]
"""How much a part matters, 0 most, and its pieces. What does not fit is left out whole."""

CHANGE_WORDS = {
    Phase.OPEN: "opens",
    Phase.PRE_OPEN: "pre-open",
    Phase.CLOSED: "closes",
    Phase.HALTED: "halts",
}

ROOMY = 100
"""From here on there is room for the word beside the latency."""

GAP = 2
"""Cells between two parts."""

PHASE_MARKS = {Phase.OPEN: "▶", Phase.PRE_OPEN: "◔", Phase.CLOSED: "■", Phase.HALTED: "‖"}


class StatusBar(Painted, can_focus=False):
    """One line, given a state and the time."""

    COMPONENT_CLASSES = tones("down", "muted", "own", "strong", "tag", "up", "warn")
    DEFAULT_CSS = """
    StatusBar { height: 1; background: $panel; overflow: hidden; padding: 0 1; }
    """

    def __init__(self, zone: tzinfo, place: str = "", *, id: str | None = None) -> None:
        """`place` is the page it stands on, which it names in the instrument's place."""
        super().__init__(id=id)
        self._place = place
        self._zone = zone
        self._left: list[Part] = []
        self._right: list[Part] = []
        self._last: tuple[State, datetime, bool] | None = None

    def show(self, state: State, now: datetime, *, frozen: bool) -> None:
        """Show these; nothing is repainted if nothing changed."""
        self._last = (state, now, frozen)
        left, right = self._about_market(state), self._about_link(state, now, frozen)
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.refresh()

    def _about_market(self, state: State) -> list[Part]:
        parts: list[Part] = []
        instrument = state.instruments.get(state.selected)
        quote = state.quotes.get(state.selected)
        if self._place:
            parts.append((0, [(self._place, ("strong",))]))
        elif instrument is not None and quote is not None:
            side = "muted" if not state.live else "up" if quote.change_bps > 0 else "down"
            tone = side if quote.change_bps else "muted"
            parts += [
                (1, [(instrument.symbol, ("strong",))]),
                (8, [(instrument.name, ())]),
                (7, [(mechanism_of(instrument.mechanism).word, ("muted",))]),
            ]
            if mark := mark_cents(state, state.selected):
                change = f" {arrow(quote.change_bps)}{percent(quote.change_bps)}" if quote.change_bps else ""
                parts.append((2, [(money(mark) + change, (tone, "strong"))]))
            if quote.phase is Phase.HALTED:
                parts.append((2, [("‖ HALTED", ("warn", "strong"))]))
            if quote.indicative_cents and quote.phase in (Phase.HALTED, Phase.PRE_OPEN):
                auction = money(quote.indicative_cents)
                parts.append((3, [("Auction ", ("muted",)), (auction, ("warn",))]))
        if state.wallet.debt_cents > 0:
            parts.append((2, [("Debt ", ("muted",)), (money(state.wallet.debt_cents), ("warn", "strong"))]))
        if state.wallet.loaded:
            gain = gain_cents(state)
            tone = "up" if gain > 0 else "down" if gain < 0 else "muted"
            parts += [
                (4, [("Equity ", ("muted",)), (money(equity_cents(state)), ("strong",))]),
                (6, [("P&L ", ("muted",)), (signed_money(gain), (tone,))]),
                (5, [("Cash ", ("muted",)), (fit_money(state.wallet.free_cents, 14), ())]),
            ]
        if state.me.seen_by:
            eyes = f" {state.me.name}, seen by {state.me.seen_by} "
            parts.insert(0, (0, [(eyes, ("tag", "strong"))]))
        elif state.player:
            parts.append((9, [(state.player, ("muted",))]))
        return parts

    def _about_link(self, state: State, now: datetime, frozen: bool) -> list[Part]:
        parts: list[Part] = []
        phase = state.status.phase
        window = self._window(state, now + state.ahead)
        if window:
            parts.append((3, window))
        elif phase is not Phase.UNKNOWN:
            tone = "up" if phase is Phase.OPEN else "warn"
            parts.append((3, [(f"{PHASE_MARKS[phase]} {phase.value}", (tone,))]))
            if change := self._next_change(state, now + state.ahead):
                parts.append((7, [(change, ("muted",))]))
        if state.inbox.unread:
            parts.append((3, [(f"{compact(state.inbox.unread)} new", ("own",))]))
        latency = state.link.latency_ms
        if frozen:
            parts.append((0, [(" FROZEN ", ("tag", "strong"))]))
        elif state.live:
            distance = f"{max(round(latency), 1)}ms" if latency is not None else ""
            if distance and self.size.width < ROOMY:
                parts.append((0, [(f"● {distance}", ("up",))]))
            else:
                parts.append((0, [(f"● LIVE {distance}".rstrip(), ("up",))]))
        elif state.link.state is LinkState.LOST:
            parts.append((0, [("○ LOST", ("down", "strong"))]))
        else:
            parts.append((0, [("◌ connecting", ("warn",))]))
        parts.append((2, [(now.astimezone(self._zone).strftime("%H:%M:%S"), ())]))
        return parts

    def _next_change(self, state: State, now: datetime) -> str:
        at = state.status.next_change_at
        if at is None or state.status.next_phase is Phase.UNKNOWN:
            return ""
        return f"{CHANGE_WORDS[state.status.next_phase]} {when(at, now, self._zone)}"

    def _window(self, state: State, now: datetime) -> list[Piece]:
        """Of an instrument that windows price, in place of the market's phase."""
        instrument = state.instruments.get(state.selected)
        if self._place or instrument is None or instrument.mechanism != WINDOW:
            return []
        mark = mechanism_of(WINDOW).mark
        window = state.windows.of(state.selected)
        if window is None:
            return [(f"{mark} no window", ("warn",))]
        tone = "up" if window.state is WindowState.TRADING else "warn"
        left = ""
        if window.next_change_at is not None:
            left = f" {when(window.next_change_at, now, self._zone, COUNTED_DOWN).removeprefix('in ')}"
        return [(f"{mark} {window.state.value}", (tone,)), (left, ("strong",))]

    def on_resize(self) -> None:
        # What it says depends on its width.
        if self._last is not None:
            state, now, frozen = self._last
            self.show(state, now, frozen=frozen)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        left, right = fit(self._left, self._right, width)
        pieces = _spaced(left)
        tail = _spaced(right)
        gap = width - _width(pieces) - _width(tail)
        return self.strip([*pieces, (" " * max(gap, 0), ()), *tail], width)


def fit(left: Sequence[Part], right: Sequence[Part], width: int) -> tuple[list[Part], list[Part]]:
    """The parts there is room for: the least important ones go first."""
    kept_left, kept_right = list(left), list(right)
    used = sum(_width(pieces) + GAP for _, pieces in (*left, *right)) - GAP
    while used > width and len(kept_left) + len(kept_right) > 1:
        worst = max((*kept_left, *kept_right), key=lambda part: part[0])
        (kept_left if worst in kept_left else kept_right).remove(worst)
        used -= _width(worst[1]) + GAP
    return kept_left, kept_right


def _spaced(parts: Sequence[Part]) -> list[Piece]:
    pieces: list[Piece] = []
    for _, part in parts:
        pieces += [(" " * GAP, ()), *part] if pieces else part
    return pieces


def _width(pieces: Sequence[Piece]) -> int:
    return sum(cell_len(text) for text, _ in pieces)
