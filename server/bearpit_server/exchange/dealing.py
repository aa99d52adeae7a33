"""What each command does to the books and the ledger, inside the round that it is part of."""

from collections.abc import Callable
from typing import TypeVar

from bearpit_server.events.log import HOUSE_ORIGIN, Origin
from bearpit_server.exchange.amending import amended, follow
from bearpit_server.exchange.answers import Answer, Answers
from bearpit_server.exchange.books import Books
from bearpit_server.exchange.commands import (
    AMEND,
    CANCEL,
    CANCEL_ALL,
    Amend,
    Cancel,
    CancelMany,
    Candidate,
    Look,
    Place,
    Placed,
    SetPhase,
    Trading,
    done,
)
from bearpit_server.exchange.desks import Desk
from bearpit_server.exchange.intake import Acceptance
from bearpit_server.exchange.listings import Listing, Listings
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.exchange.rounds import Round, Step
from bearpit_server.exchange.settlement import Settlement, Written
from bearpit_server.rules.limits import Wish
from bearpit_server.rules.orders import EndReason
from bearpit_server.rules.outcomes import Outcome
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.sessions import Phase
from bearpit_server.storage.models import HOUSE
from bearpit_server.storage.sequences import Ids

T = TypeVar("T")

NOT_OPEN = "the order has ended, or is not yours; look it up to see what became of it"


class Dealing:
    """Carries out one command after the other, on the matcher's thread."""

    def __init__(
        self,
        books: Books,
        listings: Listings,
        ids: Ids,
        answers: Answers,
        check_phase: Callable[[Listing, Wish, Phase], None],
        not_here: Callable[[Listing], Refused],
        settlement: Callable[[], Settlement],
    ) -> None:
        """`settlement` begins the next one."""
        self._books = books
        self._listings = listings
        self._ids = ids
        self._answers = answers
        self._check_phase = check_phase
        self._not_here = not_here
        self._settlement = settlement

    def carry_out(self, command: Trading, current: Round, acceptance: Acceptance) -> None:
        """Do what a command asks for, and note whom to answer once that is committed."""
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
            self._answers.give(command.answer, command.results)

        current.last.finish.append(finish)

    def _accept(
        self, command: Place, candidate: Candidate, current: Round, acceptance: Acceptance
    ) -> LiveOrder | Placed:
        """Accept an order and execute it, unless it came before."""
        desk = self._books.desks.get(candidate.listing.id)
        if desk is None:
            raise self._not_here(candidate.listing)
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
        current.last.finish.append(lambda _: self._answers.give(command.answer, Placed(order.known())))

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
            lambda _: self._answers.give(command.answer, [Placed(order.known()) for order in cancelled])
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
        current.last.finish.append(
            lambda written: self._answers.give(command.answer, _placed(order, written))
        )

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
        current.last.finish.append(lambda _: self._answers.give(answer, result))

    def _take(self, desk: Desk, outcomes: list[Outcome], origin: Origin, current: Round) -> None:
        """Settle what a book did, now if that can be."""
        if current.take(outcomes, origin):
            self._books.forget_ended(outcomes)
        else:
            self._defer(desk, outcomes, origin, current)

    def _defer(
        self, desk: Desk, outcomes: list[Outcome], origin: Origin, current: Round, auction: bool = False
    ) -> None:
        """Leave it to the next round, which begins when the command at hand is done."""
        if current.next is None:
            current.next = Round(self._settlement(), current.commands[-1:])
        self._books.forget_ended(outcomes)
        current.next.steps.append(Step(desk, outcomes, origin, auction))
        current.next.desks[desk.id] = desk


def _placed(order: LiveOrder, written: Written) -> Placed:
    return Placed(order.known(), tuple(written.fills.get(order.id, ())))


def _not_open(order_id: int) -> Refused:
    return Refused("ORDER_NOT_OPEN", NOT_OPEN, "order_id", order_id=order_id)
