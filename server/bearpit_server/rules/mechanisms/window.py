"""Prices that stand still while a trading window is open, and are settled after it."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from bearpit_server.rules.mechanisms.base import (
    Counterparty,
    Mechanism,
    NoParameters,
    Offer,
    State,
    check_inventory,
    offer_of_house,
)
from bearpit_server.rules.orders import Side
from bearpit_server.rules.parameters import parameters, whole
from bearpit_server.rules.units import MAX_PRICE_CENTS, MAX_QUANTITY


@parameters
class Chapter:
    """What can be set of an instrument that windows price."""

    price_cents: int = whole(10_000, "the first price, in cents", 1, MAX_PRICE_CENTS)
    inventory: int = whole(
        MAX_QUANTITY, "shares that players may have in all, in shares; then the house sells no more", 1,
        MAX_QUANTITY,
    )  # fmt: skip


class Window(Mechanism[NoParameters, Chapter]):
    """The house buys and sells at the window's price; `rules.settling` finds the next one."""

    name = "window"
    title = "window"
    description = "The house trades at one price while a window is open; the trading sets the next price."
    counterparty = Counterparty.HOUSE
    rests = False
    by_window = True
    fixed: ClassVar[Mapping[str, str]] = {"price_cents": "it is the first price; windows set the next ones"}
    group_parameters = NoParameters
    member_parameters = Chapter

    def opening(self, member: Chapter) -> tuple[int, int, int]:
        """The price that was set."""
        return member.price_cents, 0, 0

    def offer(
        self,
        group: NoParameters,
        member: Chapter,
        state: State,
        side: Side,
        quantity: int,
        limit_cents: int,
        at: datetime,
    ) -> Offer:
        """As many as there are, at the one price."""
        price = state.price_cents
        return offer_of_house(state, member.inventory, side, quantity, limit_cents, price, price)

    def check_order(
        self, group: NoParameters, member: Chapter, state: State, side: Side, quantity: int, at: datetime
    ) -> None:
        """Raises Refused INVENTORY_LIMIT when the house may not sell so many."""
        check_inventory(state, side, quantity, member.inventory)
