"""DuelService through gRPC: every way a duel can end, what is told when, and who pays what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio
from bearpit.client import BearpitError, Client
from bearpit.client.duels import MOVES, Duelist, Secrets, commitment, verify
from bearpit.v1 import admin_pb2, wallet_pb2
from bearpit.v1 import duels_pb2 as pb
from bearpit_server.events import log
from bearpit_server.game.duels import limits, listing
from bearpit_server.game.duels.limits import Limits
from bearpit_server.rules.parameters import as_text
from bearpit_server.rules.settings import SETTINGS
from bearpit_server.storage import clock
from bearpit_server.storage.models.duels import DuelSide, DuelWatch

from tests.integration.floor import SHARED
from tests.venue import Venue, refused

pytestmark = SHARED

STAKE = 10_000
START = 100_000


_numbers = count(1)  # of players whose names never clash
_DEFAULTS = {key: as_text(found.default) for key, found in SETTINGS.items() if key.startswith("duel_")}


class Table:
    """Two players with 1,000.00 each, what they keep of their commitments, and the clock."""

    def __init__(self, venue: Venue, folder: Path) -> None:
        self.venue = venue
        self._folder = folder
        self._limits = Limits(venue.database, venue.running.bus)
        self.clients: dict[str, Client] = {}
        self._ahead = timedelta()
        self._before = {kind: self._house(kind) for kind in ("escrow", "fees", "issuer")}

    async def seat(self, *names: str) -> None:
        """Sign new players in."""
        for name in names:
            self.clients[name] = await self.venue.player(f"{name}{next(_numbers)}", START)
            self._before["issuer"] -= START

    def name(self, short: str) -> str:
        """How somebody is really called."""
        player = self.clients[short].player
        assert player is not None
        return player.name

    def duelist(self, name: str) -> Duelist:
        """Somebody at this table."""
        return Duelist(self.clients[name], Secrets(self._folder / name))

    async def challenge(self, move: str = "rock", opponent: str = "") -> pb.Duel:
        """Ada challenges."""
        named = self.name(opponent) if opponent else ""
        return (await self.duelist("ada").challenge(STAKE, move, named)).duel

    async def begin(self, mine: str = "rock", other: str = "scissors") -> pb.Duel:
        """Ada has challenged and bob has accepted."""
        duel = await self.challenge(mine)
        return (await self.duelist("bob").accept(duel.duel_id, other)).duel

    async def reveal(self, name: str, duel: pb.Duel) -> pb.Duel:
        """Reveal what was committed to."""
        return await self.duelist(name).reveal(duel)

    async def get(self, duel: pb.Duel) -> pb.Duel:
        """As anybody sees it now."""
        operator = await self.venue.operator()
        return (await operator.duels.GetDuel(pb.GetDuelRequest(duel_id=duel.duel_id))).duel

    async def pass_time(self, seconds: float) -> None:
        """Set the clock ahead, and keep the limits as the server does every second."""
        await self._limits.keep()  # however long the test took so far, we were not away
        self._ahead += timedelta(seconds=seconds)
        ahead = self._ahead
        clock.use(lambda: datetime.now(UTC) + ahead)
        await self._limits.keep()
        self.venue.rows("SELECT id FROM duels FOR UPDATE")  # the server keeps them, too: it is done then

    async def cash(self, name: str) -> int:
        """All of a player's cash."""
        return (await self.venue.wallet(self.clients[name])).cash_cents

    def house(self, kind: str) -> int:
        """What has come to the house on an account of cash, since the table was laid."""
        return self._house(kind) - self._before[kind]

    def _house(self, kind: str) -> int:
        [(balance,)] = self.venue.rows(
            f"SELECT coalesce(sum(balance), 0) FROM accounts WHERE owner_id = 0 AND kind = '{kind}'"
        )
        return int(balance)

    async def set(self, **values: str) -> None:
        """Change settings of the game."""
        operator = await self.venue.operator()
        await operator.admin.UpdateSettings(admin_pb2.UpdateSettingsRequest(values=values))


@pytest_asyncio.fixture(loop_scope="module", name="table")
async def make_table(floor: Venue, tmp_path: Path) -> AsyncIterator[Table]:
    """A table at which nobody has played; all is proved after the test."""
    made = Table(floor, tmp_path)
    await made.pass_time(0)  # who has kept the limits before is not one who has just begun
    await made.seat("ada", "bob")
    yield made
    clock.use(None)
    await made.set(**_DEFAULTS)


async def over(table: Table, duel: pb.Duel, ending: pb.DuelEnding, winner: str = "") -> pb.Duel:
    """The duel ended so, and can be verified by anybody."""
    found = await table.get(duel)
    named = table.name(winner) if winner in table.clients else winner
    assert (found.state, found.ending, found.winner_name) == (pb.DUEL_STATE_SETTLED, ending, named)
    findings = verify(found)
    assert findings
    assert all(finding.holds for finding in findings), findings
    return found


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
