"""The exchange as services see it: coroutines on the event loop, answered after the commit."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import TypeVar

from bearpit_server.events.bus import Bus
from bearpit_server.events.log import Origin
from bearpit_server.events.records import OrderRecord, QuoteRecord, StatusChange
from bearpit_server.exchange import orders
from bearpit_server.exchange.answers import Answer
from bearpit_server.exchange.commands import (
    AMEND,
    CANCEL,
    CANCEL_ALL,
    Amend,
    Cancel,
    CancelMany,
    Command,
    Drop,
    Load,
    Look,
    Placed,
    Result,
    SetPhase,
)
from bearpit_server.exchange.desks import Desk
from bearpit_server.exchange.intake import Candidate, Intake, Placing
from bearpit_server.exchange.listings import Listing, Listings
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.exchange.matcher import Matcher
from bearpit_server.exchange.shards import RENEW_SECONDS, Shards
from bearpit_server.exchange.writer import Writer
from bearpit_server.ledger.accounts import Accounts
from bearpit_server.rules.limits import Wish, check_band, check_phase, check_wish, worst_price
from bearpit_server.rules.orders import EndReason, OrderStatus, OrderType, Side, TimeInForce
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.sessions import Override, Phase, next_open, session_end
from bearpit_server.rules.units import MAX_PRICE_CENTS, MAX_QUANTITY
from bearpit_server.storage import clock, hours, requests
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import HOUSE, Instrument
from bearpit_server.storage.sequences import Ids
from bearpit_server.storage.settings import Settings

logger = logging.getLogger(__name__)

T = TypeVar("T")

PHASE_SECONDS = 0.25
"""How often the calendar is asked whether a phase has changed."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One order as a client asks for it."""

    symbol: str
    wish: Wish
    request_id: str
    request_hash: bytes


class Exchange:
    """Everything between a servicer and the books."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        bus: Bus,
        address: str,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._database = database
        self._settings = settings
        self._bus = bus
        self._renew_seconds = renew_seconds
        self.accounts = Accounts(database)
        self.listings = Listings()
        self.shards = Shards(address)
        self._market = hours.Market(Override.NONE, False, None)
        ids = Ids("order_ids")
        self._matcher = Matcher(
            database, self.accounts, self.listings, self._zone, self.shards, bus, ids, loop
        )
        self._executing: Writer[Command] = Writer("matcher", self._matcher.work)
        self._intake = Intake(
            database, self.accounts, self.shards, settings, bus, ids, loop,
            lambda owner: self._matcher.open_orders[owner], self._executing.put, self._reload,
        )  # fmt: skip
        self._accepting: Writer[Placing] = Writer("intake", self._intake.work)
        self._refreshing = asyncio.Lock()

    # Life

    async def start(self) -> None:
        """Load what there is, take the shards that are free, and be ready."""
        await self._database.run(self._load)
        await self._database.run(self._prepare_accounts)
        self._executing.start()
        self._accepting.start()
        await self._renew()
        await self.refresh()

    async def run(self) -> None:
        """Keep the leases and follow the calendar, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_leases())
            tasks.create_task(self._keep_phases())

    async def stop(self) -> None:
        """Finish what was begun, and give the shards up."""
        await asyncio.to_thread(self._accepting.stop)
        await asyncio.to_thread(self._executing.stop)
        try:
            await self._database.run(self.shards.release)
        except Refused as refused:
            logger.warning("the leases will run out by themselves: %s", refused)

    def _load(self) -> None:
        self.listings.load()
        self._settings.load()
        self._market = hours.read()

    def _prepare_accounts(self) -> None:
        for kind in ("issuer", "treasury", "fees"):
            self.accounts.house(0, kind)

    def _zone(self) -> tzinfo:
        return self._market.zone

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self._renew_seconds)
            try:
                await self._renew()
                await self.refresh()
            except Refused as refused:
                logger.warning("the leases could not be renewed: %s", refused)
            except Exception:
                logger.exception("the leases could not be renewed")

    async def _keep_phases(self) -> None:
        while True:
            await asyncio.sleep(PHASE_SECONDS)
            self._follow_calendar()

    async def _renew(self) -> None:
        gained, lost = await self._database.run(self.shards.renew)
        if lost:
            logger.warning("shards %s went to another server", sorted(lost))
            self._executing.put(Drop(lost))
            # What came back meanwhile counts as ours again only when its old books are gone.
            await self._look(lambda: None)
        self.shards.adopt(gained)
        wanted = gained | (self._matcher.broken & self.shards.epochs.keys())
        if wanted:
            answer: Answer[set[int]] = Answer(self._loop)
            self._executing.put(Load(wanted, answer))
            await answer.wait()
            logger.info("books of shards %s are loaded", sorted(wanted))

    def _reload(self, shards: set[int]) -> None:
        self._executing.put(Load(shards, Answer(self._loop)))

    # What operators change

    async def refresh(self) -> None:
        """Read instruments, the market's row and the settings again, and act on what changed."""
        async with self._refreshing:
            before = self._market
            await self._database.run(self._load)
            new = [listing for listing in self.listings.by_id.values() if self._is_missing(listing)]
            if new:
                answer: Answer[set[int]] = Answer(self._loop)
                self._executing.put(Load({listing.shard for listing in new}, answer))
                await answer.wait()
            await self._look(self._follow_listings)
            self._follow_calendar()
            await self._look(lambda: None)  # the books have followed
            for listing in self.listings.by_id.values():
                if listing.ipo_quantity and not listing.ipo_order_id and listing.shard in self.shards.epochs:
                    await self._offer(listing)
            if before != self._market:
                self._bus.publish([StatusChange()])

    def _is_missing(self, listing: Listing) -> bool:
        return listing.shard in self.shards.epochs and listing.id not in self._matcher.desks

    def _follow_listings(self) -> None:
        for desk in self._matcher.desks.values():
            listing = self.listings.by_id.get(desk.id)
            if listing is not None:
                desk.follow(listing, self._market.zone)

    def _follow_calendar(self) -> None:
        now = clock.now()
        for listing in self.listings.by_id.values():
            desk = self._matcher.desks.get(listing.id)
            phase = self._market.phase(now, listing.halted)
            if desk is not None and desk.phase is not phase:
                self._executing.put(SetPhase(listing.id, phase))

    async def _offer(self, listing: Listing) -> None:
        """Place the treasury's order of an IPO; once, however often it is tried."""
        wish = Wish(
            Side.SELL, OrderType.LIMIT, TimeInForce.GTC, listing.ipo_quantity, listing.ipo_price_cents
        )
        request_id = f"ipo:{listing.symbol}"
        candidate = Candidate(
            listing,
            wish,
            listing.ipo_price_cents,
            0,
            request_id,
            requests.body_hash(request_id.encode()),
            None,
        )
        result = (await self._accept(HOUSE, Origin(HOUSE, "", request_id), [(0, candidate)], [None]))[0]
        if isinstance(result, Placed):
            await self._database.run(self._note_offer, listing.id, result.order.order_id)
            await self._database.run(self.listings.load)
        else:
            logger.warning("the IPO of %s is not offered yet: %s", listing.symbol, result)

    @staticmethod
    def _note_offer(instrument_id: int, order_id: int) -> None:
        Instrument.update(ipo_order_id=order_id).where(Instrument.id == instrument_id).execute()

    # What everybody may see

    @property
    def instruments(self) -> Mapping[str, Listing]:
        """All instruments by symbol."""
        return self.listings.by_symbol

    @property
    def quotes(self) -> Mapping[int, QuoteRecord]:
        """The latest quotes by instrument id; an instrument that is not loaded here has none."""
        return self._matcher.quotes

    def phase(self, listing: Listing) -> Phase:
        """The phase of an instrument now: its book's, else what the calendar says."""
        desk = self._matcher.desks.get(listing.id)
        return desk.phase if desk else self._market.phase(clock.now(), listing.halted)

    async def depth(
        self, instrument_id: int, levels: int
    ) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]], int]:
        """A book's best bids and asks, and the last price; 0: never traded."""

        def read() -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]], int]:
            desk = self._desk(instrument_id)
            return *desk.book.depth(levels), desk.book.last_price_cents or 0

        return await self._look(read)

    def _desk(self, instrument_id: int) -> Desk:
        desk = self._matcher.desks.get(instrument_id)
        if desk is None:
            raise self._not_here(instrument_id)
        return desk

    def _not_here(self, instrument_id: int) -> Refused:
        listing = self.listings.by_id[instrument_id]
        if listing.shard in self.shards.epochs:
            return Refused("NOT_READY", "the exchange is still loading; try again in a moment")
        return self.shards.elsewhere(listing.shard)

    async def _look(self, read: Callable[[], T]) -> T:
        answer: Answer[T] = Answer(self._loop)
        self._executing.put(Look(read, answer))  # type: ignore[arg-type]
        return await answer.wait()

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
        done = await self._accept(owner_id, origin, candidates, results)
        return [await self._with_fills(result) for result in done if result is not None]

    async def _with_fills(self, result: Result) -> Result:
        """An order that was placed before is told with its fills, too."""
        if isinstance(result, Placed) and sum(fill.quantity for fill in result.fills) < result.order.filled:
            return Placed(result.order, tuple(await self._database.run(orders.fills_of, result.order)))
        return result

    async def _accept(
        self,
        owner_id: int,
        origin: Origin,
        candidates: list[tuple[int, Candidate]],
        results: list[Result | None],
    ) -> list[Result | None]:
        if not candidates:
            return results
        answer: Answer[list[Result | None]] = Answer(self._loop)
        self._accepting.put(Placing(owner_id, candidates, results, origin, answer))
        return await answer.wait()

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
        if listing.id not in self._matcher.desks:
            raise self._not_here(listing.id)
        self._check_phase(listing, wish)
        worst, best = self._bounds(listing, wish)
        if wish.is_priced:
            check_band(terms, worst)
        expires = None
        if wish.time_in_force is TimeInForce.DAY and self._market.override is Override.NONE:
            expires = session_end(now, self._market.schedule)
        return Candidate(listing, wish, worst, best, ask.request_id, ask.request_hash, expires)

    def _check_phase(self, listing: Listing, wish: Wish) -> None:
        schedule = self._market.schedule if self._market.override is Override.NONE else None
        opens = next_open(clock.now(), schedule)
        check_phase(listing.terms, wish, self.phase(listing), opens.isoformat() if opens else "")

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
        check_wish(listing.terms, wish)
        if listing.id not in self._matcher.desks:
            raise self._not_here(listing.id)
        refusals: list[Refused] = []
        worst = best = 0
        try:
            self._check_phase(listing, wish)
        except Refused as refused:
            refusals.append(refused)
        try:
            worst, best = self._bounds(listing, wish)
            if wish.is_priced:
                check_band(listing.terms, worst)
        except Refused as refused:
            refusals.append(refused)
        day = clock.now().astimezone(UTC).date()
        funds = await self._database.run(orders.funds, owner_id, listing.id, day)
        order = _draft(owner_id, listing, wish, worst)
        if (
            order.side is Side.BUY
            and order.type is OrderType.MARKET
            and not wish.price_cents
            and order.hold > funds.free_cash_cents
            and best
        ):
            affordable = listing.terms.affordable(order.quantity, funds.free_cash_cents, order.fee_bps)
            order.price_cents = affordable if affordable >= best else order.price_cents
        refusals += orders.shortages(order, funds)
        refusals += orders.over_limits(order, self._matcher.open_orders[owner_id], funds, self._settings)
        takes: list[tuple[int, int]] = []
        resting = order.quantity
        if self.phase(listing) is Phase.OPEN and worst:

            def foresee() -> tuple[list[tuple[int, int]], int]:
                book = self._desk(listing.id).book
                return book.preview(order), book.resting_after(order)

            takes, resting = await self._look(foresee)
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
        self._executing.put(Cancel(order_id, owner_id, origin, answer))
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
        self._executing.put(CancelMany(owner_id, instrument_id, reason, origin, answer))
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
        most = self._settings.number("max_order_value_cents")
        command = Amend(order_id, owner_id, quantity, price_cents, stop_price_cents, origin, answer, most)
        if repeated := await self._recall(origin, AMEND, command.body):
            return Placed(repeated[0])
        self._executing.put(command)
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
            desk = self._matcher.desks.get(found.instrument_id)
            live = desk.book.orders.get(order_id) if desk else None
            if desk is None or not isinstance(live, LiveOrder):
                return None
            return orders.explain(live, desk, self.listings.by_id[desk.id].terms)

        return await self._look(read) or orders.Explanation(
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
