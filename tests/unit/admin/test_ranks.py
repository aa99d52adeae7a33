"""`bearpit-admin rank` and `badge`: what is asked for, and how it is shown."""

import json

import pytest
from bearpit.v1 import ranks_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from tests.unit.admin.desk import Desk, admin, done

ADA = pb.RankEntry(
    rank=2, position=3, player_id=7, player_name="ada", team_name="reds", value_bps=-905, previous_rank=4
)
EDITION = pb.Edition(edition_id=9, at=Timestamp(seconds=1_900_000_000), players=3)


def test_a_board_is_listed_from_any_position(desk: Desk) -> None:
    desk.answers["ListRanks"] = pb.ListRanksResponse(entries=[ADA], edition=EDITION, total=3)
    found = json.loads(done("rank", "list", "--board", "return", "--from", "3", "-n", "1", "-o", "json"))
    assert found == [
        {"rank": 2, "player": "ada", "team": "reds", "value": "-9.05 %", "before": 4, "position": 3}
    ]
    asked = desk.only("ListRanks")
    assert (asked.board, asked.first_position) == (pb.BOARD_RETURN, 3)
    assert not asked.HasField("period")


def test_the_final_ranks_of_a_day_or_of_a_window_are_asked_for(desk: Desk) -> None:
    desk.answers["ListRanks"] = pb.ListRanksResponse()
    desk.answers["ListTeamRanks"] = pb.ListTeamRanksResponse()
    done("rank", "list", "--window", "12")
    done("rank", "teams", "--day", "2031-08-04")
    assert desk.only("ListRanks").period.window_id == 12
    assert desk.only("ListTeamRanks").period.day == "2031-08-04"
    assert admin("rank", "list", "--window", "12", "--day", "2031-08-04").exit_code == 2


def test_a_player_is_shown_with_what_the_net_worth_is_made_of(desk: Desk) -> None:
    desk.answers["GetRank"] = pb.GetRankResponse(
        player_name="ada",
        standings=[pb.Standing(board=pb.BOARD_RETURN, entry=ADA, total=3)],
        around=[ADA],
        edition=EDITION,
        net_worth=pb.NetWorth(
            cash_cents=12_345, debt_cents=45, net_worth_cents=12_300, received_cents=10_000
        ),
    )
    found = json.loads(done("rank", "show", "ada", "--around", "2", "-o", "json"))
    assert (found["cash"], found["net_worth"], found["received"]) == ("123.45", "123.00", "100.00")
    assert found["standings"][0]["of"] == 3
    assert found["around"][0]["player"] == "ada"


def test_marks_say_why(desk: Desk) -> None:
    mark = pb.Mark(
        symbol="ACME", mark_cents=1_000, source=pb.MARK_SOURCE_REFERENCE, explanation="the reference price"
    )
    desk.answers["ListMarks"] = pb.ListMarksResponse(marks=[mark])
    [found] = json.loads(done("rank", "marks", "acme", "-o", "json"))
    assert desk.only("ListMarks").symbol == "ACME"
    assert (found["mark"], found["last"], found["source"]) == ("10.00", None, "reference")
    assert found["why"] == "the reference price"


def test_counting_and_giving_can_be_rehearsed(desk: Desk) -> None:
    desk.answers["RefreshRanks"] = pb.RefreshRanksResponse(edition=EDITION, took_ms=12)
    desk.answers["AwardBadge"] = pb.AwardBadgeResponse(badge=pb.Badge(badge="fair-play", name="Fair play"))
    assert "3 players in 12 ms" in done("rank", "refresh", "--dry-run")
    assert "Fair play" in done("badge", "award", "ada", "fair-play", "--dry-run")
    assert desk.only("RefreshRanks").validate_only
    assert desk.only("AwardBadge").validate_only


@pytest.mark.parametrize("yes", [False, True])
def test_a_badge_is_taken_away_only_after_a_yes(desk: Desk, yes: bool) -> None:
    desk.answers["RevokeBadge"] = pb.RevokeBadgeResponse(badge=pb.Badge(badge="top-ten", name="Top ten"))
    result = admin("badge", "revoke", "ada", "top-ten", *(["--yes"] if yes else []))
    assert (result.exit_code == 0) == yes
    assert len(desk.requests("RevokeBadge")) == yes


def test_badges_are_listed_with_their_holders(desk: Desk) -> None:
    desk.answers["ListBadges"] = pb.ListBadgesResponse(
        badges=[pb.Badge(badge="opening-bell", name="Opening bell", unique=True, holders=1, holder="ada")]
    )
    [found] = json.loads(done("badge", "list", "--player", "ada", "-o", "json"))
    assert (found["unique"], found["holder"], found["awarded_at"]) == (True, "ada", None)
    assert desk.only("ListBadges").player == "ada"


def test_periods_that_are_kept_are_listed(desk: Desk) -> None:
    kept = pb.KeptPeriod(period=pb.RankPeriod(window_id=12), title="Chapter 12", at=EDITION.at, players=3)
    desk.answers["ListPeriods"] = pb.ListPeriodsResponse(periods=[kept])
    [found] = json.loads(done("rank", "periods", "-o", "json"))
    assert (found["window"], found["day"], found["title"]) == (12, "", "Chapter 12")
