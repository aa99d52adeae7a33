"""Duels in the contract's messages. What is revealed is shown when the round is over, and not before."""

from collections.abc import Iterable
from typing import cast

from bearpit.v1 import duels_pb2 as pb

from bearpit_server.game.duels.endings import paid_of
from bearpit_server.game.duels.listing import Shown
from bearpit_server.game.duels.terms import Terms
from bearpit_server.rules.duel import DuelState
from bearpit_server.services.translate import timestamp
from bearpit_server.storage.models import HOUSE
from bearpit_server.storage.models.duels import Duel, DuelSide
from bearpit_server.streams.subscription import Frame

MOST_ON_THE_BOARD = 200


def terms(of: Terms) -> pb.DuelTerms:
    """What duels are made under."""
    return pb.DuelTerms(
        minimum_cents=of.minimum_cents,
        maximum_cents=of.maximum_cents,
        accept_seconds=of.accept_seconds,
        move_seconds=of.move_seconds,
        house_bps=of.house_bps,
        draws=cast(pb.DuelDraws, of.draws),
        max_rounds=of.max_rounds,
        max_open=of.max_open,
    )


def duel(shown: Shown) -> pb.Duel:
    """A duel, with what may be known of it now."""
    row = shown.duel
    made = pb.Duel(
        duel_id=row.id,
        challenger_id=row.challenger_id,
        challenger_name=shown.names[row.challenger_id],
        opponent_id=row.opponent_id or 0,
        opponent_name="" if row.opponent_id is None else shown.names[row.opponent_id],
        against_house=row.opponent_id == HOUSE,
        stake_cents=row.stake_cents,
        house_bps=row.house_bps,
        draws=row.draws,
        max_rounds=row.max_rounds,
        move_seconds=row.move_seconds,
        state=row.state,
        ending=row.ending,
        winner_id=row.winner_id or 0,
        winner_name="" if row.winner_id is None else shown.names[row.winner_id],
        paid_cents=paid_of(row),
        house_share_cents=row.house_share_cents,
        round=row.round,
        due_at=timestamp(row.due_at),
        created_at=timestamp(row.created_at),
        accepted_at=None if row.accepted_at is None else timestamp(row.accepted_at),
        settled_at=None if row.settled_at is None else timestamp(row.settled_at),
    )
    rounds = [made.rounds.add(number=number) for number in range(1, row.round + 1)]
    for side in shown.sides:
        within = rounds[side.round - 1]
        into = within.challenger if side.player_id == row.challenger_id else within.opponent
        _write_side(into, side, is_over=_is_over(row, side.round))
    return made


def _is_over(row: Duel, number: int) -> bool:
    """Whether a round is; of a duel that was settled before both had revealed, the last one is as well."""
    return bool(row.state == DuelState.SETTLED or number < row.round)


def _write_side(into: pb.DuelSide, side: DuelSide, *, is_over: bool) -> None:
    into.player_id = side.player_id
    if side.commitment is not None:
        into.commitment = bytes(side.commitment)
        into.committed_at.CopyFrom(timestamp(side.committed_at))
    if side.revealed_at is not None:
        into.revealed = True
        into.revealed_at.CopyFrom(timestamp(side.revealed_at))
    if is_over and side.move is not None:
        into.move = cast(pb.DuelMove, side.move)
        into.nonce = bytes(side.nonce or b"")


def overview(alive: Iterable[Shown], player_id: int) -> pb.Duels:
    """The open board and a player's own duels, out of all that are alive."""
    made = pb.Duels()
    for shown in alive:
        if shown.is_offered_to(player_id) and len(made.board) < MOST_ON_THE_BOARD:
            made.board.append(duel(shown))
        if shown.concerns(player_id):
            made.mine.append(duel(shown))
    return made


def frame(of: Frame[object], content: pb.Duels | None) -> pb.StreamDuelsResponse:
    """A frame of duels as one player sees them."""
    made = pb.StreamDuelsResponse(sequence=of.sequence, server_time=timestamp(of.at))
    if content is None:
        made.heartbeat.SetInParent()
    else:
        (made.snapshot if of.kind == "snapshot" else made.update).CopyFrom(content)
    return made
