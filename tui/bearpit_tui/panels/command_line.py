"""The command line, its completions above it, and its history."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from bearpit_tui.commands import Context
from bearpit_tui.completions import Completion, complete
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Label, Static

HISTORY = 100


class CompletionList(Static):
    """What the last word may become, over the panes' lower edge."""

    DEFAULT_CSS = """
    CompletionList {
        layer: above; dock: bottom; height: auto; width: auto; min-width: 30; margin: 0 0 2 1; padding: 0 1;
        display: none; background: $panel; border: round $primary;
        &.-shown { display: block; }
    }
    """

    def show(self, completions: tuple[Completion, ...], chosen: int, above: int) -> None:
        """Show these, one of them marked, leaving so many rows of a message free; none hides the list."""
        self.set_class(bool(completions), "-shown")
        if not completions:
            return
        self.styles.margin = (0, 0, 2 + above, 1)
        width = max(len(one.label) for one in completions)
        lines = []
        for place, one in enumerate(completions):
            mark = "▸" if place == chosen else " "
            line = Content(f"{mark} {one.label.ljust(width)}") + Content.styled(
                f"  {one.note[:40]}", "$foreground 60%"
            )
            lines.append(line.stylize("bold") if place == chosen else line)
        self.update(Content("\n").join(lines))


class CommandInput(Input):
    """One line; tab completes, ↑ ↓ choose a completion or go through what was typed before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", show=False),
        Binding("up", "choose(-1)", show=False),
        Binding("down", "choose(1)", show=False),
    ]

    def __init__(self, context: Callable[[], Context], *, id: str | None = None) -> None:
        super().__init__(id=id, compact=True, max_length=200, select_on_focus=False)
        self._known = context
        self._completions: tuple[Completion, ...] = ()
        self._chosen = 0
        self._moved = False
        self._history: list[str] = []
        self._back = 0

    class Completing(Message):
        """Other completions, or another one chosen."""

        def __init__(self, completions: tuple[Completion, ...], chosen: int) -> None:
            self.completions = completions
            self.chosen = chosen
            super().__init__()

    def watch_value(self, value: str) -> None:
        self._chosen, self._moved = 0, False
        self._complete(complete(value, self._known()) if self.has_focus and not self._back else ())

    def _complete(self, completions: tuple[Completion, ...]) -> None:
        if completions or self._completions:
            self._completions = completions
            self.post_message(self.Completing(completions, self._chosen))

    def on_blur(self) -> None:
        self._complete(())

    def action_complete(self) -> None:
        """Take the chosen completion; without one, go to the next pane."""
        if self._completions:
            self._take(self._completions[self._chosen])
        else:
            self.screen.focus_next()

    def action_choose(self, steps: int) -> None:
        """Another completion, or another line from before."""
        if self._completions:
            self._chosen = (self._chosen + steps) % len(self._completions)
            self._moved = True
            self.post_message(self.Completing(self._completions, self._chosen))
            return
        self._back = max(0, min(self._back - steps, len(self._history)))
        self.value = self._history[-self._back] if self._back else ""
        self.cursor_position = len(self.value)

    def _take(self, completion: Completion) -> None:
        self.value = completion.line
        self.cursor_position = len(self.value)

    def settled(self) -> str | None:
        """The line to run on enter; None: a completion was taken first, and the line is not done.

        A single word that is no symbol yet becomes the completion that is marked, so that `/appl⏎` goes
        to Apple; of a longer line only a completion that was chosen by hand is taken.
        """
        text = self.value.strip()
        if (
            self._completions
            and text
            and (self._moved or (" " not in text and text.upper() not in self._known().names))
        ):
            completion = self._completions[self._chosen]
            if completion.line.endswith(" ") and text.lower() != completion.line.strip():
                self._take(completion)
                return None
            return completion.line.strip()
        return text

    def remember(self, line: str) -> None:
        """Keep a line for ↑; what it may have become is no longer shown, for an answer may stand there."""
        # Later, as the input's own doing: what the line has it tell stops at the line, who knows already.
        self.call_later(self._complete, ())
        if line and self._history[-1:] != [line]:
            self._history = [*self._history, line][-HISTORY:]
        self._back = 0

    async def on_key(self, event: events.Key) -> None:
        if event.is_printable or event.key == "backspace":
            self._back = 0


class CommandLine(Horizontal):
    """The prompt and its input."""

    DEFAULT_CSS = """
    CommandLine {
        height: 1; padding: 0 1; background: $surface;
        & > Label { color: $foreground 60%; width: 2; }
        &:focus-within > Label { color: $text-accent; text-style: bold; }
        & > CommandInput { width: 1fr; background: $surface; }
        & > CommandInput > .input--placeholder { color: $foreground 60%; }
    }
    """

    class Entered(Message):
        """A line to be understood and done."""

        def __init__(self, line: str) -> None:
            self.line = line
            super().__init__()

    def __init__(self, context: Callable[[], Context], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.input = CommandInput(context, id="command")

    def compose(self) -> ComposeResult:
        yield Label("▶", markup=False)
        yield self.input

    def suggest(self, words: str) -> None:
        """What the empty line shows."""
        if self.input.placeholder != words:
            self.input.placeholder = words

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        line = self.input.settled()
        if line is not None:
            self.input.remember(line)
            self.post_message(self.Entered(line))

    def clear(self) -> None:
        """Empty the line, as after it was done."""
        self.input.value = ""

    def give_back(self, line: str) -> None:
        """Show a line again that was refused, to be mended."""
        self.input.value = line
        self.input.cursor_position = len(line)
