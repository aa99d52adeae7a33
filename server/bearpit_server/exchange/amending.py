"""Amending an order: its new terms are checked and held for, then its book follows."""

from copy import copy

from bearpit_server.exchange.commands import Amend
from bearpit_server.exchange.desks import Desk
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.rules.limits import Terms, check_band, check_price, check_size
from bearpit_server.rules.orders import OrderStatus, OrderType
from bearpit_server.rules.outcomes import Outcome, Reduced
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.sessions import Phase
from bearpit_server.storage.sequences import Ids


def amended(command: Amend, order: LiveOrder, desk: Desk, terms: Terms, ids: Ids) -> LiveOrder | None:
    """The order as it is to become, a copy; None if it is that already. Raises Refused.

    It keeps its priority only if it does nothing but shrink.
    """
    changed = copy(order)
    changed.settled_quantity = command.quantity or order.quantity
    changed.price_cents = command.price_cents or order.price_cents
    changed.stop_price_cents = command.stop_price_cents or order.stop_price_cents
    _check(changed, order, desk, terms)
    same_price = (changed.price_cents, changed.stop_price_cents) == (
        order.price_cents,
        order.stop_price_cents,
    )
    if same_price and changed.settled_quantity == order.quantity:
        return None
    if not same_price or changed.settled_quantity > order.quantity:
        changed.priority = ids.take()
    return changed


def follow(order: LiveOrder, changed: LiveOrder, desk: Desk) -> list[Outcome]:
    """Change the book, and return what that brings about."""
    if changed.priority != order.priority:
        return desk.book.replace(
            order.id, changed.price_cents, changed.settled_quantity, changed.priority,
            desk.phase is Phase.OPEN, changed.stop_price_cents,
        )  # fmt: skip
    cuts = desk.book.reduce(order.id, changed.settled_quantity)
    assert all(isinstance(cut, Reduced) for cut in cuts), "what is left is more than nothing"
    return []


def _check(changed: LiveOrder, order: LiveOrder, desk: Desk, terms: Terms) -> None:
    if desk.phase is Phase.CLOSED:
        raise Refused("MARKET_CLOSED", "the market is closed; orders can only be cancelled now")
    if order.type is OrderType.MARKET:
        raise invalid("order_id", "a market order cannot be amended")
    check_size(terms, changed.settled_quantity, "quantity")
    if changed.settled_quantity <= order.filled:
        raise invalid("quantity", f"{order.filled} have traded already; give more, or cancel the rest")
    check_price(terms, changed.price_cents, "price_cents")
    if changed.price_cents != order.price_cents:
        check_band(terms, changed.price_cents, "price_cents")
    if changed.stop_price_cents:
        if order.status is not OrderStatus.WAITING:
            if changed.stop_price_cents != order.stop_price_cents:
                raise invalid("stop_price_cents", "only a stop order that waits can have another")
        else:
            check_price(terms, changed.stop_price_cents, "stop_price_cents")
