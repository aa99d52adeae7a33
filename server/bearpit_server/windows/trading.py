"""What happened in a window, instrument by instrument: all that an algorithm of settlement is told.

Everything is read from what stands still once trading is over: the prices and holdings that were kept when
the window opened, and its trades, but for those that were reversed. So a settlement that is begun again is
told the same, and any past window can be tried again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bearpit_server.rules.settling import Trading
from bearpit_server.rules.settling.arithmetic import divide
from bearpit_server.rules.units import BPS
from bearpit_server.storage import bulk
from bearpit_server.storage.models import Instrument, WindowInstrument

ANCHOR_WINDOWS = 8
"""The long-term price is the mean of those at which an instrument's last windows opened, this one included.

A new instrument is therefore pulled nowhere, and none for ever to the price it happened to begin with.
"""


@dataclass(frozen=True, slots=True)
class Traded:
    """An instrument of a window, and what happened to it."""

    instrument_id: int
    symbol: str
    trading: Trading


@dataclass(frozen=True, slots=True)
class _Sums:
    bought: int = 0
    sold: int = 0
    buyers: int = 0
    sellers: int = 0
    players: int = 0
    largest: int = 0
    """What the player has bought and sold who did most."""


_TRADES = """
WITH by_player AS (
    SELECT instrument_id, CASE WHEN seller_id = 0 THEN buyer_id ELSE seller_id END AS player_id,
        coalesce(sum(quantity) FILTER (WHERE seller_id = 0), 0) AS bought,
        coalesce(sum(quantity) FILTER (WHERE seller_id <> 0), 0) AS sold
    FROM trades t
    WHERE window_id = %s AND NOT EXISTS (SELECT FROM reversals r WHERE r.trade_id = t.id)
    GROUP BY 1, 2
)
SELECT instrument_id, sum(bought)::int8, sum(sold)::int8, count(*) FILTER (WHERE bought > 0),
    count(*) FILTER (WHERE sold > 0), count(*), max(bought + sold)::int8
FROM by_player GROUP BY 1
"""
# What the house had of an asset, the issuer being below zero, is what players had the other way round.
_HELD_BEFORE = """
SELECT a.asset, -sum(s.balance)::int8
FROM window_instruments wi JOIN accounts a ON a.owner_id = 0 AND a.asset = wi.instrument_id
JOIN snapshots s ON s.window_id = wi.window_id AND s.account_id = a.id
WHERE wi.window_id = %s GROUP BY 1
"""
_OPENED_AT = """
SELECT wi.instrument_id, sum(o.price_cents)::int8, count(*)
FROM window_instruments wi CROSS JOIN LATERAL (
    SELECT price_cents FROM window_instruments b
    WHERE b.instrument_id = wi.instrument_id AND b.window_id <= wi.window_id AND b.price_cents IS NOT NULL
    ORDER BY b.window_id DESC LIMIT %s
) o
WHERE wi.window_id = %s GROUP BY 1
"""


def gather(window_id: int) -> list[Traded]:
    """What happened in a window that has opened, by symbol; inside a transaction."""
    # Beside the game, on one of the database's cores and no more.
    bulk.execute("SET LOCAL max_parallel_workers_per_gather = 0")
    bulk.execute("SET LOCAL work_mem = '64MB'")
    sums = {id_: _Sums(*row) for id_, *row in bulk.execute(_TRADES, window_id).fetchall()}
    held = dict(bulk.execute(_HELD_BEFORE, window_id).fetchall())
    anchors = {
        id_: divide(total, count)
        for id_, total, count in bulk.execute(_OPENED_AT, ANCHOR_WINDOWS, window_id).fetchall()
    }
    return [
        Traded(id_, symbol, _trading(symbol, price, tick, anchors[id_], held.get(id_, 0), sums.get(id_)))
        for id_, symbol, tick, price in _opened(window_id)
    ]


def _opened(window_id: int) -> Sequence[tuple[int, str, int, int]]:
    rows = (
        Instrument.select(
            Instrument.id, Instrument.symbol, Instrument.tick_cents, WindowInstrument.price_cents
        )
        .join(WindowInstrument, on=(WindowInstrument.instrument == Instrument.id))
        .where(WindowInstrument.window == window_id, WindowInstrument.price_cents.is_null(False))
        .order_by(Instrument.symbol)
        .tuples()
    )
    return list(rows)


def _trading(symbol: str, price: int, tick: int, anchor: int, held: int, sums: _Sums | None) -> Trading:
    sums = sums or _Sums()
    total = sums.bought + sums.sold
    return Trading(
        symbol=symbol,
        previous_cents=price,
        anchor_cents=anchor,
        tick_cents=tick,
        buys=sums.bought,
        sells=sums.sold,
        buyers=sums.buyers,
        sellers=sums.sellers,
        players=sums.players,
        top_bps=divide(sums.largest * BPS, total) if total else 0,
        outstanding=held + sums.bought - sums.sold,
    )
