"""The first commit: orders are checked, held for and made durable, a batch at a time."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.bus import Bus
from bearpit_server.events.log import Event, Origin
from bearpit_server.events.records import OrderChange, Record, WalletChange
from bearpit_server.exchange import order_events
from bearpit_server.exchange.answers import Answer, Answers
from bearpit_server.exchange.commands import Execute, Placed, Result
from bearpit_server.exchange.listings import Listing
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.exchange.shards import ShardLost, Shards
from bearpit_server.ledger.accounts import Accounts
from bearpit_server.ledger.journal import Balance, Journal, insufficient
from bearpit_server.rules.limits import Wish
from bearpit_server.rules.orders import OrderType, Side
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage import bulk, clock, requests
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import CASH, HOUSE, DayUsage, Order
from bearpit_server.storage.sequences import Ids
from bearpit_server.storage.settings import Settings

logger = logging.getLogger(__name__)

MOST_COUNTED_CENTS = 10**18
"""Where the day's worth of a player's orders stops counting: above every limit, within an int64."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order that passed every check but those that need the database."""

    listing: Listing
    wish: Wish
    worst_price_cents: int
    best_price_cents: int
    """The best price on the other side when it was checked; 0: none. A market order need not be able
    to pay more than this."""
    request_id: str
    request_hash: bytes
    expires_at: datetime | None


@dataclass(slots=True)
class Placing:
    """The orders of one call. `results` has a place for each; those of candidates are None."""

    owner_id: int
    candidates: list[tuple[int, Candidate]]
    results: list[Result | None]
    origin: Origin
    answer: Answer[list[Result | None]]


@dataclass(slots=True)
class _Acceptance:
    """What one transaction accepts."""

    journal: Journal
    orders: list[LiveOrder] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    changes: list[OrderChange] = field(default_factory=list)
    executions: list[Execute] = field(default_factory=list)
    by_request: dict[tuple[int, str], tuple[LiveOrder, bytes]] = field(default_factory=dict)
    usage: dict[int, list[int]] = field(default_factory=dict)
    """Orders and cents of the day, by owner; only while a daily limit is set."""
    added: dict[int, list[int]] = field(default_factory=dict)
    new_orders: Counter[int] = field(default_factory=Counter)

    def repeated(self, key: tuple[int, str], candidate: Candidate) -> LiveOrder:
        """The order that came with this request id in the same batch, if it was the same order."""
        order, request_hash = self.by_request[key]
        if request_hash != candidate.request_hash:
            raise requests.reused(candidate.request_id)
        return order


class Intake:
    """Accepts orders; `work` runs on the intake's thread and hands what it accepted to `forward`."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        shards: Shards,
        settings: Settings,
        bus: Bus,
        ids: Ids,
        loop: asyncio.AbstractEventLoop,
        open_orders: Callable[[int], int],
        forward: Callable[[Execute], None],
        reload: Callable[[set[int]], None],
    ) -> None:
        """`reload` builds the books of shards again, of which some orders may not have been forwarded."""
        self._database = database
        self._accounts = accounts
        self._shards = shards
        self._settings = settings
        self._bus = bus
        self._ids = ids
        self._open_orders = open_orders
        self._forward = forward
        self._reload = reload
        self._answers = Answers(loop)

    def work(self, batch: list[Placing]) -> None:
        """Accept what can be accepted; a refused order costs its neighbours nothing."""
        try:
            accounts = self._ensure_accounts(batch)
            try:
                accepted, wallets = self._accept(batch, accounts, repeats=False)
            except pw.IntegrityError:
                # A request id that was used before: look each one up. Rare, so not on every batch.
                accepted, wallets = self._accept(batch, accounts, repeats=True)
        except ShardLost:
            self._refuse(batch, lambda candidate: self._shards.elsewhere(candidate.listing.shard))
        except Refused as refused:
            # Whether it was committed, only the database knows; if so, loading the books executes it.
            self._reload(
                {candidate.listing.shard for placing in batch for _, candidate in placing.candidates}
            )
            self._refuse(batch, lambda _, why=refused: why)  # type: ignore[misc]
        except Exception as error:
            logger.critical("orders could not be accepted", exc_info=error)
            self._refuse(batch, lambda _: Refused("NOT_READY", "the exchange is recovering; try again"))
        else:
            self._tell(accepted, wallets)
            for execution in accepted.executions:
                self._forward(execution)
            self._answers.deliver()

    def _refuse(self, batch: list[Placing], why: Callable[[Candidate], Refused]) -> None:
        for placing in batch:
            for place, candidate in placing.candidates:
                placing.results[place] = why(candidate)
            self._answers.give(placing.answer, placing.results)
        self._answers.deliver()

    def _ensure_accounts(self, batch: list[Placing]) -> set[int]:
        """The ids of all accounts involved, buyers' share accounts made where they have none yet."""
        keys = {
            (placing.owner_id, asset)
            for placing in batch
            for _, candidate in placing.candidates
            for asset in (CASH, candidate.listing.id)
            if placing.owner_id != HOUSE
        }
        ids = set(self._accounts.ensure(keys).values())
        for placing in batch:
            if placing.owner_id == HOUSE:
                ids.add(self._accounts.house(CASH, "treasury"))
                ids |= {candidate.listing.treasury_account for _, candidate in placing.candidates}
        return ids

    def _accept(
        self, batch: list[Placing], accounts: set[int], repeats: bool
    ) -> tuple[_Acceptance, list[WalletChange]]:
        at = clock.now()
        accepted = _Acceptance(Journal(at))
        for placing in batch:
            for place, _ in placing.candidates:
                placing.results[place] = None
        with self._database.transaction():
            self._shards.check(
                candidate.listing.shard for placing in batch for _, candidate in placing.candidates
            )
            accepted.journal.lock(accounts)
            self._read_usage(batch, accepted, at.date())
            known = self._known(batch) if repeats else {}
            for placing in batch:
                self._accept_call(placing, accepted, known, at)
            wallets = accepted.journal.write()
            self._insert(accepted, at)
            log.append(accepted.events, at)
        self._answer_refused(batch, accepted)
        return accepted, wallets

    def _accept_call(
        self, placing: Placing, accepted: _Acceptance, known: dict[tuple[int, str], Order], at: datetime
    ) -> None:
        mine: list[tuple[int, LiveOrder]] = []
        for place, candidate in placing.candidates:
            key = (placing.owner_id, candidate.request_id)
            try:
                if key in known:
                    placing.results[place] = _repeated(known[key], candidate)
                elif key in accepted.by_request:
                    mine.append((place, accepted.repeated(key, candidate)))
                else:
                    mine.append((place, self._accept_one(placing, candidate, accepted, at)))
            except Refused as refused:
                placing.results[place] = refused
        if mine:
            accepted.executions.append(Execute(mine, placing.results, placing.origin, placing.answer))

    def _accept_one(
        self, placing: Placing, candidate: Candidate, accepted: _Acceptance, at: datetime
    ) -> LiveOrder:
        owner, wish, listing, journal = placing.owner_id, candidate.wish, candidate.listing, accepted.journal
        order = self._order(owner, candidate, at)
        account = journal.accounts[order.holding_account]
        if account.disabled:
            raise Refused("PLAYER_DISABLED", "you have been disabled; ask an operator")
        self._fit_to_funds(order, candidate, account)
        self._check_limits(order, accepted)
        if order.hold > account.free:
            raise insufficient(account, order.hold)
        order.id = order.priority = self._ids.take()
        order.held = order.hold
        journal.hold(account.id, order.held)
        origin = Origin(placing.origin.actor_id, placing.origin.address, candidate.request_id)
        sequence = None if owner == HOUSE else journal.next_order_sequence(owner)
        record = order.record()
        accepted.events.append(order_events.event_of(order_events.ACCEPTED, record, origin, sequence))
        if sequence is not None:
            accepted.changes.append(OrderChange(owner, sequence, record, None))
        accepted.orders.append(order)
        accepted.hashes.append(candidate.request_hash)
        accepted.by_request[owner, candidate.request_id] = order, candidate.request_hash
        accepted.new_orders[owner] += 1
        assert order.instrument_id == listing.id and order.remaining == wish.quantity
        return order

    def _order(self, owner: int, candidate: Candidate, at: datetime) -> LiveOrder:
        wish, listing = candidate.wish, candidate.listing
        if owner == HOUSE:
            cash, share = self._accounts.house(CASH, "treasury"), listing.treasury_account
        else:
            cash, share = self._accounts.of(owner, CASH), self._accounts.of(owner, listing.id)
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

    @staticmethod
    def _fit_to_funds(order: LiveOrder, candidate: Candidate, account: Balance) -> None:
        """Let a market order go less far from the market rather than refuse it, while it can pay the best."""
        if order.type is not OrderType.MARKET or order.side is not Side.BUY or candidate.wish.price_cents:
            return
        if order.hold > account.free and candidate.best_price_cents:
            affordable = candidate.listing.terms.affordable(order.quantity, account.free, order.fee_bps)
            if affordable >= candidate.best_price_cents:
                order.price_cents = affordable

    def _check_limits(self, order: LiveOrder, accepted: _Acceptance) -> None:
        if order.owner_id == HOUSE:
            return
        value = order.quantity * order.price_cents
        used_orders, used_value = accepted.usage.get(order.owner_id, (0, 0))
        open_orders = self._open_orders(order.owner_id) + accepted.new_orders[order.owner_id]
        for key, used, more in (
            ("max_open_orders", open_orders, 1),
            ("max_order_value_cents", 0, value),
            ("max_day_orders", used_orders, 1),
            ("max_day_value_cents", used_value, value),
        ):
            allowed = self._settings.number(key)
            if allowed and used + more > allowed:
                raise limit_exceeded(key, allowed, used)
        if order.owner_id in accepted.usage:
            accepted.usage[order.owner_id][0] += 1
            accepted.usage[order.owner_id][1] += min(value, MOST_COUNTED_CENTS - used_value)
            added = accepted.added.setdefault(order.owner_id, [0, 0])
            added[0] += 1
            added[1] += min(value, MOST_COUNTED_CENTS - used_value)

    def _read_usage(self, batch: list[Placing], accepted: _Acceptance, day: date) -> None:
        if not (self._settings.number("max_day_orders") or self._settings.number("max_day_value_cents")):
            return
        accepted.usage = {placing.owner_id: [0, 0] for placing in batch if placing.owner_id != HOUSE}
        rows = DayUsage.select(DayUsage.player_id, DayUsage.orders, DayUsage.value_cents).where(
            DayUsage.day == day, DayUsage.player_id << list(accepted.usage)
        )
        for owner, orders, value in rows.tuples():
            accepted.usage[owner] = [orders, value]

    @staticmethod
    def _known(batch: list[Placing]) -> dict[tuple[int, str], Order]:
        """The orders that were placed with these request ids before."""
        keys = [
            (placing.owner_id, candidate.request_id)
            for placing in batch
            for _, candidate in placing.candidates
        ]
        rows = Order.select().where(
            pw.Tuple(Order.player_id, Order.request_id).in_([pw.Tuple(*key) for key in keys])
        )
        return {(row.player_id, row.request_id): row for row in rows}

    @staticmethod
    def _insert(accepted: _Acceptance, at: datetime) -> None:
        if not accepted.orders:
            return
        numbers = zip(
            *[
                (
                    o.id, o.owner_id, o.instrument_id, int(o.side), int(o.type), int(o.time_in_force),
                    o.quantity, o.price_cents, o.stop_price_cents, int(o.post_only), int(o.self_trade),
                    o.fee_bps, o.held,
                )
                for o in accepted.orders
            ],
            strict=True,
        )  # fmt: skip
        bulk.insert_orders(
            list(numbers),
            [order.request_id for order in accepted.orders],
            accepted.hashes,
            [None if o.expires_at is None else int(o.expires_at.timestamp()) for o in accepted.orders],
            at,
        )
        if accepted.added:
            owners = sorted(accepted.added)
            bulk.count_day(
                at.astimezone(UTC).date(),
                owners,
                [accepted.added[owner][0] for owner in owners],
                [accepted.added[owner][1] for owner in owners],
            )

    def _answer_refused(self, batch: list[Placing], accepted: _Acceptance) -> None:
        """Calls of which nothing goes on to be executed have their answer now."""
        going_on = {id(execution.answer) for execution in accepted.executions}
        for placing in batch:
            if id(placing.answer) not in going_on:
                self._answers.give(placing.answer, placing.results)

    def _tell(self, accepted: _Acceptance, wallets: list[WalletChange]) -> None:
        watched = self._bus.watched
        if watched:
            told: list[Record] = [change for change in accepted.changes if change.player_id in watched]
            told += [wallet for wallet in wallets if wallet.player_id in watched]
            self._bus.publish(told)


def limit_exceeded(key: str, allowed: int, used: int) -> Refused:
    """The refusal of an order that goes over one of the game's limits."""
    what = {
        "max_open_orders": "open orders; cancel some first",
        "max_order_value_cents": "cents an order; order less",
        "max_day_orders": "orders a day; go on tomorrow",
        "max_day_value_cents": "cents a day; go on tomorrow",
    }[key]
    return Refused("LIMIT_EXCEEDED", f"the limit is {allowed} {what}", limit=key, allowed=allowed, used=used)


def _repeated(row: Order, candidate: Candidate) -> Result:
    """What an order that was placed before has come to, if it was this one."""
    if bytes(row.request_hash) != candidate.request_hash:
        raise requests.reused(candidate.request_id)
    return Placed(order_events.record_of_row(row, candidate.listing.symbol))
