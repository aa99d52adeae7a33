"""Instruments as operators make and change them; inside the caller's transaction."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.game.texts import line
from bearpit_server.ledger.accounts import open_account
from bearpit_server.rules.orders import OrderStatus
from bearpit_server.rules.refusals import Refused, invalid, not_found
from bearpit_server.rules.units import BPS, MAX_PRICE_CENTS, MAX_QUANTITY
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import HOUSE, Account, Instrument, Order

MAX_NAME = 80
MAX_FEE_BPS = 1_000
LOTS = 1_000_000
"""The largest order of an instrument whose operator gives none, in lots."""
SHARDS = 16

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


@dataclass(frozen=True, slots=True)
class Change:
    """What of an instrument shall change; None: it stays."""

    name: str | None = None
    min_quantity: int | None = None
    max_quantity: int | None = None
    fee_bps: int | None = None
    band_bps: int | None = None
    reference_price_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Supply:
    """Shares there are, and shares the treasury still offers in the IPO."""

    issued: int = 0
    ipo_remaining: int = 0


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


def shard_of(symbol: str) -> int:
    """The shard of an instrument: any spread will do, as long as it stays."""
    return crc32(symbol.encode()) % SHARDS


def create(wanted: Listing, origin: Origin) -> Instrument:
    """List an instrument and open the house's accounts of it.

    Raises Refused INVALID_FIELD, or ALREADY_EXISTS for a symbol that is taken.
    """
    row = _checked(wanted)
    made = Instrument.insert(row).on_conflict_ignore().returning(Instrument).execute()
    instrument: Instrument | None = next(iter(made), None)
    if instrument is None:
        raise Refused(
            "ALREADY_EXISTS", f"there is an instrument {wanted.symbol} already", "symbol", name=wanted.symbol
        )
    for kind in ("issuer", "treasury"):
        open_account(HOUSE, instrument.id, kind)
    payload = {key: value for key, value in row.items() if key not in ("shard", "created_at")}
    log.append([Event("instrument.created", f"instrument:{instrument.symbol}", origin, payload)])
    return instrument


def update(symbol: str, change: Change, origin: Origin) -> Instrument:
    """Change an instrument; orders that were accepted keep their fee. Raises Refused as `create` does."""
    instrument = lock(symbol)
    wanted = {
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
    return {
        row.id: Supply(
            issued.get(row.id, 0),
            # Until its order is placed, all of it is still to be had.
            offered.get(row.ipo_order_id, 0) if row.ipo_order_id is not None else row.ipo_quantity or 0,
        )
        for row in instruments
    }


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
        "mechanism": "order_book",
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
    for field, size in (("min_quantity", lowest), ("max_quantity", highest)):
        if size % lot:
            raise Refused("OFF_LOT", f"{field}: give a multiple of the lot, {lot}", field, lot=lot)


def _check_terms(fee_bps: int, band_bps: int, reference_price_cents: int) -> None:
    _check("fee_bps", fee_bps, 0, MAX_FEE_BPS)
    _check("band_bps", band_bps, 0, BPS)
    _check("reference_price_cents", reference_price_cents, 0, MAX_PRICE_CENTS)


def _check(field: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise invalid(field, f"give a number from {lowest} to {highest}")
