"""The matcher's thread, kept in step with the leases, the listings and the calendar."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from typing import TypeVar

from bearpit_server.events.bus import Bus
from bearpit_server.events.log import Logged, Origin
from bearpit_server.events.records import QuoteRecord, StatusChange
from bearpit_server.exchange import headlines
from bearpit_server.exchange.answers import Answer
from bearpit_server.exchange.books import Books
from bearpit_server.exchange.commands import (
    Candidate,
    Command,
    Deal,
    Drop,
    Load,
    Look,
    Place,
    Placed,
    Result,
    SetPhase,
)
from bearpit_server.exchange.dealers import Dealer
from bearpit_server.exchange.listings import Listing, Listings
from bearpit_server.exchange.matcher import Matcher
from bearpit_server.exchange.prices import Prices
from bearpit_server.exchange.pricing import Pricing
from bearpit_server.exchange.shards import RENEW_SECONDS, Shards
from bearpit_server.exchange.writer import Writer
from bearpit_server.ledger.accounts import Accounts
from bearpit_server.rules.limits import Wish, check_phase
from bearpit_server.rules.orders import OrderType, Side, TimeInForce
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.sessions import Override, Phase, next_open
from bearpit_server.rules.windows import check_orders
from bearpit_server.storage import clock, hours, requests
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import HOUSE, Instrument
from bearpit_server.storage.settings import Settings

logger = logging.getLogger(__name__)

T = TypeVar("T")

PHASE_SECONDS = 0.25
"""How often the calendar is asked whether a phase has changed."""


class Engine:
    """The books of this process, and what decides which they are and whether they trade."""

    FOLLOWED = ("instrument.", "ipo.", "market.", "settings.", "group.", "recording.", "news.", "window.")
    """The events after which there is something to be read again."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        bus: Bus,
        address: str,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._database = database
        self._settings = settings
        self._bus = bus
        self._renew_seconds = renew_seconds
        self._accounts = Accounts(database)
        self.listings = Listings()
        self.pricing = Pricing()
        self.shards = Shards(address)
        self.market = hours.Market(Override.NONE, False, None)
        self.books = Books(self._accounts)
        self.matcher = Matcher(
            database, self._accounts, self.books, self.listings, self.pricing, self._zone, self._phase_now,
            self.check_phase, self.shards, settings, bus, self._loop,
        )  # fmt: skip
        self._writer: Writer[Command] = Writer("matcher", database.prefer_indexes, self.matcher.work)
        self._refreshing = asyncio.Lock()
        self.prices = Prices(self, self.books, self.listings, self.pricing, database, bus)

    # Life

    async def start(self) -> None:
        """Load what there is, take the shards that are free, and be ready."""
        await self._database.run(self._load)
        await self._database.run(self._prepare_accounts)
        self._writer.start()
        await self._renew()
        await self.refresh()

    async def run(self) -> None:
        """Keep the leases and follow the calendar, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_leases())
            tasks.create_task(self._keep_phases())
            tasks.create_task(self.prices.run())

    async def stop(self) -> None:
        """Finish what was begun, and give the shards up."""
        await asyncio.to_thread(self._writer.stop)
        try:
            await self._database.run(self.shards.release)
        except Refused as refused:
            logger.warning("the leases will run out by themselves: %s", refused)

    def _load(self) -> None:
        self.listings.load()
        self.pricing.load(self.listings.by_id.values(), clock.now())
        self._settings.load()
        self.prices.next_headline = headlines.next_at()
        self.market = hours.read()

    def _prepare_accounts(self) -> None:
        for kind in ("issuer", "treasury", "fees"):
            self._accounts.house(0, kind)

    def _zone(self) -> tzinfo:
        return self.market.zone

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self._renew_seconds)
            try:
                await self._renew()
                await self._offer_ipos()
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
            self._writer.put(Drop(lost))
            # What came back meanwhile counts as ours again only when its old books are gone.
            await self.look(lambda: None)
        self.shards.adopt(gained)
        wanted = gained | (self.matcher.broken & self.shards.epochs.keys())
        if wanted:
            answer: Answer[set[int]] = Answer(self._loop)
            self._writer.put(Load(wanted, answer))
            await answer.wait()
            logger.info("books of shards %s are loaded", sorted(wanted))

    # What operators change

    async def follow(self, events: Sequence[Logged]) -> None:
        """Listen to what operators change, here or through another server."""
        await self.refresh()
        if any(event.type.startswith("news.") for event in events):
            self._bus.publish([StatusChange()])

    async def refresh(self) -> None:
        """Read instruments, the market's row and the settings again, and act on what changed."""
        async with self._refreshing:
            before = self.market
            await self._database.run(self._load)
            new = [listing for listing in self.listings.by_id.values() if self._is_missing(listing)]
            if new:
                answer: Answer[set[int]] = Answer(self._loop)
                self._writer.put(Load({listing.shard for listing in new}, answer))
                await answer.wait()
            self._bus.publish(await self.look(self._follow_listings))
            self._follow_calendar()
            await self.look(lambda: None)  # the books have followed
            await self._offer_ipos()
            if before != self.market:
                self._bus.publish([StatusChange()])

    def _is_missing(self, listing: Listing) -> bool:
        return listing.shard in self.shards.epochs and listing.id not in self.books.desks

    def _follow_listings(self) -> list[QuoteRecord]:
        """Let the desks follow, and return the quotes that have changed by it; on the matcher's thread."""
        told = []
        for desk in self.books.desks.values():
            listing = self.listings.by_id.get(desk.id)
            if listing is None:
                continue
            desk.follow(listing, self.market.zone)
            if isinstance(desk, Dealer):
                quote = desk.quote()
                if quote != self.books.quotes.get(desk.id):
                    told.append(quote)
                if desk.reached():
                    self.put(Deal(desk.id))
        self.books.quotes.update((quote.instrument_id, quote) for quote in told)
        return told

    def _follow_calendar(self) -> None:
        now = clock.now()
        for listing in self.listings.by_id.values():
            desk = self.books.desks.get(listing.id)
            phase = self._phase_at(listing, now)
            if desk is not None and desk.phase is not phase:
                self._writer.put(SetPhase(listing.id, phase))

    async def _offer_ipos(self) -> None:
        for listing in [*self.listings.by_id.values()]:
            if listing.ipo_quantity and not listing.ipo_order_id and listing.id in self.books.desks:
                await self._offer(listing)

    async def _offer(self, listing: Listing) -> None:
        """Place the treasury's order of an IPO; once, however often it is tried."""
        wish = Wish(
            Side.SELL, OrderType.LIMIT, TimeInForce.GTC, listing.ipo_quantity, listing.ipo_price_cents
        )
        request_id = f"ipo:{listing.symbol}"
        candidate = Candidate(
            listing,
            wish,
            self.phase(listing),
            listing.ipo_price_cents,
            0,
            request_id,
            requests.body_hash(request_id.encode()),
            None,
        )
        result = (await self.place(HOUSE, Origin(HOUSE, "", request_id), [(0, candidate)], [None]))[0]
        if isinstance(result, Placed):
            await self._database.run(self._note_offer, listing.id, result.order.order_id)
            await self._database.run(self.listings.load)
        else:
            logger.warning("the IPO of %s is not offered yet: %s", listing.symbol, result)

    @staticmethod
    def _note_offer(instrument_id: int, order_id: int) -> None:
        Instrument.update(ipo_order_id=order_id).where(Instrument.id == instrument_id).execute()

    # What commands go through

    def put(self, command: Command) -> None:
        """Have a command carried out; returns at once."""
        self._writer.put(command)

    async def place(
        self,
        owner_id: int,
        origin: Origin,
        candidates: list[tuple[int, Candidate]],
        results: list[Result | None],
    ) -> list[Result | None]:
        """Have orders placed that are checked; the results have a place for each."""
        if not candidates:
            return results
        answer: Answer[list[Result | None]] = Answer(self._loop)
        self._writer.put(Place(owner_id, candidates, results, origin, answer))
        return await answer.wait()

    def not_here(self, listing: Listing) -> Refused:
        """The refusal of what an instrument is asked whose book is not here."""
        return self.matcher.not_here(listing)

    async def look(self, read: Callable[[], T]) -> T:
        """Read from the books, between changes; answered when what is read is committed."""
        answer: Answer[T] = Answer(self._loop)
        self._writer.put(Look(read, answer))  # type: ignore[arg-type]
        return await answer.wait()

    def phase(self, listing: Listing) -> Phase:
        """The phase of an instrument now: its book's, else what the calendar or its window says."""
        desk = self.books.desks.get(listing.id)
        return desk.phase if desk and listing.may_trade(clock.now()) else self._phase_now(listing)

    def _phase_now(self, listing: Listing) -> Phase:
        return self._phase_at(listing, clock.now())

    def _phase_at(self, listing: Listing, at: datetime) -> Phase:
        if not listing.mechanism.by_window:
            return self.market.phase(at, listing.halted)
        if not listing.window_at(at):
            return Phase.CLOSED
        return Phase.HALTED if listing.halted or self.market.all_halted else Phase.OPEN

    def check_phase(self, listing: Listing, wish: Wish, phase: Phase) -> None:
        """Raises Refused for an order that a phase does not take, with the time of the next opening."""
        if phase is not Phase.OPEN:
            if listing.mechanism.by_window:
                windows = [(made.state, made.times) for made in listing.openings]
                check_orders(listing.symbol, windows, clock.now())
                raise Refused("MARKET_CLOSED", f"{listing.symbol} is halted; try again when it is resumed")
            schedule = self.market.schedule if self.market.override is Override.NONE else None
            opens = next_open(clock.now(), schedule)
            check_phase(listing.terms, wish, phase, opens.isoformat() if opens else "")
