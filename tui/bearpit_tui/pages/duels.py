"""Duels: what waits for one's move, who offers one, what came of those that are over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import ClassVar

from bearpit.client import BearpitError
from bearpit_tui.duels import Duel, Stage, Terms
from bearpit_tui.failures import answer_lost, error_words
from bearpit_tui.notices import Notice, Tone
from bearpit_tui.pages.duel_forms import ChallengeScreen, HouseScreen, MoveScreen, rules
from bearpit_tui.pages.duel_panes import OpenTable, OverTable, about, hint, now_words, urgency
from bearpit_tui.pages.page import Page
from bearpit_tui.screens.ask import AskScreen
from bearpit_tui.screens.live import LiveScreen, Seat, bindings
from bearpit_tui.state import State
from bearpit_tui.widgets.facts import Facts, Line
from bearpit_tui.widgets.listing import Listing
from bearpit_tui.widgets.money import money
from bearpit_tui.widgets.table import LineTable
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

PAUSE_SECONDS = 0.5
PATIENCE_SECONDS = 60.0

Call = Callable[[str], Awaitable[Duel]]


class DuelsPage(Page):
    """What is open above, what is over below it, and the chosen duel beside or below them."""

    PLACE = "duels"
    ABOUT = (
        "Rock, paper, scissors for points. Both stakes are put aside until the duel is over. Each side first "
        "sends a hash of its move and only then tells the move, so that nobody can wait for the other's. "
        "Your moves are told by themselves while bearpit is open here, on whatever page. ● marks what "
        "waits for you. Once a duel is over, this machine checks every hash, the result and the money: "
        "✓ is verified, ✗✗ went wrong, and the operators should hear of it."
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings("duels")
    DEFAULT_CSS = """
    DuelsPage {
        & #why { height: auto; background: $warning 20%; color: $text-warning; padding: 0 1; }
        & #both { height: 1fr; }
        & #lists { width: 1fr; }
        & #open { height: 1fr; }
        & #over { height: 1fr; }
        & #duel { width: 46; height: 1fr; }
        &.-narrow #both { layout: vertical; }
        &.-narrow #lists { height: 1fr; }
        &.-narrow #duel { width: 1fr; height: 6; }
    }
    """

    def __init__(self, seat: Seat) -> None:
        super().__init__(seat)
        self.everybody = False
        self.terms: Terms | None = None
        self.over: tuple[Duel, ...] = ()
        self._asked: set[tuple[int, int]] = set()
        """Duels and rounds whose move was asked for by itself."""
        self._just_over: Duel | None = None
        """What has ended while the page was open: it is shown until the player looks at something else."""

    def body(self) -> ComposeResult:
        yield Static("", id="why", markup=False)
        with Horizontal(id="both"):
            with Vertical(id="lists"):
                yield OpenTable(self._me, self._server_now, id="open")
                yield OverTable(self._me, self.zone, self._server_now, id="over")
            yield Facts(id="duel")

    def on_mount(self) -> None:
        for name, title in (("open", "Open"), ("over", "Over: yours"), ("duel", "")):
            pane = self.query_one(f"#{name}")
            pane.add_class("pane")
            pane.border_title = title
        self.open.focus()

    @property
    def open(self) -> OpenTable:
        return self.query_one(OpenTable)

    @property
    def finished(self) -> OverTable:
        return self.query_one(OverTable)

    def _me(self) -> str:
        return self.state.player

    def _server_now(self) -> datetime:
        return self.now() + self.state.ahead

    def on_resize(self) -> None:
        self.set_class(self.app.size.width < 110, "-narrow")

    # What there is ------------------------------------------------------------------------------------

    async def load(self) -> None:
        duels = self.feed.gateway.duels
        self.terms = await duels.terms()
        self.over = tuple(await duels.finished("" if self.everybody else self._me()))
        self._show_over()

    def follow(self, before: State | None, state: State) -> None:
        if before is None or before.me is not state.me or before.wallet is not state.wallet:
            self._show_why()
        if before is None or before.duels is not state.duels:
            self._show_open()
            over = [one for one in state.duels.mine if one.over]
            known = [one for one in before.duels.mine if one.over] if before is not None else []
            if over != known:
                past = {one.duel_id for one in known}
                ended = [one for one in over if one.duel_id not in past]
                if ended and before is not None and before.duels.loaded:
                    self._just_over = ended[0]
                self._show_over()
            self.call_after_refresh(self._ask_moves)

    def tick(self) -> None:
        super().tick()
        self.open.tick()
        self._show_duel()

    def _show_open(self) -> None:
        me, duels = self._me(), self.state.duels
        rows = {one.duel_id: one for one in (*duels.board, *duels.mine) if not one.over}
        self.open.set_rows(sorted(rows.values(), key=lambda one: (urgency(one, me), -one.duel_id)))
        waiting = sum(one.awaits(me) or one.asks(me) for one in rows.values())
        self.open.border_subtitle = (
            f"{waiting} {'waits' if waiting == 1 else 'wait'} for you" if waiting else ""
        )
        self._show_duel()

    def _show_over(self) -> None:
        mine = {one.duel_id: one for one in self.state.duels.mine if one.over}
        rows = {one.duel_id: one for one in self.over} | mine
        self.finished.set_rows(sorted(rows.values(), key=lambda one: (one.at, one.duel_id), reverse=True))
        wrong = sum(one.wrong for one in rows.values())
        self.finished.border_title = "Over: everybody's" if self.everybody else "Over: yours"
        self.finished.border_subtitle = f"{wrong} WENT WRONG: tell the operators" if wrong else ""
        self._show_duel()

    def _show_why(self) -> None:
        line = self.query_one("#why", Static)
        words = self._why_not()
        line.display = bool(words)
        line.update(words)

    def _why_not(self) -> str:
        """Why no duel can be begun; empty: one can."""
        if self.state.me.frozen:
            return "You can only look at the moment, and not duel. Ask the operators why."
        if not self.state.me.may("PLAY"):
            return "You may look at duels, and not play any."
        if self.state.wallet.debt_cents:
            owed = money(self.state.wallet.debt_cents)
            return f"You owe the house {owed}: no duels until it is repaid. What comes in repays it first."
        return ""

    def _tell_news(self, notices: tuple[Notice, ...]) -> None:
        # What comes of a move is what the player waits for here: it takes the place of "Sent".
        LiveScreen._tell_news(self, notices)

    # The chosen one -----------------------------------------------------------------------------------

    def chosen(self) -> Duel | None:
        """The duel under the cursor of the list that has the focus."""
        if self._just_over is not None:
            return self._just_over
        looks_back = self.finished.has_focus or not self.open.rows
        table: LineTable[Duel] = self.finished if looks_back else self.open
        return table.rows[table.cursor] if table.rows else None

    @on(Listing.Highlighted)
    def _on_highlighted(self) -> None:
        self._just_over = None
        self._show_duel()

    def on_descendant_focus(self) -> None:
        self._show_duel()

    def _show_duel(self) -> None:
        one, me, now = self.chosen(), self._me(), self._server_now()
        pane = self.query_one("#duel", Facts)
        pane.border_title = f"Duel {one.duel_id}" if one is not None else ""
        terms = self.terms

        def lines(width: int) -> tuple[list[Line], int]:
            return list(about(one, me, now, width) if one is not None else hint(terms, width)), 0

        pane.show(str(one.duel_id) if one is not None else "", lines)

    # Doing --------------------------------------------------------------------------------------------

    def _can(self) -> bool:
        words = self._why_not()
        if words:
            self.say(Notice(words, Tone.WARNING))
        return not words

    def action_challenge(self) -> None:
        def sent(duel: Duel | None) -> None:
            if duel is not None:
                whom = duel.opponent or "whoever accepts"
                words = f"Challenged {whom} for {money(duel.stake_cents)}; your move is kept on this machine"
                self.say(Notice(words, Tone.GOOD))

        if self._can():
            self.app.push_screen(ChallengeScreen(self.feed), sent)

    def action_duel_house(self) -> None:
        def opened(duel: Duel | None) -> None:
            if duel is not None:
                self._choose(duel)

        if self._can():
            self.app.push_screen(HouseScreen(self.feed), opened)

    @on(Listing.Selected, "#open")
    def action_duel_play(self) -> None:
        one = self.open.rows[self.open.cursor] if self.open.rows else None
        me = self._me()
        if not self.offers_play():
            return
        if one is None:
            self.say(Notice("There is no duel to accept, or to move in", Tone.INFO))
            return
        if one.awaits(me):
            self._choose(one)
        elif one.stage is Stage.OPEN and one.challenger != me:
            self._accept(one)
        else:
            self.say(Notice(f"Nothing to do for you: {now_words(one, me)}", Tone.INFO))

    def offers_play(self) -> bool:
        """Whether this player may play; if not, that is told."""
        if not self.state.me.may("PLAY"):
            self.say(Notice(self._why_not(), Tone.WARNING))
        return self.state.me.may("PLAY")

    def action_duel_end(self) -> None:
        one = self.open.rows[self.open.cursor] if self.open.rows else None
        me, duels = self._me(), self.feed.gateway.duels
        if one is None:
            return
        if one.asks(me):
            question, yes = f"Decline {one.challenger}'s duel for {money(one.stake_cents)}?", "decline it"
            call: Call = lambda request_id: duels.decline(one.duel_id, request_id)  # noqa: E731
        elif one.challenger == me and one.stage in (Stage.OPEN, Stage.CHOOSING):
            question, yes = f"Take back your duel for {money(one.stake_cents)}?", "take it back"
            call = lambda request_id: duels.cancel(one.duel_id, request_id)  # noqa: E731
        else:
            self.say(Notice("It has begun: it cannot be taken back any more", Tone.INFO))
            return

        def answered(agreed: bool | None) -> None:
            if agreed:
                self._send(call)

        self.app.push_screen(AskScreen(question, yes, "leave it"), answered)

    def action_duels_of(self) -> None:
        self.everybody = not self.everybody
        self.over = ()
        self._show_over()
        self.reload()

    def _accept(self, one: Duel) -> None:
        if not self._can():
            return
        words = f"{one.challenger} plays for {money(one.stake_cents)} each. "
        words += rules(one.stake_cents, one)

        def moved(move: str | None) -> None:
            if move is not None:
                duels = self.feed.gateway.duels
                self._send(lambda request_id: duels.accept(one.duel_id, move, request_id))

        self._push_move(f"Accept {one.challenger}'s challenge", words, one, "esc leaves it open", moved)

    def _choose(self, one: Duel) -> None:
        """Ask for a move of a duel that has begun, and send it."""
        self._asked.add((one.duel_id, one.round))
        duels, number = self.feed.gateway.duels, one.round
        house = one.stage is Stage.CHOOSING
        words = f"{money(one.stake_cents)} against {one.other(self._me())}."
        if one.round > 1:
            words += f" {_drawn(one)} Round {one.round} of at most {one.max_rounds}."
        if house and one.rounds:
            words += f" The house has committed to its move:\n{one.rounds[-1].opponent.commitment}"

        def moved(move: str | None) -> None:
            if move is None:
                return
            send = duels.play_house if house else duels.commit
            self._send(lambda request_id: send(one.duel_id, number, move, request_id))

        self._push_move("Your move", words, one, "esc: later, in time", moved)

    def _push_move(
        self, title: str, words: str, one: Duel, how: str, moved: Callable[[str | None], None]
    ) -> None:
        screen = MoveScreen(title, words, how, due_at=one.due_at, now=self._server_now)
        self.app.push_screen(screen, moved)

    def _ask_moves(self) -> None:
        """Ask by itself for the next move after a draw: the time for it is short."""
        if self.app.screen is not self or not self.state.me.may("PLAY"):
            return
        for one in self.state.duels.mine:
            if one.awaits(self._me()) and one.round > 1 and (one.duel_id, one.round) not in self._asked:
                self._choose(one)
                return

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self.is_mounted:
            self.call_after_refresh(self._ask_moves)

    @work(group="send")
    async def _send(self, call: Call) -> None:
        """Do a thing once, though its answer be lost; what came of it is shown by the stream as well."""
        request_id = self.feed.gateway.new_request_id()
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            try:
                duel = await call(request_id)
            except BearpitError as error:
                if not answer_lost(error) or loop.time() - began > PATIENCE_SECONDS:
                    self.say(Notice(error_words(error), Tone.BAD))
                    return
                self.say(Notice("No answer yet. Asking again; it cannot be done twice.", Tone.WARNING))
                await asyncio.sleep(PAUSE_SECONDS)
                await self.feed.connected()
            else:
                self.feed.take_duel(duel)
                known = next((one for one in self.feed.state.duels.mine if one.duel_id == duel.duel_id), duel)
                if known.over:
                    return  # told with the verdict, as all that ends
                self.say(Notice(f"Sent: {now_words(known, self._me())}", Tone.GOOD))
                return


def _drawn(one: Duel) -> str:
    drawn = one.rounds[-2] if len(one.rounds) > 1 else None
    return f"Both played {drawn.challenger.move}: a draw." if drawn is not None else "A draw."
