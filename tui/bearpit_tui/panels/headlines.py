"""The top of the screen: the status bar, and below it what is out of the ordinary."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from bearpit_tui.keymap import Keymap
from bearpit_tui.model import Announcement, Headline, LinkState
from bearpit_tui.panels.banner import Banner
from bearpit_tui.panels.status_bar import StatusBar
from bearpit_tui.state import State, announcements
from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult
from textual.containers import Vertical

FRESH = timedelta(seconds=8)
"""So long a headline stands out."""

STANDING = timedelta(minutes=2)
"""So long it stands at least; longer while it works on prices."""


class Headlines(Vertical):
    """Status, a lost connection or a frozen screen, the latest announcement and the latest headline."""

    DEFAULT_CSS = """
    Headlines { height: auto; }
    """

    def __init__(self, keymap: Keymap, zone: tzinfo, place: str = "", *, id: str | None = None) -> None:
        """`place` is the page it stands on; there only trouble is told, for news belongs to the market."""
        super().__init__(id=id)
        self._place = place
        self._keymap = keymap
        self._zone = zone
        self._dismissed: set[int] = set()
        self._read: set[int] = set()

    def compose(self) -> ComposeResult:
        yield StatusBar(self._zone, self._place, id="status")
        yield Banner(id="trouble")
        yield Banner(id="news")
        yield Banner(id="headline")

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
        if self._place:
            return
        text = self._news(announcements(state, now))
        self.query_one("#news", Banner).show("news" if text else "", text)
        self._show_headline(working(state, now + state.ahead), now + state.ahead)

    def dismiss(self, state: State, now: datetime) -> bool:
        """Show what is shown no longer: announcements first, then headlines; False: there was nothing."""
        said = {one.announcement_id for one in announcements(state, now)} - self._dismissed
        self._dismissed |= said
        read = {one.news_id for one in working(state, now + state.ahead)} - self._read
        if not said:
            self._read |= read
        return bool(said or read)

    def _show_headline(self, headlines: list[Headline], now: datetime) -> None:
        shown = [one for one in headlines if one.news_id not in self._read]
        if not shown:
            self.query_one("#headline", Banner).show("", "")
            return
        newest = shown[0]
        fresh = now - newest.published_at < FRESH
        at = f"{newest.published_at.astimezone(self._zone):%H:%M:%S}"
        moves = f" [{' '.join(newest.symbols)}]" if newest.symbols else ""
        more = f" · {self._keymap.shown('news')} shows {len(shown) - 1} more" if len(shown) > 1 else ""
        text = f"{'▶ NEWS' if fresh else '▷'} {at}{moves} {newest.text}"
        room = self.app.size.width - 2
        if cell_len(text + more) > room:
            # One line, lest the panes jump about with every headline; the rest is a key away.
            more = f"… {self._keymap.shown('news')} shows all"
            text = set_cell_size(text, max(room - cell_len(more), 0))
        self.query_one("#headline", Banner).show("fresh" if fresh else "headline", text + more)

    def _news(self, said: list[Announcement]) -> str:
        news = [one for one in said if one.announcement_id not in self._dismissed]
        if not news:
            return ""
        more = f" · {self._keymap.shown('news')} shows {len(news) - 1} more" if len(news) > 1 else ""
        hides = f" · {self._keymap.shown('leave')} hides"
        return f"◆ {news[0].author or 'Operators'}: {news[0].title}{more}{hides}"


def working(state: State, now: datetime) -> list[Headline]:
    """The headlines that still work on prices or are new, newest first."""
    return [one for one in state.status.headlines if now < max(one.ends_at, one.published_at + STANDING)]
