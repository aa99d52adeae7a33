"""Rollbacks in the contract's messages."""

from collections.abc import Iterable
from datetime import datetime
from typing import cast

from bearpit.v1 import rollbacks_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from bearpit_server.game.trading.listings import ListedTrade
from bearpit_server.rollback.effects import Effects
from bearpit_server.rollback.records import Told
from bearpit_server.services import translate


def rollback(told: Told) -> pb.Rollback:
    """A rollback as it is now; one that was not kept has no id."""
    row = told.row
    return pb.Rollback(
        rollback_id=row.id or 0,
        level=cast(pb.RollbackLevel, row.level),
        state=cast(pb.RollbackState, row.state if row.id else 0),
        trade_id=row.trade_id or 0,
        player=told.name(row.player_id),
        window_id=row.window_id or 0,
        since=_at(row.since),
        policy=cast(pb.ShortagePolicy, row.policy),
        reason=row.reason,
        requested_by=told.name(row.requested_by),
        requested_at=_at(row.requested_at),
        expires_at=_at(row.expires_at),
        decided_by=told.name(row.decided_by),
        decided_at=_at(row.decided_at),
        done_at=_at(row.done_at),
        total=row.total,
        done=row.done,
        failure=row.failure,
        proof=row.proof,
    )


def effects(told: Effects, trades: Iterable[ListedTrade]) -> pb.Effects:
    """What it does."""
    return pb.Effects(
        trades=[
            pb.ReversedTrade(trade=translate.trade(listed).trade, buyer=listed.buyer, seller=listed.seller)
            for listed in trades
        ],
        trade_count=told.trades,
        players=told.players,
        shortages=[
            pb.Shortage(
                player=short.player,
                symbol=short.symbol,
                needed=short.needed,
                free=short.free,
                missing=short.missing,
                value_cents=short.value_cents,
                debt_cents=short.debt_cents,
                explanation=short.explanation,
            )
            for short in told.shortages
        ],
        house_pays_cents=told.house_pays_cents,
        prices=[
            pb.PriceChange(
                symbol=change.symbol,
                before_cents=change.before_cents,
                after_cents=change.after_cents,
                explanation=change.explanation,
            )
            for change in told.prices
        ],
        cancelled_orders=told.cancelled_orders,
    )


def _at(moment: datetime | None) -> Timestamp | None:
    return None if moment is None else translate.timestamp(moment)
