"""Who is playing, and where: shown when no stored sign-in is good."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Label, Static

SHORTEST_PASSWORD = 8


class SignInScreen(Screen[None]):
    """Server, name, password. An unknown name is created when asked to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "create", "Create a new player"),
        Binding("ctrl+q,escape", "app.quit", "Quit"),
    ]
    DEFAULT_CSS = """
    SignInScreen {
        align: center middle;
        & > Vertical {
            width: 64; max-width: 96%; height: auto; border: round $border; padding: 1 3;
            border-title-style: bold;
        }
        & #fields {
            layout: grid; grid-size: 2; grid-columns: 10 1fr; grid-rows: 1; grid-gutter: 1 0; height: auto;
        }
        & Label { color: $foreground 60%; }
        & Input { background: $surface; }
        & Input:focus { background: $primary 40%; }
        & #words { margin-top: 1; height: auto; min-height: 2; }
        & #words.-bad { color: $text-error; }
        & #keys { color: $foreground 60%; margin-top: 1; }
    }
    """

    class Entered(Message):
        """Somebody wants in."""

        def __init__(self, server: str, name: str, password: str, *, new: bool) -> None:
            self.server = server
            self.name = name
            self.password = password
            self.new = new
            super().__init__()

    def __init__(self, server: str, name: str = "", words: str = "") -> None:
        super().__init__()
        self._server, self._player, self._words = server, name, words
        self.busy = False

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Bearpit"
            with Container(id="fields"):
                yield Label("Server")
                yield Input(self._server, placeholder="host:port", id="server", compact=True)
                yield Label("Name")
                yield Input(
                    self._player, placeholder="yours, or a new one", id="name", compact=True, max_length=24
                )
                yield Label("Password")
                yield Input(
                    placeholder=f"{SHORTEST_PASSWORD} characters or more",
                    password=True,
                    id="password",
                    compact=True,
                    max_length=256,
                )
            yield Static(self._words or "Sign in, or choose a new name to begin.", id="words", markup=False)
            yield Static("enter sign in · ctrl+n create this player · esc quit", id="keys", markup=False)

    def on_mount(self) -> None:
        if self._words:
            self.query_one("#words").add_class("-bad")
        first_empty = next((field for field in self.query(Input) if not field.value), None)
        (first_empty or self.query_one("#password", Input)).focus()

    def say(self, words: str, *, bad: bool = False) -> None:
        """Tell how it goes."""
        self.busy = self.busy and not bad
        self.query_one("#words", Static).update(words)
        self.query_one("#words").set_class(bad, "-bad")

    def offer_new(self, name: str) -> None:
        """Name and password did not match: it may be a new name, or a mistyped password."""
        self.busy = False
        self.say(
            f"No player {name} with that password. If {name} is a new name, press ctrl+n and it will be "
            "created. If it is yours, type the password again.",
            bad=True,
        )
        self.query_one("#password", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        empty = next((field for field in self.query(Input) if not field.value.strip()), None)
        if empty is not None:
            empty.focus()
        else:
            self._enter(new=False)

    def action_create(self) -> None:
        """Make a player of this name."""
        self._enter(new=True)

    def _enter(self, *, new: bool) -> None:
        if self.busy:
            return
        server, name = (self.query_one(f"#{field}", Input).value.strip() for field in ("server", "name"))
        password = self.query_one("#password", Input).value
        if fault := fault_in(server, name, password, new=new):
            self.say(fault, bad=True)
            return
        self.busy = True
        self.say(f"Creating {name}…" if new else f"Signing in at {server}…")
        self.post_message(self.Entered(server, name, password, new=new))


def fault_in(server: str, name: str, password: str, *, new: bool) -> str:
    """What must be mended before the server is asked; empty: nothing."""
    if not server:
        return "Type the server's address, such as 127.0.0.1:7117."
    if not name:
        return "Type a name: 3 to 24 letters, digits, dots, dashes or underscores."
    if new and not (3 <= len(name) <= 24 and all(sign.isalnum() or sign in "_-." for sign in name)):
        return "A name has 3 to 24 letters, digits, dots, dashes or underscores. Change it."
    if new and len(password) < SHORTEST_PASSWORD:
        return f"A password has at least {SHORTEST_PASSWORD} characters. Make it longer."
    if not password:
        return "Type the password."
    return ""
