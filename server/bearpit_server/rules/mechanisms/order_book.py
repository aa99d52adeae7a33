"""Prices that players make: orders meet in a book, by price and time; `rules.book` has the rules."""

from datetime import datetime

from bearpit_server.rules.mechanisms.base import (
    NOTHING,
    Counterparty,
    Mechanism,
    NoParameters,
    Offer,
    State,
)
from bearpit_server.rules.orders import Side


class OrderBook(Mechanism[NoParameters, NoParameters]):
    """Continuous matching; call auctions at the opening and after a halt."""

    name = "order_book"
    title = "order book"
    description = "Players trade with each other, best price first, then first come, first served."
    counterparty = Counterparty.PLAYERS
    group_parameters = NoParameters
    member_parameters = NoParameters

    def offer(
        self,
        group: NoParameters,
        member: NoParameters,
        state: State,
        side: Side,
        quantity: int,
        limit_cents: int,
        at: datetime,
    ) -> Offer:
        """Nobody but the players offers anything."""
        return NOTHING
