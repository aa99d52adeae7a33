"""`bearpit-admin team` against canned answers."""

import json
from pathlib import Path

import grpc
import pytest
from bearpit.v1 import errors_pb2, trading_pb2
from bearpit.v1 import teams_pb2 as pb

from tests.unit.admin.desk import Desk, admin, done

PANDAS = pb.Team(
    team_id=3, name="Red Pandas", members=2, max_players=12, joinable=True, join_code="K7MQ-3XPA"
)
NO_PLAYER = trading_pb2.Refusal(
    code=grpc.StatusCode.NOT_FOUND.value[0],
    reason=errors_pb2.REASON_NOT_FOUND,
    message="there is no player nobody",
)


def assigned(request: pb.AssignTeamRequest) -> pb.AssignTeamResponse:
    """Everybody moves but nobody."""
    return pb.AssignTeamResponse(
        results=[
            pb.Assigned(player=one.player, refusal=NO_PLAYER)
            if one.player == "nobody"
            else pb.Assigned(player=one.player, team=one.team, changed=one.player != "settled")
            for one in request.assignments
        ],
        created_teams=["Green Owls"] if request.create_teams else [],
    )


def test_a_new_teams_code_is_printed_by_itself(desk: Desk) -> None:
    desk.answers["CreateTeam"] = pb.CreateTeamResponse(team=PANDAS)
    result = admin("team", "create", "Red Pandas", "--max", "12", "--joinable")
    assert (result.stdout, result.stderr) == ("K7MQ-3XPA\n", "created team Red Pandas\n")
    asked = desk.only("CreateTeam")
    assert (asked.name, asked.max_players, asked.joinable) == ("Red Pandas", 12, True)


def test_one_player_is_assigned(desk: Desk) -> None:
    desk.answers["AssignTeam"] = assigned
    result = admin("team", "assign", "ada", "Red Pandas", "-o", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == [
        {"player": "ada", "from_team": None, "team": "Red Pandas", "refused": None}
    ]
    assert result.stderr == "1 moved, 0 as they were, 0 refused\n"


def test_a_file_of_hundreds_is_assigned_in_batches(desk: Desk, tmp_path: Path) -> None:
    desk.answers["AssignTeam"] = assigned
    file = tmp_path / "teams.csv"
    lines = ["player,team", *[f"p{n}, Red Pandas" for n in range(1_200)], "", "settled,x", "nobody,x"]
    file.write_text("\n".join(lines))
    result = admin("team", "assign", "--file", str(file), "--create-teams", "--dry-run")
    assert result.exit_code == 3
    assert [len(request.assignments) for request in desk.requests("AssignTeam")] == [1_000, 202]
    assert all(request.validate_only for request in desk.requests("AssignTeam"))
    assert desk.requests("AssignTeam")[0].assignments[0] == pb.Assignment(player="p0", team="Red Pandas")
    assert "dry run, nothing changed: created team Green Owls" in result.stderr
    assert "dry run, nothing changed: 1200 moved, 1 as they were, 1 refused" in result.stderr
    assert "nobody\t\t\tThere is no player nobody." in result.stdout
    assert "settled" not in result.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ada", "line 1: write it like ada,Red Pandas"),
        ("ada,x\nbob,", "line 2"),
        ("ada,x\nADA,y", "line 2: ADA is in it twice"),
        ("player,team\n", "has no players in it"),
    ],
)
def test_a_file_that_cannot_be_read_changes_nothing(desk: Desk, text: str, words: str) -> None:
    result = admin("team", "assign", "--file", "-", said=text)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not desk.asked


@pytest.mark.parametrize("arguments", [(), ("ada",), ("ada", "x", "--file", "-")])
def test_assigning_takes_a_player_or_a_file(desk: Desk, arguments: tuple[str, ...]) -> None:
    result = admin("team", "assign", *arguments)
    assert result.exit_code == 2
    assert "--file" in result.stderr


def test_removing_many_asks_first(desk: Desk) -> None:
    desk.answers["RemoveFromTeam"] = pb.RemoveFromTeamResponse(
        results=[pb.Assigned(player="ada", from_team="Red Pandas", changed=True)]
    )
    assert admin("team", "remove", "ada", "bob").exit_code == 2
    assert not desk.asked
    assert admin("team", "remove", "ada", "bob", "--yes").exit_code == 0
    assert list(desk.only("RemoveFromTeam").players) == ["ada", "bob"]


def test_a_code_is_shown_renewed_or_ended(desk: Desk) -> None:
    desk.answers["GetTeam"] = pb.GetTeamResponse(team=PANDAS)
    assert done("team", "code", "Red Pandas") == "K7MQ-3XPA\n"
    desk.answers["UpdateTeam"] = pb.UpdateTeamResponse(team=PANDAS)
    assert done("team", "code", "Red Pandas", "--renew") == "K7MQ-3XPA\n"
    assert "nothing changed" in done("team", "code", "Red Pandas", "--renew", "--dry-run")
    assert admin("team", "code", "Red Pandas", "--end").exit_code == 2  # nobody is there to answer
    done("team", "code", "Red Pandas", "--end", "--yes")
    changes = [request.join_code for request in desk.requests("UpdateTeam")]
    assert changes == [pb.JOIN_CODE_CHANGE_RENEW, pb.JOIN_CODE_CHANGE_RENEW, pb.JOIN_CODE_CHANGE_END]
    desk.answers["GetTeam"] = pb.GetTeamResponse(team=pb.Team(name="Shy"))
    assert admin("team", "code", "Shy").exit_code == 3
    assert admin("team", "code", "Shy", "--renew", "--end").exit_code == 2


def test_an_update_sets_only_what_is_given(desk: Desk) -> None:
    desk.answers["UpdateTeam"] = pb.UpdateTeamResponse(team=pb.Team(name="Pandas"))
    assert done("team", "update", "x", "--max", "0") == "team Pandas takes any number of players\n"
    asked = desk.only("UpdateTeam")
    assert (asked.HasField("max_players"), asked.max_players, asked.new_name) == (True, 0, "")
    assert admin("team", "update", "x").exit_code == 2


def test_a_team_is_shown_with_its_players(desk: Desk) -> None:
    desk.answers["GetTeam"] = pb.GetTeamResponse(team=PANDAS)
    desk.answers["ListMembers"] = pb.ListMembersResponse(members=[pb.Member(player_id=1, name="ada")])
    shown = json.loads(done("team", "show", "red pandas", "-o", "json"))
    assert (shown["members"], shown["players"]) == (2, [{"id": 1, "name": "ada", "disabled": False}])
    desk.answers["ListTeams"] = pb.ListTeamsResponse(teams=[PANDAS])
    assert "Red Pandas" in done("team", "list", "--search", "panda")
