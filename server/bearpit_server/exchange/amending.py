"""Amending an order: checked, held for and written before its book changes, like an acceptance."""

from copy import copy
from dataclasses import dataclass

from bearpit_server.events import log
from bearpit_server.events.records import OrderChange, Record, WalletChange
from bearpit_server.exchange import order_events
from bearpit_server.exchange.commands import AMEND, Amend, done
from bearpit_server.exchange.desks import Desk
from bearpit_server.exchange.intake import limit_exceeded
from bearpit_server.exchange.listings import Listings
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.exchange.shards import Shards
from bearpit_server.ledger.journal import Journal, insufficient
from bearpit_server.rules.limits import check_band, check_price, check_size
from bearpit_server.rules.orders import OrderStatus, OrderType
from bearpit_server.rules.outcomes import Outcome, Reduced
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.sessions import Phase
from bearpit_server.storage import bulk, clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.requests import remember_all
from bearpit_server.storage.sequences import Ids


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order is to become."""

    quantity: int
    price_cents: int
    stop_price_cents: int


class Amended:
    """An amendment that is committed, and has yet to reach the book."""

    def __init__(
        self, order: LiveOrder, desk: Desk, changed: LiveOrder, told: list[OrderChange | WalletChange]
    ) -> None:
        self._order = order
        self._desk = desk
        self._changed = changed
        self._told = told

    def records(self, watched: set[int]) -> list[Record]:
        """For the bus."""
        return [record for record in self._told if record.player_id in watched]

    def outcomes(self) -> list[Outcome]:
        """Change the book, and return what is still to be settled."""
        order, changed = self._order, self._changed
        outcomes: list[Outcome] = []
        if changed.priority != order.priority:
            outcomes = self._desk.book.replace(
                order.id, changed.price_cents, changed.settled_quantity, changed.priority,
                self._desk.phase is Phase.OPEN, changed.stop_price_cents,
            )  # fmt: skip
        elif changed.settled_quantity != order.quantity:
            cuts = self._desk.book.reduce(order.id, changed.settled_quantity)
            assert all(isinstance(cut, Reduced) for cut in cuts), "what is left is more than nothing"
        order.settled_quantity = changed.settled_quantity
        order.held = changed.held
        order.updated_at = changed.updated_at
        return outcomes


class Amending:
    """Writes amendments, each in a transaction of its own, on the matcher's thread."""

    def __init__(self, database: Database, listings: Listings, ids: Ids) -> None:
        self._database = database
        self._listings = listings
        self._ids = ids

    def write(self, command: Amend, order: LiveOrder, desk: Desk, shards: Shards) -> Amended:
        """Check, hold and commit. Raises Refused, or ShardLost; then nothing has changed."""
        terms = Terms(
            command.quantity or order.quantity,
            command.price_cents or order.price_cents,
            command.stop_price_cents or order.stop_price_cents,
        )
        self._check(terms, order, desk)
        self._check_value(terms, order, command.most_value_cents)
        changed = copy(order)
        changed.settled_quantity = terms.quantity
        changed.price_cents = terms.price_cents
        changed.stop_price_cents = terms.stop_price_cents
        same_price = (changed.price_cents, changed.stop_price_cents) == (
            order.price_cents,
            order.stop_price_cents,
        )
        if same_price and terms.quantity == order.quantity:
            return Amended(order, desk, changed, [])
        if not (same_price and terms.quantity < order.quantity):
            changed.priority = self._ids.take()
        with self._database.transaction():
            shards.check([desk.shard])
            told = self._settle(changed, command)
        return Amended(order, desk, changed, told)

    def _check(self, terms: Terms, order: LiveOrder, desk: Desk) -> None:
        rules = self._listings.by_id[desk.id].terms
        if desk.phase is Phase.CLOSED:
            raise Refused("MARKET_CLOSED", "the market is closed; orders can only be cancelled now")
        if order.type is OrderType.MARKET:
            raise invalid("order_id", "a market order cannot be amended")
        check_size(rules, terms.quantity, "quantity")
        if terms.quantity <= order.filled:
            raise invalid("quantity", f"{order.filled} have traded already; give more, or cancel the rest")
        check_price(rules, terms.price_cents, "price_cents")
        if terms.price_cents != order.price_cents:
            check_band(rules, terms.price_cents, "price_cents")
        if terms.stop_price_cents:
            if order.status is not OrderStatus.WAITING:
                if terms.stop_price_cents != order.stop_price_cents:
                    raise invalid("stop_price_cents", "only a stop order that waits can have another")
            else:
                check_price(rules, terms.stop_price_cents, "stop_price_cents")

    @staticmethod
    def _check_value(terms: Terms, order: LiveOrder, most_cents: int) -> None:
        """An order must not grow beyond what could be placed."""
        value = terms.quantity * terms.price_cents
        if most_cents and value > most_cents and value > order.quantity * order.price_cents:
            raise limit_exceeded("max_order_value_cents", most_cents, 0)

    def _settle(self, order: LiveOrder, command: Amend) -> list[OrderChange | WalletChange]:
        order.updated_at = clock.now()
        journal = Journal(order.updated_at)
        journal.lock({order.cash_account, order.share_account})
        account = journal.accounts[order.holding_account]
        hold = order.settled_hold()
        if hold - order.held > account.free:
            raise insufficient(account, hold - order.held)
        if hold != order.held:
            journal.hold(account.id, hold - order.held)
            order.held = hold
        sequence = journal.next_order_sequence(order.owner_id)
        record = order.record()
        wallets = journal.write()
        row = (
            order.id, order.settled_quantity, order.price_cents, order.stop_price_cents, order.priority,
            order.settled_filled, order.settled_value, order.fee_cents, hold, order.settled_status, 0,
        )  # fmt: skip
        bulk.update_orders([[int(number)] for number in row], order.updated_at)
        event = order_events.event_of(order_events.AMENDED, record, command.origin, sequence)
        log.append([event], order.updated_at)
        remember_all(done(command.origin, AMEND, command.body, [order.id]))
        return [OrderChange(order.owner_id, sequence, record, None), *wallets]
