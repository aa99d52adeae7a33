"""The books as the database has them: after a start, a takeover, or a commit that failed."""

from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Any

from bearpit_server.exchange.dealers import Dealer
from bearpit_server.exchange.desks import BookDesk, Desk
from bearpit_server.exchange.listings import Listing
from bearpit_server.exchange.live import LiveOrder
from bearpit_server.exchange.pricing import Pricing
from bearpit_server.ledger.accounts import Accounts
from bearpit_server.rules.candles import DAY, bucket
from bearpit_server.rules.orders import (
    OrderStatus,
    OrderType,
    SelfTrade,
    Side,
    TimeInForce,
)
from bearpit_server.rules.outcomes import Outcome
from bearpit_server.storage import candles
from bearpit_server.storage.models import CASH, HOUSE, Account, Order, Player


class Recovery:
    """Builds desks from open orders."""

    def __init__(self, accounts: Accounts, pricing: Pricing) -> None:
        self._accounts = accounts
        self._pricing = pricing

    def load(
        self, listings: Iterable[Listing], zone: tzinfo, at: datetime
    ) -> tuple[dict[int, Desk], dict[int, list[Outcome]]]:
        """Desks, and what executing their orders did, by instrument; inside a transaction."""
        by_id = {listing.id: listing for listing in listings}
        days = candles.today(by_id, bucket(int(at.timestamp()), DAY, zone))
        tills = self._tills(by_id.values())
        desks: dict[int, Desk] = {}
        for id_, listing in by_id.items():
            if listing.tills is None:
                desks[id_] = BookDesk(listing, days[id_], zone, at)
            else:
                group = self._pricing.groups.get(listing.group_id)
                desks[id_] = Dealer(listing, group, tills, days[id_], zone, at)
        rows = list(
            Order.select(*_COLUMNS)
            .where(Order.status <= int(OrderStatus.WORKING), Order.instrument_id << list(by_id))
            .order_by(Order.priority)
            .tuples()
        )
        self._accounts.load((row[1], asset) for row in rows for asset in (CASH, row[2]) if row[1] != HOUSE)
        barred = {id_ for (id_,) in Player.select(Player.id).where(Player.disabled | Player.frozen).tuples()}
        outcomes: dict[int, list[Outcome]] = {id_: [] for id_ in desks}
        for row in rows:
            order = self._live(row, by_id[row[2]])
            outcomes[order.instrument_id] += desks[order.instrument_id].restore(
                order, at, order.owner_id in barred
            )
        for id_, desk in desks.items():
            outcomes[id_] += desk.uncross_if_crossed()
        return desks, outcomes

    @staticmethod
    def _tills(listings: Iterable[Listing]) -> dict[int, tuple[int, int]]:
        """Balances and versions of tills, by account."""
        ids = [id_ for listing in listings if (made := listing.tills) for id_ in (made.cash, made.shares)]
        rows = Account.select(Account.id, Account.balance, Account.version).where(Account.id << ids).tuples()
        return {id_: (balance, version) for id_, balance, version in rows}

    def epochs(self, listings: Iterable[Listing]) -> dict[int, int]:
        """The versions of tills of cash, by instrument; inside a transaction."""
        dealt_in = [listing for listing in listings if listing.tills]
        tills = self._tills(dealt_in)
        return {listing.id: tills[listing.tills.cash][1] for listing in dealt_in if listing.tills}

    def _live(self, row: tuple[Any, ...], listing: Listing) -> LiveOrder:
        (
            id_, owner, instrument, side, type_, tif, quantity, price, stop, post_only, self_trade, fee_bps,
            priority, filled, value, fee, held, borrowed, status, request_id, accepted_at, updated_at,
            expires_at,
        ) = row  # fmt: skip
        cash, share = self._accounts.trading(owner, instrument)
        order = LiveOrder(
            id=id_, owner_id=owner, instrument_id=instrument, side=SIDES[side], type=TYPES[type_],
            time_in_force=TIMES[tif], quantity=quantity, price_cents=price, stop_price_cents=stop,
            post_only=post_only, self_trade=SelfTrade(self_trade), fee_bps=fee_bps, priority=priority,
            filled=filled, value_cents=value, fee_cents=fee, status=STATUSES[status],
            symbol=listing.symbol, request_id=request_id, accepted_at=accepted_at, updated_at=updated_at,
            expires_at=expires_at, cash_account=cash, share_account=share, held=held, borrowed=borrowed,
        )  # fmt: skip
        order.settled_status = order.first_status() if status < OrderStatus.WORKING else order.status
        return order


SIDES = {int(side): side for side in Side}
TYPES = {int(type_): type_ for type_ in OrderType}
TIMES = {int(time): time for time in TimeInForce}
STATUSES = {int(status): status for status in OrderStatus}

_COLUMNS = (
    Order.id, Order.player_id, Order.instrument_id, Order.side, Order.type, Order.time_in_force,
    Order.quantity, Order.price_cents, Order.stop_price_cents, Order.post_only, Order.self_trade,
    Order.fee_bps, Order.priority, Order.filled, Order.value_cents, Order.fee_cents, Order.held,
    Order.borrowed_cents, Order.status, Order.request_id, Order.accepted_at, Order.updated_at,
    Order.expires_at,
)  # fmt: skip
