"""What an order must satisfy before anything is held for it: sizes, prices, bands, phases."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bearpit_server.rules.orders import OrderType, SelfTrade, Side, TimeInForce
from bearpit_server.rules.record import record
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.sessions import Phase
from bearpit_server.rules.units import BPS, MAX_PRICE_CENTS, MAX_QUANTITY, points


@dataclass(frozen=True, slots=True)
class Terms:
    """What an instrument asks of an order."""

    symbol: str
    tick_cents: int
    lot: int
    min_quantity: int
    max_quantity: int
    band_bps: int
    reference_price_cents: int

    @property
    def band(self) -> tuple[int, int]:
        """The lowest and the highest price, whole ticks, both allowed; zeros: anything."""
        if not self.band_bps or not self.reference_price_cents:
            return 0, 0
        width = self.reference_price_cents * self.band_bps // BPS
        lower = self._up_to_tick(self.reference_price_cents - width)
        upper = self._down_to_tick(self.reference_price_cents + width)
        return max(lower, self.tick_cents), max(upper, self.tick_cents)

    def _up_to_tick(self, price: int) -> int:
        return -(-price // self.tick_cents) * self.tick_cents

    def _down_to_tick(self, price: int) -> int:
        return price // self.tick_cents * self.tick_cents

    def protection(self, side: Side, base_cents: int, protection_bps: int) -> int:
        """The worst price of a market order: so far from `base_cents`, within the band."""
        width = base_cents * protection_bps // BPS
        lower, upper = self.band
        if side is Side.BUY:
            price = min(self._up_to_tick(base_cents + width), self._down_to_tick(MAX_PRICE_CENTS))
            return min(price, upper) if upper else price
        price = max(self._down_to_tick(base_cents - width), self.tick_cents)
        return max(price, lower)

    def affordable(self, quantity: int, free_cents: int, fee_bps: int) -> int:
        """The highest price, in whole ticks, at which so many shares and their fee cost no more than that."""
        worth = free_cents * BPS // (BPS + fee_bps)
        return self._down_to_tick(worth // quantity)


@record
class Wish:
    """An order as asked for. `price_cents` 0 with a market or stop order: the instrument's protection."""

    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: int
    price_cents: int = 0
    stop_price_cents: int = 0
    post_only: bool = False
    self_trade: SelfTrade = SelfTrade.CANCEL_NEWEST

    @property
    def is_priced(self) -> bool:
        """Whether it names its own limit."""
        return self.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)

    @property
    def is_stop(self) -> bool:
        return self.type in (OrderType.STOP, OrderType.STOP_LIMIT)


def check_size(terms: Terms, quantity: int, field: str = "order.quantity") -> None:
    """Raises Refused for a quantity that is not allowed."""
    lowest, highest = terms.min_quantity, min(terms.max_quantity, MAX_QUANTITY)
    if not lowest <= quantity <= highest:
        raise Refused(
            "SIZE_OUT_OF_RANGE", f"{terms.symbol} trades {lowest} to {highest} shares an order", field,
            minimum=lowest, maximum=highest,
        )  # fmt: skip
    if quantity % terms.lot:
        raise Refused("OFF_LOT", f"{terms.symbol} trades in lots of {terms.lot}", field, lot=terms.lot)


def check_price(terms: Terms, price_cents: int, field: str) -> None:
    """Raises Refused for a price that is out of range or off the tick."""
    if not 1 <= price_cents <= MAX_PRICE_CENTS:
        raise invalid(field, f"give 1 to {MAX_PRICE_CENTS} cents")
    if price_cents % terms.tick_cents:
        raise Refused(
            "OFF_TICK", f"{terms.symbol} is priced in steps of {points(terms.tick_cents)}", field,
            tick_cents=terms.tick_cents,
        )  # fmt: skip


def check_band(terms: Terms, price_cents: int, field: str = "order.price_cents") -> None:
    """Raises Refused for a price outside the band."""
    lower, upper = terms.band
    if upper and not lower <= price_cents <= upper:
        raise Refused(
            "PRICE_OUT_OF_BAND",
            f"{terms.symbol} trades from {points(lower)} to {points(upper)} now",
            field,
            lower_cents=lower,
            upper_cents=upper,
        )


def check_wish(terms: Terms, wish: Wish) -> None:
    """Raises Refused for an order that no state of the market would accept."""
    check_size(terms, wish.quantity)
    if wish.price_cents or wish.is_priced:
        check_price(terms, wish.price_cents, "order.price_cents")
    if wish.is_stop:
        check_price(terms, wish.stop_price_cents, "order.stop_price_cents")
    check_form(wish)


def collect(*checks: Callable[[], object]) -> list[Refused]:
    """What these checks refuse, all of it; raises what is no order at all, Refused INVALID_FIELD."""
    refusals = []
    for check in checks:
        try:
            check()
        except Refused as refused:
            if refused.reason == "INVALID_FIELD":
                raise
            refusals.append(refused)
    return refusals


def wish_refusals(terms: Terms, wish: Wish) -> list[Refused]:
    """All that `check_wish` would refuse an order for. Raises Refused INVALID_FIELD."""
    check_form(wish)
    if not 1 <= wish.quantity <= MAX_QUANTITY:
        check_size(terms, wish.quantity)
    prices = []
    if wish.price_cents or wish.is_priced:
        prices.append((wish.price_cents, "order.price_cents"))
    if wish.is_stop:
        prices.append((wish.stop_price_cents, "order.stop_price_cents"))
    return collect(
        lambda: check_size(terms, wish.quantity),
        *(partial(check_price, terms, price_cents, field) for price_cents, field in prices),
    )


def check_form(wish: Wish) -> None:
    """Raises Refused INVALID_FIELD for what does not go together."""
    if wish.stop_price_cents and not wish.is_stop:
        raise invalid("order.stop_price_cents", "only stop and stop-limit orders have one")
    if wish.post_only and (wish.type is not OrderType.LIMIT or wish.time_in_force > TimeInForce.DAY):
        raise invalid("order.post_only", "only a limit order that may rest can be post-only")
    if wish.is_stop and wish.time_in_force > TimeInForce.DAY:
        raise invalid("order.time_in_force", "a stop order waits: give GTC or DAY")


def check_phase(terms: Terms, wish: Wish, phase: Phase, next_open: str) -> None:
    """Raises Refused for an order that this phase does not take."""
    if phase is Phase.CLOSED:
        opens = f"it opens at {next_open}" if next_open else "ask an operator when it opens"
        raise Refused("MARKET_CLOSED", f"the market is closed; {opens}", next_open=next_open)
    if phase is not Phase.OPEN and (wish.time_in_force > TimeInForce.DAY or wish.post_only):
        raise Refused(
            "NOT_IN_AUCTION",
            "orders are being collected for an auction; IOC, FOK and post-only are taken when it is over",
            "order.time_in_force",
        )


def worst_price(terms: Terms, wish: Wish, best_opposite: int, last: int, protection_bps: int) -> int:
    """The price an order is bounded by: its own, or the protection.

    Raises Refused NO_REFERENCE_PRICE for a market order that nothing bounds.
    """
    if wish.price_cents:
        return wish.price_cents
    base = wish.stop_price_cents or best_opposite or last or terms.reference_price_cents
    if not base:
        raise Refused(
            "NO_REFERENCE_PRICE",
            f"{terms.symbol} has no price yet; give a limit",
            "order.type",
        )
    return terms.protection(wish.side, base, protection_bps)
