"""Instruments as operators make and change them; inside the caller's transaction."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.game.texts import line
from bearpit_server.game.trading import pricing
from bearpit_server.game.trading.shards import shard_of
from bearpit_server.ledger.accounts import open_account
from bearpit_server.ledger.journal import Journal
from bearpit_server.rules import mechanisms
from bearpit_server.rules.mechanisms import Counterparty, Mechanism
from bearpit_server.rules.orders import OrderStatus
from bearpit_server.rules.parameters import parse, texts_of
from bearpit_server.rules.refusals import Refused, invalid, not_found
from bearpit_server.rules.units import BPS, MAX_PRICE_CENTS, MAX_QUANTITY
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import CASH, HOUSE, Account, Group, Instrument, Order

MAX_NAME = 80
MAX_FEE_BPS = 1_000
LOTS = 1_000_000
"""The largest order of an instrument whose operator gives none, in lots."""
ORDER_BOOK = "order_book"

_SYMBOL = re.compile(r"[A-Z0-9.-]{1,12}")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a new instrument shall be; zeros are replaced as admin.proto says."""

    symbol: str
    name: str
    tick_cents: int
    lot: int
    min_quantity: int
    max_quantity: int
    fee_bps: int
    band_bps: int
    reference_price_cents: int
    mechanism: str = ORDER_BOOK
    group: str = ""
    """By name; empty: one of its own, where the mechanism has groups."""
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What of an instrument shall change; None: it stays."""

    name: str | None = None
    min_quantity: int | None = None
    max_quantity: int | None = None
    fee_bps: int | None = None
    band_bps: int | None = None
    reference_price_cents: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Supply:
    """Shares there are, shares the treasury still offers in the IPO, and the group that prices form in."""

    issued: int = 0
    ipo_remaining: int = 0
    group: str = ""
    """By name; empty: it is on its own."""


def find(symbol: str) -> Instrument | None:
    """The instrument of that symbol."""
    if not _SYMBOL.fullmatch(symbol):
        return None
    row: Instrument | None = Instrument.get_or_none(Instrument.symbol == symbol)
    return row


def get(symbol: str) -> Instrument:
    """The instrument of that symbol. Raises Refused NOT_FOUND."""
    instrument = find(symbol)
    if instrument is None:
        raise not_found("instrument", symbol)
    return instrument


def lock(symbol: str) -> Instrument:
    """The same, and nobody else changes it until the transaction ends."""
    row: Instrument = Instrument.select().where(Instrument.id == get(symbol).id).for_update().get()
    return row


def create(wanted: Listing, origin: Origin) -> Instrument:
    """List an instrument, open the house's accounts of it, and fill its pool, if it has one.

    Raises Refused INVALID_FIELD, OFF_TICK or NOT_FOUND, or ALREADY_EXISTS for a symbol or the name of a
    group that is taken.
    """
    row = _checked(wanted)
    mechanism = mechanisms.find(wanted.mechanism)
    member = parse(mechanism.member_parameters, wanted.parameters)
    if find(wanted.symbol) is None:  # else its group would be what is said to be there already
        group = pricing.join(wanted.symbol, mechanism, wanted.group, origin)
        pricing.check_member(mechanism, group, member)
        row |= _formed(mechanism, group, member, wanted.tick_cents or 1)
    made = Instrument.insert(row).on_conflict_ignore().returning(Instrument).execute()
    instrument: Instrument | None = next(iter(made), None)
    if instrument is None:
        raise Refused(
            "ALREADY_EXISTS", f"there is an instrument {wanted.symbol} already", "symbol", name=wanted.symbol
        )
    for kind in ("issuer", "treasury"):
        open_account(HOUSE, instrument.id, kind)
    _open_tills(instrument, mechanism, member, origin)
    hidden = ("shard", "created_at", "priced_at")
    payload = {key: value for key, value in row.items() if key not in hidden}
    log.append([Event("instrument.created", f"instrument:{instrument.symbol}", origin, payload)])
    return instrument


def update(symbol: str, change: Change, origin: Origin) -> Instrument:
    """Change an instrument; orders that were accepted keep their fee. Raises Refused as `create` does."""
    found = get(symbol)
    group = pricing.lock(found.group_id) if found.group_id else None
    instrument = lock(symbol)
    wanted = {
        "parameters": _changed(instrument, group, change.parameters) if change.parameters else None,
        "name": change.name,
        "min_quantity": change.min_quantity,
        "max_quantity": change.max_quantity,
        "fee_bps": change.fee_bps,
        "band_bps": change.band_bps,
        "reference_price_cents": change.reference_price_cents,
    }
    changed = {key: value for key, value in wanted.items() if value not in (None, getattr(instrument, key))}
    if not changed:
        return instrument
    for key, value in changed.items():
        setattr(instrument, key, value)
    line("name", instrument.name, 1, MAX_NAME)
    _check_sizes(instrument.lot, instrument.min_quantity, instrument.max_quantity)
    _check_terms(instrument.fee_bps, instrument.band_bps, instrument.reference_price_cents)
    instrument.save(only=[getattr(Instrument, key) for key in changed])
    log.append([Event("instrument.updated", f"instrument:{symbol}", origin, changed)])
    return instrument


def supplies(instruments: Sequence[Instrument]) -> dict[int, Supply]:
    """By instrument id: what there is of each."""
    issued = dict(
        Account.select(Account.asset, 0 - Account.balance)
        .where(Account.kind == "issuer", Account.asset << [row.id for row in instruments])
        .tuples()
    )
    sales = [row.ipo_order_id for row in instruments if row.ipo_order_id is not None]
    offered = dict(
        Order.select(Order.id, Order.quantity - Order.filled)
        .where(Order.id << sales, Order.status <= int(OrderStatus.WORKING))
        .tuples()
    )
    groups = dict(
        Group.select(Group.id, Group.name).where(Group.id << [row.group_id for row in instruments]).tuples()
    )
    return {
        row.id: Supply(
            issued.get(row.id, 0),
            # Until its order is placed, all of it is still to be had.
            offered.get(row.ipo_order_id, 0) if row.ipo_order_id is not None else row.ipo_quantity or 0,
            groups.get(row.group_id, ""),
        )
        for row in instruments
    }


def _changed(instrument: Instrument, group: Group | None, texts: Mapping[str, str]) -> dict[str, str]:
    """All of an instrument's parameters, some of them changed. Raises Refused INVALID_FIELD."""
    mechanism = mechanisms.find(instrument.mechanism)
    before = parse(mechanism.member_parameters, instrument.parameters)
    member = parse(mechanism.member_parameters, texts, before)
    for key, why in mechanism.fixed.items():
        if getattr(member, key) != getattr(before, key):
            raise invalid(key, f"{why}; it stays {getattr(before, key)}")
    pricing.check_member(mechanism, group, member)
    return texts_of(member)


def _formed(
    mechanism: Mechanism[Any, Any], group: Group | None, member: object, tick_cents: int
) -> dict[str, object]:
    """What of a new instrument's row says how its price forms."""
    price, cash, shares = mechanism.opening(member)
    if mechanism.counterparty is Counterparty.HOUSE and price % tick_cents:
        raise Refused(
            "OFF_TICK", f"price_cents: give a multiple of the tick, {tick_cents}", "price_cents",
            tick_cents=tick_cents,
        )  # fmt: skip
    if cash < shares * tick_cents:
        raise invalid("cash_cents", f"for {shares} shares give a tick each, {shares * tick_cents} or more")
    is_priced = price and mechanism.counterparty is Counterparty.HOUSE
    formed: dict[str, object] = {
        "parameters": texts_of(member),
        "price_cents": price if is_priced else 0,  # a pool's follows from its tills
        "priced_at": now() if price else None,
    }
    return formed | ({"group_id": group.id, "shard": group.shard} if group else {})


def _open_tills(
    instrument: Instrument, mechanism: Mechanism[Any, Any], member: object, origin: Origin
) -> None:
    """The accounts of who is on the other side, with what a pool begins with."""
    if mechanism.counterparty is Counterparty.HOUSE:
        open_account(HOUSE, CASH, "dealer", instrument.id)
    if mechanism.counterparty is not Counterparty.POOL:
        return
    _, cash, shares = mechanism.opening(member)
    journal = Journal(now())
    sources = [open_account(HOUSE, asset, "issuer") for asset in (CASH, instrument.id)]
    tills = [open_account(HOUSE, asset, "pool", instrument.id) for asset in (CASH, instrument.id)]
    journal.lock([*sources, *tills])
    for source, till, amount in zip(sources, tills, (cash, shares), strict=True):
        journal.post(source, till, amount, "pool", f"instrument:{instrument.symbol}", origin)
    journal.write()


def _checked(wanted: Listing) -> dict[str, object]:
    """The row of a new instrument, its defaults filled in."""
    if not _SYMBOL.fullmatch(wanted.symbol):
        raise invalid("symbol", "give 1 to 12 of A–Z, 0–9, `.` and `-`")
    line("name", wanted.name, 1, MAX_NAME)
    tick, lot = wanted.tick_cents or 1, wanted.lot or 1
    _check("tick_cents", tick, 1, MAX_PRICE_CENTS)
    _check("lot", lot, 1, MAX_QUANTITY)
    lowest = wanted.min_quantity or lot
    highest = wanted.max_quantity or max(lowest, min(lot * LOTS, MAX_QUANTITY // lot * lot))
    _check_sizes(lot, lowest, highest)
    _check_terms(wanted.fee_bps, wanted.band_bps, wanted.reference_price_cents)
    return {
        "symbol": wanted.symbol,
        "name": wanted.name,
        "mechanism": wanted.mechanism,
        "shard": shard_of(wanted.symbol),
        "tick_cents": tick,
        "lot": lot,
        "min_quantity": lowest,
        "max_quantity": highest,
        "fee_bps": wanted.fee_bps,
        "band_bps": wanted.band_bps,
        "reference_price_cents": wanted.reference_price_cents,
        "created_at": now(),
    }


def _check_sizes(lot: int, lowest: int, highest: int) -> None:
    _check("min_quantity", lowest, lot, MAX_QUANTITY)
    _check("max_quantity", highest, lowest, MAX_QUANTITY)
    for key, size in (("min_quantity", lowest), ("max_quantity", highest)):
        if size % lot:
            raise Refused("OFF_LOT", f"{key}: give a multiple of the lot, {lot}", key, lot=lot)


def _check_terms(fee_bps: int, band_bps: int, reference_price_cents: int) -> None:
    _check("fee_bps", fee_bps, 0, MAX_FEE_BPS)
    _check("band_bps", band_bps, 0, BPS)
    _check("reference_price_cents", reference_price_cents, 0, MAX_PRICE_CENTS)


def _check(field: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise invalid(field, f"give a number from {lowest} to {highest}")
