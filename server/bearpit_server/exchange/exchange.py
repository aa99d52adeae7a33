"""The exchange as services see it: coroutines on the event loop, answered after the commit."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TypeVar

from bearpit_server.events.log import Origin
from bearpit_server.events.records import OrderRecord, QuoteRecord
from bearpit_server.exchange import orders
from bearpit_server.exchange.answers import Answer
from bearpit_server.exchange.commands import (
    CANCEL,
    CANCEL_ALL,
    Amend,
    Cancel,
    CancelMany,
    Candidate,
    Placed,
    Result,
)
from bearpit_server.exchange.desks import Desk
from bearpit_server.exchange.engine import Engine
from bearpit_server.exchange.intake import discounted
from bearpit_server.exchange.listings import Listing
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.exchange.standing import Standing
from bearpit_server.rules.limits import Wish, check_band, check_wish, collect, wish_refusals, worst_price
from bearpit_server.rules.orders import EndReason, OrderStatus, OrderType, Side, TimeInForce
from bearpit_server.rules.record import record
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.sessions import Override, Phase, session_end
from bearpit_server.rules.units import MAX_PRICE_CENTS, MAX_QUANTITY
from bearpit_server.storage import clock, requests
from bearpit_server.storage.database import Database
from bearpit_server.storage.settings import Settings

logger = logging.getLogger(__name__)

T = TypeVar("T")


@record
class Ask:
    """One order as a client asks for it."""

    symbol: str
    wish: Wish
    request_id: str
    request_hash: bytes


class Exchange:
    """Everything between a servicer and the books."""

    def __init__(self, engine: Engine, database: Database, settings: Settings) -> None:
        self._loop = asyncio.get_running_loop()
        self._engine = engine
        self._books = engine.books
        self._matcher = engine.matcher
        self._database = database
        self._settings = settings
        self.listings = engine.listings
        self.shards = engine.shards

    async def refresh(self) -> None:
        """Read what operators may have changed, and act on it."""
        await self._engine.refresh()

    # What everybody may see

    @property
    def instruments(self) -> Mapping[str, Listing]:
        """All instruments by symbol."""
        return self.listings.by_symbol

    @property
    def quotes(self) -> Mapping[int, QuoteRecord]:
        """The latest quotes by instrument id; an instrument that is not loaded here has none."""
        return self._books.quotes

    def phase(self, listing: Listing) -> Phase:
        """The phase of an instrument now."""
        return self._engine.phase(listing)

    async def depth(
        self, instrument_id: int, levels: int
    ) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]], int]:
        """A book's best bids and asks, and the last price; 0: never traded."""

        def read() -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]], int]:
            desk = self._desk(instrument_id)
            return *desk.depth(levels), desk.price_cents

        return await self._engine.look(read)

    def _desk(self, instrument_id: int) -> Desk:
        desk = self._books.desks.get(instrument_id)
        if desk is None:
            raise self._not_here(instrument_id)
        return desk

    def _not_here(self, instrument_id: int) -> Refused:
        return self._matcher.not_here(self.listings.by_id[instrument_id])

    # Prices that the exchange does not make

    async def push(self, symbol: str, price_cents: int, at: datetime) -> None:
        """Take a price from outside, made at a moment; it holds when this returns. Raises Refused."""
        await self._engine.prices.push(self.listings.find(symbol), price_cents, at)

    def late_steps(self, group_id: int) -> int:
        """How many of a group's steps came late since this process started."""
        return self._engine.prices.late_steps[group_id]

    # Where players look

    def watching(self, player_id: int, instrument_id: int) -> AbstractContextManager[None]:
        """A player has an instrument before him while the block lasts; player 0 is nobody."""
        listing = self.listings.by_id[instrument_id]
        return self._engine.prices.looks.watching(player_id, listing.group_id, listing.id)

    def glance(self, player_id: int, instrument_id: int) -> None:
        """A player has looked an instrument up; player 0 is nobody."""
        listing = self.listings.by_id.get(instrument_id)
        if listing is not None:
            self._engine.prices.looks.glance(player_id, listing.group_id, listing.id)

    async def attention(self, group_name: str) -> Standing:
        """Where players look in a group; "": the first by name. Raises Refused NOT_FOUND, or UNAVAILABLE
        while its instruments are not here.
        """
        return await self._engine.prices.standing(group_name)

    # Orders

    async def place(self, owner_id: int, asks: Sequence[Ask | Refused], origin: Origin) -> list[Result]:
        """Place orders; each has its result in its place. What is refused already stays so."""
        results: list[Result | None] = []
        candidates: list[tuple[int, Candidate]] = []
        for place, ask in enumerate(asks):
            try:
                if isinstance(ask, Refused):
                    raise ask
                candidates.append((place, self.candidate(ask)))
                results.append(None)
            except Refused as refused:
                repeated = refused.code != 3 and isinstance(ask, Ask) and await self._repeated(owner_id, ask)
                results.append(repeated or refused)
        told: list[Result] = []
        for result in await self._engine.place(owner_id, origin, candidates, results):
            assert result is not None, "every order has its result"
            if isinstance(result, Placed) and not result.fills and result.order.filled:
                # It was placed before, and is told with its fills, too.
                fills = await self._database.run(orders.fills_of, result.order)
                result = Placed(result.order, tuple(fills))
            told.append(result)
        return told

    async def _repeated(self, owner_id: int, ask: Ask) -> Placed | None:
        """The order that this request placed when the market still took it."""
        found = await self._database.run(orders.by_request, owner_id, ask.request_id)
        if found is None or found.request_hash != ask.request_hash:
            return None
        return Placed(found.record)

    def candidate(self, ask: Ask) -> Candidate:
        """Check all that needs no database. Raises Refused."""
        requests.check_id(ask.request_id)
        listing = self.listings.find(ask.symbol)
        wish, terms = ask.wish, listing.terms
        check_wish(terms, wish)
        now = clock.now()
        if listing.id not in self._books.desks:
            raise self._not_here(listing.id)
        phase = self.phase(listing)
        self._engine.check_phase(listing, wish, phase)
        if phase is Phase.OPEN:
            self._books.desks[listing.id].check(wish)
        worst, best = self._bounds(listing, wish)
        if wish.is_priced:
            check_band(terms, worst)
        expires = None
        if wish.time_in_force is TimeInForce.DAY and self._engine.market.override is Override.NONE:
            expires = session_end(now, self._engine.market.schedule)
        return Candidate(listing, wish, phase, worst, best, ask.request_id, ask.request_hash, expires)

    def _bounds(self, listing: Listing, wish: Wish) -> tuple[int, int]:
        """The worst price of an order, and the best on the other side now; 0: none."""
        quote = self.quotes.get(listing.id)
        best = 0
        if quote is not None:
            best = quote.ask_cents if wish.side is Side.BUY else quote.bid_cents
        last = quote.last_cents if quote else 0
        protection_bps = self._settings.number("protection_bps")
        return worst_price(listing.terms, wish, best, last, protection_bps), best

    async def preview(self, owner_id: int, ask: Ask) -> orders.Preview:
        """What an order would do now, and everything it would be refused for; changes nothing."""
        listing, wish = self.listings.find(ask.symbol), ask.wish
        refusals = wish_refusals(listing.terms, wish)
        if listing.id not in self._books.desks:
            raise self._not_here(listing.id)
        worst = best = 0

        def bound() -> None:
            nonlocal worst, best
            worst, best = self._bounds(listing, wish)
            if wish.is_priced:
                check_band(listing.terms, worst)

        refusals += collect(
            lambda: self._engine.check_phase(listing, wish, self.phase(listing)),
            bound,
            lambda: self._desk(listing.id).check(wish),
        )
        day = clock.now().astimezone(UTC).date()
        funds = await self._database.run(orders.funds, owner_id, listing.id, day)
        order = _draft(owner_id, listing, wish, worst)
        order.fee_bps = discounted(order.fee_bps, funds.fee_off_bps, funds.fee_off_until, clock.now())
        spendable = funds.free_cash_cents + funds.credit_cents
        if (
            order.side is Side.BUY
            and order.type is OrderType.MARKET
            and not wish.price_cents
            and order.hold > spendable
            and best
        ):
            affordable = listing.terms.affordable(order.quantity, spendable, order.fee_bps)
            order.price_cents = affordable if affordable >= best else order.price_cents
        refusals += orders.shortages(order, funds)
        refusals += orders.over_limits(order, self._books.open_orders(owner_id), funds, self._settings)
        takes: list[tuple[int, int]] = []
        resting = order.quantity
        if self.phase(listing) is Phase.OPEN and worst:

            def foresee() -> tuple[list[tuple[int, int]], int]:
                book = self._desk(listing.id).book
                return book.preview(order), book.resting_after(order)

            takes, resting = await self._engine.look(foresee)
        return orders.preview(order, takes, resting, funds, refusals)

    async def cancel(
        self, order_id: int, origin: Origin, owner_id: int | None = None, request_id: str = ""
    ) -> OrderRecord:
        """Cancel an order; `owner_id` None: whosever it is.

        Cancelling again with the same request returns the order as it was cancelled. Raises Refused
        NOT_FOUND, ORDER_NOT_OPEN.
        """
        origin = Origin(origin.actor_id, origin.address, request_id or origin.request_id)
        body = f"{order_id}"
        if repeated := await self._recall(origin, CANCEL, body):
            return repeated[0]
        answer: Answer[Placed] = Answer(self._loop)
        self._engine.put(Cancel(order_id, owner_id, origin, answer))
        try:
            return (await answer.wait()).order
        except Refused as refused:
            if refused.reason != "ORDER_NOT_OPEN":
                raise
            # The same request may have come first, a moment ago.
            if repeated := await self._recall(origin, CANCEL, body):
                return repeated[0]
            raise await self._why_not_open(order_id, owner_id, refused) from None

    async def cancel_all(
        self,
        owner_id: int,
        instrument_id: int | None,
        origin: Origin,
        reason: EndReason = EndReason.REQUESTED,
    ) -> list[OrderRecord]:
        """Cancel all open orders of a player, of one instrument or of all.

        Only a request to cancel is remembered: when it is part of another request, that one is.
        """
        body = f"{owner_id} {instrument_id}"
        is_request = reason is EndReason.REQUESTED
        repeated = await self._recall(origin, CANCEL_ALL, body) if is_request else None
        if repeated is not None:
            return repeated
        answer: Answer[list[Placed]] = Answer(self._loop)
        self._engine.put(CancelMany(owner_id, instrument_id, reason, origin, answer))
        cancelled = [placed.order for placed in await answer.wait()]
        if not cancelled and is_request:
            # The same request may have come first, a moment ago.
            cancelled = await self._recall(origin, CANCEL_ALL, body) or []
        return cancelled

    async def amend(
        self,
        order_id: int,
        owner_id: int,
        quantity: int,
        price_cents: int,
        stop_price_cents: int,
        origin: Origin,
    ) -> Placed:
        """Change an open order; 0: as it is. Raises Refused."""
        for field, value, highest in (
            ("quantity", quantity, MAX_QUANTITY),
            ("price_cents", price_cents, MAX_PRICE_CENTS),
            ("stop_price_cents", stop_price_cents, MAX_PRICE_CENTS),
        ):
            if not 0 <= value <= highest:
                raise invalid(field, f"give 1 to {highest}, or 0 to leave it as it is")
        answer: Answer[Placed] = Answer(self._loop)
        command = Amend(order_id, owner_id, quantity, price_cents, stop_price_cents, origin, answer)
        if origin.request_id:
            requests.check_id(origin.request_id)
            repeated = await self._database.run(orders.amended_by, origin, command.body.encode())
            if repeated is not None:
                return repeated
        self._engine.put(command)
        try:
            return await answer.wait()
        except Refused as refused:
            if refused.reason != "ORDER_NOT_OPEN":
                raise
            raise await self._why_not_open(order_id, owner_id, refused) from None

    async def _recall(self, origin: Origin, method: str, body: str) -> list[OrderRecord] | None:
        """The orders that this very request changed before. Raises Refused REQUEST_ID_REUSED."""
        if not origin.request_id:
            return None
        requests.check_id(origin.request_id)
        return await self._database.run(
            orders.changed_by, origin.actor_id, origin.request_id, method, body.encode()
        )

    async def _why_not_open(self, order_id: int, owner_id: int | None, refused: Refused) -> Refused:
        """Whether the order has ended, is another server's, or is not there at all."""
        try:
            found = await self._database.run(orders.by_id, order_id, owner_id)
        except Refused as missing:
            return missing
        is_open = found.status <= OrderStatus.WORKING
        return self._not_here(found.instrument_id) if is_open else refused

    async def explain(self, order_id: int, owner_id: int) -> orders.Explanation:
        """Why an order has not filled. Raises Refused NOT_FOUND."""
        found = await self._database.run(orders.by_id, order_id, owner_id)

        def read() -> orders.Explanation | None:
            desk = self._books.desks.get(found.instrument_id)
            live = desk.book.orders.get(order_id) if desk else None
            if desk is None or not isinstance(live, LiveOrder):
                return None
            return orders.explain(live, desk, self.listings.by_id[desk.id].terms)

        return await self._engine.look(read) or orders.Explanation(
            found, orders.Obstacle.ENDED, "the order has ended"
        )


def _draft(owner_id: int, listing: Listing, wish: Wish, worst_price_cents: int) -> LiveOrder:
    at = clock.now()
    return LiveOrder(
        id=0, owner_id=owner_id, instrument_id=listing.id, side=wish.side, type=wish.type,
        time_in_force=wish.time_in_force, quantity=wish.quantity, price_cents=worst_price_cents,
        stop_price_cents=wish.stop_price_cents, post_only=wish.post_only, self_trade=wish.self_trade,
        fee_bps=listing.fee_bps, symbol=listing.symbol, request_id="", accepted_at=at, updated_at=at,
        expires_at=None, cash_account=0, share_account=0,
    )  # fmt: skip
