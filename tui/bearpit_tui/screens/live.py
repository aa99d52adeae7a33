"""What all screens of a signed-in player have: the state, a line of news, the way to other pages."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from functools import partial
from importlib import import_module
from typing import ClassVar

from bearpit_tui.actions import ACTIONS, PAGES, Action, actions_on
from bearpit_tui.feed import Feed
from bearpit_tui.gateway import Gateway
from bearpit_tui.keymap import Keymap
from bearpit_tui.notices import Notice, Tone
from bearpit_tui.palette import ActionProvider, Entry
from bearpit_tui.panels.message_line import MessageLine
from bearpit_tui.state import State
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

KNOWN = {action.id: action for action in ACTIONS}

UNLISTED = frozenset({"palette", "leave"})
"""What nobody looks for in the palette."""


@dataclass(frozen=True, slots=True)
class Seat:
    """What a signed-in player's screens share."""

    feed: Feed
    keys: Keymap
    clock: Callable[[], datetime]
    zone: tzinfo
    """Times are shown in it. It is one object for all screens, and may stand for another zone at any time."""


def bindings(place: str) -> list[BindingType]:
    """The keys of a page, or, for an empty name, of the trade screen."""
    return [
        Binding(",".join(action.keys), action.call, action.label, show=False, id=action.id)
        for action in actions_on(place)
    ]


class LiveScreen(Screen[None]):
    """A screen that follows the feed while it is the uppermost one."""

    PLACE: ClassVar[str] = ""
    """The page's name in the keymap; empty: the trade screen."""

    class Fresh(Message):
        """The state is another one."""

        def __init__(self, state: State, notices: tuple[Notice, ...] = ()) -> None:
            self.state = state
            self.notices = notices
            super().__init__()

    class SignedOut(Message):
        """The player wants to sign out."""

        def __init__(self, gateway: Gateway) -> None:
            self.gateway = gateway
            super().__init__()

    def __init_subclass__(cls) -> None:
        # Textual has a metaclass of its own, so that ABC, which would see to this, cannot be a base.
        super().__init_subclass__()
        if cls.show_state is LiveScreen.show_state:
            raise TypeError(f"{cls.__name__} has no show_state()")

    def __init__(self, seat: Seat) -> None:
        super().__init__()
        self.seat = seat
        self.feed = seat.feed
        self.keys = seat.keys
        self.now = seat.clock
        self.zone = seat.zone

    @abstractmethod
    def show_state(self, live: State) -> None:
        """One repaint for all that has changed."""

    def renew(self) -> None:
        """Show everything again: keys, the time zone or colours are others now."""
        self.refresh(recompose=False, layout=True)
        for widget in self.walk_children(Widget):
            widget.refresh()
        self.show_state(self.feed.state)

    def on_live_screen_fresh(self, message: Fresh) -> None:
        if self.is_mounted:
            self.show_state(message.state)
            self._tell_news(message.notices)

    def on_screen_resume(self) -> None:
        """Another screen was above; what has changed meanwhile is shown at once."""
        if self.is_mounted:
            self.show_state(self.feed.state)

    # Saying -------------------------------------------------------------------------------------------

    def say(self, notice: Notice | None) -> None:
        """Show a line of news over the lower edge; None takes it away."""
        self.query_one(MessageLine).show(notice)

    def _tell_news(self, notices: tuple[Notice, ...]) -> None:
        shown = self.query_one(MessageLine).notice
        # What somebody is mending is not to be overwritten by a trade; the orders pane shows that too.
        if not notices or (shown is not None and shown.tone is Tone.BAD):
            return
        latest = next((one for one in reversed(notices) if not one.aside), notices[-1])
        if latest.aside and shown is not None and not shown.aside:
            return
        more = f" (and {len(notices) - 1} more)" if len(notices) > 1 else ""
        self.say(replace(latest, text=latest.text + more))

    # Doing --------------------------------------------------------------------------------------------

    def offers(self, action: Action) -> bool:
        """Whether an action is one for this player."""
        return not action.needs or self.feed.state.me.may(action.needs)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        name = str(parameters[0]) if action == "open" and parameters else action
        known = KNOWN.get(name)
        return known is None or self.offers(known)

    def do(self, action_id: str) -> None:
        """Do what a key does, by the action's name."""
        if action_id in PAGES:
            self.action_open(action_id)
        else:
            getattr(self, f"action_{action_id}")()

    def action_open(self, name: str) -> None:
        """Go to a page; from another page in its place, so that escape always leads to the trade screen."""
        page = page_of(name)(self.seat)
        if self.PLACE:
            self.app.switch_screen(page)
        else:
            self.app.push_screen(page)

    def offered(self) -> Iterator[Entry]:
        """What the palette can do here."""
        for action in actions_on(self.PLACE):
            if action.id not in UNLISTED and self.offers(action):
                run = partial(self.do, action.id)
                yield f"{action.label}  ({self.keys.all_shown(action.id)})", action.help, run
        yield "Theme", "Choose the colours; the choice is remembered.", self.app.search_themes
        yield "Sign out", "End this sign-in on this machine.", self.action_sign_out

    def found(self) -> Iterator[Entry]:
        """What comes up besides, when its name is typed."""
        return iter(())

    def action_palette(self) -> None:
        self.app.push_screen(
            CommandPalette(providers=[ActionProvider], placeholder="What do you want to do?")
        )

    def action_sign_out(self) -> None:
        self.post_message(self.SignedOut(self.feed.gateway))


def page_of(name: str) -> type[LiveScreen]:
    """The class of a page. It is imported when it is first opened, for most are not opened at once."""
    module, _, made = PAGES[name].page.partition(":")
    page: type[LiveScreen] = getattr(import_module(f"bearpit_tui.pages.{module}"), made)
    return page
