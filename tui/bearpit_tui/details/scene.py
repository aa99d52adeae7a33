"""What a detail is made from, and what they have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo

from bearpit_tui.mechanisms import Mechanism, mechanism_of
from bearpit_tui.model import Instrument, Quote
from bearpit_tui.state import State
from bearpit_tui.widgets.facts import Line, wrapped
from bearpit_tui.widgets.money import arrow, compact, fit_money, percent
from bearpit_tui.widgets.painted import Piece

LABEL = 8
"""Cells of the labels before values."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The market at a time, of which one instrument is chosen. `now` is by the server's clock."""

    state: State
    now: datetime
    zone: tzinfo

    @property
    def instrument(self) -> Instrument:
        """The chosen one."""
        return self.state.instruments.get(self.state.selected) or Instrument(self.state.selected)

    @property
    def quote(self) -> Quote:
        """Its latest."""
        return self.state.quotes.get(self.state.selected) or Quote(self.state.selected)

    @property
    def mechanism(self) -> Mechanism:
        """How its price forms."""
        return mechanism_of(self.instrument.mechanism)


def heading(scene: Scene) -> Line:
    """The mechanism and the group, in a line."""
    group: Line = [(f" · {scene.instrument.group}", ("muted",))] if scene.instrument.group else []
    return [(f"{scene.mechanism.mark} {scene.mechanism.word.capitalize()}", ("strong",)), *group]


def labelled(label: str, *pieces: Piece) -> Line:
    """A value behind its label."""
    return [(label.ljust(LABEL), ("muted",)), *pieces]


def moved(bps: int) -> Piece:
    """A change with its arrow: `▲ 1.20%`."""
    tone = "up" if bps > 0 else "down" if bps < 0 else "muted"
    return f"{arrow(bps)} {percent(bps)}", (tone,)


def about(scene: Scene, width: int) -> Iterator[Line]:
    """What the mechanism is."""
    yield from wrapped(scene.mechanism.says, width, "muted")


def tape(scene: Scene) -> Iterator[Line]:
    """The latest trades, newest first; those that a rollback took back are struck, and say so."""
    if not scene.state.tape:
        return
    yield []
    yield [("Latest trades", ("strong",))]
    for tick in scene.state.tape:
        struck = ("muted", "struck") if tick.reversed else ()
        at = f"{tick.executed_at.astimezone(scene.zone):%H:%M:%S}"
        yield [
            (at, ("muted",)),
            (" ", ()),
            (f"{fit_money(tick.price_cents, 10):>10} {compact(tick.quantity):>6}", struck),
            (" reversed" if tick.reversed else "", ("warn",)),
        ]
