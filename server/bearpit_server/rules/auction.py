"""The call auction: one price for all that can trade, as exchanges form it at the open and after a halt.

The price is the one that trades the most shares; of those, the one that leaves the fewest unmatched
at it; of those, the one nearest the reference price; of two equally near, the lower. (The steps are
those of the Xetra and Euronext rule books, without their market-pressure step.) Prices between two
orders' prices count too, on the instrument's tick.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from bearpit_server.rules.orders import Order, SelfTrade


@dataclass(frozen=True, slots=True)
class Terms:
    """What bounds an auction: prices in cents, a band of 0 is none."""

    reference_cents: int
    lower_band_cents: int = 0
    upper_band_cents: int = 0
    tick_cents: int = 1


@dataclass(frozen=True, slots=True)
class Auction:
    """What an auction does: first the cuts that self-trade prevention asks for, then the trades.

    A cut takes shares off an order without a trade; a trade is (buy, sell, shares), all of them at
    `price_cents`. `volume` is 0, and the price means nothing, when nothing can trade.
    """

    price_cents: int = 0
    volume: int = 0
    trades: list[tuple[Order, Order, int]] = field(default_factory=list)
    cuts: list[tuple[Order, int]] = field(default_factory=list)


def hold_auction(bids: list[Order], asks: list[Order], terms: Terms) -> Auction:
    """Works out the auction between bids and asks, each in price-time priority; changes nothing.

    Where a bid and an ask of one owner would meet, the newer order's self-trade mode decides which
    of them to cut; then the price is formed anew, until no such pair is left.
    """
    left = _remaining(bids, asks)
    cuts: list[tuple[Order, int]] = []
    while True:
        found = equilibrium(_sizes(bids, left), _sizes(asks, left), terms)
        if found is None:
            return Auction(cuts=cuts)
        price_cents, volume = found
        buys = [order for order in bids if order.price_cents >= price_cents and left[order.id]]
        sells = [order for order in asks if order.price_cents <= price_cents and left[order.id]]
        trades, own = _pair(buys, sells, left)
        if not own:
            assert volume == sum(quantity for _, _, quantity in trades), "the auction does not add up"
            return Auction(price_cents, volume, trades, cuts)
        cuts += own


def indicate(bids: list[Order], asks: list[Order], terms: Terms) -> tuple[int, int] | None:
    """The price in cents and the volume that `hold_auction` would come to; None if nothing can trade."""
    if {order.owner_id for order in bids}.isdisjoint(order.owner_id for order in asks):
        left = _remaining(bids, asks)
        return equilibrium(_sizes(bids, left), _sizes(asks, left), terms)
    auction = hold_auction(bids, asks, terms)
    return (auction.price_cents, auction.volume) if auction.volume else None


def equilibrium(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], terms: Terms
) -> tuple[int, int] | None:
    """The auction's price in cents and its volume, from (price, shares) in any order; None without volume."""
    demand = _Curve((-price, shares) for price, shares in bids)
    supply = _Curve(asks)

    def rank(price: int) -> tuple[int, int, int, int]:
        wanted, offered = demand.up_to(-price), supply.up_to(price)
        return (
            -min(wanted, offered),
            abs(wanted - offered),
            abs(price - terms.reference_cents),
            price,
        )

    best = min(map(rank, _candidates({price for price, _ in (*bids, *asks)}, terms)), default=None)
    if best is None or best[0] == 0:
        return None
    return best[3], -best[0]


class _Curve:
    """Shares by key, summed: how many there are up to a key."""

    def __init__(self, sizes: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(sizes)
        self._keys = [key for key, _ in ordered]
        self._sums = [0, *accumulate(shares for _, shares in ordered)]

    def up_to(self, key: int) -> int:
        return self._sums[bisect_right(self._keys, key)]


def _candidates(prices: set[int], terms: Terms) -> set[int]:
    """Prices worth a look: each order's, and between two of them those nearest the reference."""
    lower = terms.lower_band_cents
    upper = terms.upper_band_cents or max(prices, default=0)
    tick = terms.tick_cents
    ordered = sorted(prices)
    found = {price for price in ordered if lower <= price <= upper}
    below = terms.reference_cents // tick * tick
    for left, right in pairwise(ordered):
        lowest = -(-max(left + 1, lower) // tick) * tick
        highest = min(right - 1, upper) // tick * tick
        if lowest <= highest:
            found.add(min(max(below, lowest), highest))
            found.add(min(max(below + tick, lowest), highest))
    return found


def _remaining(bids: list[Order], asks: list[Order]) -> dict[int, int]:
    return {order.id: order.remaining for side in (bids, asks) for order in side}


def _sizes(orders: list[Order], left: dict[int, int]) -> list[tuple[int, int]]:
    """(price, shares) of each price at which something is left."""
    sizes: dict[int, int] = {}
    for order in orders:
        sizes[order.price_cents] = sizes.get(order.price_cents, 0) + left[order.id]
    return [(price, shares) for price, shares in sizes.items() if shares]


def _pair(
    buys: list[Order], sells: list[Order], left: dict[int, int]
) -> tuple[list[tuple[Order, Order, int]], list[tuple[Order, int]]]:
    """Pairs buys with sells in priority, and cuts the pairs of one owner, in `left` too.

    The trades count only if nothing was cut.
    """
    trades: list[tuple[Order, Order, int]] = []
    cuts: list[tuple[Order, int]] = []
    spare = dict(left)
    b = s = 0
    while b < len(buys) and s < len(sells):
        buy, sell = buys[b], sells[s]
        quantity = min(spare[buy.id], spare[sell.id])
        if quantity == 0:
            pass
        elif buy.owner_id != sell.owner_id:
            trades.append((buy, sell, quantity))
            spare[buy.id] -= quantity
            spare[sell.id] -= quantity
        else:
            for order, size in _own_pair(buy, sell, quantity, left):
                cuts.append((order, size))
                left[order.id] -= size
                spare[order.id] = max(spare[order.id] - size, 0)
        b += not spare[buy.id]
        s += not spare[sell.id]
    return trades, cuts


def _own_pair(buy: Order, sell: Order, quantity: int, left: dict[int, int]) -> list[tuple[Order, int]]:
    """What to cut where an owner's orders would trade `quantity` with each other."""
    older, newer = sorted((buy, sell), key=lambda order: order.priority)
    match newer.self_trade:
        case SelfTrade.CANCEL_NEWEST:
            return [(newer, left[newer.id])]
        case SelfTrade.CANCEL_OLDEST:
            return [(older, left[older.id])]
        case SelfTrade.CANCEL_BOTH:
            return [(older, left[older.id]), (newer, left[newer.id])]
        case SelfTrade.DECREMENT:
            return [(older, quantity), (newer, quantity)]
