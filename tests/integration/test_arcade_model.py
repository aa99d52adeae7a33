"""Machines, booths and debts against a model: each answer is foretold, and each cent is where it belongs."""

from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from bearpit.client import BearpitError, Client
from bearpit.v1 import admin_pb2, booths_pb2, wallet_pb2
from bearpit.v1 import arcade_pb2 as pb
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from tests.integration.floor import Steps
from tests.integration.machines import Machine, play

T = TypeVar("T")
_numbers = count(1)
LIMITS = {
    "play_take_cents": 400, "play_give_cents": 500, "player_day_take_cents": 900,
    "player_day_give_cents": 800, "day_take_cents": 1_500, "day_give_cents": 1_300,
}  # fmt: skip
REWARD = 70
AMOUNTS = st.one_of(
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from([400, 401, 500, 501]),
    st.sampled_from([0, 10**15, 2**63 - 1]),
)
REHEARSE = st.sampled_from([False, False, False, True])


@dataclass
class Person:
    """What somebody must have."""

    name: str
    client: Client
    cash: int = 1_000
    debt: int = 0
    visited: bool = False

    def get(self, cents: int) -> None:
        """Debt is repaid first."""
        repaid = min(cents, self.debt)
        self.debt -= repaid
        self.cash += cents - repaid


@dataclass
class Done:
    """A transaction that was made."""

    who: int
    take: bool
    cents: int
    score: int
    voided: bool = False


class Model(Machine):
    """Two players, a machine, a booth."""

    def run(self, call: Awaitable[T]) -> T | str:
        """The answer, or the reason of the refusal."""

        async def answer() -> T:
            return await call

        try:
            return self.steps.run(answer())
        except BearpitError as refusal:
            return refusal.reason

    @initialize()
    def furnish(self) -> None:
        self.number = next(_numbers)
        self.done: dict[str, Done] = {}

        async def open_up() -> None:
            self.operator = await self.steps.floor.operator()
            made = await self.operator.arcade.CreateMachine(
                pb.CreateMachineRequest(name=f"machine{self.number}", limits=pb.MachineLimits(**LIMITS))
            )
            self.machine = await self.steps.floor.client()
            self.machine.use_service_token(made.secret)
            booth = await self.operator.booths.CreateBooth(
                booths_pb2.CreateBoothRequest(name=f"booth{self.number}", reward_cents=REWARD)
            )
            self.password = booth.password
            self.people = [
                Person(f"p{self.number}-{n}", await self.steps.floor.player(f"p{self.number}-{n}", 1_000))
                for n in range(2)
            ]

        self.steps.run(open_up())
        # One of each kind, so that none is left to chance.
        self.owe(1, 300)
        self.transact(False, 1, 100, 0, 0, False)
        self.transact(True, 0, 50, 0, 1, False)
        self.void(1, False)
        self.visit(0, False)

    def passes(self, take: bool, who: int, cents: int) -> bool:
        """Whether the limits let so much pass."""
        way = "take" if take else "give"
        used: Counter[int] = Counter()
        for one in self.done.values():
            if one.take == take and not one.voided:
                used[one.who] += one.cents
        return (
            cents <= LIMITS[f"play_{way}_cents"]
            and used[who] + cents <= LIMITS[f"player_day_{way}_cents"]
            and used.total() + cents <= LIMITS[f"day_{way}_cents"]
        )

    def ask(self, take: bool, who: int, cents: int, score: int, id_: str, rehearse: bool) -> object:
        person = self.people[who]
        common = {
            "player": person.name, "amount_cents": cents, "transaction_id": id_, "validate_only": rehearse
        }  # fmt: skip
        if take:
            return self.run(self.machine.arcade.TakePoints(pb.TakePointsRequest(**common)))  # type: ignore[arg-type]
        give = pb.GivePointsRequest(**common, score=score)  # type: ignore[arg-type]
        return self.run(self.machine.arcade.GivePoints(give))

    @rule(
        take=st.booleans(), who=st.integers(0, 1), cents=AMOUNTS, score=st.integers(0, 1),
        id_=st.integers(0, 20), rehearse=REHEARSE,
    )  # fmt: skip
    def transact(self, take: bool, who: int, cents: int, score: int, id_: int, rehearse: bool) -> None:
        person, wanted = self.people[who], Done(who, take, cents, 0 if take else score)
        outcome = self.ask(take, who, cents, wanted.score, f"t{id_}", rehearse)
        earlier = self.done.get(f"t{id_}")
        if not 1 <= cents <= 10**15:
            assert outcome == "INVALID_FIELD"
        elif earlier is not None:
            same = (earlier.who, earlier.take, earlier.cents, earlier.score)
            if same == (who, take, cents, wanted.score):
                assert not isinstance(outcome, str)
            else:
                assert outcome == "REQUEST_ID_REUSED"
        elif not self.passes(take, who, cents):
            assert outcome == "LIMIT_EXCEEDED"
        elif take and cents > person.cash:
            assert outcome == "INSUFFICIENT_FUNDS"
        else:
            assert not isinstance(outcome, str), outcome
            if not rehearse:
                self.done[f"t{id_}"] = wanted
                if take:
                    person.cash -= cents
                else:
                    person.get(cents)

    @rule(pick=st.integers(0, 1_000), rehearse=REHEARSE)
    def void(self, pick: int, rehearse: bool) -> None:
        id_ = [*sorted(self.done), "nothing"][pick % (len(self.done) + 1)]
        request = pb.VoidTransactionRequest(
            machine=f"machine{self.number}", transaction_id=id_, reason="a test", validate_only=rehearse
        )
        outcome = self.run(self.operator.arcade.VoidTransaction(request))
        earlier = self.done.get(id_)
        if earlier is None:
            assert outcome == "NOT_FOUND"
        elif earlier.voided:
            assert outcome == "NOT_POSSIBLE_NOW"
        elif not earlier.take and earlier.cents > self.people[earlier.who].cash:
            assert outcome == "INSUFFICIENT_FUNDS"
        else:
            assert not isinstance(outcome, str), outcome
            if not rehearse:
                earlier.voided = True
                if earlier.take:
                    self.people[earlier.who].get(earlier.cents)
                else:
                    self.people[earlier.who].cash -= earlier.cents

    @rule(who=st.integers(0, 1), rehearse=REHEARSE)
    def visit(self, who: int, rehearse: bool) -> None:
        person = self.people[who]
        request = booths_pb2.VisitBoothRequest(
            booth=f"booth{self.number}", password=self.password, player=person.name, validate_only=rehearse
        )
        outcome = self.run(self.machine.booths.VisitBooth(request))
        if person.visited:
            assert outcome == "ALREADY_VISITED"
        else:
            assert not isinstance(outcome, str), outcome
            if not rehearse:
                person.visited = True
                person.get(REWARD)

    @rule(who=st.integers(0, 1), cents=st.integers(0, 600))
    def owe(self, who: int, cents: int) -> None:
        person = self.people[who]
        request = admin_pb2.SetDebtRequest(name=person.name, debt_cents=cents, reason="a test")
        assert not isinstance(self.run(self.operator.admin.SetDebt(request)), str)
        person.debt = cents

    @invariant()
    def everybody_has_what_the_model_says(self) -> None:
        if not hasattr(self, "people"):
            return
        for person in self.people:
            answer = self.run(person.client.wallet.GetWallet(wallet_pb2.GetWalletRequest()))
            assert not isinstance(answer, str)
            assert (answer.wallet.cash_cents, answer.wallet.debt_cents) == (person.cash, person.debt)
        assert self.steps.floor.balances_off_zero() == []

    def teardown(self) -> None:
        if not self.done:
            return
        answer = self.run(self.machine.arcade.GetStatement(pb.GetStatementRequest(days=1)))
        assert not isinstance(answer, str)
        holds = [one for one in self.done.values() if not one.voided]
        [day] = answer.days
        assert (day.taken_cents, day.given_cents) == (
            sum(one.cents for one in holds if one.take),
            sum(one.cents for one in holds if not one.take),
        )
        assert (day.takes + day.gives, day.voided) == (len(holds), len(self.done) - len(holds))
        assert day.players == len({one.who for one in holds})


def test_machines_and_booths_do_what_the_model_foretells(steps: Steps) -> None:
    play(Model, steps, 6, step_count=30)
    told = dict(steps.floor.rows("SELECT reason, count(*) FROM postings GROUP BY 1"))
    assert {"arcade_play", "arcade_prize", "arcade_void", "booth", "repayment"} <= told.keys(), told
