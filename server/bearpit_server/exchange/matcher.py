"""The second commit: accepted orders are matched in memory and settled, a batch at a time.

One thread owns every book of this process. A commit that fails never leaves a book ahead of the
database: the books of the shards it touched are dropped, and built again from the open orders.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, TypeVar

import peewee as pw

from bearpit_server.events.bus import Bus
from bearpit_server.events.log import HOUSE_ORIGIN, Event, Origin, append
from bearpit_server.events.records import QuoteRecord, Record, StatusChange
from bearpit_server.exchange.amending import Amending
from bearpit_server.exchange.answers import Answer, Answers
from bearpit_server.exchange.commands import (
    CANCEL,
    CANCEL_ALL,
    Amend,
    Cancel,
    CancelMany,
    Command,
    Done,
    Drop,
    Execute,
    Load,
    Look,
    Placed,
    SetPhase,
    done,
)
from bearpit_server.exchange.desks import Desk
from bearpit_server.exchange.listings import Listings
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.exchange.recovery import Recovery
from bearpit_server.exchange.settlement import Settlement, Written
from bearpit_server.exchange.shards import ShardLost, Shards
from bearpit_server.ledger.accounts import Accounts
from bearpit_server.rules.orders import EndReason, OrderStatus
from bearpit_server.rules.outcomes import Outcome
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.sessions import Phase
from bearpit_server.storage import clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import CASH, Instrument
from bearpit_server.storage.requests import remember_all
from bearpit_server.storage.sequences import Ids

logger = logging.getLogger(__name__)

T = TypeVar("T")

ACCEPTED_ONLY = "the order is accepted and will be executed; ask for it by its request_id in a moment"
NOT_OPEN = "the order has ended, or is not yours; look it up to see what became of it"


@dataclass(slots=True)
class _Round:
    """Part of a batch that shares a transaction: what to write, and whom to answer when it is written."""

    settlement: Settlement
    desks: dict[int, Desk] = field(default_factory=dict)
    phases: list[Desk] = field(default_factory=list)
    finish: list[Callable[[Written], None]] = field(default_factory=list)
    fail: list[Callable[[Refused], None]] = field(default_factory=list)
    requests: list[Done] = field(default_factory=list)


class Matcher:
    """Carries out commands; `work` runs on the matcher's thread."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        listings: Listings,
        zone: Callable[[], tzinfo],
        shards: Shards,
        bus: Bus,
        ids: Ids,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._listings = listings
        self._zone = zone
        self._shards = shards
        self._bus = bus
        self._ids = ids
        self._answers = Answers(loop)
        self._trade_ids = Ids("trade_ids")
        self._recovery = Recovery(accounts)
        self._amending = Amending(database, listings, ids)
        self.desks: dict[int, Desk] = {}
        self.quotes: dict[int, QuoteRecord] = {}
        self.places: dict[int, int] = {}
        """The instrument of every open order."""
        self.open_orders: Counter[int] = Counter()
        """Open orders by owner."""
        self.broken: set[int] = set()
        """Shards that are ours, but whose books must be built again."""

    def work(self, batch: list[Command]) -> None:
        """Carry out a batch. Everyone is answered after the commit that their answer speaks of."""
        current = self._begin()
        for command in batch:
            if isinstance(command, Amend | Load | Drop):
                # These have a transaction of their own, and want the books as committed.
                self._commit(current)
                current = self._begin()
            try:
                self._carry_out(command, current)
            except Exception as error:
                # No book can be trusted after this; everyone must have an answer all the same.
                current.desks.update(self.desks)
                self._fail(current, error)
                self._give_up(command)
                current = self._begin()
        self._commit(current)

    def _give_up(self, command: Command) -> None:
        """Answer a command that could not be carried out."""
        refused = Refused("NOT_READY", "the exchange is recovering; try again in a moment")
        match command:
            case Execute():
                for place, order in command.orders:
                    command.results[place] = Refused("NOT_READY", ACCEPTED_ONLY, order_id=order.id)
                self._give(command.answer, command.results)
            case Cancel() | CancelMany() | Amend() | Look() | Load():
                answer: Answer[Any] = command.answer
                self._give(answer, refused)
        self._answers.deliver()

    def _begin(self) -> _Round:
        fees = self._accounts.house(CASH, "fees")
        return _Round(Settlement(fees, self._trade_ids, clock.now()))

    def _carry_out(self, command: Command, current: _Round) -> None:
        match command:
            case Execute():
                self._execute(command, current)
            case Cancel():
                self._cancel(command, current)
            case CancelMany():
                self._cancel_many(command, current)
            case Amend():
                self._amend(command, current)
            case SetPhase():
                self._set_phase(command, current)
            case Look():
                self._look(command, current)
            case Load():
                self._load(command)
            case Drop():
                self._drop(command.shards)

    # One command each

    def _execute(self, command: Execute, current: _Round) -> None:
        taken: list[tuple[int, LiveOrder]] = []
        for place, order in command.orders:
            desk = self.desks.get(order.instrument_id)
            if desk is None or order.id in desk.loaded:
                # It is accepted and durable: loading its book has executed it, or will.
                command.results[place] = Refused("NOT_READY", ACCEPTED_ONLY, order_id=order.id)
                continue
            taken.append((place, order))
            if order.status is not OrderStatus.QUEUED:
                continue  # the same request, sent twice at once
            self.places[order.id] = order.instrument_id
            self.open_orders[order.owner_id] += 1
            self._take(desk, desk.take(order), command.origin, current)

        def finish(written: Written) -> None:
            for place, order in taken:
                command.results[place] = self._placed(order, written)
            self._give(command.answer, command.results)

        def fail(refused: Refused) -> None:
            for place, _ in taken:
                command.results[place] = Refused("NOT_READY", ACCEPTED_ONLY)
            self._give(command.answer, command.results)

        current.finish.append(finish)
        current.fail.append(fail)

    def _placed(self, order: LiveOrder, written: Written) -> Placed:
        return Placed(order.record(), tuple(written.fills.get(order.id, ())))

    def _cancel(self, command: Cancel, current: _Round) -> None:
        order = self._find(command.order_id, command.owner_id)
        if isinstance(order, Refused):
            current.finish.append(lambda _: self._give(command.answer, order))
        else:
            desk = self.desks[order.instrument_id]
            self._take(desk, desk.book.cancel(order.id), command.origin, current)
            current.requests += done(command.origin, CANCEL, f"{order.id}", [order.id])
            current.finish.append(lambda _: self._give(command.answer, Placed(order.record())))
        current.fail.append(lambda refused: self._give(command.answer, refused))

    def _cancel_many(self, command: CancelMany, current: _Round) -> None:
        cancelled: list[LiveOrder] = []
        for desk in [*self.desks.values()]:
            if command.instrument_id not in (None, desk.id):
                continue
            mine = [order for order in desk.book.orders.values() if order.owner_id == command.owner_id]
            for order in mine:
                assert isinstance(order, LiveOrder)
                cancelled.append(order)
                self._take(desk, desk.book.cancel(order.id, command.reason), command.origin, current)
        which = f"{command.owner_id} {command.instrument_id}"
        if cancelled and command.reason is EndReason.REQUESTED:
            current.requests += done(command.origin, CANCEL_ALL, which, [order.id for order in cancelled])
        current.finish.append(
            lambda _: self._give(command.answer, [Placed(order.record()) for order in cancelled])
        )
        current.fail.append(lambda refused: self._give(command.answer, refused))

    def _amend(self, command: Amend, current: _Round) -> None:
        order = self._find(command.order_id, command.owner_id)
        if isinstance(order, Refused):
            self._give(command.answer, order)
            return
        desk = self.desks[order.instrument_id]
        try:
            amended = self._amending.write(command, order, desk, self._shards)
        except Refused as refused:
            if refused.reason == "DATABASE_UNAVAILABLE":
                self._break({desk.shard})  # whether it was committed, only the database knows
            self._give(command.answer, refused)
            return
        except ShardLost:
            self._give(command.answer, self._shards.elsewhere(desk.shard))
            self._drop({desk.shard})
            return
        self._bus.publish(amended.records(self._bus.watched))
        self._take(desk, amended.outcomes(), command.origin, current)
        current.desks[desk.id] = desk
        current.finish.append(lambda written: self._give(command.answer, self._placed(order, written)))
        current.fail.append(lambda refused: self._give(command.answer, refused))

    def _set_phase(self, command: SetPhase, current: _Round) -> None:
        desk = self.desks.get(command.instrument_id)
        if desk is None or desk.phase is command.phase:
            return
        before = desk.book.last_price_cents
        outcomes = desk.enter(command.phase)
        if command.phase is Phase.CLOSED or desk.book.last_price_cents != before:
            desk.reference_cents = desk.book.last_price_cents or desk.reference_cents
        self._take(desk, outcomes, HOUSE_ORIGIN, current, auction=True)
        current.desks[desk.id] = desk
        current.phases.append(desk)

    def _look(self, command: Look, current: _Round) -> None:
        try:
            seen = command.read()
        except Exception as error:
            seen = error
        current.finish.append(lambda _: self._give(command.answer, seen))
        current.fail.append(lambda refused: self._give(command.answer, refused))

    def _find(self, order_id: int, owner_id: int | None) -> LiveOrder | Refused:
        desk = self.desks.get(self.places.get(order_id, -1))
        order = desk.book.orders.get(order_id) if desk else None
        if order is None or owner_id not in (None, order.owner_id):
            return Refused("ORDER_NOT_OPEN", NOT_OPEN, "order_id", order_id=order_id)
        assert isinstance(order, LiveOrder)
        return order

    def _take(
        self, desk: Desk, outcomes: list[Outcome], origin: Origin, current: _Round, auction: bool = False
    ) -> None:
        current.settlement.add(outcomes, origin, auction)
        current.desks[desk.id] = desk

    # The commit

    def _commit(self, current: _Round) -> None:
        try:
            written = self._write(current)
        except Exception as error:
            self._fail(current, error)
            return
        at = clock.now()
        for trade in written.trades:
            current.desks[trade.instrument_id].count_trade(trade.price_cents, trade.quantity, at)
        for order in current.settlement.ended():
            if self.places.pop(order.id, None) is not None:
                self.open_orders[order.owner_id] -= 1
        told: list[Record] = written.records(self._bus.watched)
        for desk in current.desks.values():
            quote = desk.quote()
            self.quotes[desk.id] = quote
            told.append(quote)
        if current.phases:
            told.append(StatusChange())
        self._bus.publish(told)
        for finish in current.finish:
            finish(written)
        self._answers.deliver()

    def _write(self, current: _Round) -> Written:
        if not current.settlement and not current.phases:
            return Written()
        with self._database.transaction():
            self._shards.check(desk.shard for desk in current.desks.values())
            written = current.settlement.write()
            remember_all(current.requests)
            for desk in current.phases:
                Instrument.update(phase=int(desk.phase), reference_price_cents=desk.reference_cents).where(
                    Instrument.id == desk.id
                ).execute()
            append(
                Event(
                    "instrument.phase", f"instrument:{desk.id}", HOUSE_ORIGIN,
                    {"phase": desk.phase.name, "reference_price_cents": desk.reference_cents},
                )
                for desk in current.phases
            )  # fmt: skip
        return written

    def _fail(self, current: _Round, error: Exception) -> None:
        """Forget the books that ran ahead, and tell everyone whose command is undone."""
        shards = {desk.shard for desk in current.desks.values()}
        if isinstance(error, ShardLost):
            refused = self._shards.elsewhere(min(shards))
            self._drop(shards)
        else:
            if isinstance(error, Refused):
                refused = error
            else:
                logger.critical("an execution failed; its books are built again", exc_info=error)
                refused = Refused("NOT_READY", "the exchange is recovering; try again in a moment")
            self._break(shards)
        for fail in current.fail:
            fail(refused)
        self._answers.deliver()

    # Books that come and go

    def _break(self, shards: set[int]) -> None:
        """Build these again: at once if that can be, else when the lease is next renewed."""
        self.broken |= shards
        try:
            self._build(shards)
        except ShardLost as lost:
            logger.warning("%s", lost)
        except (Refused, pw.PeeweeException, AssertionError) as error:
            logger.warning("books of shards %s wait for the database: %s", sorted(shards), error)

    def _load(self, command: Load) -> None:
        try:
            self._build(command.shards)
        except Exception as error:
            self.broken |= command.shards
            self._give(command.answer, error)
        else:
            self._give(command.answer, command.shards)
        self._answers.deliver()

    def _build(self, shards: set[int]) -> None:
        self._drop(shards)
        self.broken |= shards
        at = clock.now()
        current = self._begin()
        with self._database.transaction():
            self._shards.check(shards)
            self._listings.load()
            desks, outcomes = self._recovery.load(self._listings.of_shards(shards), self._zone(), at)
        self._ids.renew()
        self._trade_ids.renew()
        for desk in desks.values():
            desk.book.priorities = self._ids.take
        current.settlement.add(outcomes, HOUSE_ORIGIN)
        current.desks = desks
        self.desks.update(desks)
        for desk in desks.values():
            for order in desk.book.orders.values():
                self.places[order.id] = desk.id
                self.open_orders[order.owner_id] += 1
        try:
            written = self._write(current)
        except BaseException:
            self._drop(shards)  # they have executed what the database does not know
            self.broken |= shards
            raise
        for trade in written.trades:
            desks[trade.instrument_id].count_trade(trade.price_cents, trade.quantity, at)
        told: list[Record] = written.records(self._bus.watched)
        for desk in desks.values():
            self.quotes[desk.id] = desk.quote()
            told.append(self.quotes[desk.id])
        self._bus.publish(told)
        self.broken -= shards

    def _drop(self, shards: Iterable[int]) -> None:
        gone = set(shards)
        for desk in [desk for desk in self.desks.values() if desk.shard in gone]:
            del self.desks[desk.id]
        self.places = {id_: instrument for id_, instrument in self.places.items() if instrument in self.desks}
        self.open_orders = Counter(
            order.owner_id for desk in self.desks.values() for order in desk.book.orders.values()
        )
        self.broken -= gone

    def _give(self, answer: Answer[T], result: T | Exception) -> None:
        self._answers.give(answer, result)
