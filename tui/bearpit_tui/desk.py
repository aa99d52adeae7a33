"""Sending orders so that a lost answer never means a second order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bearpit.client import BearpitError
from bearpit_tui.commands import Amend
from bearpit_tui.drafts import Draft, describe
from bearpit_tui.failures import answer_lost, error_words
from bearpit_tui.feed import Feed
from bearpit_tui.gateway import Gateway, Placed
from bearpit_tui.notices import Notice, Tone, cancelled_notice, placed_notice

PATIENCE_SECONDS = 20.0
"""For so long an order that never arrived is sent again; later the player may no longer want it."""

PAUSE_SECONDS = 0.5


class NeverArrived(Exception):
    """The order did not reach the server, and it is too late to send it unasked."""


async def place(
    gateway: Gateway,
    draft: Draft,
    request_id: str,
    *,
    connected: Callable[[], Awaitable[None]],
    waiting: Callable[[str], None],
    clock: Callable[[], float],
) -> Placed:
    """Place an order, and find out what became of it if the answer is lost.

    It is asked after by its request id. Only if the server does not know it is it sent again, with the
    same id, so that it cannot be done twice even if the first one is still on its way.
    Raises BearpitError when it is refused and NeverArrived when it came to nothing.
    """
    began = clock()
    try:
        return await gateway.place(draft, request_id)
    except BearpitError as error:
        if not answer_lost(error):
            raise
    waiting(f"No answer yet to {describe(draft)}. Asking what became of it; do not send it again.")
    while True:
        await connected()
        try:
            order = await gateway.order_of_request(request_id)
            if order is not None:
                return Placed(order)
            if clock() - began > PATIENCE_SECONDS:
                raise NeverArrived(
                    f"{describe(draft)} never reached the server and was not placed. "
                    "Send it again if you still want it."
                )
            return await gateway.place(draft, request_id)
        except BearpitError as error:
            if not answer_lost(error):
                raise
        await asyncio.sleep(PAUSE_SECONDS)


class Desk:
    """Does what the player asks for, and says what became of it."""

    def __init__(self, feed: Feed, say: Callable[[Notice], None]) -> None:
        self._feed = feed
        self._gateway = feed.gateway
        self._say = say

    async def place(self, draft: Draft) -> int | None:
        """Place an order; its number, or None: it was refused."""
        request_id = self._gateway.new_request_id()
        self._feed.expect(request_id)
        placed = None
        try:
            placed = await place(
                self._gateway,
                draft,
                request_id,
                connected=self._feed.connected,
                waiting=lambda words: self._say(Notice(words, Tone.WARNING)),
                clock=asyncio.get_running_loop().time,
            )
        except BearpitError as error:
            self._say(Notice(f"{describe(draft)}: {error_words(error)}", Tone.BAD))
        except NeverArrived as error:
            self._say(Notice(str(error), Tone.BAD))
        else:
            self._say(placed_notice(placed))
        finally:
            self._feed.take_placed(request_id, placed)
        return placed.order.order_id if placed is not None else None

    async def cancel(self, order_id: int) -> bool:
        """Cancel one order; True: it was done."""

        async def cancelled() -> Notice:
            order = await self._gateway.cancel(order_id, self._gateway.new_request_id())
            self._feed.take_orders(order)
            return cancelled_notice([order])

        return await self._told(cancelled())

    async def cancel_all(self, symbol: str) -> bool:
        """Cancel all open orders, or those of one instrument; True: it was done."""

        async def cancelled() -> Notice:
            orders = await self._gateway.cancel_all(symbol, self._gateway.new_request_id())
            self._feed.take_orders(*orders)
            return cancelled_notice(orders)

        return await self._told(cancelled())

    async def amend(self, change: Amend) -> bool:
        """Change an open order; True: it was done."""

        async def amended() -> Notice:
            placed = await self._gateway.amend(change, self._gateway.new_request_id())
            self._feed.take_orders(placed.order)
            return placed_notice(placed)

        return await self._told(amended())

    async def explain(self, order_id: int) -> bool:
        """Tell why an order has not filled; True: that is known."""

        async def explained() -> Notice:
            return Notice(f"#{order_id}: {await self._gateway.explain(order_id)}", Tone.WARNING)

        return await self._told(explained())

    async def _told(self, doing: Awaitable[Notice]) -> bool:
        try:
            self._say(await doing)
        except BearpitError as error:
            self._say(Notice(error_words(error), Tone.BAD))
            return False
        return True
