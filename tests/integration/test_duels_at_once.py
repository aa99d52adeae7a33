"""Duels that cannot be, several who do the same at once, limits, and what is shown to whom."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest
from bearpit.client import BearpitError, Client
from bearpit.client.duels import MOVES, commitment
from bearpit.v1 import admin_pb2
from bearpit.v1 import duels_pb2 as pb
from bearpit_server.events import log
from bearpit_server.game.duels import limits, listing
from bearpit_server.game.duels.limits import Limits
from bearpit_server.storage import clock
from bearpit_server.storage.models.duels import DuelWatch

from tests.integration.duel_table import STAKE, START, Table, over
from tests.integration.floor import SHARED
from tests.venue import refused

pytestmark = SHARED


# --- refusals --------------------------------------------------------------------------------------


async def test_what_cannot_be_is_refused_and_costs_nothing(table: Table) -> None:
    ada = table.clients["ada"]
    name = table.name("ada")
    good = commitment(name, "rock", bytes(32))

    async def why(**fields: object) -> str:
        request = pb.ChallengeRequest(**{"stake_cents": STAKE, "commitment": good, **fields})  # type: ignore[arg-type]
        return (await refused(ada.duels.Challenge(request))).reason

    assert await why(opponent=name) == "DUEL_WITH_SELF"
    assert await why(opponent=name.upper()) == "DUEL_WITH_SELF"
    assert await why(opponent="house") == "NOT_FOUND"
    assert await why(opponent="nobody") == "NOT_FOUND"
    assert await why(stake_cents=99) == "BELOW_MINIMUM"
    assert await why(stake_cents=-(2**63)) == "BELOW_MINIMUM"
    assert await why(stake_cents=2**63 - 1) == "LIMIT_EXCEEDED"
    assert await why(stake_cents=START + 1) == "INSUFFICIENT_FUNDS"
    assert await why(commitment=b"short") == "INVALID_FIELD"
    made = await ada.duels.Challenge(pb.ChallengeRequest(stake_cents=STAKE, commitment=good))
    assert await why() == "COMMITMENT_REUSED"
    copied = pb.AcceptDuelRequest(duel_id=made.duel.duel_id, commitment=good)
    assert (await refused(table.clients["bob"].duels.AcceptDuel(copied))).reason == "COMMITMENT_REUSED"
    assert (await table.cash("ada"), await table.cash("bob")) == (START - STAKE, START)


async def test_nobody_accepts_his_own_challenge_or_one_that_is_not_there(table: Table) -> None:
    duel = await table.challenge()
    assert (await refused(table.duelist("ada").accept(duel.duel_id, "rock"))).reason == "DUEL_WITH_SELF"
    for number in (0, -1, 2**63 - 1):
        assert (await refused(table.duelist("bob").accept(number, "rock"))).reason == "NOT_FOUND"


async def test_a_player_has_so_many_duels_open_and_no_more(table: Table) -> None:
    await table.set(duel_max_open="2")
    answers = await asyncio.gather(*[table.challenge() for _ in range(10)], return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, BearpitError)]
    assert {refusal.reason for refusal in refusals} == {"LIMIT_EXCEEDED"}
    assert len(refusals) == 8
    assert await table.cash("ada") == START - 2 * STAKE


async def test_nobody_is_pestered_by_challenges_that_are_taken_back(table: Table) -> None:
    await table.set(duel_max_open="2")
    for _ in range(2):
        duel = await table.challenge(opponent="bob")
        await table.clients["ada"].duels.CancelDuel(pb.CancelDuelRequest(duel_id=duel.duel_id))
    with pytest.raises(BearpitError, match="nothing came of it"):
        await table.challenge(opponent="bob")
    await table.seat("eve")
    await table.challenge(opponent="eve")
    await table.pass_time(301)
    await table.challenge(opponent="bob")


async def test_with_who_is_frozen_or_disabled_nobody_duels(table: Table) -> None:
    duel = await table.challenge()
    name, run = table.name("ada"), table.venue.database.execute
    run("UPDATE players SET frozen = true WHERE name = %s", name)
    assert (await refused(table.duelist("bob").accept(duel.duel_id, "rock"))).reason == "NOT_POSSIBLE_NOW"
    with_ada = pb.ChallengeRequest(opponent=name, stake_cents=STAKE, commitment=bytes(32))
    assert (await refused(table.clients["bob"].duels.Challenge(with_ada))).reason == "PLAYER_FROZEN"
    run("UPDATE players SET frozen = false, disabled = true WHERE name = %s", name)
    assert (await refused(table.clients["bob"].duels.Challenge(with_ada))).reason == "PLAYER_DISABLED"
    run("UPDATE players SET disabled = false WHERE name = %s", name)
    assert await table.cash("bob") == START


async def test_who_owes_the_house_does_not_duel_and_what_comes_back_repays_it(table: Table) -> None:
    duel = await table.challenge()
    operator = await table.venue.operator()
    owes = admin_pb2.SetDebtRequest(name=table.name("ada"), debt_cents=STAKE // 2, reason="test")
    await operator.admin.SetDebt(owes)
    ada = table.clients["ada"].duels
    for request in (
        ada.Challenge(pb.ChallengeRequest(stake_cents=STAKE, commitment=bytes(range(32)))),
        ada.OpenHouseDuel(pb.OpenHouseDuelRequest(stake_cents=STAKE)),
    ):
        assert (await refused(request)).reason == "IN_DEBT"
    assert (await refused(table.duelist("bob").accept(duel.duel_id, "rock"))).reason == "NOT_POSSIBLE_NOW"
    before = await table.venue.wallet(table.clients["ada"])
    assert before.debt_cents == STAKE // 2
    await ada.CancelDuel(pb.CancelDuelRequest(duel_id=duel.duel_id))
    after = await table.venue.wallet(table.clients["ada"])
    assert (after.debt_cents, after.cash_cents) == (0, before.cash_cents + STAKE // 2)


# --- once, whatever happens at once ----------------------------------------------------------------


async def test_of_fifty_accepts_at_once_one_wins_and_nobody_pays_twice(table: Table) -> None:
    names = [f"eve{number}" for number in range(5)]
    await table.seat(*names)
    duel = await table.challenge()
    answers = await asyncio.gather(
        *[table.duelist(name).accept(duel.duel_id, "paper") for name in names for _ in range(10)],
        return_exceptions=True,
    )
    won = [answer for answer in answers if isinstance(answer, pb.AcceptDuelResponse)]
    reasons = {answer.reason for answer in answers if isinstance(answer, BearpitError)}
    assert len(won) == 1
    assert reasons <= {"DUEL_TAKEN", "NOT_POSSIBLE_NOW"}
    cash = sorted([await table.cash(name) for name in names])
    assert cash == [START - STAKE, *[START] * 4]
    assert table.house("escrow") == 2 * STAKE


async def test_fifty_times_the_same_request_does_it_once(table: Table) -> None:
    ada, bob = table.clients["ada"], table.clients["bob"]
    mine = table.duelist("ada").secrets.make(table.name("ada"), "rock")
    other = table.duelist("bob").secrets.make(table.name("bob"), "paper")
    challenge = pb.ChallengeRequest(stake_cents=STAKE, commitment=mine.commitment, request_id="once")
    made = await asyncio.gather(*[ada.duels.Challenge(challenge) for _ in range(50)])
    assert len({answer.duel.duel_id for answer in made}) == 1
    duel = made[0].duel
    accept = pb.AcceptDuelRequest(duel_id=duel.duel_id, commitment=other.commitment, request_id="once")
    took = await asyncio.gather(*[bob.duels.AcceptDuel(accept) for _ in range(50)])
    assert len({answer.SerializeToString() for answer in took}) == 1
    assert table.house("escrow") == 2 * STAKE
    await table.reveal("ada", took[0].duel)
    reveal = pb.RevealMoveRequest(
        duel_id=duel.duel_id, move=MOVES["paper"], nonce=other.nonce, request_id="shown"
    )
    shown = await asyncio.gather(*[bob.duels.RevealMove(reveal) for _ in range(50)])
    assert len({answer.SerializeToString() for answer in shown}) == 1
    assert (await table.cash("ada"), await table.cash("bob")) == (START - STAKE, START + STAKE)


async def test_everything_at_once_settles_it_once(table: Table) -> None:
    """Reveals, an operator's end and the limit meet: one of them settles."""
    duel = await table.begin("rock", "scissors")
    await table.reveal("ada", duel)
    operator = await table.venue.operator()
    off = pb.CallOffDuelRequest(duel_id=duel.duel_id, reason="enough")
    due = duel.due_at.ToDatetime(UTC)
    keepers = [Limits(table.venue.database, table.venue.running.bus) for _ in range(3)]
    await asyncio.gather(*[keeper.keep() for keeper in keepers])
    at = iter([due - timedelta(seconds=1)] * 3)
    clock.use(lambda: next(at, due))
    await asyncio.gather(
        table.reveal("bob", duel),
        *[operator.duels.CallOffDuel(off) for _ in range(10)],
        *[keeper.keep() for keeper in keepers],
        return_exceptions=True,
    )
    clock.use(None)
    assert (await table.get(duel)).state == pb.DUEL_STATE_SETTLED
    assert await table.cash("ada") + await table.cash("bob") == 2 * START
    settled = await table.venue.database.run(log.newest, 10, "duel.settled")
    assert [event.subject for event in settled].count(f"duel:{duel.duel_id}") == 1


# --- looking ---------------------------------------------------------------------------------------


async def listed(client: Client, scope: pb.DuelScope, **more: object) -> list[int]:
    """The numbers of the duels in a list, page by page."""
    found: list[int] = []
    token = ""
    while True:
        request = pb.ListDuelsRequest(scope=scope, page_size=2, page_token=token, **more)  # type: ignore[arg-type]
        page = await client.duels.ListDuels(request)
        found += [duel.duel_id for duel in page.duels]
        token = page.next_page_token
        if not token:
            return found


async def test_lists_show_each_what_concerns_him(table: Table) -> None:
    await table.seat("eve")
    open_one = (await table.challenge()).duel_id
    to_bob = (await table.challenge(opponent="bob")).duel_id
    ended = (await table.challenge()).duel_id
    await table.clients["ada"].duels.CancelDuel(pb.CancelDuelRequest(duel_id=ended))
    ada, bob, eve = (table.clients[name] for name in ("ada", "bob", "eve"))
    assert await listed(ada, pb.DUEL_SCOPE_MINE) == [ended, to_bob, open_one]
    assert await listed(bob, pb.DUEL_SCOPE_MINE) == [to_bob]
    assert (await listed(bob, pb.DUEL_SCOPE_BOARD))[:2] == [to_bob, open_one]
    assert (await listed(eve, pb.DUEL_SCOPE_BOARD))[0] == open_one
    assert open_one not in await listed(ada, pb.DUEL_SCOPE_BOARD)
    assert await listed(eve, pb.DUEL_SCOPE_FINISHED, player=table.name("ada")) == [ended]
    assert await listed(eve, pb.DUEL_SCOPE_ALL, player=table.name("ada")) == [ended, to_bob, open_one]
    request = pb.ListDuelsRequest(scope=pb.DUEL_SCOPE_MINE, player=table.name("bob"))
    assert (await refused(ada.duels.ListDuels(request))).reason == "INVALID_FIELD"


async def test_the_terms_are_what_operators_have_set(table: Table) -> None:
    await table.set(duel_draws="play_on", duel_house_bps="125", duel_move_seconds="30")
    terms = (await table.clients["ada"].duels.GetDuelTerms(pb.GetDuelTermsRequest())).terms
    assert (terms.draws, terms.house_bps, terms.move_seconds) == (pb.DUEL_DRAWS_PLAY_ON, 125, 30)
    assert (terms.accept_seconds, terms.maximum_cents) == (300, 1_000_000)


async def test_a_stream_shows_each_his_own_and_reveals_by_itself(table: Table) -> None:
    """What both clients do: reveal whatever each frame says is to be revealed."""

    async def play(name: str) -> pb.Duel:
        has_accepted = False  # a frame that was read before that may come after it
        async with aclosing(table.clients[name].stream_duels()) as frames:
            async for frame in frames:
                duels = frame.snapshot if frame.HasField("snapshot") else frame.update
                assert frame.sequence > 0
                await table.duelist(name).reveal_all(duels)
                over = [duel for duel in duels.mine if duel.state == pb.DUEL_STATE_SETTLED]
                if over:
                    return over[0]
                if name == "bob" and duels.board and not has_accepted:
                    has_accepted = True
                    await table.duelist("bob").accept(duels.board[0].duel_id, "paper")
        raise AssertionError("the stream ended")

    async with asyncio.timeout(20):
        await table.challenge("scissors", "bob")
        mine, other = await asyncio.gather(play("ada"), play("bob"))
    assert mine == other
    assert mine.winner_name == table.name("ada")


async def test_a_stream_says_nothing_of_what_does_not_concern_the_caller(table: Table) -> None:
    await table.seat("eve")
    async with aclosing(table.clients["eve"].stream_duels()) as frames:
        first = await anext(frames)
        assert first.HasField("snapshot")
        await table.challenge(opponent="bob")
        shown = await table.challenge()
        async with asyncio.timeout(10):
            frame = await anext(frames)
        assert frame.HasField("update")
        assert frame.update.board[0].duel_id == shown.duel_id
        assert not frame.update.mine


async def test_who_plays_without_a_pause_has_only_his_latest_duels_on_the_stream(table: Table) -> None:
    ada = table.clients["ada"]
    played = []
    for _ in range(listing.ENDED_OF_EACH + 2):
        opened = await ada.duels.OpenHouseDuel(pb.OpenHouseDuelRequest(stake_cents=STAKE))
        played.append(opened.duel.duel_id)
        await ada.duels.CancelDuel(pb.CancelDuelRequest(duel_id=played[-1]))
    async with aclosing(ada.stream_duels()) as frames:
        mine = (await anext(frames)).snapshot.mine
    assert [duel.duel_id for duel in mine] == played[: -listing.ENDED_OF_EACH - 1 : -1]


# --- limits ----------------------------------------------------------------------------------------


async def test_after_everybody_was_away_who_is_to_move_has_the_whole_time_again(table: Table) -> None:
    duel = await table.begin()
    await table.reveal("ada", duel)
    due = duel.due_at.ToDatetime(UTC)
    at = due - timedelta(seconds=10)
    clock.use(lambda: at)

    def look(seconds_away: int, absent: float | None) -> int:
        DuelWatch.update(seen_at=at - timedelta(seconds=seconds_away)).execute()
        return limits.look(absent)

    run = table.venue.database.run
    assert await run(look, 4, None) == 0  # a restart that hardly anybody noticed
    assert await run(look, 60, 1.0) == 0  # a clock that jumped: this process was there
    assert (await table.get(duel)).due_at.ToDatetime(UTC) == due
    assert await run(look, 60, None) >= 1  # a server that has just begun
    assert (await table.get(duel)).due_at.ToDatetime(UTC) == at + timedelta(seconds=60)
    assert await run(limits.look, None) == 0  # and now it has been looked at
    await table.pass_time(1_000)
    await over(table, duel, pb.DUEL_ENDING_FORFEITED, "ada")


async def test_several_servers_keep_the_limits_at_once_and_settle_each_once(table: Table) -> None:
    await table.set(duel_max_open="50")
    for _ in range(5):
        await table.challenge()
    clock.use(lambda: datetime.now(UTC) + timedelta(seconds=301))
    keepers = [Limits(table.venue.database, table.venue.running.bus) for _ in range(4)]
    await asyncio.gather(*[keeper.keep() for keeper in keepers])
    await keepers[0].keep()
    assert await table.cash("ada") == START
