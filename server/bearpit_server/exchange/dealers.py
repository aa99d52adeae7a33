"""One instrument's place where one party deals with everybody: the house by a price, or a pool."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, tzinfo

from bearpit_server.events.records import QuoteRecord
from bearpit_server.exchange.desks import Desk, ended
from bearpit_server.exchange.listings import Listing
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.exchange.pricing import Group
from bearpit_server.ledger.journal import Balance
from bearpit_server.rules.dealer_book import DealerBook
from bearpit_server.rules.limits import Wish
from bearpit_server.rules.mechanisms.base import Counterparty, Offer, State
from bearpit_server.rules.open_orders import Depth
from bearpit_server.rules.orders import EndReason, Order, OrderType, Side, TimeInForce
from bearpit_server.rules.outcomes import Outcome
from bearpit_server.rules.sessions import Phase
from bearpit_server.rules.units import MAX_QUANTITY
from bearpit_server.storage import clock
from bearpit_server.storage.candles import Today

MOST_AT_ONCE = 500
"""Orders whose price is reached that one transaction executes."""


class Stale(Exception):
    """Something else than trading has changed how these instruments are dealt in: look again."""

    def __init__(self, instruments: set[int]) -> None:
        super().__init__(f"the dealing of instruments {sorted(instruments)} has changed")
        self.instruments = instruments


class Dealer(Desk):
    """Where a dealer stands, and the orders that wait for its price.

    What its tills hold is known exactly only while they are locked; `sync` takes it over.
    """

    book: DealerBook

    def __init__(
        self,
        listing: Listing,
        group: Group | None,
        balances: Mapping[int, tuple[int, int]],
        today: Today,
        zone: tzinfo,
        at: datetime,
    ) -> None:
        """`balances` has balance and version of the tills, by account."""
        super().__init__(listing, today, zone, at)
        assert listing.tills is not None, "who deals has tills"
        self.tills = listing.tills
        self.group = group
        self.lot = listing.terms.lot
        self.attention_bps = 0
        self.next_cents = 0
        """What the next step is expected to make of the price; 0: not known."""
        self.epoch = balances[self.tills.cash][1]
        self.state = State(
            instrument_id=listing.id,
            symbol=listing.symbol,
            tick_cents=listing.terms.tick_cents,
            price_cents=listing.price_cents,
            till_cents=balances[self.tills.cash][0],
            till_shares=balances[self.tills.shares][0],
            priced_at=listing.priced_at,
        )
        self._smallest = listing.terms.min_quantity
        self._marks: list[tuple[int, datetime]] = []
        self._orders = {side: self._own_order(listing, side) for side in Side}
        self.book = DealerBook(self)
        self.follow(listing, zone)
        self.state = replace(self.state, price_cents=listing.mechanism.price(listing.parameters, self.state))

    def follow(self, listing: Listing, zone: tzinfo) -> None:
        """Take over what operators may have changed."""
        self._zone = zone
        self._listing = listing
        self._smallest = listing.terms.min_quantity
        self.reference_cents = listing.terms.reference_price_cents
        if listing.mechanism.by_window and listing.price_cents:
            # Set from outside; should it be newer than the epoch, the next round is stale, and looks again.
            self.state = replace(self.state, price_cents=listing.price_cents, priced_at=listing.priced_at)
        window_id = listing.window_at(clock.now())
        for order in self._orders.values():
            order.window_id = window_id

    def renew(self, listing: Listing, zone: tzinfo, epoch: int, phase: Phase) -> None:
        """Take over what something else than trading has changed: the price, the window and its phase."""
        self.follow(listing, zone)
        self.epoch = epoch
        self.phase = phase
        if listing.price_cents:
            self.state = replace(self.state, price_cents=listing.price_cents, priced_at=listing.priced_at)

    def confirm(self, accounts: Mapping[int, Balance]) -> None:
        """Make sure, if the till of cash is locked, that nothing but trading has changed it. Raises Stale."""
        cash = accounts.get(self.tills.cash)
        if cash is not None and cash.version != self.epoch:
            raise Stale({self.id})

    def sync(self, accounts: Mapping[int, Balance]) -> None:
        """Take over the tills, as far as they are locked. Raises Stale."""
        self.confirm(accounts)
        cash, shares = accounts.get(self.tills.cash), accounts.get(self.tills.shares)
        self._hold(
            cash.balance if cash else self.state.till_cents,
            shares.balance if shares else self.state.till_shares,
        )

    # What the book asks of its dealer

    @property
    def price_cents(self) -> int:
        """The price now; 0: none."""
        return self.state.price_cents

    @property
    def rests(self) -> bool:
        """Whether orders may wait."""
        return self._listing.mechanism.rests

    def offer(self, side: Side, quantity: int, limit_cents: int) -> Offer:
        """What an order gets now."""
        return self._listing.mechanism.offer(
            self._shared, self._listing.parameters, self.state, side, quantity, limit_cents, clock.now()
        )

    def order(self, side: Side) -> Order:
        """The dealer's own side of a fill."""
        return self._orders[side]

    def dealt(self, side: Side, quantity: int, price_cents: int) -> None:
        """Move the tills with a fill that is about to be settled."""
        sign = 1 if side is Side.BUY else -1
        cents, shares = sign * price_cents * quantity, sign * quantity
        self._hold(self.state.till_cents + cents, self.state.till_shares - shares)

    # What the exchange asks of a desk

    def check(self, wish: Wish) -> None:
        """Raises Refused for an order that would be refused whatever its limit."""
        self._listing.mechanism.check_order(
            self._shared, self._listing.parameters, self.state, wish.side, wish.quantity, clock.now()
        )

    def take(self, order: LiveOrder) -> list[Outcome]:
        """Execute an accepted order, or keep it for the opening."""
        is_open = self.phase is Phase.OPEN and self._listing.may_trade(clock.now())
        if not is_open and not self.rests:
            return [ended(order, EndReason.DAY_ENDED)]  # accepted just before the close
        return super().take(order)

    def _put_back(self, order: LiveOrder) -> list[Outcome]:
        """One whose price is reached is dealt with afterwards."""
        return self.book.collect(order)

    def enter(self, phase: Phase) -> list[Outcome]:
        """Go into another phase. Where nothing may wait, the end of trading ends all orders."""
        outcomes = super().enter(phase)
        if phase is Phase.CLOSED and not self.rests:
            for id_ in [*self.book.orders]:
                outcomes += self.book.cancel(id_, EndReason.DAY_ENDED)
        return outcomes

    def faced(self, side: Side, price_cents: int, quantity: int) -> Iterable[LiveOrder]:
        """The dealer itself, always."""
        return [self._orders[side.opposite]]

    def reached(self) -> list[LiveOrder]:
        """Waiting orders whose price is reached, some of them; while trading is on."""
        if self.phase is not Phase.OPEN or not self.book.orders:
            return []
        found = self.book.reached(MOST_AT_ONCE)
        return [order for order in found if isinstance(order, LiveOrder)]

    def depth(self, levels: int) -> Depth:
        """What the dealer bids and asks; orders that wait are nobody else's business."""
        quote = self.quote()
        bids = [(quote.bid_cents, quote.bid_quantity, 1)] if quote.bid_cents else []
        asks = [(quote.ask_cents, quote.ask_quantity, 1)] if quote.ask_cents else []
        return bids, asks

    def best_opposite(self, side: Side) -> int:
        """What the dealer asks or bids for the smallest order; 0: nothing."""
        return self.book.best_offer(side)

    def reprice(self, price_cents: int, at: datetime, priced_at: datetime) -> None:
        """Take a price that a step has made, or that was pushed and is as old as its source says."""
        self.state = replace(self.state, price_cents=price_cents, priced_at=priced_at)
        self._mark(at)

    def flow(self, cents: int, at: datetime) -> None:
        """Take cash that a step has moved into (or, negative, out of) the till."""
        self._hold(self.state.till_cents + cents, self.state.till_shares, at)
        self._mark(at)

    def foresee(self, attention_bps: int, next_cents: int) -> bool:
        """Take what the next step is expected to make of the price; says whether that is news."""
        before = self.attention_bps, self.next_cents
        self.attention_bps, self.next_cents = attention_bps, next_cents
        return before != (attention_bps, next_cents)

    def take_marks(self) -> list[tuple[int, datetime]]:
        """The prices since the last call, each with its time: what candles are made of beside trades."""
        marks, self._marks = self._marks, []
        return marks

    def quote(self) -> QuoteRecord:
        """The latest."""
        state = self.state
        bid, ask = self._listing.mechanism.quote(
            self._shared, self._listing.parameters, state, self._smallest, clock.now()
        )
        self._last_told = state.price_cents
        priced_at = int(state.priced_at.timestamp() * 1000) if state.priced_at else 0
        return QuoteRecord(
            self.id, self.symbol, bid.price_cents, bid.quantity, ask.price_cents, ask.quantity,
            state.price_cents, self._volume, self._previous_close, self.phase, self._high, self._low,
            self.next_cents, 0, priced_at, self.attention_bps,
        )  # fmt: skip

    @property
    def has_pool(self) -> bool:
        """Whether a step may move cash into or out of its till."""
        return self._listing.mechanism.counterparty is Counterparty.POOL

    @property
    def _shared(self) -> object:
        """The parameters of its group."""
        return self.group.parameters if self.group else self._listing.mechanism.group_parameters()

    def _hold(self, cents: int, shares: int, priced_at: datetime | None = None) -> None:
        """Let the tills hold so much, and the price follow from that where it does."""
        before = self.state
        if (cents, shares) == (before.till_cents, before.till_shares) and priced_at is None:
            return
        # Made anew, never changed: it is looked at from the event loop. And without `replace`, which takes
        # three times as long; a step does this a thousand times.
        who, at = (before.instrument_id, before.symbol, before.tick_cents), priced_at or before.priced_at
        held = State(*who, before.price_cents, cents, shares, at)
        price = self._listing.mechanism.price(self._listing.parameters, held)
        self.state = held if price == before.price_cents else State(*who, price, cents, shares, at)

    def _mark(self, at: datetime) -> None:
        price = self.state.price_cents
        self._count_price(price, at)
        self._marks.append((price, at))

    def _own_order(self, listing: Listing, side: Side) -> LiveOrder:
        tills, at = self.tills, clock.now()
        return LiveOrder(
            id=0, owner_id=0, instrument_id=listing.id, side=side, type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC, quantity=MAX_QUANTITY, price_cents=1, symbol=listing.symbol,
            request_id="", accepted_at=at, updated_at=at, expires_at=None, cash_account=tills.cash,
            share_account=tills.shares, deals=True,
        )  # fmt: skip
