"""Settings: one list of all that can be otherwise, and how it is now. Enter changes the chosen line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, cast
from zoneinfo import available_timezones

from bearpit_tui.actions import ACTIONS, PAGES
from bearpit_tui.feed import Feed
from bearpit_tui.inbox import Preference
from bearpit_tui.keymap import Keymap
from bearpit_tui.notices import Notice, Tone
from bearpit_tui.pages.page import Page
from bearpit_tui.screens.form import Field, FormScreen, NotYet
from bearpit_tui.screens.live import Seat, bindings
from bearpit_tui.screens.press import PressScreen
from bearpit_tui.settings import GREEN_UP, RED_UP, Settings, SettingsError
from bearpit_tui.settings_file import write_keys, write_setting
from bearpit_tui.state import State
from bearpit_tui.widgets.listing import Listing
from bearpit_tui.widgets.panes import pane
from bearpit_tui.widgets.table import Column, LineTable
from bearpit_tui.zones import ShownZone, zone_of
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

if TYPE_CHECKING:
    from bearpit_tui.app import BearpitApp

COLOUR_WORDS = {GREEN_UP: "rising green ▲, falling red ▼", RED_UP: "rising red ▲, falling green ▼"}


@dataclass(frozen=True, slots=True)
class Row:
    """One setting. `key` names it; its section stands only beside the first of them."""

    key: str
    section: str
    name: str
    now: str
    about: str
    own: bool = False
    """Whether the player has chosen it."""


COLUMNS: tuple[Column[Row], ...] = (
    Column("", 13, lambda row: (row.section, ("muted",))),
    Column("Setting", 19, lambda row: (row.name, ())),
    Column("Now", 24, lambda row: (row.now, ("own",) if row.own else ()), grows=True),
)


class SettingsPage(Page):
    """What is changed is written into settings.toml at once, and holds at once on every screen."""

    PLACE = "settings"
    ABOUT = (
        "Enter changes the chosen setting; u has it as it is without you. Changes hold at once and are kept "
        "in settings.toml, whose comments stay; what you want to be told of is kept by the server."
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings("settings")
    DEFAULT_CSS = """
    SettingsPage {
        & #list { height: 1fr; }
        & #about { height: 1; padding: 0 1; color: $foreground 65%; }
    }
    """

    def __init__(self, seat: Seat) -> None:
        super().__init__(seat)
        self.wanted: list[Preference] = []

    @property
    def _app(self) -> BearpitApp:
        return cast("BearpitApp", self.app)

    def body(self) -> ComposeResult:
        yield pane(LineTable(COLUMNS, lambda row: row.key, id="list"), "Settings")
        yield Static("", id="about", markup=False)

    def on_mount(self) -> None:
        self.table.border_subtitle = "enter changes"
        self.table.focus()
        self._show()

    @property
    def table(self) -> LineTable[Row]:
        return self.query_one("#list", LineTable)

    async def load(self) -> None:
        self.wanted = await self.feed.gateway.letters.preferences()
        self._show()

    def follow(self, before: State | None, state: State) -> None:
        if before is not None:
            self._show()

    def _show(self) -> None:
        self.table.set_rows(self.rows())
        self._tell_about()

    def _tell_about(self) -> None:
        about = next((row.about for row in self.table.rows if row.key == self.table.key), "")
        self.query_one("#about", Static).update(about)

    def rows(self) -> Iterator[Row]:
        """Every setting as it is now."""
        settings, zone = self._app.settings, cast("ShownZone", self.zone)
        here = f"{self.now().astimezone(zone):%H:%M}"
        yield Row(
            "time_zone", "Looks", "Time zone", f"{zone.name or 'as this machine'}, {here}",
            "All times are shown in it.", bool(settings.time_zone),
        )  # fmt: skip
        yield Row(
            "colours", "", "Colours", COLOUR_WORDS[settings.colours or GREEN_UP],
            "What rises is green in most of the world, and red in East Asia.", bool(settings.colours),
        )  # fmt: skip
        yield Row("theme", "", "Theme", self.app.theme, "All colours; also in the palette.")
        for place, one in enumerate(self.wanted):
            now = "on the screen" if one.screen else "not told"
            yield Row(
                f"kind {one.kind.name}", "" if place else "Notifications", one.kind.value.capitalize(),
                now + (", and sent on" if one.channel and one.screen else ""),
                "On the screen; sent on to your channels too; not at all: enter goes round.", not one.screen,
            )  # fmt: skip
        yield from self._keys()

    def _keys(self) -> Iterator[Row]:
        usual, section = Keymap({one.id: one.keys for one in ACTIONS}), ""
        for action in sorted(ACTIONS, key=lambda one: ["", *PAGES].index(one.on)):
            titled = f"Keys: {PAGES[action.on].label}" if action.on else "Keys"
            section, before = titled, section
            own = self.keys.keys[action.id] != usual.keys[action.id]
            now = self.keys.all_shown(action.id) + (
                f"  (usually {usual.all_shown(action.id)})" if own else ""
            )
            yield Row(
                f"key {action.id}", "" if section == before else section, action.label, now, action.help, own
            )

    # Changing -----------------------------------------------------------------------------------------

    @on(Listing.Highlighted, "#list")
    def _on_highlighted(self) -> None:
        self._tell_about()

    @on(Listing.Selected, "#list")
    def _on_selected(self, event: Listing.Selected) -> None:
        kind, _, name = event.key.partition(" ")
        if kind == "time_zone":
            self.app.push_screen(ZoneScreen(self.feed, self._app.settings.time_zone), self._take_zone)
        elif kind == "colours":
            red = self._app.settings.colours == RED_UP
            self._write(lambda: write_setting("colours", GREEN_UP if red else RED_UP))
        elif kind == "theme":
            self.app.search_themes()
        elif kind == "key":
            self.app.push_screen(PressScreen(name, self.keys), lambda key: self._take_key(name, key))
        else:
            self._want(name)

    def action_usual(self) -> None:
        kind, _, name = (self.table.key or "").partition(" ")
        if kind in ("time_zone", "colours"):
            self._write(lambda: write_setting(kind, ""))
        elif kind == "key":
            self._write(lambda: write_keys(name, ()))
        else:
            self.say(Notice("This one is changed by enter", Tone.INFO))

    def _take_zone(self, name: str | None) -> None:
        if name is not None:
            self._write(lambda: write_setting("time_zone", name))

    def _take_key(self, action_id: str, key: str | None) -> None:
        if key is not None:
            self._write(lambda: write_keys(action_id, (key,)))

    def _write(self, write: Callable[[], Settings]) -> None:
        try:
            settings = write()
        except SettingsError as error:
            self.say(Notice(str(error), Tone.BAD))
            return
        self.say(None)
        self._app.use(settings)
        self._show()

    def _want(self, name: str) -> None:
        one = next(one for one in self.wanted if one.kind.name == name)
        # On the screen, sent on too, not told at all, and round.
        if not one.screen:
            one = replace(one, screen=True, channel=False)
        elif not one.channel:
            one = replace(one, channel=True)
        else:
            one = replace(one, screen=False)
        self._prefer(one)

    @work(group="want", exclusive=True)
    async def _prefer(self, one: Preference) -> None:
        gateway = self.feed.gateway
        wanted = await self.asked(lambda: gateway.letters.prefer(one, gateway.new_request_id()))
        if wanted is not None:
            self.wanted = wanted
            self._show()


class ZoneScreen(FormScreen[str]):
    """Answers a zone's name; empty: this machine's."""

    TITLE: ClassVar[str] = "Time zone"
    SENDS: ClassVar[str] = "takes it; nothing: this machine's zone"

    def __init__(self, feed: Feed, name: str) -> None:
        field = Field("zone", "Zone", "such as Europe/Prague; → completes it", value=name)
        super().__init__(feed, (field,))
        self._zones = sorted(available_timezones())

    def on_mount(self) -> None:
        self.suggest("zone", self._zones)

    async def preview(self) -> str:
        written = self.written("zone").lower()
        fitting = [zone for zone in self._zones if written.replace(" ", "_") in zone.lower()]
        if not fitting:
            raise NotYet("There is no such zone. Type a city's name to see those that fit.")
        return _listed(fitting)

    async def send(self) -> None:
        written = self.written("zone").replace(" ", "_").lower()
        if not written:
            self.dismiss("")
            return
        fitting = [zone for zone in self._zones if written in zone.lower()]
        exact = [zone for zone in fitting if zone.lower() == written]
        if len(exact or fitting) != 1:
            raise NotYet(_listed(fitting) if fitting else "There is no such zone. Type a city's name.")
        self.dismiss(zone_of((exact or fitting)[0]).key)


def _listed(zones: Iterable[str]) -> str:
    names = list(zones)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
