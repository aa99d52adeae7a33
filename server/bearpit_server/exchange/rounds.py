"""A round: commands that share a transaction, from its locks to what it writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bearpit_server.events import log
from bearpit_server.events.log import HOUSE_ORIGIN, Event, Origin
from bearpit_server.exchange.books import Claims
from bearpit_server.exchange.commands import Done, Trading
from bearpit_server.exchange.desks import Desk
from bearpit_server.exchange.intake import Acceptance
from bearpit_server.exchange.pricing import Group, as_json
from bearpit_server.exchange.settlement import Settlement, Written
from bearpit_server.exchange.shards import Shards, confirm
from bearpit_server.rules.mechanisms.base import Memory
from bearpit_server.rules.outcomes import Outcome
from bearpit_server.storage import bulk
from bearpit_server.storage.models import Instrument
from bearpit_server.storage.requests import remember_all


@dataclass(frozen=True, slots=True)
class Unsettled:
    """What a book has done, and is still to be settled."""

    desk: Desk
    outcomes: list[Outcome]
    origin: Origin
    auction: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """What a group's step has made."""

    group: Group
    memory: Memory
    prices: list[tuple[int, int]]
    """New prices in cents, by instrument, where the till does not tell them."""
    priced_at: datetime

    def add_to(self, writes: bulk.Writes, at: datetime) -> None:
        """Let it be written with the rest of the transaction."""
        bulk.step_group(
            writes, self.group.id, as_json(self.memory), self.group.steps + 1, self.prices, at, self.priced_at
        )

    def finish(self, at: datetime) -> None:
        """Let it hold, once it is committed."""
        self.group.memory = self.memory
        self.group.steps += 1
        self.group.stepped_at = at


@dataclass(slots=True)
class Round:
    """What commands have done, and whom to answer when it is committed."""

    settlement: Settlement
    commands: list[Trading] = field(default_factory=list)
    """Those that have been carried out, or begun."""
    desks: dict[int, Desk] = field(default_factory=dict)
    """Those whose books may have changed."""
    phases: list[Desk] = field(default_factory=list)
    finish: list[Callable[[Written], None]] = field(default_factory=list)
    requests: list[Done] = field(default_factory=list)
    steps: list[Unsettled] = field(default_factory=list)
    """What books had done before the round began."""
    moves: list["Moved"] = field(default_factory=list)
    """What groups' steps have made of prices."""
    next: "Round | None" = None
    """What this one could not settle."""

    @property
    def last(self) -> "Round":
        """The round that settles what is done now."""
        return self.next or self

    def lock(self, shards: Shards, claims: Claims) -> Sequence[int]:
        """Lock what is claimed, and return the orders that were placed before. Raises ShardLost, Stale."""
        if not claims.accounts:
            if claims.shards:
                shards.check(claims.shards)
            return ()
        locked = bulk.lock_for_trading(
            claims.accounts, shards.owner, shards.claims(claims.shards), claims.requests
        )
        confirm(claims.shards, locked.shards)
        journal = self.settlement.journal
        journal.take(locked.accounts)
        for dealer in claims.dealers.values():
            dealer.sync(journal.accounts)
        return locked.orders

    def take(self, outcomes: list[Outcome], origin: Origin) -> bool:
        """Settle what a book did, if all accounts that it changes are locked; says whether."""
        if self.next or not self.settlement.covers(outcomes):
            return False
        self.settlement.settle(outcomes, origin)
        return True

    def settle_steps(self) -> None:
        """Settle what books had done before."""
        for step in self.steps:
            self.settlement.settle(step.outcomes, step.origin, step.auction)

    def write(self, acceptance: Acceptance | None = None) -> Written:
        """Write all of it, in the transaction that the caller commits."""
        with bulk.written() as writes:
            written = self.settlement.add_to(writes)
            if acceptance is not None:
                acceptance.add_to(writes)
            remember_all(writes, self.requests)
            log.add(writes, [_phase_event(desk) for desk in self.phases], self.settlement.at)
            for move in self.moves:
                move.add_to(writes, self.settlement.at)
        for desk in self.phases:
            Instrument.update(phase=int(desk.phase), reference_price_cents=desk.reference_cents).where(
                Instrument.id == desk.id
            ).execute()
        return written


def _phase_event(desk: Desk) -> Event:
    return Event(
        "instrument.phase", f"instrument:{desk.id}", HOUSE_ORIGIN,
        {"phase": desk.phase.name, "reference_price_cents": desk.reference_cents},
    )  # fmt: skip
