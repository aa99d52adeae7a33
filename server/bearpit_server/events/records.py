"""What is told after a commit: immutable, and complete enough to be shown without asking again."""

from datetime import datetime

from bearpit_server.rules.notices import Unread
from bearpit_server.rules.record import record


@record
class OrderRecord:
    """An order as it stood right after a change. The enums have the numbers of rules.orders."""

    order_id: int
    player_id: int
    instrument_id: int
    symbol: str
    side: int
    type: int
    time_in_force: int
    quantity: int
    price_cents: int
    stop_price_cents: int
    post_only: bool
    self_trade: int
    status: int
    end_reason: int
    filled: int
    remaining: int
    value_cents: int
    fee_cents: int
    held: int
    request_id: str
    accepted_at: datetime
    updated_at: datetime


@record
class FillRecord:
    """One side of a trade."""

    trade_id: int
    order_id: int
    symbol: str
    side: int
    price_cents: int
    quantity: int
    fee_cents: int
    maker: bool
    executed_at: datetime
    reversed: bool = False
    """Whether a rollback has reversed it since."""


@record
class OrderChange:
    """One change of a player's order, with its number in the player's stream: one more each time."""

    player_id: int
    sequence: int
    order: OrderRecord
    fill: FillRecord | None


@record
class WalletChange:
    """One change of a player's wallet, with its number: one more each time."""

    player_id: int
    sequence: int
    cash_cents: int
    held_cents: int
    positions: tuple[tuple[int, int, int, int, int], ...]
    """Those that changed: asset, quantity, held, cost in cents, realised gain in cents."""
    debt_cents: int | None = None
    """What the player owes the house; None: what he owed before."""


@record
class NotificationChange:
    """A word to a player, with its number in the inbox: one more each time.

    `kind` and `priority` have the numbers of rules.notices; `data` is JSON.
    """

    player_id: int
    sequence: int
    kind: int
    priority: int
    title: str
    body: str
    reference: str
    data: str
    created_at: datetime


@record
class InboxRecord:
    """An inbox as a stream of it begins: how much is unread, and the latest of that, newest first."""

    unread: Unread
    latest: tuple[NotificationChange, ...]


@record
class TradeRecord:
    """A public trade. `aggressor` is a side, 0 in an auction."""

    trade_id: int
    instrument_id: int
    symbol: str
    price_cents: int
    quantity: int
    aggressor: int
    executed_at: datetime
    reversed: bool = False
    """Whether a rollback has reversed it since."""


@record
class QuoteRecord:
    """The latest of one instrument; 0 stands for none. `phase` is one of rules.sessions.Phase."""

    instrument_id: int
    symbol: str
    bid_cents: int = 0
    bid_quantity: int = 0
    ask_cents: int = 0
    ask_quantity: int = 0
    last_cents: int = 0
    volume: int = 0
    previous_close_cents: int = 0
    phase: int = 1
    high_cents: int = 0
    low_cents: int = 0
    indicative_cents: int = 0
    indicative_quantity: int = 0
    priced_at_ms: int = 0
    attention_bps: int = 0


@record
class StatusChange:
    """The market's phase, schedule, halts, announcements or headlines may have changed: read them again."""


@record
class WindowChange:
    """A trading window may have changed: read them again."""


@record
class DuelChange:
    """A duel may have changed: read them again."""


Record = (
    OrderChange
    | WalletChange
    | NotificationChange
    | TradeRecord
    | QuoteRecord
    | StatusChange
    | WindowChange
    | DuelChange
)
