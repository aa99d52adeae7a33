"""The ways for a price to form, by name. A new one is a file in this folder and a line in `MECHANISMS`."""

from typing import Any

from bearpit_server.rules.mechanisms.attention import Attention
from bearpit_server.rules.mechanisms.base import Counterparty, Mechanism
from bearpit_server.rules.mechanisms.feed import Feed
from bearpit_server.rules.mechanisms.order_book import OrderBook
from bearpit_server.rules.mechanisms.window import Window
from bearpit_server.rules.refusals import not_found

__all__ = ["MECHANISMS", "Counterparty", "Mechanism", "find"]

_ALL: tuple[Mechanism[Any, Any], ...] = (OrderBook(), Feed(), Window(), Attention())
MECHANISMS: dict[str, Mechanism[Any, Any]] = {made.name: made for made in _ALL}


def find(name: str) -> Mechanism[Any, Any]:
    """The mechanism of that name. Raises Refused NOT_FOUND."""
    if name not in MECHANISMS:
        raise not_found("mechanism", name[:24])
    return MECHANISMS[name]
