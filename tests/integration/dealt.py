"""Instruments that the house deals in by windows, and windows without their service: as a test needs them."""

from collections.abc import Mapping
from itertools import count
from zlib import crc32

from bearpit_server.events import log
from bearpit_server.events.log import HOUSE_ORIGIN, Event
from bearpit_server.ledger.accounts import open_account
from bearpit_server.rules.windows import WindowKind, WindowState
from bearpit_server.storage import bulk, clock
from bearpit_server.storage.models import (
    CASH,
    HOUSE,
    Account,
    Instrument,
    SettledPrice,
    Window,
    WindowInstrument,
)

from tests.venue import Venue

_numbers = count(1)

# As the window takes it down: what players have, in cash and in its instruments, and the house's side.
_SNAPSHOT = """
INSERT INTO snapshots (window_id, account_id, balance, cost_cents, realised_cents, posting_id)
SELECT %s, a.id, a.balance, a.cost_cents, a.realised_cents, greatest(d.id, c.id, 0)
FROM accounts a
LEFT JOIN LATERAL (SELECT id FROM postings WHERE debit = a.id ORDER BY id DESC LIMIT 1) d ON true
LEFT JOIN LATERAL (SELECT id FROM postings WHERE credit = a.id ORDER BY id DESC LIMIT 1) c ON true
WHERE a.asset = 0 AND a.kind IN ('player', 'debt') OR a.instrument_id = ANY(%s::int8[])
    OR a.asset = ANY(%s::int8[])
"""


async def list_dealt(floor: Venue, price_cents: int = 100, fee_bps: int = 0) -> str:
    """A new instrument that the house deals in while a window is trading; its symbol."""
    symbol = f"W{next(_numbers)}"
    with floor.database.transaction():
        row = Instrument.create(
            symbol=symbol, name=symbol, mechanism="window", shard=crc32(symbol.encode()) % 16, tick_cents=1,
            lot=1, min_quantity=1, max_quantity=1_000_000, fee_bps=fee_bps, band_bps=0,
            reference_price_cents=price_cents, parameters={"price_cents": str(price_cents)},
            price_cents=price_cents, created_at=clock.now(),
        )  # fmt: skip
        for kind in ("issuer", "treasury"):
            open_account(HOUSE, row.id, kind)
        open_account(HOUSE, CASH, "dealer", row.id)
    await floor.running.exchange.refresh()
    return symbol


async def open_window(floor: Venue, *symbols: str) -> int:
    """A window of these instruments that is trading."""
    with floor.database.transaction():
        rows = [Instrument.get(Instrument.symbol == symbol) for symbol in symbols]
        number = next(_numbers)
        window = Window.create(
            title=f"Window {number}", kind=int(WindowKind.WEEK), number=1_000 + number,
            state=int(WindowState.TRADING), recurrence="", time_zone="UTC", plan={},
            changed_at=clock.now(), created_at=clock.now(),
        )  # fmt: skip
        for row in rows:
            WindowInstrument.create(window=window, instrument=row, price_cents=row.price_cents)
        ids = bulk.ints(row.id for row in rows)
        bulk.execute(_SNAPSHOT, window.id, ids, ids)
        _begin_anew(window.id, "trading")
    await floor.running.exchange.refresh()
    await floor.settled()
    return int(window.id)


async def end_window(
    floor: Venue,
    window_id: int,
    prices: Mapping[str, int] | None = None,
    state: WindowState = WindowState.TRADE_CLOSE,
) -> None:
    """Its trading is over; with prices it is settled at these."""
    with floor.database.transaction():
        state = WindowState.SETTLED if prices is not None else state
        Window.update(state=int(state), changed_at=clock.now()).where(Window.id == window_id).execute()
        for symbol, cents in (prices or {}).items():
            row = Instrument.get(Instrument.symbol == symbol)
            SettledPrice.create(
                window_id=window_id, instrument_id=row.id, previous_cents=row.price_cents, price_cents=cents,
                move_bps=0, explanation="as a test wants it", factors=[], bounded=False, algorithm="manual",
                parameters={}, variant="", trading={}, settled_at=clock.now(),
            )  # fmt: skip
            Instrument.update(price_cents=cents, reference_price_cents=cents).where(
                Instrument.id == row.id
            ).execute()
        _begin_anew(window_id, "over")
    await floor.running.exchange.refresh()
    await floor.settled()


def _begin_anew(window_id: int, what: str) -> None:
    """Let the exchange look again."""
    mine = WindowInstrument.select(WindowInstrument.instrument).where(WindowInstrument.window == window_id)
    Account.update(version=Account.version + 1).where(
        Account.kind == "dealer", Account.instrument_id << mine
    ).execute()
    log.append([Event(f"window.{what}", f"window:{window_id}", HOUSE_ORIGIN)])
