"""DuelService through gRPC: every way a duel can end, what is told when, and who pays what."""

from datetime import UTC

import pytest
from bearpit.client.duels import MOVES, commitment
from bearpit.v1 import duels_pb2 as pb
from bearpit.v1 import wallet_pb2
from bearpit_server.events import log
from bearpit_server.storage import clock
from bearpit_server.storage.models.duels import DuelSide

from tests.integration.duel_table import STAKE, START, Table, over
from tests.integration.floor import SHARED
from tests.venue import refused

pytestmark = SHARED


# --- playing ---------------------------------------------------------------------------------------


async def test_the_winner_takes_both_stakes(table: Table) -> None:
    duel = await table.begin("rock", "scissors")
    assert (await table.cash("ada"), await table.cash("bob")) == (START - STAKE, START - STAKE)
    assert table.house("escrow") == 2 * STAKE
    await table.reveal("ada", duel)
    await table.reveal("bob", duel)
    found = await over(table, duel, pb.DUEL_ENDING_WON, "ada")
    assert (found.paid_cents, found.house_share_cents) == (2 * STAKE, 0)
    assert (await table.cash("ada"), await table.cash("bob")) == (START + STAKE, START - STAKE)
    assert table.house("escrow") == 0


async def test_the_house_takes_its_share_of_what_is_won(table: Table) -> None:
    await table.set(duel_house_bps="333")
    duel = await table.begin("rock", "paper")
    await table.set(duel_house_bps="5000")  # a duel keeps the terms it began with
    await table.reveal("ada", duel)
    await table.reveal("bob", duel)
    found = await over(table, duel, pb.DUEL_ENDING_WON, "bob")
    assert (found.paid_cents, found.house_share_cents) == (2 * STAKE - 333, 333)
    assert (await table.cash("bob"), table.house("fees")) == (START + STAKE - 333, 333)


async def test_nothing_of_a_move_is_told_before_both_have_revealed(table: Table) -> None:
    duel = await table.begin("rock", "scissors")
    answered = await table.reveal("ada", duel)
    for seen in (answered, await table.get(duel)):
        side = seen.rounds[0].challenger
        assert side.revealed
        assert (side.move, side.nonce) == (pb.DUEL_MOVE_UNSPECIFIED, b"")
    shown = DuelSide.get((DuelSide.duel_id == duel.duel_id) & DuelSide.revealed_at.is_null(False))
    events = await table.venue.database.run(log.newest, 3, "duel.")
    assert [event.type for event in events] == ["duel.revealed", "duel.accepted", "duel.challenged"]
    assert bytes(shown.nonce).hex() not in str(events)
    assert "rock" not in str(events)


async def test_a_draw_gives_the_stakes_back(table: Table) -> None:
    duel = await table.begin("paper", "paper")
    await table.reveal("bob", duel)
    await table.reveal("ada", duel)
    await over(table, duel, pb.DUEL_ENDING_DRAWN)
    assert (await table.cash("ada"), await table.cash("bob")) == (START, START)


async def test_a_draw_is_played_on_where_that_is_set(table: Table) -> None:
    await table.set(duel_draws="play_on")
    duel = await table.begin("paper", "paper")
    await table.reveal("ada", duel)
    drawn = await table.reveal("bob", duel)
    assert (drawn.state, drawn.round) == (pb.DUEL_STATE_COMMITTING, 2)
    assert drawn.rounds[0].challenger.move == pb.DUEL_MOVE_PAPER
    first = await table.duelist("ada").commit(drawn, "rock")
    assert first.state == pb.DUEL_STATE_COMMITTING
    again = await refused(table.duelist("ada").commit(drawn, "rock"))
    assert again.reason == "NOT_POSSIBLE_NOW"
    both = await table.duelist("bob").commit(drawn, "paper")
    assert both.state == pb.DUEL_STATE_REVEALING
    await table.reveal("ada", both)
    await table.reveal("bob", both)
    found = await over(table, duel, pb.DUEL_ENDING_WON, "bob")
    assert len(found.rounds) == 2


async def test_after_the_last_round_a_draw_gives_the_stakes_back(table: Table) -> None:
    await table.set(duel_draws="play_on", duel_max_rounds="2")
    duel = await table.begin("rock", "rock")
    await table.reveal("ada", duel)
    drawn = await table.reveal("bob", duel)
    await table.duelist("ada").commit(drawn, "rock")
    both = await table.duelist("bob").commit(drawn, "rock")
    await table.reveal("ada", both)
    await table.reveal("bob", both)
    await over(table, duel, pb.DUEL_ENDING_DRAWN)
    assert (await table.cash("ada"), await table.cash("bob")) == (START, START)


# --- how else duels end ----------------------------------------------------------------------------


async def test_a_challenge_can_be_taken_back_until_it_is_accepted(table: Table) -> None:
    duel = await table.challenge()
    await table.clients["ada"].duels.CancelDuel(pb.CancelDuelRequest(duel_id=duel.duel_id))
    await over(table, duel, pb.DUEL_ENDING_CANCELLED)
    assert await table.cash("ada") == START
    begun = await table.begin()
    error = await refused(table.clients["ada"].duels.CancelDuel(pb.CancelDuelRequest(duel_id=begun.duel_id)))
    assert error.reason == "NOT_POSSIBLE_NOW"


async def test_a_challenge_can_be_declined_by_whom_it_is_for(table: Table) -> None:
    await table.seat("eve")
    duel = await table.challenge(opponent="bob")
    request = pb.DeclineDuelRequest(duel_id=duel.duel_id)
    assert (await refused(table.clients["eve"].duels.DeclineDuel(request))).reason == "NOT_YOUR_DUEL"
    assert (await refused(table.duelist("eve").accept(duel.duel_id, "rock"))).reason == "NOT_YOUR_DUEL"
    await table.clients["bob"].duels.DeclineDuel(request)
    await over(table, duel, pb.DUEL_ENDING_DECLINED)
    assert await table.cash("ada") == START


async def test_a_challenge_that_nobody_accepts_goes_back_after_five_minutes(table: Table) -> None:
    duel = await table.challenge()
    await table.pass_time(299)
    assert (await table.get(duel)).state == pb.DUEL_STATE_OPEN
    await table.pass_time(2)
    await over(table, duel, pb.DUEL_ENDING_NOT_ACCEPTED)
    assert await table.cash("ada") == START


async def test_it_is_too_late_to_accept_at_the_limit_though_nobody_has_settled_it(table: Table) -> None:
    duel = await table.challenge()
    due = duel.due_at.ToDatetime(UTC)
    clock.use(lambda: due)
    error = await refused(table.duelist("bob").accept(duel.duel_id, "rock"))
    assert error.reason in ("TOO_LATE", "NOT_POSSIBLE_NOW")  # the server itself may have settled it
    assert await table.cash("bob") == START
    await table.pass_time(301)


@pytest.mark.parametrize("ready", ["ada", "bob"])
async def test_who_does_not_reveal_in_time_loses(table: Table, ready: str) -> None:
    duel = await table.begin("rock", "rock")
    await table.reveal(ready, duel)
    await table.pass_time(61)
    await over(table, duel, pb.DUEL_ENDING_FORFEITED, ready)
    assert await table.cash(ready) == START + STAKE
    assert table.house("escrow") == 0


async def test_where_nobody_reveals_the_stakes_go_back(table: Table) -> None:
    duel = await table.begin()
    await table.pass_time(61)
    await over(table, duel, pb.DUEL_ENDING_ABANDONED)
    assert (await table.cash("ada"), await table.cash("bob")) == (START, START)


@pytest.mark.parametrize("ready", ["ada", ""])
async def test_a_further_round_is_lost_by_who_does_not_commit(table: Table, ready: str) -> None:
    await table.set(duel_draws="play_on")
    duel = await table.begin("rock", "rock")
    await table.reveal("ada", duel)
    drawn = await table.reveal("bob", duel)
    if ready:
        await table.duelist(ready).commit(drawn, "rock")
    await table.pass_time(61)
    ending = pb.DUEL_ENDING_FORFEITED if ready else pb.DUEL_ENDING_ABANDONED
    await over(table, duel, ending, ready)


async def test_a_reveal_that_is_not_what_was_committed_to_is_refused_and_may_be_mended(table: Table) -> None:
    duel = await table.begin("rock", "scissors")
    secret = table.duelist("bob").may_reveal(duel)
    assert secret is not None
    for move, nonce in (("paper", secret.nonce), ("scissors", bytes(32))):
        request = pb.RevealMoveRequest(duel_id=duel.duel_id, move=MOVES[move], nonce=nonce)
        error = await refused(table.clients["bob"].duels.RevealMove(request))
        assert error.reason == "COMMITMENT_MISMATCH"
    await table.reveal("bob", duel)
    await table.reveal("ada", duel)
    await over(table, duel, pb.DUEL_ENDING_WON, "ada")


async def test_an_operator_can_call_a_duel_off(table: Table) -> None:
    duel = await table.begin()
    await table.reveal("ada", duel)
    operator = await table.venue.operator()
    request = pb.CallOffDuelRequest(duel_id=duel.duel_id, reason="lights went out")
    assert (await refused(table.clients["ada"].duels.CallOffDuel(request))).reason == "NOT_ALLOWED"
    await operator.duels.CallOffDuel(request)
    await over(table, duel, pb.DUEL_ENDING_CALLED_OFF)
    assert (await table.cash("ada"), await table.cash("bob")) == (START, START)
    postings = await table.clients["bob"].wallet.ListPostings(wallet_pb2.ListPostingsRequest())
    assert (postings.postings[0].reason, postings.postings[0].note) == ("duel_back", "lights went out")
    assert (await refused(operator.duels.CallOffDuel(request))).reason == "NOT_POSSIBLE_NOW"


# --- against the house -----------------------------------------------------------------------------


async def open_house(table: Table) -> tuple[pb.Duel, str]:
    """A duel against the house, and the move that the house has committed to."""
    answer = await table.clients["ada"].duels.OpenHouseDuel(pb.OpenHouseDuelRequest(stake_cents=STAKE))
    [side] = DuelSide.select().where(DuelSide.duel_id == answer.duel.duel_id)
    word = {number: word for word, number in MOVES.items()}[side.move]
    assert answer.duel.rounds[0].opponent.commitment == commitment("house", word, bytes(side.nonce))
    assert answer.duel.rounds[0].opponent.move == pb.DUEL_MOVE_UNSPECIFIED
    assert not answer.duel.rounds[0].opponent.nonce
    return answer.duel, word


BEATEN_BY = {"rock": "paper", "paper": "scissors", "scissors": "rock"}


async def test_who_beats_the_house_is_paid_by_it(table: Table) -> None:
    issued = table.house("issuer")
    duel, house = await open_house(table)
    assert (table.house("escrow"), table.house("issuer")) == (2 * STAKE, issued - STAKE)
    told = await table.duelist("ada").play_house(duel.duel_id, BEATEN_BY[house])
    assert told.winner_name == table.name("ada")
    await over(table, duel, pb.DUEL_ENDING_WON, "ada")
    assert (await table.cash("ada"), table.house("issuer")) == (START + STAKE, issued - STAKE)


async def test_who_loses_to_the_house_pays_it(table: Table) -> None:
    await table.set(duel_house_bps="1000")
    issued = table.house("issuer")
    duel, house = await open_house(table)
    await table.duelist("ada").play_house(duel.duel_id, BEATEN_BY[BEATEN_BY[house]])
    await over(table, duel, pb.DUEL_ENDING_WON, "house")
    assert (await table.cash("ada"), table.house("issuer"), table.house("fees")) == (
        START - STAKE,
        issued + STAKE,
        0,
    )


async def test_a_draw_against_the_house_gives_back_or_is_played_on_with_a_new_commitment(
    table: Table,
) -> None:
    duel, house = await open_house(table)
    await table.duelist("ada").play_house(duel.duel_id, house)
    await over(table, duel, pb.DUEL_ENDING_DRAWN)
    assert await table.cash("ada") == START
    await table.set(duel_draws="play_on")
    duel, house = await open_house(table)
    drawn = await table.duelist("ada").play_house(duel.duel_id, house)
    assert (drawn.state, drawn.round) == (pb.DUEL_STATE_CHOOSING, 2)
    assert drawn.rounds[1].opponent.commitment not in (b"", drawn.rounds[0].opponent.commitment)
    assert drawn.rounds[1].opponent.move == pb.DUEL_MOVE_UNSPECIFIED
    stale = pb.PlayHouseDuelRequest(duel_id=duel.duel_id, round=1, move=pb.DUEL_MOVE_ROCK)
    assert (await refused(table.clients["ada"].duels.PlayHouseDuel(stale))).reason == "NOT_POSSIBLE_NOW"
    side = DuelSide.get((DuelSide.duel_id == duel.duel_id) & (DuelSide.round == 2))
    word = {number: word for word, number in MOVES.items()}[side.move]
    await table.duelist("ada").play_house(duel.duel_id, BEATEN_BY[word])
    await over(table, duel, pb.DUEL_ENDING_WON, "ada")


async def test_who_names_no_move_against_the_house_gets_the_stake_back(table: Table) -> None:
    duel, _ = await open_house(table)
    await table.pass_time(61)
    await over(table, duel, pb.DUEL_ENDING_ABANDONED)
    duel, _ = await open_house(table)
    await table.clients["ada"].duels.CancelDuel(pb.CancelDuelRequest(duel_id=duel.duel_id))
    await over(table, duel, pb.DUEL_ENDING_CANCELLED)
    assert (await table.cash("ada"), table.house("escrow")) == (START, 0)


async def test_a_rehearsed_move_tells_nothing_of_the_other_side(table: Table) -> None:
    duel, house = await open_house(table)
    request = pb.PlayHouseDuelRequest(duel_id=duel.duel_id, move=MOVES[house], validate_only=True)
    told = (await table.clients["ada"].duels.PlayHouseDuel(request)).duel
    assert told == await table.get(duel)
    assert (told.state, told.rounds[0].opponent.move) == (pb.DUEL_STATE_CHOOSING, pb.DUEL_MOVE_UNSPECIFIED)
    begun = await table.begin("rock", "scissors")
    await table.reveal("ada", begun)
    secret = table.duelist("bob").may_reveal(begun)
    assert secret is not None
    wanted = pb.RevealMoveRequest(
        duel_id=begun.duel_id, move=MOVES[secret.move], nonce=secret.nonce, validate_only=True
    )
    told = (await table.clients["bob"].duels.RevealMove(wanted)).duel
    assert (told.state, told.winner_name) == (pb.DUEL_STATE_REVEALING, "")
    assert not told.rounds[0].opponent.revealed
