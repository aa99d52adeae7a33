"""What each command does to the books and the ledger, inside the round that it is part of."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
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
    Deal,
    Look,
    Place,
    Placed,
    SetPhase,
    Step,
    Trading,
    done,
)
from bearpit_server.exchange.dealers import Dealer
from bearpit_server.exchange.desks import Desk
from bearpit_server.exchange.intake import Acceptance
from bearpit_server.exchange.listings import Listing, Listings
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.exchange.pricing import Group, Pricing
from bearpit_server.exchange.rounds import Moved, Round, Unsettled
from bearpit_server.exchange.settlement import Settlement, Written
from bearpit_server.exchange.standing import foresee
from bearpit_server.rules.limits import Wish
from bearpit_server.rules.mechanisms.base import Step as Moves
from bearpit_server.rules.orders import EndReason
from bearpit_server.rules.outcomes import Outcome
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.sessions import Phase
from bearpit_server.storage.models import HOUSE
from bearpit_server.storage.sequences import Ids

T = TypeVar("T")

FLUSH_STEPS = 10
"""A price is written into the candles within so many steps; until then a crash would lose it there."""
NOT_OPEN = "the order has ended, or is not yours; look it up to see what became of it"


class Dealing:
    """Carries out one command after the other, on the matcher's thread."""

    def __init__(
        self,
        books: Books,
        listings: Listings,
        pricing: Pricing,
        ids: Ids,
        answers: Answers,
        check_phase: Callable[[Listing, Wish, Phase], None],
        not_here: Callable[[Listing], Refused],
        settlement: Callable[[], Settlement],
    ) -> None:
        """`settlement` begins the next one."""
        self._books = books
        self._listings = listings
        self._pricing = pricing
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
            case Step():
                self._step(command, current)
            case Deal():
                self._deal(command, current)
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
            # By the listing as it is now, whose window may have changed since.
            self._check_phase(self._listings.by_id[desk.id], candidate.wish, desk.phase)
        if desk.phase is Phase.OPEN:
            desk.check(candidate.wish)
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
        before = desk.price_cents
        current.desks[desk.id] = desk
        outcomes = desk.enter(command.phase)
        if command.phase is Phase.CLOSED or desk.price_cents != before:
            desk.reference_cents = desk.price_cents or desk.reference_cents
        self._defer(desk, outcomes, HOUSE_ORIGIN, current, auction=True)
        current.last.phases.append(desk)

    def _deal(self, command: Deal, current: Round) -> None:
        desk = self._books.desks.get(command.instrument_id)
        if isinstance(desk, Dealer) and (reached := desk.reached()):
            current.desks[desk.id] = desk
            self._take(desk, desk.book.deal([*reached]), HOUSE_ORIGIN, current)

    def _step(self, command: Step, current: Round) -> None:
        """Let prices move; the cash that moves between pools is posted like any other."""
        group = self._pricing.groups.get(command.group_id)
        desks = {desk.id: desk for desk in self._books.members(command.group_id)}
        at = current.settlement.at
        try:
            moved = self._moved(command, group, desks, at) if group else None
        except Refused as refused:
            self._answer(current, command.answer, refused)
            return
        self._answer(current, command.answer, None)
        if group is None or moved is None:
            return
        current.desks |= desks
        reference = f"group:{group.id}:{group.steps + 1}"
        for giver, taker, cents in paired(moved.flows):
            current.settlement.journal.post(
                desks[giver].tills.cash, desks[taker].tills.cash, cents, group.mechanism.name, reference,
                HOUSE_ORIGIN,
            )  # fmt: skip
        for id_, cents in moved.flows.items():
            desks[id_].flow(cents, at)
        priced_at = command.push.at if command.push else at
        prices = [(id_, price) for id_, price in moved.prices.items() if not desks[id_].has_pool]
        for id_, price in prices:
            desks[id_].reprice(price, at, priced_at)
        foresee(group, [*desks.values()], self._listings.by_id, command.attention)
        for desk in desks.values():
            if (desk.id + group.steps) % FLUSH_STEPS == 0:
                current.settlement.mark(desk.id, desk.symbol, desk.take_marks())
        current.moves.append(Moved(group, moved.memory, prices, priced_at))

    def _moved(self, command: Step, group: Group, desks: dict[int, Dealer], at: datetime) -> Moves | None:
        """What a step makes of prices; None: nothing is open. Raises Refused for a pushed price."""
        if push := command.push:
            desk = desks.get(push.instrument_id)
            if desk is None:
                raise self._not_here(self._listings.by_id[push.instrument_id])
            return group.mechanism.push(
                group.parameters, self._listings.by_id[desk.id].parameters, desk.state, group.memory,
                push.price_cents, push.at, at,
            )  # fmt: skip
        states = {id_: desk.state for id_, desk in desks.items() if desk.phase is Phase.OPEN}
        if not states:
            return None
        members = {id_: self._listings.by_id[id_].parameters for id_ in states}
        inputs = self._pricing.inputs(group, at, command.attention)
        return group.mechanism.step(group.parameters, members, states, group.memory, inputs)

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
        current.next.steps.append(Unsettled(desk, outcomes, origin, auction))
        current.next.desks[desk.id] = desk


def paired(flows: Mapping[int, int]) -> Iterator[tuple[int, int, int]]:
    """Who gives what to whom, so that each ends with its flow: fewer movements than there are parties."""
    givers = [[id_, -cents] for id_, cents in flows.items() if cents < 0]
    for taker, wanted in flows.items():
        while wanted > 0:
            giver = givers[-1]
            cents = min(wanted, giver[1])
            yield giver[0], taker, cents
            wanted -= cents
            giver[1] -= cents
            if not giver[1]:
                givers.pop()


def _placed(order: LiveOrder, written: Written) -> Placed:
    return Placed(order.known(), tuple(written.fills.get(order.id, ())))


def _not_open(order_id: int) -> Refused:
    return Refused("ORDER_NOT_OPEN", NOT_OPEN, "order_id", order_id=order_id)
