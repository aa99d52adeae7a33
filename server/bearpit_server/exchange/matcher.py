"""The way of an order through the books: accepted, executed and settled, many in one transaction.

One thread owns every book of this process. A round locks all accounts that its commands will change, as
far as the books can tell; then each command is carried out after the other, an order accepted, executed
and settled before the next is looked at; then all is written and committed, and everyone is answered.
What turns out to change an account that is not locked, such as a stop that is triggered, cannot be
settled there without risking a deadlock: its order is accepted in this round, and settled by the next.

A commit that fails never leaves a book ahead of the database: the books that the round changed are
dropped, and built again from the open orders.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import tzinfo
from typing import Any, TypeVar

import peewee as pw

from bearpit_server.events.bus import Bus
from bearpit_server.events.log import HOUSE_ORIGIN, Origin
from bearpit_server.events.records import QuoteRecord, Record, StatusChange
from bearpit_server.exchange.amending import amended, follow
from bearpit_server.exchange.answers import Answer, Answers
from bearpit_server.exchange.books import Books, Claims
from bearpit_server.exchange.commands import (
    AMEND,
    CANCEL,
    CANCEL_ALL,
    Amend,
    Cancel,
    CancelMany,
    Candidate,
    Command,
    Drop,
    Load,
    Look,
    Place,
    Placed,
    SetPhase,
    Trading,
    done,
)
from bearpit_server.exchange.desks import Desk
from bearpit_server.exchange.intake import Acceptance, Intake
from bearpit_server.exchange.listings import Listing, Listings
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.exchange.recovery import Recovery
from bearpit_server.exchange.rounds import Round, Step
from bearpit_server.exchange.settlement import Settlement, Written, accounts_of
from bearpit_server.exchange.shards import ShardLost, Shards
from bearpit_server.ledger.accounts import Accounts
from bearpit_server.rules.limits import Wish
from bearpit_server.rules.orders import EndReason
from bearpit_server.rules.outcomes import Outcome
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.sessions import Phase
from bearpit_server.storage import clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import CASH, HOUSE
from bearpit_server.storage.sequences import Ids
from bearpit_server.storage.settings import Settings

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_ORDERS = 1_000
"""After so many orders a round is closed, so that its transaction stays short."""
PLANS_LAST = 1024
"""Batches after which statements are planned anew; at first after 1, 2, 4, 8 and so on, as tables grow."""
ACCEPTED_ONLY = "the order is accepted and will be executed; ask for it by its request_id in a moment"
NOT_OPEN = "the order has ended, or is not yours; look it up to see what became of it"


class Matcher:
    """Carries out commands; `work` runs on a thread of its own."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        books: Books,
        listings: Listings,
        zone: Callable[[], tzinfo],
        check_phase: Callable[[Listing, Wish, Phase], None],
        shards: Shards,
        settings: Settings,
        bus: Bus,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._books = books
        self._listings = listings
        self._zone = zone
        self._check_phase = check_phase
        self._shards = shards
        self._bus = bus
        self._ids = Ids("order_ids")
        self._answers = Answers(loop)
        self._trade_ids = Ids("trade_ids")
        self._recovery = Recovery(accounts)
        self._intake = Intake(accounts, settings, self._ids, books.open_orders)
        self._batches = 0
        self.broken: set[int] = set()
        """Shards that are ours, but whose books must be built again."""

    def not_here(self, listing: Listing) -> Refused:
        """The refusal of what an instrument is asked whose book is not here."""
        if listing.shard in self._shards.epochs:
            return Refused("NOT_READY", "the exchange is still loading; try again in a moment")
        return self._shards.elsewhere(listing.shard)

    def work(self, batch: list[Command]) -> None:
        """Carry out a batch, in its order. Everyone is answered after the commit that tells of it."""
        self._batches += 1
        if self._batches % PLANS_LAST == 0 or self._batches.bit_count() == 1:
            self._plan_anew()
        rest = deque(batch)
        while rest:
            match rest[0]:
                case Load() as command:
                    self._load(command)
                    rest.popleft()
                case Drop(shards=shards):
                    self._drop(shards)
                    rest.popleft()
                case _:
                    self._round(rest)

    def _plan_anew(self) -> None:
        try:
            self._database.plan_anew()
        except pw.PeeweeException as error:
            logger.warning("the database's plans stay as they are: %s", error)

    # A round

    def _round(self, rest: deque[Command]) -> None:
        """Carry out the first of these commands, and as many after it as can share its transaction."""
        commands = _sharing(rest)
        current = self._begin()
        try:
            self._intake.prepare(commands)
            claims = self._books.claims(commands)
            with self._database.transaction() if claims.accounts else nullcontext():
                known = current.lock(self._shards, claims)
                acceptance = self._intake.begin(
                    current.settlement, commands if claims.accounts else (), known
                )
                while len(current.commands) < len(commands) and not current.next:
                    current.commands.append(commands[len(current.commands)])
                    self._carry_out(current.commands[-1], current, acceptance)
                written = current.write(acceptance)
        except ShardLost as lost:
            # Nothing has been done; without these books it is tried again, and what needs them refused.
            self._lose(lost)
            return
        except Exception as error:
            current.commands = current.commands or commands
            self._fail(current, error, "try again in a moment")
        else:
            self._finish(current, written)
        for _ in current.commands:
            rest.popleft()
        if current.next:
            self._settle(current.next)

    def _settle(self, current: Round) -> None:
        """Write what books have done already, whatever accounts that takes."""
        try:
            written = self._write_steps(current)
        except Exception as error:
            self._fail(current, error, ACCEPTED_ONLY)
        else:
            self._finish(current, written)

    def _write_steps(self, current: Round) -> Written:
        fees = self._accounts.house(CASH, "fees")
        accounts = accounts_of((outcome for step in current.steps for outcome in step.outcomes), fees)
        with self._database.transaction():
            current.lock(self._shards, Claims(accounts, {step.desk.shard for step in current.steps}))
            current.settle_steps()
            return current.write()

    def _begin(self) -> Round:
        fees = self._accounts.house(CASH, "fees")
        return Round(Settlement(fees, self._trade_ids, clock.now()))

    def _finish(self, current: Round, written: Written) -> None:
        """Tell of what is committed. What a book has done beyond that is told by the next round."""
        at = clock.now()
        for trade in written.trades:
            current.desks[trade.instrument_id].count_trade(trade.price_cents, trade.quantity, at)
        told: list[Record] = written.records(self._bus.watched)
        if current.next:
            current.next.settlement.begin_with(written.fills)
            current.next.desks |= current.desks
        else:
            told += self._quotes(current.desks.values())
        if current.phases:
            told.append(StatusChange())
        self._bus.publish(told)
        for finish in current.finish:
            finish(written)
        self._answers.deliver()

    def _quotes(self, desks: Iterable[Desk]) -> list[QuoteRecord]:
        quotes = [desk.quote() for desk in desks]
        self._books.quotes.update((quote.instrument_id, quote) for quote in quotes)
        return quotes

    def _fail(self, current: Round, error: Exception, hint: str) -> None:
        """Forget the books that ran ahead, and tell everyone whose command is undone."""
        refused = Refused("NOT_READY", f"the exchange is recovering; {hint}")
        if isinstance(error, ShardLost):
            self._lose(error)
            refused = self._shards.elsewhere(min(error.shards))
        elif isinstance(error, Refused):
            refused = error
        else:
            logger.critical("a round failed; its books are built again", exc_info=error)
        for command in current.commands:
            self._refuse(command, refused)
        self._answers.deliver()
        current.next = None
        self._break({desk.shard for desk in current.desks.values() if desk.id in self._books.desks})

    def _refuse(self, command: Trading, refused: Refused) -> None:
        match command:
            case Place():
                for place, _ in command.candidates:
                    command.results[place] = command.results[place] or refused
                self._give(command.answer, command.results)
            case Cancel() | CancelMany() | Amend() | Look():
                answer: Answer[Any] = command.answer
                self._give(answer, refused)

    # One command each

    def _carry_out(self, command: Trading, current: Round, acceptance: Acceptance) -> None:
        match command:
            case Place():
                self._place(command, current, acceptance)
            case Cancel():
                self._cancel(command, current)
            case CancelMany():
                self._cancel_many(command, current)
            case Amend():
                self._amend(command, current, acceptance)
            case SetPhase():
                self._set_phase(command, current)
            case Look():
                self._look(command, current)

    def _place(self, command: Place, current: Round, acceptance: Acceptance) -> None:
        mine: list[tuple[int, LiveOrder]] = []
        for place, candidate in command.candidates:
            try:
                placed = self._accept(command, candidate, current, acceptance)
            except Refused as refused:
                command.results[place] = refused
                continue
            if isinstance(placed, Placed):
                command.results[place] = placed
            else:
                mine.append((place, placed))

        def finish(written: Written) -> None:
            for place, order in mine:
                command.results[place] = _placed(order, written)
            self._give(command.answer, command.results)

        current.last.finish.append(finish)

    def _accept(
        self, command: Place, candidate: Candidate, current: Round, acceptance: Acceptance
    ) -> LiveOrder | Placed:
        """Accept an order and execute it, unless it came before."""
        desk = self._books.desks.get(candidate.listing.id)
        if desk is None:
            raise self.not_here(candidate.listing)
        earlier = acceptance.earlier(command.owner_id, candidate)
        if earlier is not None:
            return earlier
        if desk.phase is not candidate.phase and command.owner_id != HOUSE:
            self._check_phase(candidate.listing, candidate.wish, desk.phase)
        order = acceptance.accept(command, candidate)
        current.desks[desk.id] = desk
        self._books.enter(order.id, order.owner_id, desk)
        self._take(desk, desk.take(order), command.origin, current)
        return order

    def _cancel(self, command: Cancel, current: Round) -> None:
        order = self._books.open_order(command.order_id, command.owner_id)
        if order is None:
            self._answer(current, command.answer, _not_open(command.order_id))
            return
        desk = self._books.desks[order.instrument_id]
        current.desks[desk.id] = desk
        self._take(desk, desk.book.cancel(order.id), command.origin, current)
        current.last.requests += done(command.origin, CANCEL, f"{order.id}", [order.id])
        current.last.finish.append(lambda _: self._give(command.answer, Placed(order.known())))

    def _cancel_many(self, command: CancelMany, current: Round) -> None:
        cancelled = self._books.orders_of(command.owner_id, command.instrument_id)
        for order in cancelled:
            desk = self._books.desks[order.instrument_id]
            current.desks[desk.id] = desk
            self._take(desk, desk.book.cancel(order.id, command.reason), command.origin, current)
        which = f"{command.owner_id} {command.instrument_id}"
        if cancelled and command.reason is EndReason.REQUESTED:
            current.last.requests += done(
                command.origin, CANCEL_ALL, which, [order.id for order in cancelled]
            )
        current.last.finish.append(
            lambda _: self._give(command.answer, [Placed(order.known()) for order in cancelled])
        )

    def _amend(self, command: Amend, current: Round, acceptance: Acceptance) -> None:
        order = self._books.open_order(command.order_id, command.owner_id)
        if order is None:
            self._answer(current, command.answer, _not_open(command.order_id))
            return
        desk = self._books.desks[order.instrument_id]
        try:
            changed = amended(command, order, desk, self._listings.by_id[desk.id].terms, self._ids)
            if changed is not None:
                acceptance.amend(order, changed, command.origin)
        except Refused as refused:
            self._answer(current, command.answer, refused)
            return
        before = order.filled
        if changed is not None:
            current.desks[desk.id] = desk
            self._take(desk, follow(order, changed, desk), command.origin, current)
        current.requests += done(command.origin, AMEND, command.body, [order.id, before, order.filled])
        current.last.finish.append(lambda written: self._give(command.answer, _placed(order, written)))

    def _set_phase(self, command: SetPhase, current: Round) -> None:
        desk = self._books.desks.get(command.instrument_id)
        if desk is None or desk.phase is command.phase:
            return
        before = desk.book.last_price_cents
        current.desks[desk.id] = desk
        outcomes = desk.enter(command.phase)
        if command.phase is Phase.CLOSED or desk.book.last_price_cents != before:
            desk.reference_cents = desk.book.last_price_cents or desk.reference_cents
        self._defer(desk, outcomes, HOUSE_ORIGIN, current, auction=True)
        current.last.phases.append(desk)

    def _look(self, command: Look, current: Round) -> None:
        try:
            seen = command.read()
        except Exception as error:
            seen = error
        self._answer(current, command.answer, seen)

    def _answer(self, current: Round, answer: Answer[T], result: T | Exception) -> None:
        current.last.finish.append(lambda _: self._give(answer, result))

    def _give(self, answer: Answer[T], result: T | Exception) -> None:
        self._answers.give(answer, result)

    def _take(self, desk: Desk, outcomes: list[Outcome], origin: Origin, current: Round) -> None:
        """Settle what a book did, now if that can be."""
        if current.take(desk, outcomes, origin):
            self._books.forget_ended(outcomes)
        else:
            self._defer(desk, outcomes, origin, current)

    def _defer(
        self, desk: Desk, outcomes: list[Outcome], origin: Origin, current: Round, auction: bool = False
    ) -> None:
        """Leave it to the next round, which begins when the command at hand is done."""
        if current.next is None:
            current.next = self._begin()
            current.next.commands = current.commands[-1:]
        self._books.forget_ended(outcomes)
        current.next.steps.append(Step(desk, outcomes, origin, auction))
        current.next.desks[desk.id] = desk

    # Books that come and go

    def _lose(self, lost: ShardLost) -> None:
        """Forget the books of shards that another process has taken over."""
        logger.warning("%s", lost)
        self._drop(lost.shards)
        try:
            with self._database.transaction():
                self._shards.lose(lost.shards)
        except Refused as refused:
            logger.warning("who has taken over is not known yet: %s", refused)

    def _break(self, shards: set[int]) -> None:
        """Build these again: at once if that can be, else when the lease is next renewed."""
        if not shards:
            return
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
        with self._database.transaction():
            self._shards.check(shards)
            self._listings.load()
            desks, outcomes = self._recovery.load(self._listings.of_shards(shards), self._zone(), at)
        self._ids.renew()
        self._trade_ids.renew()
        for desk in desks.values():
            desk.book.priorities = self._ids.take
        self._books.add(desks)
        current = self._begin()
        current.desks = desks
        current.steps = [Step(desks[id_], done, HOUSE_ORIGIN, False) for id_, done in outcomes.items()]
        try:
            written = self._write_steps(current)
        except BaseException:
            self._drop(shards)  # they have executed what the database does not know
            self.broken |= shards
            raise
        self._finish(current, written)
        self.broken -= shards

    def _drop(self, shards: Iterable[int]) -> None:
        self._books.drop(shards)
        self.broken -= set(shards)


def _sharing(rest: Iterable[Command]) -> list[Trading]:
    """The first commands that may share a transaction."""
    sharing: list[Trading] = []
    orders = 0
    for command in rest:
        if isinstance(command, Load | Drop) or orders >= MOST_ORDERS:
            break
        sharing.append(command)
        orders += len(command.candidates) if isinstance(command, Place) else 1
    return sharing


def _placed(order: LiveOrder, written: Written) -> Placed:
    return Placed(order.known(), tuple(written.fills.get(order.id, ())))


def _not_open(order_id: int) -> Refused:
    return Refused("ORDER_NOT_OPEN", NOT_OPEN, "order_id", order_id=order_id)
