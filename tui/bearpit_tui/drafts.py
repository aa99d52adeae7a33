"""An order before it is sent: what the ticket and the command line both write."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Side(Enum):
    """Which way."""

    BUY = "buy"
    SELL = "sell"


class Kind(Enum):
    """How the price is meant, as in the contract's OrderType."""

    LIMIT = "limit"
    MARKET = "market"
    STOP = "stop"
    STOP_LIMIT = "stop limit"


class Life(Enum):
    """How long an order works, as in the contract's TimeInForce. DEFAULT lets the server choose."""

    DEFAULT = ""
    GTC = "gtc"
    DAY = "day"
    IOC = "ioc"
    FOK = "fok"


@dataclass(frozen=True, slots=True)
class Draft:
    """An order not yet sent. Prices in cents, 0: none.

    The price of a market or stop order is the worst to accept.
    """

    side: Side
    quantity: int
    symbol: str
    kind: Kind = Kind.LIMIT
    price_cents: int = 0
    stop_cents: int = 0
    life: Life = Life.DEFAULT
    post_only: bool = False


def cents_text(cents: int) -> str:
    """An amount as it is typed: 1240 is `12.40`."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def describe(draft: Draft) -> str:
    """The order as it is typed and read: `buy 100 AAPL @ 12.40`."""
    words = [draft.side.value, str(draft.quantity), draft.symbol]
    if draft.stop_cents:
        words += ["stop", cents_text(draft.stop_cents)]
    if draft.kind is Kind.MARKET or (draft.kind is Kind.STOP and draft.price_cents):
        words.append("mkt")
    if draft.price_cents:
        words += ["@", cents_text(draft.price_cents)]
    if draft.life is not Life.DEFAULT:
        words.append(draft.life.value)
    if draft.post_only:
        words.append("post")
    return " ".join(words)
