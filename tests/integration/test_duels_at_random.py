"""Players duel as they please, time passes, servers restart: everybody has what the rules say."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from bearpit.client import Client
from bearpit.client.duels import MOVES, WORDS, commitment, verify, winner
from bearpit.v1 import duels_pb2 as pb
from bearpit_server.game.duels import limits
from bearpit_server.storage import clock
from bearpit_server.storage.models.duels import DuelSide
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.integration.floor import Steps
from tests.integration.machines import Machine, play

CASH = 100_000
HOUSE = -1
"""In place of a player's place at the table."""
MOVE_SECONDS, ACCEPT_SECONDS = 60, 300
MOST_RESTARTS = 6
EXPECTED_REFUSALS = {
    "NOT_POSSIBLE_NOW",
    "TOO_LATE",
    "NOT_YOUR_DUEL",
    "DUEL_TAKEN",
    "DUEL_WITH_SELF",
    "COMMITMENT_MISMATCH",
    "INSUFFICIENT_FUNDS",
    "LIMIT_EXCEEDED",
}
_numbers = count(1)
_nonces = count(1)

players_ = st.integers(0, 2)
sides_ = st.integers(0, 12)
moves_ = st.sampled_from(sorted(MOVES))


@dataclass
class Kept:
    """A duel as it must be by the rules, told apart from the server's."""

    id: int
    sides: list[int | None]
    stake: int
    bps: int
    plays_on: bool
    most: int
    due: datetime
    state: str = "open"
    round: int = 1
    made: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    """By place: what the round's commitments were made of."""
    shown: set[int] = field(default_factory=set)


class Duels(Machine):
    """Three players; every call whether it makes sense or not; what is refused changes nothing."""

    refusals = EXPECTED_REFUSALS
    restarts = 0

    @initialize(bps=st.sampled_from([0, 1, 333, 10_000]), plays_on=st.booleans(), most=st.integers(1, 3))
    def begin(self, bps: int, plays_on: bool, most: int) -> None:
        self.at = datetime(2027, 1, 1, tzinfo=UTC)
        clock.use(lambda: self.at)
        self.bps, self.plays_on, self.most = bps, plays_on, most
        self.names = [f"duelist{next(_numbers)}" for _ in range(3)]
        self.clients: list[Client] = []
        self.cash = [CASH] * 3
        self.duels: list[Kept] = []

        async def furnish() -> None:
            self.floor.forget_operator()
            await self.floor.settings(
                duel_house_bps=bps,
                duel_max_rounds=most,
                duel_max_open=4,
                duel_draws="play_on" if plays_on else "return",  # type: ignore[arg-type]
            )
            for name in self.names:
                self.clients.append(await self.floor.player(name, CASH))

        self.run(furnish())

    def secret(self, who: int, move: str) -> tuple[bytes, tuple[str, bytes]]:
        nonce = next(_nonces).to_bytes(16, "big")
        return commitment(self.names[who], move, nonce), (move, nonce)

    def pick(self, number: int, *states: str) -> Kept | None:
        """A duel, and rather one in which this makes sense."""
        fit = [duel for duel in self.duels if duel.state in states] or self.duels
        return fit[-1 - number % len(fit)] if fit else None

    def seat(self, duel: Kept, who: int) -> int:
        """Who does it: rather one of the two than anybody."""
        side = duel.sides[who % 2]
        return side if who > 2 and side is not None and side != HOUSE else who % 3

    def in_play(self, who: int) -> int:
        return sum(
            duel.state != "over" and (duel.sides[0] == who or (duel.state != "open" and who in duel.sides))
            for duel in self.duels
        )

    # --- what players do -----------------------------------------------------------------------

    @rule(who=players_, other=st.none() | players_, stake=st.integers(100, 40_000), move=moves_)
    def challenge(self, who: int, other: int | None, stake: int, move: str) -> None:
        given, made = self.secret(who, move)
        request = pb.ChallengeRequest(
            opponent="" if other is None else self.names[other], stake_cents=stake, commitment=given
        )
        done = self.attempt(self.clients[who].duels.Challenge(request))
        assert (done is not None) == (other != who and self.cash[who] >= stake and self.in_play(who) < 4)
        if done is not None:
            self.cash[who] -= stake
            due = self.at + timedelta(seconds=ACCEPT_SECONDS)
            duel = Kept(done.duel.duel_id, [who, other], stake, self.bps, self.plays_on, self.most, due)
            duel.made[who] = made
            self.duels.append(duel)

    @rule(who=players_, number=st.integers(0, 5), move=moves_)
    def accept(self, who: int, number: int, move: str) -> None:
        duel = self.pick(number, "open")
        if duel is None:
            return
        self.accept_this(duel, who, move)

    def accept_this(self, duel: Kept, who: int, move: str) -> None:
        given, made = self.secret(who, move)
        request = pb.AcceptDuelRequest(duel_id=duel.id, commitment=given)
        done = self.attempt(self.clients[who].duels.AcceptDuel(request))
        may = duel.state == "open" and duel.sides[0] != who and duel.sides[1] in (None, who)
        assert (done is not None) == (may and self.cash[who] >= duel.stake and self.in_play(who) < 4)
        if done is not None:
            duel.sides[1] = who
            duel.made[who] = made
            self.cash[who] -= duel.stake
            self.wait(duel, "revealing")

    @rule(who=sides_, number=st.integers(0, 5), declines=st.booleans())
    def cancel_or_decline(self, who: int, number: int, declines: bool) -> None:
        duel = self.pick(number, "open", "choosing")
        if duel is None:
            return
        who = self.seat(duel, who)
        service = self.clients[who].duels
        if declines:
            done = self.attempt(service.DeclineDuel(pb.DeclineDuelRequest(duel_id=duel.id)))
            assert (done is not None) == (duel.state == "open" and duel.sides[1] == who)
        else:
            done = self.attempt(service.CancelDuel(pb.CancelDuelRequest(duel_id=duel.id)))
            early = duel.state == "open" or (duel.state == "choosing" and duel.round == 1)
            assert (done is not None) == (early and duel.sides[0] == who)
        if done is not None:
            self.end(duel, None)

    @rule(who=sides_, number=st.integers(0, 5), move=moves_)
    def commit(self, who: int, number: int, move: str) -> None:
        duel = self.pick(number, "committing")
        if duel is None:
            return
        self.commit_this(duel, self.seat(duel, who), move)

    def commit_this(self, duel: Kept, who: int, move: str) -> None:
        given, made = self.secret(who, move)
        request = pb.CommitMoveRequest(duel_id=duel.id, commitment=given)
        done = self.attempt(self.clients[who].duels.CommitMove(request))
        may = duel.state == "committing" and who in duel.sides and who not in duel.made
        assert (done is not None) == may
        if may:
            duel.made[who] = made
            if len(duel.made) == 2:
                self.wait(duel, "revealing")

    @rule(who=sides_, number=st.integers(0, 5), lies=st.sampled_from([False, False, False, True]))
    def reveal(self, who: int, number: int, lies: bool) -> None:
        duel = self.pick(number, "revealing")
        if duel is None:
            return
        self.reveal_this(duel, self.seat(duel, who), lies)

    def reveal_this(self, duel: Kept, who: int, lies: bool) -> None:
        move, nonce = duel.made.get(who, ("rock", bytes(16)))
        told = bytes(reversed(nonce)) if lies else nonce
        request = pb.RevealMoveRequest(duel_id=duel.id, move=MOVES[move], nonce=told)
        done = self.attempt(self.clients[who].duels.RevealMove(request))
        may = duel.state == "revealing" and who in duel.made and who not in duel.shown and told == nonce
        assert (done is not None) == may
        if may:
            duel.shown.add(who)
            if len(duel.shown) == 2:
                self.decide(duel, *[duel.made[side][0] for side in duel.sides if side is not None])

    @rule(who=players_, stake=st.integers(100, 40_000))
    def open_against_house(self, who: int, stake: int) -> None:
        done = self.attempt(self.clients[who].duels.OpenHouseDuel(pb.OpenHouseDuelRequest(stake_cents=stake)))
        assert (done is not None) == (self.cash[who] >= stake and self.in_play(who) < 4)
        if done is not None:
            self.cash[who] -= stake
            due = self.at + timedelta(seconds=MOVE_SECONDS)
            terms = (stake, self.bps, self.plays_on, self.most, due)
            self.duels.append(Kept(done.duel.duel_id, [who, HOUSE], *terms, state="choosing"))

    @rule(who=sides_, number=st.integers(0, 5), move=moves_)
    def play_against_house(self, who: int, number: int, move: str) -> None:
        duel = self.pick(number, "choosing")
        if duel is None:
            return
        self.play_this(duel, self.seat(duel, who), move)

    def play_this(self, duel: Kept, who: int, move: str) -> None:
        asked = pb.PlayHouseDuelRequest(duel_id=duel.id, move=MOVES[move])
        done = self.attempt(self.clients[who].duels.PlayHouseDuel(asked))
        may = duel.state == "choosing" and duel.sides[0] == who
        assert (done is not None) == may
        if may:
            [house] = DuelSide.select().where(
                DuelSide.duel_id == duel.id, DuelSide.round == duel.round, DuelSide.player_id == 0
            )
            self.decide(duel, move, WORDS[house.move])

    @rule(number=st.integers(0, 5), turns=st.lists(st.tuples(sides_, moves_), min_size=1, max_size=8))
    def go_on(self, number: int, turns: list[tuple[int, str]]) -> None:
        """What is next in one that is alive, several times: at random alone hardly any would be won."""
        alive = [duel for duel in self.duels if duel.state != "over"]
        for who, move in turns if alive else ():
            duel = alive[-1 - number % len(alive)]
            match duel.state:
                case "open":
                    self.accept_this(duel, who % 3, move)
                case "committing":
                    self.commit_this(duel, self.seat(duel, who), move)
                case "revealing":
                    self.reveal_this(duel, self.seat(duel, who), lies=False)
                case "choosing":
                    self.play_this(duel, self.seat(duel, who), move)

    # --- what happens to them ------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 1, 1, 30, 61, 301]))
    def time_passes(self, seconds: int) -> None:
        self.at += timedelta(seconds=seconds)

        async def keep() -> None:
            # The server looks as well; what it is at is passed over here, and not done yet.
            while due := await self.floor.database.run(limits.due):
                for duel_id in due:
                    await self.floor.database.run(limits.settle_due, duel_id)

        self.run(keep())
        for duel in self.duels:
            if duel.state != "over" and duel.due <= self.at:
                ready = duel.shown if duel.state == "revealing" else set(duel.made)
                waits = duel.state in ("revealing", "committing")
                self.end(duel, next(iter(ready)) if waits and len(ready) == 1 else None)

    async def call_off(self, duel: Kept) -> object:
        self.floor.forget_operator()  # time has passed, and with it a sign-in
        operator = await self.floor.operator()
        return await operator.duels.CallOffDuel(pb.CallOffDuelRequest(duel_id=duel.id, reason="x"))

    @precondition(lambda self: len(self.duels) % 4 == 3)  # else it would end most of them
    @rule(number=st.integers(0, 5))
    def operator_calls_off(self, number: int) -> None:
        duel = self.pick(number)
        assert duel is not None

        done = self.attempt(self.call_off(duel))
        assert (done is not None) == (duel.state != "over")
        if done is not None:
            self.end(duel, None)

    @precondition(lambda self: self.duels and Duels.restarts < MOST_RESTARTS)
    @rule()
    def restart(self) -> None:
        Duels.restarts += 1
        self.steps.restart()

        async def sign_in() -> None:
            self.clients = [await self.floor.sign_in(name) for name in self.names]

        self.run(sign_in())

    # --- the rules, told a second time ---------------------------------------------------------

    def wait(self, duel: Kept, state: str) -> None:
        duel.state, duel.due = state, self.at + timedelta(seconds=MOVE_SECONDS)

    def decide(self, duel: Kept, mine: str, other: str) -> None:
        won = winner(mine, other)
        if won:
            self.end(duel, duel.sides[won - 1])
        elif duel.plays_on and duel.round < duel.most:
            duel.round += 1
            duel.made, duel.shown = {}, set()
            self.wait(duel, "choosing" if duel.sides[1] == HOUSE else "committing")
        else:
            self.end(duel, None)

    def end(self, duel: Kept, won_by: int | None) -> None:
        was_open, duel.state = duel.state == "open", "over"
        if won_by is None:
            for side in duel.sides[: 1 if was_open else 2]:
                if side is not None and side != HOUSE:
                    self.cash[side] += duel.stake
        elif won_by != HOUSE:
            self.cash[won_by] += 2 * duel.stake - -(-duel.stake * duel.bps // 10_000)

    @invariant()
    def everybody_has_what_the_rules_say(self) -> None:
        if not hasattr(self, "clients"):
            return
        held = sum(
            duel.stake * (1 if duel.state == "open" else 2) for duel in self.duels if duel.state != "over"
        )
        names = ", ".join(f"'{name}'" for name in self.names)
        found = dict(
            self.floor.rows(
                "SELECT p.name, a.balance FROM accounts a JOIN players p ON p.id = a.owner_id "
                f"WHERE p.name IN ({names}) AND a.asset = 0 AND a.kind = 'player'"
            )
        )
        assert [found[name] for name in self.names] == self.cash
        escrow = self.floor.rows("SELECT balance FROM accounts WHERE kind = 'escrow'")
        assert escrow == [(held,)]

    def teardown(self) -> None:
        if hasattr(self, "clients"):
            for duel in self.duels:
                if duel.state != "over":
                    self.run(self.call_off(duel))
                got = pb.GetDuelRequest(duel_id=duel.id)
                found = self.run(self.clients[0].duels.GetDuel(got)).duel
                assert all(finding.holds for finding in verify(found)), (found, verify(found))
            self.floor.prove()
        clock.use(None)


@pytest.mark.timeout(240)
def test_whatever_duelists_do_everybody_has_what_the_rules_say(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock jumps here; on a busy machine that could pass for an absence.
    monkeypatch.setattr(limits, "AWAY_SECONDS", 10**9)

    play(Duels, steps, 10)
