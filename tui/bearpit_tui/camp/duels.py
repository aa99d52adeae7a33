"""Duels on a server: commitments are made, kept and revealed here, and what is over is verified."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Protocol

from bearpit.client import BearpitError, Client
from bearpit.client.duels import MOVES, WORDS, Duelist, Secret, verify
from bearpit.v1 import duels_pb2 as pb
from bearpit_tui.duels import Duel, Duels, Ending, Half, Round, Stage, Terms
from bearpit_tui.failures import answer_lost, error_words
from bearpit_tui.wire import moment

PAGE = 100
COMMITMENT_BYTES = 32
MOST_KEPT = 500

STAGES: Mapping[int, Stage] = {
    pb.DUEL_STATE_OPEN: Stage.OPEN,
    pb.DUEL_STATE_COMMITTING: Stage.COMMITTING,
    pb.DUEL_STATE_REVEALING: Stage.REVEALING,
    pb.DUEL_STATE_CHOOSING: Stage.CHOOSING,
    pb.DUEL_STATE_SETTLED: Stage.OVER,
}
ENDINGS: Mapping[int, Ending] = {
    pb.DUEL_ENDING_WON: Ending.WON,
    pb.DUEL_ENDING_FORFEITED: Ending.FORFEITED,
    pb.DUEL_ENDING_DRAWN: Ending.DRAWN,
    pb.DUEL_ENDING_NOT_ACCEPTED: Ending.NOT_ACCEPTED,
    pb.DUEL_ENDING_ABANDONED: Ending.ABANDONED,
    pb.DUEL_ENDING_CANCELLED: Ending.CANCELLED,
    pb.DUEL_ENDING_DECLINED: Ending.DECLINED,
    pb.DUEL_ENDING_CALLED_OFF: Ending.CALLED_OFF,
}


class Dueling(Protocol):
    """What is asked about duels. The same request id with the same words does a thing once."""

    async def terms(self) -> Terms:
        """What challenges are made under."""

    async def quote(self, opponent: str, stake_cents: int) -> int:
        """The free cash after a challenge, in cents; nothing is done. Raises BearpitError."""

    async def quote_house(self, stake_cents: int) -> int:
        """Likewise of a duel against the house."""

    async def challenge(self, opponent: str, stake_cents: int, move: str, request_id: str) -> Duel:
        """Challenge somebody, or for an empty name whoever comes."""

    async def accept(self, duel_id: int, move: str, request_id: str) -> Duel:
        """Accept a challenge."""

    async def decline(self, duel_id: int, request_id: str) -> Duel:
        """Turn a challenge down."""

    async def cancel(self, duel_id: int, request_id: str) -> Duel:
        """Take a challenge back."""

    async def commit(self, duel_id: int, number: int, move: str, request_id: str) -> Duel:
        """Move in a further round."""

    async def open_house(self, stake_cents: int, request_id: str) -> Duel:
        """Have the house commit to a move."""

    async def play_house(self, duel_id: int, number: int, move: str, request_id: str) -> Duel:
        """Move against the house."""

    async def finished(self, player: str) -> list[Duel]:
        """The latest that are over, newest first; of one player, or for an empty name of all."""

    def follow(self) -> AsyncGenerator[Duels, None]:
        """The board and the own duels as they change. Moves that are due are revealed by the way."""


class RemoteDuels:
    """A server's duel service, and this machine's secrets."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._duelist = Duelist(client)
        self._made: dict[str, Secret] = {}
        self._over: dict[int, Duel] = {}

    async def terms(self) -> Terms:
        terms = (await self._client.duels.GetDuelTerms(pb.GetDuelTermsRequest())).terms
        return Terms(
            terms.minimum_cents,
            terms.maximum_cents,
            terms.accept_seconds,
            terms.move_seconds,
            terms.house_bps,
            terms.draws == pb.DUEL_DRAWS_PLAY_ON,
            terms.max_rounds,
        )

    async def quote(self, opponent: str, stake_cents: int) -> int:
        request = pb.ChallengeRequest(
            opponent=opponent,
            stake_cents=stake_cents,
            commitment=secrets.token_bytes(COMMITMENT_BYTES),
            request_id=self._client.new_request_id(),
            validate_only=True,
        )
        return (await self._client.duels.Challenge(request)).free_cash_after_cents

    async def quote_house(self, stake_cents: int) -> int:
        request = pb.OpenHouseDuelRequest(
            stake_cents=stake_cents, request_id=self._client.new_request_id(), validate_only=True
        )
        return (await self._client.duels.OpenHouseDuel(request)).free_cash_after_cents

    async def challenge(self, opponent: str, stake_cents: int, move: str, request_id: str) -> Duel:
        request = pb.ChallengeRequest(
            opponent=opponent,
            stake_cents=stake_cents,
            commitment=self._committed(move, request_id),
            request_id=request_id,
        )
        return self._read((await self._client.duels.Challenge(request)).duel)

    async def accept(self, duel_id: int, move: str, request_id: str) -> Duel:
        request = pb.AcceptDuelRequest(
            duel_id=duel_id, commitment=self._committed(move, request_id), request_id=request_id
        )
        return self._read((await self._client.duels.AcceptDuel(request)).duel)

    async def decline(self, duel_id: int, request_id: str) -> Duel:
        request = pb.DeclineDuelRequest(duel_id=duel_id, request_id=request_id)
        return self._read((await self._client.duels.DeclineDuel(request)).duel)

    async def cancel(self, duel_id: int, request_id: str) -> Duel:
        request = pb.CancelDuelRequest(duel_id=duel_id, request_id=request_id)
        return self._read((await self._client.duels.CancelDuel(request)).duel)

    async def commit(self, duel_id: int, number: int, move: str, request_id: str) -> Duel:
        request = pb.CommitMoveRequest(
            duel_id=duel_id,
            round=number,
            commitment=self._committed(move, request_id),
            request_id=request_id,
        )
        return self._read((await self._client.duels.CommitMove(request)).duel)

    async def open_house(self, stake_cents: int, request_id: str) -> Duel:
        request = pb.OpenHouseDuelRequest(stake_cents=stake_cents, request_id=request_id)
        return self._read((await self._client.duels.OpenHouseDuel(request)).duel)

    async def play_house(self, duel_id: int, number: int, move: str, request_id: str) -> Duel:
        request = pb.PlayHouseDuelRequest(
            duel_id=duel_id, round=number, move=MOVES[move], request_id=request_id
        )
        return self._read((await self._client.duels.PlayHouseDuel(request)).duel)

    async def finished(self, player: str) -> list[Duel]:
        request = pb.ListDuelsRequest(scope=pb.DUEL_SCOPE_FINISHED, player=player, page_size=PAGE)
        return [self._read(one) for one in (await self._client.duels.ListDuels(request)).duels]

    async def follow(self) -> AsyncGenerator[Duels, None]:
        self._duelist.secrets.sweep()
        async with aclosing(self._client.stream_duels()) as frames:
            async for frame in frames:
                if frame.HasField("heartbeat"):
                    continue
                duels = frame.snapshot if frame.HasField("snapshot") else frame.update
                board = tuple(self._read(one) for one in duels.board)
                mine = tuple(self._read(one) for one in duels.mine)
                yield Duels(board, mine, True)
                try:
                    await self._duelist.reveal_all(duels)
                except BearpitError as error:
                    if answer_lost(error):
                        raise  # the stream is opened again, and with it comes what is to be revealed
                    yield Duels(board, mine, True, error_words(error))

    def _committed(self, move: str, request_id: str) -> bytes:
        """A commitment to a move; to be sent again, the same one."""
        if request_id not in self._made:
            player = self._client.player
            assert player is not None, "sign in first"
            self._made[request_id] = self._duelist.secrets.make(player.name, move)
        return self._made[request_id].commitment

    def _read(self, message: pb.Duel) -> Duel:
        """A duel in the screen's words. One that is over is verified, once, and never taken on trust."""
        known = self._over.get(message.duel_id)
        if known is not None:
            return known
        over = message.state == pb.DUEL_STATE_SETTLED
        found = verify(message, self._duelist.secrets) if over else []
        mine = message.challenger_id if self._player_id == message.challenger_id else message.opponent_id
        revealing = message.state == pb.DUEL_STATE_REVEALING and mine == self._player_id
        elsewhere = revealing and not _revealed(message, mine) and self._duelist.may_reveal(message) is None
        duel = _duel(message, tuple((one.holds, one.text) for one in found), elsewhere)
        if over:
            if len(self._over) >= MOST_KEPT:
                self._over.clear()
            self._over[duel.duel_id] = duel
        return duel

    @property
    def _player_id(self) -> int:
        return self._client.player.player_id if self._client.player is not None else 0


def _revealed(message: pb.Duel, player_id: int) -> bool:
    if not message.rounds:
        return True
    last = message.rounds[-1]
    return (last.challenger if player_id == message.challenger_id else last.opponent).revealed


def _duel(message: pb.Duel, findings: tuple[tuple[bool, str], ...], elsewhere: bool) -> Duel:
    return Duel(
        duel_id=message.duel_id,
        challenger=message.challenger_name,
        opponent=message.opponent_name,
        stake_cents=message.stake_cents,
        stage=STAGES.get(message.state, Stage.OPEN),
        ending=ENDINGS.get(message.ending, Ending.NONE),
        winner=message.winner_name,
        paid_cents=message.paid_cents,
        house_bps=message.house_bps,
        against_house=message.against_house,
        plays_on=message.draws == pb.DUEL_DRAWS_PLAY_ON,
        max_rounds=message.max_rounds,
        round=message.round,
        rounds=tuple(Round(one.number, _half(one.challenger), _half(one.opponent)) for one in message.rounds),
        due_at=moment(message.due_at),
        at=moment(message.settled_at if message.HasField("settled_at") else message.created_at),
        findings=findings,
        elsewhere=elsewhere,
    )


def _half(message: pb.DuelSide) -> Half:
    return Half(
        bool(message.commitment), message.revealed, WORDS.get(message.move, ""), message.commitment.hex()
    )
