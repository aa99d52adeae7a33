"""ArcadeService through gRPC: each transaction once, within the limits, and undone at most once."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import grpc
import pytest
from bearpit.client import BearpitError, Client, Timing
from bearpit.client.arcade import Machine
from bearpit.v1 import admin_pb2, wallet_pb2
from bearpit.v1 import arcade_pb2 as pb
from bearpit_server.game.proofs import doctor
from bearpit_server.storage import clock

from tests.integration.floor import SHARED
from tests.venue import Venue, refused, serving

INT64 = 2**63 - 1
_numbers = count(1)
WIDE = {
    "play_take_cents": 10**15, "play_give_cents": 10**15, "player_day_take_cents": 10**15,
    "player_day_give_cents": 10**15, "day_take_cents": 10**15, "day_give_cents": 10**15,
}  # fmt: skip


async def machine(floor: Venue, name: str, **limits: int) -> Client:
    """A new machine's client."""
    operator = await floor.operator()
    request = pb.CreateMachineRequest(name=name, limits=pb.MachineLimits(**(WIDE | limits)))
    made = await operator.arcade.CreateMachine(request)
    client = await floor.client()
    client.use_service_token(made.secret)
    return client


@dataclass(frozen=True)
class Player:
    """Somebody with a client of his own."""

    name: str
    client: Client


async def player(floor: Venue, cash_cents: int = 100_000) -> Player:
    client = await floor.trader(cash_cents)
    assert client.player is not None
    return Player(client.player.name, client)


async def take(client: Client, who: Player, cents: int, id_: str, **more: object) -> pb.Transaction:
    request = pb.TakePointsRequest(player=who.name, amount_cents=cents, transaction_id=id_, **more)  # type: ignore[arg-type]
    return (await client.arcade.TakePoints(request)).transaction


async def give(client: Client, who: Player, cents: int, id_: str, **more: object) -> pb.Transaction:
    request = pb.GivePointsRequest(player=who.name, amount_cents=cents, transaction_id=id_, **more)  # type: ignore[arg-type]
    return (await client.arcade.GivePoints(request)).transaction


async def void(floor: Venue, name: str, id_: str, **more: object) -> pb.Transaction:
    operator = await floor.operator()
    request = pb.VoidTransactionRequest(machine=name, transaction_id=id_, reason="a test", **more)  # type: ignore[arg-type]
    return (await operator.arcade.VoidTransaction(request)).transaction


async def cash(floor: Venue, who: Player) -> int:
    return (await floor.wallet(who.client)).cash_cents


@SHARED
async def test_a_play_costs_points_and_a_score_brings_some(floor: Venue) -> None:
    pinball, ada = await machine(floor, "pinball"), await player(floor)
    taken = await take(pinball, ada, 500, "p1", note="two balls")
    assert (taken.machine, taken.kind, taken.amount_cents) == ("pinball", pb.TRANSACTION_KIND_TAKE, 500)
    given = await give(pinball, ada, 1_200, "s1", score=88)
    assert (given.kind, given.score, given.player) == (pb.TRANSACTION_KIND_GIVE, 88, ada.name)
    assert await cash(floor, ada) == 100_000 - 500 + 1_200
    postings = (await ada.client.wallet.ListPostings(wallet_pb2.ListPostingsRequest())).postings
    assert [(one.reason, one.amount, one.note, one.reference) for one in postings[:2]] == [
        ("arcade_prize", 1_200, "pinball", f"arcade:{given.number}"),
        ("arcade_play", -500, "two balls", f"arcade:{taken.number}"),
    ]
    kinds = floor.rows("SELECT type FROM events WHERE type IN ('arcade.taken', 'arcade.given') ORDER BY id")
    assert [kind for (kind,) in kinds] == ["arcade.taken", "arcade.given"]


@SHARED
async def test_the_same_transaction_fifty_times_at_once_is_one(floor: Venue) -> None:
    pinball, ada = await machine(floor, "fifty"), await player(floor)
    async with serving(floor.database) as second:
        other = await second.client()
        other.use_service_token(pinball._session._service_secret)
        for act, change in ((take, -700), (give, 700)):
            before = await cash(floor, ada)
            answers = await asyncio.gather(
                *[act((pinball, other)[n % 2], ada, 700, act.__name__) for n in range(50)]
            )
            assert len({answer.SerializeToString() for answer in answers}) == 1
            assert await cash(floor, ada) == before + change
    assert floor.rows("SELECT count(*) FROM events WHERE payload->>'machine' = 'fifty'") == [(2,)]


@SHARED
async def test_the_same_id_with_other_content_is_refused_even_at_once(floor: Venue) -> None:
    pinball, ada, bob = await machine(floor, "reuse"), await player(floor), await player(floor)
    await take(pinball, ada, 500, "x", note="a")
    for call in (
        take(pinball, ada, 501, "x", note="a"),
        take(pinball, ada, 500, "x", note="b"),
        take(pinball, bob, 500, "x", note="a"),
        give(pinball, ada, 500, "x", note="a"),
    ):
        assert (await refused(call)).reason == "REQUEST_ID_REUSED"
    again = await take(pinball, Player(ada.name.upper(), ada.client), 500, "x", note="a")
    assert again.player == ada.name
    answers = await asyncio.gather(
        *[give(pinball, (ada, bob)[n % 2], 10, "y") for n in range(50)], return_exceptions=True
    )
    done = [answer for answer in answers if isinstance(answer, pb.Transaction)]
    reasons = {answer.reason for answer in answers if isinstance(answer, BearpitError)}
    assert (len(done), len({one.number for one in done}), reasons) == (25, 1, {"REQUEST_ID_REUSED"})
    other = await machine(floor, "reuse2")  # another machine's ids are its own
    assert (await take(other, ada, 1, "x")).machine == "reuse2"


@SHARED
async def test_fifty_plays_at_once_take_no_more_than_there_is(floor: Venue) -> None:
    pinball, ada = await machine(floor, "greedy"), await player(floor, 10_000)
    answers = await asyncio.gather(
        *[take(pinball, ada, 900, f"p{n}") for n in range(50)], return_exceptions=True
    )
    errors = [answer for answer in answers if isinstance(answer, BearpitError)]
    assert len(errors) == 50 - 11
    assert {error.reason for error in errors} == {"INSUFFICIENT_FUNDS"}
    assert all(error.metadata == {} for error in errors)  # a machine does not learn how much there is
    assert await cash(floor, ada) == 100


@pytest.mark.parametrize("act", [take, give])
@SHARED
async def test_limits_hold_to_the_cent_each_way(floor: Venue, act: object) -> None:
    kind = "take" if act is take else "give"
    limits = {f"play_{kind}_cents": 50, f"player_day_{kind}_cents": 120, f"day_{kind}_cents": 200}
    pinball = await machine(floor, f"limited-{kind}", **limits)
    ada, bob = await player(floor), await player(floor)

    async def limit_of(who: Player, cents: int, id_: str) -> str:
        error = await refused(act(pinball, who, cents, id_))  # type: ignore[operator]
        assert error.reason == "LIMIT_EXCEEDED"
        return error.metadata["limit"]

    assert await limit_of(ada, 51, "a") == f"play_{kind}_cents"
    for id_, cents in (("1", 50), ("2", 50), ("3", 20)):
        await act(pinball, ada, cents, id_)  # type: ignore[operator]
    assert await limit_of(ada, 1, "b") == f"player_day_{kind}_cents"
    await act(pinball, bob, 50, "4")  # type: ignore[operator]
    assert await limit_of(bob, 31, "c") == f"day_{kind}_cents"
    await act(pinball, bob, 30, "5")  # type: ignore[operator]
    assert await limit_of(bob, 1, "d") == f"day_{kind}_cents"
    await void(floor, f"limited-{kind}", "5")  # what is undone does not count
    await act(pinball, bob, 30, "6")  # type: ignore[operator]


@SHARED
async def test_fifty_at_once_do_not_slip_through_a_days_limit(floor: Venue) -> None:
    pinball, ada = await machine(floor, "rushed", player_day_give_cents=1_000), await player(floor)
    answers = await asyncio.gather(
        *[give(pinball, ada, 300, f"s{n}") for n in range(50)], return_exceptions=True
    )
    assert sum(isinstance(answer, pb.Transaction) for answer in answers) == 3
    assert await cash(floor, ada) == 100_900


@SHARED
async def test_the_day_ends_at_midnight_where_the_market_is(floor: Venue, ordinary: None) -> None:
    await floor.schedule(
        days=range(1, 8), opens="00:00", closes="23:59", pre_open_minutes=0, time_zone="Asia/Taipei"
    )
    pinball, ada = await machine(floor, "nightly", player_day_take_cents=100), await player(floor)
    midnight = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
    clock.use(lambda: midnight - timedelta(microseconds=1))
    await take(pinball, ada, 100, "before")
    assert (await refused(take(pinball, ada, 1, "late"))).reason == "LIMIT_EXCEEDED"
    clock.use(lambda: midnight)
    await take(pinball, ada, 60, "after")
    await give(pinball, ada, 70, "won")
    answer = await pinball.arcade.GetStatement(pb.GetStatementRequest())
    assert answer.time_zone == "Asia/Taipei"
    assert [(day.date, day.takes, day.taken_cents, day.gives, day.given_cents) for day in answer.days] == [
        ("2026-11-21", 1, 60, 1, 70),
        ("2026-11-20", 1, 100, 0, 0),
    ]
    assert [day.date for day in (await pinball.arcade.GetStatement(pb.GetStatementRequest(days=1))).days] == [
        "2026-11-21"
    ]


@SHARED
async def test_limits_are_the_games_where_the_machine_has_none(floor: Venue, ordinary: None) -> None:
    operator = await floor.operator()
    made = await operator.arcade.CreateMachine(
        pb.CreateMachineRequest(name="plain", limits=pb.MachineLimits(play_give_cents=0))
    )
    assert made.machine.limits.play_take_cents == 10_000
    assert not made.machine.own_limits.HasField("play_take_cents")
    pinball, ada = await floor.client(), await player(floor)
    pinball.use_service_token(made.secret)
    assert (await refused(give(pinball, ada, 1, "a"))).metadata["limit"] == "play_give_cents"
    await floor.settings(arcade_play_take_cents=7)
    assert (await refused(take(pinball, ada, 8, "b"))).metadata["allowed"] == "7"
    changed = await operator.arcade.UpdateMachine(
        pb.UpdateMachineRequest(
            name="PLAIN", limits=pb.MachineLimits(play_take_cents=9), clear_limits=["play_give_cents"]
        )
    )
    assert (changed.machine.limits.play_take_cents, changed.machine.limits.play_give_cents) == (9, 100_000)
    await take(pinball, ada, 8, "b")
    await give(pinball, ada, 1, "a")
    for clear in ("nothing", "play_take_cents"):
        request = pb.UpdateMachineRequest(
            name="plain", limits=pb.MachineLimits(play_take_cents=9), clear_limits=[clear]
        )
        assert (await refused(operator.arcade.UpdateMachine(request))).reason == "INVALID_FIELD"
    await floor.settings(arcade_play_take_cents=10_000)


@pytest.mark.parametrize(
    ("cents", "id_", "more", "reason"),
    [
        (0, "a", {}, "INVALID_FIELD"),
        (-1, "a", {}, "INVALID_FIELD"),
        (-INT64 - 1, "a", {}, "INVALID_FIELD"),
        (INT64, "a", {}, "INVALID_FIELD"),
        (10**15 + 1, "a", {}, "INVALID_FIELD"),
        (10**15, "a", {}, "INSUFFICIENT_FUNDS"),
        (1, "", {}, "INVALID_FIELD"),
        (1, "x" * 65, {}, "INVALID_FIELD"),
        (1, "a\nb", {}, "INVALID_FIELD"),
        (1, "a", {"note": "x" * 141}, "INVALID_FIELD"),
        (1, "a", {"note": "two\nlines"}, "INVALID_FIELD"),
    ],
)
@SHARED
async def test_what_cannot_be_is_refused(
    floor: Venue, cents: int, id_: str, more: dict[str, object], reason: str
) -> None:
    strict, ada = await machine(floor, f"strict-{next(_numbers)}"), await player(floor)
    assert (await refused(take(strict, ada, cents, id_, **more))).reason == reason
    assert await cash(floor, ada) == 100_000


@SHARED
async def test_scores_may_be_any_number_and_points_only_what_can_be_counted(floor: Venue) -> None:
    pinball, ada = await machine(floor, "rich"), await player(floor, 0)
    for score in (INT64, -INT64 - 1):
        assert (await give(pinball, ada, 1, f"s{score}", score=score)).score == score
    await give(pinball, ada, 10**15 - 2, "big")
    assert (await refused(give(pinball, ada, 1, "more"))).reason == "LIMIT_EXCEEDED"
    await take(pinball, ada, 10**15, "all")
    assert await cash(floor, ada) == 0


@SHARED
async def test_who_is_frozen_or_disabled_or_nobody_does_not_play(floor: Venue) -> None:
    operator, pinball = await floor.operator(), await machine(floor, "closed")
    ada, bob = await player(floor), await player(floor)
    await operator.admin.SetFrozen(admin_pb2.SetFrozenRequest(name=ada.name, frozen=True, reason="a test"))
    await operator.admin.SetPlayerDisabled(admin_pb2.SetPlayerDisabledRequest(name=bob.name, disabled=True))
    for act in (take, give):
        assert (await refused(act(pinball, ada, 1, "a"))).reason == "PLAYER_FROZEN"
        assert (await refused(act(pinball, bob, 1, "b"))).reason == "PLAYER_DISABLED"
        nobody = Player("nobody", ada.client)
        assert (await refused(act(pinball, nobody, 1, "c"))).reason == "NOT_FOUND"
    await operator.admin.SetFrozen(admin_pb2.SetFrozenRequest(name=ada.name, frozen=False, reason="a test"))
    await take(pinball, ada, 1, "a")
    await operator.arcade.UpdateMachine(pb.UpdateMachineRequest(name="closed", active=False))
    assert (await refused(take(pinball, ada, 1, "d"))).reason == "NOT_POSSIBLE_NOW"
    assert (await take(pinball, ada, 1, "a")).number > 0  # what was done is told all the same


@SHARED
async def test_a_prize_repays_debt_and_a_debtor_may_still_win(floor: Venue) -> None:
    operator, pinball, ada = await floor.operator(), await machine(floor, "kind"), await player(floor, 0)
    await operator.admin.SetDebt(admin_pb2.SetDebtRequest(name=ada.name, debt_cents=300, reason="a test"))
    await give(pinball, ada, 1_000, "win")
    wallet = await floor.wallet(ada.client)
    assert (wallet.debt_cents, wallet.cash_cents) == (0, 700)


@SHARED
async def test_a_rehearsal_tells_whether_it_could_be_done(floor: Venue) -> None:
    pinball, ada = await machine(floor, "rehearsing"), await player(floor, 100)
    assert (await take(pinball, ada, 100, "a", validate_only=True)).number == 0
    assert (await refused(take(pinball, ada, 101, "a", validate_only=True))).reason == "INSUFFICIENT_FUNDS"
    assert await cash(floor, ada) == 100
    assert (await take(pinball, ada, 60, "a")).number > 0
    assert floor.rows("SELECT count(*) FROM events WHERE payload->>'machine' = 'rehearsing'") == [(1,)]


@SHARED
async def test_a_machine_finds_what_it_has_done_and_nothing_of_others(floor: Venue) -> None:
    operator = await floor.operator()
    mine, other, ada = await machine(floor, "mine"), await machine(floor, "other"), await player(floor)
    done = await take(mine, ada, 5, "lost")
    await give(other, ada, 6, "theirs")
    found = await mine.arcade.GetTransaction(pb.GetTransactionRequest(transaction_id="lost"))
    assert found.transaction == done
    for request in (
        pb.GetTransactionRequest(transaction_id="theirs"),
        pb.GetTransactionRequest(transaction_id="x" * 5_000),
    ):
        assert (await refused(mine.arcade.GetTransaction(request))).reason == "NOT_FOUND"
    asked = pb.GetTransactionRequest(transaction_id="theirs", machine="other")
    assert (await refused(mine.arcade.GetTransaction(asked))).reason == "NOT_ALLOWED"
    assert (await operator.arcade.GetTransaction(asked)).transaction.amount_cents == 6
    own = await mine.arcade.ListTransactions(pb.ListTransactionsRequest())
    assert list(own.transactions) == [done]
    both = await operator.arcade.ListTransactions(pb.ListTransactionsRequest(player=ada.name, page_size=1))
    rest = await operator.arcade.ListTransactions(
        pb.ListTransactionsRequest(player=ada.name, page_size=1, page_token=both.next_page_token)
    )
    assert [one.machine for one in (*both.transactions, *rest.transactions)] == ["other", "mine"]
    assert (await mine.arcade.GetMachine(pb.GetMachineRequest())).machine.taken_today_cents == 5
    assert (
        await refused(operator.arcade.GetTransaction(pb.GetTransactionRequest()))
    ).reason == "INVALID_FIELD"


@SHARED
async def test_a_machine_may_do_nothing_else_and_nobody_else_is_a_machine(floor: Venue) -> None:
    operator, pinball, ada = await floor.operator(), await machine(floor, "narrow"), await player(floor)
    assert (await refused(pinball.wallet.GetWallet(wallet_pb2.GetWalletRequest()))).reason == "NOT_ALLOWED"
    listing = pinball.arcade.ListMachines(pb.ListMachinesRequest())
    assert (await refused(listing)).reason == "NOT_ALLOWED"
    assert (await refused(give(ada.client, ada, 1, "mine"))).reason == "NOT_ALLOWED"
    assert (await refused(give(operator, ada, 1, "mine"))).reason == "NOT_FOUND"
    token = await operator.admin.CreateServiceToken(
        admin_pb2.CreateServiceTokenRequest(name="stranger", scopes=["arcade.play"])
    )
    stranger = await floor.client()
    stranger.use_service_token(token.secret)
    assert (await refused(give(stranger, ada, 1, "mine"))).reason == "NOT_FOUND"
    taken = pb.CreateMachineRequest(name="Stranger")
    assert (await refused(operator.arcade.CreateMachine(taken))).reason == "ALREADY_EXISTS"
    await operator.admin.RevokeServiceToken(admin_pb2.RevokeServiceTokenRequest(name="narrow"))
    assert (await refused(give(pinball, ada, 1, "gone"))).reason == "NOT_SIGNED_IN"


@SHARED
async def test_the_secret_is_told_once_and_kept_nowhere(floor: Venue) -> None:
    operator = await floor.operator()
    request = pb.CreateMachineRequest(name="discreet", request_id="once")
    answers = await asyncio.gather(*[operator.arcade.CreateMachine(request) for _ in range(10)])
    [secret] = [answer.secret for answer in answers if answer.secret]
    stored = floor.rows("SELECT string_agg(encode(response, 'escape'), '|') FROM requests")[0][0]
    assert secret not in stored
    assert secret not in str(floor.rows("SELECT payload FROM events"))
    rehearsal = pb.CreateMachineRequest(name="never", validate_only=True)
    assert (await operator.arcade.CreateMachine(rehearsal)).secret == ""


@SHARED
async def test_a_transaction_is_undone_once_either_way(floor: Venue) -> None:
    pinball, ada = await machine(floor, "undone"), await player(floor, 1_000)
    await take(pinball, ada, 400, "play")
    await give(pinball, ada, 250, "prize")
    answers = await asyncio.gather(
        *[void(floor, "undone", "play") for _ in range(20)], return_exceptions=True
    )
    assert sum(isinstance(answer, pb.Transaction) for answer in answers) == 1
    assert {a.reason for a in answers if isinstance(a, BearpitError)} == {"NOT_POSSIBLE_NOW"}
    assert await cash(floor, ada) == 1_250
    again = await asyncio.gather(*[void(floor, "undone", "prize", request_id="void once") for _ in range(20)])
    assert len({answer.SerializeToString() for answer in again}) == 1
    assert await cash(floor, ada) == 1_000
    assert (await take(pinball, ada, 400, "play")).HasField("voided_at")  # told, not done again
    assert await cash(floor, ada) == 1_000
    [day] = (await pinball.arcade.GetStatement(pb.GetStatementRequest())).days
    assert (day.takes, day.gives, day.voided, day.players) == (0, 0, 2, 0)
    assert (await refused(void(floor, "undone", "nothing"))).reason == "NOT_FOUND"


@SHARED
async def test_a_prize_that_is_spent_is_not_taken_back_below_nothing(floor: Venue) -> None:
    pinball, ada, bob = await machine(floor, "spent"), await player(floor, 0), await player(floor)
    await give(pinball, ada, 500, "prize")
    await floor.transfer(ada.client, bob.name, 100)
    assert (await refused(void(floor, "spent", "prize"))).reason == "INSUFFICIENT_FUNDS"
    rehearsal = await refused(void(floor, "spent", "prize", validate_only=True))
    assert rehearsal.metadata == {"needed_cents": "500", "free_cents": "400"}
    await floor.transfer(bob.client, ada.name, 100)
    await void(floor, "spent", "prize")
    assert await cash(floor, ada) == 0


@SHARED
async def test_the_doctor_sees_a_transaction_that_is_not_its_postings(floor: Venue) -> None:
    pinball, ada = await machine(floor, "sick"), await player(floor)
    await take(pinball, ada, 5, "play")
    for forged, mended in (
        ("amount_cents = amount_cents + 1", "amount_cents = amount_cents - 1"),
        ("voided_at = at", "voided_at = NULL"),
        ("kind = 2", "kind = 1"),
    ):
        found = []
        for change in (forged, mended):
            with floor.database.transaction():
                floor.database.execute(
                    f"UPDATE arcade_transactions SET {change} "
                    "WHERE id = (SELECT max(id) FROM arcade_transactions)"
                )
            with floor.database.transaction():
                found.append([proof.rule for proof in doctor.check() if not proof.holds])
        rule = "each arcade transaction has its posting, and if it was undone one the other way"
        assert found == [[rule], []]


class Flaky:
    """A client whose answers get lost as often as told."""

    def __init__(self, client: Client, lost: int) -> None:
        self._client = client
        self.lost = lost
        self.arcade = self

    async def TakePoints(self, request: pb.TakePointsRequest) -> pb.TakePointsResponse:  # noqa: N802
        answer = await self._client.arcade.TakePoints(request)
        if self.lost:
            self.lost -= 1
            raise BearpitError(grpc.StatusCode.UNAVAILABLE, "", "lost")
        return answer


@SHARED
async def test_a_machine_that_hears_nothing_asks_again_and_plays_once(floor: Venue) -> None:
    pinball, ada = await machine(floor, "deaf"), await player(floor, 1_000)
    quick = Timing(backoff=0.001)
    done = await Machine(Flaky(pinball, lost=3), timing=quick).take(ada.name, 100)  # type: ignore[arg-type]
    assert await cash(floor, ada) == 900
    error = await refused(Machine(Flaky(pinball, lost=99), patience=0.01, timing=quick).take(ada.name, 100))  # type: ignore[arg-type]
    assert await cash(floor, ada) == 800
    again = await Machine(pinball).take(ada.name, 100, transaction_id=error.request_id)
    assert (again.number > done.number, await cash(floor, ada)) == (True, 800)
    assert (await Machine(pinball).give(ada.name, 50, score=3)).score == 3
    assert await Machine(pinball).can_take(ada.name, 850)
    assert not await Machine(pinball).can_take(ada.name, 851)
