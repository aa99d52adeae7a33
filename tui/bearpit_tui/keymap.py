"""The keys of the trade screen: one table, read by the bindings, the footer, the palette and the help.

A user remaps keys in `settings.toml`:

    [keys]
    buy = "B"
    find = ["slash", "ctrl+f"]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from textual.keys import _character_to_key, format_key

WATCH, CHART, BOOK, ORDERS, POSITIONS, TICKET = "watch", "chart", "book", "orders", "positions", "ticket"

PANES: Mapping[str, str] = MappingProxyType(
    {
        WATCH: "Every instrument: a mark for how its price forms, its price, the change since yesterday's "
        "close, and its latest prices as bars. A bracket ties together those whose prices form together. "
        "↑ ↓ choose one; the other panes follow.",
        CHART: "Candles of the chosen instrument. A candle spans open to close, its wick "
        "high to low. The bars below are shares traded; MA9 and MA21 are averages of the last closes.",
        BOOK: "What makes the price. Of a book: offers to sell above, bids to buy below, shares beside the "
        "price. Your own orders are marked in the outer columns. ↑ ↓ choose a price, then buy or sell at it. "
        "Of the others: who you trade with, at what price, and what changes it. ↑ ↓ scroll.",
        ORDERS: "Your orders, newest first. ↑ ↓ choose one; it can be cancelled or explained.",
        POSITIONS: "What you own: shares, what they cost on average, what they are worth now, and the gain "
        "or loss between the two. ↑ ↓ choose one; the other panes follow.",
        TICKET: "An order being written. Its lower half tells what it would do now. Enter sends it, esc "
        "leaves it; nothing is sent before. ← → or space change a choice, tab goes to the next field.",
    }
)
"""What each pane is, for its help."""

RESERVED = frozenset(
    {"up", "down", "left", "right", "shift+left", "shift+right", "enter", "tab", "shift+tab", "home", "end"}
    | {"pageup", "pagedown", "j", "k", "c", "ctrl+c"}
)
"""Keys that move about inside every pane and therefore cannot be given to an action."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something a key does. `id` names it in the settings file and, with `action_` before it, the method."""

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    panes: tuple[str, ...] = ()
    """Where it belongs most; empty: everywhere."""
    footer: bool = False


ACTIONS: tuple[Action, ...] = (
    Action("buy", ("b",), "Buy", "Write an order to buy; enter sends it.", footer=True),
    Action("sell", ("s",), "Sell", "Write an order to sell; enter sends it.", footer=True),
    Action("cancel", ("x",), "Cancel", "Cancel the chosen order.", (ORDERS,), footer=True),
    Action("cancel_all", ("X",), "Cancel all", "Cancel all your open orders, after asking.", (ORDERS,)),
    Action("explain", ("w",), "Why?", "Tell why the chosen order has not filled.", (ORDERS,)),
    Action(
        "find",
        ("slash",),
        "Find",
        "Find an instrument, or type a command.",
        footer=True,
    ),
    Action("timeframe", ("t",), "Timeframe", "Candles of 1m, 5m, 15m, 1h, 1d, and round.", (CHART,), True),
    Action("zoom_in", ("plus", "equals_sign"), "Zoom in", "Fewer, wider candles.", (CHART,)),
    Action("zoom_out", ("minus",), "Zoom out", "More, narrower candles.", (CHART,)),
    Action("freeze", ("space",), "Freeze", "Quotes stand still; again: on to the present.", footer=True),
    Action("focus_watch", ("1",), "Watch list", "Go to the watch list."),
    Action("focus_chart", ("2",), "Chart", "Go to the chart."),
    Action("focus_book", ("3",), "Book", "Go to the book, or to what else makes the price."),
    Action("focus_orders", ("4",), "Orders", "Go to your orders."),
    Action("focus_positions", ("5",), "Positions", "Go to your positions."),
    Action("news", ("n",), "News", "Headlines, and the operators' announcements."),
    Action("results", ("r",), "Results", "What the last trading window did to prices, and why.", (BOOK,)),
    Action("windows", ("W",), "Windows", "The trading windows, and when they open."),
    Action("palette", ("ctrl+p",), "Palette", "All that can be done, by name; also themes."),
    Action("leave", ("escape",), "Back", "Leave the ticket, the command line, a message."),
    Action("help", ("question_mark", "f1"), "Help", "Help for the pane that has the focus.", footer=True),
    Action("quit", ("q", "ctrl+q"), "Quit", "Leave the game. Your orders stay.", footer=True),
)
"""Every action. The order is the footer's, the palette's and the help's."""


class KeymapError(ValueError):
    """The settings ask for keys that cannot be had; the text says which and what to write instead."""


@dataclass(frozen=True, slots=True)
class Keymap:
    """Which keys each action has: the table's, unless the user said otherwise."""

    keys: Mapping[str, tuple[str, ...]]

    def shown(self, action_id: str) -> str:
        """The first key of an action as people read it, such as `?` or `ctrl+q`."""
        return format_key(self.keys[action_id][0])

    def all_shown(self, action_id: str) -> str:
        """All keys of an action as people read them."""
        return " ".join(format_key(key) for key in self.keys[action_id])

    def overrides(self) -> dict[str, str]:
        """What differs from the table, in the form Textual's keymap wants."""
        return {
            action.id: ",".join(self.keys[action.id])
            for action in ACTIONS
            if self.keys[action.id] != action.keys
        }


def key_name(written: str) -> str:
    """The name of a key as Textual knows it: `?` is `question_mark`, `Ctrl+F` is `ctrl+f`, `X` stays `X`.

    Raises KeymapError when nothing is written.
    """
    key = written if written == " " else written.strip()
    if not key:
        raise KeymapError('a key is empty: write one such as "b", "ctrl+f" or "f5"')
    if len(key) == 1:
        return "space" if key == " " else _character_to_key(key)
    *modifiers, last = key.split("+") if not key.endswith("++") else [*key[:-2].split("+"), "+"]
    # With a modifier a capital means nothing: terminals send ctrl+f and ctrl+F alike.
    last = _character_to_key(last.lower()) if len(last) == 1 else last.lower()
    return "+".join([*(modifier.strip().lower() for modifier in modifiers), last])


def keymap(remap: Mapping[str, tuple[str, ...]] | None = None) -> Keymap:
    """The table with the user's changes. Raises KeymapError naming everything that is wrong at once."""
    known = {action.id for action in ACTIONS}
    wrong = [
        f'there is no action "{name}"; actions are: {", ".join(sorted(known))}'
        for name in sorted(set(remap or ()) - known)
    ]
    chosen: dict[str, tuple[str, ...]] = {action.id: action.keys for action in ACTIONS}
    for action_id, written in (remap or {}).items():
        if action_id not in known:
            continue
        try:
            chosen[action_id] = tuple(dict.fromkeys(key_name(key) for key in written))
        except KeymapError as error:
            wrong.append(f'"{action_id}": {error}')
        if not chosen[action_id]:
            wrong.append(f'"{action_id}" has no key: give it one, or leave its line out')
    wrong += _conflicts(chosen)
    if wrong:
        raise KeymapError("; ".join(wrong))
    return Keymap(MappingProxyType(chosen))


def _conflicts(chosen: Mapping[str, tuple[str, ...]]) -> list[str]:
    taken: dict[str, str] = {}
    wrong: list[str] = []
    for action_id, keys in chosen.items():
        for key in keys:
            if key in RESERVED:
                wrong.append(f'"{action_id}" cannot have {format_key(key)}: it moves about inside the panes')
            elif key in taken:
                wrong.append(f'{format_key(key)} is given to both "{taken[key]}" and "{action_id}"')
            else:
                taken[key] = action_id
    return wrong
