"""A question before something that cannot be taken back: only `y` says yes."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static


class AskScreen(ModalScreen[bool]):
    """Answers True or False."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape,enter", "answer(False)", "No"),
    ]
    DEFAULT_CSS = """
    AskScreen {
        align: center middle; background: $background 60%;
        & > Vertical {
            width: auto; max-width: 70; height: auto; border: round $warning; background: $surface;
            padding: 1 3;
        }
        & Static { width: auto; }
        & .answers { margin-top: 1; color: $foreground 60%; }
    }
    """

    def __init__(self, question: str, yes: str, no: str) -> None:
        super().__init__()
        self.question = question
        self.answers = f"y  {yes}      n  {no}"

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self.question, markup=False)
            yield Static(self.answers, markup=False, classes="answers")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
