"""What a new order is most likely meant to be: pure guesses, all of which can be typed over."""

from __future__ import annotations

from bearpit_tui.drafts import Side
from bearpit_tui.state import State, free_shares, mark_cents

USUAL_QUANTITY = 100


def likely_price(state: State, side: Side, symbol: str) -> int:
    """The best price to trade at once: the ask to buy, the bid to sell; else what a share counts for."""
    quote = state.quotes.get(symbol)
    best = 0
    if quote is not None:
        best = quote.ask_cents if side is Side.BUY else quote.bid_cents
    return best or mark_cents(state, symbol)


def likely_quantity(state: State, side: Side, symbol: str, last: int = 0) -> int:
    """As many as last time, else a hundred; no more than can be sold; in whole lots, within the sizes."""
    instrument = state.instruments[symbol]
    wanted = last or USUAL_QUANTITY
    if side is Side.SELL:
        wanted = min(wanted, free_shares(state).get(symbol, wanted))
    wanted = max(wanted - wanted % instrument.lot, instrument.min_quantity)
    return min(wanted, instrument.max_quantity) if instrument.max_quantity else wanted
