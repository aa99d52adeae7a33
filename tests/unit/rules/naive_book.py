"""A second book with the interface of the first, slow and plain: one dict, sorted anew at every step.

It exists to be compared with (`test_book_agreement.py`), so it shares the orders and the outcomes with
`bearpit_server.rules.book`, and no other line.
"""

from collections.abc import Callable
from hashlib import sha256

from bearpit_server.rules.book import Ended, Fill, Outcome, Reduced, Rested, Triggered, Waiting
from bearpit_server.rules.orders import EndReason, Order, OrderStatus, OrderType, SelfTrade, Side, TimeInForce

RESTING = (OrderType.LIMIT, OrderType.STOP_LIMIT)
STOPS = (OrderType.STOP, OrderType.STOP_LIMIT)
Trade = tuple[Order, Order, int]


class NaiveBook:
    def __init__(
        self,
        last_price_cents: int | None = None,
        lower_band_cents: int = 0,
        upper_band_cents: int = 0,
        tick_cents: int = 1,
    ) -> None:
        self.last_price_cents = last_price_cents
        self.lower_band_cents = lower_band_cents
        self.upper_band_cents = upper_band_cents
        self.tick_cents = tick_cents
        self.orders: dict[int, Order] = {}
        self.highest_priority = 0
        self.priorities: Callable[[], int] = lambda: self.highest_priority + 1

    # The same interface

    def execute(self, order: Order) -> list[Outcome]:
        self.highest_priority = max(self.highest_priority, order.priority)
        if order.type not in STOPS:
            outcomes: list[Outcome] = []
        elif self.is_reached(order, self.last_price_cents):
            outcomes = [Triggered(order)]
        else:
            return self.wait(order)
        outcomes += self.trade_and_rest(order)
        return outcomes + self.trigger(traded(outcomes))

    def collect(self, order: Order) -> list[Outcome]:
        self.highest_priority = max(self.highest_priority, order.priority)
        if order.type in STOPS:
            return self.wait(order)
        if order.time_in_force is TimeInForce.FOK:
            return [self.end(order, EndReason.NOT_FILLABLE)]
        if order.time_in_force is TimeInForce.IOC and order.type is OrderType.LIMIT:
            return [self.end(order, EndReason.UNFILLED)]
        return self.rest(order)

    def restore(self, order: Order) -> None:
        self.highest_priority = max(self.highest_priority, order.priority)
        self.orders[order.id] = order

    def cancel(self, order_id: int, reason: EndReason = EndReason.REQUESTED) -> list[Outcome]:
        return [self.end(self.orders[order_id], reason)]

    def reduce(self, order_id: int, quantity: int) -> list[Outcome]:
        order = self.orders[order_id]
        lost = order.quantity - quantity
        order.quantity -= lost
        order.remaining -= lost
        return [Reduced(order, lost)]

    def replace(
        self,
        order_id: int,
        price_cents: int,
        quantity: int,
        priority: int,
        matching: bool,
        stop_price_cents: int = 0,
    ) -> list[Outcome]:
        order = self.orders.pop(order_id)
        order.price_cents = price_cents
        order.quantity = quantity
        order.remaining = quantity - order.filled
        order.priority = priority
        self.highest_priority = max(self.highest_priority, priority)
        if order.status is OrderStatus.WAITING:
            order.stop_price_cents = stop_price_cents or order.stop_price_cents
            return self.execute(order) if matching else self.wait(order)
        if not matching:
            return self.rest(order)
        outcomes = self.trade_and_rest(order)
        return outcomes + self.trigger(traded(outcomes))

    def uncross(self, reference_cents: int) -> list[Outcome]:
        price, trades, cuts = self.auction(reference_cents)
        outcomes: list[Outcome] = []
        for order, quantity in cuts:
            outcomes.append(self.cut(order, quantity))
        for buy, sell, quantity in trades:
            maker, taker = sorted((buy, sell), key=lambda order: order.priority)
            outcomes.append(self.fill(maker, taker, price, quantity))
        for order in sorted(self.orders.values(), key=lambda order: order.priority):
            if order.type is OrderType.MARKET:
                outcomes.append(self.end(order, EndReason.UNFILLED))
        reached = [] if self.last_price_cents is None else [self.last_price_cents]
        return outcomes + self.trigger(reached)

    def indicative(self, reference_cents: int) -> tuple[int, int] | None:
        price, trades, _ = self.auction(reference_cents)
        volume = sum(quantity for _, _, quantity in trades)
        return (price, volume) if volume else None

    @property
    def best_bid(self) -> int | None:
        bids = self.queue(Side.BUY)
        return bids[0].price_cents if bids else None

    @property
    def best_ask(self) -> int | None:
        asks = self.queue(Side.SELL)
        return asks[0].price_cents if asks else None

    def depth(self, levels: int) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
        both = []
        for side in (Side.BUY, Side.SELL):
            orders = self.queue(side)
            prices = list(dict.fromkeys(order.price_cents for order in orders))[:levels]
            both.append(
                [
                    (
                        price,
                        sum(o.remaining for o in orders if o.price_cents == price),
                        [o.price_cents for o in orders].count(price),
                    )
                    for price in prices
                ]
            )
        return both[0], both[1]

    def queue_ahead(self, order_id: int) -> tuple[int, int]:
        order = self.orders[order_id]
        if order.status is not OrderStatus.WORKING:
            raise KeyError(order_id)
        queue = self.queue(order.side)
        ahead = queue[: queue.index(order)]
        return len(ahead), sum(other.remaining for other in ahead)

    def preview(self, order: Order) -> list[tuple[int, int]]:
        if order.post_only or (order.type in STOPS and not self.is_reached(order, self.last_price_cents)):
            return []
        taken: dict[int, int] = {}
        for maker, quantity in self.within_reach(order):
            taken[maker.price_cents] = taken.get(maker.price_cents, 0) + quantity
        if order.time_in_force is TimeInForce.FOK and sum(taken.values()) < order.remaining:
            return []
        return list(taken.items())

    def digest(self) -> str:
        text = repr(self.last_price_cents)
        for order in sorted(self.orders.values(), key=lambda order: order.priority):
            text += repr(order)
        return sha256(text.encode()).hexdigest()

    # Beneath it

    def queue(self, side: Side) -> list[Order]:
        """The working orders of a side, by price, then by priority."""
        orders = [o for o in self.orders.values() if o.side is side and o.status is OrderStatus.WORKING]
        sign = -1 if side is Side.BUY else 1
        return sorted(orders, key=lambda order: (sign * order.price_cents, order.priority))

    def is_reached(self, order: Order, price: int | None) -> bool:
        if price is None:
            return False
        return price >= order.stop_price_cents if order.side is Side.BUY else price <= order.stop_price_cents

    def may_trade(self, price: int) -> bool:
        return price >= self.lower_band_cents and (
            not self.upper_band_cents or price <= self.upper_band_cents
        )

    def counterpart(self, order: Order) -> Order | None:
        """The best order that this one may trade with now, its owner's too."""
        queue = self.queue(order.side.opposite)
        if not queue or not self.may_trade(queue[0].price_cents):
            return None
        price = queue[0].price_cents
        good = price <= order.price_cents if order.side is Side.BUY else price >= order.price_cents
        return queue[0] if good else None

    def within_reach(self, order: Order) -> list[tuple[Order, int]]:
        """Whom the order would trade with, and how much."""
        reach = []
        wanted = order.remaining
        for maker in self.queue(order.side.opposite):
            price = maker.price_cents
            good = price <= order.price_cents if order.side is Side.BUY else price >= order.price_cents
            if not wanted or not good or not self.may_trade(price):
                break
            quantity = min(wanted, maker.remaining)
            if maker.owner_id != order.owner_id:
                reach.append((maker, quantity))
                wanted -= quantity
            elif order.self_trade in (SelfTrade.CANCEL_NEWEST, SelfTrade.CANCEL_BOTH):
                break
            elif order.self_trade is SelfTrade.DECREMENT:
                wanted -= quantity
        return reach

    def trade_and_rest(self, order: Order) -> list[Outcome]:
        outcomes: list[Outcome] = []
        if order.post_only and self.counterpart(order):
            return [self.end(order, EndReason.WOULD_TAKE)]
        available = sum(quantity for _, quantity in self.within_reach(order))
        if order.time_in_force is TimeInForce.FOK and available < order.remaining:
            return [self.end(order, EndReason.NOT_FILLABLE)]
        while order.remaining and (maker := self.counterpart(order)):
            if maker.owner_id == order.owner_id:
                outcomes += self.prevent(maker, order)
            else:
                quantity = min(maker.remaining, order.remaining)
                outcomes.append(self.fill(maker, order, maker.price_cents, quantity))
        if not order.remaining:
            return outcomes
        if order.type in RESTING and order.time_in_force in (TimeInForce.GTC, TimeInForce.DAY):
            return outcomes + self.rest(order)
        return [*outcomes, self.end(order, EndReason.UNFILLED)]

    def prevent(self, maker: Order, taker: Order) -> list[Outcome]:
        match taker.self_trade:
            case SelfTrade.CANCEL_NEWEST:
                return [self.end(taker, EndReason.SELF_TRADE)]
            case SelfTrade.CANCEL_OLDEST:
                return [self.end(maker, EndReason.SELF_TRADE)]
            case SelfTrade.CANCEL_BOTH:
                return [self.end(maker, EndReason.SELF_TRADE), self.end(taker, EndReason.SELF_TRADE)]
            case SelfTrade.DECREMENT:
                quantity = min(maker.remaining, taker.remaining)
                return [self.cut(maker, quantity), self.cut(taker, quantity)]

    def trigger(self, prices: list[int]) -> list[Outcome]:
        """Triggers what these prices reach; a stop once reached stays so, whatever trades next."""
        outcomes: list[Outcome] = []
        while True:
            reached = [
                order
                for order in self.orders.values()
                if order.status is OrderStatus.WAITING and any(self.is_reached(order, p) for p in prices)
            ]
            if not reached:
                return outcomes
            order = min(reached, key=lambda order: order.priority)
            del self.orders[order.id]
            order.priority = self.priorities()
            self.highest_priority = max(self.highest_priority, order.priority)
            outcomes.append(Triggered(order))
            done = self.trade_and_rest(order)
            outcomes += done
            prices = prices + traded(done)

    def auction(self, reference: int) -> tuple[int, list[Trade], list[tuple[Order, int]]]:
        """Tries every price and pairs share by share, again and again until no owner meets himself."""
        sizes = {order.id: order.remaining for order in self.orders.values()}
        cuts: list[tuple[Order, int]] = []
        while True:
            price = self.auction_price(sizes, reference)
            buys = [o for o in self.queue(Side.BUY) if o.price_cents >= price and sizes[o.id]]
            sells = [o for o in self.queue(Side.SELL) if o.price_cents <= price and sizes[o.id]]
            trades, own = pair_off(buys, sells, sizes)
            if not own:
                return price, trades, cuts
            cuts += own
            for order, quantity in own:
                sizes[order.id] -= quantity

    def auction_price(self, sizes: dict[int, int], reference: int) -> int:
        orders = [order for order in self.orders.values() if order.status is OrderStatus.WORKING]
        named = {order.price_cents for order in orders if sizes[order.id]}
        best, best_price = (0, 0, 0), 0
        for price in range(min(named, default=0), max(named, default=0) + 1):
            if not self.may_trade(price) or (price % self.tick_cents and price not in named):
                continue
            demand = sum(sizes[o.id] for o in orders if o.side is Side.BUY and o.price_cents >= price)
            supply = sum(sizes[o.id] for o in orders if o.side is Side.SELL and o.price_cents <= price)
            quality = (min(demand, supply), -abs(demand - supply), -abs(price - reference))
            if not best_price or quality > best:
                best, best_price = quality, price
        return best_price

    def fill(self, maker: Order, taker: Order, price: int, quantity: int) -> Fill:
        for order in (maker, taker):
            order.filled += quantity
            order.remaining -= quantity
            order.value_cents += price * quantity
            if order.remaining == 0:
                order.status = OrderStatus.FILLED
                self.orders.pop(order.id, None)
        self.last_price_cents = price
        return Fill(maker, taker, price, quantity)

    def cut(self, order: Order, quantity: int) -> Outcome:
        if order.remaining == quantity:
            return self.end(order, EndReason.SELF_TRADE)
        order.quantity -= quantity
        order.remaining -= quantity
        return Reduced(order, quantity)

    def end(self, order: Order, reason: EndReason) -> Ended:
        quantity = order.remaining
        order.remaining = 0
        order.status = OrderStatus.EXPIRED if reason is EndReason.DAY_ENDED else OrderStatus.CANCELLED
        self.orders.pop(order.id, None)
        return Ended(order, quantity, reason)

    def rest(self, order: Order) -> list[Outcome]:
        order.status = OrderStatus.WORKING
        self.orders[order.id] = order
        return [Rested(order)]

    def wait(self, order: Order) -> list[Outcome]:
        order.status = OrderStatus.WAITING
        self.orders[order.id] = order
        return [Waiting(order)]


def traded(outcomes: list[Outcome]) -> list[int]:
    return [outcome.price_cents for outcome in outcomes if isinstance(outcome, Fill)]


def pair_off(
    buys: list[Order], sells: list[Order], sizes: dict[int, int]
) -> tuple[list[Trade], list[tuple[Order, int]]]:
    """Pairs one share with one share; instead of pairing an owner's own, notes what to cut."""
    trades: list[Trade] = []
    cuts: list[tuple[Order, int]] = []
    bids = [order for order in buys for _ in range(sizes[order.id])]
    asks = [order for order in sells for _ in range(sizes[order.id])]
    while bids and asks:
        buy, sell = bids[0], asks[0]
        quantity = min(bids.count(buy), asks.count(sell))
        if buy.owner_id != sell.owner_id:
            trades.append((buy, sell, quantity))
            del bids[:quantity], asks[:quantity]
            continue
        older, newer = sorted((buy, sell), key=lambda order: order.priority)
        if newer.self_trade is SelfTrade.DECREMENT:
            cuts += [(older, quantity), (newer, quantity)]
            del bids[:quantity], asks[:quantity]
            continue
        gone = {
            SelfTrade.CANCEL_NEWEST: [newer],
            SelfTrade.CANCEL_OLDEST: [older],
            SelfTrade.CANCEL_BOTH: [older, newer],
        }[newer.self_trade]
        for order in gone:
            already = sum(lost for other, lost in cuts if other is order)
            cuts.append((order, sizes[order.id] - already))
        bids = [order for order in bids if order not in gone]
        asks = [order for order in asks if order not in gone]
    return trades, cuts
