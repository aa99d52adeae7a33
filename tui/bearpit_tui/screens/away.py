"""What happened while the player was away, in a box that one key closes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from typing import ClassVar

from bearpit_tui.inbox import CatchUp, Filled
from bearpit_tui.keymap import Keymap
from bearpit_tui.moments import ago
from bearpit_tui.widgets.money import arrow, money, signed_money
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

LABEL = 12


class AwayScreen(ModalScreen[None]):
    """The summary. Any of the keys that leave closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,space,q,a", "dismiss", "Go on"),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
    ]
    DEFAULT_CSS = """
    AwayScreen {
        align: center middle; background: $background 60%;
        & > VerticalScroll {
            width: 78; max-width: 96%; height: auto; max-height: 96%;
            border: round $border; background: $surface; padding: 1 2; border-title-style: bold;
        }
    }
    """

    def __init__(self, away: CatchUp, keymap: Keymap, zone: tzinfo) -> None:
        super().__init__()
        self.away = away
        self._text = away_text(away, keymap, zone)

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = "While you were away"
            box.border_subtitle = "enter goes on"
            yield Static(self._text)

    def action_scroll(self, rows: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)


def away_text(away: CatchUp, keymap: Keymap, zone: tzinfo) -> Content:
    """The summary: what one is worth and where one stands first, then what made it so."""
    since = f"{away.since.astimezone(zone):%a %d %b, %H:%M}"
    lines = [
        Content.styled(f"Since {since}, {ago(away.until - away.since)} ago", "$foreground 60%"),
        Content(""),
    ]
    lines += [
        _line("" if place else label, words)
        for label, rows in _parts(away)
        for place, words in enumerate(rows)
    ]
    if away.unread:
        opens = f"{away.unread:,} not read; {keymap.shown('inbox')} opens them"
        lines += [_line("Inbox", Content(opens))]
    return Content("\n").join(lines)


def _parts(away: CatchUp) -> Iterator[tuple[str, list[Content]]]:
    yield "Net worth", [_worth(away)]
    if away.rank is not None:
        yield "Rank", [_rank(away)]
    if away.fills:
        total = Content(f"{away.fills:,} {'fill' if away.fills == 1 else 'fills'}")
        if away.realised_cents:
            total += Content(", realised ") + _gain(away.realised_cents)
        yield "Trades", [total, *(_filled(one) for one in away.instruments[:6])]
    if away.transfer_count:
        yield (
            "Transfers",
            [
                _gain(one.amount_cents)
                + Content(f" {'from' if one.amount_cents > 0 else 'to'} {one.player}")
                + Content.styled(f"  {one.note}" if one.note else "", "$foreground 60%")
                for one in away.transfers[:5]
            ]
            + _rest(away.transfer_count - 5),
        )
    if any(away.duels):
        won, lost, drawn = away.duels
        words = f"{won} won, {lost} lost" + (f", {drawn} drawn" if drawn else "")
        yield "Duels", [Content(f"{words}: ") + _gain(away.duels_cents)]
    if away.window_count:
        settled = [Content(f"{title}: ") + _gain(cents) for title, cents in away.windows[:4]]
        yield "Windows", settled + _rest(away.window_count - 4)
    if away.headline_count:
        yield "News", [Content(text) for text in away.headlines[:4]] + _rest(away.headline_count - 4)


def _rest(count: int) -> list[Content]:
    return [Content.styled(f"and {count:,} more", "$foreground 60%")] if count > 0 else []


def _worth(away: CatchUp) -> Content:
    if away.worth_before_cents is None:
        return Content.styled(money(away.worth_cents), "bold")
    before = Content.styled(f"{money(away.worth_before_cents)} → ", "$foreground 60%")
    gained = _gain(away.worth_cents - away.worth_before_cents)
    return before + Content.styled(money(away.worth_cents), "bold") + Content("  ") + gained


def _rank(away: CatchUp) -> Content:
    now = Content.styled(f"{away.rank:,}", "bold")
    if away.rank is None or away.rank_before is None:
        return now
    rose = away.rank_before - away.rank
    before = Content.styled(f"{away.rank_before:,} → ", "$foreground 60%") if rose else Content("")
    tone = "$text-up" if rose > 0 else "$text-down"
    change = Content.styled(f"  {arrow(rose)} {abs(rose):,}", tone) if rose else Content("  as before")
    return before + now + change


def _filled(one: Filled) -> Content:
    sides = []
    if one.bought:
        sides.append(f"bought {one.bought:,} for {money(one.bought_cents)}")
    if one.sold:
        sides.append(f"sold {one.sold:,} for {money(one.sold_cents)}")
    return Content(f"{one.symbol}: {', '.join(sides)}")


def _gain(cents: int) -> Content:
    tone = "$text-up" if cents > 0 else "$text-down" if cents < 0 else "$foreground 60%"
    return Content.styled(signed_money(cents), tone)


def _line(label: str, words: Content) -> Content:
    return Content.styled(label.ljust(LABEL), "$foreground 60%") + words
