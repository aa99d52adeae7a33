"""Orders: every change of a player's orders, once and in order, from any number that the log reaches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from bearpit_server.events import log
from bearpit_server.events.log import Logged
from bearpit_server.events.records import OrderChange, OrderRecord
from bearpit_server.rules.orders import OrderStatus
from bearpit_server.storage import bulk
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Account, Instrument, Order
from bearpit_server.streams.feed import FARTHEST, PAGE, Numbered, too_old
from bearpit_server.streams.players import PlayerFeed, PlayerHub, Watched, cash_account
from bearpit_server.streams.subscription import Encode, F, OpenStreams, heartbeat, snapshot, update


@dataclass(frozen=True, slots=True)
class OpenOrders:
    """All open orders of a player, oldest first."""

    orders: tuple[OrderRecord, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """How the exchange turns its rows and events into records again: its `order_events`."""

    of_row: Callable[[Order, str], OrderRecord]
    """An order as its row has it now; the text is its symbol."""
    of_event: Callable[[Logged, Order, str], OrderChange]
    """A change as it was told when it happened."""


class OrderHub(PlayerHub[OrderChange, F]):
    """Feeds those who follow their orders. Numbers are those of the event log, one more each time."""

    def __init__(
        self,
        watched: Watched,
        database: Database,
        recording: Recording,
        encode: Encode[OpenOrders | OrderChange, F],
        open_streams: OpenStreams,
    ) -> None:
        super().__init__(watched, database, open_streams, Account.order_sequence)
        self.recording = recording
        self.encode = encode

    def _make(self, player_id: int) -> "_OrderFeed[F]":
        return _OrderFeed(self, player_id)


class _OrderFeed(PlayerFeed[OrderChange, F], Generic[F]):
    def __init__(self, hub: OrderHub[F], player_id: int) -> None:
        super().__init__(hub, player_id)
        self._orders = hub

    async def open(self, after: int) -> tuple[int, Sequence[Numbered[F]]]:
        run, recording = self._orders.database.run, self._orders.recording
        if after:
            last = await run(_last_number, self.player_id)
            if not last - FARTHEST <= after <= last:
                raise too_old(after)
            self.begin(last)
            return after, []
        last, found = await run(_open_orders, self.player_id, recording)
        self.begin(last)
        return last, [(last, self._orders.encode(snapshot(last, found)))]

    async def read(self, after: int) -> tuple[Sequence[Numbered[F]], bool]:
        recording = self._orders.recording
        changes = await self._orders.database.run(_changes, self.player_id, after, recording)
        if changes and changes[0].sequence != after + 1:
            raise too_old(after)
        self.hear(changes)  # the feed itself may have missed some
        frames = [(change.sequence, self._encode(change)) for change in changes]
        return frames, len(changes) < PAGE

    def heartbeat(self, number: int) -> F:
        return self._orders.encode(heartbeat(number))

    def _encode(self, record: OrderChange) -> F:
        return self._orders.encode(update(record.sequence, record))


def _last_number(player_id: int) -> int:
    account = cash_account(player_id)
    return 0 if account is None else int(account.order_sequence)


def _open_orders(player_id: int, recording: Recording) -> tuple[int, OpenOrders]:
    """Open orders and the number up to which they have changed, both as of one moment."""
    bulk.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    last = _last_number(player_id)
    rows = (
        Order.select(Order, Instrument.symbol.alias("symbol"))
        .join(Instrument, on=(Instrument.id == Order.instrument_id))
        .where(Order.player_id == player_id, Order.status <= int(OrderStatus.WORKING))
        .order_by(Order.id)
        .objects()
    )
    return last, OpenOrders(tuple(recording.of_row(row, row.symbol) for row in rows))


def _changes(player_id: int, after: int, recording: Recording) -> list[OrderChange]:
    """The next changes after a number, as the log has them."""
    events = log.of_owner(player_id, after, PAGE)
    rows = {row.id: row for row in _rows({_order_id(event) for event in events})}
    return [
        recording.of_event(event, row, row.symbol) for event in events for row in (rows[_order_id(event)],)
    ]


def _rows(ids: set[int]) -> Sequence[Order]:
    return list(
        Order.select(Order, Instrument.symbol.alias("symbol"))
        .join(Instrument, on=(Instrument.id == Order.instrument_id))
        .where(Order.id << list(ids))
        .objects()
    )


def _order_id(event: Logged) -> int:
    kind, _, number = event.subject.partition(":")
    assert kind == "order", "a player's numbered events are of orders"
    return int(number)
