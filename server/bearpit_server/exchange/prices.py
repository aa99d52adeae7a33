"""Prices that move by themselves, in this process: steps that are due, looks that count, news that is out."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from bearpit_server.events.bus import Bus
from bearpit_server.events.records import QuoteRecord, StatusChange
from bearpit_server.exchange import headlines
from bearpit_server.exchange.answers import Answer
from bearpit_server.exchange.books import Books
from bearpit_server.exchange.commands import Command, Pushed, Step
from bearpit_server.exchange.dealers import Dealer
from bearpit_server.exchange.listings import Listing, Listings
from bearpit_server.exchange.looks import Looks
from bearpit_server.exchange.pricing import Group, Pricing
from bearpit_server.exchange.standing import Attention, Standing, find, foresee, stand
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.sessions import Phase
from bearpit_server.storage import clock
from bearpit_server.storage.database import Database

logger = logging.getLogger(__name__)

T = TypeVar("T")

LATE_MS = 100
"""A step that is committed later misses the frame of prices that it should be seen in; or after half its
interval, if that is shorter."""
SLOW_MS = 1_000
"""Where steps are so far apart, quotes tell in between what the next one would do; else a step does."""
MOST_WAIT = 0.25
LEAST_WAIT = 0.001
EPOCH = datetime.fromtimestamp(0, UTC)


class Matcher(Protocol):
    """What is asked of the matcher's thread."""

    def put(self, command: Command) -> None:
        """Have a command carried out; returns at once."""

    async def look(self, read: Callable[[], T]) -> T:
        """Read from the books, between changes."""
        ...

    def not_here(self, listing: Listing) -> Refused:
        """The refusal of what an instrument is asked whose book is not here."""
        ...


class Prices:
    """When the prices of this process's groups move, and what moves them."""

    def __init__(
        self,
        matcher: Matcher,
        books: Books,
        listings: Listings,
        pricing: Pricing,
        database: Database,
        bus: Bus,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._matcher = matcher
        self._books = books
        self._listings = listings
        self._pricing = pricing
        self._database = database
        self._bus = bus
        self.looks = Looks(pricing.groups)
        self.late_steps: Counter[int] = Counter()
        """By group: steps since the start that came later than LATE_MS."""
        self.next_headline: datetime | None = None
        """When the next one comes out."""
        self._foreseen = False
        self._waiting: set[int] = set()
        """Groups that waited for their next step when it was last looked: only these can be late."""
        self._moving = asyncio.Lock()
        """One step after the other: what is due follows from when the last one was made."""

    async def run(self) -> None:
        """Move prices, and tell the news, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._always("prices stand still", self.step, self.next_step_at))
            tasks.create_task(self._always("headlines wait", self.tell_news, lambda: self.next_headline))
            tasks.create_task(self._always("estimates are old", self._foresee, lambda: None))

    async def _always(
        self, failure: str, work: Callable[[], Awaitable[None]], next_at: Callable[[], datetime | None]
    ) -> None:
        """Work when it is due, and a few times a second at least; a failure is logged, and costs one turn."""
        while True:
            due = next_at()
            wait = MOST_WAIT if due is None else (due - clock.now()).total_seconds()
            await asyncio.sleep(min(max(wait, LEAST_WAIT), MOST_WAIT))
            try:
                await work()
            except Refused as refused:
                logger.warning("%s: %s", failure, refused)
            except Exception:
                logger.exception("%s", failure)

    async def tell_news(self) -> None:
        """Let everybody see the headlines whose time has come; they move prices from then on."""
        now = clock.now()
        if self.next_headline is None or self.next_headline > now:
            return

        def tell() -> datetime | None:
            headlines.tell(now)
            return headlines.next_at()

        self.next_headline = await self._database.run(tell)
        self._bus.publish([StatusChange()])

    def next_step_at(self) -> datetime | None:
        """When the next step of a group of this process is due; None: there is none."""
        return min((self._due(group) for group in self._stepping()), default=None)

    async def push(self, listing: Listing, price_cents: int, at: datetime) -> None:
        """Take a price from outside. Raises Refused."""
        if not listing.group_id:
            raise Refused("NOT_POSSIBLE_NOW", f"the price of {listing.symbol} is not pushed")
        answer: Answer[None] = Answer(self._loop)
        self._matcher.put(Step(listing.group_id, {}, answer, Pushed(listing.id, price_cents, at)))
        await answer.wait()

    async def step(self) -> None:
        """Let all groups make their steps that are due, and wait until these are committed."""
        async with self._moving:
            await self._step()

    async def _step(self) -> None:
        now = clock.now()
        answers = []
        stepping = self._stepping()
        waiting, self._waiting = self._waiting, {group.id for group in stepping}
        for group in stepping:
            due = self._due(group)
            if due > now:
                continue
            answer: Answer[None] = Answer(self._loop)
            self._matcher.put(Step(group.id, self.looks.scores(group, now), answer))
            self.looks.reset(group, now)
            answers.append((group, due, answer))
        for group, due, answer in answers:
            await answer.wait()
            allowed = min(group.interval_ms / 2, LATE_MS)
            if group.id in waiting and (clock.now() - due).total_seconds() * 1000 > allowed:
                self.late_steps[group.id] += 1

    async def standing(self, group_name: str) -> Standing:
        """Where players look in a group; see `Exchange.attention`."""
        group = find(self._pricing.groups.values(), group_name)
        for listing in self._listings.by_id.values():
            if listing.group_id == group.id and listing.id not in self._books.desks:
                raise self._matcher.not_here(listing)
        scores = self.looks.scores(group, clock.now())

        def read() -> list[Attention]:
            return stand(group, self._books.members(group.id), self._listings.by_id, scores)

        instruments = tuple(await self._matcher.look(read))
        is_stepping = group in self._stepping()
        next_at = max(self._due(group), clock.now()) if is_stepping else None
        return Standing(group.name, instruments, next_at)

    async def _foresee(self) -> None:
        """Let quotes tell where the players look, where the next step is some time off."""
        now = clock.now()
        slow = [group for group in self._stepping() if group.interval_ms >= SLOW_MS]
        scores = {group.id: self.looks.scores(group, now) for group in slow}
        if any(scores.values()) or self._foreseen:
            self._foreseen = any(scores.values())
            self._bus.publish(await self._matcher.look(lambda: self._estimates(scores)))

    def _estimates(self, scores: Mapping[int, Mapping[int, int]]) -> list[QuoteRecord]:
        """The quotes that tell something new; on the matcher's thread."""
        told = []
        for group_id, mine in scores.items():
            desks = self._books.members(group_id)
            news = foresee(self._pricing.groups[group_id], desks, self._listings.by_id, mine)
            told += [desk.quote() for desk in news]
        self._books.quotes.update((quote.instrument_id, quote) for quote in told)
        return told

    def _stepping(self) -> list[Group]:
        """The groups whose prices move by themselves, and whose books are here and open."""
        here = {desk.group.id for desk in self._dealers() if desk.group and desk.phase is Phase.OPEN}
        return [group for id_ in sorted(here) if (group := self._pricing.groups[id_]).interval_ms]

    def _dealers(self) -> list[Dealer]:
        return [desk for desk in [*self._books.desks.values()] if isinstance(desk, Dealer)]

    @staticmethod
    def _due(group: Group) -> datetime:
        """When a group's next step is due: on a beat that does not drift, from when it last stepped."""
        if group.stepped_at is None:
            return EPOCH
        ms = int(group.stepped_at.timestamp() * 1000)
        return datetime.fromtimestamp((ms - ms % group.interval_ms + group.interval_ms) / 1000, UTC)
