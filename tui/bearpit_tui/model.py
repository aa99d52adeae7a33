"""What the screen knows, as frozen values: the contract's messages without the wire.

Prices and amounts in cents, 0: none; quantities in shares; times aware, in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, IntEnum

from bearpit_tui.drafts import Kind, Life, Side

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Phase(Enum):
    """Where the market or an instrument is in its day, in the words the screen uses."""

    UNKNOWN = ""
    CLOSED = "closed"
    PRE_OPEN = "pre-open"
    OPEN = "open"
    HALTED = "halted"


class Timeframe(Enum):
    """The length of a candle; its value is what the screen calls it."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    D1 = "1d"

    @property
    def seconds(self) -> int:
        """Its length."""
        return {"1m": 60, "5m": 300, "15m": 900, "1h": 3600, "1d": 86400}[self.value]

    def after(self, steps: int = 1) -> Timeframe:
        """The next longer one, and round."""
        every = list(Timeframe)
        return every[(every.index(self) + steps) % len(every)]


class LinkState(Enum):
    """How the connection does."""

    CONNECTING = "connecting"
    LIVE = "live"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Link:
    """The connection to the server."""

    state: LinkState = LinkState.CONNECTING
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """Something that is traded."""

    symbol: str
    name: str = ""
    mechanism: str = "order_book"
    """How its price forms, by its name in the contract; `mechanisms` tells what that is."""
    group: str = ""
    """The instruments whose prices form together; empty: it is on its own."""
    tick_cents: int = 1
    lot: int = 1
    min_quantity: int = 1
    max_quantity: int = 0
    fee_bps: int = 0
    reference_cents: int = 0
    ipo_price_cents: int = 0
    ipo_remaining: int = 0


def move_bps(before_cents: int, after_cents: int) -> int:
    """How far a price has gone, in basis points, towards zero; 0 while either is unknown."""
    if not (before_cents and after_cents):
        return 0
    gone = (after_cents - before_cents) * 10_000
    size = abs(gone) // before_cents
    return size if gone >= 0 else -size


@dataclass(frozen=True, slots=True)
class Quote:
    """The latest of an instrument."""

    symbol: str
    bid_cents: int = 0
    bid_quantity: int = 0
    ask_cents: int = 0
    ask_quantity: int = 0
    last_cents: int = 0
    volume: int = 0
    previous_close_cents: int = 0
    phase: Phase = Phase.UNKNOWN
    indicative_cents: int = 0
    """What the next auction, or the next redistribution of attention, would make of it."""
    priced_at_ms: int = 0
    """When its mechanism last made its price, since 1970; 0: players make it."""
    attention_bps: int = 0
    """Its share of all attention that its group gets."""

    @property
    def price_cents(self) -> int:
        """What its mechanism says it is worth, where that makes a price; else what last traded."""
        return (self.priced_at_ms and self.mid_cents) or self.last_cents

    @property
    def change_bps(self) -> int:
        """Against the previous close, in basis points, towards zero; 0 while either is unknown."""
        return move_bps(self.previous_close_cents, self.price_cents)

    @property
    def mid_cents(self) -> int:
        """Half-way between bid and ask, rounded down; one of them when the other is missing; else 0."""
        if self.bid_cents and self.ask_cents:
            return (self.bid_cents + self.ask_cents) // 2
        return self.bid_cents or self.ask_cents


@dataclass(frozen=True, slots=True)
class Spark:
    """An instrument's latest prices, one a minute."""

    minute: int = 0
    prices: tuple[int, ...] = ()

    LENGTH = 24

    def with_price(self, minute: int, cents: int) -> Spark:
        """With a price seen in a minute (since 1970): the minute's last one stands."""
        if not cents or (self.prices and minute == self.minute and cents == self.prices[-1]):
            return self
        kept = self.prices[:-1] if self.prices and minute <= self.minute else self.prices
        return Spark(max(minute, self.minute), (*kept, cents)[-Spark.LENGTH :])


@dataclass(frozen=True, slots=True)
class Level:
    """One price of a book."""

    price_cents: int
    quantity: int
    orders: int = 0


@dataclass(frozen=True, slots=True)
class Book:
    """An instrument's best levels, best first."""

    symbol: str = ""
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    last_cents: int = 0


@dataclass(frozen=True, slots=True)
class Bar:
    """One candle."""

    start: datetime
    open_cents: int
    high_cents: int
    low_cents: int
    close_cents: int
    volume: int = 0


@dataclass(frozen=True, slots=True)
class Tick:
    """One public trade."""

    symbol: str
    price_cents: int
    quantity: int
    executed_at: datetime
    trade_id: int = 0
    reversed: bool = False
    """Whether a rollback has taken it back."""


@dataclass(frozen=True, slots=True)
class Chart:
    """The candles on show, oldest first."""

    symbol: str = ""
    timeframe: Timeframe = Timeframe.M1
    bars: tuple[Bar, ...] = ()
    loaded: bool = False


class Priority(IntEnum):
    """How loud an announcement is."""

    INFO = 1
    IMPORTANT = 2
    URGENT = 3


@dataclass(frozen=True, slots=True)
class Me:
    """Who is signed in."""

    name: str = ""
    roles: tuple[str, ...] = ()
    permissions: frozenset[str] | None = None
    """None: the server does not tell; then all is tried, and refused by the server where it must be."""
    frozen: bool = False
    """May look, and do nothing else."""
    seen_by: str = ""
    """The operator who looks through this player's eyes; empty: the player itself."""
    created_at: datetime = EPOCH

    def may(self, permission: str) -> bool:
        """Whether something is worth offering."""
        if self.frozen and permission != "LOOK":
            return False
        return self.permissions is None or permission in self.permissions


@dataclass(frozen=True, slots=True)
class Announcement:
    """A word from the operators; its body is Markdown, and may be empty."""

    announcement_id: int
    title: str
    author: str = ""
    created_at: datetime = EPOCH
    expires_at: datetime | None = None
    body: str = ""
    priority: Priority = Priority.INFO


@dataclass(frozen=True, slots=True)
class Headline:
    """News of the game's world, and the instruments that it moves; none: it is only read."""

    news_id: int
    text: str
    symbols: tuple[str, ...] = ()
    published_at: datetime = EPOCH
    ends_at: datetime = EPOCH


@dataclass(frozen=True, slots=True)
class Status:
    """The market as a whole. Announcements and headlines newest first."""

    phase: Phase = Phase.UNKNOWN
    next_change_at: datetime | None = None
    next_phase: Phase = Phase.UNKNOWN
    time_zone: str = "UTC"
    announcements: tuple[Announcement, ...] = ()
    headlines: tuple[Headline, ...] = ()


class OrderStatus(Enum):
    """Where an order is in its life."""

    QUEUED = "queued"
    WAITING = "waiting"
    WORKING = "working"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


OPEN_STATUSES = frozenset({OrderStatus.QUEUED, OrderStatus.WAITING, OrderStatus.WORKING})


@dataclass(frozen=True, slots=True)
class Order:
    """An order of ours."""

    order_id: int
    symbol: str
    side: Side
    kind: Kind
    quantity: int
    status: OrderStatus
    price_cents: int = 0
    stop_cents: int = 0
    life: Life = Life.DEFAULT
    filled: int = 0
    remaining: int = 0
    filled_value_cents: int = 0
    fee_cents: int = 0
    end_reason: str = ""
    """Why it ended with shares left, in words."""
    request_id: str = ""
    accepted_at: datetime = EPOCH
    updated_at: datetime = EPOCH

    @property
    def open(self) -> bool:
        """Whether it may still trade."""
        return self.status in OPEN_STATUSES


@dataclass(frozen=True, slots=True)
class Fill:
    """Our side of a trade."""

    trade_id: int
    order_id: int
    symbol: str
    side: Side
    price_cents: int
    quantity: int
    fee_cents: int = 0
    reversed: bool = False
    """Whether a rollback has taken it back."""


@dataclass(frozen=True, slots=True)
class Position:
    """Shares of one instrument; `cost_cents` is for all of them, fees included."""

    symbol: str
    quantity: int
    held: int = 0
    cost_cents: int = 0
    realised_cents: int = 0


@dataclass(frozen=True, slots=True)
class Wallet:
    """What we have. `cash_cents` is all of it, what orders hold included."""

    cash_cents: int = 0
    held_cents: int = 0
    positions: Mapping[str, Position] = field(default_factory=dict)
    loaded: bool = False
    debt_cents: int = 0
    """What is owed to the house."""

    @property
    def free_cents(self) -> int:
        """Cash that no order holds."""
        return self.cash_cents - self.held_cents


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would do now, or why it would be refused."""

    filled_quantity: int = 0
    average_price_e4: int = 0
    filled_value_cents: int = 0
    fee_cents: int = 0
    resting_quantity: int = 0
    free_cash_after_cents: int = 0
    free_shares_after: int = 0
    hold: int = 0
    worst_price_cents: int = 0
    refusals: tuple[str, ...] = ()
    """In words, with what to do next."""
