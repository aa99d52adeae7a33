"""The top of the screen: the status bar, and below it what is out of the ordinary."""

from __future__ import annotations

from datetime import datetime, tzinfo

from bearpit_tui.keymap import Keymap
from bearpit_tui.model import Announcement, LinkState
from bearpit_tui.panels.banner import Banner
from bearpit_tui.panels.status_bar import StatusBar
from bearpit_tui.state import State
from textual.app import ComposeResult
from textual.containers import Vertical


class Headlines(Vertical):
    """Status, a lost connection or a frozen screen, and the operators' latest announcement."""

    DEFAULT_CSS = """
    Headlines { height: auto; }
    """

    def __init__(self, keymap: Keymap, zone: tzinfo, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keymap = keymap
        self._zone = zone
        self._dismissed: set[int] = set()

    def compose(self) -> ComposeResult:
        yield StatusBar(self._zone, id="status")
        yield Banner(id="trouble")
        yield Banner(id="news")

    def show(self, state: State, now: datetime, frozen_at: datetime | None) -> None:
        """Show these. `frozen_at` is when the quotes were stopped; None: they move."""
        self.query_one(StatusBar).show(state, now, frozen=frozen_at is not None)
        trouble = self.query_one("#trouble", Banner)
        if state.link.state is LinkState.LOST:
            server = state.server or "the server"
            tells = "Trying again by itself; quotes are old, and nothing is sent twice."
            trouble.show("lost", f"No connection to {server}. {tells}")
        elif frozen_at is not None:
            since = f"{frozen_at.astimezone(self._zone):%H:%M:%S}"
            ends = f"{self._keymap.shown('freeze')} goes on to the present."
            trouble.show("frozen", f"FROZEN at {since}: quotes stand still, your orders do not. {ends}")
        else:
            trouble.show("", "")
        text = self._news(standing(state, now))
        self.query_one("#news", Banner).show("news" if text else "", text)

    def dismiss(self, announcements: list[Announcement]) -> bool:
        """Show these no longer; False: none of them was shown."""
        fresh = {one.announcement_id for one in announcements} - self._dismissed
        self._dismissed |= fresh
        return bool(fresh)

    def _news(self, announcements: list[Announcement]) -> str:
        news = [one for one in announcements if one.announcement_id not in self._dismissed]
        if not news:
            return ""
        more = f" · {self._keymap.shown('news')} shows {len(news) - 1} more" if len(news) > 1 else ""
        hides = f" · {self._keymap.shown('leave')} hides"
        return f"◆ {news[0].author or 'Operators'}: {news[0].text}{more}{hides}"


def standing(state: State, now: datetime) -> list[Announcement]:
    """The announcements that hold now, newest first."""
    return [one for one in state.status.announcements if one.expires_at is None or one.expires_at > now]
