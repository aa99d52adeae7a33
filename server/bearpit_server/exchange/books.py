"""The books of this process, and every open order in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bearpit_server.events.records import QuoteRecord
from bearpit_server.exchange.commands import (
    Amend,
    Cancel,
    CancelMany,
    Candidate,
    Deal,
    Place,
    Step,
    Trading,
)
from bearpit_server.exchange.dealers import Dealer
from bearpit_server.exchange.desks import Desk
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.ledger.accounts import Accounts
from bearpit_server.rules.orders import OrderStatus, Side
from bearpit_server.rules.outcomes import Ended, Fill, Outcome
from bearpit_server.rules.sessions import Phase
from bearpit_server.storage.models import CASH


@dataclass(slots=True)
class Claims:
    """What commands rely on, as far as the books can tell before they are carried out."""

    accounts: set[int] = field(default_factory=set)
    shards: set[int] = field(default_factory=set)
    requests: list[tuple[int, str]] = field(default_factory=list)
    """Owners and their request ids."""
    dealers: dict[int, Dealer] = field(default_factory=dict)
    """Desks whose tills are among the accounts, by instrument."""
    writes: bool = False
    """Whether something is written though no account changes."""


Wanted = dict[tuple[int, Side], tuple[int, int]]
"""By instrument and side: the worst price that is accepted, and how many shares are wanted at most."""


class Books:
    """Desks by instrument. They belong to the matcher's thread."""

    def __init__(self, accounts: Accounts) -> None:
        self.desks: dict[int, Desk] = {}
        self.quotes: dict[int, QuoteRecord] = {}
        self._accounts = accounts
        self._places: dict[int, int] = {}
        """The instrument of every open order."""
        self._owned: dict[int, set[int]] = {}
        """The open orders of every owner who has some."""

    def add(self, desks: Mapping[int, Desk]) -> None:
        """Take in desks, with the orders in their books."""
        self.desks.update(desks)
        for desk in desks.values():
            for order in desk.book.orders.values():
                self.enter(order.id, order.owner_id, desk)

    def drop(self, shards: Iterable[int]) -> None:
        """Forget the desks of these shards."""
        gone = set(shards)
        self.desks = {id_: desk for id_, desk in self.desks.items() if desk.shard not in gone}
        self._places = {id_: place for id_, place in self._places.items() if place in self.desks}
        self._owned = {
            owner: left for owner, ids in self._owned.items() if (left := ids & self._places.keys())
        }

    def enter(self, order_id: int, owner_id: int, desk: Desk) -> None:
        """Note an open order."""
        self._places[order_id] = desk.id
        self._owned.setdefault(owner_id, set()).add(order_id)

    def open_order(self, order_id: int, owner_id: int | None) -> LiveOrder | None:
        """An open order, if it is this owner's; None: whosever."""
        desk = self.desks.get(self._places.get(order_id, -1))
        order = desk.book.orders.get(order_id) if desk else None
        if order is None or owner_id not in (None, order.owner_id):
            return None
        assert isinstance(order, LiveOrder)
        return order

    def orders_of(self, owner_id: int, instrument_id: int | None) -> list[LiveOrder]:
        """An owner's open orders of one instrument, or of all, oldest first."""
        ids = sorted(self._owned.get(owner_id, ()))
        orders = [order for id_ in ids if (order := self.open_order(id_, owner_id))]
        return [order for order in orders if instrument_id in (None, order.instrument_id)]

    def forget_ended(self, outcomes: Iterable[Outcome]) -> None:
        """Note which orders are not open any more."""
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

    def open_orders(self, owner_id: int) -> int:
        """How many orders of an owner are open."""
        return len(self._owned.get(owner_id, ()))

    def claims(self, commands: Iterable[Trading]) -> Claims:
        """What these commands need: theirs, and whatever their orders may meet."""
        claims = Claims()
        wanted: Wanted = {}
        for command in commands:
            match command:
                case Place(owner_id, candidates):
                    for _, candidate in candidates:
                        self._claim_new(claims, wanted, owner_id, candidate)
                case Cancel(order_id, owner_id):
                    self._claim_open(claims, self.open_order(order_id, owner_id))
                case CancelMany(owner_id, instrument_id):
                    for own in self.orders_of(owner_id, instrument_id):
                        self._claim_open(claims, own)
                case Amend(order_id, owner_id) if order := self.open_order(order_id, owner_id):
                    self._claim_open(claims, order)
                    price_cents = command.price_cents or order.price_cents
                    _want(
                        wanted,
                        order.instrument_id,
                        order.side,
                        price_cents,
                        command.quantity or order.quantity,
                    )
                case Step(group_id):
                    self._claim_step(claims, group_id)
                case Deal(instrument_id) if instrument_id in self.desks:
                    self._claim_deal(claims, self.desks[instrument_id])
        for (instrument_id, side), (price_cents, quantity) in wanted.items():
            desk = self.desks[instrument_id]
            if desk.phase is Phase.OPEN or isinstance(desk, Dealer):
                faced = [*desk.faced(side, price_cents, quantity)]
                for other in faced:
                    assert isinstance(other, LiveOrder)
                    self._claim_open(claims, other)
                if isinstance(desk, Dealer):
                    claims.dealers[desk.id] = desk
                if faced or (instrument_id, side.opposite) in wanted:
                    claims.accounts.add(self._accounts.house(CASH, "fees"))
        return claims

    def _claim_new(
        self,
        claims: Claims,
        wanted: Wanted,
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

    def members(self, group_id: int) -> list[Dealer]:
        """The desks here of a group, by instrument."""
        found = [desk for desk in self.desks.values() if isinstance(desk, Dealer) and desk.group]
        mine = [desk for desk in found if desk.group and desk.group.id == group_id]
        return sorted(mine, key=lambda desk: desk.id)

    def _claim_step(self, claims: Claims, group_id: int) -> None:
        claims.writes = True
        for desk in self.members(group_id):
            claims.shards.add(desk.shard)
            if desk.has_pool:  # whose cash moves; its shares stay
                claims.accounts.add(desk.tills.cash)
                claims.dealers[desk.id] = desk

    def _claim_deal(self, claims: Claims, desk: Desk) -> None:
        reached = desk.reached()
        for order in reached:
            self._claim_open(claims, order)
        if reached and isinstance(desk, Dealer):
            claims.accounts |= {desk.tills.cash, desk.tills.shares, self._accounts.house(CASH, "fees")}
            claims.dealers[desk.id] = desk

    def _claim_open(self, claims: Claims, order: LiveOrder | None) -> None:
        if order is not None:
            claims.shards.add(self.desks[order.instrument_id].shard)
            claims.accounts.add(order.cash_account)
            claims.accounts.add(order.share_account)


def _want(
    wanted: Wanted,
    instrument_id: int,
    side: Side,
    price_cents: int,
    quantity: int,
) -> None:
    """Add to the shares that a side may trade, at the most its orders would accept."""
    price, shares = wanted.get((instrument_id, side), (price_cents, 0))
    worst = max(price, price_cents) if side is Side.BUY else min(price, price_cents)
    wanted[instrument_id, side] = worst, shares + quantity
