"""Giving points to another player: who, how much, a word to it; what it costs; and then: really?"""

from __future__ import annotations

from typing import ClassVar

from bearpit_tui.camp.wallet import Gift, Given, amount_of
from bearpit_tui.feed import Feed
from bearpit_tui.screens.ask import AskScreen
from bearpit_tui.screens.form import Field, FormScreen, NotYet
from bearpit_tui.widgets.money import money
from textual import work
from textual.content import Content

LONGEST_NAME, LONGEST_NOTE = 24, 140


class TransferScreen(FormScreen[Gift]):
    """Answers what was given."""

    TITLE: ClassVar[str] = "Transfer"
    SENDS: ClassVar[str] = "goes on to a question"

    def __init__(self, feed: Feed, to: str = "") -> None:
        fields = (
            Field("to", "To", "a player's name; → completes it", longest=LONGEST_NAME, value=to),
            Field("amount", "Amount", "points, such as 25 or 12.50", longest=20),
            Field("note", "Note", "a word to it, or nothing", longest=LONGEST_NOTE),
        )
        super().__init__(feed, fields)

    def on_mount(self) -> None:
        self._suggest_names()

    @work(group="suggest")
    async def _suggest_names(self) -> None:
        self.suggest("to", await self.gateway.people.names())

    def gift(self) -> Gift:
        """The transfer as it is written. Raises NotYet."""
        to, amount = self.written("to"), self.written("amount")
        if not to:
            raise NotYet("Type who it is for.")
        if not amount:
            raise NotYet("Type how much.")
        try:
            return Gift(to, amount_of(amount), self.written("note"))
        except ValueError as error:
            raise NotYet(str(error)) from None

    async def preview(self) -> Content | str:
        gift = self.gift()
        given = await self.gateway.purse.quote(gift)
        rows = [
            (f"{gift.to} gets", money(gift.amount_cents)),
            ("Fee", money(given.fee_cents)),
            ("It costs you", money(gift.amount_cents + given.fee_cents)),
            ("Free after it", money(given.free_after_cents)),
        ]
        width = max(len(label) for label, _ in rows)
        figures = max(len(value) for _, value in rows)
        return Content("\n").join(
            Content.styled(label.ljust(width + 2), "$foreground 60%") + Content(value.rjust(figures))
            for label, value in rows
        )

    async def send(self) -> None:
        gift = self.gift()
        given = await self.gateway.purse.quote(gift)
        if not await self.app.push_screen_wait(AskScreen(_question(gift, given), "give it", "change it")):
            self.tell("Nothing was given.")
            return
        self.tell("Giving…")
        await self.deliver(gift, lambda request_id: self.gateway.purse.give(gift, request_id))
        self.dismiss(gift)


def _question(gift: Gift, given: Given) -> str:
    note = f'\nNote: "{gift.note}"' if gift.note else ""
    fee = f" with the fee of {money(given.fee_cents)}" if given.fee_cents else ""
    return (
        f"Give {money(gift.amount_cents)} to {gift.to}?{note}\n"
        f"It costs you {money(gift.amount_cents + given.fee_cents)}{fee}; "
        f"{money(given.free_after_cents)} stay free.\nIt cannot be taken back."
    )
