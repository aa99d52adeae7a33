"""A trading window: where it is, what comes next and when, and what the last one did to the price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from bearpit_tui.details.scene import Scene, about, heading, labelled, moved, tape
from bearpit_tui.moments import when
from bearpit_tui.state import mark_cents
from bearpit_tui.widgets.facts import Line, wrapped
from bearpit_tui.widgets.money import money
from bearpit_tui.windows import Settled, Window, WindowState

COUNTED_DOWN = timedelta(hours=20)
OTHERS = 8
"""So many other movers are told of at once; the results have all."""

NEXT_WORDS = {
    WindowState.SCHEDULED: "it is scheduled",
    WindowState.OPEN: "it is announced, and its prices stand",
    WindowState.TRADING: "orders are taken",
    WindowState.PAUSED: "orders are no longer taken",
    WindowState.TRADE_CLOSE: "trading ends, then prices are settled",
    WindowState.SETTLING: "prices are settled",
    WindowState.SETTLED: "the new prices hold",
    WindowState.CLOSED: "it is over",
    WindowState.CANCELLED: "it is called off",
}


def lines(scene: Scene, width: int) -> tuple[Sequence[Line], int]:
    """The window's state and countdown, the price, what happens next, and the last result."""
    return [*_lines(scene, width)], 0


def _lines(scene: Scene, width: int) -> Iterator[Line]:
    window = scene.state.windows.of(scene.state.selected)
    if window is None:
        yield heading(scene)
        yield from wrapped("No window is planned: no orders are taken until there is one.", width, "warn")
    else:
        yield from wrapped(f"{scene.mechanism.mark} {window.name}", width, "strong")
        yield from _where(scene, window, width)
    yield []
    yield labelled("Price", (money(mark_cents(scene.state, scene.state.selected)), ("strong",)))
    yield from about(scene, width)
    yield from _result(scene, width)
    yield from tape(scene)


def _where(scene: Scene, window: Window, width: int) -> Iterator[Line]:
    trading = window.state is WindowState.TRADING
    state: Line = [
        (f"{'▶' if trading else '■'} {window.state.value.upper()}", ("up" if trading else "warn",))
    ]
    if window.next_change_at is not None:
        at = when(window.next_change_at, scene.now, scene.zone, COUNTED_DOWN)
        state += [("  ", ()), (at.removeprefix("in "), ("strong",))]
    yield state
    if bar := _passed(scene, window, width):
        yield bar
    yield from wrapped(what_next(window, scene), width)
    if window.reversed:
        yield from wrapped("Its trading was taken back by the operators (reversed).", width, "warn")


def what_next(window: Window, scene: Scene) -> str:
    """What happens next and when, in a sentence."""
    if window.state is WindowState.SETTLING:
        total = f" of {len(window.symbols)}" if window.symbols else ""
        return f"New prices are being found: {window.settled}{total} done."
    at = window.next_change_at
    if at is not None and window.next_state is not WindowState.UNKNOWN:
        there = when(at, scene.now, scene.zone, COUNTED_DOWN)
        there = there if there.startswith("in ") else f"at {there}"
        words = NEXT_WORDS.get(window.next_state, "it changes")
        return f"{there[0].upper()}{there[1:]} {words}."
    if window.state is not WindowState.TRADING and window.next_chance_at is not None:
        return f"Orders are taken again {when(window.next_chance_at, scene.now, scene.zone, COUNTED_DOWN)}."
    return "The operators say when it goes on." if window.state in NEXT_WORDS else ""


def _passed(scene: Scene, window: Window, width: int) -> Line:
    """How much of the present state has passed."""
    began, ends = window.changed_at, window.next_change_at
    if began is None or ends is None or ends <= began or window.state is WindowState.SCHEDULED:
        return []
    share = min(max((scene.now - began) / (ends - began), 0.0), 1.0)
    filled = int(share * width)
    return [("█" * filled, ("ma-slow",)), ("·" * (width - filled), ("faint",))]


def _result(scene: Scene, width: int) -> Iterator[Line]:
    last = scene.state.windows.latest_settled
    if last is None:
        return
    yield []
    yield from wrapped(f"Result of {last.name}", width, "strong")
    if last.reversed:
        yield from wrapped("reversed: taken back by the operators", width, "warn")
    own = scene.state.windows.result(scene.state.selected)
    if own is None:
        yield from wrapped(f"{scene.state.selected} was not in it.", width, "muted")
    else:
        yield [(f"{money(own.previous_cents)} → {money(own.price_cents)}  ", ()), moved(own.move_bps)]
        yield from wrapped(why(own), width)
    others = [
        one for one in scene.state.windows.movers() if one is not own and one.move_bps and not one.corrected
    ]
    others = sorted(others, key=lambda one: -abs(one.move_bps))[:OTHERS]
    if others:
        yield []
        yield [("Also moved", ("muted",))]
    symbols = max((len(one.symbol) for one in others), default=0)
    for one in others:
        yield [
            (f"{one.symbol:<{symbols}} ", ()),
            moved(one.move_bps),
            (f"  {money(one.previous_cents)} → {money(one.price_cents)}", ("muted",)),
        ]


def why(result: Settled) -> str:
    """Why a price moved, or stayed."""
    if not result.explanation:
        return "No reason was given."
    return f"Why {result.explanation}"
