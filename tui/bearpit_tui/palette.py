"""What ctrl+p offers: every action of the registry, the themes, every instrument."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from bearpit_tui.keymap import ACTIONS
from textual.command import DiscoveryHit, Hit, Hits, Provider


class ActionProvider(Provider):
    """Finds what can be done on the trade screen by its name."""

    def _entries(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        from bearpit_tui.screens.trade import TradeScreen  # the screen offers this provider

        screen = self.screen
        if not isinstance(screen, TradeScreen):
            return
        for action in ACTIONS:
            if action.id not in ("palette", "leave"):
                run = getattr(screen, f"action_{action.id}")
                yield f"{action.label}  ({screen.keys.all_shown(action.id)})", action.help, run
        yield "Theme", "Choose the colours; the choice is remembered.", self.app.search_themes
        yield "Sign out", "End this sign-in on this machine.", screen.action_sign_out

    def _instruments(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        from bearpit_tui.screens.trade import TradeScreen

        screen = self.screen
        if isinstance(screen, TradeScreen):
            for symbol, instrument in screen.state.instruments.items():
                yield f"{symbol}  {instrument.name}", "Show it.", partial(screen.select, symbol)

    async def discover(self) -> Hits:
        for name, text, run in self._entries():
            yield DiscoveryHit(name, run, help=text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, text, run in (*self._entries(), *self._instruments()):
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, help=text)
