"""Changes of orders as events: written by the settlement, read back to resume a player's stream."""

from collections.abc import Mapping

from bearpit_server.events.log import Event, Logged, Origin
from bearpit_server.events.records import FillRecord, OrderChange, OrderRecord
from bearpit_server.rules.orders import OrderStatus, OrderType
from bearpit_server.storage.models import Order as OrderRow

ACCEPTED = "order.accepted"
FILLED = "order.filled"
ENDED = "order.ended"
REDUCED = "order.reduced"
AMENDED = "order.amended"
TRIGGERED = "order.triggered"


def event_of(
    kind: str, record: OrderRecord, origin: Origin, sequence: int | None, fill: FillRecord | None = None
) -> Event:
    """The event of a change. It carries what can change of an order; the rest stands in its row.

    The house's orders have no stream, so no sequence.
    """
    # Written out, because an encoder would take longer than all the rest of an event.
    payload = (
        f'{{"status":{record.status:d},"quantity":{record.quantity},"price_cents":{record.price_cents},'
        f'"filled":{record.filled},"value_cents":{record.value_cents},"fee_cents":{record.fee_cents},'
        f'"held":{record.held}'
    )
    if record.stop_price_cents:
        payload += f',"stop_price_cents":{record.stop_price_cents}'
    if record.end_reason:
        payload += f',"end_reason":{record.end_reason:d}'
    if fill is not None:
        payload += (
            f',"trade_id":{fill.trade_id},"trade_price_cents":{fill.price_cents},'
            f'"trade_quantity":{fill.quantity},"trade_fee_cents":{fill.fee_cents},'
            f'"maker":{"true" if fill.maker else "false"}'
        )
    payload += "}"
    owner = None if sequence is None else record.player_id
    return Event(kind, f"order:{record.order_id}", origin, payload, owner, sequence)


def status_of(row: OrderRow) -> int:
    """What an order's owner is told of its status: that it rests or waits is never written."""
    if row.status != OrderStatus.QUEUED:
        return int(row.status)
    is_stop = row.type in (OrderType.STOP, OrderType.STOP_LIMIT)
    return int(OrderStatus.WAITING if is_stop else OrderStatus.WORKING)


def record_of_row(row: OrderRow, symbol: str) -> OrderRecord:
    """An order as its row has it now."""
    status = status_of(row)
    remaining = row.quantity - row.filled if status <= OrderStatus.WORKING else 0
    return OrderRecord(
        row.id, row.player_id, row.instrument_id, symbol, row.side, row.type, row.time_in_force,
        row.quantity, row.price_cents, row.stop_price_cents, row.post_only, row.self_trade, status,
        row.end_reason, row.filled, remaining, row.value_cents, row.fee_cents, row.held, row.request_id,
        row.accepted_at, row.updated_at,
    )  # fmt: skip


def record_of(event: Logged, row: OrderRow, symbol: str) -> OrderChange:
    """The change that an event tells of, as it was told when it happened."""
    assert event.owner_id is not None and event.owner_sequence is not None, "a player's order event"
    told = event.payload
    status, quantity, filled = _int(told, "status"), _int(told, "quantity"), _int(told, "filled")
    order = OrderRecord(
        row.id, row.player_id, row.instrument_id, symbol, row.side, row.type, row.time_in_force,
        quantity, _int(told, "price_cents"), _int(told, "stop_price_cents"), row.post_only, row.self_trade,
        status, _int(told, "end_reason"), filled, quantity - filled if status <= OrderStatus.WORKING else 0,
        _int(told, "value_cents"), _int(told, "fee_cents"), _int(told, "held"), row.request_id,
        row.accepted_at, event.created_at,
    )  # fmt: skip
    fill = None
    if "trade_id" in told:
        fill = FillRecord(
            _int(told, "trade_id"), row.id, symbol, row.side, _int(told, "trade_price_cents"),
            _int(told, "trade_quantity"), _int(told, "trade_fee_cents"), bool(told.get("maker")),
            event.created_at,
        )  # fmt: skip
    return OrderChange(event.owner_id, event.owner_sequence, order, fill)


def _int(payload: Mapping[str, object], key: str) -> int:
    value = payload.get(key, 0)
    assert isinstance(value, int), f"{key} of an order event is a number"
    return value
