"""What becomes of the shares of one order: they trade, are taken off, or end untraded."""

from bearpit_server.rules.orders import EndReason, Order, OrderStatus
from bearpit_server.rules.outcomes import Ended, Outcome, Reduced

# An enum's member costs five times as much to look up as a module's name.
_DAY_ENDED = EndReason.DAY_ENDED
_CANCELLED = OrderStatus.CANCELLED
_EXPIRED = OrderStatus.EXPIRED


def trade(order: Order, price_cents: int, quantity: int) -> None:
    """Books a trade on one of its two orders."""
    assert 0 < quantity <= order.remaining, f"order {order.id} cannot trade {quantity} shares"
    order.remaining -= quantity
    order.filled += quantity
    order.value_cents += price_cents * quantity
    if not order.remaining:
        assert order.filled == order.quantity, f"order {order.id} does not add up"
        order.status = OrderStatus.FILLED


def cut(order: Order, quantity: int) -> Outcome:
    """Takes shares off an order without a trade; if that is all it had left, a self-trade ended it."""
    assert 0 < quantity <= order.remaining, f"order {order.id} cannot lose {quantity} shares"
    if quantity == order.remaining:
        return end(order, EndReason.SELF_TRADE)
    order.quantity -= quantity
    order.remaining -= quantity
    return Reduced(order, quantity)


def end(order: Order, reason: EndReason) -> Ended:
    """Ends an order with what it has left."""
    quantity = order.remaining
    assert quantity > 0, f"order {order.id} has nothing left to end"
    order.remaining = 0
    order.status = _EXPIRED if reason == _DAY_ENDED else _CANCELLED
    return Ended(order, quantity, reason)


def fingerprint(order: Order) -> str:
    """All that a book reads of an order or writes to it, which it hashes."""
    return (
        f"{order.id},{order.owner_id},{order.side:d},{order.type:d},{order.time_in_force:d},{order.status:d},"
        f"{order.priority},{order.price_cents},{order.stop_price_cents},{order.quantity},{order.filled},"
        f"{order.remaining},{order.value_cents},{order.post_only:d},{order.self_trade:d};"
    )
