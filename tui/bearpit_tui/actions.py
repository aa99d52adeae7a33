"""What can be done on all screens: one table, read by the keys, the footers, the palette and the help.

The trade screen is where one begins; the others are pages over it, each opened by an action of this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

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
    page: str = ""
    """It opens a page, which is named as the action is: `module:Class` below `bearpit_tui.pages`."""
    on: str = ""
    """The page it can be done on; empty: the trade screen, and of what opens pages and COMMON every page."""
    needs: str = ""
    """The permission without which it is not offered."""

    @property
    def call(self) -> str:
        """What a screen runs for it."""
        return f"open('{self.id}')" if self.page else self.id


PLAY = "PLAY"

COMMON = frozenset({"palette", "leave", "help", "quit"})
"""What can be done on every page, too."""

# fmt: off
ACTIONS: tuple[Action, ...] = (
    Action("buy", ("b",), "Buy", "Write an order to buy; enter sends it.", footer=True, needs=PLAY),
    Action("sell", ("s",), "Sell", "Write an order to sell; enter sends it.", footer=True, needs=PLAY),
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
    Action("results", ("r",), "Results", "What the last trading window did to prices, and why.", (BOOK,)),
    Action("windows", ("W",), "Windows", "The trading windows, and when they open."),
    # Pages, as they stand on every page.
    Action("wallet", ("m",), "Wallet", "Your points: what moved them, transfers, codes.", footer=True,
           page="wallet:WalletPage"),
    Action("ranks", ("l",), "Ranks", "Who is worth what, who rises, and where you stand.",
           page="ranks:RanksPage"),
    Action("news", ("n",), "News", "Headlines, what the operators say, what windows did.",
           page="news:NewsPage"),
    Action("duels", ("d",), "Duels", "Rock, paper, scissors for points, verified by your own machine.",
           page="duels:DuelsPage"),
    Action("inbox", ("i",), "Inbox", "What concerns you: fills, duels, points, ranks.",
           page="inbox:InboxPage"),
    Action("profile", ("p",), "Profile", "Who you are, your team, your badges, your password.",
           page="profile:ProfilePage"),
    Action("settings", ("comma",), "Settings", "Time zone, colours, keys, notifications.",
           page="settings:SettingsPage"),
    # What can be done on them.
    Action("transfer", ("t",), "Transfer", "Give points to another player, after asking.", footer=True,
           on="wallet", needs=PLAY),
    Action("redeem", ("r",), "Redeem", "Redeem a code, or a link with one.", footer=True,
           on="wallet", needs=PLAY),
    Action("borrow", ("L",), "Loan", "Take a loan to begin again, where one is offered.",
           on="wallet", needs=PLAY),
    Action("filter_kind", ("f",), "Only…", "Only postings of one kind, and round.", footer=True, on="wallet"),
    Action("filter_asset", ("a",), "Asset", "Only cash, or one instrument, and round.", footer=True,
           on="wallet"),
    Action("next_board", ("b",), "Board", "Rank by something else, and round; so do ← and →.", footer=True,
           on="ranks"),
    Action("earlier", ("e",), "Earlier", "The final ranks of the last day or window; again: one before it.",
           footer=True, on="ranks"),
    Action("later", ("E",), "Later", "One day or window later again, and in the end now.", footer=True,
           on="ranks"),
    Action("around_me", ("a",), "Around me", "Go to your own place on the board.", footer=True, on="ranks"),
    Action("find_player", ("f",), "Find", "Go to a player's place on the board.", footer=True, on="ranks"),
    Action("marks", ("w",), "Marks", "What shares count as in net worth, and why.", footer=True, on="ranks"),
    Action("duel_play", ("a",), "Accept, move", "Accept the chosen challenge, or move; so does enter.",
           footer=True, on="duels", needs=PLAY),
    Action("challenge", ("t",), "Challenge", "Challenge somebody, or whoever comes.", footer=True,
           on="duels", needs=PLAY),
    Action("duel_house", ("h",), "House", "Duel against the house, which moves by chance.", footer=True,
           on="duels", needs=PLAY),
    Action("duel_end", ("x",), "Take back", "Take back your challenge, or decline one.", footer=True,
           on="duels", needs=PLAY),
    Action("duels_of", ("f",), "Whose", "Those that are over: yours, or everybody's.", footer=True,
           on="duels"),
    Action("filter_news", ("f",), "Only…", "Only headlines, the operators' words, or windows, and round.",
           footer=True, on="news"),
    Action("news_read", ("r",), "Mark read", "Mark all news as read.", footer=True, on="news"),
    Action("mark_read", ("r",), "Mark read", "Mark everything as read.", footer=True, on="inbox"),
    Action("filter_letters", ("f",), "Only…", "Only notifications of one kind, and round.", footer=True,
           on="inbox"),
    Action("away", ("a",), "While away", "What happened while you were away, once more.", footer=True,
           on="inbox"),
    Action("usual", ("u",), "As usual", "Have the chosen setting as it is without you.", footer=True,
           on="settings"),
    Action("join_team", ("t",), "Join a team", "Join a team by its code.", footer=True,
           on="profile", needs=PLAY),
    Action("leave_team", ("T",), "Leave it", "Leave the team, where the game allows it.",
           on="profile", needs=PLAY),
    Action("password", ("w",), "Password", "Set a new password; all other sign-ins end.", footer=True,
           on="profile"),
    Action("sign_out_everywhere", ("E",), "Sign out everywhere", "End all your sign-ins, this one too.",
           footer=True, on="profile"),
    # Everywhere.
    Action("palette", ("ctrl+p",), "Palette", "All that can be done, by name; also themes."),
    Action("leave", ("escape",), "Back",
           "One step back: from a page, the ticket, the command line, a message."),
    Action("help", ("question_mark", "f1"), "Help", "Help for the page, or the pane that has the focus.",
           footer=True),
    Action("quit", ("q", "ctrl+q"), "Quit", "Leave the game, or a page. Your orders stay.", footer=True),
)
# fmt: on
"""Every action. The order is the footer's, the palette's and the help's."""


PAGES: Mapping[str, Action] = MappingProxyType({action.id: action for action in ACTIONS if action.page})
"""The actions that open a page, by its name."""


def actions_on(place: str) -> tuple[Action, ...]:
    """What can be done on a page, its own actions first; on the trade screen, for an empty name."""
    if not place:
        return tuple(action for action in ACTIONS if not action.on)
    own = [action for action in ACTIONS if action.on == place]
    return (*own, *(action for action in ACTIONS if action.page or action.id in COMMON))
