"""The first sale of an instrument: shares are issued to the treasury, which offers them at one price."""

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.game.trading import instruments
from bearpit_server.ledger.accounts import open_account
from bearpit_server.ledger.journal import Journal
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.units import MAX_PRICE_CENTS, MAX_QUANTITY
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import HOUSE, Instrument


def open_ipo(symbol: str, price_cents: int, quantity: int, origin: Origin) -> Instrument:
    """Issue the shares; the exchange places the treasury's order when it refreshes after the commit.

    Raises Refused NOT_FOUND, NOT_POSSIBLE_NOW where players do not trade with each other, ALREADY_EXISTS
    when there was an IPO, INVALID_FIELD, OFF_TICK or OFF_LOT.
    """
    instrument = instruments.lock(symbol)
    if instrument.mechanism != instruments.ORDER_BOOK:
        raise Refused(
            "NOT_POSSIBLE_NOW",
            f"players buy {symbol} of the house or its pool; only instruments of an order book have an IPO",
            "symbol", state=instrument.mechanism, allowed=instruments.ORDER_BOOK,
        )  # fmt: skip
    if instrument.ipo_quantity is not None:
        raise Refused(
            "ALREADY_EXISTS", f"{symbol} has had its IPO; there is one for each", "symbol", name=symbol
        )
    _check(instrument, price_cents, quantity)
    issuer = open_account(HOUSE, instrument.id, "issuer")
    treasury = open_account(HOUSE, instrument.id, "treasury")
    journal = Journal(now())
    journal.lock([issuer, treasury])
    journal.post(issuer, treasury, quantity, "issue", f"instrument:{symbol}", origin)
    journal.write()
    instrument.ipo_price_cents = price_cents
    instrument.ipo_quantity = quantity
    instrument.reference_price_cents = instrument.reference_price_cents or price_cents
    instrument.save(
        only=[Instrument.ipo_price_cents, Instrument.ipo_quantity, Instrument.reference_price_cents]
    )
    payload = {"price_cents": price_cents, "quantity": quantity}
    log.append([Event("ipo.opened", f"instrument:{symbol}", origin, payload)], journal.at)
    return instrument


def _check(instrument: Instrument, price_cents: int, quantity: int) -> None:
    if not 1 <= price_cents <= MAX_PRICE_CENTS:
        raise invalid("price_cents", f"give a number from 1 to {MAX_PRICE_CENTS}")
    if price_cents % instrument.tick_cents:
        tick = instrument.tick_cents
        raise Refused(
            "OFF_TICK", f"price_cents: give a multiple of the tick, {tick}", "price_cents", tick_cents=tick
        )
    if not 1 <= quantity <= MAX_QUANTITY:
        raise invalid("quantity", f"give a number from 1 to {MAX_QUANTITY}")
    if quantity % instrument.lot:
        lot = instrument.lot
        raise Refused("OFF_LOT", f"quantity: give a multiple of the lot, {lot}", "quantity", lot=lot)
