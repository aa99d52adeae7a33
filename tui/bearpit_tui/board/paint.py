"""The board's texts: what is known, made large enough for the last row of the room."""

from __future__ import annotations

from datetime import datetime, tzinfo

from bearpit_tui.board.model import Board, Place, Wall
from bearpit_tui.details.window import COUNTED_DOWN
from bearpit_tui.model import LinkState, Phase, Priority, Quote
from bearpit_tui.moments import when
from bearpit_tui.widgets.money import arrow, compact, money, percent, signed_percent
from bearpit_tui.windows import UNDER_WAY
from textual.content import Content

DIM = "$foreground 60%"
PHASES = {
    Phase.OPEN: ("▶ OPEN", "$text-success bold"),
    Phase.PRE_OPEN: ("◆ OPENING AUCTION", "$text-warning bold"),
    Phase.HALTED: ("■ HALTED", "$text-error bold"),
    Phase.CLOSED: ("■ CLOSED", "$foreground bold"),
}


def header(wall: Wall, now: datetime, zone: tzinfo, width: int) -> Content:
    """The market's phase or the window that is on, and the clock."""
    left = Content.styled("BEARPIT", "bold") + Content("  ")
    if wall.link.state is LinkState.LOST:
        left += Content.styled("⚠ the server is away; these are the last prices", "$text-error bold")
    elif wall.status.phase in PHASES:
        words, tone = PHASES[wall.status.phase]
        left += Content.styled(words, tone)
        if wall.status.next_change_at is not None:
            left += Content.styled(f"  {when(wall.status.next_change_at, now, zone, COUNTED_DOWN)}", "bold")
    for window in [one for one in wall.windows.windows if one.state in UNDER_WAY][:1]:
        left += Content.styled(f"   {window.name}: {window.state.value}", "$text-accent bold")
        if window.next_change_at is not None:
            left += Content.styled(f" {when(window.next_change_at, now, zone, COUNTED_DOWN)}", "bold")
    clock = f"{now.astimezone(zone):%H:%M:%S}"
    room = width - len(clock) - 2
    return left.truncate(room, ellipsis=True, pad=True) + Content.styled(f"  {clock}", "bold")


def ranks(wall: Wall, width: int, height: int) -> Content:
    """The top of the board that is on, a blank line between places where there is room."""
    sheet = wall.sheet
    if not sheet.places:
        return Content.styled("Nobody is ranked yet.", DIM)
    apart = 2 if height >= 2 * min(len(sheet.places), 10) else 1
    shown = sheet.places[: max(height // apart, 1)]
    values = [_value(place) for place in shown]
    widest = max(map(len, values))
    room = max(width - widest - 14, 8)
    lines = []
    for place, value in zip(shown, values, strict=True):
        medal = "bold $text-warning" if place.rank == 1 else "bold" if place.rank <= 3 else ""
        name = place.name + (f"  {place.team}" if place.team else "")
        risen = f"{arrow(place.risen)}{abs(place.risen)}" if place.risen else ""
        tone = "$text-up" if place.risen > 0 else "$text-down"
        lines.append(
            Content.styled(f"{place.rank:>4}  ", medal or DIM)
            + Content.styled(name[:room].ljust(room), medal)
            + Content.styled(f"{value:>{widest}}", medal)
            + Content.styled(f"  {risen:<5}", tone)
        )
    return Content("\n" * apart).join(lines)


def _value(place: Place) -> str:
    if place.bps is not None:
        return signed_percent(place.bps)
    return money(place.cents or 0)


def ranks_title(wall: Wall) -> str:
    """Which board it is, and of how many."""
    what = "teams" if wall.sheet.board is Board.TEAM else "players"
    many = f"  ·  {wall.sheet.total:,} {what}" if wall.sheet.total else ""
    return f"{wall.sheet.board.value}{many}"


def movers(wall: Wall, width: int, height: int) -> Content:
    """The best and the worst since yesterday's close."""
    found = wall.movers
    if not found:
        return Content.styled("No price has moved yet.", DIM)
    half = max((height - 1) // 2, 1)
    best = [quote for quote in found if quote.change_bps > 0][:half]
    worst = [quote for quote in reversed(found) if quote.change_bps < 0][:half]
    prices = max(len(money(quote.price_cents)) for quote in (*best, *worst))
    changes = max(len(percent(quote.change_bps)) for quote in (*best, *worst))
    lines = [_mover(quote, width, prices, changes) for quote in best]
    if best and worst:
        lines.append(Content(""))
    lines += [_mover(quote, width, prices, changes) for quote in worst]
    return Content("\n").join(lines)


def _mover(quote: Quote, width: int, prices: int, changes: int) -> Content:
    tone = "$text-up bold" if quote.change_bps > 0 else "$text-down bold"
    room = max(width - prices - changes - 5, 3)
    return (
        Content.styled(f"{quote.symbol[:room]:<{room}}", "bold")
        + Content(f"{money(quote.price_cents):>{prices}}  ")
        + Content.styled(f"{arrow(quote.change_bps)} {percent(quote.change_bps):>{changes}}", tone)
    )


def tape(wall: Wall, width: int) -> Content:
    """The latest trades, the newest first, as many as fit."""
    line, used = Content(""), 0
    for one in wall.tape:
        text = f"{one.symbol} {compact(one.quantity)} @ {money(one.cents)}{arrow(one.direction).strip()}"
        if used + len(text) + 3 > width:
            break
        tone = "$text-up" if one.direction > 0 else "$text-down" if one.direction < 0 else ""
        line += Content.styled(text, tone) + Content("   ")
        used += len(text) + 3
    return line if used else Content.styled("No trades yet.", DIM)


def words(wall: Wall, height: int) -> Content:
    """What the operators say and the latest headlines, one a line."""
    lines = [
        Content.styled("‼ " if one.priority is Priority.URGENT else "» ", "$text-accent bold")
        + Content.styled(one.title, "$text-warning bold" if one.priority is Priority.URGENT else "bold")
        for one in sorted(wall.status.announcements, key=lambda one: -one.priority)
    ]
    lines += [Content.styled("• ", DIM) + Content(one.text) for one in wall.status.headlines]
    if not lines:
        return Content.styled("No news.", DIM)
    return Content("\n").join(lines[: max(height, 1)])
