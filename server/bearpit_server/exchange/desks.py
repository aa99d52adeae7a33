"""One instrument's place in the exchange: its open orders, its phase, its day."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import datetime, tzinfo

from bearpit_server.events.records import QuoteRecord
from bearpit_server.exchange.listings import Listing
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.rules.book import Book
from bearpit_server.rules.candles import DAY, bucket
from bearpit_server.rules.limits import Wish
from bearpit_server.rules.open_orders import Depth, OpenOrders
from bearpit_server.rules.orders import EndReason, Order, OrderStatus, OrderType, Side, TimeInForce
from bearpit_server.rules.outcomes import Ended, Outcome
from bearpit_server.rules.sessions import Phase
from bearpit_server.storage.candles import Today

SHORTEST_DAY = 22 * 3_600
"""In seconds; when the clocks go forward."""


class Desk(ABC):
    """Where an instrument's orders go, with what surrounds them. Belongs to the matcher's thread."""

    book: OpenOrders

    def __init__(self, listing: Listing, today: Today, zone: tzinfo, at: datetime) -> None:
        self.id = listing.id
        self.symbol = listing.symbol
        self.shard = listing.shard
        self.phase = listing.phase
        self.reference_cents = listing.terms.reference_price_cents
        self._zone = zone
        self._day_zone = zone
        self._day = bucket(int(at.timestamp()), DAY, zone)
        self._high, self._low = today.high_cents, today.low_cents
        self._volume, self._previous_close = today.volume, today.previous_close_cents
        self._last_told = today.last_cents

    @abstractmethod
    def follow(self, listing: Listing, zone: tzinfo) -> None:
        """Take over what operators may have changed."""

    def check(self, wish: Wish) -> None:
        """Raises Refused for an order that would be refused whatever its limit; as a rule none."""
        return

    def take(self, order: LiveOrder) -> list[Outcome]:
        """Execute an accepted order, or keep it for the opening."""
        if self.phase is Phase.OPEN:
            return self.book.execute(order)
        if self.phase is Phase.CLOSED and order.time_in_force is TimeInForce.DAY:
            return [ended(order, EndReason.DAY_ENDED)]  # accepted just before the close
        return self.book.collect(order)

    def enter(self, phase: Phase) -> list[Outcome]:
        """Go into another phase: the end of trading is the end of the day's orders."""
        self.phase = phase
        return self.expire(None) if phase is Phase.CLOSED else []

    def expire(self, at: datetime | None) -> list[Outcome]:
        """End DAY orders whose session ended by `at`; None: all of them."""
        outcomes: list[Outcome] = []
        for order in [*self.book.orders.values()]:
            if order.time_in_force is not TimeInForce.DAY:
                continue
            assert isinstance(order, LiveOrder)
            if at is None or (order.expires_at is not None and order.expires_at <= at):
                outcomes += self.book.cancel(order.id, EndReason.DAY_ENDED)
        return outcomes

    def restore(self, order: LiveOrder, at: datetime, disabled: bool) -> list[Outcome]:
        """Put an order back after a start, in the order of priorities.

        Orders whose day has passed end, and those of an owner who is disabled.
        """
        if disabled:
            return [ended(order, EndReason.DISABLED)]
        if order.expires_at is not None and order.expires_at <= at:
            return [ended(order, EndReason.DAY_ENDED)]
        return self._put_back(order)

    @abstractmethod
    def _put_back(self, order: LiveOrder) -> list[Outcome]:
        """Put an order back that is to work on."""

    def uncross_if_crossed(self) -> list[Outcome]:
        """What had to be executed before the start, if anything."""
        return []

    def reached(self) -> list[LiveOrder]:
        """Waiting orders that would be executed now; where orders match as they come there are none."""
        return []

    @abstractmethod
    def faced(self, side: Side, price_cents: int, quantity: int) -> Iterable[Order]:
        """Whom an order of this side, price and size would meet."""

    def depth(self, levels: int) -> Depth:
        """The best levels of bids and asks."""
        return self.book.depth(levels)

    @property
    def price_cents(self) -> int:
        """The last price; 0: none."""
        return self.book.last_price_cents or 0

    @abstractmethod
    def best_opposite(self, side: Side) -> int:
        """The best price on the other side; 0: none."""

    @abstractmethod
    def quote(self) -> QuoteRecord:
        """The latest."""

    def count_trade(self, price_cents: int, quantity: int, at: datetime) -> None:
        """Let a trade into the day's figures."""
        self._count_price(price_cents, at)
        self._volume += quantity

    def _count_price(self, price_cents: int, at: datetime) -> None:
        self._roll(at, price_cents)
        self._high = max(self._high, price_cents)
        self._low = min(self._low or price_cents, price_cents)
        self._previous_close = self._previous_close or price_cents

    def _roll(self, at: datetime, price_cents: int) -> None:
        now = int(at.timestamp())
        if self._zone is self._day_zone and 0 <= now - self._day < SHORTEST_DAY:
            return  # asking the calendar takes longer than all else that a price costs
        self._day_zone = self._zone
        day = bucket(now, DAY, self._zone)
        if day != self._day:
            self._day = day
            self._high = self._low = self._volume = 0
            self._previous_close = self._last_told or price_cents


class BookDesk(Desk):
    """A book, in which players trade with each other."""

    book: Book

    def __init__(self, listing: Listing, today: Today, zone: tzinfo, at: datetime) -> None:
        super().__init__(listing, today, zone, at)
        self.book = Book(today.last_cents or None, tick_cents=listing.terms.tick_cents)
        self.follow(listing, zone)

    def follow(self, listing: Listing, zone: tzinfo) -> None:
        """Take over what operators may have changed."""
        self._zone = zone
        self.reference_cents = listing.terms.reference_price_cents
        self.book.lower_band_cents, self.book.upper_band_cents = listing.terms.band

    def enter(self, phase: Phase) -> list[Outcome]:
        """Go into another phase; trading begins with an auction."""
        outcomes = super().enter(phase)
        return self._uncross() if phase is Phase.OPEN else outcomes

    def _put_back(self, order: LiveOrder) -> list[Outcome]:
        """One that rested goes to its place. One that was accepted but never executed is executed now.

        It cannot be told from one that rested at once, but for that one executing changes nothing.
        """
        triggered = order.status is OrderStatus.WORKING and order.type in (
            OrderType.STOP,
            OrderType.STOP_LIMIT,
        )
        if triggered:
            order.status = order.settled_status
            self.book.restore(order)
            return []
        return self.take(order)

    def uncross_if_crossed(self) -> list[Outcome]:
        """In continuous trading no book stays crossed; one whose amend was cut short may have come so."""
        bid, ask = self.book.best_bid, self.book.best_ask
        crossed = self.phase is Phase.OPEN and bid is not None and ask is not None and bid >= ask
        return self._uncross() if crossed else []

    def _uncross(self) -> list[Outcome]:
        return self.book.uncross(self.reference_cents or self.price_cents)

    def faced(self, side: Side, price_cents: int, quantity: int) -> Iterable[Order]:
        """The resting orders that it would trade with."""
        return self.book.facing(side, price_cents, quantity)

    def best_opposite(self, side: Side) -> int:
        """The best price on the other side; 0: none."""
        return (self.book.best_ask if side is Side.BUY else self.book.best_bid) or 0

    def quote(self) -> QuoteRecord:
        """The latest."""
        bids, asks = self.book.depth(1)
        bid = bids[0] if bids else (0, 0, 0)
        ask = asks[0] if asks else (0, 0, 0)
        auction = None
        if self.phase in (Phase.PRE_OPEN, Phase.HALTED) and bids and asks and bid[0] >= ask[0]:
            auction = self.book.indicative(self.reference_cents or self.price_cents)
        price, volume = auction or (0, 0)
        self._last_told = self.price_cents
        return QuoteRecord(
            self.id, self.symbol, bid[0], bid[1], ask[0], ask[1], self._last_told, self._volume,
            self._previous_close, self.phase, self._high, self._low, price, volume,
        )  # fmt: skip


def ended(order: LiveOrder, reason: EndReason) -> Outcome:
    """End an order that never came into a book."""
    quantity, order.remaining = order.remaining, 0
    return Ended(order, quantity, reason)
