"""The order book of one instrument: continuous matching in price-time priority, and call auctions.

It has a single writer and lives in memory. Prices are whole cents. The book fills in an order's `filled`,
`remaining`, `value_cents` and `status`, its `quantity` when it is cut, and its `priority` when a stop
triggers. Fees are the settlement's.
"""

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from itertools import islice, takewhile

from bearpit_server.rules.auction import Terms, hold_auction, indicate
from bearpit_server.rules.ladder import Ladder
from bearpit_server.rules.lifecycle import cut, end, trade
from bearpit_server.rules.open_orders import OpenOrders
from bearpit_server.rules.orders import EndReason, Order, OrderStatus, OrderType, SelfTrade, Side, TimeInForce
from bearpit_server.rules.outcomes import Ended, Fill, Outcome, Reduced, Rested, Triggered, Waiting
from bearpit_server.rules.stops import is_reached
from bearpit_server.rules.units import MAX_PRICE_CENTS

__all__ = ["Book", "Ended", "Fill", "Outcome", "Reduced", "Rested", "Triggered", "Waiting"]

# An enum's member costs five times as much to look up as a module's name.
_BUY = Side.BUY
_MARKET = OrderType.MARKET
_LIMIT = OrderType.LIMIT
_STOP = OrderType.STOP
_STOP_LIMIT = OrderType.STOP_LIMIT
_DAY = TimeInForce.DAY
_IOC = TimeInForce.IOC
_FOK = TimeInForce.FOK
_WAITING = OrderStatus.WAITING
_WORKING = OrderStatus.WORKING
_FILLED = OrderStatus.FILLED


class Book(OpenOrders):
    """Open orders and the rules by which they trade.

    With bands set (0 is none) nothing trades outside of them, though orders may rest there.
    `tick_cents` is what an auction price that no order names is a multiple of.
    """

    __slots__ = ("lower_band_cents", "tick_cents", "upper_band_cents")

    def __init__(
        self,
        last_price_cents: int | None = None,
        lower_band_cents: int = 0,
        upper_band_cents: int = 0,
        tick_cents: int = 1,
    ) -> None:
        super().__init__(last_price_cents)
        self.lower_band_cents = lower_band_cents
        self.upper_band_cents = upper_band_cents
        self.tick_cents = tick_cents

    def execute(self, order: Order) -> list[Outcome]:
        """Takes an order in continuous trading: it waits, or trades what it can and rests or ends.

        A stop whose price is reached already triggers at once and keeps its priority. Stops that the
        trades reach follow, in the order of their priority; a price once traded counts as reached,
        wherever the market went after it.
        """
        assert order.remaining > 0, f"order {order.id} wants nothing"
        assert order.id not in self.orders, f"order {order.id} is in the book already"
        if order.priority > self._newest:
            self._newest = order.priority
            # Most orders only rest: written out, because the calls would take as long as the work.
            if order.type is _LIMIT and order.time_in_force <= _DAY:
                if order.side == _BUY:
                    ladder, opposite = self._bids, self._asks
                else:
                    ladder, opposite = self._asks, self._bids
                keys = opposite.keys
                if not keys or ladder.sign * order.price_cents + keys[-1] < 0:
                    order.status = _WORKING
                    self.orders[order.id] = order
                    ladder.append(order)
                    return [Rested(order)]
        if order.type < _STOP:
            return self._work(order, [])
        if self.last_price_cents is not None and is_reached(order, self.last_price_cents):
            return self._work(order, [Triggered(order)])
        return [self._wait(order)]

    def preview(self, order: Order) -> list[tuple[int, int]]:
        """What the order would trade if executed now, level by level: (price in cents, shares)."""
        last = self.last_price_cents
        if order.post_only or (order.type >= _STOP and (last is None or not is_reached(order, last))):
            return []
        if order.time_in_force == _FOK and not self._is_fillable(order):
            return []
        return list(self._offers(order))

    def resting_after(self, order: Order) -> int:
        """How many of the order's shares would rest or wait if it were executed now."""
        last = self.last_price_cents
        if order.type >= _STOP and (last is None or not is_reached(order, last)):
            return order.remaining
        low, high = self._range(order)
        opposite = self._asks if order.side == _BUY else self._bids
        best = opposite.best_cents
        if order.post_only and best is not None and low <= best <= high:
            return 0
        if not order.rests:
            return 0
        wanted = order.remaining
        in_range = takewhile(lambda level: low <= level.price_cents <= high, opposite.best_first())
        for maker in (maker for level in in_range for maker in level.queue.values()):
            if maker.owner_id != order.owner_id or order.self_trade == SelfTrade.DECREMENT:
                wanted -= min(wanted, maker.remaining)
            elif order.self_trade != SelfTrade.CANCEL_OLDEST:
                return 0
            if not wanted:
                return 0
        return wanted

    def uncross(self, reference_cents: int) -> list[Outcome]:
        """Ends a call phase: trades all that crosses at one price, as `auction` says.

        Then market orders that are left end, and stops that the auction's price reaches (or, without
        trades, the last price) enter continuous trading. Where bands are set a crossed book may be left.
        """
        auction = hold_auction(*self._crossing(), self._terms(reference_cents))
        outcomes: list[Outcome] = [self._cut(order, quantity) for order, quantity in auction.cuts]
        for buy, sell, quantity in auction.trades:
            outcomes.append(self._trade_at_auction(buy, sell, auction.price_cents, quantity))
        if auction.volume:
            self.last_price_cents = auction.price_cents
        leftover = [order for order in self.orders.values() if order.type == _MARKET]
        for order in sorted(leftover, key=lambda order: order.priority):
            self._withdraw(order)
            outcomes.append(end(order, EndReason.UNFILLED))
        if self.last_price_cents is not None:
            self._cascade(outcomes, self._stops.take_reached(self.last_price_cents))
        return outcomes

    def indicative(self, reference_cents: int) -> tuple[int, int] | None:
        """The price in cents and the volume that an auction would have now; None if nothing would trade."""
        return indicate(*self._crossing(), self._terms(reference_cents))

    # Continuous trading

    def _work(self, order: Order, outcomes: list[Outcome]) -> list[Outcome]:
        """Trades what the order can get, rests or ends the rest, and triggers the stops that this reaches."""
        self._take(order, outcomes)
        if self._stops.buys or self._stops.sells:
            self._cascade(outcomes)
        return outcomes

    def _take(self, order: Order, outcomes: list[Outcome]) -> None:
        opposite = self._asks if order.side == _BUY else self._bids
        low, high = self._range(order)
        crosses = opposite.keys and low <= abs(opposite.keys[-1]) <= high
        if crosses and order.post_only:
            # Even if only its owner's orders are there: whose they are is no matter here.
            outcomes.append(end(order, EndReason.WOULD_TAKE))
            return
        if order.time_in_force == _FOK and not self._is_fillable(order):
            outcomes.append(end(order, EndReason.NOT_FILLABLE))
            return
        if crosses:
            self._match(order, opposite, low, high, outcomes)
        if not order.remaining:
            return
        if order.time_in_force <= _DAY and (order.type == _LIMIT or order.type == _STOP_LIMIT):
            outcomes.append(self._rest(order))
        else:
            outcomes.append(end(order, EndReason.UNFILLED))

    def _range(self, order: Order) -> tuple[int, int]:
        """The lowest and the highest price the order may trade at, by its limit and by the bands."""
        low, high = self.lower_band_cents, self.upper_band_cents or MAX_PRICE_CENTS
        limit = order.price_cents
        if order.side == _BUY:
            return low, (limit if limit < high else high)
        return (limit if limit > low else low), high

    def _match(self, taker: Order, ladder: Ladder, low: int, high: int, outcomes: list[Outcome]) -> None:
        """Trades with the best level while it is in range, first come first served, until nothing remains."""
        # Written out, without calls: this is where the time goes.
        keys, levels, owner_id = ladder.keys, ladder.levels, taker.owner_id
        while taker.remaining and keys:
            level = levels[keys[-1]]
            price = level.price_cents
            if not low <= price <= high:
                return
            maker = next(iter(level.queue.values()))
            if maker.owner_id == owner_id:
                self._prevent(maker, taker, outcomes)
                continue
            offered, wanted = maker.remaining, taker.remaining
            quantity = offered if offered < wanted else wanted
            value_cents = price * quantity
            maker.remaining = offered - quantity
            maker.filled += quantity
            maker.value_cents += value_cents
            taker.remaining = wanted - quantity
            taker.filled += quantity
            taker.value_cents += value_cents
            level.shares -= quantity
            self.last_price_cents = price
            outcomes.append(Fill(maker, taker, price, quantity))
            if quantity == wanted:
                assert taker.filled == taker.quantity, f"order {taker.id} does not add up"
                taker.status = _FILLED
            if quantity == offered:
                assert maker.filled == maker.quantity, f"order {maker.id} does not add up"
                maker.status = _FILLED
                del self.orders[maker.id]
                del level.queue[maker.id]
                if not level.queue:
                    ladder.close(keys[-1])

    def _prevent(self, maker: Order, taker: Order, outcomes: list[Outcome]) -> None:
        """Keeps an owner's orders from trading with each other, by the incoming order's mode."""
        mode = taker.self_trade
        if mode == SelfTrade.DECREMENT:
            quantity = min(maker.remaining, taker.remaining)
            outcomes.append(self._cut(maker, quantity))
            outcomes.append(cut(taker, quantity))
            return
        if mode != SelfTrade.CANCEL_NEWEST:
            outcomes.append(self._cut(maker, maker.remaining))
        if mode != SelfTrade.CANCEL_OLDEST:
            outcomes.append(end(taker, EndReason.SELF_TRADE))

    def _offers(self, taker: Order) -> Iterator[tuple[int, int]]:
        """What the taker would trade now, level by level; its owner's orders stop it as its mode says."""
        wanted = taker.remaining
        low, high = self._range(taker)
        opposite = self._asks if taker.side == _BUY else self._bids
        for level in opposite.best_first():
            if not low <= level.price_cents <= high:
                return
            shares = 0
            for maker in level.queue.values():
                quantity = min(wanted, maker.remaining)
                if maker.owner_id != taker.owner_id:
                    shares += quantity
                    wanted -= quantity
                elif taker.self_trade == SelfTrade.DECREMENT:
                    wanted -= quantity
                elif taker.self_trade != SelfTrade.CANCEL_OLDEST:
                    wanted = 0
                if not wanted:
                    break
            if shares:
                yield level.price_cents, shares
            if not wanted:
                return

    def _is_fillable(self, order: Order) -> bool:
        return sum(shares for _, shares in self._offers(order)) == order.remaining

    def _cascade(self, outcomes: list[Outcome], reached: Iterable[Order] = ()) -> None:
        """Triggers the stops given and those that trades reach, one by one by priority, to the last."""
        pending = [(order.priority, order.id, order) for order in reached]
        heapify(pending)
        seen = 0
        while True:
            for outcome in islice(outcomes, seen, None):
                if isinstance(outcome, Fill):
                    for order in self._stops.take_reached(outcome.price_cents):
                        heappush(pending, (order.priority, order.id, order))
            seen = len(outcomes)
            if not pending:
                return
            order = heappop(pending)[2]
            del self.orders[order.id]
            order.priority = self.priorities()
            self._newest = max(self._newest, order.priority)
            outcomes.append(Triggered(order))
            self._take(order, outcomes)

    # The call auction

    def _terms(self, reference_cents: int) -> Terms:
        return Terms(reference_cents, self.lower_band_cents, self.upper_band_cents, self.tick_cents)

    def _crossing(self) -> tuple[list[Order], list[Order]]:
        """The bids and the asks that the other side's best price is good enough for, in priority."""
        best_bid, best_ask = self.best_bid, self.best_ask
        if best_bid is None or best_ask is None or best_bid < best_ask:
            return [], []
        bids = takewhile(lambda level: level.price_cents >= best_ask, self._bids.best_first())
        asks = takewhile(lambda level: level.price_cents <= best_bid, self._asks.best_first())
        return (
            [order for level in bids for order in level.queue.values()],
            [order for level in asks for order in level.queue.values()],
        )

    def _trade_at_auction(self, buy: Order, sell: Order, price_cents: int, quantity: int) -> Fill:
        for order in (buy, sell):
            ladder = self._ladder(order)
            ladder.level_of(order).shares -= quantity
            trade(order, price_cents, quantity)
            if not order.remaining:
                ladder.remove(order)
                del self.orders[order.id]
        maker, taker = (buy, sell) if buy.priority < sell.priority else (sell, buy)
        return Fill(maker, taker, price_cents, quantity)
