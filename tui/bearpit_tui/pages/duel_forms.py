"""The boxes over the duels: a challenge, a duel against the house, and the choice of a move."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar

from bearpit_tui.camp.wallet import amount_of
from bearpit_tui.duels import MOVES, Duel, Terms
from bearpit_tui.feed import Feed
from bearpit_tui.moments import countdown
from bearpit_tui.screens.form import Field, FormScreen, NotYet
from bearpit_tui.widgets.money import money
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

HANDS = {
    "rock": ("    _______", "---'   ____)", "      (_____)", "      (_____)", "      (____)", "---.__(___)"),
    "paper": (
        "    _______",
        "---'   ____)____",
        "          ______)",
        "          _______)",
        "         _______)",
        "---.__________)",
    ),
    "scissors": (
        "    _______",
        "---'   ____)____",
        "          ______)",
        "       __________)",
        "      (____)",
        "---.__(___)",
    ),
}
HAND = 22
"""Cells of a hand and the space beside it."""

LOW = 30
"""Lines below which there is no room for hands."""


class MoveScreen(ModalScreen[str | None]):
    """Answers the move, or None: not now. One key is enough, for the box says what it is for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(f"{move[0]},{n}", f"choose('{move}')", move) for n, move in enumerate(MOVES, 1)),
        Binding("escape,q", "leave", "Not now"),
    ]
    DEFAULT_CSS = """
    MoveScreen {
        align: center middle; background: $background 60%;
        & > Vertical {
            width: 74; max-width: 98%; height: auto; border: round $border; background: $surface;
            border-title-style: bold; padding: 1 2;
        }
        & Static { height: auto; }
        & #hands { margin-top: 1; }
        & #left { color: $text-warning; }
        & #how { color: $foreground 60%; margin-top: 1; }
    }
    """

    def __init__(
        self,
        title: str,
        words: str,
        how: str = "esc leaves",
        *,
        due_at: datetime | None = None,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        super().__init__()
        self._title, self._words, self._how = title, words, how
        self._due_at, self._now = due_at, now

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = self._title
            yield Static(self._words, markup=False)
            yield Static("", id="left", markup=False)
            yield Static(self._hands(), id="hands")
            yield Static(self._how, id="how", markup=False)

    def on_mount(self) -> None:
        self._tick()
        self.set_interval(1.0, self._tick)

    def _tick(self) -> None:
        left = self.query_one("#left", Static)
        left.display = self._due_at is not None
        if self._due_at is not None:
            rest = self._due_at - self._now()
            over = rest <= timedelta(0)
            left.update("the time is up" if over else f"{countdown(rest)} left to choose")

    def _hands(self) -> Content:
        keys = [
            Content.styled(f"{move[0]} ", "$text-accent bold") + Content.styled(move, "bold")
            for move in MOVES
        ]
        line = Content("").join(key + Content(" " * (HAND - len(key.plain))) for key in keys)
        if self.app.size.height < LOW:
            return line
        drawn = ["".join(HANDS[move][row].ljust(HAND) for move in MOVES) for row in range(6)]
        return Content("\n").join([*(Content.styled(row, "$foreground 60%") for row in drawn), line])

    def action_choose(self, move: str) -> None:
        self.dismiss(move)

    def action_leave(self) -> None:
        self.dismiss(None)


def rules(stake_cents: int, under: Duel | Terms) -> str:
    """What may come of a duel."""
    share = -(-stake_cents * under.house_bps // 10_000)
    kept = f"; the house keeps {money(share)}" if share else ""
    if under.plays_on:
        draw = f"is played again, up to {under.max_rounds} rounds in all; then the stakes go back"
    else:
        draw = "gives the stakes back"
    return f"Who wins gains {money(stake_cents - share)}{kept}. A draw {draw}."


STAKE = Field("amount", "Stake", "points, such as 25 or 12.50", longest=20)


async def agreed(form: FormScreen[Duel]) -> tuple[Terms, int]:
    """The terms, and the stake in cents as it is written. Raises NotYet."""
    terms = await form.gateway.duels.terms()  # operators may have changed them since the page was opened
    amount = form.written("amount")
    if not amount:
        raise NotYet("Type how much each side puts up.")
    try:
        cents = amount_of(amount)
    except ValueError as error:
        raise NotYet(str(error)) from None
    if not terms.minimum_cents <= cents <= terms.maximum_cents:
        least, most = money(terms.minimum_cents), money(terms.maximum_cents)
        raise NotYet(f"A stake is from {least} to {most} points.")
    return terms, cents


class ChallengeScreen(FormScreen[Duel]):
    """Answers the duel that was offered."""

    TITLE: ClassVar[str] = "Challenge"
    SENDS: ClassVar[str] = "goes on to your move"

    def __init__(self, feed: Feed) -> None:
        whom = Field("opponent", "Whom", "a player's name, or nobody: the open board", longest=24)
        super().__init__(feed, (STAKE, whom))

    def on_mount(self) -> None:
        self._suggest_names()

    @work(group="suggest")
    async def _suggest_names(self) -> None:
        self.suggest("opponent", await self.gateway.people.names())

    async def preview(self) -> Content | str:
        terms, stake = await agreed(self)
        free = await self.gateway.duels.quote(self.written("opponent"), stake)
        return f"{rules(stake, terms)} Your stake is put aside now; {money(free)} stay free."

    async def send(self) -> None:
        terms, stake = await agreed(self)
        opponent = self.written("opponent")
        await self.gateway.duels.quote(opponent, stake)
        words = (
            f"{money(stake)} against {opponent or 'whoever accepts'}. {rules(stake, terms)}\nNobody sees "
            "your move before it is too late to change one's own. If nobody accepts within "
            f"{countdown(timedelta(seconds=terms.accept_seconds))}, your stake comes back."
        )
        move = await self.app.push_screen_wait(MoveScreen("Your move", words, "esc changes the challenge"))
        if move is None:
            self.tell("Nothing was sent.")
            return
        self.tell("Sending…")
        duels = self.gateway.duels
        duel = await self.deliver(
            (opponent, stake, move), lambda request_id: duels.challenge(opponent, stake, move, request_id)
        )
        self.dismiss(duel)


class HouseScreen(FormScreen[Duel]):
    """Answers a duel to which the house has committed."""

    TITLE: ClassVar[str] = "Against the house"
    SENDS: ClassVar[str] = "has the house commit to its move"

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed, (STAKE,))

    async def preview(self) -> Content | str:
        terms, stake = await agreed(self)
        free = await self.gateway.duels.quote_house(stake)
        bound = "The house moves by chance, and is bound before you move."
        return f"{rules(stake, terms)} {money(free)} stay free. {bound}"

    async def send(self) -> None:
        _, stake = await agreed(self)
        self.tell("The house draws its move…")
        duels = self.gateway.duels
        self.dismiss(await self.deliver(stake, lambda request_id: duels.open_house(stake, request_id)))
