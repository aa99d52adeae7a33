"""Orders looked at: read from their rows, previewed against a live book, explained."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum

import peewee as pw

from bearpit_server.events.log import Origin
from bearpit_server.events.records import FillRecord, OrderRecord
from bearpit_server.exchange.commands import AMEND, Placed
from bearpit_server.exchange.desks import Desk
from bearpit_server.exchange.intake import limit_exceeded
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.exchange.order_events import record_of_row
from bearpit_server.ledger.journal import shortage
from bearpit_server.rules.limits import Terms
from bearpit_server.rules.orders import OrderStatus, Side
from bearpit_server.rules.refusals import Refused, not_found
from bearpit_server.rules.sessions import Phase
from bearpit_server.rules.units import fee_on, points
from bearpit_server.storage import requests
from bearpit_server.storage.models import CASH, Account, DayUsage, Instrument, Order, Player, Reversal, Trade
from bearpit_server.storage.settings import Settings

INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Found:
    """An order as its row has it, and what it was asked with."""

    record: OrderRecord
    request_hash: bytes


def _record(row: Order) -> OrderRecord:
    return record_of_row(row, Instrument.get_by_id(row.instrument_id).symbol)


def by_id(order_id: int, owner_id: int | None) -> OrderRecord:
    """One order; `owner_id` None: whosever. Raises Refused NOT_FOUND."""
    row = Order.get_or_none(Order.id == order_id) if 0 < order_id <= INT64_MAX else None
    if row is None or owner_id not in (None, row.player_id):
        raise not_found("order", order_id)
    return _record(row)


def by_request(owner_id: int, request_id: str) -> Found | None:
    """The order that an owner placed with this request."""
    row = Order.get_or_none((Order.player_id == owner_id) & (Order.request_id == request_id))
    return None if row is None else Found(_record(row), bytes(row.request_hash))


def changed_by(actor_id: int, request_id: str, method: str, body: bytes) -> list[OrderRecord] | None:
    """The orders that a cancel or an amend changed. Raises Refused REQUEST_ID_REUSED."""
    answer = requests.recall(actor_id, request_id, method, body)
    if answer is None:
        return None
    ids = [*map(int, answer.split())]
    rows = {row.id: row for row in Order.select().where(Order.id << ids)}
    return [_record(rows[id_]) for id_ in ids]


def amended_by(origin: Origin, body: bytes) -> Placed | None:
    """The order that this request amended, with the fills this brought. Raises Refused REQUEST_ID_REUSED."""
    answer = requests.recall(origin.actor_id, origin.request_id, AMEND, body)
    if answer is None:
        return None
    order_id, before, after = map(int, answer.split())
    record = by_id(order_id, None)
    filled = 0
    brought = []
    for told in fills_of(record):
        if before <= filled < after:
            brought.append(told)
        filled += told.quantity
    return Placed(record, tuple(brought))


def listed(
    owner_id: int, instrument_id: int | None, open_only: bool, before_id: int | None, limit: int
) -> list[OrderRecord]:
    """A player's orders below an id, newest first."""
    query = (
        Order.select(Order, Instrument.symbol.alias("symbol"))
        .join(Instrument, on=(Instrument.id == Order.instrument_id))
        .where(Order.player_id == owner_id)
        .order_by(Order.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        query = query.where(Order.id < before_id)
    if instrument_id is not None:
        query = query.where(Order.instrument_id == instrument_id)
    if open_only:
        query = query.where(Order.status <= int(OrderStatus.WORKING))
    return [record_of_row(row, row.symbol) for row in query.objects()]


def fills_of(record: OrderRecord, limit: int = 1000) -> list[FillRecord]:
    """An order's fills, oldest first."""
    if not record.filled:
        return []
    column = Trade.buyer_id if record.side == Side.BUY else Trade.seller_id
    order = Trade.buy_order_id if record.side == Side.BUY else Trade.sell_order_id
    rows = (
        Trade.select(Trade, Reversal.reversed_at.alias("reversed_at"))
        .join(Reversal, pw.JOIN.LEFT_OUTER, on=(Reversal.trade_id == Trade.id))
        .where(column == record.player_id, order == record.order_id)
        .order_by(Trade.id)
        .limit(limit)
        .objects()
    )
    return [_fill(row, record.symbol, Side(record.side)) for row in rows]


def fills(owner_id: int, instrument_id: int | None, before_id: int | None, limit: int) -> list[FillRecord]:
    """A player's sides of trades below a trade id, newest first."""
    found: list[FillRecord] = []
    for side, owner in ((Side.BUY, Trade.buyer_id), (Side.SELL, Trade.seller_id)):
        query = (
            Trade.select(Trade, Instrument.symbol.alias("symbol"), Reversal.reversed_at.alias("reversed_at"))
            .join(Instrument, on=(Instrument.id == Trade.instrument_id))
            .switch(Trade)
            .join(Reversal, pw.JOIN.LEFT_OUTER, on=(Reversal.trade_id == Trade.id))
            .where(owner == owner_id)
            .order_by(Trade.id.desc())
            .limit(limit)
        )
        if before_id is not None:
            query = query.where(Trade.id < before_id)
        if instrument_id is not None:
            query = query.where(Trade.instrument_id == instrument_id)
        found += [_fill(row, row.symbol, side) for row in query.objects()]
    return sorted(found, key=lambda fill: -fill.trade_id)[:limit]


def _fill(row: Trade, symbol: str, side: Side) -> FillRecord:
    mine, other = row.buy_order_id, row.sell_order_id
    fee = row.buyer_fee_cents
    if side is Side.SELL:
        mine, other, fee = other, mine, row.seller_fee_cents
    # In an auction the earlier order is the maker; otherwise the side that did not start the trade.
    maker = row.aggressor != side if row.aggressor else mine < other
    return FillRecord(
        row.id, mine, symbol, side, row.price_cents, row.quantity, fee, maker, row.executed_at,
        row.reversed_at is not None,
    )  # fmt: skip


# Previews


@dataclass(frozen=True, slots=True)
class Funds:
    """What an owner could use for an order."""

    free_cash_cents: int
    free_shares: int
    day_orders: int
    """Placed today."""
    day_value_cents: int
    credit_cents: int
    """What could be borrowed beyond the free cash."""
    fee_off_bps: int
    fee_off_until: datetime | None


def funds(owner_id: int, instrument_id: int, day: date) -> Funds:
    """What is free, of cash and of one instrument, and what the day's limits have been used for."""
    rows = Account.select(Account.asset, Account.kind, Account.balance - Account.held).where(
        Account.owner == owner_id, Account.asset << [CASH, instrument_id]
    )
    free = {(asset, kind): cents for asset, kind, cents in rows.tuples()}
    owner = Player.get_by_id(owner_id)
    used = DayUsage.get_or_none(DayUsage.player_id == owner_id, DayUsage.day == day)
    day_orders, day_value = (used.orders, used.value_cents) if used else (0, 0)
    return Funds(
        free.get((CASH, "player"), 0), free.get((instrument_id, "player"), 0), day_orders, day_value,
        max(0, owner.credit_cents + free.get((CASH, "debt"), 0)), owner.fee_off_bps, owner.fee_off_until,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would do now; see the proto of the same name."""

    fills: tuple[tuple[int, int], ...]
    filled_quantity: int
    filled_value_cents: int
    fee_cents: int
    resting_quantity: int
    free_cash_after_cents: int
    free_shares_after: int
    hold: int
    borrowed_cents: int
    """What of the hold would be drawn as a loan."""
    worst_price_cents: int
    refusals: tuple[Refused, ...]


def shortages(order: LiveOrder, free: Funds) -> list[Refused]:
    """What is missing for what the order must hold."""
    is_buy = order.side is Side.BUY
    available = free.free_cash_cents + free.credit_cents if is_buy else free.free_shares
    return [shortage(is_buy, order.hold, available)] if order.hold > available else []


def over_limits(order: LiveOrder, open_orders: int, used: Funds, settings: Settings) -> list[Refused]:
    """The limits of the game that the order would go over."""
    value = order.quantity * order.price_cents
    limits = (
        ("max_open_orders", open_orders, 1),
        ("max_order_value_cents", 0, value),
        ("max_day_orders", used.day_orders, 1),
        ("max_day_value_cents", used.day_value_cents, value),
    )
    return [
        limit_exceeded(key, settings.number(key), before)
        for key, before, more in limits
        if settings.number(key) and before + more > settings.number(key)
    ]


def preview(
    order: LiveOrder, takes: Sequence[tuple[int, int]], resting: int, free: Funds, refusals: list[Refused]
) -> Preview:
    """Put together from what the book would trade."""
    filled = sum(quantity for _, quantity in takes)
    value = sum(price * quantity for price, quantity in takes)
    fee = fee_on(value, order.fee_bps)
    cash, shares = free.free_cash_cents, free.free_shares
    borrowed = 0
    if order.side is Side.BUY:
        borrowed = min(max(0, order.hold - cash), free.credit_cents)
    if order.side is Side.BUY:
        worst = resting * order.price_cents
        held = worst + fee_on(value + worst, order.fee_bps) - fee if resting else 0
        # What is borrowed for nothing is given back at once.
        cash = max(0, cash - value - fee - held) if borrowed else cash - value - fee - held
        shares += filled
    else:
        cash += value - fee
        shares -= filled + resting
    return Preview(
        tuple(takes), filled, value, fee, resting, cash, shares, order.hold, borrowed,
        order.price_cents,
        tuple(refusals),
    )  # fmt: skip


# Explanations


class Obstacle(IntEnum):
    """What stands in an order's way. The numbers are those of the protos."""

    ENDED = 0
    QUEUE = 1
    HALTED = 2
    CLOSED = 3
    AUCTION = 4
    OUT_OF_BAND = 5
    STOP = 6


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an order has not filled."""

    order: OrderRecord
    obstacle: Obstacle
    message: str
    orders_ahead: int = 0
    shares_ahead: int = 0
    distance_cents: int = 0


_PHASES = {
    Phase.HALTED: (Obstacle.HALTED, "trading is halted; an auction will end the halt"),
    Phase.CLOSED: (Obstacle.CLOSED, "the market is closed"),
    Phase.PRE_OPEN: (Obstacle.AUCTION, "orders are being collected for the opening auction"),
}


def explain(order: LiveOrder, desk: Desk, terms: Terms) -> Explanation:
    """Why an open order has not filled; on the matcher's thread."""
    record, book = order.record(), desk.book
    if order.status is OrderStatus.WAITING:
        distance = abs(order.stop_price_cents - book.last_price_cents) if book.last_price_cents else 0
        message = f"it waits for a trade at {points(order.stop_price_cents)}"
        return Explanation(record, Obstacle.STOP, message, distance_cents=distance)
    orders_ahead, shares_ahead = book.queue_ahead(order.id)
    best = desk.best_opposite(order.side)
    distance = abs(best - order.price_cents) if best else 0
    lower, upper = terms.band
    if desk.phase in _PHASES:
        obstacle, message = _PHASES[desk.phase]
    elif upper and not lower <= order.price_cents <= upper:
        obstacle, message = Obstacle.OUT_OF_BAND, f"prices from {points(lower)} to {points(upper)} trade now"
    else:
        obstacle = Obstacle.QUEUE
        ahead = (
            f"{shares_ahead} shares in {orders_ahead} orders go first" if orders_ahead else "it is the first"
        )
        message = f"{ahead}; the best opposite price is {points(distance)} away" if best else (
            f"{ahead}; nobody is on the other side"
        )  # fmt: skip
    return Explanation(record, obstacle, message, orders_ahead, shares_ahead, distance)
