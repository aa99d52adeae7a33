"""A camp does as it pleases around the market: whatever is played and owed, every cent is accounted for."""

from collections.abc import Coroutine
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from bearpit.client import Client
from bearpit.client.duels import MOVES, Duelist, Secrets
from bearpit.v1 import admin_pb2, arcade_pb2, booths_pb2, codes_pb2, wallet_pb2
from bearpit.v1 import duels_pb2 as duels
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.integration.floor import Steps
from tests.integration.machines import play
from tests.integration.test_economy import EXPECTED_REFUSALS, Economy, Trader

REFUSALS = {
    "NOT_POSSIBLE_NOW",
    "ALREADY_EXISTS",
    "NOT_BROKE",
    "NOT_FOUND",
    "PLAYER_FROZEN",
    "DUEL_WITH_SELF",
    "TOO_LATE",
    "CODE_USED_UP",
    "CODE_ALREADY_REDEEMED",
    "DUEL_TAKEN",
    "NOT_YOUR_DUEL",
    "ALREADY_VISITED",
}
"""What else may be said no to for a good reason."""
_numbers = count(1)


class Camp(Economy):
    """The economy's players duel, redeem codes, visit a booth, play machines, and begin again."""

    refusals = EXPECTED_REFUSALS | REFUSALS
    folder: Path
    machine: Client

    @initialize()
    def open_the_camp(self) -> None:
        self.duels: dict[int, list[Trader]] = {}
        """Who staked in each duel."""
        self.booth = f"booth{next(_numbers)}"
        self.code = ""

        async def furnish() -> None:
            operator = await self.floor.operator()
            made = await operator.booths.CreateBooth(booths_pb2.CreateBoothRequest(name=self.booth))
            self.booth_password = made.password
            name = f"machine{next(_numbers)}"
            token = await operator.arcade.CreateMachine(arcade_pb2.CreateMachineRequest(name=name))
            self.machine_secret = token.secret
            await self.connect_machine()

        self.run(furnish())

    async def connect_machine(self) -> None:
        self.machine = await self.floor.client()
        self.machine.use_service_token(self.machine_secret)

    async def sign_in(self) -> None:
        await super().sign_in()
        if hasattr(self, "machine_secret"):  # after a restart
            await self.connect_machine()

    def duelist(self, who: int) -> Duelist:
        return Duelist(self.traders[who].client, Secrets(self.folder / self.traders[who].name))

    moves = st.sampled_from(sorted(MOVES))

    @rule(who=Economy.traders_, to=st.integers(-1, 2), cents=st.integers(100, 5_000), move=moves)
    def challenge(self, who: int, to: int, cents: int, move: str) -> None:
        opponent = "" if to < 0 else self.traders[to].name
        made = self.attempt(self.duelist(who).challenge(cents, move, opponent))
        if made is not None:
            self.duels[made.duel.duel_id] = [self.traders[who]]
            self.traders[who].cash -= cents

    @rule(who=Economy.traders_, pick=st.integers(0, 1_000), move=moves)
    def accept(self, who: int, pick: int, move: str) -> None:
        duel_id = self.some_duel(pick)
        if duel_id and (made := self.attempt(self.duelist(who).accept(duel_id, move))) is not None:
            self.duels[duel_id].append(self.traders[who])
            self.traders[who].cash -= made.duel.stake_cents

    @rule(who=Economy.traders_, pick=st.integers(0, 1_000), move=moves)
    def reveal_or_commit(self, who: int, pick: int, move: str) -> None:
        duel_id = self.some_duel(pick)
        if not duel_id:
            return
        duel = self.duel(who, duel_id)
        duelist = self.duelist(who)
        if duelist.may_reveal(duel) is not None:
            self.settle(duel, self.attempt(duelist.reveal(duel)))
        elif duel.state == duels.DUEL_STATE_COMMITTING:
            self.attempt(duelist.commit(duel, move))

    @rule(who=Economy.traders_, pick=st.integers(0, 1_000))
    def take_back(self, who: int, pick: int) -> None:
        duel_id = self.some_duel(pick)
        if duel_id:
            before = self.duel(who, duel_id)
            request = duels.CancelDuelRequest(duel_id=duel_id)
            done = self.attempt(self.traders[who].client.duels.CancelDuel(request))
            self.settle(before, done.duel if done else None)

    @rule(
        who=Economy.traders_, to=Economy.traders_, cents=st.integers(100, 5_000), mine=moves, yours=moves,
        reveals=st.lists(st.booleans(), min_size=2, max_size=2),
    )  # fmt: skip
    def duel_at_once(self, who: int, to: int, cents: int, mine: str, yours: str, reveals: list[bool]) -> None:
        """Challenge, accept, and reveal, or only one of them."""
        known = {*self.duels}
        self.challenge(who, to, cents, mine)
        for duel_id in self.duels.keys() - known:
            place = sorted(self.duels)[-4:].index(duel_id)
            self.accept(to, place, yours)
            for side, reveal in zip((who, to), reveals, strict=True):
                if reveal:
                    self.reveal_or_commit(side, place, mine)

    @rule(who=Economy.traders_, cents=st.integers(100, 5_000), move=moves)
    def duel_against_chance(self, who: int, cents: int, move: str) -> None:
        trader = self.traders[who]
        opened = self.attempt(
            trader.client.duels.OpenHouseDuel(duels.OpenHouseDuelRequest(stake_cents=cents))
        )
        if opened is None:
            return
        self.duels[opened.duel.duel_id] = [trader]
        trader.cash -= cents
        played = self.attempt(self.duelist(who).play_house(opened.duel.duel_id, move))
        self.settle(opened.duel, played)

    def some_duel(self, pick: int) -> int:
        ids = sorted(self.duels)[-4:]
        return ids[pick % len(ids)] if ids else 0

    def duel(self, who: int, duel_id: int) -> duels.Duel:
        request = duels.GetDuelRequest(duel_id=duel_id)
        found: duels.GetDuelResponse = self.run(self.traders[who].client.duels.GetDuel(request))
        return found.duel

    def settle(self, before: duels.Duel, after: duels.Duel | None) -> None:
        """Pay out in the model, when what was done has ended the duel."""
        ended = duels.DUEL_STATE_SETTLED
        if after is None or after.state != ended or before.state == ended:
            return
        for trader in self.duels[after.duel_id]:
            if not after.winner_name:
                trader.cash += after.stake_cents
            elif trader.name == after.winner_name:
                trader.cash += after.paid_cents

    @rule(cents=st.integers(1, 9_000), use=st.sampled_from([1, 2, 3]))
    def make_a_code(self, cents: int, use: Any) -> None:
        request = codes_pb2.CreateCodesRequest(
            reward=codes_pb2.Reward(points_cents=cents),
            use=use,
            max_uses=2 if use == codes_pb2.CODE_USE_LIMITED else 0,
            count=1,
            reason="for the fuzz",
        )

        async def make() -> str:
            made = await (await self.floor.operator()).codes.CreateCodes(request)
            listed = await (await self.floor.operator()).codes.GetBatch(
                codes_pb2.GetBatchRequest(batch_id=made.batch.batch_id)
            )
            return listed.codes[0].text

        self.code, self.code_cents = self.run(make()), cents
        self.redeem(0)
        self.redeem(1)

    @rule(who=Economy.traders_)
    def redeem(self, who: int) -> None:
        if not self.code:
            return
        request = codes_pb2.RedeemCodeRequest(code=self.code)
        if self.attempt(self.traders[who].client.codes.RedeemCode(request)) is not None:
            self.traders[who].cash += self.code_cents

    @rule(who=Economy.traders_)
    def visit(self, who: int) -> None:
        request = booths_pb2.VisitBoothRequest(
            booth=self.booth, password=self.booth_password, player=self.traders[who].name
        )

        async def volunteer() -> booths_pb2.VisitBoothResponse:
            return await (await self.floor.client()).booths.VisitBooth(request)

        if (done := self.attempt(volunteer())) is not None:
            self.traders[who].cash += done.visit.reward_cents

    @rule(who=Economy.traders_, cents=st.integers(1, 3_000), score=st.integers(0, 3_000))
    def play(self, who: int, cents: int, score: int) -> None:
        trader, id_ = self.traders[who], str(next(_numbers))
        take = arcade_pb2.TakePointsRequest(player=trader.name, amount_cents=cents, transaction_id=f"p{id_}")
        for _ in range(2):  # the machine lost the first answer
            taken = self.attempt(self.machine.arcade.TakePoints(take))
        if taken is not None:
            trader.cash -= cents
        if taken is not None and score:
            give = arcade_pb2.GivePointsRequest(
                player=trader.name, amount_cents=score, score=score, transaction_id=f"g{id_}"
            )
            self.run(self.machine.arcade.GivePoints(give))
            trader.cash += score

    @rule(who=Economy.traders_)
    def begin_again(self, who: int) -> None:
        self.attempt(self.traders[who].client.wallet.TakeComebackLoan(wallet_pb2.TakeComebackLoanRequest()))

    @rule(who=Economy.traders_, frozen=st.booleans())
    def freeze(self, who: int, frozen: bool) -> None:
        """Frozen orders are cancelled; thawed at once, so that the others go on."""

        async def both() -> None:
            operator = await self.floor.operator()
            for state in (True, False) if frozen else (False,):
                request = admin_pb2.SetFrozenRequest(
                    name=self.traders[who].name, frozen=state, reason="for the fuzz"
                )
                await operator.admin.SetFrozen(request)

        self.run(both())


def with_limits(steps: Steps) -> Coroutine[Any, Any, None]:
    """Draws are played on, the house has a share, and nobody is slowed down."""

    async def set_up() -> None:
        request = admin_pb2.UpdateSettingsRequest(
            values={
                "duel_draws": "play_on",
                "duel_house_bps": "333",
                "duel_max_open": "1000",
                "booth_visits_per_minute": "0",
                "redeem_guesses_per_minute": "0",
                "redeem_guesses_per_minute_address": "0",
                "comeback_most": "1000",
            }
        )
        await (await steps.floor.operator()).admin.UpdateSettings(request)

    return set_up()


@pytest.mark.timeout(240)
def test_whatever_a_camp_does_every_cent_is_accounted_for(steps: Steps, tmp_path: Path) -> None:
    steps.run(with_limits(steps))
    play(Camp, steps, 6, folder=tmp_path)
    # That it came to something: which of them a run has, chance decides.
    reasons = {reason for (reason,) in steps.floor.rows("SELECT DISTINCT reason FROM postings")}
    assert len(reasons) >= 8, reasons
