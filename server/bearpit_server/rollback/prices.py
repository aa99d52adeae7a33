"""A price correction: settled prices found anew, told by new records; no trade is reversed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.rollback import windows
from bearpit_server.rollback.effects import PriceChange
from bearpit_server.rollback.parties import Ledger, Parties
from bearpit_server.rollback.scope import already_reversed
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.settling.arithmetic import divide, signed_percent
from bearpit_server.rules.units import BPS, MAX_PRICE_CENTS, points
from bearpit_server.rules.windows import WindowState
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Instrument, Rollback, SettledPrice
from bearpit_server.windows import settlement
from bearpit_server.windows.plans import Plan

SETTLED = (WindowState.SETTLED, WindowState.CLOSED)


@dataclass(frozen=True, slots=True)
class Finding:
    """A price as a plan finds it, and why: the columns of a settlement."""

    price_cents: int
    move_bps: int
    explanation: str
    factors: list[Any]
    bounded: bool
    algorithm: str
    parameters: dict[str, Any]
    variant: str
    trading: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Correction:
    """A settlement that does not hold any more, and what does instead."""

    old: SettledPrice
    instrument: Instrument
    finding: Finding
    is_latest: bool
    """Whether the instrument's price is this settlement's, or an older one's that another has followed."""

    @property
    def change(self) -> PriceChange:
        """In names and numbers."""
        after = self.finding.price_cents
        words = self.finding.explanation
        if not self.is_latest:
            words += "; a later window has settled the price since, which stays"
        return PriceChange(self.instrument.symbol, self.old.price_cents, after, words)


def corrections(request: Rollback) -> list[Correction]:
    """What a request corrects. Raises Refused."""
    window = windows.get(request.window_id)
    if window.reversed_by is not None:
        raise already_reversed(f"window {window.id} has", window.reversed_by)
    if window.state not in SETTLED:
        state = WindowState(window.state).name
        raise Refused(
            "NOT_POSSIBLE_NOW", f"window {window.id} is {state}; only settled prices can be corrected",
            state=state, allowed=", ".join(one.name for one in SETTLED),
        )  # fmt: skip
    holding = SettledPrice.select().where(
        SettledPrice.window_id == window.id, SettledPrice.corrected_by.is_null()
    )
    rows = {row.instrument_id: row for row in holding}
    listed = {row.id: row for row in Instrument.select().where(Instrument.id << [*rows])} if rows else {}
    found = _given(request, rows, listed) or _recomputed(window.id, request.plan)
    made = [
        Correction(rows[id_], listed[id_], finding, _is_latest(window.id, id_))
        for id_, finding in sorted(found.items(), key=lambda item: listed[item[0]].symbol)
        if id_ in rows and rows[id_].price_cents != finding.price_cents
    ]
    if not made:
        raise Refused("NOT_POSSIBLE_NOW", "these are the prices that hold already")
    return made


def _recomputed(window_id: int, plan: Mapping[str, Any] | None) -> dict[int, Finding]:
    """The prices that a plan finds for a window, or its own plan does now."""
    found = settlement.simulate(window_id, None if plan is None else Plan.of_json(plan))
    return {
        one.traded.instrument_id: Finding(
            one.settled.price_cents, one.settled.move_bps, one.settled.explanation,
            [asdict(factor) for factor in one.settled.factors], one.settled.was_bounded,
            one.chosen.algorithm.name, one.chosen.texts, one.chosen.variant, asdict(one.traded.trading),
        )
        for _, one in found
    }  # fmt: skip


def _given(
    request: Rollback, rows: Mapping[int, SettledPrice], listed: Mapping[int, Instrument]
) -> dict[int, Finding]:
    """The prices that the request gives itself."""
    by_symbol = {row.symbol: row for row in listed.values()}
    found = {}
    for symbol, cents in (request.prices or {}).items():
        instrument = by_symbol.get(symbol)
        if instrument is None:
            raise invalid("prices", f"window {request.window_id} has not settled a price of {symbol}")
        if not 1 <= cents <= MAX_PRICE_CENTS or cents % instrument.tick_cents:
            raise invalid(
                "prices",
                f"give {symbol} a price from 1 to {MAX_PRICE_CENTS} cents, a multiple of "
                f"{instrument.tick_cents}",
            )
        row = rows[instrument.id]
        move = divide((cents - row.previous_cents) * BPS, row.previous_cents)
        words = f"{signed_percent(move)}: set to {points(cents)} points by an operator"
        found[instrument.id] = Finding(cents, move, words, [], False, "manual", {}, row.variant, row.trading)
    return found


def _is_latest(window_id: int, instrument_id: int) -> bool:
    """Whether no other window has settled it since; a correction is as old as what it corrects."""
    first: dict[int, int] = {}
    holds: set[int] = set()
    rows = (
        SettledPrice.select(SettledPrice.window_id, SettledPrice.id, SettledPrice.corrected_by)
        .where(SettledPrice.instrument_id == instrument_id)
        .order_by(SettledPrice.id)
        .tuples()
    )
    for window, id_, corrected_by in rows:
        first.setdefault(window, id_)
        if corrected_by is None:
            holds.add(window)
    return max(holds, key=first.__getitem__) == window_id


def foresee(request: Rollback) -> list[PriceChange]:
    """What would change."""
    return [made.change for made in corrections(request)]


def correct(request: Rollback, origin: Origin) -> list[PriceChange]:
    """Amend the records by new ones, and set the prices that are still those of this window."""
    made = corrections(request)
    at = now()
    moved = [one for one in made if one.is_latest]
    ledger = Ledger(request.id, Parties([], {one.instrument.id for one in moved}), origin, at)
    for one in made:
        SettledPrice.update(corrected_by=request.id).where(SettledPrice.id == one.old.id).execute()
        finding = one.finding
        SettledPrice.create(
            window_id=one.old.window_id, instrument_id=one.instrument.id,
            previous_cents=one.old.previous_cents, price_cents=finding.price_cents,
            move_bps=finding.move_bps, explanation=finding.explanation, factors=finding.factors,
            bounded=finding.bounded, algorithm=finding.algorithm, parameters=finding.parameters,
            variant=finding.variant, trading=finding.trading, settled_at=at,
        )  # fmt: skip
    windows.set_prices(
        {one.instrument.symbol: (one.instrument.id, one.finding.price_cents) for one in moved}, ledger
    )
    ledger.journal.write()
    payload = {
        "rollback_id": request.id,
        "prices": {one.instrument.symbol: one.finding.price_cents for one in made},
    }
    log.append([Event("window.corrected", f"window:{request.window_id}", origin, payload)], at)
    return [one.change for one in made]
