"""Which trades a rollback is about: those that its request names, and once it has begun those it claimed."""

from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum

import peewee as pw

from bearpit_server.rules.record import record
from bearpit_server.rules.refusals import Refused, not_found
from bearpit_server.rules.rollbacks import Reversible
from bearpit_server.storage.models import Reversal, Rollback, Trade


class Level(IntEnum):
    """How much is undone. The numbers are those of the protos."""

    TRADE = 1
    PLAYER = 2
    WINDOW = 3
    PRICES = 4


@record
class Scope:
    """What a rollback is about; 0 or None where its level does not ask for it."""

    level: Level
    trade_id: int = 0
    player_id: int = 0
    window_id: int = 0
    since: datetime | None = None

    @classmethod
    def of(cls, row: Rollback) -> "Scope":
        """As it was asked for."""
        return cls(Level(row.level), row.trade_id or 0, row.player_id or 0, row.window_id or 0, row.since)


_COLUMNS = (
    Trade.id, Trade.instrument_id, Trade.buyer_id, Trade.seller_id, Trade.price_cents, Trade.quantity,
    Trade.buyer_fee_cents, Trade.seller_fee_cents, Trade.seller_cost_cents,
)  # fmt: skip


def _all(scope: Scope) -> pw.Expression:
    if scope.level is Level.TRADE:
        return Trade.id == scope.trade_id
    if scope.level is Level.WINDOW:
        return (Trade.window_id == scope.window_id) & (Trade.window_id > 0)
    assert scope.level is Level.PLAYER, "prices are no trades"
    mine = (Trade.buyer_id == scope.player_id) | (Trade.seller_id == scope.player_id)
    if scope.window_id:
        return mine & (Trade.window_id == scope.window_id)
    return mine & (Trade.executed_at >= scope.since)


def _unclaimed(scope: Scope, *columns: pw.Field | pw.Value) -> pw.ModelSelect:
    return (
        Trade.select(*columns)
        .join(Reversal, pw.JOIN.LEFT_OUTER, on=(Reversal.trade_id == Trade.id))
        .where(_all(scope), Reversal.trade_id.is_null())
    )


def count(scope: Scope) -> int:
    """How many trades there are to be reversed."""
    return int(_unclaimed(scope, Trade.id).count())


def trades(scope: Scope) -> list[Reversible]:
    """Those, newest first."""
    query = _unclaimed(scope, *_COLUMNS).order_by(Trade.id.desc())
    return [Reversible(*row) for row in query.tuples()]


def claim(rollback_id: int, scope: Scope) -> None:
    """Make them this rollback's: no other one takes them, and trades made from now on are not among them."""
    query = _unclaimed(scope, Trade.id, pw.Value(rollback_id))
    Reversal.insert_from(query, [Reversal.trade_id, Reversal.rollback_id]).on_conflict_ignore().execute()


def claimed(rollback_id: int, limit: int | None = None) -> list[Reversible]:
    """The trades that a rollback has claimed, newest first; with a limit, those to be reversed yet."""
    query = (
        Trade.select(*_COLUMNS)
        .join(Reversal, on=(Reversal.trade_id == Trade.id))
        .where(Reversal.rollback_id == rollback_id)
        .order_by(Reversal.trade_id.desc())
        .limit(limit)
    )
    if limit is not None:
        query = query.where(Reversal.reversed_at.is_null())
    return [Reversible(*row) for row in query.tuples()]


def check_some_left(scope: Scope) -> None:
    """Raises Refused NOT_FOUND, ALREADY_REVERSED or NOT_POSSIBLE_NOW when there is nothing to reverse."""
    if _unclaimed(scope, Trade.id).limit(1).count():
        return
    earlier = (
        Reversal.select(Reversal.rollback_id)
        .join(Trade, on=(Reversal.trade_id == Trade.id))
        .where(_all(scope))
        .order_by(Reversal.rollback_id.desc())
        .limit(1)
        .scalar()
    )
    if earlier is not None:
        what = f"trade {scope.trade_id} has" if scope.level is Level.TRADE else "these trades have"
        raise already_reversed(what, int(earlier))
    if scope.level is Level.TRADE:
        raise not_found("trade", scope.trade_id)
    raise Refused("NOT_POSSIBLE_NOW", "there are no such trades to be reversed")


def already_reversed(what: str, rollback_id: int) -> Refused:
    """The refusal to do it twice."""
    return Refused(
        "ALREADY_REVERSED",
        f"{what} been reversed by rollback {rollback_id}; `bearpit-admin rollback show {rollback_id}` tells "
        "by whom and why",
        rollback_id=rollback_id,
    )


def shown(rollback_id: int | None, scope: Scope, limit: int) -> Sequence[int]:
    """The ids of the trades, newest first, of a rollback that has begun or of one that would."""
    if rollback_id is not None:
        query = Reversal.select(Reversal.trade_id).where(Reversal.rollback_id == rollback_id)
        query = query.order_by(Reversal.trade_id.desc())
    else:
        query = _unclaimed(scope, Trade.id).order_by(Trade.id.desc())
    return [id_ for (id_,) in query.limit(limit).tuples()]
