"""Texts to read and leave: the help, the news, the first minute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from bearpit_tui.actions import BOOK, PANES, WATCH, Action, actions_on
from bearpit_tui.keymap import Keymap
from bearpit_tui.mechanisms import MECHANISMS
from bearpit_tui.widgets.facts import wrapped
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

SAID = 50
"""Cells beside a mark and its word, at 80 columns."""

COMMANDS = (
    ("buy 100 AAPL @ 12.40", "buy at 12.40 or lower"),
    ("sell 50 mkt", "sell at the best prices there are"),
    ("buy 10 AAPL stop 13.00 @ 13.10", "once 13.00 has traded, buy at 13.10 or lower"),
    ("sell all AAPL @ 14 day", "all free shares, until the session ends"),
    ("amend 17 50 @ 12.30", "order 17: 50 shares at 12.30 instead"),
    ("cancel 17 · cancel all", "take back one order, or all"),
    ("why 17", "why order 17 has not filled"),
    ("AAPL", "show an instrument"),
    ("results · windows · news", "what windows did to prices; when they open; headlines"),
)


class ReadingScreen(ModalScreen[None]):
    """A text in a box. Escape, enter, q and the key that opened it leave."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,question_mark,f1,n,r,W", "dismiss", "Back"),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
        Binding("pagedown,space", "scroll(10)", show=False),
    ]
    DEFAULT_CSS = """
    ReadingScreen {
        align: center middle; background: $background 60%;
        & > VerticalScroll {
            width: 84; max-width: 96%; height: auto; max-height: 96%;
            border: round $border; background: $surface; padding: 1 2;
        }
        &.-wide > VerticalScroll { width: 124; }
    }
    """

    def __init__(self, title: str, text: Content, *, wide: bool = False) -> None:
        super().__init__(classes="-wide" if wide else None)
        self._title = title
        self.text = text

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = self._title
            box.border_subtitle = "esc leaves"
            yield Static(self.text)

    def action_scroll(self, rows: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)


def help_text(keymap: Keymap, pane: str, place: str = "", about: str = "") -> Content:
    """The help for a pane, or a page: what it is, its keys, the keys everywhere, the commands."""
    lines: list[Content] = []
    if place:
        own = [action for action in actions_on(place) if action.on]
        others = [action for action in actions_on(place) if not action.on]
        lines += [Content(about), Content("")]
        lines += [_heading("Keys here"), *_keys(keymap, own), Content("")] if own else []
        return Content("\n").join([*lines, _heading("On all pages"), *_keys(keymap, others)])
    if pane in PANES:
        lines += [Content(PANES[pane]), Content("")]
        here = [action for action in actions_on("") if pane in action.panes]
        if here:
            lines += [_heading("Keys here"), *_keys(keymap, here), Content("")]
    if pane in ("", WATCH, BOOK):
        lines += [_heading("How prices form"), *_mechanisms(), Content("")]
    elsewhere = [action for action in actions_on("") if pane not in action.panes]
    lines += [_heading("Keys everywhere" if pane else "Keys"), *_keys(keymap, elsewhere), Content("")]
    lines += [_heading(f"Commands, after {keymap.shown('find')}; once one is done the keys work again")]
    width = max(len(command) for command, _ in COMMANDS)
    lines += [_pair(command.ljust(width), meaning) for command, meaning in COMMANDS]
    return Content("\n").join(lines)


def _mechanisms() -> list[Content]:
    lines: list[Content] = []
    for one in MECHANISMS.values():
        says = ["".join(text for text, _ in line) for line in wrapped(one.says, SAID)]
        lines.append(_pair(f"{one.mark} {one.word:<9}", says[0]))
        lines += [Content(" " * 15 + line) for line in says[1:]]
    return lines


def hint_text(keymap: Keymap, player: str, cash: str) -> Content:
    """The first minute, once."""
    have = f" with {cash} to trade with" if cash else ""
    rows = [
        (keymap.shown("focus_watch") + " then ↑ ↓", "choose an instrument"),
        (keymap.shown("buy") + "  " + keymap.shown("sell"), "write an order; enter sends it, esc leaves it"),
        (keymap.shown("find"), "find an instrument, or type: buy 100 AAPL @ 12.40"),
        (keymap.shown("focus_orders") + " then " + keymap.shown("cancel"), "see your orders, cancel one"),
        (
            keymap.shown("wallet") + "  " + keymap.shown("inbox"),
            "your points; what concerns you; other pages",
        ),
        (keymap.shown("help"), "help for whatever has the focus"),
        (keymap.shown("quit"), "leave; your orders stay in the market"),
    ]
    width = max(len(key) for key, _ in rows)
    lines = [Content(f"Welcome, {player}. You are in the market{have}."), Content("")]
    lines += [_pair(key.ljust(width), meaning) for key, meaning in rows]
    lines += [
        Content(""),
        Content.styled("Press enter to begin. This is shown only once.", "$foreground 60%"),
    ]
    return Content("\n").join(lines)


def _keys(keymap: Keymap, actions: Sequence[Action]) -> list[Content]:
    width = max(len(keymap.all_shown(action.id)) for action in actions_on(""))
    return [_pair(keymap.all_shown(action.id).ljust(width), action.help) for action in actions]


def _heading(text: str) -> Content:
    return Content.styled(text, "bold")


def _pair(left: str, right: str) -> Content:
    return Content.styled(f"  {left}  ", "$text-accent bold") + Content(right)
