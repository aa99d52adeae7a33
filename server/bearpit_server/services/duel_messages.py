"""Duels in the contract's messages. What is revealed is shown when the round is over, and not before."""

from collections.abc import Iterable
from itertools import islice
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


class Alive:
    """All duels that are alive, newest first, as one reading found them.

    Each is looked at once, and made a message once, however many watch: what each of them is shown is
    picked from that.
    """

    def __init__(self, alive: Iterable[Shown]) -> None:
        self._offered: list[Shown] = []
        """To whoever takes them."""
        self._of: dict[int, list[Shown]] = {}
        """By those who take part, or are challenged."""
        self._made: dict[int, pb.Duel] = {}
        for shown in alive:
            row = shown.duel
            self._of.setdefault(row.challenger_id, []).append(shown)
            if row.opponent_id is not None:
                self._of.setdefault(row.opponent_id, []).append(shown)
            elif row.state == DuelState.OPEN:
                self._offered.append(shown)

    def seen_by(self, player_id: int) -> pb.Duels:
        """The open board, the first of it, and a player's own duels."""
        mine = self._of.get(player_id, [])
        to_all = islice((s for s in self._offered if s.is_offered_to(player_id)), MOST_ON_THE_BOARD)
        offered = [*to_all, *(s for s in mine if s.is_offered_to(player_id))]
        offered.sort(key=lambda shown: -int(shown.duel.id))
        return pb.Duels(board=map(self._message, offered[:MOST_ON_THE_BOARD]), mine=map(self._message, mine))

    def _message(self, shown: Shown) -> pb.Duel:
        made = self._made.get(shown.duel.id)
        if made is None:
            made = self._made[shown.duel.id] = duel(shown)
        return made


def frame(of: Frame[object], content: pb.Duels | None) -> pb.StreamDuelsResponse:
    """A frame of duels as one player sees them."""
    made = pb.StreamDuelsResponse(sequence=of.sequence, server_time=timestamp(of.at))
    if content is None:
        made.heartbeat.SetInParent()
    else:
        (made.snapshot if of.kind == "snapshot" else made.update).CopyFrom(content)
    return made
