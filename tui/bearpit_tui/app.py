"""The application: signs in, opens the trade screen, and comes back to the sign-in when that ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import ClassVar

from bearpit.client import BearpitError
from bearpit_tui import sessions
from bearpit_tui.colours import Coloured
from bearpit_tui.failures import answer_lost, connection_fault, error_words, unreachable_words
from bearpit_tui.feed import FRAME_SECONDS, SETTLE_SECONDS, SIGNED_OUT, Feed
from bearpit_tui.gateway import Connector, Gateway
from bearpit_tui.interruptions import Interruptions
from bearpit_tui.notices import Notice, Tone
from bearpit_tui.screens.live import LiveScreen, Seat
from bearpit_tui.screens.sign_in import SignInScreen
from bearpit_tui.screens.trade import TradeScreen
from bearpit_tui.sessions import StoredSession
from bearpit_tui.settings import GREEN_UP, Remembered, Settings, load_remembered, remember
from bearpit_tui.start import Start
from bearpit_tui.state import State
from bearpit_tui.type_ahead import TypeAhead
from bearpit_tui.zones import ShownZone
from textual import work
from textual.binding import Binding, BindingType
from textual.filter import LineFilter, Monochrome, NoColor
from textual.screen import Screen

RESUME_SECONDS = 0.5
UNCOLOURED = NoColor()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What differs between a person's terminal and a test."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    zone: tzinfo = field(default_factory=lambda: datetime.now().astimezone().tzinfo or UTC)
    frame_seconds: float = FRAME_SECONDS
    settle_seconds: float = SETTLE_SECONDS
    when_open: Callable[[], None] = lambda: None
    """Called once, when the trade screen has been painted for the first time."""


class BearpitApp(TypeAhead, Coloured, inherit_bindings=False):
    """Bearpit in the terminal."""

    TITLE = "Bearpit"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "quit_hint", show=False, system=True, priority=False),
        # Escape and q in quick succession: over ssh and tmux the two arrive as one.
        Binding("alt+q", "quit", show=False, system=True, priority=True),
    ]
    CSS = """
    CommandPalette > Vertical { width: 84; max-width: 96%; }
    """

    def __init__(
        self,
        start: Start,
        connector: Connector,
        settings: Settings | None = None,
        surroundings: Surroundings | None = None,
    ) -> None:
        self.settings = settings or Settings()
        # Before the styles are made, for they are made of it.
        self.colours = self.settings.colours or GREEN_UP
        super().__init__()
        self.start = start
        self.surroundings = surroundings or Surroundings()
        self.zone = ShownZone(self.surroundings.zone)
        self.zone.choose(self.settings.time_zone)
        self.remembered: Remembered = load_remembered()
        self.session = start.session
        self._token = ""
        self._connector = connector

    async def on_mount(self) -> None:
        self.set_keymap(self.settings.keymap.overrides())
        self._use_theme()
        if self.session is not None and self.session.refresh_token:
            self._resume(self.session)
        elif self.start.name and self.start.password:
            self._enter(self.start.server, self.start.name, self.start.password)
        else:
            await self._ask()

    def on_unmount(self) -> None:
        if self.session is not None:
            self.session.release()

    # Themes -------------------------------------------------------------------------------------------

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's, with NO_COLOR as the theme needs it: made grey, a terminal's own turn black."""
        filters = super().get_line_filters()
        if not self.native_ansi_color:
            return filters
        return [UNCOLOURED if isinstance(one, Monochrome) else one for one in filters]

    def _use_theme(self) -> None:
        wanted = self.settings.theme or self.remembered.theme
        self.theme = wanted if wanted in self.available_themes else usual_theme(self.console.color_system)
        self.theme_changed_signal.subscribe(self, lambda theme: self._remember_theme(theme.name))

    def _remember_theme(self, name: str) -> None:
        if not self.settings.theme:
            remember(theme=name)
        elif name != self.settings.theme:
            self._say(f'settings.toml says theme = "{self.settings.theme}", so this one lasts until you quit')

    def use(self, settings: Settings) -> None:
        """Go by other settings from now on, on every screen. The theme and the server stay for now."""
        self.settings.keymap.become(settings.keymap)
        self.settings = replace(settings, keymap=self.settings.keymap)
        self.set_keymap(self.settings.keymap.overrides())
        self.zone.choose(settings.time_zone)
        self.colour(settings.colours or GREEN_UP)
        for screen in self._live_screens():
            screen.renew()

    def _say(self, words: str, tone: Tone = Tone.INFO) -> None:
        for screen in self._live_screens():
            screen.say(Notice(words, tone))
            return

    def _live_screens(self) -> Iterator[LiveScreen]:
        """The screens that follow the feed, the uppermost first; only that one is shown the news."""
        return (screen for screen in reversed(self.screen_stack) if isinstance(screen, LiveScreen))

    def action_quit_hint(self) -> None:
        """ctrl+c copies in an input and means nothing elsewhere; people press it to leave."""
        self._say(f"{self.settings.keymap.shown('quit')} leaves the game")

    # Signing in ---------------------------------------------------------------------------------------

    async def _ask(self, words: str = "") -> None:
        name = self.start.name or (self.session.name if self.session is not None else "")
        await self._show_only(SignInScreen(self.start.server, name, words))

    def on_sign_in_screen_entered(self, message: SignInScreen.Entered) -> None:
        self._enter(message.server, message.name, message.password, new=message.new)

    @work(group="play", exclusive=True)
    async def _enter(self, server: str, name: str, password: str, *, new: bool = False) -> None:
        """Sign in by name and password, then play until that ends."""
        if not isinstance(self.screen, SignInScreen):
            await self._show_only(SignInScreen(server, name))
        if self.session is not None:
            self.session.release()
            self.session = None
        async with self._connector(server, self._keep_token) as gateway:
            try:
                await (gateway.register if new else gateway.sign_in)(name, password)
            except BearpitError as error:
                self._refused(error, server, name, new=new)
                return
            self.session = sessions.create(server, gateway.player, self._token)
            self.start = replace(self.start, server=server, name=gateway.player)
            await self._play(gateway, server)

    @work(group="play", exclusive=True)
    async def _resume(self, session: StoredSession) -> None:
        """Go on with a stored sign-in. The trade screen is there at once, and fills as the server answers."""
        async with self._connector(session.server, self._keep_token) as gateway:

            async def resume() -> None:
                while True:
                    try:
                        return await gateway.resume(session.refresh_token)
                    except BearpitError as error:
                        if error.reason in SIGNED_OUT:
                            raise
                        if fault := connection_fault(error):
                            self._say(fault, Tone.BAD)
                        await asyncio.sleep(max(RESUME_SECONDS, error.retry_after_seconds))

            await self._play(gateway, session.server, resume)

    async def _play(
        self, gateway: Gateway, server: str, enter: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        remember(server=server)
        player = gateway.player or (self.session.name if self.session is not None else "")
        around = self.surroundings

        def publish(state: State, notices: tuple[Notice, ...]) -> None:
            next(self._live_screens(), screen).post_message(LiveScreen.Fresh(state, notices))
            interruptions.follow(state)

        feed = Feed(
            gateway,
            State(player=player, server=server),
            publish,
            clock=around.clock,
            frame_seconds=around.frame_seconds,
            settle_seconds=around.settle_seconds,
        )
        seat = Seat(feed, self.settings.keymap, around.clock, self.zone)
        interruptions = Interruptions(self, seat, lambda: self._tell_seen(gateway), around.monotonic)
        screen = TradeScreen(
            seat,
            hint=not self.remembered.hint_seen,
            on_hint_seen=self._hint_seen,
        )
        await self._show_only(screen)
        screen.call_after_refresh(around.when_open)
        try:
            await feed.run(enter)
        except* BearpitError as errors:
            words = error_words(_first(errors))
        else:
            return
        if self.session is not None:
            self.session.forget()
        await self._ask(words)

    def _tell_seen(self, gateway: Gateway) -> None:
        self._seen(gateway)

    @work(group="seen")
    async def _seen(self, gateway: Gateway) -> None:
        with contextlib.suppress(BearpitError):  # then it is told once more the next time
            await gateway.letters.seen(gateway.new_request_id())

    def _refused(self, error: BearpitError, server: str, name: str, *, new: bool) -> None:
        screen = self.screen
        if not isinstance(screen, SignInScreen):
            return
        if error.reason == "BAD_CREDENTIALS" and not new:
            screen.offer_new(name)
        elif error.reason == "ALREADY_EXISTS" and new:
            screen.say(
                f"{name} is taken. Choose another name, or type its password and press enter.", bad=True
            )
        elif answer_lost(error):
            screen.say(unreachable_words(error, server), bad=True)
        else:
            screen.say(error_words(error), bad=True)

    def _keep_token(self, refresh_token: str) -> None:
        self._token = refresh_token
        if self.session is not None and refresh_token:
            self.session.save(refresh_token)

    def _hint_seen(self) -> None:
        self.remembered = remember(hint_seen=True)

    def on_live_screen_signed_out(self, message: LiveScreen.SignedOut) -> None:
        self._sign_out(message.gateway)

    @work(group="sign-out")
    async def _sign_out(self, gateway: Gateway) -> None:
        with contextlib.suppress(BearpitError):  # forgotten here, it ends there by itself in time
            await gateway.sign_out()
        if self.session is not None:
            self.session.forget()
        self.workers.cancel_group(self, "play")
        await self._ask("You are signed out.")

    async def _show_only(self, screen: Screen[None]) -> None:
        while len(self.screen_stack) > 1:
            await self.pop_screen()
        await self.push_screen(screen)


def usual_theme(color_system: str | None) -> str:
    """The theme nobody has to choose: with sixteen colours, one made of just those, for blends turn grey."""
    return "ansi-dark" if color_system in ("standard", "windows") else "textual-dark"


def _first(errors: BaseExceptionGroup[BearpitError]) -> BearpitError:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, BearpitError)
    return error
