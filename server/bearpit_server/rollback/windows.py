"""A whole window back to its snapshot: when that can be, its prices, and the proof that it is there."""

import logging
from collections.abc import Mapping

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.events.records import TradeRecord
from bearpit_server.rollback.effects import PriceChange
from bearpit_server.rollback.parties import Ledger
from bearpit_server.rollback.scope import already_reversed
from bearpit_server.rules.refusals import Refused, not_found
from bearpit_server.rules.rollbacks import Difference, differences
from bearpit_server.rules.windows import WindowState
from bearpit_server.storage import bulk, candles, reversals
from bearpit_server.storage.models import Instrument, SettledPrice, Snapshot, Window, WindowInstrument
from bearpit_server.windows import lifecycle

logger = logging.getLogger(__name__)

SHOWN = 5
_OVER = frozenset(
    {
        WindowState.TRADE_CLOSE,
        WindowState.SETTLING,
        WindowState.SETTLED,
        WindowState.CLOSED,
        WindowState.CANCELLED,
    }
)
_BEFORE_SETTLED = [int(WindowState.TRADE_CLOSE), int(WindowState.SETTLING)]

# A window that opened later has seen more postings of the accounts that both took down.
_LATER = """
WITH asked AS (SELECT %s::bigint AS id)
SELECT w.id, w.title FROM windows w, asked
WHERE w.id <> asked.id AND w.reversed_by IS NULL AND EXISTS (
    SELECT FROM window_instruments a JOIN window_instruments b USING (instrument_id)
    WHERE a.window_id = asked.id AND b.window_id = w.id AND b.price_cents IS NOT NULL)
AND (
    SELECT coalesce(max(b.posting_id - a.posting_id), 0) * 2 + sign(w.id - asked.id)
    FROM snapshots a JOIN snapshots b USING (account_id)
    WHERE a.window_id = asked.id AND b.window_id = w.id) > 0
ORDER BY w.id LIMIT 1
"""


def get(window_id: int) -> Window:
    """A window, locked. Raises Refused NOT_FOUND."""
    row: Window | None = Window.select().where(Window.id == window_id).for_update().get_or_none()
    if row is None:
        raise not_found("window", window_id)
    return row


def check(window_id: int) -> Window:
    """Raises Refused NOT_FOUND, ALREADY_REVERSED, or NOT_POSSIBLE_NOW when the window cannot be reversed."""
    row = get(window_id)
    if row.reversed_by is not None:
        raise already_reversed(f"window {window_id} has", row.reversed_by)
    state = WindowState(row.state)
    if state not in _OVER:
        raise Refused(
            "NOT_POSSIBLE_NOW",
            f"window {window_id} is {state.name}; end its trading, or cancel it, and then roll it back",
            state=state.name,
            allowed=", ".join(one.name for one in sorted(_OVER)),
        )
    if not Snapshot.select().where(Snapshot.window_id == window_id).limit(1).count():
        raise Refused("NOT_POSSIBLE_NOW", f"window {window_id} has never opened; there is nothing to reverse")
    later = bulk.execute(_LATER, window_id).fetchone()
    if later is not None:
        raise Refused(
            "NOT_POSSIBLE_NOW",
            f"window {later[0]}, {later[1]}, has opened after it at the prices that it left; "
            "roll that one back first",
            window_id=later[0],
        )
    return row


def price_changes(window_id: int) -> list[PriceChange]:
    """The prices that go back."""
    return [
        PriceChange(row.symbol, row.price_cents, row.before, f"as when window {window_id} opened")
        for row in _instruments(window_id)
        if row.price_cents != row.before
    ]


def instruments(window_id: int) -> list[int]:
    """Those that the window covers."""
    rows = WindowInstrument.select(WindowInstrument.instrument).where(WindowInstrument.window == window_id)
    return [id_ for (id_,) in rows.tuples()]


def _instruments(window_id: int) -> list[Instrument]:
    return list(
        Instrument.select(Instrument, WindowInstrument.price_cents.alias("before"))
        .join(WindowInstrument, on=(WindowInstrument.instrument == Instrument.id))
        .where(WindowInstrument.window == window_id, WindowInstrument.price_cents.is_null(False))
        .order_by(Instrument.symbol)
        .objects()
    )


def restore(window_id: int, rollback_id: int, ledger: Ledger, origin: Origin) -> list[PriceChange]:
    """Set the prices back, and mark the window and its settlements. Its instruments' tills are locked.

    One that is not settled yet is cancelled, so that it never will be.
    """
    row, at = check(window_id), ledger.journal.at
    changes = price_changes(window_id)
    set_prices({one.symbol: (one.id, one.before) for one in _instruments(window_id)}, ledger)
    SettledPrice.update(corrected_by=rollback_id).where(
        SettledPrice.window_id == window_id, SettledPrice.corrected_by.is_null()
    ).execute()
    Window.update(reversed_by=rollback_id).where(Window.id == window_id).execute()
    if row.state in _BEFORE_SETTLED:
        lifecycle.move(window_id, WindowState.CANCELLED, origin, f"reversed by rollback {rollback_id}")
    payload = {"rollback_id": rollback_id, "prices": {one.symbol: one.after_cents for one in changes}}
    log.append([Event("window.reversed", f"window:{window_id}", origin, payload)], at)
    return changes


def set_prices(changed: Mapping[str, tuple[int, int]], ledger: Ledger) -> None:
    """Let the house deal at other prices: by symbol, the instrument and cents. Its tills are locked."""
    if not changed:
        return
    at = ledger.journal.at
    ledger.tell_dealers(id_ for id_, _ in changed.values())
    bulk.set_prices(dict(changed.values()), at)
    with bulk.written() as writes:
        marks = [TradeRecord(0, id_, symbol, cents, 0, 0, at) for symbol, (id_, cents) in changed.items()]
        candles.record(writes, [], marks)


def restore_costs(window_id: int, ledger: Ledger) -> None:
    """Set cost and gain exactly as they were, where nothing but the window has moved the shares.

    The sums of many reversals come to that but for what rounding took; where others traded on, they stand.
    Call it when the movements are written.
    """
    shares = [id_ for (_, asset), id_ in ledger.parties.players.items() if asset]
    rows = reversals.unmoved(window_id, shares)
    if rows:
        bulk.execute(
            "UPDATE accounts a SET cost_cents = u.c, realised_cents = u.r "
            "FROM unnest(%s::int8[], %s::int8[], %s::int8[]) AS u(id, c, r) WHERE a.id = u.id",
            *(bulk.ints(column) for column in zip(*rows, strict=True)),
        )


def prove(window_id: int, rollback_id: int) -> str:
    """A sentence that says how every account compares to the window's snapshot.

    A difference that the rollback did not grant by its policy is a fault of ours: the money has moved
    already, so that the rollback is done all the same; the proof says it, and so does the log.
    """
    rows = reversals.since_snapshot(window_id, rollback_id)
    found = differences(
        {account: before for account, before, _, _, _ in rows},
        {account: now for account, _, now, _, _ in rows},
        {account: others for account, _, _, others, _ in rows},
    )
    granted = {account: amount for account, _, _, _, amount in rows}
    faults = [one for one in found if one.actual - one.expected != granted[one.account]]
    moved = sum(1 for _, _, _, others, _ in rows if others)
    wrong_prices = price_changes(window_id)
    words = [
        f"{len(rows) - len(found)} of {len(rows)} accounts are as they were when window {window_id} opened"
    ]
    if moved:
        words.append(f"on {moved} of them what others have moved since is counted in")
    if len(found) > len(faults):
        words.append(f"{len(found) - len(faults)} differ by exactly what was lent or granted for shortages")
    words.append(
        "all prices are back" if not wrong_prices else f"{len(wrong_prices)} prices have moved again"
    )
    if not faults:
        return "; ".join(words)
    sentence = f"NOT EQUAL: {_told(faults)}; " + "; ".join(words)
    logger.critical("rollback %s of window %s: %s", rollback_id, window_id, sentence)
    return sentence


def _told(faults: list[Difference]) -> str:
    told = [f"account {one.account} has {one.actual} instead of {one.expected}" for one in faults[:SHOWN]]
    rest = len(faults) - len(told)
    return ", ".join(told) + (f" and {rest} more" if rest else "")
