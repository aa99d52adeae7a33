"""A few fields in a box over a page, and below them what would come of them. Enter goes on, escape leaves."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from bearpit.client import BearpitError
from bearpit_tui.failures import answer_lost, error_words
from bearpit_tui.feed import Feed
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.timer import Timer
from textual.widgets import Input, Label, Static

SETTLE_SECONDS = 0.2
"""The fields stand still for so long before a preview is asked for."""

PAUSE_SECONDS = 0.5
PATIENCE_SECONDS = 60.0
"""For so long a lost answer is asked for again."""

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Field:
    """One line to write on."""

    name: str
    label: str
    placeholder: str = ""
    secret: bool = False
    longest: int = 140
    value: str = ""


class NotYet(ValueError):
    """What is written cannot be sent; the text tells what to do."""


class FormScreen(ModalScreen[R | None], Generic[R]):
    """Answers what was done, or None: it was left.

    A subclass has FIELDS, `preview()` if there is one, and `send()`.
    """

    TITLE: ClassVar[str] = ""
    SENDS: ClassVar[str] = "goes on"
    """What enter does."""
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back")]
    DEFAULT_CSS = """
    FormScreen {
        align: center middle; background: $background 60%;
        & > Vertical {
            width: 64; max-width: 96%; height: auto; border: round $border; background: $surface;
            border-title-style: bold; padding: 1 2;
        }
        & #fields {
            layout: grid; grid-size: 2; grid-columns: 10 1fr; grid-rows: 1; grid-gutter: 1 0; height: auto;
        }
        & Label { color: $foreground 60%; }
        & Input { background: $panel; }
        & Input:focus { background: $primary 40%; }
        & Input:focus:ansi { background: $block-cursor-background; color: $block-cursor-foreground; }
        & #told { margin-top: 1; height: auto; min-height: 3; }
        & #how { color: $foreground 60%; margin-top: 1; }
    }
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.send is FormScreen.send:
            raise TypeError(f"{cls.__name__} has no send()")

    def __init__(self, feed: Feed, fields: Iterable[Field]) -> None:
        super().__init__()
        self.feed = feed
        self.gateway = feed.gateway
        self.fields = tuple(fields)
        self.busy = False
        self._settling: Timer | None = None
        self._sent: tuple[object, str] | None = None

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = self.TITLE
            with Grid(id="fields"):
                for one in self.fields:
                    yield Label(one.label)
                    yield Input(
                        one.value,
                        placeholder=one.placeholder,
                        password=one.secret,
                        max_length=one.longest,
                        id=one.name,
                        compact=True,
                    )
            yield Static("", id="told", markup=False)
            fields = "tab next field · " if len(self.fields) > 1 else ""
            yield Static(f"enter {self.SENDS} · {fields}esc leaves", id="how", markup=False)

    def on_mount(self) -> None:
        first = next((field for field in self.query(Input) if not field.value), None)
        (first or self.query(Input).first()).focus()
        self._changed()

    def written(self, name: str) -> str:
        """What stands in a field."""
        return self.field(name).value.strip()

    def field(self, name: str) -> Input:
        """A field."""
        return self.query_one(f"#{name}", Input)

    def suggest(self, name: str, texts: Iterable[str]) -> None:
        """Complete what is written in a field; → takes it."""
        self.field(name).suggester = SuggestFromList(texts, case_sensitive=False)

    def tell(self, words: str | Content, *, bad: bool = False) -> None:
        """Say something below the fields."""
        if bad:
            words = Content.styled(f"✗ {words}", "$text-error")
        self.query_one("#told", Static).update(words)

    # What a subclass does -----------------------------------------------------------------------------

    async def preview(self) -> Content | str:
        """What would come of it. Raises NotYet, or BearpitError."""
        return ""

    @abstractmethod
    async def send(self) -> None:
        """Enter was pressed: ask, do, and dismiss. Raises NotYet, or BearpitError."""

    # How it goes --------------------------------------------------------------------------------------

    def on_input_changed(self) -> None:
        self._changed()

    def _changed(self) -> None:
        if self._settling is not None:
            self._settling.stop()
        self.workers.cancel_group(self, "preview")
        if not self.busy:
            self._settling = self.set_timer(SETTLE_SECONDS, self._preview)

    @work(group="preview", exclusive=True)
    async def _preview(self) -> None:
        if any(field.value for field in self.query(Input)):
            try:
                self.tell(await self.preview())
            except NotYet as error:
                self.tell(Content.styled(str(error), "$foreground 60%"))
            except BearpitError as error:
                self.tell(error_words(error), bad=True)

    def on_input_submitted(self) -> None:
        empty = next((one for one in self.query(Input) if not one.value and one is not self.focused), None)
        if empty is not None and self.query(Input).last() is not self.focused:
            self.focus_next()
        elif not self.busy:
            self.busy = True
            self._send()

    @work(group="send")
    async def _send(self) -> None:
        if self._settling is not None:
            self._settling.stop()
        self.workers.cancel_group(self, "preview")
        try:
            await self.send()
        except NotYet as error:
            self.tell(str(error), bad=True)
        except BearpitError as error:
            self.tell(error_words(error), bad=True)
        finally:
            self.busy = False

    async def deliver(self, what: object, call: Callable[[str], Awaitable[A]]) -> A:
        """Make a call once, though its answer be lost: it is asked for again with the same request id.

        The same thing sent again later by the player has the same id too, for as long as it is not known
        what became of it. Raises BearpitError; one without an answer means that this is still so.
        """
        if self._sent is None or self._sent[0] != what:
            self._sent = (what, self.gateway.new_request_id())
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            try:
                answer = await call(self._sent[1])
            except BearpitError as error:
                if not answer_lost(error):
                    self._sent = None
                    raise
                if loop.time() - began > PATIENCE_SECONDS:
                    raise NotYet(
                        "There was no answer, and it is not known whether it was done. Press enter to ask "
                        "again: it cannot be done twice."
                    ) from None
                self.tell("No answer yet. Asking again; it cannot be done twice.")
                await asyncio.sleep(PAUSE_SECONDS)
                await self.feed.connected()
            else:
                self._sent = None
                return answer

    def action_leave(self) -> None:
        self.dismiss(None)
