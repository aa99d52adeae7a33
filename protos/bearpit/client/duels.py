"""Duels for clients: commitments and the nonces behind them, kept until they are revealed; and verifying.

A client that has lost a nonce has lost its stake, so what a commitment was made of is on the disk before
the commitment is sent: one file for each, readable by its owner only, found again by the commitment that
the server shows. A client that was restarted goes on from there.
"""

import hmac
import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from bearpit.client.errors import BearpitError
from bearpit.v1 import auth_pb2
from bearpit.v1 import duels_pb2 as pb

if TYPE_CHECKING:
    from bearpit.client.game import Client

DOMAIN = "bearpit.duel.v1"
NONCE_BYTES = 32
KEPT_SECONDS = 30 * 24 * 3600
MOVES = {"rock": pb.DUEL_MOVE_ROCK, "paper": pb.DUEL_MOVE_PAPER, "scissors": pb.DUEL_MOVE_SCISSORS}
WORDS = {number: word for word, number in MOVES.items()}
_BEATS = {"rock": "scissors", "scissors": "paper", "paper": "rock"}
_BACK = {
    pb.DUEL_ENDING_NOT_ACCEPTED: "nobody accepted it in time",
    pb.DUEL_ENDING_CANCELLED: "the challenger took it back",
    pb.DUEL_ENDING_DECLINED: "it was turned down",
    pb.DUEL_ENDING_CALLED_OFF: "an operator called it off",
}


def commitment(name: str, move: str, nonce: bytes) -> bytes:
    """What binds a player to a move, as duels.proto says. `move` is "rock", "paper" or "scissors"."""
    assert move in MOVES, f"{move} is no move"
    return sha256(f"{DOMAIN}\n{name}\n{move}\n{nonce.hex()}".encode()).digest()


def winner(challenger: str, opponent: str) -> int:
    """1: the challenger's move wins; 2: the opponent's; 0: neither."""
    if _BEATS[challenger] == opponent:
        return 1
    return 2 if _BEATS[opponent] == challenger else 0


# --- what a commitment was made of -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Secret:
    """A move and its nonce. Tell nobody before the other side has committed."""

    name: str
    move: str
    nonce: bytes

    @property
    def commitment(self) -> bytes:
        """What may be told."""
        return commitment(self.name, self.move, self.nonce)


class Secrets:
    """The secrets of this machine's players, in a folder."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder`: else that of `BEARPIT_HOME`, else the user's data folder."""
        self.folder = folder or _data_folder() / "duels"

    def make(self, name: str, move: str) -> Secret:
        """A new secret, kept before it is returned. Raises OSError: then do not send its commitment."""
        secret = Secret(name, move, secrets.token_bytes(NONCE_BYTES))
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(secret.commitment)
        content = {"name": name, "move": move, "nonce": secret.nonce.hex()}
        fresh = path.with_suffix(f".{os.getpid()}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        return secret

    def find(self, given: bytes) -> Secret | None:
        """What a commitment was made of; None: it was not made here, or its file is not what it was."""
        try:
            content = json.loads(self._path(given).read_text(encoding="utf-8"))
            secret = Secret(str(content["name"]), str(content["move"]), bytes.fromhex(content["nonce"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return secret if secret.move in MOVES and secret.commitment == given else None

    def sweep(self, now: float | None = None) -> None:
        """Remove secrets of a month ago; their duels have long ended."""
        before = (time.time() if now is None else now) - KEPT_SECONDS
        for path in self.folder.glob("*.json"):
            if path.stat().st_mtime < before:
                path.unlink(missing_ok=True)

    def _path(self, given: bytes) -> Path:
        return self.folder / f"{given.hex()}.json"


def _data_folder() -> Path:
    home = os.environ.get("BEARPIT_HOME")
    if home:
        return Path(home)
    import platformdirs

    return Path(platformdirs.user_data_dir("bearpit", appauthor=False))


# --- playing ---------------------------------------------------------------------------------------


class Duelist:
    """Plays duels for the player that a client has signed in. Calls raise BearpitError."""

    def __init__(self, client: "Client", kept: Secrets | None = None) -> None:
        self._client = client
        self.secrets = kept or Secrets()

    async def challenge(self, stake_cents: int, move: str, opponent: str = "") -> pb.ChallengeResponse:
        """Challenge somebody, or whoever comes, with a move."""
        secret = self.secrets.make(self._name, move)
        return await self._client.duels.Challenge(
            pb.ChallengeRequest(
                opponent=opponent,
                stake_cents=stake_cents,
                commitment=secret.commitment,
            )
        )

    async def accept(self, duel_id: int, move: str) -> pb.AcceptDuelResponse:
        """Accept a challenge with a move."""
        secret = self.secrets.make(self._name, move)
        return await self._client.duels.AcceptDuel(
            pb.AcceptDuelRequest(duel_id=duel_id, commitment=secret.commitment)
        )

    async def commit(self, duel: pb.Duel, move: str) -> pb.Duel:
        """Commit to a move of the next round, after a draw."""
        secret = self.secrets.make(self._name, move)
        request = pb.CommitMoveRequest(duel_id=duel.duel_id, round=duel.round, commitment=secret.commitment)
        return (await self._client.duels.CommitMove(request)).duel

    def may_reveal(self, duel: pb.Duel) -> Secret | None:
        """What is to be revealed now; None: nothing, or nothing that was made on this machine."""
        if duel.state != pb.DUEL_STATE_REVEALING or not duel.rounds:
            return None
        mine = side_of(duel, duel.rounds[-1], self._player_id)
        return None if mine is None or mine.revealed else self.secrets.find(mine.commitment)

    async def reveal(self, duel: pb.Duel) -> pb.Duel:
        """Reveal what was committed to. Raises LookupError if it was not made on this machine."""
        secret = self.may_reveal(duel)
        if secret is None:
            raise LookupError(f"there is nothing here to reveal in duel {duel.duel_id}")
        request = pb.RevealMoveRequest(
            duel_id=duel.duel_id, round=duel.round, move=MOVES[secret.move], nonce=secret.nonce
        )
        return (await self._client.duels.RevealMove(request)).duel

    async def reveal_all(self, duels: pb.Duels) -> list[pb.Duel]:
        """Reveal wherever it is time to; what somebody else ended meanwhile is left alone.

        Call it with every frame of `client.stream_duels()`, and nobody has to think of it.
        """
        done = []
        for duel in duels.mine:
            if self.may_reveal(duel) is None:
                continue
            try:
                done.append(await self.reveal(duel))
            except BearpitError as error:
                if error.reason not in ("NOT_POSSIBLE_NOW", "TOO_LATE"):
                    raise
        return done

    async def play_house(self, duel_id: int, move: str, *, request_id: str = "") -> pb.Duel:
        """Name a move against the house, in the round that is played."""
        request = pb.PlayHouseDuelRequest(duel_id=duel_id, move=MOVES[move], request_id=request_id)
        return (await self._client.duels.PlayHouseDuel(request)).duel

    @property
    def _player_id(self) -> int:
        return self._player.player_id

    @property
    def _name(self) -> str:
        return self._player.name

    @property
    def _player(self) -> auth_pb2.Player:
        player = self._client.player
        assert player is not None, "sign in first"
        return player


def side_of(duel: pb.Duel, played: pb.DuelRound, player_id: int) -> pb.DuelSide | None:
    """A player's side of a round; None: the player takes no part."""
    if player_id == duel.challenger_id:
        return played.challenger
    return played.opponent if player_id == duel.opponent_id and player_id else None


# --- verifying -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and whether it is as it must be."""

    holds: bool
    text: str


def verify(duel: pb.Duel, kept: Secrets | None = None) -> list[Finding]:
    """Whether a duel went as it must: each hash, each round, the ending and the money.

    It takes nothing on the server's word but when what was sent. `kept`: compare with what this machine
    has sent itself as well.
    """
    if duel.state != pb.DUEL_STATE_SETTLED:
        return [Finding(False, f"duel {duel.duel_id} is not over; verify it when it is")]
    return [
        *(found for played in duel.rounds for found in _round(duel, played, kept)),
        _ending(duel),
        _money(duel),
    ]


def _round(duel: pb.Duel, played: pb.DuelRound, kept: Secrets | None) -> Iterator[Finding]:
    pair = ((duel.challenger_name, played.challenger), (duel.opponent_name, played.opponent))
    reveals = [side.revealed_at.ToDatetime(UTC) for _, side in pair if side.revealed]
    for name, side in pair:
        label = f"round {played.number}: {name}"
        if side.commitment:
            at = side.committed_at.ToDatetime(UTC)
            if side.move in WORDS:
                word = WORDS[side.move]
                same = hmac.compare_digest(side.commitment, commitment(name, word, side.nonce))
                is_not = "" if same else "not "
                yield Finding(same, f"{label}'s {word} is {is_not}what was committed to at {at:%H:%M:%S}")
            else:
                yield Finding(True, f"{label} committed at {at:%H:%M:%S} and never revealed")
            early = all(at <= revealed for revealed in reveals)
            if reveals:
                yield Finding(early, f"{label} committed {'before' if early else 'AFTER'} any move was told")
            yield from _own(label, side, kept)
        elif side.move in WORDS:
            bound = duel.against_house and bool(played.opponent.commitment)
            after = "after the house had committed" if bound else "without a commitment"
            yield Finding(bound, f"{label} named {WORDS[side.move]} {after}")
    if played.number < duel.round:
        drawn = played.challenger.move in WORDS and played.challenger.move == played.opponent.move
        yield Finding(
            drawn, f"round {played.number} was {'' if drawn else 'not '}drawn, and another one played"
        )


def _own(label: str, side: pb.DuelSide, kept: Secrets | None) -> Iterator[Finding]:
    secret = None if kept is None else kept.find(side.commitment)
    if secret is not None and side.move in WORDS:
        same = (secret.move, secret.nonce) == (WORDS[side.move], side.nonce)
        yield Finding(same, f"{label}: that is {'' if same else 'not '}what this machine kept")


def _ending(duel: pb.Duel) -> Finding:
    last = duel.rounds[-1]
    moves = [WORDS.get(side.move, "") for side in (last.challenger, last.opponent)]
    told = duel.winner_name
    names = [duel.challenger_name, duel.opponent_name]
    has_played = [last.challenger.revealed, last.opponent.revealed]
    versus = f"{moves[0] or 'nothing'} against {moves[1] or 'nothing'}"
    match duel.ending:
        case pb.DUEL_ENDING_WON:
            won = winner(moves[0], moves[1]) if all(moves) else 0
            right = bool(won) and names[won - 1] == told
            return _either(right, f"{versus}: {told} won", f"{versus}: {told or 'nobody'} did not win")
        case pb.DUEL_ENDING_DRAWN:
            last_one = duel.draws == pb.DUEL_DRAWS_RETURN or duel.round == duel.max_rounds
            right = all(moves) and moves[0] == moves[1] and last_one and not told
            return _either(
                right, f"{versus}: a draw, the stakes went back", f"{versus}: that is no draw to end with"
            )
        case pb.DUEL_ENDING_FORFEITED:
            ready = has_played if any(has_played) else _committed(last)
            right = ready.count(True) == 1 and names[ready.index(True)] == told
            return _either(
                right,
                f"{told} did in time what was to be done, and the other side did not",
                f"{told or 'nobody'} was told to have been the only one in time, and was not",
            )
        case pb.DUEL_ENDING_ABANDONED:
            return _either(
                not told and not any(has_played),
                "nobody did in time what was to be done; the stakes went back",
                "it was told that nobody did anything in time, and somebody did",
            )
        case ending:
            return _either(
                ending in _BACK and not told and not all(has_played),
                f"{_BACK.get(ending, 'it ended')}; the stakes went back",
                f"{_BACK.get(ending, 'it ended')}, though it had been decided",
            )


def _committed(played: pb.DuelRound) -> list[bool]:
    return [bool(played.challenger.commitment), bool(played.opponent.commitment)]


def _money(duel: pb.Duel) -> Finding:
    paid, share = _points(duel.paid_cents), _points(duel.house_share_cents)
    if not duel.winner_name:
        return _either(
            duel.paid_cents == 0 and duel.house_share_cents == 0,
            "nobody won, and nobody got more than the stake",
            f"nobody won, and {paid} points were paid out, {share} kept",
        )
    by_house = duel.against_house and duel.winner_id == 0
    due = 0 if by_house else -(-duel.stake_cents * duel.house_bps // 10_000)
    both = 2 * duel.stake_cents
    return _either(
        (duel.paid_cents, duel.house_share_cents) == (both - due, due),
        f"{duel.winner_name} was paid {paid} of {_points(both)} points, the house kept {share}",
        f"{duel.winner_name} was paid {paid} and the house kept {share}; {_points(both - due)} and "
        f"{_points(due)} were due",
    )


def _points(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _either(holds: bool, right: str, wrong: str) -> Finding:
    return Finding(holds, right if holds else wrong)
