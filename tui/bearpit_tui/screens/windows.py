"""Texts about trading windows: what the last one did to prices, and which there are."""

from __future__ import annotations

from datetime import datetime, tzinfo

from bearpit_tui.details.window import COUNTED_DOWN
from bearpit_tui.moments import when
from bearpit_tui.widgets.facts import wrapped
from bearpit_tui.widgets.money import arrow, money, percent
from bearpit_tui.windows import Settled, Windows, WindowState
from textual.content import Content

EDGES = 6
"""Cells of a reading screen's border and padding."""
MOST = 124
"""The width of a wide one, at most, edges included."""


def results_text(windows: Windows, screen_width: int) -> Content:
    """All prices of the latest settled window, from the best to the worst: before, after, move, reason."""
    window = windows.latest_settled
    if window is None:
        return Content("No window has been settled yet.")
    movers = windows.movers()
    held = [one for one in movers if not one.corrected]
    rose, fell = sum(one.move_bps > 0 for one in held), sum(one.move_bps < 0 for one in held)
    lines = [Content.styled(window.name, "bold")]
    if window.reversed:
        lines.append(Content.styled("reversed: its trading was taken back by the operators", "$text-warning"))
    lines.append(Content(f"{rose} rose, {fell} fell, {len(held) - rose - fell} stayed"))
    lines.append(Content(""))
    symbols = max(len(one.symbol) for one in movers)
    prices = max(len(money(max(one.previous_cents, one.price_cents))) for one in movers)
    room = min(screen_width * 96 // 100, MOST) - EDGES - 2
    longest = max(len(one.explanation) for one in movers)
    beside = symbols + 2 * prices + 18 + longest <= room
    for one in movers:
        lines += _result(one, symbols, prices, room, beside)
    return Content("\n").join(lines)


def _result(one: Settled, symbols: int, prices: int, room: int, beside: bool) -> list[Content]:
    struck = "$foreground 60% strike" if one.corrected else ""
    tone = "$text-up" if one.move_bps > 0 else "$text-down" if one.move_bps < 0 else "$foreground 60%"
    head = (
        Content.styled(f"{one.symbol:<{symbols}}  ", struck or "bold")
        + Content.styled(
            f"{money(one.previous_cents):>{prices}} → {money(one.price_cents):>{prices}}  ", struck
        )
        + Content.styled(f"{arrow(one.move_bps)} {percent(one.move_bps):>7}", struck or tone)
        + Content.styled("  corrected" if one.corrected else "", "$text-warning")
    )
    reason = "" if one.corrected else one.explanation or "no reason was given"
    if not reason:
        return [head]
    if beside:
        return [head + Content.styled(f"  {reason}", "$foreground 80%")]
    indent = symbols + 2
    below = ["".join(text for text, _ in line) for line in wrapped(reason, room, indent=indent)]
    return [head, *(Content.styled(line, "$foreground 80%") for line in below)]


def windows_text(windows: Windows, now: datetime, zone: tzinfo) -> Content:
    """The windows, newest first: state, and when it changes."""
    if not windows.windows:
        return Content("No trading windows are planned.")
    width = max(len(one.state.value) for one in windows.windows)
    lines: list[Content] = []
    for one in windows.windows:
        tone = "$text-success bold" if one.state is WindowState.TRADING else "$foreground 60%"
        next_state = one.next_state.value
        then = ""
        if one.next_change_at is not None and next_state:
            then = f"  → {next_state} {when(one.next_change_at, now, zone, COUNTED_DOWN)}"
        elif one.next_chance_at is not None and one.state is not WindowState.TRADING:
            then = f"  orders are taken again {when(one.next_chance_at, now, zone, COUNTED_DOWN)}"
        lines += [
            Content.styled(one.name, "bold")
            + Content.styled("  reversed" if one.reversed else "", "$text-warning"),
            Content.styled(f"  {one.state.value:<{width}}", tone) + Content(then),
        ]
    return Content("\n").join(lines)
