"""What a round of orders does to the ledger and to the orders, written in one transaction.

The book runs ahead; here its outcomes are taken in their order, and every order's settled state
follows them one by one, so that each change is told as it was.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.events.records import (
    FillRecord,
    OrderChange,
    OrderRecord,
    Record,
    TradeRecord,
)
from bearpit_server.exchange import order_events
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.ledger.journal import Journal, shortage
from bearpit_server.rules.orders import EndReason, Order, OrderStatus, Side
from bearpit_server.rules.outcomes import Ended, Fill, Outcome, Reduced, Rested, Triggered, Waiting
from bearpit_server.rules.units import fee_on
from bearpit_server.storage import bulk, candles
from bearpit_server.storage.models import HOUSE
from bearpit_server.storage.sequences import Ids

AUCTION = 0
"""The aggressor of a trade that neither side started."""


@dataclass(slots=True)
class Written:
    """What a written settlement has to tell, once it is committed."""

    journal: Journal
    trades: list[TradeRecord] = field(default_factory=list)
    changes: list[tuple[int, int, OrderRecord, FillRecord | None]] = field(default_factory=list)
    """The fields of each OrderChange."""
    fills: dict[int, list[FillRecord]] = field(default_factory=dict)
    """By order."""

    def records(self, watched: set[int]) -> list[Record]:
        """For the bus; what only its owner may see, only if somebody listens to it."""
        told: list[Record] = [*self.trades]
        if watched:
            told += [OrderChange(*change) for change in self.changes if change[0] in watched]
            told += self.journal.told(watched)
        return told


class Settlement:
    """One transaction's work on the ledger and the orders."""

    def __init__(self, fees_account: int, trade_ids: Ids, at: datetime) -> None:
        self.at = at
        self.journal = Journal(at)
        """Lock all accounts that take part before anything else."""
        self._fees_account = fees_account
        self._trade_ids = trade_ids
        self._accepted: dict[int, tuple[LiveOrder, bytes]] = {}
        self._touched: dict[int, LiveOrder] = {}
        self._trades: list[tuple[int, ...]] = []
        self._marks: list[TradeRecord] = []
        self._events: list[Event] = []
        self._written = Written(self.journal)

    def covers(self, outcomes: Iterable[Outcome]) -> bool:
        """Whether every account that these change is locked."""
        return accounts_of(outcomes, self._fees_account) <= self.journal.accounts.keys()

    def begin_with(self, fills: dict[int, list[FillRecord]]) -> None:
        """Tell these fills with those to come: they are part of the same answers."""
        self._written.fills = {order_id: [*told] for order_id, told in fills.items()}

    def mark(self, instrument_id: int, symbol: str, prices: Iterable[tuple[int, datetime]]) -> None:
        """Let prices that formed without a trade, each with its time, into the candles."""
        self._marks += [TradeRecord(0, instrument_id, symbol, price, 0, AUCTION, at) for price, at in prices]

    def accept(self, order: LiveOrder, request_hash: bytes, origin: Origin) -> None:
        """Hold what a new order needs; its owner has as much free."""
        if order.borrowed:
            self.journal.borrow(order.owner_id, order.borrowed, f"order:{order.id}", origin)
        order.held = order.hold
        self.journal.hold(order.holding_account, order.held)
        self._accepted[order.id] = order, request_hash
        self._record(order_events.ACCEPTED, order, Origin(origin.actor_id, origin.address, order.request_id))

    def amend(self, order: LiveOrder, changed: LiveOrder, origin: Origin) -> None:
        """Hold what an order needs with new terms. Raises Refused; then nothing has changed."""
        account = self.journal.accounts[order.holding_account]
        more = changed.settled_hold() - order.held
        lacking = self.lacking(order, more)
        if lacking:
            self.journal.borrow(order.owner_id, lacking, f"order:{order.id}", origin)
            order.borrowed = changed.borrowed = order.borrowed + lacking
        if more:
            self.journal.hold(account.id, more)
        order.held = changed.held = order.held + more
        if more < 0 and order.borrowed:
            self._give_back(order, -more, origin)
            changed.borrowed = order.borrowed
        order.settled_quantity = changed.settled_quantity
        order.updated_at = changed.updated_at = self.at
        self._touched[order.id] = order
        self._record(order_events.AMENDED, changed, origin)
        order.told = changed.told

    def lacking(self, order: LiveOrder, more: int) -> int:
        """What an order that shall hold so much more must borrow for it; 0: nothing.

        Raises Refused where that is more than its owner may.
        """
        account = self.journal.accounts[order.holding_account]
        lacking = max(0, more - account.free)
        if not lacking:
            return 0
        credit = 0
        if order.side is Side.BUY and order.owner_id != HOUSE:
            credit = self.journal.credit_of(order.owner_id)
        if lacking > credit:
            raise shortage(order.side is Side.BUY, more, account.free + credit)
        return lacking

    def settle(self, outcomes: Iterable[Outcome], origin: Origin, auction: bool = False) -> None:
        """Take what a book did. Orders that only rest or wait leave nothing to write."""
        for outcome in outcomes:
            if isinstance(outcome, Waiting | Rested):
                order = _live(outcome.order)
                if order.settled_status is OrderStatus.QUEUED:
                    order.settled_status = order.first_status()
            elif isinstance(outcome, Fill):
                self._fill(outcome, origin, auction)
            elif isinstance(outcome, Ended):
                self._end(_live(outcome.order), outcome.reason, origin)
            elif isinstance(outcome, Reduced):
                self._reduce(_live(outcome.order), outcome.quantity, origin)
            elif isinstance(outcome, Triggered):
                self._trigger(_live(outcome.order), origin)

    def add_to(self, writes: bulk.Writes) -> Written:
        """Let everything be written, and say what there is to tell of it once it is committed."""
        self.journal.add_to(writes)
        self._add_orders(writes)
        if self._trades:
            bulk.insert_trades(writes, list(zip(*self._trades, strict=True)), self.at)
        candles.record(writes, self._written.trades, self._marks)
        log.add(writes, self._events, self.at)
        return self._written

    def _fill(self, fill: Fill, origin: Origin, auction: bool) -> None:
        maker, taker = _live(fill.maker), _live(fill.taker)
        buy, sell = (maker, taker) if maker.side is Side.BUY else (taker, maker)
        price, quantity = fill.price_cents, fill.quantity
        value = price * quantity
        trade_id = self._trade_ids.take()
        buyer_fee = self._advance(buy, quantity, value, origin)
        seller_fee = self._advance(sell, quantity, value, origin)
        reference = f"trade:{trade_id}"
        post = self.journal.post
        post(buy.cash_account, sell.cash_account, value, "trade", reference, origin)
        post(sell.share_account, buy.share_account, quantity, "trade", reference, origin)
        if buyer_fee:
            post(buy.cash_account, self._fees_account, buyer_fee, "fee", reference, origin)
        if seller_fee:
            post(sell.cash_account, self._fees_account, seller_fee, "fee", reference, origin)
        if not buy.deals:
            self.journal.bought(buy.share_account, value + buyer_fee)
        cost = 0
        if not sell.deals:
            cost = self.journal.sold(sell.share_account, quantity, value - seller_fee)
        self.journal.repay()
        aggressor = AUCTION if auction else int(taker.side)
        self._trades.append(
            (
                trade_id, buy.instrument_id, price, quantity, aggressor, buy.id, sell.id, buy.owner_id,
                sell.owner_id, buyer_fee, seller_fee, maker.window_id, cost,
            )
        )  # fmt: skip
        self._written.trades.append(
            TradeRecord(trade_id, buy.instrument_id, buy.symbol, price, quantity, aggressor, self.at)
        )
        # Nobody starts a trade of an auction: there the order that was placed first counts as the maker.
        first = min(buy.id, sell.id) if auction else maker.id
        for order, fee in ((buy, buyer_fee), (sell, seller_fee)):
            if order.deals:
                continue
            told = FillRecord(
                trade_id, order.id, order.symbol, order.side, price, quantity, fee, order.id == first, self.at
            )
            self._written.fills.setdefault(order.id, []).append(told)
            self._tell(order_events.FILLED, order, origin, told)

    def _advance(self, order: LiveOrder, quantity: int, value: int, origin: Origin) -> int:
        """Count a fill in the order's settled state, release what it need not hold, return its fee."""
        if order.deals:
            return 0
        order.settled_filled += quantity
        order.settled_value += value
        assert order.settled_filled <= order.settled_quantity, f"order {order.id} is overfilled"
        fee = fee_on(order.settled_value, order.fee_bps) - order.fee_cents
        order.fee_cents += fee
        done = order.settled_filled == order.settled_quantity
        order.settled_status = OrderStatus.FILLED if done else OrderStatus.WORKING
        self._hold(order, origin, value + fee)
        return fee

    def _end(self, order: LiveOrder, reason: EndReason, origin: Origin) -> None:
        expired = reason is EndReason.DAY_ENDED
        order.settled_status = OrderStatus.EXPIRED if expired else OrderStatus.CANCELLED
        order.end_reason = reason
        self._hold(order, origin)
        self._tell(order_events.ENDED, order, origin)

    def _reduce(self, order: LiveOrder, quantity: int, origin: Origin) -> None:
        order.settled_quantity -= quantity
        assert order.settled_quantity > order.settled_filled, f"order {order.id} is cut below its fills"
        self._hold(order, origin)
        self._tell(order_events.REDUCED, order, origin)

    def _trigger(self, order: LiveOrder, origin: Origin) -> None:
        order.settled_status = OrderStatus.WORKING
        self._tell(order_events.TRIGGERED, order, origin)

    def _hold(self, order: LiveOrder, origin: Origin, spent: int = 0) -> None:
        """Hold what the settled state needs; of what is released, so much is about to be spent."""
        hold = order.settled_hold()
        if hold != order.held:
            released = order.held - hold
            self.journal.hold(order.holding_account, -released)
            order.held = hold
            if order.borrowed:
                self._give_back(order, released - spent, origin)

    def _give_back(self, order: LiveOrder, freed: int, origin: Origin) -> None:
        """Give back what an order has borrowed and will not need; what it has spent stays owed."""
        if freed > 0:
            most = min(freed, order.borrowed)
            self.journal.give_back(order.owner_id, most, f"order:{order.id}", origin)
            order.borrowed -= most
        order.borrowed = min(order.borrowed, order.held)

    def _tell(self, kind: str, order: LiveOrder, origin: Origin, fill: FillRecord | None = None) -> None:
        order.updated_at = self.at
        self._touched[order.id] = order
        self._record(kind, order, origin, fill)

    def _record(self, kind: str, order: LiveOrder, origin: Origin, fill: FillRecord | None = None) -> None:
        record = order.told = order.record()
        sequence = None
        if order.owner_id != HOUSE:
            sequence = self.journal.next_order_sequence(order.owner_id)
            self._written.changes.append((order.owner_id, sequence, record, fill))
        self._events.append(order_events.event_of(kind, record, origin, sequence, fill))

    def _add_orders(self, writes: bulk.Writes) -> None:
        if self._accepted:
            new = [order for order, _ in self._accepted.values()]
            fixed = [
                (
                    o.id, o.owner_id, o.instrument_id, int(o.side), int(o.type), int(o.time_in_force),
                    int(o.post_only), int(o.self_trade), o.fee_bps,
                )
                for o in new
            ]  # fmt: skip
            # That an order rests is not written: after a crash it is executed once more, to the same end.
            variable = [_state(o, o.id in self._touched)[1:] for o in new]
            bulk.insert_orders(
                writes,
                [*zip(*fixed, strict=True), *zip(*variable, strict=True)],
                [order.request_id for order in new],
                [request_hash for _, request_hash in self._accepted.values()],
                [None if o.expires_at is None else int(o.expires_at.timestamp()) for o in new],
                self.at,
            )
        rows = [_state(o, True) for o in self._touched.values() if o.id not in self._accepted]
        if rows:
            bulk.update_orders(writes, list(zip(*rows, strict=True)), self.at)


def accounts_of(outcomes: Iterable[Outcome], fees_account: int) -> set[int]:
    """The accounts that settling these changes."""
    ids: set[int] = set()
    for outcome in outcomes:
        if isinstance(outcome, Rested | Waiting):
            continue
        orders = (outcome.maker, outcome.taker) if isinstance(outcome, Fill) else (outcome.order,)
        for order in map(_live, orders):
            ids.add(order.cash_account)
            ids.add(order.share_account)
        if isinstance(outcome, Fill):
            ids.add(fees_account)
    return ids


def _state(order: LiveOrder, changed: bool) -> tuple[int, ...]:
    """What can change of an order: its columns in the order of `bulk.update_orders`."""
    return (
        order.id, order.settled_quantity, order.price_cents, order.stop_price_cents, order.priority,
        order.settled_filled, order.settled_value, order.fee_cents, order.held, order.borrowed,
        int(order.settled_status if changed else OrderStatus.QUEUED), int(order.end_reason),
    )  # fmt: skip


def _live(order: Order) -> LiveOrder:
    assert isinstance(order, LiveOrder)
    return order
