"""Prices that stand still while a trading window is open, and are settled after it."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from bearpit_server.rules.mechanisms.base import NOTHING, Counterparty, Mechanism, NoParameters, Offer, State
from bearpit_server.rules.orders import Side
from bearpit_server.rules.parameters import parameters, whole
from bearpit_server.rules.refusals import Refused
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
        if side is Side.BUY:
            available = max(0, member.inventory + state.till_shares)
            affordable = not limit_cents or price <= limit_cents
        else:
            available = max(0, -state.till_shares)
            affordable = price >= limit_cents
        if not price or not affordable or not available:
            return NOTHING
        return Offer(min(quantity, available), price)

    def check_order(
        self, group: NoParameters, member: Chapter, state: State, side: Side, quantity: int, at: datetime
    ) -> None:
        """Raises Refused INVENTORY_LIMIT when the house may not sell so many."""
        check_inventory(state, side, quantity, member.inventory)


def check_inventory(state: State, side: Side, quantity: int, inventory: int) -> None:
    """Raises Refused INVENTORY_LIMIT when the house would have sold more than it may."""
    left = max(0, inventory + state.till_shares)
    if side is Side.BUY and quantity > left:
        raise Refused(
            "INVENTORY_LIMIT", f"the house has {left} shares of {state.symbol} left to sell; order less",
            "order.quantity", allowed=left,
        )  # fmt: skip
