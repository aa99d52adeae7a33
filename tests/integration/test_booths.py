"""BoothService through gRPC: a visit is rewarded once, with the password that holds, at the booth's pace."""

import asyncio
from datetime import datetime, timedelta

import pytest
from bearpit.client import BearpitError, Client, connect
from bearpit.v1 import admin_pb2, wallet_pb2
from bearpit.v1 import booths_pb2 as pb
from bearpit_server.game.proofs import doctor
from bearpit_server.storage import clock

from tests.integration.floor import SHARED
from tests.venue import Venue, refused, serving

INT64 = 2**63 - 1


async def made(operator: Client, name: str, **more: object) -> str:
    """A new booth's password."""
    request = pb.CreateBoothRequest(name=name, **more)  # type: ignore[arg-type]
    return (await operator.booths.CreateBooth(request)).password


async def visit(
    client: Client, booth: str, password: str, player: str, **more: object
) -> pb.VisitBoothResponse:
    request = pb.VisitBoothRequest(booth=booth, password=password, player=player, **more)  # type: ignore[arg-type]
    return await client.booths.VisitBooth(request)


async def booth(operator: Client, name: str) -> pb.Booth:
    return (await operator.booths.GetBooth(pb.GetBoothRequest(name=name))).booth


async def cash_of(floor: Venue, name: str) -> int:
    operator = await floor.operator()
    answer = await operator.admin.GetPlayer(admin_pb2.GetPlayerRequest(name=name))
    return answer.wallet.cash_cents


async def trader(floor: Venue, cash_cents: int = 1_000_000) -> str:
    client = await floor.trader(cash_cents)
    assert client.player is not None
    return client.player.name


@SHARED
async def test_a_visit_is_rewarded_and_told(floor: Venue) -> None:
    operator, volunteer = await floor.operator(), await floor.client()
    password = await made(operator, "sitcon")
    ada = await trader(floor)
    done = await visit(volunteer, "SITCON", password, ada.upper())
    assert (done.visit.booth, done.visit.player, done.visit.reward_cents) == ("sitcon", ada, 100_000)
    assert (done.visit.created_player, done.player_password) == (False, "")
    assert await cash_of(floor, ada) == 1_100_000
    figures = await booth(operator, "sitcon")
    assert (figures.visits, figures.players_created, figures.given_cents) == (1, 0, 100_000)
    assert figures.last_visit_at == done.visit.at
    [found] = (await operator.booths.ListVisits(pb.ListVisitsRequest(booth="sitcon", player=ada))).visits
    assert found == done.visit
    [event] = floor.rows("SELECT payload FROM events WHERE type = 'booth.visited'")
    assert (event[0]["player"], event[0]["reward_cents"]) == (ada, 100_000)


@SHARED
async def test_fifty_visits_at_once_are_one(floor: Venue) -> None:
    operator = await floor.operator()
    password = await made(operator, "crowded", reward_cents=700)
    ada = await trader(floor)
    volunteers = [await floor.client() for _ in range(5)]
    answers = await asyncio.gather(
        *[visit(volunteers[n % 5], "crowded", password, ada) for n in range(50)], return_exceptions=True
    )
    done = [answer for answer in answers if isinstance(answer, pb.VisitBoothResponse)]
    assert {answer.reason for answer in answers if isinstance(answer, BearpitError)} == {"ALREADY_VISITED"}
    assert len(done) == 1
    assert await cash_of(floor, ada) == 1_000_700


@SHARED
async def test_the_same_request_fifty_times_is_one_visit_with_one_answer(floor: Venue) -> None:
    operator, volunteer = await floor.operator(), await floor.client()
    password = await made(operator, "replayed", creates_players=True)
    answers = await asyncio.gather(
        *[visit(volunteer, "replayed", password, "newcomer1", request_id="once") for _ in range(50)]
    )
    assert len({answer.visit.SerializeToString() for answer in answers}) == 1
    [told] = [answer.player_password for answer in answers if answer.player_password]  # to one of them, once
    await (await floor.client()).sign_in("newcomer1", told)
    error = await refused(visit(volunteer, "replayed", password, "newcomer2", request_id="once"))
    assert error.reason == "REQUEST_ID_REUSED"
    stored = floor.rows("SELECT string_agg(encode(response, 'escape'), '|') FROM requests")[0][0]
    assert told not in stored
    assert password not in stored
    assert told not in str(floor.rows("SELECT payload FROM events"))


@SHARED
async def test_a_newcomer_becomes_a_player_where_the_booth_allows_it(floor: Venue) -> None:
    operator, volunteer = await floor.operator(), await floor.client()
    closed, opened = await made(operator, "members"), await made(operator, "open", creates_players=True)
    assert (await refused(visit(volunteer, "members", closed, "rookie"))).reason == "NOT_FOUND"
    rehearsed = await visit(volunteer, "open", opened, "rookie", validate_only=True)
    assert (rehearsed.visit.visit_id, rehearsed.visit.created_player) == (0, True)
    assert rehearsed.player_password == ""
    done = await visit(volunteer, "open", opened, "rookie")
    assert done.visit.created_player
    rookie = await floor.client()
    await rookie.sign_in("rookie", done.player_password)
    assert (await floor.wallet(rookie)).cash_cents == 1_000_000 + 100_000
    assert (await visit(volunteer, "members", closed, "rookie")).visit.created_player is False
    assert (await refused(visit(volunteer, "open", opened, "no name!"))).reason == "INVALID_FIELD"
    assert (await booth(operator, "open")).players_created == 1


@SHARED
async def test_a_newcomer_at_many_booths_at_once_is_one_player(floor: Venue) -> None:
    operator = await floor.operator()
    passwords = {name: await made(operator, name, creates_players=True) for name in ("b-1", "b-2", "b-3")}
    volunteer = await floor.client()
    answers = await asyncio.gather(*[visit(volunteer, name, passwords[name], "Twin") for name in passwords])
    assert sum(answer.visit.created_player for answer in answers) == 1
    assert sum(answer.player_password != "" for answer in answers) == 1
    assert await cash_of(floor, "Twin") == 1_000_000 + 3 * 100_000


@SHARED
async def test_without_the_password_nothing_is_told(floor: Venue) -> None:
    operator, thief = await floor.operator(), await floor.client()
    password = await made(operator, "guarded")
    ada = await trader(floor)
    messages = set()
    for name, given in (
        ("guarded", "wrong"), ("guarded", ""), ("guarded", "x" * 5_000), ("nowhere", password), ("", ""),
        ("guarded", password + "x"),
    ):  # fmt: skip
        error = await refused(visit(thief, name, given, ada))
        assert error.reason == "BAD_CREDENTIALS"
        messages.add(error.message)
    assert len(messages) == 1
    assert await cash_of(floor, ada) == 1_000_000


@SHARED
async def test_guessing_passwords_is_slowed_and_the_booth_goes_on(floor: Venue) -> None:
    operator, volunteer = await floor.operator(), await floor.client()
    password = await made(operator, "besieged")
    await visit(volunteer, "besieged", password, await trader(floor))
    await floor.settings(rate_sign_in_per_minute=5)
    reasons = [(await refused(visit(volunteer, "besieged", "wrong", "ada"))).reason for _ in range(8)]
    assert reasons == ["BAD_CREDENTIALS"] * 5 + ["RATE_LIMITED"] * 3
    for name in ("siege1", "siege2", "siege3"):  # the password that is known already costs no hash
        assert (await refused(visit(volunteer, "besieged", password, name))).reason == "NOT_FOUND"
    await floor.settings(rate_sign_in_per_minute=0)


@SHARED
async def test_a_rotated_password_is_good_no_more_on_any_server(floor: Venue) -> None:
    operator, volunteer = await floor.operator(), await floor.client()
    old = await made(operator, "rotating")
    async with serving(floor.database) as second:
        elsewhere = await second.client()
        await visit(volunteer, "rotating", old, await trader(floor))
        await visit(elsewhere, "rotating", old, await trader(floor))
        rotated = await operator.booths.RotateBoothPassword(pb.RotateBoothPasswordRequest(name="rotating"))
        assert rotated.password not in ("", old)
        for client in (volunteer, elsewhere):
            assert (
                await refused(visit(client, "rotating", old, await trader(floor)))
            ).reason == "BAD_CREDENTIALS"
            await visit(client, "rotating", rotated.password, await trader(floor))
    hashes = floor.rows("SELECT password_hash FROM booths")
    assert all(found.startswith("$argon2id$") for (found,) in hashes)
    assert (await booth(operator, "rotating")).visits == 4


@SHARED
async def test_two_servers_count_a_player_once(floor: Venue) -> None:
    operator = await floor.operator()
    password = await made(operator, "bridged")
    ada = await trader(floor)
    async with serving(floor.database) as second:
        here, there = await floor.client(), await second.client()
        answers = await asyncio.gather(
            *[visit((here, there)[n % 2], "bridged", password, ada) for n in range(20)],
            return_exceptions=True,
        )
    assert sum(isinstance(answer, pb.VisitBoothResponse) for answer in answers) == 1
    assert await cash_of(floor, ada) == 1_100_000


@SHARED
async def test_a_closed_booth_a_disabled_and_a_frozen_player_get_nothing(floor: Venue) -> None:
    operator, volunteer = await floor.operator(), await floor.client()
    password = await made(operator, "shut")
    ada, bob, cleo = [await trader(floor) for _ in range(3)]
    await operator.admin.SetPlayerDisabled(admin_pb2.SetPlayerDisabledRequest(name=bob, disabled=True))
    assert (await refused(visit(volunteer, "shut", password, bob))).reason == "PLAYER_DISABLED"
    await operator.admin.SetFrozen(admin_pb2.SetFrozenRequest(name=cleo, frozen=True, reason="a test"))
    assert (await refused(visit(volunteer, "shut", password, cleo))).reason == "PLAYER_FROZEN"
    await operator.booths.UpdateBooth(pb.UpdateBoothRequest(name="shut", active=False))
    assert (await refused(visit(volunteer, "shut", password, ada))).reason == "NOT_POSSIBLE_NOW"
    await operator.booths.UpdateBooth(pb.UpdateBoothRequest(name="shut", active=True))
    await visit(volunteer, "shut", password, ada)
    assert (await booth(operator, "shut")).visits == 1


@SHARED
async def test_a_booth_counts_so_many_visits_a_minute_to_the_very_one(floor: Venue, ordinary: None) -> None:
    operator, volunteer = await floor.operator(), await floor.client()
    password = await made(operator, "paced")
    people = [await trader(floor) for _ in range(8)]
    await floor.settings(booth_visits_per_minute=5)
    answers = await asyncio.gather(
        *[visit(volunteer, "paced", password, name) for name in people], return_exceptions=True
    )
    errors = [answer for answer in answers if isinstance(answer, BearpitError)]
    assert [error.reason for error in errors] == ["RATE_LIMITED"] * 3
    assert all(0 < error.retry_after_seconds <= 60 for error in errors)
    [[first]] = floor.rows(
        "SELECT min(v.at) FROM booth_visits v JOIN booths b ON b.id = booth_id WHERE b.name = 'paced'"
    )
    late = [name for name, answer in zip(people, answers, strict=True) if isinstance(answer, BearpitError)]
    moment: datetime = first + timedelta(seconds=60) - timedelta(microseconds=1)
    clock.use(lambda: moment)
    assert (await refused(visit(volunteer, "paced", password, late[0]))).reason == "RATE_LIMITED"
    moment = first + timedelta(seconds=60)
    await visit(volunteer, "paced", password, late[0])


@SHARED
async def test_the_reward_is_the_booths_own_or_the_games_at_the_time(floor: Venue, ordinary: None) -> None:
    operator, volunteer = await floor.operator(), await floor.client()
    own, games = await made(operator, "own", reward_cents=5), await made(operator, "games")
    await floor.settings(booth_reward_cents=77)
    ada, bob = await trader(floor), await trader(floor)
    assert (await visit(volunteer, "own", own, ada)).visit.reward_cents == 5
    assert (await visit(volunteer, "games", games, ada)).visit.reward_cents == 77
    listed = {
        found.name: found for found in (await operator.booths.ListBooths(pb.ListBoothsRequest())).booths
    }
    assert (listed["own"].reward_cents, listed["own"].own_reward) == (5, True)
    assert (listed["games"].reward_cents, listed["games"].own_reward) == (77, False)
    await operator.booths.UpdateBooth(pb.UpdateBoothRequest(name="own", reward_cents=0, new_name="owned"))
    assert (await visit(volunteer, "owned", own, bob)).visit.reward_cents == 77
    await floor.settings(booth_reward_cents=100_000)


@SHARED
async def test_a_reward_repays_what_the_visitor_owes_first(floor: Venue) -> None:
    operator, volunteer = await floor.operator(), await floor.client()
    password = await made(operator, "lender")
    client = await floor.trader(0)
    assert client.player is not None
    name = client.player.name
    await operator.admin.SetDebt(admin_pb2.SetDebtRequest(name=name, debt_cents=30_000, reason="a test"))
    before = await floor.wallet(client)
    await visit(volunteer, "lender", password, name)
    after = await floor.wallet(client)
    assert after.debt_cents == 0
    assert after.cash_cents == before.cash_cents + 100_000 - 30_000
    postings = (await client.wallet.ListPostings(wallet_pb2.ListPostingsRequest())).postings
    assert {"booth", "repayment"} <= {posting.reason for posting in postings}


@pytest.mark.parametrize("cents", [-1, 10**15 + 1, INT64, -INT64 - 1])
@SHARED
async def test_a_reward_that_cannot_be_is_refused(floor: Venue, cents: int) -> None:
    operator = await floor.operator()
    assert (await refused(made(operator, "absurd", reward_cents=cents))).reason == "INVALID_FIELD"


@SHARED
async def test_more_points_than_can_be_counted_are_not_given(floor: Venue) -> None:
    operator, volunteer = await floor.operator(), await floor.client()
    password = await made(operator, "enormous", reward_cents=10**15)
    room = floor.rows("SELECT balance FROM accounts WHERE owner_id = 0 AND asset = 0 AND kind = 'issuer'")[0][
        0
    ]
    names = [await trader(floor, 0) for _ in range(3)]
    for name in names:
        await visit(volunteer, "enormous", password, name)
    given = floor.rows("SELECT balance FROM accounts WHERE owner_id = 0 AND asset = 0 AND kind = 'issuer'")[
        0
    ][0]
    assert given == room - 3 * 10**15
    assert (await booth(operator, "enormous")).given_cents == 3 * 10**15


@SHARED
async def test_booths_and_visits_come_in_pages(floor: Venue) -> None:
    operator, volunteer = await floor.operator(), await floor.client()
    password = await made(operator, "paged", reward_cents=1)
    names = [await trader(floor) for _ in range(3)]
    for name in names:
        await visit(volunteer, "paged", password, name)
    found, token = [], ""
    while True:
        answer = await operator.booths.ListVisits(
            pb.ListVisitsRequest(booth="paged", page_size=2, page_token=token)
        )
        found += [one.player for one in answer.visits]
        token = answer.next_page_token
        if not token:
            break
    assert found == names[::-1]
    first = await operator.booths.ListBooths(pb.ListBoothsRequest(page_size=1))
    second = await operator.booths.ListBooths(
        pb.ListBoothsRequest(page_size=1, page_token=first.next_page_token)
    )
    assert first.booths[0].name.lower() < second.booths[0].name.lower()


@SHARED
async def test_the_doctor_sees_a_visit_without_its_posting(floor: Venue) -> None:
    operator, volunteer = await floor.operator(), await floor.client()
    password = await made(operator, "examined")
    await visit(volunteer, "examined", password, await trader(floor))

    forged = (
        "UPDATE booth_visits SET reward_cents = reward_cents {} WHERE id = (SELECT max(id) FROM booth_visits)"
    )
    with floor.database.transaction():
        floor.database.execute(forged.format("+ 1"))
    with floor.database.transaction():
        [broken] = [proof for proof in doctor.check() if not proof.holds]
    with floor.database.transaction():
        floor.database.execute(forged.format("- 1"))
    assert broken.rule == "each visit to a booth has its one posting"
    assert "was to get 100001 and has 1 postings, of 100000" in broken.violations[0]


@SHARED
async def test_players_run_no_booths(floor: Venue) -> None:
    ada = await floor.trader()
    assert (await refused(made(ada, "mine"))).reason == "NOT_ALLOWED"
    assert (await refused(ada.booths.ListBooths(pb.ListBoothsRequest()))).reason == "NOT_ALLOWED"


@SHARED
async def test_a_volunteers_client_needs_no_sign_in_and_sends_a_visit_again_by_itself(floor: Venue) -> None:
    operator = await floor.operator()
    password = await made(operator, "alone")
    async with connect(floor.address) as client:
        done = await visit(client, "alone", password, await trader(floor))
    assert done.visit.visit_id > 0
