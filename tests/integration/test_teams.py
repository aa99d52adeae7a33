"""TeamService through gRPC: who may be where, by code or by operators, and never one too many."""

import asyncio
import re

from bearpit.client import BearpitError, Client
from bearpit.v1 import admin_pb2, auth_pb2
from bearpit.v1 import teams_pb2 as pb

from tests.integration.floor import SHARED
from tests.venue import Venue, refused


async def made(operator: Client, name: str, **more: object) -> pb.Team:
    request = pb.CreateTeamRequest(name=name, **more)  # type: ignore[arg-type]
    return (await operator.teams.CreateTeam(request)).team


async def assign(operator: Client, *pairs: tuple[str, str], **more: object) -> pb.AssignTeamResponse:
    wanted = [pb.Assignment(player=player, team=team) for player, team in pairs]
    return await operator.teams.AssignTeam(pb.AssignTeamRequest(assignments=wanted, **more))  # type: ignore[arg-type]


async def team_of(client: Client) -> str:
    answer = await client.teams.GetTeam(pb.GetTeamRequest())
    return answer.team.name if answer.HasField("team") else ""


async def join(client: Client, code: str, **more: object) -> pb.JoinTeamResponse:
    return await client.teams.JoinTeam(pb.JoinTeamRequest(code=code, **more))  # type: ignore[arg-type]


async def name_of(client: Client) -> str:
    return (await client.auth.GetMe(auth_pb2.GetMeRequest())).player.name


@SHARED
async def test_a_player_joins_by_code_however_it_is_typed(floor: Venue) -> None:
    operator, ada = await floor.operator(), await floor.trader()
    team = await made(operator, "Red Pandas", joinable=True)
    assert re.fullmatch("[2-9A-Z]{4}-[2-9A-Z]{4}", team.join_code)
    assert team.joinable
    joined = (await join(ada, f" {team.join_code.lower().replace('-', ' ')}")).team
    assert (joined.name, joined.members, joined.join_code) == ("Red Pandas", 1, "")
    assert await team_of(ada) == "Red Pandas"
    [event] = floor.rows("SELECT payload FROM events WHERE type = 'team.joined'")
    assert event[0]["player"] == await name_of(ada)
    assert team.join_code[:4] not in str(floor.rows("SELECT payload FROM events WHERE type LIKE 'team.%%'"))


@SHARED
async def test_the_code_is_shown_to_operators_only(floor: Venue) -> None:
    operator, ada = await floor.operator(), await floor.trader()
    team = await made(operator, "Secretive", joinable=True)
    seen = (await ada.teams.GetTeam(pb.GetTeamRequest(name="SECRETIVE"))).team
    assert (seen.name, seen.joinable, seen.join_code) == ("Secretive", True, "")
    assert (await operator.teams.GetTeam(pb.GetTeamRequest(name="secretive"))).team == team
    listed = await ada.teams.ListTeams(pb.ListTeamsRequest(page_size=1_000))
    assert {team.join_code for team in listed.teams} == {""}


@SHARED
async def test_who_is_in_a_team_joins_no_other_and_leaves_only_where_the_game_allows_it(floor: Venue) -> None:
    operator, ada = await floor.operator(), await floor.trader()
    first, second = (
        await made(operator, "First", joinable=True),
        await made(operator, "Second", joinable=True),
    )
    await join(ada, first.join_code)
    error = await refused(join(ada, second.join_code))
    assert (error.reason, error.metadata) == ("ALREADY_IN_TEAM", {"team": "First"})
    assert (await refused(ada.teams.LeaveTeam(pb.LeaveTeamRequest()))).reason == "NOT_POSSIBLE_NOW"
    switch = admin_pb2.UpdateSettingsRequest(values={"teams_may_leave": "true"})
    await operator.admin.UpdateSettings(switch)
    assert (await ada.teams.LeaveTeam(pb.LeaveTeamRequest())).team.members == 0
    assert (await refused(ada.teams.LeaveTeam(pb.LeaveTeamRequest()))).reason == "NOT_POSSIBLE_NOW"
    assert (await join(ada, second.join_code)).team.name == "Second"
    switch = admin_pb2.UpdateSettingsRequest(values={"teams_may_leave": "false"})
    await operator.admin.UpdateSettings(switch)


@SHARED
async def test_of_fifty_who_join_at_once_as_many_get_in_as_it_takes(floor: Venue) -> None:
    operator = await floor.operator()
    team = await made(operator, "Lifeboat", max_players=7, joinable=True)
    crowd = await asyncio.gather(*[floor.trader() for _ in range(25)])
    answers = await asyncio.gather(
        *[join(client, team.join_code) for client in crowd for _ in range(2)], return_exceptions=True
    )
    inside = [answer for answer in answers if not isinstance(answer, BaseException)]
    reasons = {answer.reason for answer in answers if isinstance(answer, BearpitError)}
    assert len(inside) == 7
    assert reasons <= {"TEAM_FULL", "ALREADY_IN_TEAM"}
    assert "TEAM_FULL" in reasons
    assert (await operator.teams.GetTeam(pb.GetTeamRequest(name="Lifeboat"))).team.members == 7


@SHARED
async def test_the_same_request_fifty_times_joins_once(floor: Venue) -> None:
    operator, ada = await floor.operator(), await floor.trader()
    team = await made(operator, "Once", joinable=True)
    answers = await asyncio.gather(*[join(ada, team.join_code, request_id="once") for _ in range(50)])
    assert len({answer.SerializeToString() for answer in answers}) == 1
    assert floor.rows("SELECT count(*) FROM events WHERE payload->>'team' = 'Once'") == [(1,)]


@SHARED
async def test_wrong_codes_are_counted_and_after_too_many_none_is_looked_at(floor: Venue) -> None:
    operator, eve = await floor.operator(), await floor.trader()
    team = await made(operator, "Guessed", joinable=True)
    await operator.admin.UpdateSettings(
        admin_pb2.UpdateSettingsRequest(values={"redeem_guesses_per_minute": "3"})
    )
    reasons = [(await refused(join(eve, f"AAAA-AAA{digit}"))).reason for digit in range(2, 7)]
    assert reasons == ["CODE_UNKNOWN"] * 3 + ["RATE_LIMITED"] * 2
    assert (await refused(join(eve, team.join_code))).reason == "RATE_LIMITED"
    assert (await refused(join(eve, "no code"))).reason == "INVALID_FIELD"
    assert (await join(await floor.trader(), team.join_code)).team.name == "Guessed"


@SHARED
async def test_operators_assign_many_at_once_and_hear_of_each(floor: Venue) -> None:
    operator = await floor.operator()
    ada, bob, cleo = [await floor.trader() for _ in range(3)]
    names = [await name_of(client) for client in (ada, bob, cleo)]
    await made(operator, "North")
    await made(operator, "Tiny", max_players=1)
    answer = await assign(
        operator,
        (names[0].upper(), "north"),
        (names[1], "Tiny"),
        (names[2], "Tiny"),
        ("nobody", "North"),
        ("x" * 5_000, "North"),
        ("house", "North"),
        ("\u212a", "nowhere\0"),
    )
    told = [(one.team, one.changed, one.refusal.message != "") for one in answer.results]
    assert told == [
        ("North", True, False),
        ("Tiny", True, False),
        ("", False, True),
        ("", False, True),
        ("", False, True),
        ("", False, True),
        ("", False, True),
    ]
    assert [await team_of(client) for client in (ada, bob, cleo)] == ["North", "Tiny", ""]
    again = await assign(operator, (names[0], "North"), (names[1], "North"), (names[2], "Tiny"))
    assert [(one.team, one.from_team, one.changed) for one in again.results] == [
        ("North", "North", False),
        ("North", "Tiny", True),
        ("Tiny", "", True),
    ]
    removed = await operator.teams.RemoveFromTeam(pb.RemoveFromTeamRequest(players=[*names[:2], "nobody"]))
    assert [(one.from_team, one.changed) for one in removed.results] == [
        ("North", True),
        ("North", True),
        ("", False),
    ]
    assert [await team_of(client) for client in (ada, bob, cleo)] == ["", "", "Tiny"]


@SHARED
async def test_teams_that_there_are_not_are_made_if_asked_for(floor: Venue) -> None:
    operator, ada, bob = await floor.operator(), await floor.trader(), await floor.trader()
    pairs = [(await name_of(ada), "École 7"), (await name_of(bob), "\tbad")]
    refusal = (await assign(operator, *pairs)).results[0].refusal
    assert refusal.message == "there is no team École 7"
    rehearsed = await assign(operator, *pairs, create_teams=True, validate_only=True)
    assert list(rehearsed.created_teams) == ["École 7"]
    assert (await refused(operator.teams.GetTeam(pb.GetTeamRequest(name="École 7")))).reason == "NOT_FOUND"
    done = await assign(operator, *pairs, create_teams=True)
    assert [(one.team, one.refusal.field) for one in done.results] == [("École 7", ""), ("", "team")]
    assert await team_of(ada) == "École 7"


@SHARED
async def test_a_batch_with_somebody_twice_or_nobody_is_refused_as_a_whole(floor: Venue) -> None:
    operator = await floor.operator()
    for pairs in ((), (("ada", "x"), ("ADA", "y")), tuple((f"p{n}", "x") for n in range(1_001))):
        assert (await refused(assign(operator, *pairs))).reason == "INVALID_FIELD"


@SHARED
async def test_crossing_assignments_end(floor: Venue) -> None:
    operator = await floor.operator()
    names = [await name_of(await floor.trader()) for _ in range(6)]
    for name in ("East", "West"):
        await made(operator, name)
    async with asyncio.timeout(30):
        await asyncio.gather(
            *[assign(operator, *[(name, team) for name in names]) for team in ("East", "West") * 5],
            *[assign(operator, *[(name, team) for name in names[::-1]]) for team in ("West", "East") * 5],
        )
    listed = await operator.teams.ListTeams(pb.ListTeamsRequest(search="st"))
    assert sum(team.members for team in listed.teams if team.name in ("East", "West")) == 6


@SHARED
async def test_a_team_is_renamed_resized_and_given_a_new_code(floor: Venue) -> None:
    operator, ada = await floor.operator(), await floor.trader()
    team = await made(operator, "Old", joinable=True)
    await made(operator, "Taken")
    await join(ada, team.join_code)

    async def update(**change: object) -> pb.Team:
        request = pb.UpdateTeamRequest(name="Old", **change)  # type: ignore[arg-type]
        return (await operator.teams.UpdateTeam(request)).team

    assert (await refused(update(new_name="TAKEN"))).reason == "ALREADY_EXISTS"
    assert (await refused(update(max_players=-1))).reason == "INVALID_FIELD"
    assert (await refused(update(max_players=2**62))).reason == "INVALID_FIELD"
    assert (await update(max_players=1)).max_players == 1
    await assign(operator, (await name_of(await floor.trader()), "Old"))
    renewed = await update(join_code=pb.JOIN_CODE_CHANGE_RENEW, max_players=0)
    assert renewed.join_code not in ("", team.join_code)
    assert renewed.max_players == 0
    assert (await refused(join(await floor.trader(), team.join_code))).reason == "CODE_UNKNOWN"
    assert not (await update(join_code=pb.JOIN_CODE_CHANGE_END)).joinable
    assert (await update(new_name="OLD")).name == "OLD"
    assert await team_of(ada) == "OLD"


@SHARED
async def test_teams_and_members_come_in_pages_by_name(floor: Venue) -> None:
    operator = await floor.operator()
    for name in ("pg-c", "Pg-a", "pg-B"):
        await made(operator, name)
    found, token = [], ""
    while True:
        answer = await operator.teams.ListTeams(
            pb.ListTeamsRequest(search="pg-", page_size=1, page_token=token)
        )
        found += [team.name for team in answer.teams]
        token = answer.next_page_token
        if not token:
            break
    assert found == ["Pg-a", "pg-B", "pg-c"]
    names = [await name_of(await floor.trader()) for _ in range(3)]
    await assign(operator, *[(name, "pg-c") for name in names])
    first = await operator.teams.ListMembers(pb.ListMembersRequest(team="pg-c", page_size=2))
    rest = await operator.teams.ListMembers(
        pb.ListMembersRequest(team="pg-c", page_size=2, page_token=first.next_page_token)
    )
    assert sorted(names) == [member.name for member in (*first.members, *rest.members)]


@SHARED
async def test_players_make_and_assign_nothing(floor: Venue) -> None:
    ada = await floor.trader()
    assert (await refused(made(ada, "Mine"))).reason == "NOT_ALLOWED"
    assert (await refused(assign(ada, ("ada", "Mine")))).reason == "NOT_ALLOWED"
