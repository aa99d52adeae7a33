"""Any sequence of making, redeeming and withdrawing codes comes to what a few lines say, to the cent."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from bearpit.client import BearpitError, Client
from bearpit.v1 import codes_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.floor import Steps
from tests.integration.machines import bounds
from tests.postgres import Postgres

PLAYERS = 3
USES = {
    1: (pb.CODE_USE_SINGLE, 0),
    2: (pb.CODE_USE_LIMITED, 2),
    3: (pb.CODE_USE_PER_PLAYER, 0),
}
MADE = st.tuples(st.just("make"), st.sampled_from([1, 2, 3]), st.integers(1, 10**7))
REDEEMED = st.tuples(st.just("redeem"), st.integers(0, PLAYERS - 1), st.integers(0, 9))
REHEARSED = st.tuples(st.just("rehearse"), st.integers(0, PLAYERS - 1), st.integers(0, 9))
WITHDRAWN = st.tuples(st.just("withdraw"), st.integers(0, 9), st.just(0))
ACTIONS = st.lists(st.one_of(MADE, REDEEMED, REDEEMED, REDEEMED, REHEARSED, WITHDRAWN), max_size=25)


@dataclass
class Model:
    """A code as it should be."""

    text: str
    batch_id: int
    most: int
    cents: int
    withdrawn: bool = False
    by: list[int] = field(default_factory=list)

    def answer(self, player: int) -> str:
        """The reason to refuse it to a player; "": none."""
        if self.withdrawn:
            return "CODE_WITHDRAWN"
        if player in self.by:
            return "CODE_ALREADY_REDEEMED"
        return "CODE_USED_UP" if len(self.by) >= self.most else ""


@pytest.fixture(scope="module")
def steps(postgres: Postgres) -> Iterator[Steps]:
    with Steps(postgres).opened() as made:
        yield made


def test_codes_bring_what_a_few_lines_say(steps: Steps) -> None:
    people = [steps.run(steps.floor.trader(0)) for _ in range(PLAYERS)]
    operator = steps.run(steps.floor.operator())
    cash = [0] * PLAYERS

    async def make(use: int, cents: int) -> Model:
        kind, most = USES[use]
        request = pb.CreateCodesRequest(
            reward=pb.Reward(points_cents=cents), use=kind, max_uses=most, count=1, reason="any"
        )
        batch = (await operator.codes.CreateCodes(request)).batch
        answer = await operator.codes.GetBatch(pb.GetBatchRequest(batch_id=batch.batch_id))
        return Model(answer.codes[0].text, batch.batch_id, {1: 1, 2: 2, 3: PLAYERS}[use], cents)

    async def redeem(client: Client, text: str, rehearse: bool) -> tuple[str, int]:
        try:
            answer = await client.codes.RedeemCode(pb.RedeemCodeRequest(code=text, validate_only=rehearse))
        except BearpitError as error:
            return error.reason, 0
        return "", answer.free_cash_after_cents

    @bounds(20)
    @given(ACTIONS)
    def play(actions: list[tuple[str, int, int]]) -> None:
        codes: list[Model] = []
        for kind, first, second in actions:
            if kind == "make":
                codes.append(steps.run(make(first, second)))
            elif not codes:
                continue
            elif kind == "withdraw":
                code = codes[first % len(codes)]
                if not code.withdrawn:
                    request = pb.WithdrawBatchRequest(batch_id=code.batch_id)
                    assert steps.run(withdraw(operator, request)) == len(code.by)
                code.withdrawn = True
            else:
                code = codes[second % len(codes)]
                wanted = code.answer(first)
                found, after = steps.run(redeem(people[first], code.text, kind == "rehearse"))
                assert found == wanted
                if not wanted:
                    assert after == cash[first] + code.cents
                    if kind == "redeem":
                        code.by.append(first)
                        cash[first] += code.cents
        assert [steps.run(cash_of(steps, client)) for client in people] == cash
        steps.floor.prove()

    play()


async def withdraw(operator: Client, request: pb.WithdrawBatchRequest) -> int:
    return (await operator.codes.WithdrawBatch(request)).batch.redemption_count


async def cash_of(steps: Steps, client: Client) -> int:
    return (await steps.floor.wallet(client)).cash_cents
