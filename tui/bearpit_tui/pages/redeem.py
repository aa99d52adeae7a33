"""Redeeming a code: typed, pasted, or out of a link."""

from __future__ import annotations

from datetime import tzinfo
from typing import ClassVar

from bearpit_tui.camp.codes import LONGEST, Redeemed
from bearpit_tui.feed import Feed
from bearpit_tui.screens.form import Field, FormScreen, NotYet
from bearpit_tui.widgets.money import money, percent


class RedeemScreen(FormScreen[Redeemed]):
    """Answers what it brought."""

    TITLE: ClassVar[str] = "Redeem a code"
    SENDS: ClassVar[str] = "redeems it"

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed, (Field("code", "Code", "ABCD-EFGH-JKMNP, or a link", longest=LONGEST),))

    async def preview(self) -> str:
        # Not asked of the server: a wrong code counts as a guess, and guessing is slowed down.
        return ""

    async def send(self) -> None:
        code = self.written("code")
        if not code:
            raise NotYet("Type the code, or paste the link.")
        self.tell("Redeeming…")
        codes = self.gateway.codes
        self.dismiss(await self.deliver(code, lambda request_id: codes.redeem(code, request_id)))


def redeemed_words(one: Redeemed, zone: tzinfo) -> str:
    """What it brought, in a sentence."""
    why = f" ({one.reason})" if one.reason else ""
    if one.referrer:
        return (
            f"{one.referrer} brought you along; after your first trade {money(one.points_cents)} points "
            "are yours"
        )
    if one.shares:
        return f"{one.shares:,} {one.symbol} are yours{why}"
    if one.fee_off_bps:
        until = f" until {one.fee_off_until.astimezone(zone):%a %H:%M}" if one.fee_off_until else ""
        instead = f", in place of {percent(one.replaced_off_bps)}" if one.replaced_off_bps else ""
        return f"Trading fees are {percent(one.fee_off_bps)} lower{until}{instead}{why}"
    return f"{money(one.points_cents)} points are yours{why}"
