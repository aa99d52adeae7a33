"""Orders and trades of anyone, newest first; inside the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

import peewee as pw

from bearpit_server.rules.orders import OrderStatus
from bearpit_server.rules.refusals import not_found
from bearpit_server.storage.models import Instrument, Order, Player, Reversal, Trade

INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Which:
    """Which rows of a list are wanted; None: any."""

    player_id: int | None = None
    instrument_id: int | None = None
    open_only: bool = False


@dataclass(frozen=True, slots=True)
class ListedOrder:
    """An order, its instrument's symbol and its owner's name."""

    row: Order
    symbol: str
    player_name: str


@dataclass(frozen=True, slots=True)
class ListedTrade:
    """A trade, its instrument's symbol and the names of both sides."""

    row: Trade
    symbol: str
    buyer: str
    seller: str
    reversed: bool = False
    """Whether a rollback has reversed it."""


def orders(which: Which, before_id: int | None, limit: int) -> list[ListedOrder]:
    """Orders below an id."""
    query = _orders().order_by(Order.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Order.id < before_id)
    if which.player_id is not None:
        query = query.where(Order.player_id == which.player_id)
    if which.instrument_id is not None:
        query = query.where(Order.instrument_id == which.instrument_id)
    if which.open_only:
        query = query.where(Order.status <= int(OrderStatus.WORKING))
    return _listed(query)


def order(order_id: int) -> ListedOrder:
    """One order. Raises Refused NOT_FOUND."""
    found = _listed(_orders().where(Order.id == order_id)) if 0 < order_id <= INT64_MAX else []
    if not found:
        raise not_found("order", order_id)
    return found[0]


def trades(which: Which, before_id: int | None, limit: int) -> list[ListedTrade]:
    """Trades below an id. A player's are looked up side by side: one index for buys, one for sales."""
    if which.player_id is None:
        return _trades(which, None, before_id, limit)
    found = [
        *_trades(which, Trade.buyer_id == which.player_id, before_id, limit),
        *_trades(which, Trade.seller_id == which.player_id, before_id, limit),
    ]
    return sorted(found, key=lambda trade: -trade.row.id)[:limit]


def by_ids(ids: Sequence[int]) -> list[ListedTrade]:
    """These trades, newest first."""
    return _trades(Which(), Trade.id << [*ids], None, len(ids)) if ids else []


def _orders() -> pw.ModelSelect:
    return (
        Order.select(Order, Instrument.symbol.alias("symbol"), Player.name.alias("player_name"))
        .join(Instrument, on=(Instrument.id == Order.instrument_id))
        .switch(Order)
        .join(Player, on=(Player.id == Order.player_id))
        .objects()
    )


def _listed(query: pw.ModelSelect) -> list[ListedOrder]:
    return [ListedOrder(row, row.symbol, row.player_name) for row in query]


def _trades(which: Which, side: pw.Expression | None, before_id: int | None, limit: int) -> list[ListedTrade]:
    buyer, seller = Player.alias(), Player.alias()
    query = (
        Trade.select(
            Trade,
            Instrument.symbol.alias("symbol"),
            buyer.name.alias("buyer"),
            seller.name.alias("seller"),
            Reversal.reversed_at.alias("reversed_at"),
        )
        .join(Instrument, on=(Instrument.id == Trade.instrument_id))
        .switch(Trade)
        .join(buyer, on=(buyer.id == Trade.buyer_id))
        .switch(Trade)
        .join(seller, on=(seller.id == Trade.seller_id))
        .switch(Trade)
        .join(Reversal, pw.JOIN.LEFT_OUTER, on=(Reversal.trade_id == Trade.id))
        .order_by(Trade.id.desc())
        .limit(limit)
    )
    if side is not None:
        query = query.where(side)
    if before_id is not None:
        query = query.where(Trade.id < before_id)
    if which.instrument_id is not None:
        query = query.where(Trade.instrument_id == which.instrument_id)
    return [
        ListedTrade(row, row.symbol, row.buyer, row.seller, row.reversed_at is not None)
        for row in query.objects()
    ]
