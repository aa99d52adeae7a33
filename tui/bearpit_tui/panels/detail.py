"""The pane of the chosen instrument: a ladder where players make the price, else what makes it."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Self

from bearpit_tui import views
from bearpit_tui.details import DETAILS
from bearpit_tui.details.scene import Scene
from bearpit_tui.mechanisms import BOOK, mechanism_of
from bearpit_tui.state import State
from bearpit_tui.widgets.facts import Facts
from bearpit_tui.widgets.ladder import DepthLadder
from bearpit_tui.widgets.painted import Painted
from textual.app import ComposeResult
from textual.containers import Container


class DetailPane(Container):
    """One of its two contents at a time; what focuses the pane focuses that."""

    DEFAULT_CSS = """
    DetailPane > * { height: 1fr; }
    """

    def __init__(self, zone: tzinfo, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._zone = zone
        self._shown: State | None = None
        self._mechanism = BOOK

    def compose(self) -> ComposeResult:
        yield DepthLadder()
        facts = Facts()
        facts.display = False
        yield facts

    @property
    def ladder(self) -> DepthLadder:
        return self.query_one(DepthLadder)

    @property
    def facts(self) -> Facts:
        return self.query_one(Facts)

    @property
    def content(self) -> Painted:
        """The one that is shown."""
        return self.facts if self._mechanism in DETAILS else self.ladder

    def focus(self, scroll_visible: bool = True) -> Self:
        self.content.focus(scroll_visible)
        return self

    def show(self, state: State, now: datetime) -> None:
        """Bring it up to a state; it is touched only where the state differs."""
        before, self._shown = self._shown, state
        instrument = state.instruments.get(state.selected)
        mechanism = instrument.mechanism if instrument is not None else BOOK
        if mechanism != self._mechanism:
            self._change(mechanism)
            before = None
        self.content.stale = not state.live
        if mechanism not in DETAILS:
            self._show_book(before, state)
        elif before is None or _differs(before, state):
            self.tick(now)

    def tick(self, now: datetime) -> None:
        """Time has passed: countdowns and ages go on."""
        state = self._shown
        if state is not None and (lines := DETAILS.get(self._mechanism)) is not None:
            scene = Scene(state, now + state.ahead, self._zone)
            self.facts.show(state.selected, lambda width: lines(scene, width))

    def _change(self, mechanism: str) -> None:
        focused = self.content.has_focus
        self._mechanism = mechanism
        self.ladder.display = self.content is self.ladder
        self.facts.display = self.content is self.facts
        self.border_title = f"3 {mechanism_of(mechanism).word.capitalize()}"
        if focused:
            self.content.focus()

    def _show_book(self, before: State | None, state: State) -> None:
        quote = state.quotes.get(state.selected)
        if before is None or (
            before.book is not state.book
            or before.orders is not state.orders
            or before.quotes.get(state.selected) is not quote
        ):
            bids, asks, own = views.ladder(state)
            instrument = state.instruments.get(state.selected)
            last = state.book.last_cents or (quote.last_cents if quote is not None else 0)
            self.ladder.set_book(bids, asks, last, instrument.tick_cents if instrument else 1, own)


def _differs(before: State, state: State) -> bool:
    return (
        before.selected != state.selected
        or before.quotes is not state.quotes
        or before.instruments is not state.instruments
        or before.windows is not state.windows
        or before.tape is not state.tape
        or before.status is not state.status
        or before.ahead != state.ahead
    )
