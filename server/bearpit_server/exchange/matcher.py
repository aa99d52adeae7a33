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
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, TypeVar

import peewee as pw

from bearpit_server.events.bus import Bus
from bearpit_server.events.log import HOUSE_ORIGIN, Event, Origin, append
from bearpit_server.events.records import QuoteRecord, Record, StatusChange
from bearpit_server.exchange.amending import amended, follow
from bearpit_server.exchange.answers import Answer, Answers
from bearpit_server.exchange.commands import (
    AMEND,
    CANCEL,
    CANCEL_ALL,
    Amend,
    Cancel,
    CancelMany,
    Candidate,
    Command,
    Done,
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
from bearpit_server.exchange.settlement import Settlement, Written, accounts_of
from bearpit_server.exchange.shards import ShardLost, Shards, confirm
from bearpit_server.ledger.accounts import Accounts
from bearpit_server.rules.limits import Wish
from bearpit_server.rules.orders import EndReason, OrderStatus, Side
from bearpit_server.rules.outcomes import Ended, Fill, Outcome
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.sessions import Phase
from bearpit_server.storage import bulk, clock
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import CASH, HOUSE, Instrument
from bearpit_server.storage.requests import remember_all
from bearpit_server.storage.sequences import Ids
from bearpit_server.storage.settings import Settings

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_ORDERS = 1_000
"""After so many orders a round is closed, so that its transaction stays short."""
ACCEPTED_ONLY = "the order is accepted and will be executed; ask for it by its request_id in a moment"
NOT_OPEN = "the order has ended, or is not yours; look it up to see what became of it"


@dataclass(slots=True)
class _Claims:
    """What the commands of a round rely on."""

    accounts: set[int] = field(default_factory=set)
    shards: set[int] = field(default_factory=set)
    requests: list[tuple[int, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Round:
    """Commands that share a transaction: what they have done, and whom to answer when it is committed."""

    settlement: Settlement
    commands: list[Trading] = field(default_factory=list)
    """Those that have been carried out, or begun."""
    desks: dict[int, Desk] = field(default_factory=dict)
    phases: list[Desk] = field(default_factory=list)
    finish: list[Callable[[Written], None]] = field(default_factory=list)
    requests: list[Done] = field(default_factory=list)
    steps: list[tuple[Desk, list[Outcome], Origin, bool]] = field(default_factory=list)
    """What the books have done before the round began."""
    next: "_Round | None" = None
    """What this one could not settle."""

    @property
    def last(self) -> "_Round":
        """The round that settles what is done now."""
        return self.next or self


class Matcher:
    """Carries out commands; `work` runs on a thread of its own."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
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
        self._listings = listings
        self._zone = zone
        self._check_phase = check_phase
        self._shards = shards
        self._bus = bus
        self._ids = Ids("order_ids")
        self._answers = Answers(loop)
        self._trade_ids = Ids("trade_ids")
        self._recovery = Recovery(accounts)
        self._intake = Intake(accounts, settings, self._ids, self.open_orders)
        self.desks: dict[int, Desk] = {}
        self.quotes: dict[int, QuoteRecord] = {}
        self._places: dict[int, int] = {}
        """The instrument of every open order."""
        self._owned: dict[int, set[int]] = {}
        """The open orders of every owner who has some."""
        self.broken: set[int] = set()
        """Shards that are ours, but whose books must be built again."""

    def open_orders(self, owner_id: int) -> int:
        """How many orders of an owner are open in these books."""
        return len(self._owned.get(owner_id, ()))

    def not_here(self, listing: Listing) -> Refused:
        """The refusal of what an instrument is asked whose book is not here."""
        if listing.shard in self._shards.epochs:
            return Refused("NOT_READY", "the exchange is still loading; try again in a moment")
        return self._shards.elsewhere(listing.shard)

    def work(self, batch: list[Command]) -> None:
        """Carry out a batch, in its order. Everyone is answered after the commit that tells of it."""
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

    # A round

    def _round(self, rest: deque[Command]) -> None:
        """Carry out the first of these commands, and as many after it as can share its transaction."""
        commands = _sharing(rest)
        current = self._begin()
        try:
            self._intake.prepare(commands)
            claims = self._claims(commands)
            with self._database.transaction() if claims.accounts else nullcontext():
                known = self._open(current, claims)
                acceptance = self._intake.begin(
                    current.settlement, commands if claims.accounts else (), known
                )
                while len(current.commands) < len(commands) and not current.next:
                    current.commands.append(commands[len(current.commands)])
                    self._carry_out(current.commands[-1], current, acceptance)
                written = self._write(current, acceptance)
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

    def _settle(self, current: _Round) -> None:
        """Write what books have done already, whatever accounts that takes."""
        try:
            written = self._write_steps(current)
        except Exception as error:
            self._fail(current, error, ACCEPTED_ONLY)
        else:
            self._finish(current, written)

    def _write_steps(self, current: _Round) -> Written:
        fees = self._accounts.house(CASH, "fees")
        accounts = accounts_of((outcome for _, done, _, _ in current.steps for outcome in done), fees)
        claims = _Claims(accounts, {desk.shard for desk, *_ in current.steps})
        with self._database.transaction():
            self._open(current, claims)
            for _, outcomes, origin, auction in current.steps:
                current.settlement.settle(outcomes, origin, auction)
            return self._write(current, None)

    def _begin(self) -> _Round:
        fees = self._accounts.house(CASH, "fees")
        return _Round(Settlement(fees, self._trade_ids, clock.now()))

    def _claims(self, commands: Iterable[Trading]) -> _Claims:
        """The accounts and leases that these commands need, as far as the books tell before they begin."""
        claims = _Claims()
        wanted: dict[tuple[int, Side], tuple[int, int]] = {}
        for command in commands:
            match command:
                case Place(owner_id, candidates):
                    for _, candidate in candidates:
                        self._claim_new(claims, wanted, owner_id, candidate)
                case Cancel(order_id, owner_id):
                    self._claim_open(claims, self._open_order(order_id, owner_id))
                case CancelMany(owner_id, instrument_id):
                    for own in self._orders_of(owner_id, instrument_id):
                        self._claim_open(claims, own)
                case Amend(order_id, owner_id) if order := self._open_order(order_id, owner_id):
                    self._claim_open(claims, order)
                    price_cents = command.price_cents or order.price_cents
                    _want(
                        wanted,
                        order.instrument_id,
                        order.side,
                        price_cents,
                        command.quantity or order.quantity,
                    )
        for (instrument_id, side), (price_cents, quantity) in wanted.items():
            desk = self.desks[instrument_id]
            if desk.phase is Phase.OPEN:
                faced = [*desk.book.facing(side, price_cents, quantity)]
                for other in faced:
                    assert isinstance(other, LiveOrder)
                    self._claim_open(claims, other)
                if faced or (instrument_id, side.opposite) in wanted:
                    claims.accounts.add(self._accounts.house(CASH, "fees"))
        return claims

    def _claim_new(
        self,
        claims: _Claims,
        wanted: dict[tuple[int, Side], tuple[int, int]],
        owner_id: int,
        candidate: Candidate,
    ) -> None:
        desk = self.desks.get(candidate.listing.id)
        if desk is not None:
            claims.shards.add(desk.shard)
            claims.accounts.update(self._accounts.trading(owner_id, desk.id))
            claims.requests.append((owner_id, candidate.request_id))
            wish = candidate.wish
            _want(wanted, desk.id, wish.side, candidate.worst_price_cents, wish.quantity)

    def _claim_open(self, claims: _Claims, order: LiveOrder | None) -> None:
        if order is not None:
            claims.shards.add(self.desks[order.instrument_id].shard)
            claims.accounts.add(order.cash_account)
            claims.accounts.add(order.share_account)

    def _open(self, current: _Round, claims: _Claims) -> Sequence[int]:
        """Lock what is claimed, and return the orders that were placed before. Raises ShardLost."""
        if claims.accounts:
            locked = bulk.lock_for_trading(
                claims.accounts, self._shards.owner, self._shards.claims(claims.shards), claims.requests
            )
            confirm(claims.shards, locked.shards)
            current.settlement.journal.take(locked.accounts)
            return locked.orders
        if claims.shards:
            self._shards.check(claims.shards)
        return ()

    def _write(self, current: _Round, acceptance: Acceptance | None) -> Written:
        writes = bulk.Writes()
        written = current.settlement.add_to(writes)
        if acceptance is not None:
            acceptance.add_to(writes)
        remember_all(writes, current.requests)
        writes.send()
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

    def _finish(self, current: _Round, written: Written) -> None:
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
        self.quotes.update((quote.instrument_id, quote) for quote in quotes)
        return quotes

    def _fail(self, current: _Round, error: Exception, hint: str) -> None:
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
        self._break({desk.shard for desk in current.desks.values() if desk.id in self.desks})

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

    def _carry_out(self, command: Trading, current: _Round, acceptance: Acceptance) -> None:
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

    def _place(self, command: Place, current: _Round, acceptance: Acceptance) -> None:
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
        self, command: Place, candidate: Candidate, current: _Round, acceptance: Acceptance
    ) -> LiveOrder | Placed:
        """Accept an order and execute it, unless it came before."""
        desk = self.desks.get(candidate.listing.id)
        if desk is None:
            raise self.not_here(candidate.listing)
        earlier = acceptance.earlier(command.owner_id, candidate)
        if earlier is not None:
            return earlier
        if desk.phase is not candidate.phase and command.owner_id != HOUSE:
            self._check_phase(candidate.listing, candidate.wish, desk.phase)
        order = acceptance.accept(command, candidate)
        current.desks[desk.id] = desk
        self._places[order.id] = desk.id
        self._owned.setdefault(order.owner_id, set()).add(order.id)
        self._take(desk, desk.take(order), command.origin, current)
        return order

    def _cancel(self, command: Cancel, current: _Round) -> None:
        order = self._open_order(command.order_id, command.owner_id)
        if order is None:
            self._answer(current, command.answer, _not_open(command.order_id))
            return
        desk = self.desks[order.instrument_id]
        current.desks[desk.id] = desk
        self._take(desk, desk.book.cancel(order.id), command.origin, current)
        current.last.requests += done(command.origin, CANCEL, f"{order.id}", [order.id])
        current.last.finish.append(lambda _: self._give(command.answer, Placed(order.record())))

    def _cancel_many(self, command: CancelMany, current: _Round) -> None:
        cancelled = self._orders_of(command.owner_id, command.instrument_id)
        for order in cancelled:
            desk = self.desks[order.instrument_id]
            current.desks[desk.id] = desk
            self._take(desk, desk.book.cancel(order.id, command.reason), command.origin, current)
        which = f"{command.owner_id} {command.instrument_id}"
        if cancelled and command.reason is EndReason.REQUESTED:
            current.last.requests += done(
                command.origin, CANCEL_ALL, which, [order.id for order in cancelled]
            )
        current.last.finish.append(
            lambda _: self._give(command.answer, [Placed(order.record()) for order in cancelled])
        )

    def _amend(self, command: Amend, current: _Round, acceptance: Acceptance) -> None:
        order = self._open_order(command.order_id, command.owner_id)
        if order is None:
            self._answer(current, command.answer, _not_open(command.order_id))
            return
        desk = self.desks[order.instrument_id]
        try:
            changed = amended(command, order, desk, self._listings.by_id[desk.id].terms, self._ids)
            if changed is not None:
                acceptance.grow(order, changed)
                current.settlement.amend(order, changed, command.origin)
        except Refused as refused:
            self._answer(current, command.answer, refused)
            return
        current.requests += done(command.origin, AMEND, command.body, [order.id])
        if changed is not None:
            current.desks[desk.id] = desk
            self._take(desk, follow(order, changed, desk), command.origin, current)
        current.last.finish.append(lambda written: self._give(command.answer, _placed(order, written)))

    def _set_phase(self, command: SetPhase, current: _Round) -> None:
        desk = self.desks.get(command.instrument_id)
        if desk is None or desk.phase is command.phase:
            return
        before = desk.book.last_price_cents
        current.desks[desk.id] = desk
        outcomes = desk.enter(command.phase)
        if command.phase is Phase.CLOSED or desk.book.last_price_cents != before:
            desk.reference_cents = desk.book.last_price_cents or desk.reference_cents
        self._defer(desk, outcomes, HOUSE_ORIGIN, current, auction=True)
        current.last.phases.append(desk)

    def _look(self, command: Look, current: _Round) -> None:
        try:
            seen = command.read()
        except Exception as error:
            seen = error
        self._answer(current, command.answer, seen)

    def _answer(self, current: _Round, answer: Answer[T], result: T | Exception) -> None:
        current.last.finish.append(lambda _: self._give(answer, result))

    def _give(self, answer: Answer[T], result: T | Exception) -> None:
        self._answers.give(answer, result)

    def _take(self, desk: Desk, outcomes: list[Outcome], origin: Origin, current: _Round) -> None:
        """Settle what a book did, now if that can be."""
        if current.next or not current.settlement.covers(outcomes):
            self._defer(desk, outcomes, origin, current)
        else:
            self._forget_ended(outcomes)
            current.settlement.settle(outcomes, origin)

    def _defer(
        self, desk: Desk, outcomes: list[Outcome], origin: Origin, current: _Round, auction: bool = False
    ) -> None:
        """Leave it to the next round, which begins when the command at hand is done."""
        if current.next is None:
            current.next = self._begin()
            current.next.commands = current.commands[-1:]
        self._forget_ended(outcomes)
        current.next.steps.append((desk, outcomes, origin, auction))
        current.next.desks[desk.id] = desk

    # Open orders

    def _open_order(self, order_id: int, owner_id: int | None) -> LiveOrder | None:
        """An open order, if it is this owner's; None: whosever."""
        desk = self.desks.get(self._places.get(order_id, -1))
        order = desk.book.orders.get(order_id) if desk else None
        if order is None or owner_id not in (None, order.owner_id):
            return None
        assert isinstance(order, LiveOrder)
        return order

    def _orders_of(self, owner_id: int, instrument_id: int | None) -> list[LiveOrder]:
        ids = sorted(self._owned.get(owner_id, ()))
        orders = [order for id_ in ids if (order := self._open_order(id_, owner_id))]
        return [order for order in orders if instrument_id in (None, order.instrument_id)]

    def _forget_ended(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Fill):
                for order in (outcome.maker, outcome.taker):
                    if order.status > OrderStatus.WORKING:
                        self._forget(order.id, order.owner_id)
            elif isinstance(outcome, Ended):
                self._forget(outcome.order.id, outcome.order.owner_id)

    def _forget(self, order_id: int, owner_id: int) -> None:
        if self._places.pop(order_id, None) is not None:
            owned = self._owned[owner_id]
            owned.remove(order_id)
            if not owned:
                del self._owned[owner_id]

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
        self.desks.update(desks)
        for desk in desks.values():
            desk.book.priorities = self._ids.take
            for order in desk.book.orders.values():
                self._places[order.id] = desk.id
                self._owned.setdefault(order.owner_id, set()).add(order.id)
        current = self._begin()
        current.desks = desks
        current.steps = [(desks[id_], done, HOUSE_ORIGIN, False) for id_, done in outcomes.items()]
        try:
            written = self._write_steps(current)
        except BaseException:
            self._drop(shards)  # they have executed what the database does not know
            self.broken |= shards
            raise
        self._finish(current, written)
        self.broken -= shards

    def _drop(self, shards: Iterable[int]) -> None:
        gone = set(shards)
        self.desks = {id_: desk for id_, desk in self.desks.items() if desk.shard not in gone}
        self._places = {id_: place for id_, place in self._places.items() if place in self.desks}
        self._owned = {
            owner: left for owner, ids in self._owned.items() if (left := ids & self._places.keys())
        }
        self.broken -= gone


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


def _want(
    wanted: dict[tuple[int, Side], tuple[int, int]],
    instrument_id: int,
    side: Side,
    price_cents: int,
    quantity: int,
) -> None:
    """Add to the shares that a side may trade, at the most its orders would accept."""
    price, shares = wanted.get((instrument_id, side), (price_cents, 0))
    worst = max(price, price_cents) if side is Side.BUY else min(price, price_cents)
    wanted[instrument_id, side] = worst, shares + quantity


def _placed(order: LiveOrder, written: Written) -> Placed:
    return Placed(order.record(), tuple(written.fills.get(order.id, ())))


def _not_open(order_id: int) -> Refused:
    return Refused("ORDER_NOT_OPEN", NOT_OPEN, "order_id", order_id=order_id)
