"""Duels in memory: whoever is challenged accepts when a test says so; the house always plays paper."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta

import grpc
from bearpit.client import BearpitError
from bearpit_tui.duels import Duel, Duels, Ending, Half, Round, Stage, Terms

from tests.unit.tui.fakes import NOW, Note

BEATS = {"rock": "scissors", "paper": "rock", "scissors": "paper"}
SEALED = Half(committed=True, commitment="3f" * 32)
RIGHT = (
    (True, "round 1: ada's rock is what was committed to at 14:30:40"),
    (True, "round 1: Clara's scissors is what was committed to at 14:30:52"),
    (True, "rock against scissors: ada won"),
    (True, "ada was paid 39.00 of 40.00 points, the house kept 1.00"),
)


class FakeDuels:
    """What is asked about duels; ada plays."""

    def __init__(self, note: Note) -> None:
        self.note = note
        self.kept: dict[int, Duel] = {}
        self.done: dict[str, Duel] = {}
        self.moves: dict[int, str] = {}
        self.lose_answer = False
        self.plays_on = True
        self._readers: list[asyncio.Queue[Duels]] = []

    # What a test does ---------------------------------------------------------------------------------

    def offer(self, who: str, stake_cents: int, to: str = "") -> Duel:
        """Somebody challenges ada, or whoever comes."""
        return self._keep(self._new(who, to, stake_cents))

    def accept_by(self, duel_id: int, who: str, move: str) -> Duel:
        """Somebody accepts a duel of ada's: both moves are told at once."""
        duel = replace(self.kept[duel_id], opponent=who)
        return self._decide(duel, self.moves[duel_id], move)

    def answer(self, duel_id: int, move: str) -> Duel:
        """The other side of a duel that ada has accepted, or goes on with, moves."""
        duel = self.kept[duel_id]
        mine = self.moves[duel_id]
        pair = (mine, move) if duel.challenger == "ada" else (move, mine)
        return self._decide(duel, *pair)

    def with_some(self) -> None:
        """With a duel of every kind."""
        for place, (one, theirs) in enumerate((("rock", "scissors"), ("paper", "scissors"))):
            duel = self._new("ada", "Clara", 20_00)
            duel = self._decide(duel, one, theirs)
            self.kept[duel.duel_id] = replace(duel, at=NOW - timedelta(minutes=9 * (place + 1)))
        declined = self._new("bob", "ada", 5_00)
        declined = replace(declined, stage=Stage.OVER, ending=Ending.DECLINED, at=NOW - timedelta(hours=3))
        self.kept[declined.duel_id] = declined
        self.offer("dave.k", 7_50)
        self.offer("Clara", 20_00, "ada")
        self.kept[90] = replace(self._new("ada", "bob", 30_00), duel_id=90, stage=Stage.REVEALING,
                                rounds=(Round(1, replace(SEALED, revealed=True), SEALED),))  # fmt: skip

    def cheat(self, duel_id: int) -> None:
        """The server's word is not what was committed to."""
        found = ((False, "round 1: Clara's rock is not what was committed to at 14:30:52"), *RIGHT[2:])
        self._keep(replace(self.kept[duel_id], findings=found))

    def _new(self, challenger: str, opponent: str, stake_cents: int) -> Duel:
        return Duel(
            duel_id=len(self.kept) + 1,
            challenger=challenger,
            opponent=opponent,
            stake_cents=stake_cents,
            house_bps=500,
            plays_on=self.plays_on,
            max_rounds=3,
            rounds=(Round(1, SEALED),),
            due_at=NOW + timedelta(minutes=4, seconds=31),
            at=NOW - timedelta(seconds=29),
        )

    def _decide(self, duel: Duel, one: str, other: str) -> Duel:
        last = Round(duel.round, *(replace(SEALED, revealed=True, move=move) for move in (one, other)))
        rounds = (*duel.rounds[:-1], last)
        if one == other and duel.plays_on and duel.round < duel.max_rounds:
            rounds = (*rounds, Round(duel.round + 1))
            return self._keep(replace(duel, stage=Stage.COMMITTING, round=duel.round + 1, rounds=rounds))
        winner = "" if one == other else duel.challenger if BEATS[one] == other else duel.opponent
        return self._keep(
            replace(
                duel,
                stage=Stage.OVER,
                ending=Ending.WON if winner else Ending.DRAWN,
                winner=winner,
                paid_cents=duel.stake_cents + duel.prize_cents if winner else 0,
                rounds=rounds,
                at=NOW,
                findings=RIGHT,
            )
        )

    def _keep(self, duel: Duel) -> Duel:
        self.kept[duel.duel_id] = duel
        for queue in self._readers:
            queue.put_nowait(self._now())
        return duel

    def _now(self) -> Duels:
        newest = [self.kept[key] for key in sorted(self.kept, reverse=True)]
        board = [one for one in newest if one.stage is Stage.OPEN and one.challenger != "ada"]
        return Duels(tuple(board), tuple(one for one in newest if one.has("ada")), loaded=True)

    def _answer(self, request_id: str, duel: Duel) -> Duel:
        self.done[request_id] = duel
        if self.lose_answer:
            self.lose_answer = False
            raise BearpitError(grpc.StatusCode.UNAVAILABLE, "", "The server cannot be reached.")
        return duel

    # What the screen asks for -------------------------------------------------------------------------

    async def terms(self) -> Terms:
        self.note("terms", None)
        return Terms(1_00, 100_00, 300, 60, 500, self.plays_on, 3)

    async def quote(self, opponent: str, stake_cents: int) -> int:
        self.note("quote duel", (opponent, stake_cents))
        if opponent == "nobody":
            raise BearpitError(grpc.StatusCode.NOT_FOUND, "NOT_FOUND", "there is no player nobody", {})
        return 9_900_00 - stake_cents

    async def quote_house(self, stake_cents: int) -> int:
        self.note("quote house", stake_cents)
        return 9_900_00 - stake_cents

    async def challenge(self, opponent: str, stake_cents: int, move: str, request_id: str) -> Duel:
        self.note("challenge", (opponent, stake_cents, move, request_id))
        if request_id in self.done:
            return self.done[request_id]
        duel = self._new("ada", opponent, stake_cents)
        self.moves[duel.duel_id] = move
        return self._answer(request_id, self._keep(duel))

    async def accept(self, duel_id: int, move: str, request_id: str) -> Duel:
        self.note("accept", (duel_id, move))
        self.moves[duel_id] = move
        rounds = (Round(1, SEALED, replace(SEALED, revealed=True)),)
        duel = replace(self.kept[duel_id], opponent="ada", stage=Stage.REVEALING, rounds=rounds)
        return self._answer(request_id, self._keep(duel))

    async def decline(self, duel_id: int, request_id: str) -> Duel:
        self.note("decline", duel_id)
        return self._keep(replace(self.kept[duel_id], stage=Stage.OVER, ending=Ending.DECLINED, at=NOW))

    async def cancel(self, duel_id: int, request_id: str) -> Duel:
        self.note("cancel duel", duel_id)
        return self._keep(replace(self.kept[duel_id], stage=Stage.OVER, ending=Ending.CANCELLED, at=NOW))

    async def commit(self, duel_id: int, number: int, move: str, request_id: str) -> Duel:
        self.note("commit", (duel_id, number, move))
        self.moves[duel_id] = move
        duel = self.kept[duel_id]
        rounds = (*duel.rounds[:-1], Round(number, SEALED, Half()))
        return self._answer(request_id, self._keep(replace(duel, rounds=rounds)))

    async def open_house(self, stake_cents: int, request_id: str) -> Duel:
        self.note("open house", stake_cents)
        duel = replace(self._new("ada", "house", stake_cents), against_house=True, stage=Stage.CHOOSING)
        return self._answer(request_id, self._keep(replace(duel, rounds=(Round(1, Half(), SEALED),))))

    async def play_house(self, duel_id: int, number: int, move: str, request_id: str) -> Duel:
        self.note("play house", (duel_id, number, move))
        duel = self._decide(self.kept[duel_id], move, "paper")
        if duel.stage is Stage.COMMITTING:
            rounds = (*duel.rounds[:-1], Round(duel.round, Half(), SEALED))
            duel = self._keep(replace(duel, stage=Stage.CHOOSING, rounds=rounds))
        return self._answer(request_id, duel)

    async def finished(self, player: str) -> list[Duel]:
        self.note("finished", player)
        over = [one for one in self.kept.values() if one.over and (not player or one.has(player))]
        if not player:
            over.append(replace(self._decided_by_others(), duel_id=70))
        return over

    def _decided_by_others(self) -> Duel:
        return Duel(
            70, "bob", "Clara", 10_00, Stage.OVER, Ending.FORFEITED, "bob", 19_50, 500,
            rounds=(Round(1, SEALED, SEALED),), at=NOW - timedelta(minutes=2), findings=RIGHT[2:],
        )  # fmt: skip

    async def follow(self) -> AsyncGenerator[Duels, None]:
        self.note("stream duels", None)
        queue: asyncio.Queue[Duels] = asyncio.Queue()
        self._readers.append(queue)
        yield self._now()
        try:
            while True:
                yield await queue.get()
        finally:
            self._readers.remove(queue)
