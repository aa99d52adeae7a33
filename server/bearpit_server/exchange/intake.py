"""Accepting orders: what needs the ledger is checked, funds are held, and the order has its number."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from bearpit_server.events.log import Origin
from bearpit_server.exchange import order_events
from bearpit_server.exchange.commands import Amend, Candidate, Place, Placed, Trading
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.exchange.settlement import Settlement
from bearpit_server.ledger.accounts import Accounts
from bearpit_server.rules.orders import OrderType, Side
from bearpit_server.rules.refusals import Refused, frozen
from bearpit_server.rules.units import BPS
from bearpit_server.storage import bulk, requests
from bearpit_server.storage.models import CASH, HOUSE, DayUsage, Order
from bearpit_server.storage.sequences import Ids
from bearpit_server.storage.settings import Settings

MOST_COUNTED_CENTS = 10**18
"""Where the day's worth of a player's orders stops counting: above every limit, within an int64."""


class Intake:
    """What accepting needs, on the matcher's thread."""

    def __init__(
        self, accounts: Accounts, settings: Settings, ids: Ids, open_orders: Callable[[int], int]
    ) -> None:
        self.accounts = accounts
        self.settings = settings
        self.ids = ids
        self.open_orders = open_orders

    def prepare(self, commands: Iterable[Trading]) -> None:
        """Make the accounts that buyers of an instrument do not have yet; outside of any transaction."""
        self.accounts.ensure(
            (command.owner_id, asset)
            for command in commands
            if isinstance(command, Place) and command.owner_id != HOUSE
            for _, candidate in command.candidates
            for asset in (CASH, candidate.listing.id)
        )

    def begin(
        self, settlement: Settlement, commands: Iterable[Trading], known: Sequence[int]
    ) -> "Acceptance":
        """Accept for these commands, in the transaction of a settlement; `known` are orders placed before."""
        rows = Order.select().where(Order.id << known) if known else ()
        owners = {command.owner_id for command in commands if isinstance(command, Place | Amend)}
        return Acceptance(self, settlement, rows, self._usage(settlement, owners))

    def _usage(self, settlement: Settlement, owners: set[int]) -> dict[int, list[int]]:
        if not (self.settings.number("max_day_orders") or self.settings.number("max_day_value_cents")):
            return {}
        usage = {owner: [0, 0] for owner in owners if owner != HOUSE}
        rows = DayUsage.select(DayUsage.player_id, DayUsage.orders, DayUsage.value_cents).where(
            DayUsage.day == settlement.at.astimezone(UTC).date(), DayUsage.player_id << list(usage)
        )
        for owner, orders, value in rows.tuples():
            usage[owner] = [orders, value]
        return usage


class Acceptance:
    """What one transaction accepts."""

    def __init__(
        self, intake: Intake, settlement: Settlement, known: Iterable[Order], usage: dict[int, list[int]]
    ) -> None:
        self._intake = intake
        self._settlement = settlement
        self._known = {(row.player_id, row.request_id): row for row in known}
        self._accepted: dict[tuple[int, str], tuple[LiveOrder, bytes]] = {}
        self._usage = usage
        """Orders and cents of the day, by owner; only while a daily limit is set."""
        self._added: dict[int, list[int]] = {}

    def earlier(self, owner_id: int, candidate: Candidate) -> LiveOrder | Placed | None:
        """The order that came with this request id before. Raises Refused REQUEST_ID_REUSED."""
        key = owner_id, candidate.request_id
        earlier: LiveOrder | Placed
        if key in self._accepted:
            earlier, request_hash = self._accepted[key]
        elif key in self._known:
            row = self._known[key]
            earlier, request_hash = (
                Placed(order_events.record_of_row(row, candidate.listing.symbol)),
                bytes(row.request_hash),
            )
        else:
            return None
        if request_hash != candidate.request_hash:
            raise requests.reused(candidate.request_id)
        return earlier

    def accept(self, command: Place, candidate: Candidate) -> LiveOrder:
        """Hold what an order needs, and number it. Raises Refused; then nothing has changed."""
        owner, journal = command.owner_id, self._settlement.journal
        order = self._order(owner, candidate)
        account = journal.accounts[order.holding_account]
        if account.disabled:
            raise Refused("PLAYER_DISABLED", "you have been disabled; ask an operator")
        if account.frozen:
            raise frozen()
        if owner != HOUSE:
            cash, at = journal.cash_of(owner), self._settlement.at
            order.fee_bps = discounted(order.fee_bps, cash.fee_off_bps, cash.fee_off_until, at)
            _fit_to_funds(order, candidate, account.free + journal.credit_of(owner))
        self._check_limits(order)
        order.borrowed = self._settlement.lacking(order, order.hold)
        order.id = order.priority = self._intake.ids.take()
        self._count(owner, 1, order.quantity * order.price_cents)
        self._settlement.accept(order, candidate.request_hash, command.origin)
        self._accepted[owner, candidate.request_id] = order, candidate.request_hash
        return order

    def amend(self, order: LiveOrder, changed: LiveOrder, origin: Origin) -> None:
        """Hold what an order needs with new terms. Raises Refused; then nothing has changed."""
        value = changed.settled_quantity * changed.price_cents
        more = value - order.settled_quantity * order.price_cents
        grows = more > 0 and order.owner_id != HOUSE
        if grows:
            self._check("max_order_value_cents", 0, value)
            self._check("max_day_value_cents", self._usage.get(order.owner_id, (0, 0))[1], more)
        self._settlement.amend(order, changed, origin)
        if grows:
            self._count(order.owner_id, 0, more)

    def add_to(self, writes: bulk.Writes) -> None:
        """Let the day's counts be written with the rest of the transaction."""
        if self._added:
            owners = sorted(self._added)
            day = self._settlement.at.astimezone(UTC).date()
            orders, values = zip(*[self._added[owner] for owner in owners], strict=True)
            bulk.count_day(writes, day, owners, orders, values)

    def _order(self, owner: int, candidate: Candidate) -> LiveOrder:
        wish, listing, at = candidate.wish, candidate.listing, self._settlement.at
        cash, share = self._intake.accounts.trading(owner, listing.id)
        order = LiveOrder(
            id=0, owner_id=owner, instrument_id=listing.id, side=wish.side, type=wish.type,
            time_in_force=wish.time_in_force, quantity=wish.quantity, price_cents=candidate.worst_price_cents,
            stop_price_cents=wish.stop_price_cents, post_only=wish.post_only, self_trade=wish.self_trade,
            fee_bps=0 if owner == HOUSE else listing.fee_bps, symbol=listing.symbol,
            request_id=candidate.request_id, accepted_at=at, updated_at=at, expires_at=candidate.expires_at,
            cash_account=cash, share_account=share,
        )  # fmt: skip
        order.settled_status = order.first_status()
        return order

    def _check_limits(self, order: LiveOrder) -> None:
        if order.owner_id == HOUSE:
            return
        value = order.quantity * order.price_cents
        used_orders, used_value = self._usage.get(order.owner_id, (0, 0))
        self._check("max_open_orders", self._intake.open_orders(order.owner_id), 1)
        self._check("max_order_value_cents", 0, value)
        self._check("max_day_orders", used_orders, 1)
        self._check("max_day_value_cents", used_value, value)

    def _check(self, key: str, used: int, more: int) -> None:
        allowed = self._intake.settings.number(key)
        if allowed and used + more > allowed:
            raise limit_exceeded(key, allowed, used)

    def _count(self, owner: int, orders: int, value: int) -> None:
        if owner in self._usage:
            usage, added = self._usage[owner], self._added.setdefault(owner, [0, 0])
            counted = min(value, MOST_COUNTED_CENTS - usage[1])
            for counts in (usage, added):
                counts[0] += orders
                counts[1] += counted


def discounted(fee_bps: int, off_bps: int, until: datetime | None, at: datetime) -> int:
    """A trading fee with what a coupon takes off, while it holds; rounded in its owner's favour."""
    return fee_bps * (BPS - off_bps) // BPS if until is not None and at < until else fee_bps


def _fit_to_funds(order: LiveOrder, candidate: Candidate, free: int) -> None:
    """Let a market order go less far from the market rather than refuse it, while it can pay the best."""
    if order.type is not OrderType.MARKET or order.side is not Side.BUY or candidate.wish.price_cents:
        return
    if order.hold > free and candidate.best_price_cents:
        affordable = candidate.listing.terms.affordable(order.quantity, free, order.fee_bps)
        if affordable >= candidate.best_price_cents:
            order.price_cents = affordable


def limit_exceeded(key: str, allowed: int, used: int) -> Refused:
    """The refusal of an order that goes over one of the game's limits."""
    what = {
        "max_open_orders": "open orders; cancel some first",
        "max_order_value_cents": "cents an order; order less",
        "max_day_orders": "orders a day; go on tomorrow",
        "max_day_value_cents": "cents a day; go on tomorrow",
    }[key]
    return Refused("LIMIT_EXCEEDED", f"the limit is {allowed} {what}", limit=key, allowed=allowed, used=used)
