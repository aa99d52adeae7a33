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
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.events.records import QuoteRecord, Record, StatusChange
from bearpit_server.exchange.answers import Answer, Answers
from bearpit_server.exchange.books import Books, Claims
from bearpit_server.exchange.commands import (
    Amend,
    Cancel,
    CancelMany,
    Command,
    Deal,
    Drop,
    Load,
    Look,
    Place,
    Step,
    Trading,
)
from bearpit_server.exchange.dealers import Dealer, Stale
from bearpit_server.exchange.dealing import Dealing
from bearpit_server.exchange.desks import Desk
from bearpit_server.exchange.intake import Intake
from bearpit_server.exchange.listings import Listing, Listings
from bearpit_server.exchange.pricing import Pricing
from bearpit_server.exchange.recovery import Recovery
from bearpit_server.exchange.rounds import Round, Unsettled
from bearpit_server.exchange.settlement import Settlement, Written, accounts_of
from bearpit_server.exchange.shards import ShardLost, Shards
from bearpit_server.ledger.accounts import Accounts
from bearpit_server.rules.limits import Wish
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.sessions import Phase
from bearpit_server.storage import clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import CASH
from bearpit_server.storage.sequences import Ids
from bearpit_server.storage.settings import Settings

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_ORDERS = 1_000
"""After so many orders a round is closed, so that its transaction stays short."""
PLANS_LAST = 1024
"""Batches after which statements are planned anew; at first after 1, 2, 4, 8 and so on, as tables grow."""
ACCEPTED_ONLY = "the order is accepted and will be executed; ask for it by its request_id in a moment"


class Matcher:
    """Carries out commands; `work` runs on a thread of its own."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        books: Books,
        listings: Listings,
        pricing: Pricing,
        zone: Callable[[], tzinfo],
        phase: Callable[[Listing], Phase],
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
        self._pricing = pricing
        self._zone = zone
        self._phase = phase
        self._shards = shards
        self._bus = bus
        self._ids = Ids("order_ids")
        self._answers = Answers(loop)
        self._trade_ids = Ids("trade_ids")
        self._recovery = Recovery(accounts, pricing)
        self._intake = Intake(accounts, settings, self._ids, books.open_orders)
        self._dealing = Dealing(
            books, listings, pricing, self._ids, self._answers, check_phase, self.not_here, self._settlement
        )
        self._batches = 0
        self._reached: set[int] = set()
        """Dealers whose price waiting orders have reached."""
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
        # Steps go first: they are due now, and wait for no orders.
        rest = deque(sorted(batch, key=lambda command: not isinstance(command, Step)))
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
            # Those that wait go before those that come.
            rest.extendleft(Deal(id_) for id_ in self._reached)
            self._reached = set()

    def _plan_anew(self) -> None:
        try:
            self._database.plan_anew()
        except pw.PeeweeException as error:
            logger.warning("the database's plans stay as they are: %s", error)

    # A round

    def _round(self, rest: deque[Command]) -> None:
        """Carry out the first of these commands, and as many after it as can share its transaction."""
        commands = _sharing(rest)
        current = Round(self._settlement())
        try:
            self._intake.prepare(commands)
            claims = self._books.claims(commands)
            needs_transaction = claims.accounts or claims.writes
            with self._database.transaction() if needs_transaction else nullcontext():
                known = current.lock(self._shards, claims)
                acceptance = self._intake.begin(
                    current.settlement, commands if claims.accounts else (), known
                )
                while len(current.commands) < len(commands) and not current.next:
                    current.commands.append(commands[len(current.commands)])
                    self._dealing.carry_out(current.commands[-1], current, acceptance)
                written = current.write(acceptance)
        except ShardLost as lost:
            # Nothing has been done; without these books it is tried again, and what needs them refused.
            self._lose(lost)
            return
        except Stale as stale:
            # Nor here: it is tried again with what holds now.
            self._renew(stale.instruments)
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
            for step in current.steps:
                if isinstance(step.desk, Dealer):
                    step.desk.confirm(current.settlement.journal.accounts)
            current.settle_steps()
            return current.write()

    def _settlement(self) -> Settlement:
        return Settlement(self._accounts.house(CASH, "fees"), self._trade_ids, clock.now())

    def _finish(self, current: Round, written: Written) -> None:
        """Tell of what is committed. What a book has done beyond that is told by the next round."""
        at = clock.now()
        for trade in written.trades:
            current.desks[trade.instrument_id].count_trade(trade.price_cents, trade.quantity, at)
        for move in current.moves:
            move.finish(current.settlement.at)
        if not current.next:
            self._reached |= {desk.id for desk in current.desks.values() if desk.reached()}
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
                self._answers.give(command.answer, command.results)
            case Cancel() | CancelMany() | Amend() | Step() | Look():
                answer: Answer[Any] = command.answer
                self._answers.give(answer, refused)

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

    def _renew(self, instruments: set[int]) -> None:
        """Look again how these are dealt in; if that cannot be, build their books anew."""
        desks = [desk for id_ in instruments if isinstance(desk := self._books.desks.get(id_), Dealer)]
        try:
            with self._database.transaction():
                # In this order: what changes in between makes the epoch stale, and is looked at again.
                epochs = self._recovery.epochs(self._listings.by_id[desk.id] for desk in desks)
                self._listings.load()
                listings = [self._listings.by_id[desk.id] for desk in desks]
        except (Refused, pw.PeeweeException) as error:
            logger.warning("how instruments %s are dealt in is not known: %s", sorted(instruments), error)
            self._break({desk.shard for desk in desks})
            return
        for desk, listing in zip(desks, listings, strict=True):
            desk.renew(listing, self._zone(), epochs[desk.id], self._phase(listing))

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
            self._answers.give(command.answer, error)
        else:
            self._answers.give(command.answer, command.shards)
        self._answers.deliver()

    def _build(self, shards: set[int]) -> None:
        self._drop(shards)
        self.broken |= shards
        at = clock.now()
        with self._database.transaction():
            self._shards.check(shards)
            self._listings.load()
            self._pricing.reload(shards)
            self._pricing.load(self._listings.by_id.values(), at)
            desks, outcomes = self._recovery.load(self._listings.of_shards(shards), self._zone(), at)
            self._listings.load()  # once more: what is dealt by must not be older than the epochs
            for desk in desks.values():
                desk.follow(self._listings.by_id[desk.id], self._zone())
        self._ids.renew()
        self._trade_ids.renew()
        for desk in desks.values():
            desk.book.priorities = self._ids.take
        self._books.add(desks)
        current = Round(self._settlement())
        current.desks = desks
        current.steps = [Unsettled(desks[id_], done, HOUSE_ORIGIN, False) for id_, done in outcomes.items()]
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
    """The first commands that may share a transaction.

    Steps have one of their own, in which each group makes one: the next follows from what that has committed.
    """
    sharing: list[Trading] = []
    orders = 0
    stepped: set[int] = set()
    for command in rest:
        if isinstance(command, Load | Drop) or orders >= MOST_ORDERS:
            break
        is_step = isinstance(command, Step)
        if sharing and is_step is not isinstance(sharing[0], Step):
            break
        if isinstance(command, Step):
            if command.group_id in stepped:
                break
            stepped.add(command.group_id)
        sharing.append(command)
        orders += len(command.candidates) if isinstance(command, Place) else 1
    return sharing
