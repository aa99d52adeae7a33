"""What happened in a book: the outcomes that its operations return, in the order they happened."""

from bearpit_server.rules.orders import EndReason, Order
from bearpit_server.rules.record import record


@record
class Fill:
    """`quantity` shares went from the seller to the buyer at `price_cents` a share.

    The taker is the order that came in; in an auction, the later of the two.
    """

    maker: Order
    taker: Order
    price_cents: int
    quantity: int


@record
class Ended:
    """The order left the book, or never entered it, with `quantity` shares unfilled."""

    order: Order
    quantity: int
    reason: EndReason


@record
class Rested:
    """The order is now WORKING in the book."""

    order: Order


@record
class Waiting:
    """The stop order waits for its price."""

    order: Order


@record
class Triggered:
    """The stop's price has traded: its own fills, rest or end follow."""

    order: Order


@record
class Reduced:
    """The order lost `quantity` shares of its size and goes on, in its place."""

    order: Order
    quantity: int


Outcome = Fill | Ended | Rested | Waiting | Triggered | Reduced
