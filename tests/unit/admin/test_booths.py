"""`bearpit-admin booth` against canned answers."""

import grpc
import pytest
from bearpit.v1 import booths_pb2 as pb

from tests.unit.admin.desk import Desk, admin, done
from tests.unit.client_stage import Refusal

SITCON = pb.Booth(booth_id=1, name="sitcon", reward_cents=100_000, active=True, visits=3, given_cents=300_000)
AGAIN = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "ALREADY_VISITED")


def visited(request: pb.VisitBoothRequest) -> pb.VisitBoothResponse:
    """Who is called new becomes a player."""
    new = request.player == "new"
    visit = pb.Visit(booth="sitcon", player=request.player, reward_cents=100_000, created_player=new)
    return pb.VisitBoothResponse(visit=visit, player_password="s3cret" if new else "")


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEARPIT_PASSWORD", "open sesame")


def test_a_new_booths_password_is_printed_by_itself(desk: Desk) -> None:
    desk.answers["CreateBooth"] = pb.CreateBoothResponse(booth=SITCON, password="pw")
    result = admin("booth", "create", "sitcon", "--reward", "12.50", "--creates-players")
    assert result.stdout == "pw\n"
    assert "a visit is worth 1000.00 points" in result.stderr
    asked = desk.only("CreateBooth")
    assert (asked.reward_cents, asked.creates_players) == (1_250, True)
    desk.answers["RotateBoothPassword"] = pb.RotateBoothPasswordResponse(booth=SITCON, password="pw2")
    assert admin("booth", "rotate", "sitcon").exit_code == 2
    assert done("booth", "rotate", "sitcon", "--yes") == "pw2\n"


def test_a_volunteer_needs_the_password_and_no_sign_in(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BEARPIT_TOKEN")
    desk.answers["VisitBooth"] = visited
    assert done("booth", "visit", "sitcon", "ada") == "ada gets 1000.00 points\n"
    asked = desk.only("VisitBooth")
    assert (asked.booth, asked.player, asked.password) == ("sitcon", "ada", "open sesame")
    assert desk.bearers == [""]
    assert "the password is s3cret" in done("booth", "visit", "sitcon", "new")


def test_a_scanner_types_names_line_by_line(desk: Desk) -> None:
    desk.answers["VisitBooth"] = visited
    result = admin("booth", "visit", "sitcon", "--scan", said="ada\n\n  bob \r\nnew\n")
    assert result.exit_code == 0
    assert [request.player for request in desk.requests("VisitBooth")] == ["ada", "bob", "new"]
    assert len({request.request_id for request in desk.requests("VisitBooth")}) == 3
    assert result.stdout.count("1000.00 points") == 3
    assert result.stderr == "3 visits, 0 refused\n"


def test_one_who_is_refused_does_not_keep_the_next_waiting(desk: Desk) -> None:
    desk.answers["VisitBooth"] = AGAIN
    result = admin("booth", "visit", "sitcon", "--scan", said="ada\nbob\n")
    assert result.exit_code == 0
    assert result.stderr.endswith("0 visits, 2 refused\n")
    assert result.stderr.startswith("ada: ")


def test_a_wrong_password_ends_the_scanning(desk: Desk) -> None:
    desk.answers["VisitBooth"] = Refusal(grpc.StatusCode.UNAUTHENTICATED, "BAD_CREDENTIALS")
    result = admin("booth", "visit", "sitcon", "--scan", said="ada\nbob\n")
    assert result.exit_code == 4
    assert len(desk.requests("VisitBooth")) == 1


@pytest.mark.parametrize(
    "arguments", [(), ("ada", "--scan"), ("--scan", "--password-file", "-")], ids=["none", "both", "stdin"]
)
def test_visiting_takes_a_name_or_a_scanner(desk: Desk, arguments: tuple[str, ...]) -> None:
    assert admin("booth", "visit", "sitcon", *arguments).exit_code == 2
    assert not desk.asked


def test_an_update_sets_only_what_is_given(desk: Desk) -> None:
    desk.answers["UpdateBooth"] = pb.UpdateBoothResponse(booth=SITCON)
    done("booth", "update", "sitcon", "--reward", "game")
    done("booth", "update", "sitcon", "--no-creates-players", "--dry-run")
    assert admin("booth", "close", "sitcon").exit_code == 2
    assert done("booth", "close", "sitcon", "--yes") == "closed sitcon after 3 visits\n"
    done("booth", "open", "sitcon")
    reward, newcomers, closed, opened = desk.requests("UpdateBooth")
    assert (reward.HasField("reward_cents"), reward.reward_cents) == (True, 0)
    assert (newcomers.HasField("creates_players"), newcomers.creates_players) == (True, False)
    assert newcomers.validate_only
    assert (closed.HasField("active"), closed.active, opened.active) == (True, False, True)
    assert admin("booth", "update", "sitcon").exit_code == 2


def test_booths_and_visits_are_listed(desk: Desk) -> None:
    desk.answers["ListBooths"] = pb.ListBoothsResponse(booths=[SITCON])
    assert "sitcon,yes,1000.00,no,no,3,0,3000.00" in done("booth", "list", "-o", "csv")
    desk.answers["GetBooth"] = pb.GetBoothResponse(booth=SITCON)
    assert "given\t3000.00" in done("booth", "show", "sitcon")
    desk.answers["ListVisits"] = pb.ListVisitsResponse(visits=[pb.Visit(booth="sitcon", player="ada")])
    assert "ada" in done("booth", "visits", "--booth", "sitcon", "--player", "ada")
    assert (desk.only("ListVisits").booth, desk.only("ListVisits").player) == ("sitcon", "ada")
