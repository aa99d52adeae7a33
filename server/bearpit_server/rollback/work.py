"""A rollback carried out: whole in one transaction, or step by step, to the same end.

Each step is one transaction, and what is left to do can be read from the database, so that whoever finds
a rollback half done goes on with it. While it runs nobody's free amounts change by it: what it needs of an
account, and what it brings there, is earmarked, that is held, until the last step sets all of it free
at once. So players may trade on in between, and what is free in the end is what the plan says.
"""

from collections.abc import Iterable, Mapping, Sequence

from bearpit_server.events.log import Origin
from bearpit_server.events.records import Record, TradeRecord, WindowChange
from bearpit_server.rollback import effects, prices, records, scope, windows
from bearpit_server.rollback.effects import Effects, PriceChange
from bearpit_server.rollback.parties import Key, Ledger, Parties
from bearpit_server.rollback.scope import Level, Scope
from bearpit_server.rules import rollbacks
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.rollbacks import Kind, Movement, Outline, Party, Plan, Reason, Reversible
from bearpit_server.storage import reversals
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import CASH, Earmark, Rollback

AT_ONCE = 5_000
"""Trades that one transaction may reverse."""
BATCH = 2_000
"""Trades of a step, where there are more."""


def is_large(asked: Scope) -> bool:
    """Whether it takes steps. The same answer as long as nobody trades."""
    return asked.level is not Level.PRICES and scope.count(asked) > AT_ONCE


def whole(row: Rollback, origin: Origin, cancelled: int) -> tuple[Effects, list[Record]]:
    """Do all of it in the caller's transaction; `cancelled` orders were in its way. Raises Refused.

    Returns what it did, and what to tell when that is committed.
    """
    asked = Scope.of(row)
    if asked.level is Level.PRICES:
        did = Effects(prices=prices.correct(row, origin))
        records.begun(row, did)
        row.done = row.total
        records.finish(row, origin)
        return did, [WindowChange()]
    outline = _claim(row, asked)
    ledger = _lock(row, outline, origin)
    plan, did = _plan(row, asked, outline, ledger, cancelled, origin)
    ledger.make(plan.movements())
    ledger.set_costs(plan.costs)
    reversals.reversed_now((trade.trade_id for trade in plan.trades), ledger.journal.at)
    told: list[Record] = [*ledger.journal.write(), *_marks(plan.trades)]
    row.done = row.total
    if asked.level is Level.WINDOW:
        windows.restore_costs(asked.window_id, ledger)
        told.append(WindowChange())
    _finish(row, asked, origin)
    return did, told


def step(rollback_id: int, cancelled: int) -> tuple[bool, Sequence[Record]]:
    """Do the next step of a rollback, in the caller's transaction. Raises Refused before it has begun.

    Returns whether it is over, and what to tell when the step is committed.
    """
    row = (
        Rollback.select().where(Rollback.id == rollback_id).for_update("FOR UPDATE SKIP LOCKED").get_or_none()
    )
    if row is None or row.state != records.State.RUNNING:
        return True, ()  # another server has it in hand, or has done it
    reversals.patient()
    origin = records.actor_of(row)
    if row.effects is None:
        return False, _begin(row, origin, cancelled)
    if batch := scope.claimed(row.id, BATCH):
        return False, _advance(row, batch, origin)
    if row.closing is not None:
        return False, _close(row, origin)
    # By itself, for the proof of a large window takes long, and now nobody is locked.
    _finish(row, Scope.of(row), origin)
    return True, ()


def _claim(row: Rollback, asked: Scope) -> Outline:
    if asked.level is Level.WINDOW:
        # Before its tills, as whoever opens, closes or settles it locks them.
        windows.check(asked.window_id)
    scope.claim(row.id, asked)
    mine = scope.claimed(row.id)
    if not mine and asked.level is not Level.WINDOW:
        # Only now: another rollback may have taken them while this one waited to claim them.
        scope.check_some_left(asked)
    return rollbacks.outline(mine)


def _lock(row: Rollback, outline: Outline, origin: Origin) -> Ledger:
    concerned = {trade.instrument_id for trade in outline.trades}
    if row.level == Level.WINDOW:
        concerned.update(windows.instruments(row.window_id))
    return Ledger(row.id, Parties(outline.keys, concerned), origin, now())


def _plan(
    row: Rollback, asked: Scope, outline: Outline, ledger: Ledger, cancelled: int, origin: Origin
) -> tuple[Plan, Effects]:
    """The plan under locks, and with a window its prices, which go back first. Raises Refused SHORTAGE."""
    plan = outline.plan(ledger.free(outline.keys), records.POLICIES[row.policy])
    plan.check()
    ledger.open_debts(plan.debts)
    changes: list[PriceChange] = []
    if asked.level is Level.WINDOW:
        changes = windows.restore(asked.window_id, row.id, ledger, origin)
    did = effects.of(plan, cancelled, changes)
    records.begun(row, did)
    return plan, did


def _begin(row: Rollback, origin: Origin, cancelled: int) -> Sequence[Record]:
    asked = Scope.of(row)
    outline = _claim(row, asked)
    ledger = _lock(row, outline, origin)
    plan, _ = _plan(row, asked, outline, ledger, cancelled, origin)
    ledger.make(plan.before)
    _hold(row, ledger, outline.earmarks(plan))
    row.closing = [_as_json(move) for move in plan.after]
    row.save()
    return ledger.journal.write()


def _advance(row: Rollback, batch: Sequence[Reversible], origin: Origin) -> Sequence[Record]:
    outline = rollbacks.outline(batch)
    ledger = _lock(row, outline, origin)
    earmarked = _release(row, ledger, outline.keys)
    before = {key: ledger.of(key).balance for key in outline.keys}
    for trade in outline.trades:
        ledger.make(rollbacks.reversal(trade))
    moved = {key: ledger.of(key).balance - before[key] for key in outline.keys}
    _hold(row, ledger, {key: earmarked[key] + moved[key] for key in outline.keys})
    reversals.reversed_now((trade.trade_id for trade in batch), ledger.journal.at)
    row.done += len(batch)
    row.save()
    return [*ledger.journal.write(), *_marks(batch)]


def _close(row: Rollback, origin: Origin) -> Sequence[Record]:
    asked = Scope.of(row)
    outline = rollbacks.outline(scope.claimed(row.id))
    ledger = _lock(row, outline, origin)
    released = _release(row, ledger, [*ledger.parties.players])
    for (owner_id, asset), amount in released.items():
        if asset == CASH:
            ledger.journal.came_in(owner_id, amount, f"rollback:{row.id}", origin)
    ledger.make(map(_from_json, row.closing or ()))
    ledger.set_costs(outline.costs)
    Earmark.delete().where(Earmark.rollback_id == row.id).execute()
    told = ledger.journal.write()
    if asked.level is Level.WINDOW:
        windows.restore_costs(asked.window_id, ledger)
    row.closing = None
    row.save()
    return told


def _finish(row: Rollback, asked: Scope, origin: Origin) -> None:
    is_window = asked.level is Level.WINDOW
    records.finish(row, origin, windows.prove(asked.window_id, row.id) if is_window else "")


def _hold(row: Rollback, ledger: Ledger, amounts: Mapping[Key, int]) -> None:
    """Earmark so much, of accounts of which nothing is."""
    rows = []
    for key, amount in amounts.items():
        account = ledger.of(key)
        if amount:
            ledger.journal.hold(account.id, amount)
        rows.append((account.id, amount))
    reversals.earmark(row.id, rows)


def _release(row: Rollback, ledger: Ledger, keys: Iterable[Key]) -> dict[Key, int]:
    """Let go what is earmarked on these accounts, and say how much that was."""
    accounts = {key: ledger.of(key).id for key in keys}
    earmarked = reversals.earmarks(row.id, accounts.values())
    released = {key: earmarked.get(id_, 0) for key, id_ in accounts.items()}
    for key, amount in released.items():
        if amount:
            ledger.journal.hold(accounts[key], -amount)
    return released


def _marks(trades: Iterable[Reversible]) -> Iterable[Record]:
    """What tells the streams that these are reversed."""
    at = now()
    for t in trades:
        yield TradeRecord(t.trade_id, t.instrument_id, "", t.price_cents, t.quantity, 0, at, True)


def is_final(error: Refused) -> bool:
    """Whether a rollback that is refused so cannot be done as it was asked for."""
    return error.reason not in ("DATABASE_UNAVAILABLE", "NOT_READY", "SHARD_ELSEWHERE")


_Json = list[str | int]


def _as_json(move: Movement) -> _Json:
    giver, taker = move.giver, move.taker
    return [
        move.reason.value, giver.kind.value, giver.id, taker.kind.value, taker.id, move.asset, move.amount
    ]  # fmt: skip


def _from_json(kept: _Json) -> Movement:
    reason, giver, giver_id, taker, taker_id, asset, amount = kept
    return Movement(
        Reason(str(reason)), Party(Kind(str(giver)), int(giver_id)), Party(Kind(str(taker)), int(taker_id)),
        int(asset), int(amount),
    )  # fmt: skip
